"""The state of the pickle machine, what it records, and the rules that it applies to calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.findings import Verdict
from lockflight.formats.pickle import attributes
from lockflight.formats.pickle.arguments import JOBLIB, RULES, is_wrapper, reached
from lockflight.formats.pickle.depths import Depths
from lockflight.formats.pickle.reading import Reading
from lockflight.formats.pickle.records import (
    MAX_CALLS,
    MAX_GLOBALS,
    MAX_NESTING,
    MAX_PINS,
    MAX_WALK,
    RECENT,
    WALK_OF_BYTE,
    Broken,
    Budget,
    Pin,
    Use,
    uses_of,
)
from lockflight.formats.pickle.values import (
    ARRAY,
    BUILDERS,
    COMPUTED,
    DICT,
    HOLE,
    MAX_DICT,
    PERSISTENT,
    TUPLE,
    Box,
    Dict,
    Global,
    Made,
    Tag,
    Value,
    depth_of,
    weight_of,
)
from lockflight.formats.report import Issue, Issues, shown

if TYPE_CHECKING:
    from lockflight.core.source import ByteSource
    from lockflight.formats.pickle.allow import AllowList

_MAX_KEPT = 400_000
_DENSE_GAP = 4_096

WRAPPERS = frozenset((module, "NumpyArrayWrapper") for module in JOBLIB)
#: Objects whose arguments and state are kept, because something else depends on them.
_KEPT_CALLEES = WRAPPERS | {("numpy", "dtype")} | {(module, "NDArrayWrapper") for module in JOBLIB}
#: What APPEND, APPENDS and ADDITEMS may be about beside lists and sets: of any other object they would call an
#: attribute, which its state may have brought.
_APPENDED = frozenset({("collections", "deque")})
#: What items may be set of, beside dicts.
_MAPPINGS = frozenset(
    {
        ("collections", "OrderedDict"), ("collections", "defaultdict"), ("collections", "Counter"),
        ("sklearn.utils._bunch", "Bunch"), ("sklearn.utils", "Bunch"), ("sklearn.datasets.base", "Bunch"),
    }
)  # fmt: skip


def _plain(args: Value) -> bool:
    return type(args) is tuple and all(type(one) in {int, str, Tag} for one in args)


class State(Reading, Depths):
    """Stack, memo and records of one stream."""

    def __init__(
        self,
        source: ByteSource,
        allow: AllowList,
        budget: Budget,
        *,
        torch: bool = False,
        joblib: bool = False,
        careful: bool = False,
    ) -> None:
        super().__init__(source)
        #: Whether attributes are looked at: a second run does, where the first one cannot rule out that it matters.
        self.careful = careful
        #: How many things lie about that someone could call: named or made, and neither called or built by the stream
        #: nor held under a name where real objects hold such. By global only in a careful run.
        self.handed = 0
        self.lying: dict[Global, int] = {}
        #: Which attributes objects got that are not to be.
        self.given: set[str] = set()
        self.allow = allow
        self.budget = budget
        self.torch = torch
        self.joblib = joblib
        self.stack: list[Value] = []
        self.marks: list[list[Value]] = []
        #: Depth of the deepest value since the last mark, before it, and between the mark that was closed last.
        self.deep = 0
        self.deeps: list[int] = []
        self.inner = 0
        self.track = False
        self.start = 0
        #: Which of `WORDS` occurred as a string.
        self.words: set[str] = set()
        #: True once something was imported whose state has to be kept.
        self.keeps = False
        self.memo: list[Value] = []
        #: False once a PUT left a hole or went far beyond the end; then `put` and `memoize` do the work.
        self.plain = True
        self.proto = 0
        self.at = 0
        self.frame_end = 0
        self.opcodes = 0
        self.issues = Issues()
        #: Globals with the offset of their first mention, by (module, name, whether names are those of Python 2).
        self.found: dict[tuple[str, str, bool], tuple[Global, int]] = {}
        #: Calls as (opcode, callee, first argument where that is a global), and opcodes of computed calls.
        self.edges: dict[tuple[str, Global, Global | None], None] = {}
        self.computed: dict[str, None] = {}
        self.pins: dict[str, Pin] = {}
        self.persistent_ids = 0
        self.ext_codes: set[int] = set()
        #: Offset of the first array that joblib keeps between the opcodes, -1 for none.
        self.first_array = -1
        #: How many values are met by walking what was used again.
        self.walked = 0
        self.most_walked = MAX_WALK + WALK_OF_BYTE * source.size
        self._sparse: dict[int, Value] = {}
        self._holes = 0
        self._kept = 0
        self._swept = 0

    def nested(self, start: int) -> int:
        """Run the pickle that lies inside this one; the offset behind it. The machine overrides it."""
        raise NotImplementedError

    def literal(self, start: int, length: int) -> None:
        """Look into bytes that begin like a pickle. The machine overrides it."""
        raise NotImplementedError

    # -- memo --------------------------------------------------------------------------------------------------

    def forget(self) -> None:
        """Let go of tuples that were memoised long ago: only fresh ones are arguments that a rule looks into."""
        end = len(self.memo) - RECENT
        if end - self._swept > RECENT:
            old = self.memo[self._swept : end]
            self.memo[self._swept : end] = [
                TUPLE.of(value) if type(value) is tuple and value else value for value in old
            ]
            self._swept = end

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
                raise Broken(f"more than {MAX_GLOBALS:,} entries of its memo are out of order", budget=True)

    def get(self, index: int) -> Value:
        """GET with any index."""
        value = self.memo[index] if index < len(self.memo) else self._sparse.get(index, HOLE)
        if index < len(self.memo) and value is HOLE:
            value = self._sparse.get(index, HOLE)
        if value is HOLE:
            raise Broken("a memo entry is read that was never written")
        return self.shared(value)

    def shared(self, value: Value) -> Value:
        """A value that is used a second time: what others may change is not followed any more.

        A type that is not told yet, or a wrapper that is not built, stays so for good.
        """
        if type(value) is Dict:
            self.release(value)
        elif type(value) is Made:
            if value.kept and value.layout is None:
                value.layout = False
            self.handed += value.callee.answers
        elif type(value) is tuple:
            if value:
                for one in value:
                    if type(one) is Global:
                        self.hand(one)
                self.walk(weight_of(value, self.most_walked))
        elif type(value) is Global:
            self.hand(value)
        elif type(value) is Box and value.weight:
            self.walk(value.weight)
        return value

    def hand(self, one: Global, count: int = 1) -> None:
        """Something that can be called lies on the stack, or (-1) is called or built from there."""
        if not one.inert:
            self.handed += count
            if self.careful:
                self.lying[one] = self.lying.get(one, 0) + count

    def walk(self, weight: int) -> None:
        """A tuple or frozenset is used again, which is to be walked once more.

        Raises:
            Broken: that is more than is followed.
        """
        self.walked += weight
        if self.walked > self.most_walked:
            raise Broken("its tuples share each other so that walking them takes for ever", budget=True)

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

    @property
    def globals(self) -> dict[tuple[str, str, bool], tuple[Global, Use]]:
        """Every import, in order, and how it is used."""
        return uses_of(self.found, self.edges)

    def find(self, module: str, name: str) -> Global:
        """Record that the stream names a global."""
        key = (module, name, self.proto < 3)
        known = self.found.get(key)
        if known is not None:
            self.hand(known[0])
            return known[0]
        if len(self.found) >= MAX_GLOBALS:
            raise Broken(f"it names more than the {MAX_GLOBALS:,} globals that are kept", budget=True)
        one = self.allow.known.get(key)
        if not isinstance(one, Global):
            one = self._resolve(key)
        self.found[key] = (one, self.at)
        self.hand(one)
        if one.kept and name != "dtype":
            self.keeps = True
        return one

    def _resolve(self, key: tuple[str, str, bool]) -> Global:
        module, name, old = key
        resolved = self.allow.python3_name(module, name) if old else (module, name)
        entry = self.allow.get(*resolved)
        one = Global(module, name, entry, resolved, kept=(module, name) in _KEPT_CALLEES)
        if entry is not None:
            # One object for all files: as many as there are listed names, and nobody changes them.
            self.allow.known[key] = one
        return one

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
        if self.torch and type(pid) is tuple and self._is_storage(pid):
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
        if len(self.pins) >= MAX_PINS:
            raise Broken(f"it refers to more than the {MAX_PINS:,} storages that are kept", budget=True)
        pin = Pin(kind.name, key, -1 - numel)
        if not pin.agrees(self.pins.setdefault(key, pin)):
            message = f"The stream refers to the storage {shown(key)} twice, with other types or lengths."
            self.issues.add(
                Issue("torch:storage", Verdict.UNKNOWN, message, self.at, subject=shown(key, 200))
            )
        return True

    # -- calls -------------------------------------------------------------------------------------------------

    def call(self, opcode: str, callee: Value, args: Value) -> Value:
        """A call edge: REDUCE, INST and OBJ call; NEWOBJ and NEWOBJ_EX only build."""
        if type(callee) is not Global:
            return self._call_computed(opcode, callee)
        if self.careful:
            self.hand(callee, -1)
        elif not callee.inert:
            self.handed -= 1
        first = args[0] if type(args) is tuple and args and type(args[0]) is Global else None
        edge = (opcode, callee, first)
        if edge not in self.edges:
            if len(self.edges) >= MAX_CALLS:
                raise Broken(
                    f"it makes more than the {MAX_CALLS:,} kinds of calls that are kept", budget=True
                )
            self.edges[edge] = None
        elif callee.plain and not args:
            # All that a rule could say was said when this kind of call was first seen.
            self.handed += callee.answers
            return callee.made
        if first is not None and callee.builds:
            self.hand(first, -1)
        self._use(opcode, callee, args)
        if self.careful:
            attributes.told(self, callee.label, args)
        if type(args) is tuple and callee.module not in BUILDERS and any(map(is_wrapper, args)):
            self.block(
                "joblib", "The stream hands one of joblib's array classes to something that may build it."
            )
        if callee.reaches and first is not None and type(args) is tuple:
            return self.find(*reached(self, first, args))
        made = first if first is not None and callee.module in BUILDERS else callee
        self.handed += made.answers
        return self._kept_object(callee, made, args) if made.kept else made.made

    def _use(self, opcode: str, callee: Global, args: Value) -> None:
        """What the allow-list says about a call."""
        entry = callee.entry
        if entry is None:
            return
        builds = opcode.startswith("NEWOBJ")
        if entry.kind == "value":
            self._misuse(callee, "referred to")
        elif entry.kind != "callable" and not builds:
            self._misuse(callee, "built without its constructor")
        if opcode == "NEWOBJ" and args == ():
            return
        if not entry.arguments:
            if builds and (not _plain(args) or callee.resolved[0].startswith("numpy")):
                # What a class does with arguments nobody looked at; picklers hand it hardly any. An array would ask for
                # as much memory as a number says.
                self.block(
                    "arguments",
                    f"The stream builds {shown(callee.label)} with arguments, which its pickles never have.",
                    callee.label,
                )
            return
        if type(args) is Box and args.name == TUPLE.name:
            self.unknown(
                "arguments", f"The arguments of {shown(callee.label)} cannot be followed.", callee.label
            )
        elif (
            type(args) is not tuple or opcode == "NEWOBJ_EX" or not RULES[entry.arguments](self, callee, args)
        ):
            self.block(
                "arguments",
                f"The stream calls {shown(callee.label)} with arguments that are not allowed for it.",
                callee.label,
            )
        elif entry.arguments == "random-state":
            for one in args:
                if type(one) is Global:
                    self.hand(one, -1)

    def _misuse(self, callee: Global, only: str) -> None:
        message = f"The stream calls {shown(callee.label)}, which may only be {only}."
        self.block("use", message, callee.label)

    def _call_computed(self, opcode: str, callee: Value) -> Value:
        if isinstance(callee, Made) or callee is COMPUTED or callee is PERSISTENT or callee is ARRAY:
            self.computed[opcode] = None
            made = callee.callee.label if isinstance(callee, Made) else ""
            self.block("computed-call", "The stream calls the result of a call.", made)
            return COMPUTED
        raise Broken("it calls something that is no function")

    def _kept_object(self, callee: Global, made: Global, args: Value) -> Made:
        """An object of its own, for what something else depends on."""
        if self._kept > _MAX_KEPT:
            raise Broken(f"it holds more than the {_MAX_KEPT:,} arrays that can be followed", budget=True)
        self._kept += 1
        # What copyreg makes has no arguments.
        kept = args if made is callee and type(args) is tuple else () if made is not callee else None
        found = Made(made, kept)
        found.kept = True
        if made.name == "dtype" and kept and (self.text(kept[0]) or "").lstrip("<>=|").startswith("V"):
            self.keeps = True  # its fields come in a dict
        return found

    # -- containers --------------------------------------------------------------------------------------------

    def join(self, items: tuple[Value, ...], deep: int) -> tuple[Value, int]:
        """A tuple as it is kept: the tuples in it hold no further ones."""
        depth, flat = 0, True
        for item in items:
            inside = depth_of(item)
            if inside:
                depth = max(depth, inside)
                flat = flat and (inside < 2 or type(item) is not tuple)
        if depth >= MAX_NESTING:
            self.deeper(TUPLE, depth + 1)
        if not flat:
            if self.careful:
                attributes.told(self, "a tuple", items)
            depths = [(item, depth_of(item)) for item in items]
            items = tuple(TUPLE.of(item, d) if d > 1 and type(item) is tuple else item for item, d in depths)
        return items, max(deep, depth + 1)

    def new_dict(self) -> Value:
        """An empty dict."""
        return Dict(kept=self.keeps) if self.keeps or self.careful else DICT

    def put_items(self, target: Value, items: list[Value]) -> None:
        """SETITEM and SETITEMS: alternating keys and values."""
        if len(items) % 2:
            raise Broken("a key has no value")
        plain = type(target) is Dict or (type(target) is Box and target.name == DICT.name)
        if plain and self.handed and not self.careful:
            self.handed -= attributes.held(self, items)
        if isinstance(target, Dict):
            if self.careful:
                attributes.look(self, target, items)
            if target.items is not None:
                self._kept += len(items)
                if len(target.items) + len(items) > MAX_DICT or self._kept > _MAX_KEPT:
                    self._kept -= len(target.items) + len(items)
                    target.items = None
                else:
                    target.items.extend(items)
            return
        if self.careful and isinstance(target, Made):
            # Some give their items as attributes.
            found = Dict(kept=False)
            attributes.look(self, found, items)
            attributes.told(self, target.callee.label, found)
        self.set_item_of(target)

    def append_to(self, target: Value) -> None:
        """APPEND(S) or ADDITEMS on something that is no list: a method of it is called."""
        if isinstance(target, Made) and target.callee.resolved not in _APPENDED:
            self.block("use", f"The stream appends to {shown(target.callee.label)}.", target.callee.label)
        self.extend(target)

    def set_item_of(self, target: Value) -> None:
        """SETITEM(S) on something that is no dict: its `__setitem__` is called."""
        if isinstance(target, Made) and target.callee.resolved not in _MAPPINGS:
            self.block("use", f"The stream sets items of {shown(target.callee.label)}.", target.callee.label)
        self.extend(target)

    def extend(self, target: Value) -> None:
        """APPEND(S), ADDITEMS or SETITEM(S) on something: a method of it is called."""
        if isinstance(target, Global):
            self.block("changes-global", f"The stream changes {shown(target.label)} itself.", target.label)
        elif isinstance(target, (int, str, tuple)) or (isinstance(target, Box) and target.name == TUPLE.name):
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
        items = state.items
        found = [items[i + 1] for i in range(0, len(items), 2) if self.text(items[i]) == key]
        return found[-1] if found else None
