"""Which dotted names an expression may stand for: imports, aliases and results of calls are followed.

`import torch as t; load = t.load; load(f)` resolves to `torch.load`; the result of `tarfile.open(f)` is named
`tarfile.open()`, so its methods can be told from those of other archives. Resolution does not follow the order of
statements: a name stands for everything that it is bound to in its function or around it.
"""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from dataclasses import field
from typing import TYPE_CHECKING, TypeAlias

from lockflight.core.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

Names: TypeAlias = frozenset[str]
Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

_NONE: Names = frozenset()
_BUILTINS = frozenset({*dir(builtins), "__builtins__"})
_MAX_NAMES = 8
_MAX_LENGTH = 160
_IMPORTERS = frozenset({"__import__", "importlib.import_module", "importlib.__import__"})


@dataclass(slots=True)
class Scope:
    """A module, class, function or lambda.

    Attributes:
        owner: its node.
        parent: the scope around it, None for the module.
        nodes: the nodes that belong to it and to no scope inside it, in document order.
        aliases: local name to the dotted names that it may stand for.
        bound: local names that are bound to something of the module itself, so they are no builtins.
        values: local name to the immutable value that it is assigned, for names that are bound exactly once.
    """

    owner: ast.AST
    parent: Scope | None = None
    nodes: list[ast.AST] = field(default_factory=list)
    aliases: dict[str, Names] = field(default_factory=dict)
    bound: set[str] = field(default_factory=set)
    values: dict[str, ast.expr] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Dotted name of the function or class, empty for the module."""
        own = getattr(self.owner, "name", "<lambda>") if self.parent else ""
        above = self.parent.name if self.parent else ""
        return f"{above}.{own}" if above else own


class Module:
    """The scopes of one syntax tree and what their names stand for."""

    def __init__(self, tree: ast.Module) -> None:
        self.scopes: list[Scope] = []
        self._stars: list[str] = []
        self._collect(tree)
        shared: set[str] = set()
        for scope in self.scopes:
            for node in scope.nodes:
                self._bind(scope, node)
                if isinstance(node, ast.Global | ast.Nonlocal):
                    shared.update(node.names)
        for scope in self.scopes:
            scope.values = {n: v for n, v in _single_values(scope.nodes) if n not in shared}

    def resolve(self, node: ast.expr, scope: Scope) -> Names:
        """The dotted names that the value of an expression may have; empty when nothing is known."""
        match node:
            case ast.Name(id=name):
                return self._lookup(name, scope)
            case ast.Attribute(value=ast.Name(id="self")):
                return self._lookup(dotted(node), scope)
            case ast.Attribute(value=value, attr=attr):
                return _cut(f"{base}.{attr}" for base in self.resolve(value, scope))
            case ast.Call():
                return self._result(node, scope)
            case ast.Await(value=value) | ast.NamedExpr(value=value):
                return self.resolve(value, scope)
            case ast.IfExp(body=first, orelse=second):
                return _cut(self.resolve(first, scope) | self.resolve(second, scope))
            case ast.BoolOp(values=values):
                return _cut(name for value in values[:_MAX_NAMES] for name in self.resolve(value, scope))
            case ast.Subscript(value=value, slice=ast.Constant(value=str(key))):
                return self._item(value, key, scope)
        return _NONE

    def value(self, name: str, scope: Scope) -> ast.expr | None:
        """What a name is bound to, when it is bound exactly once; None otherwise."""
        place: Scope | None = scope
        while place is not None:
            if name in place.values:
                return place.values[name]
            place = None if name in place.bound else place.parent
        return None

    def _collect(self, tree: ast.Module) -> None:
        """Sort every node into its scope, without recursion: trees of hostile sources are deep."""
        module = Scope(tree)
        self.scopes.append(module)
        stack: list[tuple[ast.AST, Scope]] = [
            (child, module) for child in reversed(list(ast.iter_child_nodes(tree)))
        ]
        while stack:
            node, scope = stack.pop()
            scope.nodes.append(node)
            inner = scope
            if isinstance(node, Function | ast.ClassDef | ast.Lambda):
                inner = Scope(node, scope)
                self.scopes.append(inner)
            stack.extend((child, inner) for child in reversed(list(ast.iter_child_nodes(node))))

    def _bind(self, scope: Scope, node: ast.AST) -> None:
        match node:
            case ast.Import(names=names):
                for alias in names:
                    local = alias.asname or alias.name.split(".")[0]
                    self._add(scope, local, {alias.name if alias.asname else local})
            case ast.ImportFrom(module=module, names=names, level=level):
                prefix = "." * level + (module or "")
                for alias in names:
                    if alias.name == "*":
                        self._stars.append(prefix)
                    else:
                        self._add(scope, alias.asname or alias.name, {f"{prefix}.{alias.name}"})
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._assign(scope, target, value)
            case (
                ast.AnnAssign(target=target, value=ast.expr() as value)
                | ast.NamedExpr(target=target, value=value)
            ):
                self._assign(scope, target, value)
            case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
                self._assign(scope, target, value)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                scope.bound.add(name)
            case ast.arg(arg=name):
                scope.bound.add(name)

    def _assign(self, scope: Scope, target: ast.expr, value: ast.expr) -> None:
        name = dotted(target)
        if name:
            self._add(scope, name, self.resolve(value, scope))
            scope.bound.add(name)

    def _add(self, scope: Scope, local: str, names: Names | set[str]) -> None:
        if local.startswith("self.") and scope.parent is not None:
            scope = scope.parent  # the class, where its other methods look
        if names:
            scope.aliases[local] = _cut(scope.aliases.get(local, _NONE) | names)

    def _lookup(self, name: str, start: Scope) -> Names:
        scope: Scope | None = start
        while scope is not None:
            # The names of a class are no names inside its methods, except through self.
            if scope is start or name.startswith("self.") or not isinstance(scope.owner, ast.ClassDef):
                if name in scope.aliases:
                    return scope.aliases[name]
                if name in scope.bound:
                    return _NONE
            scope = scope.parent
        if name in _BUILTINS:
            return frozenset({name})
        return _cut(f"{module}.{name}" for module in self._stars)

    def _result(self, call: ast.Call, scope: Scope) -> Names:
        callees = self.resolve(call.func, scope)
        match call.args:
            case [ast.Constant(value=str(module)), *_] if callees & _IMPORTERS:
                return _cut({module, module.split(".")[0]})
            case [owner, ast.Constant(value=str(attr)), *_] if "getattr" in callees:
                return _cut(f"{base}.{attr}" for base in self.resolve(owner, scope))
            case [function, *_] if "functools.partial" in callees:
                return self.resolve(function, scope)
        return _cut(f"{callee}()" for callee in callees)

    def _item(self, value: ast.expr, key: str, scope: Scope) -> Names:
        names = self.resolve(value, scope)
        if names & {"sys.modules"}:
            return frozenset({key})
        if names & {"builtins.__dict__", "__builtins__", "globals()", "vars()"} and key in _BUILTINS:
            return frozenset({key})
        return _NONE


def _single_values(nodes: list[ast.AST]) -> Iterator[tuple[str, ast.expr]]:
    """Names that are stored once, by a plain assignment of something that cannot change."""
    stores = Counter(
        node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
    )
    others = {node.arg for node in nodes if isinstance(node, ast.arg)}
    others |= {node.name for node in nodes if isinstance(node, Function | ast.ClassDef)}
    others |= {node.name for node in nodes if isinstance(node, ast.ExceptHandler) and node.name}
    for node in nodes:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                if (
                    stores[name] == 1
                    and name not in others
                    and not isinstance(value, ast.List | ast.Dict | ast.Set)
                ):
                    yield name, value


def dotted(node: ast.expr) -> str:
    """`a` or `self.a` for a target of an assignment; empty for anything else."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id="self"), attr=attr):
            return f"self.{attr}"
    return ""


def calls(scope: Scope) -> Iterator[ast.Call]:
    """The calls of a scope in document order."""
    return (node for node in scope.nodes if isinstance(node, ast.Call))


def _cut(names: Iterator[str] | Names | set[str]) -> Names:
    """A bounded set; `builtins.eval` is `eval`."""
    plain = (name.removeprefix("builtins.").removeprefix("__builtins__.") for name in names)
    return frozenset(sorted(name for name in plain if len(name) <= _MAX_LENGTH)[:_MAX_NAMES])
