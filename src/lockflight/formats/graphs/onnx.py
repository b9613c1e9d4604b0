"""ONNX: a graph of operators, as one Protocol Buffers message (onnx/onnx, onnx-ml.proto).

Such a file is data, with three ways out: tensors that lie in other files, named by paths (CVE-2022-25882,
CVE-2024-27318); operators that a library of the loading program brings; and operators that call Python or run a
compiled program for an accelerator. Operators are compared with the list of those that compute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lockflight.core.findings import Verdict
from lockflight.core.records import dataclass
from lockflight.core.shape import integer, obj, text, texts
from lockflight.formats.graphs.onnxsizes import Sizes
from lockflight.formats.graphs.protobuf import BadWire
from lockflight.formats.graphs.wire import MAX_FEW, Data, OverBudget, Walk, parse_messages
from lockflight.formats.plaintext import hidden
from lockflight.formats.report import Issue, Issues, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockflight.core.canonical import JsonObject
    from lockflight.core.source import ByteSource
    from lockflight.formats.graphs.wire import Messages, Values

#: Bits of an element by TensorProto.DataType; strings have none.
_BITS: Final = {
    1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128, 16: 16,
    17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2, 27: 6, 28: 6,
}  # fmt: skip
_INT32: Final = 6
_INT64: Final = 7
_STRING: Final = 8
_EXTERNAL: Final = 1
_KEYS: Final = frozenset({"location", "offset", "length", "checksum"})
#: onnxruntime takes the offset of such a location for an address in its own memory.
_MEMORY: Final = "_ORT_MEM_ADDR_"
#: They call Python that is named in the model; onnxruntime and its training build have them.
_PYTHON: Final = frozenset({"PyOp", "PythonOp", "PythonOpGrad", "PyFunc", "PyCustomOpDef"})
#: They run, or name the file of, what was compiled for an accelerator.
_COMPILED: Final = frozenset({"EPContext", "Snpe", "TRT_ScatterND", "OpenVINO", "TensorRTEngine"})
_MAX_RANK: Final = 64

_KEEP: Final = {
    "ModelProto": frozenset({1}),
    "GraphProto": frozenset[int](),
    "OperatorSetIdProto": frozenset({1, 2}),
    "NodeProto": frozenset({1, 2, 4, 7, 8}),
    "AttributeProto": frozenset({1, 3, 8}),
    "FunctionProto": frozenset({1, 10, 13}),
    "TensorProto": frozenset({1, 2, 7, 8, 9, 14}),
    "StringStringEntryProto": frozenset({1, 2}),
    "TypeProto.Opaque": frozenset({1, 2}),
}
#: Inputs, outputs and numbers, of which some tell what a constant is made into.
_FEW: Final = {
    "NodeProto": frozenset({1, 2}),
    "AttributeProto": frozenset({8}),
    "TensorProto": frozenset({7}),
}


@dataclass(frozen=True, slots=True)
class External:
    """A tensor that lies in another file: its path in the model's folder, and its place there; -1 where not said."""

    path: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """What was read of an ONNX file; `external` holds sound paths only."""

    issues: tuple[Issue, ...]
    external: tuple[External, ...]


@dataclass(frozen=True, slots=True)
class OnnxTables:
    """What is known of ONNX: messages, the newest version of the format, operators by domain."""

    messages: Messages
    version: int
    ops: dict[str, frozenset[str]]


def onnx_tables(table: JsonObject) -> OnnxTables:
    """The tables as the data file has them.

    Raises:
        KeyError, TypeError, ValueError: it has them not.
    """
    messages = {name: text(row) for name, row in obj(table["messages"]).items()}
    ops = {domain: frozenset(texts(names)) for domain, names in obj(table["ops"]).items()}
    return OnnxTables(parse_messages(messages), integer(table["ir_version"]), ops)


def parse_onnx(source: ByteSource, tables: OnnxTables) -> OnnxFile:
    """Read every message of the file; no tensor is read."""
    reader = _Reader(source, tables)
    return reader.read()


def external_problem(path: str) -> str:
    """Why a location is refused; empty where it is a plain path inside the model's folder."""
    if not path:
        return "names no file"
    if _MEMORY in path:
        return "is a mark for an address in memory"
    if path.startswith(("/", "\\", "~")) or ":" in path or "\\" in path:
        return "is no relative path"
    if hidden(path) or any(sign in path for sign in '*?"<>|%'):
        return "holds characters that no file name has"
    parts = path.split("/")
    if ".." in parts:
        return "leads out of the model's folder"
    return "is written in more than one way" if "" in parts or "." in parts else ""


class _Reader:
    def __init__(self, source: ByteSource, tables: OnnxTables) -> None:
        self.source = source
        self.tables = tables
        self.issues = Issues()
        self.external: dict[External, None] = {}
        self.entries: list[tuple[Data | None, Data | None]] = []
        #: What nodes call: of the function that is being read, and by function; "" for graphs.
        self.calls: dict[tuple[str, str], int] = {}
        self.functions: dict[tuple[str, str], frozenset[tuple[str, str]]] = {}
        self.body: set[tuple[str, str]] = set()
        self.main: set[tuple[str, str]] = set()
        self.graphs = 0
        self.imports = 0
        self.sizes = Sizes()
        #: The value of the node that is being read, where it is a constant.
        self.constant: tuple[int, tuple[int, ...] | None] | None = None

    def read(self) -> OnnxFile:
        walk = Walk(self.source, self.tables.messages, _KEEP, self._visit, _FEW)
        self.walk = walk
        try:
            walk.run("ModelProto")
        except OverBudget as error:
            self._add("onnx:budget", Verdict.UNKNOWN, f"The model cannot be read to its end: {error}.")
        except BadWire as error:
            self._add("onnx:broken", Verdict.UNKNOWN, f"The file is no ONNX model: {error}.")
        else:
            if self.graphs == 0 or self.imports == 0:
                self._add(
                    "onnx:broken",
                    Verdict.UNKNOWN,
                    "The file is no ONNX model: it has no graph or no operator set.",
                )
        for kind, (problem, offset) in walk.problems.items():
            self._add(
                f"onnx:{kind}",
                Verdict.UNKNOWN,
                f"The model is not as it should be: {problem}.",
                offset=offset,
            )
        self._operators()
        self._recursion()
        asked = self.sizes.asked(self.source.size)
        if asked:
            message = f"Its constants are made into more than {asked >> 30:,} GiB, which the model has not."
            self._add("onnx:size", Verdict.UNKNOWN, message)
        return OnnxFile(self.issues.frozen(), tuple(self.external))

    def _add(self, rule: str, verdict: Verdict, message: str, *, offset: int = -1, subject: str = "") -> None:
        self.issues.add(Issue(rule, verdict, message, offset, subject=subject))

    def _visit(self, name: str, values: Values, at: int) -> None:
        if name in {"NodeProto", "FunctionProto"} and any(
            not _whole(found) for number, found in values.items() if number not in _FEW.get(name, ())
        ):
            self._add(
                "onnx:budget", Verdict.UNKNOWN, "The model has a name that is longer than is read.", offset=at
            )
        if name == "TensorProto":
            self._tensor(values, at)
        elif name == "NodeProto":
            key = (_text(values, 7), _text(values, 4))
            self.calls.setdefault(key, at)
            (self.body if "FunctionProto" in self.walk.path else self.main).add(key)
            self._sized(values)
        elif name == "AttributeProto":
            if _text(values, 1) in {"value_ints", "value_int"}:
                numbers = tuple(
                    _signed(n) for n in values.get(8, []) or values.get(3, []) if isinstance(n, int)
                )
                self.constant = (len(numbers), numbers)
        elif name == "FunctionProto":
            self._function((_text(values, 10), _text(values, 1)), at)
        elif name == "StringStringEntryProto":
            if self.walk.path[-2:-1] == ["TensorProto"]:
                self.entries.append((_data(values, 1), _data(values, 2)))
        elif name == "GraphProto":
            self.graphs += self.walk.path[:-1] == ["ModelProto"]
        elif name == "OperatorSetIdProto":
            self.imports += self.walk.path[:-1] == ["ModelProto"]
        elif name == "TypeProto.Opaque":
            message = "The model has a value of a type that only a library of the loading program knows."
            self._add("onnx:operator", Verdict.UNKNOWN, message, offset=at, subject="opaque")
        elif name == "ModelProto":
            self._version(values, at)

    def _version(self, values: Values, at: int) -> None:
        version = _number(values, 1)
        if not 1 <= version <= self.tables.version:
            message = f"The model is written in version {version} of the format, which is not known here."
            self._add("onnx:version", Verdict.UNKNOWN, message, offset=at)

    def _sized(self, values: Values) -> None:
        constant, self.constant = self.constant, None
        inputs, outputs = ([v.text for v in values.get(n, []) if isinstance(v, Data)] for n in (1, 2))
        op = _text(values, 4)
        if op == "Constant" and constant is not None and outputs:
            self.sizes.tensor(outputs[0], *constant)
        elif _domain(_text(values, 7)) == "" and "FunctionProto" not in self.walk.path:
            self.sizes.node(op, inputs, outputs)

    # -- tensors --

    def _tensor(self, values: Values, at: int) -> None:
        entries, self.entries = self.entries, []
        raw = _data(values, 9)
        bits = _BITS.get(_number(values, 2), 0)
        count = _size([v for v in values.get(1, []) if isinstance(v, int)], 8)
        if self.walk.path[-2:-1] == ["AttributeProto"]:
            self.constant = (max(count, 0), _numbers(values, count))
        elif self.walk.path[-2:-1] == ["GraphProto"]:
            self.sizes.tensor(_text(values, 8), max(count, 0), _numbers(values, count))
        size = _size([v for v in values.get(1, []) if isinstance(v, int)], bits)
        # metadata of a tensor are pairs too; only a tensor that says so lies elsewhere, but readers differ in that.
        external = _number(values, 14) == _EXTERNAL or any(_is(key, b"location") for key, _ in entries)
        if external:
            if raw is not None and raw.length:
                self._broken("a tensor lies both in the file and in another one", at)
            self._elsewhere(entries, size if bits else -1, at)
        elif _number(values, 2) not in _BITS and _number(values, 2) != _STRING:
            self._broken("a tensor has a type that does not exist", at)
        elif raw is not None and (size < 0 or raw.length != size):
            self._broken("the bytes of a tensor do not fit its shape and type", at)
        elif size < 0 and bits:
            self._broken("the shape of a tensor is malformed", at)

    def _broken(self, what: str, at: int) -> None:
        self._add(
            "onnx:tensor",
            Verdict.UNKNOWN,
            f"The model is not as it should be: {what}.",
            offset=at,
            subject=what,
        )

    def _elsewhere(self, entries: list[tuple[Data | None, Data | None]], size: int, at: int) -> None:
        found: dict[str, str] = {}
        for key, value in entries:
            name = key.text if key else ""
            if name in found or name not in _KEYS or value is None or not value.whole:
                # Old readers set each key as an attribute of an object of theirs.
                verdict = Verdict.MALICIOUS if name.startswith("__") else Verdict.UNKNOWN
                message = f"A tensor in another file is described by {shown(name)}, twice or for no reader."
                self._add("onnx:external-key", verdict, message, offset=at, subject=shown(name))
            found.setdefault(name, value.text if value else "")
        path = found.get("location", "")
        why = external_problem(path)
        if why:
            written = "in more than one way" in why or "names no file" in why
            message = f"A tensor lies in another file, whose path {shown(path)} {why}."
            verdict = Verdict.UNKNOWN if written else Verdict.MALICIOUS
            self._add("onnx:external-path", verdict, message, offset=at, subject=shown(path, 200))
            return
        offset, length = _natural(found.get("offset", "0")), _natural(found.get("length", str(max(size, 0))))
        if offset < 0 or length < 0 or ("length" in found and size >= 0 and length != size):
            self._broken("the place of a tensor in another file is malformed or does not fit its shape", at)
            return
        self.external[External(path, offset, length)] = None
        message = f"Tensors lie in the file {shown(path)} beside the model; it has to be part of the release."
        self._add("onnx:external", Verdict.SAFE, message, offset=at, subject=shown(path, 200))

    # -- operators --

    def _function(self, key: tuple[str, str], at: int) -> None:
        known = self.functions.get(key, frozenset())
        self.functions[key] = known | frozenset(self.body)
        self.body = set()
        if key[1] in self.tables.ops.get(_domain(key[0]), ()):
            message = f"The model brings its own operator {shown(key[1])}; readers differ in which one runs."
            self._add("onnx:function", Verdict.UNKNOWN, message, offset=at, subject=shown(".".join(key), 200))

    def _operators(self) -> None:
        for (domain, op), at in self.calls.items():
            label = shown(f"{domain}.{op}" if domain else op, 200)[1:-1]
            if op in _PYTHON:
                message = f"The operator {label} calls Python that is named in the model."
                self._add("onnx:python", Verdict.MALICIOUS, message, offset=at, subject=label)
            elif op in self.tables.ops.get(_domain(domain), ()) or (domain, op) in self.functions:
                continue
            elif op in _COMPILED:
                message = f"The operator {label} runs a program that was compiled for an accelerator."
                self._add("onnx:compiled", Verdict.UNKNOWN, message, offset=at, subject=label)
            elif _domain(domain) in self.tables.ops:
                message = f"The operator {label} is not one that is known here."
                self._add("onnx:operator", Verdict.UNKNOWN, message, offset=at, subject=label)
            else:
                message = f"The operator {label} comes from a library that the loading program has to bring."
                self._add("onnx:operator", Verdict.UNKNOWN, message, offset=at, subject=label)

    def _recursion(self) -> None:
        """Functions that call themselves, by whatever way: readers that inline them never end."""
        left = {key: {c for c in calls if c in self.functions} for key, calls in self.functions.items()}
        callers: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for key, calls in left.items():
            for call in calls:
                callers.setdefault(call, []).append(key)
        ready = [key for key, calls in left.items() if not calls]
        while ready:
            done = ready.pop()
            left.pop(done, None)
            for caller in callers.get(done, ()):
                if caller in left:
                    left[caller].discard(done)
                    if not left[caller]:
                        ready.append(caller)
        if left:
            name = shown(".".join(min(left)), 200)[1:-1]
            message = f"The functions of the model call each other in a circle, which begins at {name}."
            self._add("onnx:recursion", Verdict.MALICIOUS, message, subject=name)


def _domain(domain: str) -> str:
    return "" if domain == "ai.onnx" else domain


def _data(values: Values, number: int) -> Data | None:
    found = values.get(number)
    return found[-1] if found and isinstance(found[-1], Data) else None


def _text(values: Values, number: int) -> str:
    found = _data(values, number)
    return found.text if found else ""


def _whole(found: Iterable[int | Data]) -> bool:
    return all(isinstance(value, int) or value.whole for value in found)


def _number(values: Values, number: int) -> int:
    found = values.get(number)
    return found[-1] if found and isinstance(found[-1], int) else 0


def _signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number


def _numbers(values: Values, count: int) -> tuple[int, ...] | None:
    """The whole numbers of a small tensor: in a list, or in its bytes."""
    width = {_INT64: 8, _INT32: 4}.get(_number(values, 2), 0)
    raw = _data(values, 9)
    if not width or not 0 <= count <= MAX_FEW:
        return None
    if raw is not None and raw.length:
        head = raw.head if raw.length == count * width else b""
        return tuple(
            int.from_bytes(head[at : at + width], "little", signed=True) for at in range(0, len(head), width)
        )
    return tuple(_signed(n) for n in values.get(7, []) if isinstance(n, int))


def _is(data: Data | None, wanted: bytes) -> bool:
    return data is not None and data.head == wanted


def _natural(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1


def _size(dims: Iterable[int], bits: int) -> int:
    """Bytes of a tensor; -1 where its shape is malformed or it is no plain array."""
    count = 1
    for i, extent in enumerate(dims):
        if extent >= 1 << 63 or i >= _MAX_RANK:
            return -1
        count *= extent
        if count > 1 << 62:
            return -1
    return (count * bits + 7) // 8 if bits else -1
