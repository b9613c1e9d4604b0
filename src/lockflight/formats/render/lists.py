"""Filters, and those of lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lockflight.formats.render.questions import derived, tested
from lockflight.formats.render.talk import KEYS
from lockflight.formats.render.texts import indexed, text_filter
from lockflight.formats.render.values import (
    Lost,
    Piece,
    Raised,
    Sym,
    Text,
    Undefined,
    inside,
    joined,
    literal,
    pieces,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lockflight.formats.jinja.node import Node
    from lockflight.formats.render.runner import Runner

# -- filters and methods --


def filtered(
    machine: Runner, node: Node, value: object, args: list[object], named: dict[str, object]
) -> object:
    """`value | name(args)`."""
    name = node.value
    if named and name not in _NAMED:
        raise Lost(f"named arguments of {name}")
    if name in _PUTTING:
        _check_put(machine, name, [*args, *named.values()])
    if name in {"default", "d"}:
        other = args[0] if args else named.get("default_value", "")
        empty = (args[1] if len(args) > 1 else named.get("boolean", False)) is True
        missing = isinstance(value, Undefined) or (empty and not machine.true(node, value))
        return other if missing else value
    if name in _LISTS:
        return _LISTS[name](machine, node, value, args, named)
    if name in {"int", "float"}:
        args = args or [named.get("default", 0)]
        if isinstance(value, Undefined):
            return args[0]
    if isinstance(value, Undefined) and name not in _OF_NOTHING:
        value = ""
    return text_filter(machine, node, name, value, args)


#: Filters that see a missing value as it is.
_OF_NOTHING: Final = frozenset({"string", "length", "count", "list", "trim", "tojson", "items"})
#: Filters that put their arguments between or before the words of a text.
_PUTTING: Final = frozenset({"indent", "tojson", "wordwrap", "truncate", "batch", "slice"})
#: Filters whose named arguments are followed, or only say in which order things come.
_NAMED: Final = _PUTTING | {
    *("default", "d", "join", "map", "int", "float"),
    *("sort", "dictsort", "unique", "min", "max", "sum", "groupby"),
}


def _check_put(machine: Runner, name: str, args: list[object]) -> None:
    machine.meter.read(args)
    if any(isinstance(arg, int) and arg > _MAX_WIDTH for arg in args):
        raise Lost("it builds a very long text")
    if any(char.isalpha() for char in literal(args)):
        raise Lost(f"it puts words in by the filter {name}")


# -- filters of lists --

#: Spaces before a line, or characters in one.
_MAX_WIDTH: Final = 10_000

#: Characters of the name of an attribute, with dots.
_MAX_PATH: Final = 1_000

_LAZY: Final = frozenset({"map", "select", "reject", "selectattr", "rejectattr"})


def _values(machine: Runner, node: Node, value: object) -> list[object]:
    # Jinja asks whether there is anything before it goes through it.
    found = [] if value is None and node.value in _LAZY else machine.items(node, value)
    machine.meter.step(len(found))
    return found


def _join(machine: Runner, node: Node, value: object, args: list[object], named: dict[str, object]) -> object:
    glue = pieces(args[0]) if args else pieces(named.get("d", ""))
    attribute = named.get("attribute", args[1] if len(args) > 1 else None)
    machine.meter.read(value, args)

    def parts() -> Iterator[Piece]:
        for i, item in enumerate(_values(machine, node, value)):
            yield from glue if i else ()
            yield from pieces(item if attribute is None else machine.member(node, item, attribute))

    return joined(parts())


def _first(machine: Runner, node: Node, value: object, _: list[object], __: dict[str, object]) -> object:
    if isinstance(value, (Sym, Text)):
        return indexed(machine, node, value, 0)
    found = _values(machine, node, value)
    return (found[0] if node.value == "first" else found[-1]) if found else Undefined(node.value)


def _list(machine: Runner, node: Node, value: object, _: list[object], __: dict[str, object]) -> object:
    if isinstance(value, Sym):
        return Sym(value.source, value.kind, "list", value.changed or "taken apart", value.carried)
    return _values(machine, node, value)


def _items(machine: Runner, node: Node, value: object, _: list[object], __: dict[str, object]) -> object:
    if isinstance(value, dict):
        machine.meter.items(len(value))
        return list(value.items())
    return value if isinstance(value, Sym) else _values(machine, node, value)


def _map(machine: Runner, node: Node, value: object, args: list[object], named: dict[str, object]) -> object:
    if "attribute" in named:
        default = named.get("default", Undefined("attribute"))
        found = [_path(machine, node, item, named["attribute"]) for item in _values(machine, node, value)]
        return [default if isinstance(item, Undefined) else item for item in found]
    if not args or not isinstance(args[0], str):
        raise Raised
    return [machine.mapped(node, args[0], item, args[1:]) for item in _values(machine, node, value)]


def _path(machine: Runner, node: Node, item: object, path: object) -> object:
    found = item
    if isinstance(path, str) and len(path) > _MAX_PATH:
        raise Lost("it asks for a very long name")
    for part in str(path).split("."):
        found = machine.member(node, found, part)
    return found


def _select(machine: Runner, node: Node, value: object, args: list[object], _: dict[str, object]) -> object:
    wanted = node.value.startswith("select")
    by = node.value.endswith("attr")
    if by and not args:
        raise Raised
    rest = args[1:] if by else args
    kept = []
    for item in _values(machine, node, value):
        judged = _path(machine, node, item, args[0]) if by else item
        found = tested(machine, node, str(rest[0]), judged, rest[1:]) if rest else machine.true(node, judged)
        if found is wanted:
            kept.append(item)
    return kept


def _sort(machine: Runner, node: Node, value: object, _: list[object], named: dict[str, object]) -> object:
    """Known texts or numbers in order; what is not known stays as it is."""
    machine.meter.read(value)
    attribute = named.get("attribute")
    if isinstance(value, dict):
        pairs = list(value.items())
        known = all(isinstance(key, str) for key, _ in pairs)
        return sorted(pairs, key=lambda pair: str(pair[0]).lower()) if known else pairs
    found = _values(machine, node, value)
    if all(isinstance(item, str) for item in found):
        return sorted(found, key=str)
    if len(found) > 1 and inside(found) is not None and (attribute is None or attribute not in KEYS):
        raise Lost(f"{node.value} of unknown words")
    return found


def _unique(machine: Runner, node: Node, value: object, _: list[object], __: dict[str, object]) -> object:
    found: list[object] = []
    items = _values(machine, node, value)
    if len(items) > 1 and inside(items) is not None:
        raise Lost("unique of unknown words")
    # Each may be held against each other one.
    machine.meter.step(machine.meter.read(items) * len(items) >> 8)
    for item in items:
        if item not in found:
            found.append(item)
    return found


def _chunks(machine: Runner, node: Node, value: object, args: list[object], _: dict[str, object]) -> object:
    size = args[0] if args else 0
    if not isinstance(size, int) or size < 1:
        raise Lost(f"{node.value} of no size")
    machine.meter.items(size)
    found = _values(machine, node, value)
    if node.value == "batch":
        return [found[i : i + size] for i in range(0, len(found), size)]
    return [found[i::size] for i in range(size)]


def _extreme(machine: Runner, node: Node, value: object, _: list[object], __: dict[str, object]) -> object:
    found = _values(machine, node, value)
    machine.meter.read(found)
    sym = inside(found)
    if sym is not None:
        return derived(sym, kind="number", carried=literal(found))
    numbers = [item for item in found if isinstance(item, (int, float))]
    if len(numbers) != len(found):
        if node.value != "sum" and all(isinstance(item, str) for item in found) and found:
            return (max if node.value == "max" else min)(map(str, found))
        raise Lost(f"{node.value} of what is no number")
    if node.value == "sum":
        return sum(numbers)
    return (max if node.value == "max" else min)(numbers) if numbers else Undefined(node.value)


_LISTS: Final[dict[str, Callable[[Runner, Node, object, list[object], dict[str, object]], object]]] = {
    "join": _join,
    "first": _first,
    "last": _first,
    "list": _list,
    "items": _items,
    "map": _map,
    "select": _select,
    "reject": _select,
    "selectattr": _select,
    "rejectattr": _select,
    "sort": _sort,
    "dictsort": _sort,
    "unique": _unique,
    "batch": _chunks,
    "slice": _chunks,
    "min": _extreme,
    "max": _extreme,
    "sum": _extreme,
}
