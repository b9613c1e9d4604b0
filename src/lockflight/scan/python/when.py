"""What a rule of the `code` check is, and what it can ask of a call and of a text that is put together."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from lockflight.core.findings import Confidence, Severity
from lockflight.core.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class CallView:
    """One call as the rules see it.

    Attributes:
        node: the call.
        names: the dotted names that its callee may have.
        lasts: the last parts of those names, and of the callee as it is written.
        values: what a local name is bound to, where it is bound exactly once.
    """

    node: ast.Call
    names: frozenset[str] = frozenset()
    lasts: frozenset[str] = frozenset()
    values: Callable[[str], ast.expr | None] = lambda _: None

    def keyword(self, name: str) -> ast.expr | None:
        """The value of a keyword argument, or None."""
        return self._follow(next((k.value for k in self.node.keywords if k.arg == name), None))

    def argument(self, position: int, name: str = "") -> ast.expr | None:
        """The value of an argument that is given by position or by name, or None."""
        return self._follow(self.written_argument(position, name))

    def written_argument(self, position: int, name: str = "") -> ast.expr | None:
        """As `argument`, without following a local name to its value."""
        positional = self.node.args[: position + 1]
        if len(positional) > position and not any(isinstance(a, ast.Starred) for a in positional):
            return positional[position]
        return next((k.value for k in self.node.keywords if k.arg == name), None) if name else None

    @property
    def spread(self) -> bool:
        """Whether `**something` may hold any keyword."""
        return any(k.arg is None for k in self.node.keywords)

    def _follow(self, node: ast.expr | None) -> ast.expr | None:
        if isinstance(node, ast.Name):
            value = self.values(node.id)
            return node if value is None else value
        return node


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        code: LF24xx, the class of the finding.
        rule: its id within the check.
        severity: how bad.
        message: one sentence; `{call}` is the name of what is called.
        fix: what to write instead.
        ids: CWE, OWASP LLM Top 10 (2025) and MITRE ATLAS identifiers.
        names: full names of functions.
        methods: last parts of names, whatever stands before them.
        when: what must hold of the arguments.
        confidence: how sure a match is.
        subsumed: says nothing new about a call that model output reaches.
    """

    code: str
    rule: str
    severity: Severity
    message: str
    fix: str
    ids: tuple[str, ...]
    names: frozenset[str] = frozenset()
    methods: frozenset[str] = frozenset()
    when: Callable[[CallView], bool] = lambda _: True
    confidence: Confidence = Confidence.HIGH
    subsumed: bool = False

    def matches(self, call: CallView) -> str:
        """The name under which the rule matches the call, empty when it does not."""
        named = sorted(self.names & call.names)
        methods = sorted(self.methods & call.lasts)
        shown = named[0] if named else methods[0] if methods else ""
        return shown.replace("()", "") if shown and self.when(call) else ""


def is_true(node: ast.expr | None) -> bool:
    """Whether an expression is the constant True."""
    return isinstance(node, ast.Constant) and node.value is True


def is_false(node: ast.expr | None) -> bool:
    """Whether an expression is the constant False."""
    return isinstance(node, ast.Constant) and node.value is False


def is_none(node: ast.expr | None) -> bool:
    """Whether an expression is given and is the constant None."""
    return isinstance(node, ast.Constant) and node.value is None


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


def keyword_true(name: str) -> Callable[[CallView], bool]:
    """The keyword is True."""
    return lambda call: is_true(call.keyword(name))


def keyword_false(name: str) -> Callable[[CallView], bool]:
    """The keyword is False."""
    return lambda call: is_false(call.keyword(name))


def keyword_not_true(name: str) -> Callable[[CallView], bool]:
    """The keyword is absent or something else than True; what `**keywords` may hold counts as absent."""
    return lambda call: not is_true(call.keyword(name))


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
    """The loader of `yaml.load` is not one of the safe ones."""
    loader = call.argument(1, "Loader")
    name = (
        loader.attr
        if isinstance(loader, ast.Attribute)
        else loader.id
        if isinstance(loader, ast.Name)
        else ""
    )
    return not any(word in name for word in ("SafeLoader", "BaseLoader"))


def shell(call: CallView) -> bool:
    """A command line that is no literal goes to a shell."""
    return is_true(call.keyword("shell")) and dynamic(0, "args")(call)


_HUB_ID = re.compile(r"^[\w.-]{1,96}/[\w.-]{1,96}$")
_COMMIT = re.compile(r"^[0-9a-f]{40}$")


def unpinned_hub(call: CallView) -> bool:
    """A constant `organisation/name` without a revision that is a commit."""
    match (
        call.argument(0, "repo_id") or call.keyword("model") or call.keyword("pretrained_model_name_or_path")
    ):
        case ast.Constant(value=str(name)) if _HUB_ID.match(name) and not name.startswith(
            (".", "data/", "models/")
        ):
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
    """As `unpinned_hub`, for `transformers.pipeline(task, model)`."""
    return unpinned_hub(
        CallView(ast.Call(call.node.func, call.node.args[1:2], call.node.keywords), values=call.values)
    )


def torch_hub(call: CallView) -> bool:
    """`torch.hub.load` of something that is neither local nor a commit."""
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
    """A server that listens on every interface."""
    return ("bind" in call.lasts and _any_host(call.argument(0))) or any(
        _any_host(call.keyword(name)) for name in ("host", "server_name", "bind", "address")
    )


def built_text(node: ast.expr | None) -> bool:
    """Whether a text is put together from parts that are not fixed: f-string, `%`, `+` or `.format()`."""
    match node:
        case ast.JoinedStr(values=values):
            return any(
                isinstance(value, ast.FormattedValue) and not is_literal(value.value) for value in values
            )
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


_SQL = re.compile(
    r"(?is)^\W*(?:select|insert|update|delete|replace|merge|with|create|alter|drop|truncate|copy|attach|pragma)\b"
)


def sql_built(call: CallView) -> bool:
    """A statement that is put together from parts and starts like SQL."""
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
    """A jinja2 environment without autoescape."""
    return not call.spread and (call.keyword("autoescape") is None or is_false(call.keyword("autoescape")))


def cors_any(call: CallView) -> bool:
    """Every origin may send credentials."""
    origins = call.keyword("allow_origins")
    every = isinstance(origins, ast.List) and any(
        isinstance(e, ast.Constant) and e.value == "*" for e in origins.elts
    )
    return every and is_true(call.keyword("allow_credentials"))


def safety_off(call: CallView) -> bool:
    """A diffusers pipeline without its safety checker."""
    return is_none(call.keyword("safety_checker")) or is_false(call.keyword("requires_safety_checker"))


def unbounded(call: CallView) -> bool:
    """An agent executor without limits of steps and time."""
    return is_none(call.keyword("max_iterations")) and not (call.keyword("max_execution_time") or call.spread)


def no_docker(call: CallView) -> bool:
    """An autogen agent that runs code on the host."""
    match call.keyword("code_execution_config"):
        case ast.Dict(keys=keys, values=values):
            return any(
                isinstance(key, ast.Constant) and key.value == "use_docker" and is_false(value)
                for key, value in zip(keys, values, strict=True)
            )
    return False
