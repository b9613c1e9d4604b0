"""Sparse matrices in archives of NumPy, as `scipy.sparse.save_npz` and data sets of graphs write them.

The compiled code of SciPy believes the indices: its constructor looks at lengths, and `toarray` then writes where they
lead. So every index is compared with the shape, in one pass over each array and without NumPy.
"""

from __future__ import annotations

import sys
from array import array
from collections import Counter
from itertools import islice
from operator import le
from typing import TYPE_CHECKING, Final

from lockflight.core.findings import Verdict
from lockflight.core.records import dataclass
from lockflight.formats.report import Issue, Issues, shown
from lockflight.formats.tensors.npy import parse_npy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockflight.core.source import ByteSource

#: Indices of one archive that are looked at.
MAX_INDICES: Final = 1 << 26
_CHUNK: Final = 1024 * 1024
_MAX_DIMS: Final = 16
_MAX_WORD: Final = 64
#: How `array` calls the integers of NumPy; by the platform's C, whose int has four bytes everywhere that Python runs.
_CODES: Final = {
    "i1": "b", "i2": "h", "i4": "i", "i8": "q",
    "u1": "B", "u2": "H", "u4": "I", "u8": "Q", "b1": "B",
}  # fmt: skip

_COMPRESSED: Final = ("csr", "csc", "bsr")
_INDICES: Final = ("indices", "indptr", "row", "col", "coords", "offsets")
_ROLES: Final = ("format", "shape", "data", "compressed_axes", *_INDICES)


@dataclass(frozen=True, slots=True)
class _Array:
    """What is kept of an array: its extents, for indices their bounds, and its numbers or word where they are few."""

    shape: tuple[int, ...]
    least: int = 0
    most: int = -1
    first: int = 0
    last: int = 0
    rises: bool = True
    numbers: tuple[int, ...] = ()
    word: str = ""

    @property
    def count(self) -> int:
        total = 1
        for extent in self.shape:
            total *= extent
        return total


class SparseArrays:
    """Takes the arrays of one archive as they come, and says whether the matrices that they make are sound.

    Args:
        names: of all members of the archive.
    """

    def __init__(self, names: Iterable[str]) -> None:
        known = Counter(_stem(name) for name in names)
        self._twice = sorted(stem for stem, count in known.items() if count > 1)
        prefixes = {
            stem[: -len("indptr")]
            for stem in known
            if stem.endswith("indptr") and f"{stem[: -len('indptr')]}indices" in known
        }
        if "format" in known:
            prefixes.add("")
        self._wanted = {
            prefix + role: (prefix, role)
            for prefix in sorted(prefixes)
            for role in _ROLES
            if prefix + role in known
        }
        self._groups: dict[str, dict[str, _Array | None]] = {prefix: {} for prefix in sorted(prefixes)}
        self._left = MAX_INDICES
        self._issues = Issues()

    def take(self, name: str, source: ByteSource) -> None:
        """Look at a member; one that belongs to no matrix costs nothing."""
        wanted = self._wanted.get(_stem(name))
        if wanted is not None:
            prefix, role = wanted
            self._groups[prefix][role] = self._read(role, source)

    def issues(self) -> tuple[Issue, ...]:
        """What is wrong with the matrices, after all members were taken."""
        for name in self._twice:
            if name in self._wanted:
                self._add(Verdict.UNKNOWN, f"The array {shown(name)} stands there under two names", name)
        for prefix, arrays in self._groups.items():
            fmt = arrays.get("format")
            if fmt is not None and fmt.word in {*_COMPRESSED, "coo", "dia"}:
                self._matrix(prefix, fmt.word, arrays)
            elif "indptr" in arrays and "indices" in arrays:
                self._loose(prefix, arrays)
        return self._issues.frozen()

    def _add(self, verdict: Verdict, message: str, name: str) -> None:
        self._issues.add(Issue("npz:sparse", verdict, message + ".", subject=shown(name, 200)))

    # -- reading --

    def _read(self, role: str, source: ByteSource) -> _Array | None:
        head = parse_npy(source)
        if head.issues or head.objects:
            return None
        if role in {"data", "compressed_axes"}:
            return _Array(head.shape)
        if role == "format":
            return _Array(head.shape, word=_word(source.read_at(head.data, _MAX_WORD + 1), head.descr))
        code = _CODES.get(head.descr.lstrip("<>|="))
        if code is None or array(code).itemsize != head.item:
            return None
        swap = head.descr[:1] == (">" if sys.byteorder == "little" else "<")
        count = _Array(head.shape).count
        if role == "shape":
            if count > _MAX_DIMS:
                return None
            numbers = array(code, source.read_at(head.data, count * head.item))
            if swap:
                numbers.byteswap()
            return _Array(head.shape, numbers=tuple(numbers))
        self._left -= count
        if self._left < 0:
            message = f"The archive has more than the {MAX_INDICES:,} indices that are looked at."
            self._issues.add(Issue("npz:budget", Verdict.UNKNOWN, message))
            return _Array(head.shape)
        return _summary(head.shape, source, head.data, code, swap=swap, rising=role == "indptr")

    # -- judging --

    def _matrix(self, prefix: str, fmt: str, arrays: dict[str, _Array | None]) -> None:
        """One that SciPy loads: what its constructor lets through and its code believes is meant to do harm."""
        needed = {"coo": ("coords",) if "coords" in arrays else ("row", "col"), "dia": ("offsets",)}
        roles = ("shape", "data", *needed.get(fmt, ("indices", "indptr")))
        if any(role not in arrays for role in roles):
            # The loader misses it as well.
            return
        found = {role: one for role in roles if (one := arrays[role]) is not None}
        dims = found["shape"].numbers if "shape" in found else ()
        if len(found) < len(roles) or not dims or min(dims) < 0:
            self._unsound(prefix, "an array of it is no array of whole numbers")
        elif fmt in _COMPRESSED:
            self._compressed(prefix, fmt, dims, found)
        elif fmt == "dia":
            offsets = found["offsets"]
            if offsets.least < -max(dims) or offsets.most > max(dims):
                self._unsound(prefix, "a diagonal of it lies outside its shape")
        elif "coords" in found:
            self._bounds(prefix, "coords", found["coords"], max(dims))
        elif len(dims) != 2:
            self._unsound(prefix, "its arrays do not fit its shape")
        else:
            self._bounds(prefix, "row", found["row"], dims[0])
            self._bounds(prefix, "col", found["col"], dims[1])

    def _compressed(self, prefix: str, fmt: str, dims: tuple[int, ...], found: dict[str, _Array]) -> None:
        indices, indptr, data = found["indices"], found["indptr"], found["data"]
        rows, columns = (1, dims[0]) if len(dims) == 1 else dims[:2]
        if fmt == "csc":
            rows, columns = columns, rows
        elif fmt == "bsr" and len(data.shape) == 3 and data.shape[1] and data.shape[2]:
            rows, columns = -(-rows // data.shape[1]), -(-columns // data.shape[2])
        fits = len(indices.shape) == 1 and indptr.shape == (rows + 1,) and data.shape[:1] == indices.shape
        if not fits or len(dims) > 2 or len(data.shape) != (3 if fmt == "bsr" else 1):
            self._unsound(prefix, "its arrays do not fit its shape")
        if not indptr.rises or indptr.first < 0 or indptr.last > indices.count:
            self._outside(prefix, "indptr")
        self._bounds(prefix, "indices", indices, columns)

    def _bounds(self, prefix: str, role: str, found: _Array, limit: int) -> None:
        if found.least < 0 or found.most >= limit:
            self._outside(prefix, role)

    def _outside(self, prefix: str, role: str) -> None:
        message = (
            f"The {shown(prefix + role)[1:-1]} of a sparse matrix lead outside of it; "
            "compiled code reads and writes where they lead"
        )
        self._add(Verdict.MALICIOUS, message, prefix + role)

    def _unsound(self, prefix: str, why: str) -> None:
        label = f" {shown(prefix)}" if prefix else ""
        self._add(Verdict.UNKNOWN, f"The sparse matrix{label} cannot be judged: {why}", prefix)

    def _loose(self, prefix: str, arrays: dict[str, _Array | None]) -> None:
        """Arrays whose names say what somebody makes of them; in which order, they do not say."""
        indices, indptr = arrays["indices"], arrays["indptr"]
        shape = arrays.get("shape")
        if indices is None or indptr is None or ("shape" in arrays and shape is None):
            self._unsound(prefix, "an array of it is no array of whole numbers")
            return
        dims = shape.numbers if shape is not None else ()
        outside = indices.least < 0 or not indptr.rises or indptr.first < 0 or indptr.last > indices.count
        if dims and "compressed_axes" in arrays:
            total = 1
            for extent in dims:
                total *= extent
            outside = outside or indices.most >= total
        elif len(dims) == 2:
            ways = (dims, dims[::-1])
            fits = any(indptr.count == rows + 1 and indices.most < columns for rows, columns in ways)
            outside = outside or not fits
        if outside:
            self._unsound(prefix, "its indices lead outside of it")


def _stem(name: str) -> str:
    """The key under which NumPy hands out a member."""
    return name.removesuffix(".npy")


def _word(raw: bytes, descr: str) -> str:
    """A short text of NumPy: bytes, or characters of four."""
    if len(raw) > _MAX_WORD:
        return ""
    try:
        kind = descr.lstrip("<>|=")[:1]
        if kind == "U":
            return raw.decode("utf-32-be" if descr[:1] == ">" else "utf-32-le").rstrip("\0")
        return raw.decode("ascii").rstrip("\0") if kind in {"S", "a"} else ""
    except UnicodeDecodeError:
        return ""


def _summary(
    shape: tuple[int, ...], source: ByteSource, start: int, code: str, *, swap: bool, rising: bool
) -> _Array:
    """The bounds of an array of integers, read once."""
    item = array(code).itemsize
    left = _Array(shape).count * item
    if not left:
        return _Array(shape)
    least, most, first, last, rises = [], [], None, 0, True
    while left:
        raw = source.read_at(start, min(_CHUNK, left))
        values = array(code, raw[: len(raw) - len(raw) % item])
        if not values:
            # An archive that is over its budget: the rest is not known.
            return _Array(shape, least=-1, rises=False)
        if swap:
            values.byteswap()
        least.append(min(values))
        most.append(max(values))
        if rising:
            rises = rises and (first is None or last <= values[0])
            rises = rises and all(map(le, values, islice(values, 1, None)))
        first, last = values[0] if first is None else first, values[-1]
        start += len(values) * item
        left -= len(values) * item
    return _Array(shape, min(least), max(most), first or 0, last, rises)
