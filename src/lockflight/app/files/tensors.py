"""Digests of the tensors of a file, taken in the one read that hashes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from lockflight.core.release.tensors import SUFFIX, TensorIndex
from lockflight.infra.files import changed

if TYPE_CHECKING:
    from lockflight.infra.files import FdSource
    from lockflight.infra.hashing import HashedFile, Tap

#: Files of an OCI layout have no names of their own; what they are is seen by their first bytes.
_BLOBS = "blobs/sha256/"


@runtime_checkable
class _Indexing(Protocol):
    def index(self) -> TensorIndex | None: ...


def tensor_tap(source: FdSource) -> Tap | None:
    """For `hash_files`: a tap for safetensors files, nothing for all others."""
    if not source.name.endswith(SUFFIX) and not source.name.startswith(_BLOBS):
        return None
    if source.read_at(8, 1) != b"{":
        return None
    from lockflight.formats.tensors.tensorindex import (
        tap_for,  # most packages of code and texts hold no such file
    )

    return tap_for(source)


def tensor_index(file: HashedFile[Any]) -> TensorIndex | None:
    """What the tap of a hashed file has found; None for files without one.

    Raises:
        InvalidInput: LF1003 the bytes were not those of the header that was read before.
    """
    tap: object = file.tap
    if tap is None or not isinstance(tap, _Indexing):
        return None
    index = tap.index()
    if index is None:
        raise changed(file.source.name)
    return index
