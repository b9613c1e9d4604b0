"""Model output that reaches a place where it can do harm, within one function.

What a model returns, and what it passes to a tool, is chosen by whoever wrote the text that the model read. A value
is *tainted* when it comes from a call that asks a model, or is a parameter of a tool function, or is made from such
a value. The order of statements is not followed: a name that is tainted anywhere in a function is tainted in all of
it. Calls between functions are not followed.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from lockflight.core.findings import Confidence, Severity
from lockflight.core.records import dataclass
from lockflight.scan.python.names import Module, Scope, dotted
from lockflight.scan.python.when import Rule, is_true

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lockflight.scan.python.when import CallView

#: Ends of written names that ask a model, and full names that do.
_MODEL_METHODS = (
    "completions.create",
    "responses.create",
    "messages.create",
    "generate_content",
    "generate_content_async",
    ".generate",
    ".agenerate",
    ".invoke",
    ".ainvoke",
    ".invoke_model",
    ".converse",
    ".chat_completion",
    ".text_generation",
    ".generate_text",
    ".send_message",
    ".acomplete",
)
_MODEL_NAMES = frozenset(
    {
        "litellm.completion",
        "litellm.acompletion",
        "ollama.chat",
        "ollama.generate",
        "openai.ChatCompletion.create",
        "openai.Completion.create",
        "transformers.pipeline()",
        "dspy.Predict()",
        "dspy.ChainOfThought()",
    }
)
_TOOL_DECORATORS = frozenset(
    {
        "tool",
        "tool_plain",
        "function_tool",
        "kernel_function",
        "ai_function",
        "beta_tool",
        "register_for_execution",
    }
    | {"register_for_llm", "as_tool", "mcp_tool"}
)
_TOOL_BASES = frozenset({"BaseTool", "Tool", "StructuredTool", "FunctionTool"})
_TOOL_METHODS = frozenset({"_run", "_arun", "run", "forward", "execute", "call", "__call__"})
_NOT_CHOSEN = frozenset(
    {"self", "cls", "ctx", "context", "run_context", "run_manager", "callbacks", "config"}
)
#: What these return cannot carry an attack on.
_HARMLESS = frozenset(
    {"int", "float", "bool", "len", "isinstance", "hash", "ord", "type", "hasattr", "uuid.UUID"}
)

_FILES = frozenset({"read_text", "read_bytes", "write_text", "write_bytes", "unlink", "rmdir"})
_CONFINING = re.compile(
    r"^(?:is_)?relative_to$|^commonpath$|^basename$|^safe_join$|^secure_filename$"
    r"|(?:safe|valid|check|secure|within|relative|allowed|confine).*(?:path|file|dir)"
)
_SHELLS = frozenset(
    {"sh", "bash", "zsh", "dash", "python", "python3", "perl", "node", "powershell", "cmd", "eval"}
)
_PROCESS = frozenset(
    {f"subprocess.{f}" for f in ("run", "call", "check_call", "check_output", "Popen")}
    | {"asyncio.create_subprocess_exec"}
)
_HTTP = frozenset(
    f"{client}.{verb}"
    for client in (
        "requests",
        "requests.Session()",
        "httpx",
        "httpx.Client()",
        "httpx.AsyncClient()",
        "aiohttp.ClientSession()",
    )
    for verb in ("get", "post", "put", "patch", "delete", "head", "request", "stream")
)
_FIXED_HOST = re.compile(r"^https?://[A-Za-z0-9.-]+(?::\d+)?/")


def _rule(code: str, rule: str, severity: Severity, message: str, fix: str, ids: tuple[str, ...]) -> Rule:
    return Rule(code, rule, severity, message, fix, ids, confidence=Confidence.MEDIUM)


EXECUTE = _rule(
    "LF2440",
    "model-output-executed",
    Severity.CRITICAL,
    "{call} runs {source} as code.",
    "Let the model choose from a table of functions; parse its answer as data.",
    ("CWE-95", "LLM05:2025", "AML.T0050", "AML.T0051"),
)
SHELL = _rule(
    "LF2441",
    "model-output-shell",
    Severity.CRITICAL,
    "{call} runs {source} as a command.",
    "Let the model choose from fixed commands; pass its values as separate arguments, without a shell.",
    ("CWE-78", "LLM05:2025", "AML.T0050", "AML.T0051"),
)
SQL = _rule(
    "LF2442",
    "model-output-sql",
    Severity.HIGH,
    "{call} runs {source} as SQL.",
    "Use fixed statements with parameters, and a database role that can only read what the user may read.",
    ("CWE-89", "LLM05:2025", "AML.T0051"),
)
TEMPLATE = _rule(
    "LF2443",
    "model-output-template",
    Severity.HIGH,
    "{call} compiles {source} as a template.",
    "Keep templates fixed and pass the text to render().",
    ("CWE-1336", "LLM05:2025", "AML.T0051"),
)
FILE = _rule(
    "LF2444",
    "model-output-path",
    Severity.HIGH,
    "{call} opens a file that {source} names.",
    "Resolve the path and check it with is_relative_to() against one folder before it is used.",
    ("CWE-22", "LLM06:2025", "AML.T0053"),
)
REQUEST = _rule(
    "LF2445",
    "model-output-request",
    Severity.MEDIUM,
    "{call} sends a request to an address that {source} names.",
    "Check the host against a list, and go through a proxy that refuses internal addresses.",
    ("CWE-918", "LLM06:2025", "AML.T0086"),
)
HTML = _rule(
    "LF2446",
    "model-output-html",
    Severity.MEDIUM,
    "{call} shows {source} as HTML.",
    "Render it as text, or sanitise it with a list of allowed elements.",
    ("CWE-79", "LLM05:2025", "AML.T0077"),
)
DESERIALISE = _rule(
    "LF2447",
    "model-output-unpickled",
    Severity.CRITICAL,
    "{call} unpickles {source}.",
    "Read it as JSON.",
    ("CWE-502", "LLM05:2025"),
)
FLOW_RULES = (EXECUTE, SHELL, SQL, TEMPLATE, FILE, REQUEST, HTML, DESERIALISE)


@dataclass(frozen=True, slots=True)
class _Sink:
    rule: Rule
    names: frozenset[str] = frozenset()
    methods: frozenset[str] = frozenset()
    position: int = 0
    keyword: str = ""
    when: Callable[[CallView], bool] = lambda _: True
    receiver: bool = False


def _runs_command(call: CallView) -> bool:
    """A list with a fixed program is no command of the model, unless the program is itself an interpreter."""
    if is_true(call.keyword("shell")):
        return True
    match call.argument(0, "args"):
        case ast.List(elts=[ast.Constant(value=str(program)), *_]):
            return program.rpartition("/")[2].removesuffix(".exe") in _SHELLS
    return True


def _address(call: CallView) -> ast.expr | None:
    url = call.argument(1 if call.lasts & {"request", "stream"} else 0, "url")
    return None if url is None else _leading(url)


def _leading(node: ast.expr) -> ast.expr | None:
    """The part of an address that decides its host; None when a literal does."""
    while True:
        match node:
            case ast.BinOp(left=ast.Constant(value=str(start)), op=ast.Add(), right=right):
                if _FIXED_HOST.match(start):
                    return None
                node = right
            case ast.BinOp(left=left, op=ast.Add()):
                node = left
            case ast.JoinedStr(values=[ast.Constant(value=str(start)), *rest]):
                if _FIXED_HOST.match(start) or not rest:
                    return None
                node = rest[0]
            case ast.JoinedStr(values=[first, *_]):
                node = first
            case ast.FormattedValue(value=value):
                return value
            case _:
                return node


_SINKS = (
    _Sink(
        EXECUTE,
        names=frozenset(
            {"eval", "exec", "compile", "__import__", "importlib.import_module", "runpy.run_path"}
        ),
    ),
    _Sink(EXECUTE, methods=frozenset({"runsource", "runcode", "run_cell"})),
    _Sink(
        SHELL,
        names=frozenset(
            {
                "os.system",
                "os.popen",
                "subprocess.getoutput",
                "subprocess.getstatusoutput",
                "pexpect.run",
                "pexpect.spawn",
            }
            | {"asyncio.create_subprocess_shell", "pty.spawn"}
        ),
    ),
    _Sink(SHELL, names=_PROCESS, keyword="args", when=_runs_command),
    _Sink(
        SQL,
        methods=frozenset({"execute", "executemany", "executescript", "read_sql", "read_sql_query"}),
        keyword="sql",
    ),
    _Sink(
        TEMPLATE,
        names=frozenset({"jinja2.Template", "mako.template.Template", "flask.render_template_string"}),
    ),
    _Sink(TEMPLATE, methods=frozenset({"from_string"})),
    _Sink(
        FILE,
        names=frozenset({"open", "io.open", "os.open", "os.remove", "os.unlink", "os.rename", "os.rmdir"})
        | {"shutil.rmtree", "shutil.copy", "shutil.copyfile", "shutil.move", "os.listdir", "os.makedirs"},
        keyword="file",
    ),
    _Sink(FILE, methods=_FILES, receiver=True),
    _Sink(REQUEST, names=_HTTP | {"urllib.request.urlopen"}, keyword="url"),
    _Sink(HTML, names=frozenset({"markupsafe.Markup", "flask.Markup", "IPython.display.HTML"})),
    _Sink(
        HTML,
        methods=frozenset({"markdown", "write", "html"}),
        when=lambda c: is_true(c.keyword("unsafe_allow_html")),
    ),
    _Sink(
        DESERIALISE,
        names=frozenset(
            {"pickle.loads", "cloudpickle.loads", "dill.loads", "marshal.loads", "jsonpickle.decode"}
        ),
    ),
)
SINK_LASTS = frozenset(
    last for sink in _SINKS for last in {n.rpartition(".")[2] for n in sink.names} | sink.methods
)


class Flow:
    """Which names of one function are tainted."""

    def __init__(self, module: Module, scope: Scope, outer: Flow | None = None) -> None:
        self._module = module
        self._scope = scope
        self.tool: bool = _is_tool(scope)
        self._tainted: set[str] = set(_parameters(scope)) if self.tool else set()
        if outer is not None:
            self.tool = self.tool or outer.tool
            self._tainted |= outer.names - scope.bound
        self._confined = any(_CONFINING.search(_last(n)) for n in scope.nodes if isinstance(n, ast.expr))
        bindings = [pair for node in scope.nodes for pair in _bindings(node)]
        # Each round taints at least one more name; more rounds than this only chains of contrived length need.
        for _ in range(16):
            before = len(self._tainted)
            for target, value in bindings:
                if target not in self._tainted and self.tainted(value):
                    self._tainted.add(target)
            if len(self._tainted) == before:
                break

    @property
    def names(self) -> frozenset[str]:
        """The tainted names, `self.` included."""
        return frozenset(self._tainted)

    def sinks(self, call: CallView) -> Iterator[tuple[Rule, str, str]]:
        """The rules that a call breaks with tainted arguments: rule, name of the call, what the value is."""
        source = "an argument chosen by the model" if self.tool else "model output"
        for sink in _SINKS:
            named = sorted(sink.names & call.names)
            methods = sorted(sink.methods & call.lasts) if isinstance(call.node.func, ast.Attribute) else []
            if not named and not methods:
                continue
            if sink.rule is FILE and self._confined:
                continue
            if sink.receiver:
                function = call.node.func
                value = function.value if isinstance(function, ast.Attribute) else None
            else:
                value = call.written_argument(sink.position, sink.keyword)
                if sink.rule is REQUEST:
                    value = _address(call)
            if value is not None and self.tainted(value) and sink.when(call):
                yield sink.rule, (named or methods)[0].replace("()", ""), source

    def tainted(self, node: ast.expr) -> bool:
        """Whether an expression may carry model output."""
        stack: list[ast.AST] = [node]
        while stack:
            item = stack.pop()
            match item:
                case ast.Name(id=name) if name in self._tainted:
                    return True
                case ast.Attribute(value=ast.Name(id="self")) if dotted(item) in self._tainted:
                    return True
                case ast.Call():
                    if self._asks_model(item):
                        return True
                    if self._module.resolve(item.func, self._scope) & _HARMLESS:
                        continue
                case ast.Compare() | ast.Lambda():
                    continue
            stack.extend(ast.iter_child_nodes(item))
        return False

    def _asks_model(self, call: ast.Call) -> bool:
        return written(call.func).endswith(_MODEL_METHODS) or bool(
            self._module.resolve(call.func, self._scope) & _MODEL_NAMES
        )


def written(node: ast.expr) -> str:
    """The attributes of a callee as written, with a leading dot: `.chat.completions.create`; at most four."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute) and len(parts) < 4:
        parts.append(node.attr)
        node = node.value
    return "".join(f".{part}" for part in reversed(parts))


def _bindings(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """(name, value) of whatever binds a name; loops bind it to what they walk over."""
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                yield from _targets(target, value)
        case (
            ast.AnnAssign(target=target, value=ast.expr() as value)
            | ast.NamedExpr(target=target, value=value)
        ):
            yield from _targets(target, value)
        case ast.AugAssign(target=target, value=value):
            yield from _targets(target, value)
        case ast.For(target=target, iter=value) | ast.AsyncFor(target=target, iter=value):
            yield from _targets(target, value)
        case ast.comprehension(target=target, iter=value):
            yield from _targets(target, value)
        case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
            yield from _targets(target, value)
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id=name), attr="append" | "extend" | "write"), args=[value]
        ):
            yield name, value


def _targets(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    match target:
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            for element in elements:
                yield from _targets(element, value)
        case ast.Starred(value=inner) | ast.Subscript(value=inner):
            yield from _targets(inner, value)
        case _:
            name = dotted(target)
            if name:
                yield name, value


def _parameters(scope: Scope) -> Iterator[str]:
    for node in scope.nodes:
        if isinstance(node, ast.arg) and node.arg not in _NOT_CHOSEN and not _is_context(node.annotation):
            yield node.arg


def _is_context(annotation: ast.expr | None) -> bool:
    while isinstance(annotation, ast.Subscript):
        annotation = annotation.value
    match annotation:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.endswith(("Context", "ContextWrapper", "Config", "ToolRuntime", "InjectedState"))
    return False


def _is_tool(scope: Scope) -> bool:
    """A function that a framework offers to a model: by its decorator, or as the entry of a tool class."""
    owner = scope.owner
    if not isinstance(owner, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    for decorator in owner.decorator_list:
        function = decorator.func if isinstance(decorator, ast.Call) else decorator
        if _last(function) in _TOOL_DECORATORS:
            return True
    parent = scope.parent.owner if scope.parent else None
    return (
        isinstance(parent, ast.ClassDef)
        and owner.name in _TOOL_METHODS
        and any(_last(base) in _TOOL_BASES for base in parent.bases)
    )


def _last(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""
