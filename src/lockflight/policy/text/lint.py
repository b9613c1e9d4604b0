"""The lint of gate policies: pure, and within what every engine computes alike.

A decision must be a function of the facts alone, so clocks, randomness, the network and the environment are out;
so is whatever two engines disagree on (decimals, division, string templates, some built-in functions). What is not
known to be good is refused.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from lockflight.core.records import dataclass
from lockflight.policy.text.names import TEST_SUFFIX
from lockflight.policy.text.tokens import KEYWORDS, Kind, Token, tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Built-in functions that are pure and equal on OPA and regorus for the integers and texts of facts.
ALLOWED = frozenset(
    {
        "abs",
        "array.concat",
        "array.reverse",
        "array.slice",
        "concat",
        "count",
        "endswith",
        "format_int",
        "indexof",
        "intersection",
        "is_array",
        "is_boolean",
        "is_null",
        "is_number",
        "is_object",
        "is_set",
        "is_string",
        "lower",
        "max",
        "min",
        "net.cidr_contains",
        "object.filter",
        "object.get",
        "object.keys",
        "object.remove",
        "object.subset",
        "object.union",
        "object.union_n",
        "product",
        "regex.match",
        "replace",
        "semver.compare",
        "semver.is_valid",
        "set",
        "sort",
        "split",
        "sprintf",
        "startswith",
        "strings.count",
        "strings.reverse",
        "substring",
        "sum",
        "time.parse_rfc3339_ns",
        "to_number",
        "trim",
        "trim_left",
        "trim_prefix",
        "trim_right",
        "trim_space",
        "trim_suffix",
        "type_name",
        "union",
        "upper",
    }
)

#: First names of built-in functions that read the outside, or on which engines differ.
FORBIDDEN = frozenset(
    {
        "crypto",
        "graphql",
        "http",
        "io",
        "opa",
        "providers",
        "rand",
        "rego",
        "trace",
        "uuid",
        "print",
        "input_file",
    }
)
_IMPURE_TIME = "time.now_ns"

_IMPORTS = ("data", "input", "rego.v1", "future.keywords")


@dataclass(frozen=True, slots=True)
class Issue:
    """Why a module may not be part of a gate policy."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


@dataclass(slots=True)
class _Module:
    path: str
    tokens: list[Token]
    package: str = ""
    imports: dict[str, str] = field(default_factory=dict)
    heads: dict[str, int] = field(default_factory=dict)
    calls: list[tuple[str, str, int]] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)

    def complain(self, line: int, what: str) -> None:
        self.issues.append(Issue(self.path, line, what))


def lint(sources: Mapping[str, str], roots: Iterable[str]) -> tuple[Issue, ...]:
    """Every reason why these modules may not judge; empty when they may.

    Args:
        sources: path to text. Modules named `*_test.rego` may use `with`, and only there.
        roots: first names of the packages that the bundle owns.
    """
    modules = [_read(path, source) for path, source in sorted(sources.items())]
    allowed = set(roots)
    functions = {f"{m.package}.{head}" for m in modules for head in m.heads}
    for module in modules:
        first = module.package.partition(".")[0]
        if first not in allowed:
            module.complain(1, f"the package {module.package or '?'!r} lies outside the bundle's roots")
        for caller, name, line in module.calls:
            if _resolve(module, name) not in functions and name not in ALLOWED:
                module.complain(
                    line, f"{name}() (in {caller or 'the module'}) is no function that a gate may call"
                )
    issues = [issue for module in modules for issue in module.issues]
    return tuple(sorted((*issues, *_recursion(modules, functions)), key=lambda i: (i.path, i.line, i.what)))


def _read(path: str, source: str) -> _Module:
    module = _Module(path, list(tokens(source)))
    head = ""
    for i, token in enumerate(module.tokens):
        after = module.tokens[i + 1] if i + 1 < len(module.tokens) else None
        before = module.tokens[i - 1] if i else None
        if token.kind is Kind.PATH:
            if token.first and token.text not in {"else", "import", "package", "default"}:
                head = token.text
                module.heads.setdefault(head, token.line)
            _read_path(module, token, before, after, head)
        else:
            _read_other(module, token)
    return module


def _read_path(module: _Module, token: Token, before: Token | None, after: Token | None, head: str) -> None:
    name, line = token.text, token.line
    if before is not None and before.text == "package":
        module.package = name
        return
    if before is not None and before.text == "import":
        _read_import(module, token, after)
        return
    if before is not None and before.text == "as":
        return
    member = before is not None and before.text == "."
    if name == "with" and not module.path.endswith(TEST_SUFFIX):
        module.complain(line, "`with` replaces what the rule is judged by")
    if not member and (token.parts[0] in FORBIDDEN or name.startswith(_IMPURE_TIME)):
        module.complain(line, f"{name} reads more than the facts, or engines differ on it")
    if name == "data" and not member:
        module.complain(line, "data as a whole holds the policy's own rules, and engines differ on them")
    if len(token.parts) > 1 and KEYWORDS.intersection(token.parts):
        module.complain(line, f"{name} has a keyword in its path, which not every engine reads")
    if (
        after is not None
        and after.text == "("
        and name not in KEYWORDS
        and not (token.first and name == head)
    ):
        module.calls.append((head, name, line))


def _read_import(module: _Module, token: Token, after: Token | None) -> None:
    name = token.text
    if name == "data" or not any(name == known or name.startswith(known + ".") for known in _IMPORTS):
        module.complain(token.line, f"the import {name} is neither facts nor data")
    if after is not None and after.text == "as" and after.line == token.line:
        following = module.tokens[module.tokens.index(after) + 1 :][:1]
        alias = following[0].text if following else ""
    else:
        alias = token.parts[-1]
    module.imports[alias] = name


def _read_other(module: _Module, token: Token) -> None:
    if token.kind is Kind.TEMPLATE:
        module.complain(token.line, "string templates are not read by every engine")
    elif token.kind is Kind.NUMBER and not token.text.isdigit():
        module.complain(
            token.line,
            f"{token.text} is a decimal, on which engines differ; use integers (ppm, basis points)",
        )
    elif token.kind is Kind.OPERATOR and token.text == "/":
        module.complain(token.line, "division gives decimals, on which engines differ")
    elif token.kind is Kind.OPERATOR and token.text in {'"', "`"}:
        module.complain(token.line, "a string does not end")


def _resolve(module: _Module, name: str) -> str:
    """Full name of a rule or function as this module names it, without `data.`."""
    first, _, rest = name.partition(".")
    if first == "data":
        return rest
    target = module.imports.get(first)
    if target is not None and rest:
        return f"{target.removeprefix('data.')}.{rest}"
    return f"{module.package}.{name}"


def _recursion(modules: list[_Module], functions: set[str]) -> list[Issue]:
    """Functions that reach themselves: engines refuse them when they load, or run out of stack."""
    calls: dict[str, set[str]] = {}
    places: dict[str, tuple[str, int]] = {}
    for module in modules:
        for head, line in module.heads.items():
            places.setdefault(f"{module.package}.{head}", (module.path, line))
        for caller, name, _ in module.calls:
            target = _resolve(module, name)
            if target in functions:
                calls.setdefault(f"{module.package}.{caller}", set()).add(target)
    return [
        Issue(*places[name], f"{name} calls itself")
        for name in sorted(calls)
        if name in places and name in _reached(calls, name)
    ]


def _reached(calls: Mapping[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    todo = list(calls.get(start, ()))
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo.extend(calls.get(name, ()))
    return seen
