"""What converts a pickle of scikit-learn to skops: run in a child without network and environment, never here.

The pickle is loaded under the allow-list, as `Loaded.joblib` does it; the other file is loaded by skops, with the types
that the allow-list lists. Both models then answer the same questions.
"""

from __future__ import annotations

import importlib
import json
import os
import warnings
from typing import TYPE_CHECKING, Any, Final

from lockflight.deploy.pickles import load_joblib
from lockflight.errors import EnvironmentProblem, InvalidInput, PolicyDenied, VerificationFailed
from lockflight.infra.allowlist import shipped_allow_list

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Rows of random input that both models answer for.
ROWS: Final = 64
#: Questions that a model may answer, in this order.
_METHODS: Final = ("predict", "predict_proba", "decision_function", "transform", "score_samples")


def to_skops(request: bytes, fds: Sequence[int]) -> bytes:
    """Convert, compare, and answer with what was compared; the new file is written to the second descriptor.

    Args:
        request: JSON with `name`.
        fds: the pickle, and an empty file.

    Raises:
        PolicyDenied: LF7534 the pickle asks for more than the allow-list holds, LF7532 skops would make another type.
        EnvironmentProblem: LF7531 skops is not installed.
        InvalidInput: LF0221 skops cannot write the object.
        VerificationFailed: LF0224 the new model answers otherwise.
    """
    name = str(json.loads(request)["name"])
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
        "compared": _compare(model, other),
    }
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
    unlisted = [one for one in asked if allow.get(*_split(one)) is None]
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


def _compare(one: Any, other: Any) -> list[str]:  # noqa: ANN401 - models
    """Which questions both models answered alike, on the same random rows; empty where none could be asked.

    Raises:
        VerificationFailed: LF0224 they differ.
    """
    import numpy as np

    features = getattr(one, "n_features_in_", None)
    if not isinstance(features, (int, np.integer)):
        return []
    rows = np.random.RandomState(0).rand(ROWS, int(features))
    asked = []
    for method in _METHODS:
        if not hasattr(one, method):
            continue
        # Some models draw their answers.
        np.random.seed(0)  # noqa: NPY002 - scikit-learn's own default
        try:
            expected = getattr(one, method)(rows)
        except Exception:  # noqa: BLE001, S112 - a model of words does not take numbers
            continue
        np.random.seed(0)  # noqa: NPY002 - as above
        found = getattr(other, method)(rows)
        if hasattr(expected, "toarray"):
            expected, found = expected.toarray(), found.toarray()
        if not np.array_equal(np.asarray(expected), np.asarray(found), equal_nan=_floats(expected)):
            raise VerificationFailed(
                "LF0224",
                f"The model answers `{method}` otherwise after the conversion, so nothing was written.",
                hint="Please report this, with the versions of scikit-learn and skops.",
            )
        asked.append(method)
    return asked


def _floats(values: Any) -> bool:  # noqa: ANN401 - an array
    import numpy as np

    return bool(np.issubdtype(np.asarray(values).dtype, np.inexact))
