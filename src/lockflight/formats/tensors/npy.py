"""NPY arrays, versions 1 to 3 (numpy.lib.format): a header that is a Python literal, then the elements.

An array of objects is a pickle. The header is read by `ast.literal_eval`, within the limit that NumPy itself sets.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, TypeAlias

from lockflight.core.findings import Verdict
from lockflight.core.records import dataclass
from lockflight.formats.report import Issue

if TYPE_CHECKING:
    from lockflight.core.source import ByteSource

MAGIC = b"\x93NUMPY"
#: NumPy's own limit for headers that it evaluates.
MAX_HEADER = 10_000
_MAX_RANK = 64
#: Elements without bytes that an array may have whatever its file's size.
_MAX_EMPTY = 1 << 20
_KINDS = {
    "b": None,
    "i": None,
    "u": None,
    "f": None,
    "c": None,
    "m": None,
    "M": None,
    "S": 1,
    "a": 1,
    "U": 4,
    "V": 1,
}
_CODE = re.compile(r"[<>|=]?([biufcmMSaUVO?])([0-9]{0,9})(\[[^\]\[]{1,20}\])?\Z")
_LONG = re.compile(r"(?<=[0-9])L(?=[,)])")

Descr: TypeAlias = "str | list[object] | tuple[object, ...]"


@dataclass(frozen=True, slots=True)
class NpyFile:
    """An NPY array.

    Attributes:
        shape: extents.
        item: bytes of an element; 0 for objects.
        descr: how NumPy writes the type of an element; empty for one that has parts.
        fortran: element order.
        data: offset of the elements, or of the pickle of an array of objects.
        objects: whether the elements are a pickle.
        issues: what is wrong with it.
    """

    shape: tuple[int, ...] = ()
    item: int = 0
    fortran: bool = False
    data: int = 0
    objects: bool = False
    issues: tuple[Issue, ...] = ()
    descr: str = ""


class _Broken(Exception):
    pass


def parse_npy(source: ByteSource) -> NpyFile:
    """Read and check the header; the elements are only counted."""
    try:
        return _parse(source)
    except _Broken as error:
        message = f"The file is no NPY array that can be judged: {error}."
        return NpyFile(issues=(Issue("npy:broken", Verdict.UNKNOWN, message),))


def _parse(source: ByteSource) -> NpyFile:
    head = source.read_at(0, 12)
    if head[:6] != MAGIC or len(head) < 10:
        raise _Broken("it does not begin like one")
    version = (head[6], head[7])
    if version not in {(1, 0), (2, 0), (3, 0)}:
        raise _Broken("its version does not exist")
    width = 2 if version == (1, 0) else 4
    length = int.from_bytes(head[8 : 8 + width], "little")
    start = 8 + width
    if length > MAX_HEADER or start + length > source.size:
        raise _Broken("its header is longer than NumPy reads, or than the file")
    raw = source.read_at(start, length)
    try:
        text = raw.decode("utf-8" if version == (3, 0) else "latin-1")
        # Python 2 wrote `10L` into shapes.
        header = ast.literal_eval(_LONG.sub("", text.strip()))
    except (UnicodeDecodeError, ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        raise _Broken("its header is no Python literal") from None
    if not isinstance(header, dict) or set(header) != {"descr", "fortran_order", "shape"}:
        raise _Broken("its header does not have exactly descr, fortran_order and shape")
    return _described(source, header, start + length)


def _described(source: ByteSource, header: dict[str, object], data: int) -> NpyFile:
    shape, fortran = header["shape"], header["fortran_order"]
    if not isinstance(shape, tuple) or len(shape) > _MAX_RANK or not isinstance(fortran, bool):
        raise _Broken("its shape or order is malformed")
    extents: list[int] = []
    for extent in shape:
        if not isinstance(extent, int) or isinstance(extent, bool) or not 0 <= extent < 1 << 62:
            raise _Broken("its shape is malformed")
        extents.append(extent)
    item, objects = item_size(header["descr"], 0)
    if objects:
        return NpyFile(tuple(extents), 0, fortran, data, objects=True)
    total = item
    for extent in extents:
        total *= extent
    rest = source.size - data
    issues: list[Issue] = []
    if total > rest:
        raise _Broken("the array is longer than the file")
    if total < rest:
        message = f"There are {rest - total} bytes behind the array."
        issues.append(Issue("npy:trailing", Verdict.MALICIOUS, message, data + total))
    descr = header["descr"]
    if total == 0 and _elements(extents, plain=item > 0 or isinstance(descr, str)) > max(
        _MAX_EMPTY, source.size
    ):
        message = "The array takes no bytes and has more elements than any list of them could."
        issues.append(Issue("npy:counts", Verdict.UNKNOWN, message))
    return NpyFile(
        tuple(extents),
        item,
        fortran,
        data,
        objects=False,
        issues=tuple(issues),
        descr=descr if isinstance(descr, str) else "",
    )


def _elements(extents: list[int], *, plain: bool) -> int:
    """What lists of an array without bytes hold: elements without a size, or lists that are empty themselves."""
    count = 1
    for extent in extents:
        if extent == 0:
            return count if count > 1 else 0
        count *= extent
    # An element that has parts, all of them empty, may have any number of them.
    return count if plain else count << 31


def item_size(descr: object, depth: int) -> tuple[int, bool]:
    """Bytes of an element of this description, and whether it holds objects."""
    if depth > 8:
        raise _Broken("its element type is nested too deeply")
    if isinstance(descr, str):
        found = _CODE.match(descr)
        if found is None:
            raise _Broken("its element type is not understood")
        kind, width = found.group(1), int(found.group(2) or 0)
        if kind == "O":
            return 0, True
        if kind == "?":
            return 1, False
        unit = _KINDS[kind]
        return width * (unit or 1), False
    if isinstance(descr, tuple) and len(descr) == 2:
        size, objects = item_size(descr[0], depth + 1)
        for extent in descr[1] if isinstance(descr[1], tuple) else (descr[1],):
            if not isinstance(extent, int) or not 0 <= extent < 1 << 31:
                raise _Broken("its element type is not understood")
            size *= extent
        return size, objects
    if isinstance(descr, list):
        total, any_objects = 0, False
        for field in descr:
            if not isinstance(field, tuple) or len(field) not in {2, 3}:
                raise _Broken("its element type is not understood")
            inner = field[1] if len(field) == 2 else (field[1], field[2])
            size, objects = item_size(inner, depth + 1)
            total += size
            any_objects = any_objects or objects
        return total, any_objects
    raise _Broken("its element type is not understood")
