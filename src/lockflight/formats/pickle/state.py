"""The state of the pickle machine, what it records, and the rules that it applies to calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.findings import Verdict
from lockflight.core.records import dataclass
from lockflight.formats.pickle.arguments import RULES
from lockflight.formats.pickle.values import (
    ARRAY,
    COMPUTED,
    HOLE,
    MAX_DICT,
    MAX_TEXT,
    PERSISTENT,
    STRING,
    TUPLE,
    Dict,
    Global,
    Made,
    Value,
)
from lockflight.formats.report import Issue, Issues, shown

if TYPE_CHECKING:
    from lockflight.core.source import ByteSource
    from lockflight.formats.pickle.allow import AllowList

#: Limits of what is kept; past one of them the file cannot be judged.
MAX_STACK = 4_000_000
MAX_MARKS = 200_000
MAX_MEMO = 8_000_000
MAX_GLOBALS = 20_000
MAX_CALLS = 20_000
MAX_LINE = 64 * 1024
#: How many of the newest memo entries keep their tuples.
RECENT = 32_768
_LINE = 256
_MAX_KEPT = 400_000
_MAX_TEXTS = 65_536
_DENSE_GAP = 4_096
#: The window ends in so many zero bytes, so that the loop may read any fixed argument without asking.
PAD = 16

#: joblib, and the copy of it that scikit-learn had before 0.23.
_JOBLIB = ("joblib.numpy_pickle", "sklearn.externals.joblib.numpy_pickle")
WRAPPERS = frozenset((module, "NumpyArrayWrapper") for module in _JOBLIB)
#: Objects whose arguments and state are kept, because something else depends on them.
_KEPT_CALLEES = WRAPPERS | {("numpy", "dtype")} | {(module, "NDArrayWrapper") for module in _JOBLIB}
_BUILTINS = ("copyreg", "copy_reg")


class Broken(Exception):
    """The stream cannot be followed any further; the message says why. Never leaves `formats.pickle`."""

    def __init__(self, message: str, *, budget: bool = False) -> None:
        super().__init__(message)
        self.budget = budget


@dataclass(slots=True)
class Budget:
    """What all streams of one file may use together; counts down."""

    opcodes: int = 60_000_000
    depth: int = 8


@dataclass(slots=True)
class Use:
    """How a stream uses a global.

    Attributes:
        module, name: as they stand in the stream.
        resolved: (module, name) in Python 3.
        offset: of the opcode that first names it.
        listed: whether it is on the allow-list.
        called: whether the stream calls it or builds an object of it.
    """

    module: str
    name: str
    resolved: tuple[str, str]
    offset: int
    listed: bool
    called: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One kind of call that a stream makes; `first` is the global that is its first argument, if it is one."""

    opcode: str
    callee: str
    first: str = ""


@dataclass(frozen=True, slots=True)
class Pin:
    """A torch storage that a stream refers to: class of the storage, key of the file, number of elements."""

    storage: str
    key: str
    numel: int


class State:
    """Stack, memo and records of one stream."""

    def __init__(
        self,
        source: ByteSource,
        allow: AllowList,
        budget: Budget,
        *,
        torch: bool = False,
        joblib: bool = False,
    ) -> None:
        self.source = source
        self.allow = allow
        self.budget = budget
        self.torch = torch
        self.joblib = joblib
        self.stack: list[Value] = []
        self.marks: list[list[Value]] = []
        self.memo: list[Value] = []
        #: False once a PUT left a hole or went far beyond the end; then `put` and `memoize` do the work.
        self.plain = True
        self.proto = 0
        self.at = 0
        self.pos = 0
        self.frame_end = 0
        self.opcodes = 0
        self.buf = b""
        self.base = 0
        self.issues = Issues()
        self.globals: dict[tuple[str, str, bool], tuple[Global, Use]] = {}
        self.calls: dict[Call, None] = {}
        self._edges: set[tuple[str, Global, Global | None]] = set()
        self.pins: dict[str, Pin] = {}
        self.persistent_ids = 0
        self.ext_codes: set[int] = set()
        #: Offset of the first array that joblib keeps between the opcodes, -1 for none.
        self.first_array = -1
        self._sparse: dict[int, Value] = {}
        self._holes = 0
        self._texts: dict[int, str | None] = {}
        self._kept = 0
        self._swept = 0

    def nested(self, start: int) -> int:
        """Run the pickle that lies inside this one; the offset behind it. The machine overrides it."""
        raise NotImplementedError

    def literal(self, start: int, length: int) -> None:
        """Look into bytes that begin like a pickle. The machine overrides it."""
        raise NotImplementedError

    # -- reading -----------------------------------------------------------------------------------------------

    def read(self, n: int) -> bytes:
        """The next `n` bytes, which must be there; small reads only."""
        start = self.pos - self.base
        if start >= 0 and start + n <= len(self.buf) - PAD:
            data = self.buf[start : start + n]
        else:
            data = self.source.read_at(self.pos, n)
            if len(data) < n:
                raise Broken("the file ends in the middle of an opcode")
        self.pos += n
        return data

    def count(self, width: int) -> int:
        """A little-endian length, which must fit into the file."""
        return int.from_bytes(self.read(width), "little")

    def line(self) -> bytes:
        """The next line without its end; of a very long one only its start.

        CPython drops the last byte of a line that the end of the file cuts.
        """
        start = self.pos
        inside = start - self.base
        end = self.buf.find(b"\n", inside, len(self.buf) - PAD) if inside >= 0 else -1
        if end >= 0:
            self.pos = self.base + end + 1
            return self.buf[inside : min(end, inside + MAX_LINE)]
        kept = self.source.read_at(start, _LINE)
        end = kept.find(b"\n")
        if end >= 0:
            self.pos = start + end + 1
            return kept[:end]
        at, data = start + len(kept), kept
        while data and end < 0:
            data = self.source.read_at(at, MAX_LINE)
            end = data.find(b"\n")
            at += end + 1 if end >= 0 else len(data)
        self.pos = at
        length = at - start - 1
        return (kept + self.source.read_at(start + len(kept), MAX_LINE))[: max(0, min(length, MAX_LINE))]

    def text(self, value: Value) -> str | None:
        """The literal string that a value is, or None when it is none or too long."""
        if type(value) is str:
            return value
        if type(value) is not int or value < 0:
            return None
        if value in self._texts:
            return self._texts[value]
        start, length = value >> 16, value & 0xFFFF
        inside = start - self.base
        if inside >= 0 and inside + length <= len(self.buf) - PAD:
            data = self.buf[inside : inside + length]
        else:
            data = self.source.read_at(start, length)
        try:
            found = data.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            found = None
        if len(self._texts) >= _MAX_TEXTS:
            self._texts.clear()
        self._texts[value] = found
        return found

    def line_value(self, start: int, data: bytes) -> Value:
        """The value of a string that is written as a line and holds no escapes."""
        if len(data) > MAX_TEXT:
            return STRING
        return start << 16 | len(data)

    def forget(self) -> None:
        """Let go of tuples that were memoised long ago: only fresh ones are arguments that a rule looks into."""
        end = len(self.memo) - RECENT
        if end - self._swept > RECENT:
            old = self.memo[self._swept : end]
            self.memo[self._swept : end] = [
                TUPLE if value and type(value) is tuple else value for value in old
            ]
            self._swept = end

    # -- memo --------------------------------------------------------------------------------------------------

    def put(self, index: int, value: Value) -> None:
        """PUT with any index."""
        size = len(self.memo)
        if index < size:
            self._holes -= self.memo[index] is HOLE
            self.memo[index] = value
        elif index == size and index not in self._sparse:
            self.memo.append(value)
        elif index - size < _DENSE_GAP and not self._sparse:
            self.memo.extend([HOLE] * (index - size))
            self._holes += index - size
            self.memo.append(value)
            self.plain = False
        else:
            if index > self.source.size:
                # A pickler counts its entries, and each takes a byte at least; loaders make room up to the index.
                self.block("memo", "A memo entry has an index that only asks the loader for memory.")
            self.plain = False
            self._sparse[index] = value
            if len(self._sparse) > MAX_GLOBALS:
                raise Broken("the memo is scattered", budget=True)

    def get(self, index: int) -> Value:
        """GET with any index."""
        value = self.memo[index] if index < len(self.memo) else self._sparse.get(index, HOLE)
        if index < len(self.memo) and value is HOLE:
            value = self._sparse.get(index, HOLE)
        if value is HOLE:
            raise Broken("a memo entry is read that was never written")
        return value

    def memoize(self) -> None:
        """MEMOIZE: the index is the number of entries."""
        self.put(len(self.memo) - self._holes + len(self._sparse), self.stack[-1])

    # -- records -----------------------------------------------------------------------------------------------

    def block(self, rule: str, message: str, subject: str = "") -> None:
        """Record something that no honest model file does."""
        self.issues.add(Issue(f"pickle:{rule}", Verdict.MALICIOUS, message, self.at, subject=subject))

    def unknown(self, rule: str, message: str, subject: str = "") -> None:
        """Record something that cannot be judged."""
        self.issues.add(Issue(f"pickle:{rule}", Verdict.UNKNOWN, message, self.at, subject=subject))

    def find(self, module: str, name: str) -> Global:
        """Record that the stream names a global."""
        old = self.proto < 3
        key = (module, name, old)
        known = self.globals.get(key)
        if known is not None:
            return known[0]
        if len(self.globals) >= MAX_GLOBALS:
            raise Broken("it names more globals than any model does", budget=True)
        resolved = self.allow.python3_name(module, name) if old else (module, name)
        entry = self.allow.get(*resolved)
        found = Global(module, name, entry)
        self.globals[key] = (found, Use(module, name, resolved, self.at, entry is not None))
        return found

    def find_computed(self, module: Value, name: Value) -> Value:
        """STACK_GLOBAL: both names must be literal strings."""
        texts = (self.text(module), self.text(name))
        if texts[0] is None or texts[1] is None:
            self.block("computed-name", "The stream computes the name of something that it imports.")
            return COMPUTED
        return self.find(texts[0], texts[1])

    def extension(self, code: int) -> Value:
        """EXT1, EXT2, EXT4: the global is registered elsewhere, so it could be anything."""
        if len(self.ext_codes) < MAX_GLOBALS:
            self.ext_codes.add(code)
        self.block(
            "extension",
            f"The stream imports extension code {code}, whatever is registered for it.",
            str(code),
        )
        return COMPUTED

    def persistent(self, pid: Value) -> Value:
        """PERSID, BINPERSID: only torch's storages are known."""
        self.persistent_ids += 1
        if self.torch and isinstance(pid, tuple) and self._is_storage(pid):
            return PERSISTENT
        self.block("persistent-id", "The stream hands an object of its choice to the loader (persistent id).")
        return PERSISTENT

    def _is_storage(self, pid: tuple[Value, ...]) -> bool:
        if len(pid) not in {5, 6} or self.text(pid[0]) != "storage":
            return False
        kind, key, numel = pid[1], self.text(pid[2]), pid[4]
        if not isinstance(kind, Global) or kind.entry is None or not kind.name.endswith("Storage"):
            return False
        if key is None or self.text(pid[3]) is None or type(numel) is not int or numel >= 0:
            return False
        if len(self.pins) >= MAX_MEMO // 8:
            raise Broken("it refers to more storages than can be kept", budget=True)
        self.pins[key] = Pin(kind.name, key, -1 - numel)
        return True

    # -- calls -------------------------------------------------------------------------------------------------

    def call(self, opcode: str, callee: Value, args: Value) -> Value:
        """A call edge: REDUCE, INST and OBJ call; NEWOBJ and NEWOBJ_EX only build."""
        if not isinstance(callee, Global):
            return self._call_computed(opcode, callee)
        self._edge(opcode, callee, args)
        entry = callee.entry
        if entry is None:
            return self._made(callee, args)
        if entry.kind == "value" or (entry.kind == "class" and not opcode.startswith("NEWOBJ")):
            self.block(
                "use",
                f"The stream calls {shown(callee.label)}, which may only be "
                f"{'referred to' if entry.kind == 'value' else 'built without its constructor'}.",
                callee.label,
            )
        if entry.arguments and not opcode.startswith("NEWOBJ"):
            if args is TUPLE:
                self.unknown(
                    "arguments", f"The arguments of {shown(callee.label)} cannot be followed.", callee.label
                )
            elif not isinstance(args, tuple) or not RULES[entry.arguments](self, args):
                self.block(
                    "arguments",
                    f"The stream calls {shown(callee.label)} with arguments that are not allowed for it.",
                    callee.label,
                )
        return self._made(callee, args)

    def _call_computed(self, opcode: str, callee: Value) -> Value:
        if isinstance(callee, Made) or callee is COMPUTED or callee is PERSISTENT or callee is ARRAY:
            if len(self.calls) < MAX_CALLS:
                self.calls.setdefault(Call(opcode, "<computed>"))
            made = callee.callee.label if isinstance(callee, Made) else ""
            self.block("computed-call", "The stream calls the result of a call.", made)
            return COMPUTED
        raise Broken("it calls something that is no function")

    def _edge(self, opcode: str, callee: Global, args: Value) -> None:
        first = args[0] if isinstance(args, tuple) and args else None
        key = (opcode, callee, first if isinstance(first, Global) else None)
        if key in self._edges:
            return
        if len(self._edges) >= MAX_CALLS:
            raise Broken("it makes more kinds of calls than any model does", budget=True)
        self._edges.add(key)
        self.calls[Call(opcode, callee.label, first.label if isinstance(first, Global) else "")] = None
        for old in (True, False):
            known = self.globals.get((callee.module, callee.name, old))
            if known is not None:
                known[1].called = True

    def _made(self, callee: Global, args: Value) -> Value:
        made = callee
        kept: Value = args
        if callee.module in _BUILTINS and isinstance(args, tuple) and args and isinstance(args[0], Global):
            # copyreg._reconstructor and __newobj__ make an object of their first argument.
            made, kept = args[0], ()
        if (made.module, made.name) not in _KEPT_CALLEES:
            return made.made
        if self._kept > _MAX_KEPT:
            raise Broken("it holds more arrays than can be followed", budget=True)
        self._kept += 1
        return Made(made, kept if isinstance(kept, tuple) else None)

    # -- containers --------------------------------------------------------------------------------------------

    def put_items(self, target: Value, items: list[Value]) -> None:
        """SETITEM and SETITEMS: alternating keys and values."""
        if len(items) % 2:
            raise Broken("a key has no value")
        if isinstance(target, Dict):
            if target.items is not None:
                self._kept += len(items)
                if len(target.items) + len(items) > MAX_DICT or self._kept > _MAX_KEPT:
                    self._kept -= len(target.items) + len(items)
                    target.items = None
                else:
                    target.items.extend(items)
            return
        self.extend(target)

    def extend(self, target: Value) -> None:
        """APPEND(S), ADDITEMS or SETITEM(S) on something: a method of it is called."""
        if isinstance(target, Global):
            self.block("changes-global", f"The stream changes {shown(target.label)} itself.", target.label)
        elif isinstance(target, (int, str, tuple)) or target is TUPLE:
            raise Broken("it adds an item to something that holds none")

    def release(self, state: Value) -> None:
        """Let go of a dict that was used as a state."""
        if isinstance(state, Dict) and state.items is not None:
            self._kept -= len(state.items)
            state.items = None

    def lookup(self, state: Value, key: str) -> Value | None:
        """The value of a string key in a dict that was kept, or None."""
        if not isinstance(state, Dict) or state.items is None:
            return None
        found = None
        for i in range(0, len(state.items), 2):
            if self.text(state.items[i]) == key:
                found = state.items[i + 1]
        return found
