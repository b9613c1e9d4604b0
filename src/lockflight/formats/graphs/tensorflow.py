"""TensorFlow graphs: a SavedModel (`saved_model.pb`) or a frozen graph, as Protocol Buffers messages.

A graph is a program. Most of its operators compute; some read and write files, talk to other machines, or call Python,
and TensorFlow runs them all when the model is loaded or used. Operators are compared with the list of those that
compute; the others are told by what they reach.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lockflight.core.findings import Verdict
from lockflight.core.records import dataclass
from lockflight.core.shape import obj, text, texts
from lockflight.formats.graphs.protobuf import BadWire
from lockflight.formats.graphs.wire import Data, OverBudget, Walk, parse_messages
from lockflight.formats.report import Issue, Issues, shown

if TYPE_CHECKING:
    from lockflight.core.canonical import JsonObject
    from lockflight.core.source import ByteSource
    from lockflight.formats.graphs.wire import Messages, Values

_WRITES: Final = re.compile(
    r"^(WriteFile|SaveDataset(V2)?|(Experimental)?DatasetToTFRecord|SnapshotDataset(V2)?|DumpTensor|DebugIdentity(V[23])?|"
    r"DebugNanCount|DebugNumericSummary(V2)?|CreateSummary(File|Db)Writer|FileSystemSetConfiguration|Write\w*Summary|ImportEvent)$"
)
_READS: Final = re.compile(
    r"^(ReadFile|(Experimental)?MatchingFiles(Dataset)?|\w*Reader(V2)?|ReaderRead\w*|ImmutableConst|GenerateVocabRemapping|"
    r"LoadAndRemapMatrix|LoadDataset|(Experimental)?(TFRecord|TextLine|FixedLengthRecord|CSV|Sql|LMDB)Dataset(V2)?|"
    r"RecordInput|DecodeProtoV2|EncodeProto)$"
)
_PYTHON: Final = re.compile(r"^(Eager)?PyFunc(Stateless)?$")
_NATIVE: Final = re.compile(r"^(LoadLibrary|LoadOpLibrary|ShellExecute|System|Exec|XlaCustomCall(V2)?)$")
_NETWORK: Final = re.compile(
    r"^(Rpc\w*|TryRpc|RemoteCall|DataServiceDataset\w*|BigQuery\w*|Bigtable\w*|Kafka\w*|\w*Socket\w*)$"
)
#: What writes and reads the variables beside a SavedModel; every one has them, with a path that the loader gives.
_SAVERS: Final = frozenset(
    {
        "Save",
        "SaveV2",
        "SaveSlices",
        "Restore",
        "RestoreV2",
        "RestoreSlice",
        "MergeV2Checkpoints",
        "ShardedFilename",
        "ShardedFilespec",
    }
)
#: Tables that are filled from a file beside the model.
_TABLES: Final = frozenset({"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"})
_STRING: Final = 7
_OUTSIDE: Final = re.compile(rb"^(/|\\|~|[A-Za-z]:[\\/]|[a-z][a-z0-9+.-]*://)|(^|[\\/])\.\.($|[\\/])")

_KEEP: Final = {
    "SavedModel": frozenset({1}),
    "GraphDef": frozenset[int](),
    "NodeDef": frozenset({2}),
    "OpDef": frozenset({1}),
    "TensorProto": frozenset({1, 4, 8}),
    "AttrValue": frozenset({2}),
    "AssetFileDef": frozenset({2}),
    "SavedUserObject": frozenset({1}),
    "VariantTensorDataProto": frozenset[int](),
}


@dataclass(frozen=True, slots=True)
class TensorFlowTables:
    """What is known of TensorFlow: messages, and operators that compute."""

    messages: Messages
    ops: frozenset[str]


def tensorflow_tables(table: JsonObject) -> TensorFlowTables:
    """The tables as the data file has them.

    Raises:
        KeyError, TypeError, ValueError: it has them not.
    """
    messages = {name: text(row) for name, row in obj(table["messages"]).items()}
    return TensorFlowTables(parse_messages(messages), frozenset(texts(table["ops"])))


def looks_like_graph(head: bytes) -> bool:
    """Whether the first bytes are those of a node: its name, then its operator, which is a name."""
    if len(head) < 8 or head[0] != 0x0A:
        return False
    at = 2 if head[1] < 0x80 else 3
    if head[at : at + 1] != b"\x0a" or head[at + 1] >= 0x80:
        return False
    op = at + 2 + head[at + 1]
    if head[op : op + 1] != b"\x12" or len(head) < op + 2:
        return False
    name = head[op + 2 : op + 2 + head[op + 1]]
    return name.isalnum() and name[:1].isalpha()


def check_graph(source: ByteSource, tables: TensorFlowTables, *, saved: bool) -> tuple[Issue, ...]:
    """Judge a SavedModel (`saved`) or a frozen graph."""
    return _Reader(source, tables).read("SavedModel" if saved else "GraphDef")


class _Reader:
    def __init__(self, source: ByteSource, tables: TensorFlowTables) -> None:
        self.tables = tables
        self.issues = Issues()
        self.walk = Walk(source, tables.messages, _KEEP, self._visit)
        self.ops: dict[str, int] = {}
        self.functions: set[str] = set()
        self.outside: dict[bytes, int] = {}
        self.streams: list[bytes] = []
        self.printed: dict[bytes, int] = {}
        self.hidden = -1
        self.graphs = 0

    def read(self, root: str) -> tuple[Issue, ...]:
        try:
            self.walk.run(root)
        except OverBudget as error:
            self._add("tensorflow:budget", Verdict.UNKNOWN, f"The graph cannot be read to its end: {error}.")
        except BadWire as error:
            self._add("tensorflow:broken", Verdict.UNKNOWN, f"The file is no TensorFlow graph: {error}.")
        else:
            if not self.graphs or not self.ops:
                self._add(
                    "tensorflow:broken", Verdict.UNKNOWN, "The file is no TensorFlow graph: it has no nodes."
                )
        for kind, (problem, offset) in self.walk.problems.items():
            self._add(
                f"tensorflow:{kind}", Verdict.UNKNOWN, f"The graph is not as it should be: {problem}.", offset
            )
        for op, offset in self.ops.items():
            self._op(op, offset)
        return self.issues.frozen()

    def _add(self, rule: str, verdict: Verdict, message: str, offset: int = -1, subject: str = "") -> None:
        self.issues.add(Issue(rule, verdict, message, offset, subject=subject))

    def _visit(self, name: str, values: Values, at: int) -> None:
        if name == "NodeDef":
            op = _text(values.get(2))
            self.ops.setdefault(op, at)
            if op in {"PrintV2", "Print"}:
                self.printed.update(dict.fromkeys((s for s in self.streams if _stream(s)), at))
            self.streams = []
        elif name == "GraphDef":
            self.graphs += 1
        elif name == "OpDef":
            if self.walk.path[-2:-1] == ["FunctionDef"]:
                self.functions.update(v.text for v in values.get(1, []) if isinstance(v, Data) and v.whole)
        elif name == "TensorProto":
            self._constant(values, at)
        elif name == "AttrValue":
            # Attributes of a node: where Print writes to is one of them.
            self.streams.extend(
                value.head for value in values.get(2, []) if isinstance(value, Data) and value.length
            )
            del self.streams[:-64]
        elif name == "AssetFileDef":
            self._asset(_text(values.get(2)), at)
        elif name == "SavedUserObject":
            self._object(_text(values.get(1)), at)
        elif name == "VariantTensorDataProto":
            message = "The graph holds an object of a kind that only TensorFlow can unpack."
            self._add("tensorflow:operator", Verdict.UNKNOWN, message, at, "variant")
        elif name == "SavedModel" and values.get(1) != [1]:
            self._add(
                "tensorflow:version", Verdict.UNKNOWN, "The version of the SavedModel is not known here.", at
            )

    def _constant(self, values: Values, at: int) -> None:
        for value in values.get(8, []):
            if isinstance(value, Data) and _OUTSIDE.search(value.head):
                self.outside.setdefault(value.head[:200], at)
        # Strings may also lie in one piece, which is not taken apart.
        packed = any(isinstance(value, Data) and value.length for value in values.get(4, []))
        if packed and values.get(1) == [_STRING]:
            self.hidden = at

    def _asset(self, name: str, at: int) -> None:
        if not name or _OUTSIDE.search(name.encode()) or "/" in name or "\\" in name:
            message = f"The model names the file {shown(name)} beside it, which leads elsewhere."
            self._add("tensorflow:path", Verdict.MALICIOUS, message, at, shown(name, 200))

    def _object(self, kind: str, at: int) -> None:
        """Keras keeps layers as text beside the graph; the graph is what runs, unless Keras loads it."""
        if kind.startswith("_tf_keras"):
            message = "The model can be loaded by Keras 2, which builds layers from what the file says."
            self._add("tensorflow:keras", Verdict.REVIEW, message, at)

    def _op(self, op: str, at: int) -> None:
        label = shown(op, 200)[1:-1]
        if _WRITES.match(op):
            self._add("tensorflow:write", Verdict.MALICIOUS, f"The operator {label} writes files.", at, label)
        elif _READS.match(op):
            self._add("tensorflow:read", Verdict.MALICIOUS, f"The operator {label} reads files.", at, label)
        elif _PYTHON.match(op):
            self._add(
                "tensorflow:python", Verdict.MALICIOUS, f"The operator {label} calls Python.", at, label
            )
        elif _NATIVE.match(op):
            self._add(
                "tensorflow:native",
                Verdict.MALICIOUS,
                f"The operator {label} runs native code by name.",
                at,
                label,
            )
        elif _NETWORK.match(op):
            message = f"The operator {label} talks to other machines."
            self._add("tensorflow:network", Verdict.MALICIOUS, message, at, label)
        elif op in _SAVERS:
            self._saver(label, at)
        elif op in _TABLES:
            message = f"The operator {label} reads a table from a file beside the model."
            self._add("tensorflow:table", Verdict.REVIEW, message, at, label)
            self._paths("reads a table from a file")
        elif op in {"Print", "PrintV2"}:
            for stream, offset in self.printed.items():
                message = (
                    f"The operator {label} writes into {shown(stream.decode('utf-8', 'backslashreplace'))}."
                )
                self._add("tensorflow:write", Verdict.MALICIOUS, message, offset, label)
        elif op not in self.tables.ops and op not in self.functions:
            message = f"The operator {label} is not one that is known to compute only."
            self._add("tensorflow:operator", Verdict.UNKNOWN, message, at, label)

    def _saver(self, label: str, at: int) -> None:
        message = f"The operator {label} reads or writes a checkpoint at a path that the graph computes."
        self._add("tensorflow:saver", Verdict.REVIEW, message, at, label)
        self._paths("reads or writes a checkpoint")

    def _paths(self, what: str) -> None:
        for path, at in self.outside.items():
            name = shown(path.decode("utf-8", "backslashreplace"), 200)
            message = f"The graph {what}, and holds the path {name} to a place outside of the model."
            self._add("tensorflow:path", Verdict.MALICIOUS, message, at, name)
        if self.hidden >= 0:
            message = f"The graph {what}, and holds texts in a form that is not read."
            self._add("tensorflow:hidden-text", Verdict.UNKNOWN, message, self.hidden)


def _text(values: list[int | Data] | None) -> str:
    return values[-1].text if values and isinstance(values[-1], Data) else ""


def _stream(value: bytes) -> bool:
    return b"://" in value
