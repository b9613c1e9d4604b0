"""safetensors: a length, a JSON header, and tensors that fill the rest without a hole (huggingface/safetensors).

What the format promises is checked here: no duplicate names, every byte belongs to exactly one tensor, every length
follows from shape and type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.findings import Verdict
from lockflight.core.records import dataclass
from lockflight.formats.report import Issue, Issues, shown
from lockflight.formats.settings.jsontext import BadJson, parse_json

if TYPE_CHECKING:
    from lockflight.core.canonical import JsonObject, JsonValue
    from lockflight.core.source import ByteSource

#: The format allows 100 MB; real headers of thousands of tensors are below one.
MAX_HEADER = 32 * 1024 * 1024
_MAX_RANK = 64

#: Bits of an element.
DTYPES = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "F64": 64, "I64": 64, "U64": 64,
    "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor: name, type, shape, and where its bytes lie in the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class SafetensorsFile:
    """A safetensors file; `tensors` are in order of their offset and complete when there are no issues."""

    tensors: tuple[Tensor, ...]
    metadata: dict[str, str]
    issues: tuple[Issue, ...]


def parse_safetensors(source: ByteSource) -> SafetensorsFile:
    """Read and check the header; no tensor is read."""
    issues = Issues()
    head = source.read_at(0, 8)
    length = int.from_bytes(head, "little")
    if len(head) < 8 or length < 2 or 8 + length > source.size:
        return _failed("its header does not fit into the file")
    if length > MAX_HEADER:
        return _failed(f"its header is larger than {MAX_HEADER >> 20} MiB", "safetensors:budget")
    raw = source.read_at(8, length)
    if raw[:1] != b"{":
        return _failed("its header does not begin with a brace")
    try:
        header = parse_json(raw)
    except BadJson as error:
        rule = "safetensors:duplicate" if "twice" in str(error) else "safetensors:broken"
        return _failed(f"{error} in its header", rule)
    if not isinstance(header, dict):
        return _failed("its header is no object")
    metadata = _metadata(header.pop("__metadata__", {}), issues)
    tensors = [t for t in (_tensor(name, entry, 8 + length, issues) for name, entry in header.items()) if t]
    tensors.sort(key=lambda t: (t.start, t.end))
    if not issues.frozen():
        _layout(tensors, 8 + length, source.size, issues)
    return SafetensorsFile(tuple(tensors), metadata, issues.frozen())


def _failed(why: str, rule: str = "safetensors:broken") -> SafetensorsFile:
    verdict = Verdict.MALICIOUS if rule == "safetensors:duplicate" else Verdict.UNKNOWN
    return SafetensorsFile((), {}, (Issue(rule, verdict, f"The file is no valid safetensors file: {why}."),))


def _metadata(value: JsonValue, issues: Issues) -> dict[str, str]:
    if not isinstance(value, dict):
        issues.add(
            Issue("safetensors:broken", Verdict.UNKNOWN, "The __metadata__ of the header is no object.")
        )
        return {}
    found = {key: text for key, text in value.items() if isinstance(text, str)}
    if len(found) != len(value):
        message = "The __metadata__ of the header holds something that is no string."
        issues.add(Issue("safetensors:broken", Verdict.UNKNOWN, message))
    return found


def _tensor(name: str, entry: JsonValue, base: int, issues: Issues) -> Tensor | None:
    try:
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise ValueError("it does not have exactly dtype, shape and data_offsets")
        return _read_tensor(name, entry, base)
    except ValueError as error:
        message = f"The tensor {shown(name)} is described wrongly: {error}."
        issues.add(Issue("safetensors:tensor", Verdict.UNKNOWN, message, subject=shown(name, 200)))
        return None


def _read_tensor(name: str, entry: JsonObject, base: int) -> Tensor:
    dtype = entry["dtype"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError("its dtype does not exist")
    shape = _naturals(entry["shape"])
    offsets = _naturals(entry["data_offsets"])
    if len(shape) > _MAX_RANK or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise ValueError("its shape or offsets are malformed")
    bits = DTYPES[dtype]
    for extent in shape:
        bits *= extent
        if bits > 1 << 66:
            raise ValueError("its shape overflows")
    if bits % 8 or offsets[1] - offsets[0] != bits // 8:
        raise ValueError("its length does not follow from its shape and dtype")
    return Tensor(name, dtype, shape, base + offsets[0], base + offsets[1])


def _naturals(value: JsonValue) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise ValueError("a list is expected")  # noqa: TRY004 - the caller turns each ValueError into one issue
    found = tuple(v for v in value if isinstance(v, int) and not isinstance(v, bool) and 0 <= v < 1 << 63)
    if len(found) != len(value):
        raise ValueError("whole numbers are expected")
    return found


def _layout(tensors: list[Tensor], start: int, size: int, issues: Issues) -> None:
    at = start
    for tensor in tensors:
        if tensor.start > at:
            message = "There are bytes between the tensors that belong to none."
            issues.add(Issue("safetensors:hole", Verdict.MALICIOUS, message, at))
        elif tensor.start < at:
            message = f"The tensor {shown(tensor.name)} overlaps another one."
            issues.add(
                Issue(
                    "safetensors:overlap",
                    Verdict.MALICIOUS,
                    message,
                    tensor.start,
                    subject=shown(tensor.name, 200),
                )
            )
        at = max(at, tensor.end)
    if at > size:
        message = "The tensors are longer than the file: it is cut off."
        issues.add(Issue("safetensors:broken", Verdict.UNKNOWN, message, size))
    elif at < size:
        message = f"There are {size - at} bytes behind the tensors."
        issues.add(Issue("safetensors:trailing", Verdict.MALICIOUS, message, at))
