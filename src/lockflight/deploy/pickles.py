"""Pickles of a verified package, loaded under the allow-list that also judges them in the scan.

Twice: the bytes, which nobody can change any more, are followed by the same machine as in the scan before anything is
made of them; and the unpickler that then makes the objects finds no name that is not listed. What the first would let
pass by mistake, the second refuses.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import pickle  # noqa: TID251 - only what the machine of the scan has followed is loaded
import time
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from lockflight.core.source import BytesSource
from lockflight.errors import EnvironmentProblem, PolicyDenied
from lockflight.formats.archive.inflate import compression_of, inflate
from lockflight.formats.pickle.streams import analyse
from lockflight.formats.torch.file import read_checkpoint
from lockflight.infra.allowlist import read_overlay, shipped_allow_list

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockflight.formats.pickle.allow import AllowList

#: What a compressed pickle may become in memory.
MAX_LOADED = 8 * 1024**3
_SHOWN = 5
#: The first version whose `weights_only` holds.
_TORCH = (2, 6)


class Source(Protocol):
    """What these functions ask of a `Loaded`."""

    def read(self, name: str) -> bytes: ...  # noqa: D102 - as in `Loaded`


def load_pickle(loaded: Source, name: str, *, allow_list: str, overlay: bytes) -> Any:  # noqa: ANN401 - see `Loaded`
    """See `Loaded.pickle`."""
    data, allow = _listed(loaded, name, allow_list, overlay)

    class Listed(_names(allow, name), pickle.Unpickler):  # type: ignore[misc]
        """CPython's own, written in C."""

    return Listed(io.BytesIO(data)).load()


def load_joblib(loaded: Source, name: str, *, allow_list: str, overlay: bytes) -> Any:  # noqa: ANN401 - see `Loaded`
    """See `Loaded.joblib`."""
    data, allow = _listed(loaded, name, allow_list, overlay)
    try:
        stock = importlib.import_module("joblib.numpy_pickle").NumpyUnpickler
    except ImportError as error:
        raise EnvironmentProblem(
            "LF7531",
            f"joblib is not installed, or does not import: {error}.",
            hint="pip install joblib",
        ) from error

    class Listed(_names(allow, name), stock):  # type: ignore[misc, valid-type]
        """joblib's own, which reads arrays between the opcodes."""

    stream = io.BytesIO(data)
    try:
        unpickler = Listed(name, stream, ensure_native_byte_order=True)
    except TypeError:  # joblib before 1.5
        unpickler = Listed(name, stream)
    return unpickler.load()


def load_torch(loaded: Source, name: str, *, device: str, allow_list: str, overlay: bytes) -> Any:  # noqa: ANN401 - see `Loaded`
    """See `Loaded.torch`."""
    data = loaded.read(name)
    allow = _in_force(data, allow_list, overlay)
    found = read_checkpoint(BytesSource(data, name), allow)
    if found.issues:
        raise _refused(name, [issue.message for issue in found.issues])
    torch = _torch()
    listed = [_resolved(use.resolved) for use in found.report.globals if use.listed]
    try:
        with torch.serialization.safe_globals(listed):
            return torch.load(io.BytesIO(data), map_location=device, weights_only=True)
    except pickle.UnpicklingError as error:
        raise _refused(name, [f"torch refuses it: {str(error).strip().splitlines()[0][:300]}"]) from error
    except (AttributeError, EOFError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise _refused(name, [f"torch cannot read it ({type(error).__name__})"]) from error


def _torch() -> Any:  # noqa: ANN401 - a module
    try:
        torch = importlib.import_module("torch")
    except ImportError as error:
        raise EnvironmentProblem(
            "LF7531", f"torch is not installed, or does not import: {error}.", hint="pip install 'torch>=2.6'"
        ) from error
    version = str(torch.__version__)
    parts = version.split("+", maxsplit=1)[0].split(".")[:2]
    if not all(part.isdigit() for part in parts) or tuple(int(part) for part in parts) < _TORCH:
        raise EnvironmentProblem(
            "LF7536",
            f"torch {version[:40]} is installed; before 2.6 its weights_only runs code (CVE-2025-32434).",
            hint="pip install 'torch>=2.6'",
        )
    return torch


def _resolved(name: tuple[str, str]) -> tuple[Any, str]:
    """A listed global that a judged file uses, for torch's own unpickler."""
    module, attribute = name
    thing: Any = importlib.import_module(module)
    for part in attribute.split("."):
        thing = getattr(thing, part)
    return thing, f"{module}.{attribute}"


def _names(allow: AllowList, file: str) -> type:
    """An unpickler's part that finds listed names only."""

    class Names:
        def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - whatever stands there
            # Old protocols write names of Python 2, which CPython maps after this; either is the one that is listed.
            if allow.get(module, name) is None and allow.get(*allow.python3_name(module, name)) is None:
                raise _refused(file, [f"it asks for {module}.{name}, which is not on the allow-list"])
            if name == "getattr":
                return _attribute_of(allow, file)
            return super().find_class(module, name)  # type: ignore[misc]

        def persistent_load(self, _: object) -> NoReturn:
            raise _refused(file, ["it refers to something outside of itself"])

    return Names


def _attribute_of(allow: AllowList, file: str) -> Callable[[object, str], object]:
    """`getattr` for methods that are listed, and for the entropy of a distribution."""

    def attribute(owner: object, name: str) -> object:
        kind = owner if isinstance(owner, type) else type(owner)
        entry = allow.get(kind.__module__, kind.__qualname__)
        whole = allow.get(kind.__module__, f"{kind.__qualname__}.{name}")
        drawn = entry is not None and entry.state == "distribution" and name == "_entropy"
        if not (whole is not None and kind is owner) and not (drawn and kind is not owner):
            raise _refused(file, [f"it asks for {name} of {kind.__module__}.{kind.__qualname__}"])
        return getattr(owner, name)

    return attribute


def _listed(loaded: Source, name: str, digest: str, overlay: bytes) -> tuple[bytes, AllowList]:
    """The pickle in a file, once the list in force for it has been found to allow all of it."""
    data = loaded.read(name)
    allow = _in_force(data, digest, overlay)
    return _judged(data, name, allow), allow


def _in_force(data: bytes, digest: str, overlay: bytes) -> AllowList:
    """The list for one file: the shipped one, with what the policy adds."""
    allow = shipped_allow_list()
    if overlay:
        added = read_overlay(overlay).at(int(time.time()))
        allow = added.over(allow, hashlib.sha256(data).hexdigest())
    if digest and digest.removeprefix("sha256:") != allow.digest:
        raise PolicyDenied(
            "LF7535",
            f"The allow-list in force here has the digest sha256:{allow.digest}, not {digest[:80]!r}.",
            hint="Load with the version of Lockflight whose scan is in the evidence, or scan again with this one.",
        )
    return allow


def _judged(data: bytes, name: str, allow: AllowList) -> bytes:
    """The pickle in a file, inflated, if all of it may be loaded."""
    kind = compression_of(data[:16])
    if kind:
        opened = inflate(BytesSource(data, name), kind, max_output=MAX_LOADED, name=name)
        if opened.problem or opened.trailing:
            raise _refused(name, [f"its {kind} data cannot be read to its end, or something follows it"])
        data = opened.source.read_at(0, opened.source.size)
    report = analyse(BytesSource(data, name), allow)
    why = [issue.message for issue in report.issues]
    if why or not report.complete:
        raise _refused(name, why or ["it cannot be followed to its end"])
    return data


def _refused(name: str, why: list[str]) -> PolicyDenied:
    more = f" And {len(why) - _SHOWN} more." if len(why) > _SHOWN else ""
    return PolicyDenied(
        "LF7534",
        f"{name!r} is not loaded: {' '.join(one.rstrip('.') + '.' for one in why[:_SHOWN])}{more}",
        hint="lockflight scan says the same of the file. Convert it to safetensors or skops where it was made.",
        details={"name": name, "issues": why[:100]},
    )
