"""Runs a template with a talk: known values are computed, and what depends on unknown ones is chosen and noted.

The semantics are those of Jinja 3.1. Each place that asks about unknown words decides the same way throughout one run;
the caller forces the choices that it wants to see. Values that were set while such a choice was open are remembered as
touched by it, so that a flag or a counter does not hide where it comes from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lockflight.core.records import dataclass
from lockflight.formats.jinja.node import Node
from lockflight.formats.render import lists, words
from lockflight.formats.render.questions import compared, computed, derived, is_whole, mixed, tested
from lockflight.formats.render.talk import ABSENT, CONTENT_NAMES, DATE_NAMES, KEYS, Message, Talk
from lockflight.formats.render.texts import indexed, method, sliced
from lockflight.formats.render.values import (
    CONTENT,
    COUNT,
    DATE,
    FOREIGN,
    MAKING,
    SETTING,
    Callee,
    Loop,
    Lost,
    Macro,
    Namespace,
    Piece,
    Raised,
    Sym,
    Text,
    Undefined,
    inside,
    joined,
    literal,
    pieces,
    unknown,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockflight.formats.render.meter import Meter

#: Turns that the talks have; what asks for more is chosen instead.
MANY: Final = 5
#: Questions whether there is anything at all, which no words can be found by.
EMPTY: Final = frozenset({"truth"})
_MAX_CALLS = 16
#: Statements and expressions inside each other, through all calls; each costs up to four frames of Python.
_MAX_DEPTH: Final = 100
_MAX_RANGE: Final = 1_000
#: Alternatives that one question may have, and characters of what it asks.
MAX_COUNT: Final = 300
MAX_ASKED: Final = 20_000
_DIGITS: Final = 1_000


class Counted(int):
    """A number that was divided, as those are that tell every third turn from the others."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What was decided about unknown words.

    Attributes:
        kind: whose words they are.
        taken: the alternative that was taken.
        count: how many there are.
        asks: `truth` where the question was only whether there is anything at all.
        line: where it was asked.
        about: the template's words in the question.
    """

    kind: str
    taken: int
    count: int
    asks: str
    line: int
    about: str


class Evaluator:
    """The values of expressions in one run."""

    def __init__(
        self,
        sites: dict[int, int],
        talk: Talk,
        forced: dict[str, int],
        meter: Meter,
        met: set[int] | None = None,
    ) -> None:
        self.sites = sites
        #: Nodes that some run came to, by their identity.
        self.met: set[int] = set() if met is None else met
        self.talk = talk
        self.forced = forced
        self.meter = meter
        meter.fresh()
        self.chosen: dict[str, Choice] = {}
        self.scopes: list[dict[str, tuple[object, bool]]] = [{}]
        self.out: list[Piece] = []
        self.written = 0
        self.touched = False
        self.control = 0
        self.depth = 0
        self.calls: list[tuple[Macro, list[object], dict[str, object]]] = []
        # Nodes of filters that other ones name, by the node of the other one.
        self.named: dict[tuple[int, str], Node] = {}
        self.places: dict[int, int] = {}
        # Kept, so that no other list gets their identity.
        self.grown: dict[int, list[object]] = {}

    # -- choices --

    def choose(
        self,
        node: Node,
        what: str,
        sym: Sym,
        default: int,
        count: int = 2,
        name: str = "",
        about: str = "",
    ) -> int:
        """Which alternative is taken where a symbol decides."""
        if count > MAX_COUNT or len(what) > MAX_ASKED:
            raise Lost("it chooses among very many alternatives")
        if name and sym.kind == SETTING:
            key = f"{sym.kind} {name}"
        else:
            place = self.sites.get(id(node), self.places.get(id(node), -1))
            key = f"{place} {what}"
        if len(key) > MAX_ASKED or len(about) > MAX_ASKED:
            raise Lost("it asks about a very long text")
        taken = self.forced.get(key, default)
        if key not in self.chosen:
            self.meter.make(512 + 4 * (len(key) + len(about)))
            self.chosen[key] = Choice(sym.kind, taken, count, what, node.line, about)
        if sym.kind != SETTING and what not in EMPTY:
            self.touched = True
        return taken

    def touch(self, grown: list[object]) -> None:
        """Remember that unknown words had a say in what a list holds."""
        self.grown[id(grown)] = grown

    def truth(self, node: Node) -> bool:
        """Whether an expression is true."""
        return self.weighed(node)[1]

    def weighed(self, node: Node) -> tuple[object, bool]:
        """The value of an expression, and whether it is true."""
        value = self.value(node)
        return value, self.true(node, value)

    def true(self, node: Node, value: object) -> bool:
        """Whether a value is true."""
        if isinstance(value, Text):
            return True
        if isinstance(value, Sym):
            what = "truth" if is_whole(value) else "true"
            return bool(self.choose(node, what, value, 1, name=f"{value.source} truth"))
        if isinstance(value, Undefined):
            return False
        if isinstance(value, (Namespace, Loop, Macro, Callee)):
            return True
        return bool(value)

    def deeper(self) -> None:
        """Count one step, and one level."""
        self.meter.step()
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise Lost("it is nested too deeply")

    def items(self, node: Node, value: object) -> list[object]:
        """What a loop goes over; of something unknown, nothing or one thing."""
        self.meter.step()
        if isinstance(value, (list, tuple, dict, str)):
            self.meter.items(len(value))
            return list(value)
        if isinstance(value, Undefined):
            return []
        sym = unknown(value)
        if sym is None:
            raise (Lost("it goes through a loop") if isinstance(value, Loop) else Raised)
        if isinstance(value, Text) or sym.type in {"text", "list"}:
            some = self.choose(node, "pieces", sym, 1, 3, name=f"{sym.source} pieces {sym.changed}")
            whole = isinstance(value, Text) or sym.type == "text"
            return [mixed(value, "taken apart") if whole else derived(sym, kind="text")] * some
        some = self.choose(node, "loop", sym, 1, name=f"{sym.source} loop")
        return [derived(sym, kind="any" if sym.type == "any" else "text")] * some

    @property
    def turns(self) -> Talk:
        """The talk."""
        return self.talk

    def captured(self, body: Node) -> object:
        """What a body writes, as a value."""
        raise NotImplementedError

    # -- expressions --

    def value(self, node: Node) -> object:
        """The value of an expression."""
        self.deeper()
        rule = _VALUES.get(node.kind)
        if rule is None:
            raise Lost(f"an expression {node.kind}")
        self.met.add(id(node))
        found = rule(self, node)
        self.meter.seen(found)
        if node.kind in MAKING:
            self.meter.made(found)
        self.depth -= 1
        return found

    def name(self, node: Node) -> object:
        """A variable."""
        name = node.value
        for scope in reversed(self.scopes):
            if name in scope:
                value, touched = scope[name]
                self.touched = self.touched or touched or id(value) in self.grown
                return value
        if name in self.talk.variables:
            return self.talk.variables[name]
        if name in words.FUNCTIONS and name != "caller":
            return Callee(name)
        if name in CONTENT_NAMES:
            return Sym(name, CONTENT, "any")
        if name in ABSENT:
            return Undefined(name)
        kind = DATE if name in DATE_NAMES else SETTING
        if not self.choose(node, "defined", Sym(name, SETTING), 0, name=name):
            return Undefined(name)
        return Sym(name, kind, "any")

    def attribute(self, node: Node) -> object:
        """`a.b`."""
        return self.member(node, self.value(node.children[0]), node.value)

    def member(self, node: Node, owner: object, name: object) -> object:
        """What an object has under a name."""
        if isinstance(name, (list, dict, Namespace, Loop)):
            return Undefined("item")
        if isinstance(owner, Message) and name not in owner and name not in KEYS | words.OF_MAPPINGS:
            sym = Sym(f"the key {name}", FOREIGN, "any")
            return sym if self.choose(node, f"key {name}", sym, 0) else Undefined(str(name))
        if isinstance(owner, dict):
            missing = Callee(str(name), owner) if name in words.OF_MAPPINGS else Undefined(str(name))
            return owner.get(name, missing)
        if isinstance(owner, Namespace):
            value, touched = owner.values.get(str(name), (Undefined(str(name)), False))
            self.touched = self.touched or touched or id(value) in self.grown
            return value
        if isinstance(owner, Loop):
            return owner.get(str(name))
        if isinstance(owner, Sym):
            if owner.type in {"any", "list"}:
                return Sym(f"{owner.source}.{name}", owner.kind, "any", owner.changed, owner.carried)
            return Callee(name, owner) if name in words.OF_TEXTS else Undefined(str(name))
        if isinstance(owner, Undefined):
            raise Raised
        offered = words.OF_TEXTS if isinstance(owner, (str, Text)) else words.OF_LISTS
        if isinstance(owner, (str, Text, list, tuple)) and name in offered:
            return Callee(str(name), owner)
        return Undefined(str(name))

    def item(self, node: Node) -> object:
        """`a[b]`."""
        owner, index = self.value(node.children[0]), node.children[1]
        if index.kind == "slice":
            return sliced(self, node, owner, [self.value(part) for part in index.children])
        place = self.value(index)
        sym = unknown(place)
        if isinstance(owner, dict):
            if sym is None:
                return self.member(node, owner, place)
            found = [*owner.values(), Undefined("item")]
            return found[self.choose(node, "item", sym, len(found) - 1, len(found))] if owner else found[0]
        if isinstance(owner, (Undefined, Namespace, Loop)) or (
            isinstance(owner, Sym) and isinstance(place, str)
        ):
            return self.member(node, owner, place)
        return indexed(self, node, owner, place)

    def call(self, node: Node) -> object:
        """`a(b)`."""
        target = node.children[0]
        if target.kind == "attr":
            owner = self.value(target.children[0])
            if isinstance(owner, Loop):
                callee: object = owner.get(target.value)
            elif isinstance(owner, Namespace):
                callee = self.member(target, owner, target.value)
            else:
                if owner is None:
                    raise Raised
                callee = Callee(target.value, owner)
        else:
            callee = self.value(target)
        before, self.touched = self.touched, False
        args, named = self.arguments(node.children[1:])
        touched, self.touched = self.touched, self.touched or before
        self.meter.read(args, named)
        if isinstance(callee, Macro):
            return self.macro(callee, args, named, touched=touched or self.control > 0)
        if not isinstance(callee, Callee):
            raise (Raised if isinstance(callee, Undefined) else Lost)("it calls what it computes")
        if callee.owner is None:
            return self.function(node, callee.name, args, named, touched=touched or self.control > 0)
        return method(self, node, callee.owner, callee.name, args, named)

    def arguments(self, nodes: tuple[Node, ...]) -> tuple[list[object], dict[str, object]]:
        """The values of arguments."""
        args = [self.value(node) for node in nodes if node.kind != "keyword"]
        named = {node.value: self.value(node.children[0]) for node in nodes if node.kind == "keyword"}
        return args, named

    def macro(self, macro: Macro, args: list[object], named: dict[str, object], *, touched: bool) -> object:
        """A call of a macro: what its body writes."""
        call = (macro, args, named)
        if len(self.calls) >= _MAX_CALLS:
            # The same call inside itself never ends; any other one might.
            raise (Raised if call in self.calls else Lost("macros call each other very deep"))
        self.calls.append(call)
        scope: dict[str, tuple[object, bool]] = {}
        outer, self.scopes = self.scopes, [*macro.scopes, scope]
        if macro.node is not None:
            names, defaults, _ = macro.node.children
            first = len(names.children) - len(defaults.children)
            for i, parameter in enumerate(names.children):
                if i < len(args):
                    value = args[i]
                elif parameter.value in named:
                    value = named[parameter.value]
                else:
                    value = (
                        self.value(defaults.children[i - first]) if i >= first else Undefined(parameter.value)
                    )
                scope[parameter.value] = (value, touched)
            caller = next((s["caller"] for s in reversed(outer) if "caller" in s), None)
            if caller is not None:
                scope["caller"] = caller
        result = self.captured(macro.body)
        self.scopes = outer
        self.calls.pop()
        return result

    def function(
        self, node: Node, name: str, args: list[object], named: dict[str, object], *, touched: bool
    ) -> object:
        """A call of a function that loaders bring."""
        if name == "raise_exception":
            raise Raised
        if name == "strftime_now":
            return Sym("the day", DATE)
        if name in {"namespace", "dict"}:
            if args and not isinstance(args[0], dict):
                raise Lost(f"{name} of what is no mapping")
            values: dict[str, object] = dict(args[0]) if args and isinstance(args[0], dict) else {}
            values |= named
            return Namespace({k: (v, touched) for k, v in values.items()}) if name == "namespace" else values
        if name == "range":
            sym = inside(args)
            if sym is not None:
                return [0] * self.choose(node, "range", sym, 1)
            bounds = [arg for arg in args if isinstance(arg, int)]
            if not bounds or len(bounds) != len(args) or (len(bounds) == 3 and not bounds[2]):
                raise Raised
            found = range(*bounds[:3])
            # Not `len`, which is for sizes that the machine can address.
            if (found.stop - found.start) // found.step > _MAX_RANGE:
                raise Lost("it counts very far")
            return list(found)
        raise Lost(f"the function {name}")

    def mapped(self, node: Node, name: str, value: object, args: list[object]) -> object:
        """A value behind a filter that is named by a text."""
        inner = self.named.get((id(node), name))
        if inner is None:
            inner = self.named[id(node), name] = Node("filter", name, node.children, node.line)
            self.places[id(inner)] = self.sites.get(id(node), -1)
        self.meter.step()
        found = lists.filtered(self, inner, value, args, {})
        self.meter.made(found)
        return found

    def filter(self, node: Node) -> object:
        """`a | b`."""
        value = self.value(node.children[0])
        return lists.filtered(self, node, value, *self.arguments(node.children[1:]))

    def test(self, node: Node) -> object:
        """`a is b`."""
        value = self.value(node.children[0])
        args, _ = self.arguments(node.children[1:])
        return tested(self, node, node.value, value, args)

    def compare(self, node: Node) -> object:
        """`a == b` and so on."""
        before, self.touched = self.touched, False
        left, right = self.value(node.children[0]), self.value(node.children[1])
        touched, self.touched = self.touched, self.touched or before
        found = compared(self, node, node.value, left, right)
        counted = type(left) is type(right) and isinstance(left, (int, str)) and not isinstance(left, bool)
        if touched and counted and (left or right):
            # A count or a text that grew where words were found: how often is not known.
            sym = Sym("something that was set before", CONTENT)
            return bool(self.choose(node, "touched", sym, int(found)))
        if isinstance(left, int) and isinstance(right, int) and not isinstance(left, bool):
            numbers = [
                int(child.value)
                for child in node.children
                if child.kind == "number" and child.value.isdigit() and len(child.value) < _DIGITS
            ]
            far = len(numbers) == 1 and numbers[0] >= MANY
            if far or isinstance(left, Counted) or isinstance(right, Counted):
                sym = Sym("the number of turns", COUNT)
                return bool(self.choose(node, "count", sym, int(bool(found))))
        return found

    def logic(self, node: Node) -> object:
        """`and`, `or`, `not`."""
        if node.value == "not":
            return not self.truth(node.children[0])
        left, right = node.children
        value, taken = self.weighed(left)
        return value if taken is (node.value == "or") else self.value(right)

    def conditional(self, node: Node) -> object:
        """`a if b else c`."""
        test, body, other = node.children
        return self.value(body if self.truth(test) else other)

    def pair(self, node: Node) -> object:
        """`a ~ b`."""
        left, right = (self.value(child) for child in node.children)
        self.meter.read(left, right)
        return joined([*pieces(left), *pieces(right)])

    def binary(self, node: Node) -> object:
        """Arithmetic."""
        left, right = (self.value(child) for child in node.children)
        found = computed(self, node, node.value, left, right)
        divided = node.value in {"%", "/", "//"} or isinstance(left, Counted) or isinstance(right, Counted)
        return Counted(found) if divided and isinstance(found, int) else found

    def unary(self, node: Node) -> object:
        """`-a`."""
        value = self.value(node.children[0])
        if isinstance(value, (int, float)):
            return -value if node.value == "-" else value
        if isinstance(value, Sym):
            return value
        raise Raised

    def constant(self, node: Node) -> object:
        """`true`, `false`, `none`."""
        return {"t": True, "f": False}.get(node.value[0].lower())

    def number(self, node: Node) -> object:
        """A number."""
        text = node.value.replace("_", "")
        if len(text) > _DIGITS:
            raise Lost("a very long number")
        try:
            return float(text) if set(text) & set(".eE") and not text.startswith("0x") else int(text, 0)
        except ValueError:
            raise Lost("a number") from None

    def sequence(self, node: Node) -> object:
        """`[a, b]` and `(a, b)`."""
        found = [self.value(child) for child in node.children]
        return found if node.kind == "list" else tuple(found)

    def mapping(self, node: Node) -> object:
        """`{a: b}`."""
        values = [self.value(child) for child in node.children]
        self.meter.read(values[::2])
        if any(unknown(key) is not None for key in values[::2]):
            raise Lost("a mapping with unknown keys")
        keys = [key if isinstance(key, (str, int, Sym, Text)) else literal(key) for key in values[::2]]
        return dict(zip(keys, values[1::2], strict=True))


_VALUES: Final[dict[str, Callable[[Evaluator, Node], object]]] = {
    "string": lambda _, node: node.value, "number": Evaluator.number, "const": Evaluator.constant,
    "name": Evaluator.name, "attr": Evaluator.attribute, "item": Evaluator.item, "call": Evaluator.call,
    "filter": Evaluator.filter, "test": Evaluator.test, "compare": Evaluator.compare, "logic": Evaluator.logic,
    "cond": Evaluator.conditional, "concat": Evaluator.pair, "binary": Evaluator.binary, "unary": Evaluator.unary,
    "list": Evaluator.sequence, "tuple": Evaluator.sequence, "dict": Evaluator.mapping,
}  # fmt: skip
