"""Programs of torch.export: the graph, the shapes and the structures that a `.pt2` archive describes in JSON.

It looks like data, and its loader does more with it than read it (torch 2.13): an operator's name is looked up from
`torch`, `operator` or `math` by `getattr`, so that `torch.serialization.os.system` is one; shapes are expressions that
`sympy.sympify` evaluates; guards are Python that `ExportedProgram.module` executes; structures of arguments name
modules to import. Each of these is held to what torch itself writes.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from lockflight.core.findings import Verdict
from lockflight.core.records import dataclass
from lockflight.formats.nesting import too_deep
from lockflight.formats.report import Issue, Issues, shown
from lockflight.formats.settings.jsontext import BadJson, parse_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockflight.core.canonical import JsonValue
    from lockflight.core.source import ByteSource
    from lockflight.formats.torch.script import TorchTables

MAX_PROGRAM: Final = 64 * 1024 * 1024
MAX_NODES: Final = 5_000_000
_MAX_EXPRESSION: Final = 64 * 1024

_OPERATOR: Final = re.compile(r"torch\.ops\.([A-Za-z0-9_]+)\.([A-Za-z0-9_]+)(?:\.[A-Za-z0-9_]+)?\Z")
#: Prefixes that make the loader look a name up.
_LOOKED_UP: Final = ("torch", "_operator", "math", "#")
#: A text stands nowhere but in `Symbol('s0', ..)` and `Float('0.5', ..)`: elsewhere sympy would evaluate it again.
_PIECE: Final = re.compile(
    r"\s+|Symbol\('[A-Za-z0-9_]{1,64}'|Float\('[0-9.eE+-]{1,64}'|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|"
    r"[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\*\*|//|<=|>=|==|!=|[-+*/%(),<>=&|~]"
)
#: Keywords of `Symbol` and `Float`, and values.
_WORDS: Final = frozenset(
    [
        "positive",
        "negative",
        "integer",
        "real",
        "nonnegative",
        "finite",
        "precision",
        "dps",
        "True",
        "False",
        "oo",
        "zoo",
        "nan",
        "true",
        "false",
    ]
)
_SYMBOL: Final = re.compile(r"[a-z]{1,3}[0-9]{1,9}\Z")
#: What a guard asks of the inputs.
_INPUT: Final = re.compile(
    r"\bL(?:\['[A-Za-z0-9_]*'\]|\[[0-9]+\])+(?:\.(?:size\(\)|stride\(\)|shape)\[[0-9]+\]|\.storage_offset\(\))?"
)
_JOINED: Final = re.compile(r"\b(?:and|or|not)\b")
#: Fields whose keys are names that the program's author chose.
_NAMED: Final = frozenset(
    {
        "tensor_values",
        "sym_int_values",
        "sym_bool_values",
        "sym_float_values",
        "custom_obj_values",
        "range_constraints",
        "as_string_to_argument",
        "treespec_namedtuple_fields",
    }
)
_FACTORIES: Final = frozenset({"list", "dict", "int", "float", "str", "set", "tuple", "bool"})
_PROGRAM: Final = frozenset({"graph_module", "schema_version"})


@dataclass(frozen=True, slots=True)
class Payload:
    """A file of weights or constants that a configuration names: `pickled`, or bytes of a tensor."""

    name: str
    pickled: bool


def check_program(source: ByteSource, tables: TorchTables) -> tuple[Issue, ...]:
    """Check a serialised exported program."""
    value, problem = _read(source)
    if problem is not None:
        return (problem,)
    if not isinstance(value, dict) or not value.keys() >= _PROGRAM:
        return (_broken("it has no graph"),)
    return _Program(tables).check(value)


def read_payloads(source: ByteSource) -> tuple[tuple[Payload, ...], tuple[Issue, ...]]:
    """The files that a configuration of weights or constants names."""
    value, problem = _read(source)
    if problem is not None:
        return (), (problem,)
    config = value.get("config") if isinstance(value, dict) else None
    if not isinstance(config, dict):
        return (), (_broken("its list of tensors is none"),)
    found: dict[str, Payload] = {}
    for entry in config.values():
        if not isinstance(entry, dict):
            return (), (_broken("its list of tensors is none"),)
        name, pickled = entry.get("path_name"), entry.get("use_pickle")
        if not isinstance(name, str) or not isinstance(pickled, bool):
            return (), (_broken("its list of tensors is none"),)
        known = found.setdefault(name, Payload(name, pickled))
        if known.pickled != pickled:
            return (), (_broken("one file is said to be a pickle and not to be one"),)
    return tuple(found.values()), ()


def _read(source: ByteSource) -> tuple[JsonValue, Issue | None]:
    if source.size > MAX_PROGRAM:
        message = f"The program is larger than the {MAX_PROGRAM >> 20} MiB that are read."
        return None, Issue("torch:budget", Verdict.UNKNOWN, message)
    try:
        return parse_json(source.read_at(0, source.size)), None
    except BadJson as error:
        return None, _broken(str(error))


def _broken(why: str) -> Issue:
    return Issue("torch:program", Verdict.UNKNOWN, f"The program cannot be judged: {why}.")


class _Program:
    def __init__(self, tables: TorchTables) -> None:
        self.tables = tables
        self.issues = Issues()
        self.expressions: set[str] = set()

    def check(self, root: JsonValue) -> tuple[Issue, ...]:
        stack: list[JsonValue] = [root]
        seen = 0
        while stack:
            value = stack.pop()
            seen += 1
            if seen > MAX_NODES:
                message = "The program has more parts than are read."
                self.issues.add(Issue("torch:budget", Verdict.UNKNOWN, message))
                break
            if isinstance(value, list):
                stack.extend(item for item in value if isinstance(item, (list, dict)))
            elif isinstance(value, dict):
                for key, inner in value.items():
                    self._field(key, inner)
                    # Metadata is shown to people; its values are texts that are split, never evaluated.
                    if key in _NAMED and isinstance(inner, dict):
                        stack.append(list(inner.values()))
                    elif isinstance(inner, (list, dict)) and key != "metadata":
                        stack.append(inner)
        return self.issues.frozen()

    def _field(self, key: str, value: JsonValue) -> None:
        if key in {"target", "as_operator"}:
            self._target(value)
        elif key == "expr_str":
            self._expression(value)
        elif key in {"in_spec", "out_spec"}:
            self._tree(value)
        elif key == "guards_code":
            self._guards(value)
        elif key == "range_constraints" and isinstance(value, dict):
            for name in value:
                self._expression(name)
        elif key == "class_fqn":
            self._class(value)

    def _target(self, value: JsonValue) -> None:
        if not isinstance(value, str):
            self.issues.add(_broken("the name of an operator is no text"))
            return
        found = _OPERATOR.match(value)
        if found is not None:
            issue = self.tables.operator(found.group(1), found.group(2))
            if issue is not None:
                self.issues.add(issue)
        elif value not in self.tables.targets:
            subject = shown(value, 200)[1:-1]
            looked_up = value.startswith(_LOOKED_UP)
            message = f"The program calls {subject}, which is no operator of torch."
            verdict = Verdict.MALICIOUS if looked_up else Verdict.UNKNOWN
            self.issues.add(Issue("torch:lookup", verdict, message, subject=subject))

    def _expression(self, value: JsonValue) -> None:
        """A shape, which sympy evaluates as Python: only numbers, symbols and listed functions."""
        if isinstance(value, str) and value in self.expressions:
            return
        if not isinstance(value, str) or len(value) > _MAX_EXPRESSION or not self._plain(value):
            subject = shown(str(value), 60)[1:-1]
            message = f"A shape of the program is an expression that torch does not write: {subject}."
            self.issues.add(Issue("torch:expression", Verdict.MALICIOUS, message, subject=subject))
            return
        self.expressions.add(value)

    def _plain(self, text: str) -> bool:
        at = 0
        while at < len(text):
            found = _PIECE.match(text, at)
            if found is None:
                return False
            name = found.group("name")
            if name and name not in _WORDS and name not in self.tables.symbols and not _SYMBOL.match(name):
                return False
            at = found.end()
        return True

    def _guards(self, value: JsonValue) -> None:
        if not isinstance(value, list) or not all(isinstance(guard, str) for guard in value):
            self.issues.add(_broken("its guards are no texts"))
            return
        for guard in value:
            plain = _JOINED.sub("&", _INPUT.sub("0", str(guard)))
            if len(plain) > _MAX_EXPRESSION or not self._plain(plain):
                subject = shown(str(guard), 60)[1:-1]
                message = f"A guard of the program is Python that torch does not write: {subject}."
                self.issues.add(Issue("torch:expression", Verdict.MALICIOUS, message, subject=subject))

    def _class(self, value: JsonValue) -> None:
        from lockflight.formats.torch.script import foreign_class

        issue = foreign_class(str(value), self.tables)
        if issue is not None:
            self.issues.add(issue)

    def _tree(self, value: JsonValue) -> None:
        """A structure of arguments: JSON in a text, whose contexts may name modules to import."""
        if value in {"", None}:
            return
        try:
            root = parse_json(str(value).encode())
        except BadJson as error:
            self.issues.add(_broken(f"the structure of its arguments: {error}"))
            return
        for node in _nodes(root):
            kind, context = node.get("type"), node.get("context")
            if kind is not None and kind not in self.tables.trees:
                subject = shown(str(kind), 200)[1:-1]
                message = f"An argument of the program has the type {subject}, which is not on the list."
                self.issues.add(Issue("torch:tree", Verdict.UNKNOWN, message, subject=subject))
            elif not _harmless(kind, context):
                message = "The structure of an argument makes the loader import a module."
                self.issues.add(
                    Issue("torch:tree", Verdict.MALICIOUS, message, subject=shown(str(context), 200)[1:-1])
                )


def _nodes(root: JsonValue) -> Iterator[dict[str, JsonValue]]:
    stack = [root]
    while stack:
        value = stack.pop()
        if isinstance(value, list):
            stack.extend(value)
        elif isinstance(value, dict):
            if "type" in value or "context" in value:
                yield value
            children = value.get("children_spec")
            if isinstance(children, list):
                stack.extend(children)


def _harmless(kind: JsonValue, context: JsonValue) -> bool:
    """Whether reading a context imports nothing."""
    if context is None or isinstance(context, (int, str)):
        if kind == "collections.namedtuple" or not isinstance(context, str):
            return True
        if too_deep(context.encode("utf-8", "replace")):
            return False
        try:
            return _plain_keys(json.loads(context))
        except ValueError:
            return False
    if kind == "collections.defaultdict" and isinstance(context, dict):
        named = context.get("default_factory_module"), context.get("default_factory_name")
        return named[0] == "builtins" and named[1] in _FACTORIES and _plain_keys(context.get("dict_context"))
    return _plain_keys(context)


def _plain_keys(value: object) -> bool:
    """Keys of a dict, a length or nothing: no object, which could be an enumeration to import."""
    if isinstance(value, list):
        return all(item is None or isinstance(item, (str, int, float, bool)) for item in value)
    return value is None or isinstance(value, (str, int, float, bool))
