"""What converts a pickle of scikit-learn to skops: run in a child without network and environment, never here.

The pickle is loaded under the allow-list, as `Loaded.joblib` does it; the other file is loaded by skops, with the types
that the allow-list lists. Both models then answer the same questions (`comparing`); what nothing could be asked of is
written only where the caller said so.
"""

from __future__ import annotations

import importlib
import json
import os
import warnings
from typing import TYPE_CHECKING, Any

from lockflight.deploy.comparing import compare
from lockflight.deploy.pickles import load_joblib
from lockflight.errors import EnvironmentProblem, EvidenceMissing, InvalidInput, PolicyDenied
from lockflight.infra.allowlist import shipped_allow_list

if TYPE_CHECKING:
    from collections.abc import Sequence


def to_skops(request: bytes, fds: Sequence[int]) -> bytes:
    """Convert, compare, and answer with what was compared; the new file is written to the second descriptor.

    Args:
        request: JSON with `name`, and `uncompared`: whether to write what could not be compared.
        fds: the pickle, and an empty file.

    Raises:
        PolicyDenied: LF7534 the pickle asks for more than the allow-list holds, LF7532 skops would make another type.
        EnvironmentProblem: LF7531 skops is not installed.
        InvalidInput: LF0221 skops cannot write the object.
        VerificationFailed: LF0224 the new model answers otherwise.
        EvidenceMissing: LF0228 nothing could be asked of the models.
    """
    asked = json.loads(request)
    name = str(asked["name"])
    warnings.simplefilter("ignore")
    skops = _skops()
    model = load_joblib(_Open(fds[0]), name, allow_list="", overlay=b"")
    try:
        data: bytes = skops.dumps(model)
    except Exception as error:
        raise InvalidInput(
            "LF0221",
            f"{name!r} cannot be converted: skops cannot write what it holds ({type(error).__name__}).",
            hint="Save the model without the parts that scikit-learn did not make.",
        ) from error
    other = skops.loads(data, trusted=_trusted(skops, data, name))
    answer = {
        "type": f"{type(model).__module__}.{type(model).__qualname__}",
        "compared": compare(model, other),
    }
    if not answer["compared"] and asked["uncompared"] is not True:
        raise EvidenceMissing(
            "LF0228",
            f"{name!r} answers no question that can be made up for it, so nothing was written.",
            hint="Install pandas if it takes frames; or --accept-uncompared, and compare both files on rows of yours.",
        )
    view = memoryview(data)
    while view:
        view = view[os.write(fds[1], view) :]
    return json.dumps(answer).encode()


def _skops() -> Any:  # noqa: ANN401 - a module
    try:
        return importlib.import_module("skops.io")
    except ImportError as error:
        raise EnvironmentProblem(
            "LF7531",
            f"skops is not installed, or does not import: {error}.",
            hint="pip install skops scikit-learn",
        ) from error


class _Open:
    """A file that is open already, whatever it is called."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def read(self, _: str) -> bytes:
        """All of it."""
        parts = []
        at = 0
        while part := os.pread(self._fd, 1 << 26, at):
            parts.append(part)
            at += len(part)
        return b"".join(parts)


def _trusted(skops: Any, data: bytes, name: str) -> list[str]:  # noqa: ANN401 - a module
    """Types that skops does not know and the allow-list does."""
    allow = shipped_allow_list()
    asked = list(skops.get_untrusted_types(data=data))
    entries = {one: allow.get(*_split(one)) for one in asked}
    unlisted = [one for one, entry in entries.items() if entry is None or entry.state]
    if unlisted:
        raise PolicyDenied(
            "LF7532",
            f"{name!r} holds types that are on no list: {', '.join(sorted(unlisted))[:500]}.",
            hint="Save the model without them.",
        )
    return asked


def _split(label: str) -> tuple[str, str]:
    module, _, name = label.rpartition(".")
    return module, name
