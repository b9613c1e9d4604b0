"""What rules can ask of the arguments of a call, and of a text that is put together."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class CallView:
    """One call as the rules see it.

    Attributes:
        node: the call.
        names: the dotted names that its callee may have.
        lasts: the last parts of those names, and of the callee as it is written.
    """

    node: ast.Call
    names: frozenset[str]
    lasts: frozenset[str]

    def keyword(self, name: str) -> ast.expr | None:
        """The value of a keyword argument, or None."""
        return next((k.value for k in self.node.keywords if k.arg == name), None)

    def argument(self, position: int, name: str = "") -> ast.expr | None:
        """The value of an argument that is given by position or by name, or None."""
        positional = self.node.args[: position + 1]
        if len(positional) > position and not any(isinstance(a, ast.Starred) for a in positional):
            return positional[position]
        return self.keyword(name) if name else None

    @property
    def spread(self) -> bool:
        """Whether `**something` may hold any keyword."""
        return any(k.arg is None for k in self.node.keywords)


def constant(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def is_literal(node: ast.expr | None) -> bool:
    """Whether an expression is fixed in the source: constants, their concatenations, lists and tuples."""
    match node:
        case None | ast.Constant():
            return True
        case ast.BinOp(left=left, right=right):
            return is_literal(left) and is_literal(right)
        case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.JoinedStr(values=elements):
            return all(is_literal(element) for element in elements)
    return False


def keyword_is(name: str, value: object) -> Callable[[CallView], bool]:
    """The keyword is this constant."""
    return lambda call: constant(call.keyword(name), value)


def keyword_is_not(name: str, value: object) -> Callable[[CallView], bool]:
    """The keyword is absent or another value; unknown when it may hide in `**keywords`, which counts as absent."""
    return lambda call: not constant(call.keyword(name), value)


def keywords_absent(*names: str) -> Callable[[CallView], bool]:
    """None of the keywords is given, also not through `**keywords`."""
    return lambda call: not call.spread and all(call.keyword(name) is None for name in names)


def dynamic(position: int = 0, name: str = "") -> Callable[[CallView], bool]:
    """The argument is given and is no literal."""

    def check(call: CallView) -> bool:
        starred = any(isinstance(a, ast.Starred) for a in call.node.args[: position + 1])
        return starred or not is_literal(call.argument(position, name))

    return check


def unsafe_yaml(call: CallView) -> bool:
    loader = call.argument(1, "Loader")
    name = loader.attr if isinstance(loader, ast.Attribute) else loader.id if isinstance(loader, ast.Name) else ""
    return not any(word in name for word in ("SafeLoader", "BaseLoader"))


def shell(call: CallView) -> bool:
    return constant(call.keyword("shell"), True) and dynamic(0, "args")(call)  # noqa: FBT003


_HUB_ID = re.compile(r"^[\w.-]{1,96}/[\w.-]{1,96}$")
_COMMIT = re.compile(r"^[0-9a-f]{40}$")


def unpinned_hub(call: CallView) -> bool:
    """A constant `organisation/name` without a revision that is a commit."""
    match call.argument(0, "repo_id") or call.keyword("model") or call.keyword("pretrained_model_name_or_path"):
        case ast.Constant(value=str(name)) if _HUB_ID.match(name) and not name.startswith((".", "data/", "models/")):
            pass
        case _:
            return False
    match call.keyword("revision"):
        case ast.Constant(value=str(revision)):
            return not _COMMIT.match(revision)
        case None:
            return not call.spread
    return False


def pipeline_unpinned(call: CallView) -> bool:
    return unpinned_hub(CallView(ast.Call(call.node.func, call.node.args[1:2], call.node.keywords), call.names, call.lasts))


def torch_hub(call: CallView) -> bool:
    match call.keyword("source"):
        case ast.Constant(value="local"):
            return False
    match call.argument(0, "repo_or_dir"):
        case ast.Constant(value=str(repo)):
            return not _COMMIT.match(repo.partition(":")[2])
    return True


def _any_host(node: ast.expr | None) -> bool:
    match node:
        case ast.Constant(value=str(host)):
            return host in {"0.0.0.0", "::"}  # noqa: S104 - this is what the rule looks for
        case ast.Tuple(elts=[ast.Constant(value=str(host)), _]):
            return host in {"", "0.0.0.0", "::"}  # noqa: S104 - as above
    return False


def binds_all(call: CallView) -> bool:
    return ("bind" in call.lasts and _any_host(call.argument(0))) or any(_any_host(call.keyword(name)) for name in ("host", "server_name", "bind", "address"))


def built_text(node: ast.expr | None) -> bool:
    """Whether a text is put together from parts that are not fixed: f-string, `%`, `+` or `.format()`."""
    match node:
        case ast.JoinedStr(values=values):
            return any(isinstance(value, ast.FormattedValue) and not is_literal(value.value) for value in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return (_is_text(left) or _is_text(right)) and not is_literal(node)
        case ast.BinOp(left=ast.Constant(value=str()), op=ast.Mod()):
            return True
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str()), attr="format")):
            return True
    return False


def _is_text(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=str()) | ast.JoinedStr():
            return True
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _is_text(left) or _is_text(right)
    return False


_SQL = re.compile(r"(?is)^\W*(?:select|insert|update|delete|replace|merge|with|create|alter|drop|truncate|copy|attach|pragma)\b")


def sql_built(call: CallView) -> bool:
    text = call.argument(0, "sql") or call.keyword("query")
    return built_text(text) and _SQL.match(_first_text(text)) is not None


def _first_text(node: ast.expr | None) -> str:
    while True:
        match node:
            case ast.Constant(value=str(text)):
                return text
            case ast.JoinedStr(values=[first, *_]) | ast.BinOp(left=first):
                node = first
            case ast.Call(func=ast.Attribute(value=first)):
                node = first
            case _:
                return ""


def template_unescaped(call: CallView) -> bool:
    return not call.spread and (
        call.keyword("autoescape") is None or constant(call.keyword("autoescape"), False)  # noqa: FBT003
    )


def cors_any(call: CallView) -> bool:
    origins = call.keyword("allow_origins")
    every = isinstance(origins, ast.List) and any(
        isinstance(e, ast.Constant) and e.value == "*" for e in origins.elts
    )
    return every and constant(call.keyword("allow_credentials"), True)  # noqa: FBT003


def safety_off(call: CallView) -> bool:
    return constant(call.keyword("safety_checker"), None) or constant(
        call.keyword("requires_safety_checker"), False  # noqa: FBT003
    )


def unbounded(call: CallView) -> bool:
    return constant(call.keyword("max_iterations"), None) and not (
        call.keyword("max_execution_time") or call.spread
    )


def no_docker(call: CallView) -> bool:
    match call.keyword("code_execution_config"):
        case ast.Dict(keys=keys, values=values):
            return any(
                isinstance(key, ast.Constant) and key.value == "use_docker" and constant(value, False)  # noqa: FBT003
                for key, value in zip(keys, values, strict=True)
            )
    return False
