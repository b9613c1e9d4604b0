"""GGUF versions 2 and 3: key-value metadata, tensor table, aligned tensors (ggml-org/ggml docs/gguf.md).

Every count is bounded by what the file could hold before anything is counted off, so a file that claims 2^60 entries
costs nothing. Chat templates are handed out whole; other long values are passed over.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, TypeAlias

from lockflight.core.findings import Verdict
from lockflight.core.records import dataclass
from lockflight.formats.report import Issue, Issues, shown

if TYPE_CHECKING:
    from lockflight.core.source import ByteSource

MAX_KEYS = 65_536
MAX_TENSORS = 1_000_000
MAX_TEMPLATE = 4 * 1024 * 1024
_MAX_NAME = 65_535
_MAX_VALUE = 4_096
_MAX_ARRAY = 4_000_000
_MAX_DEPTH = 4
#: Texts of a list that stands where a template does.
_MAX_LISTED = 64
#: What llama.cpp lists beside them: the names of further templates.
_NAMES = "tokenizer.chat_templates"
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_CHUNK = 256 * 1024
_DEFAULT_ALIGNMENT = 32

_STRING, _ARRAY, _BOOL = 8, 9, 7
#: Scalars: struct format by type number.
_SCALARS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}

#: ggml types: number -> (name, elements of a block, bytes of a block), from ggml.c's type traits.
GGML_TYPES = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 36), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
}  # fmt: skip

GgufValue: TypeAlias = "int | float | bool | str | None"


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """One tensor: name, ggml type, extents, and where its bytes lie in the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class GgufFile:
    """A GGUF file.

    Attributes:
        version: 2 or 3; 0 when the header cannot be read.
        metadata: scalars and short strings by key; None for arrays and long strings.
        templates: the chat templates by key, whole.
        tensors: the tensor table; complete when there are no issues.
        issues: what is wrong with it; the templates are judged elsewhere.
    """

    version: int
    metadata: dict[str, GgufValue]
    templates: dict[str, str]
    tensors: tuple[GgufTensor, ...]
    issues: tuple[Issue, ...]


class _Broken(Exception):
    def __init__(self, message: str, rule: str = "gguf:broken") -> None:
        super().__init__(message)
        self.rule = rule


class _Cursor:
    """Reads forwards through a window."""

    def __init__(self, source: ByteSource) -> None:
        self.source = source
        self.at = 0
        self._window = b""
        self._base = 0

    def take(self, n: int) -> bytes:
        start = self.at - self._base
        if start + n > len(self._window):
            self._window = self.source.read_at(self.at, max(n, _CHUNK))
            self._base, start = self.at, 0
            if len(self._window) < n:
                raise _Broken("the file ends early")
        self.at += n
        return self._window[start : start + n]

    def skip(self, n: int) -> None:
        if n > self.source.size - self.at:
            raise _Broken("the file ends early")
        self.at += n
        if self.at - self._base > len(self._window):
            self._window, self._base = b"", self.at

    def number(self, form: str) -> int:
        return int(struct.unpack(form, self.take(struct.calcsize(form)))[0])

    def text(self, limit: int) -> str | None:
        """A string, or None for one that is longer than the limit, which is passed over."""
        length = self.number("<Q")
        if length > limit:
            self.skip(length)
            return None
        try:
            return self.take(length).decode("utf-8")
        except UnicodeDecodeError:
            return None


def parse_gguf(source: ByteSource) -> GgufFile:
    """Read and check metadata and tensor table; no tensor is read."""
    issues = Issues()
    metadata: dict[str, GgufValue] = {}
    templates: dict[str, str] = {}
    tensors: list[GgufTensor] = []
    version = 0
    cursor = _Cursor(source)
    try:
        version, n_tensors, n_keys = _header(cursor)
        for _ in range(n_keys):
            _pair(cursor, metadata, templates, issues)
        _tensors(cursor, n_tensors, metadata, tensors, issues)
    except _Broken as error:
        message = f"The file is no GGUF file that can be judged: {error}."
        issues.add(Issue(error.rule, Verdict.UNKNOWN, message, cursor.at))
    return GgufFile(version, metadata, templates, tuple(tensors), issues.frozen())


def _header(cursor: _Cursor) -> tuple[int, int, int]:
    if cursor.take(4) != b"GGUF":
        raise _Broken("it does not begin with GGUF")
    version = cursor.number("<I")
    if version not in {2, 3}:
        raise _Broken(f"version {version} is not read here", "gguf:version")
    n_tensors, n_keys = cursor.number("<Q"), cursor.number("<Q")
    # The smallest entries: a key with a one-byte value, a tensor without dimensions.
    if n_keys * 13 + n_tensors * 24 > cursor.source.size:
        raise _Broken("it claims more entries than the file could hold", "gguf:counts")
    if n_keys > MAX_KEYS or n_tensors > MAX_TENSORS:
        raise _Broken(
            f"it has more than the {MAX_KEYS:,} keys or {MAX_TENSORS:,} tensors that are read", "gguf:budget"
        )
    return version, n_tensors, n_keys


def _pair(cursor: _Cursor, metadata: dict[str, GgufValue], templates: dict[str, str], issues: Issues) -> None:
    offset = cursor.at
    key = cursor.text(_MAX_NAME)
    if key is None:
        raise _Broken("a key is no short UTF-8 string")
    kind = cursor.number("<I")
    if key in metadata:
        message = f"The key {shown(key)} stands twice; readers take different ones."
        issues.add(Issue("gguf:duplicate", Verdict.MALICIOUS, message, offset, subject=shown(key, 200)))
    if "chat_template" in key.lower():
        metadata[key] = None
        problem = _template(cursor, kind, key, templates)
        if problem:
            message = f"The chat template {shown(key)} {problem}."
            issues.add(Issue("template:unread", Verdict.UNKNOWN, message, offset, subject=shown(key, 200)))
    else:
        metadata[key] = _value(cursor, kind, _MAX_VALUE, 0)


def _template(cursor: _Cursor, kind: int, key: str, templates: dict[str, str]) -> str:
    """Hand out the template under a key, or each text of a list; what llama.cpp would not have written so."""
    if kind == _STRING:
        value = cursor.text(MAX_TEMPLATE)
        if value is None:
            return "is no UTF-8 text of a size that is read"
        templates[key] = value
        # llama.cpp reads a key and a text up to there, others to the end.
        return "holds a character by which some readers end it" if "\0" in key + value else ""
    if kind != _ARRAY:
        _value(cursor, kind, 0, 0)
        return "is no text"
    listed: list[str | None] = []
    _array(cursor, 0, listed)
    if key == _NAMES and all(name is not None and _NAME.fullmatch(name) for name in listed):
        return ""
    # transformers takes a list of one text for the text.
    templates.update({f"{key}[{i}]": text for i, text in enumerate(listed) if text is not None})
    return "is a list, of which some readers take a text"


def _value(cursor: _Cursor, kind: int, limit: int, depth: int) -> GgufValue:
    form = _SCALARS.get(kind)
    if form is not None:
        raw = cursor.take(struct.calcsize(form))
        if kind == _BOOL:
            if raw not in {b"\0", b"\1"}:
                raise _Broken("a truth value is neither 0 nor 1")
            return raw == b"\1"
        value: GgufValue = struct.unpack(form, raw)[0]
        return value
    if kind == _STRING:
        return cursor.text(limit)
    if kind != _ARRAY:
        raise _Broken(f"value type {kind} does not exist")
    _array(cursor, depth)
    return None


def _array(cursor: _Cursor, depth: int, listed: list[str | None] | None = None) -> None:
    """Pass over an array; its texts, and those of arrays in it, are appended to `listed`."""
    if depth >= _MAX_DEPTH:
        raise _Broken(f"arrays lie more than {_MAX_DEPTH} deep inside each other", "gguf:budget")
    kind, count = cursor.number("<I"), cursor.number("<Q")
    form = _SCALARS.get(kind)
    if form is not None:
        cursor.skip(count * struct.calcsize(form))
        return
    if kind not in {_STRING, _ARRAY}:
        raise _Broken(f"value type {kind} does not exist")
    if count * 8 > cursor.source.size - cursor.at:
        raise _Broken("an array claims more entries than the file could hold", "gguf:counts")
    if count > _MAX_ARRAY:
        raise _Broken(f"an array has more than the {_MAX_ARRAY:,} entries that are read", "gguf:budget")
    for _ in range(count):
        if kind == _ARRAY:
            _array(cursor, depth + 1, listed)
        elif listed is not None and len(listed) < _MAX_LISTED:
            listed.append(cursor.text(MAX_TEMPLATE))
        else:
            cursor.skip(cursor.number("<Q"))


def _tensors(
    cursor: _Cursor, count: int, metadata: dict[str, GgufValue], tensors: list[GgufTensor], issues: Issues
) -> None:
    alignment = metadata.get("general.alignment", _DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or alignment <= 0 or alignment % 8 or alignment > 1 << 20:
        raise _Broken("its alignment is no multiple of 8")
    rows: list[tuple[str, str, tuple[int, ...], int, int]] = []
    names: set[str] = set()
    for _ in range(count):
        row = _tensor_row(cursor)
        if row[0] in names:
            message = f"The tensor {shown(row[0])} is listed twice."
            issues.add(
                Issue("gguf:duplicate", Verdict.MALICIOUS, message, cursor.at, subject=shown(row[0], 200))
            )
        names.add(row[0])
        rows.append(row)
    base = -(-cursor.at // alignment) * alignment
    size = cursor.source.size
    end = base if rows else cursor.at
    for name, dtype, shape, offset, length in sorted(rows, key=lambda row: row[3]):
        if offset % alignment or offset < 0:
            raise _Broken(f"the tensor {shown(name)} is not aligned")
        start = base + offset
        if start + length > size:
            raise _Broken(f"the tensor {shown(name)} reaches over the end of the file")
        if start < end:
            message = f"The tensor {shown(name)} overlaps another one."
            issues.add(Issue("gguf:overlap", Verdict.MALICIOUS, message, start, subject=shown(name, 200)))
        elif start - end >= alignment:
            message = "There are bytes between the tensors that belong to none."
            issues.add(Issue("gguf:hole", Verdict.MALICIOUS, message, end))
        end = max(end, start + length)
        tensors.append(GgufTensor(name, dtype, shape, start, start + length))
    if size - end >= alignment:
        message = f"There are {size - end} bytes behind the tensors."
        issues.add(Issue("gguf:trailing", Verdict.MALICIOUS, message, end))


def _tensor_row(cursor: _Cursor) -> tuple[str, str, tuple[int, ...], int, int]:
    name = cursor.text(_MAX_NAME)
    if name is None:
        raise _Broken("the name of a tensor is no short UTF-8 string")
    rank = cursor.number("<I")
    if rank > 4:
        raise _Broken(f"the tensor {shown(name)} has {rank} dimensions")
    shape = tuple(cursor.number("<Q") for _ in range(rank))
    kind = GGML_TYPES.get(cursor.number("<I"))
    if kind is None:
        raise _Broken(f"the type of the tensor {shown(name)} is not known", "gguf:type")
    offset = cursor.number("<Q")
    elements = 1
    for extent in shape:
        elements *= extent
        if extent == 0 or elements >= 1 << 62:
            raise _Broken(f"the extents of the tensor {shown(name)} are zero or overflow", "gguf:counts")
    dtype, block, width = kind
    if (shape[0] if shape else 1) % block:
        raise _Broken(f"the first extent of the tensor {shown(name)} is no multiple of its block")
    return name, dtype, shape, offset, elements // block * width
