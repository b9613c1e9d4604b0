"""What a module runs when it is imported: a loader that trusts a model's code imports it before anybody calls it."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Final

from lockflight.core.findings import Severity
from lockflight.scan.python.when import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockflight.scan.python.names import Module, Scope

_HTTP: Final = ("get", "post", "put", "patch", "delete", "head", "request")
RUNS: Final = frozenset(
    {
        "os.system",
        "os.popen",
        "os.startfile",
        "os.posix_spawn",
        "os.posix_spawnp",
        "pty.spawn",
        "exec",
        "eval",
    }
    | {f"os.exec{way}" for way in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")}
    | {f"os.spawn{way}" for way in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")}
    | {f"subprocess.{f}" for f in ("run", "call", "check_call", "check_output", "Popen")}
    | {"subprocess.getoutput", "subprocess.getstatusoutput"}
    | {"socket.create_connection", "socket.socket", "urllib.request.urlopen", "urllib.request.urlretrieve"}
    | {f"{library}.{verb}" for library in ("requests", "httpx") for verb in _HTTP}
    | {"marshal.loads", "runpy.run_path", "runpy.run_module"}
)

AT_IMPORT: Final = Rule(
    "LF2436",
    "runs-at-import",
    Severity.HIGH,
    "{call} runs as soon as the module is imported, and whoever loads the model imports it.",
    "Move it into a function that is called for it, or take it out.",
    ("CWE-829", "CWE-506", "AML.T0010.001", "AML.T0011.000"),
    names=RUNS,
)
#: Names of files that loaders of models import.
_LOADED: Final = re.compile(
    r"(modell?ing|configuration|tokenization|processing|image_processing|video_processing|feature_extraction|pipeline"
    r"|handler|custom_generate|generate|model|inference|loader|__init__|layers|modules|custom_\w+)([_\w]*)\.py"
    # What these import in turn, and what Python itself imports at its start.
    r"|(utils?|helpers?|common|compat|ops|kernels?|attention|cache|registry|plugins?|wrappers?|transforms?|embeddings?"
    r"|vocab|tokenizer|encoder|decoder|adapters?|lora|(pre|post)process(ing|or)?|sitecustomize|usercustomize)\.py"
)
#: Files that tools of builders start, which run programs by trade.
TOOLS: Final = frozenset({"setup.py", "conftest.py", "noxfile.py", "fabfile.py", "conf.py", "build.py"})
#: What is no trade of theirs: to take something in from elsewhere, or to open a line to there.
_NO_TRADE: Final = frozenset(
    {"socket.create_connection", "socket.socket", "urllib.request.urlopen", "urllib.request.urlretrieve"}
    | {f"{library}.{verb}" for library in ("requests", "httpx") for verb in _HTTP}
    | {"marshal.loads", "pty.spawn"}
)


def at_import(module: Module, tree: ast.Module, base: str) -> Iterator[tuple[Rule, str, int]]:
    """(rule, what is called, line) of each call that runs while the module is imported.

    Args:
        module: what its names stand for.
        tree: its syntax tree.
        base: last part of the file's name.
    """
    classes = any(isinstance(node, ast.ClassDef) for node in tree.body)
    if _LOADED.fullmatch(base) is None and not classes and base not in TOOLS:
        return  # a script, which people start for what it does
    wanted = _NO_TRADE if base in TOOLS else RUNS
    scopes: dict[int, Scope] = {id(node): scope for scope in module.scopes for node in scope.nodes}
    for call in _running(tree):
        scope = scopes.get(id(call))
        names = sorted(wanted & module.resolve(call.func, scope)) if scope is not None else []
        if names:
            yield AT_IMPORT, names[0], call.lineno


def _running(tree: ast.Module) -> Iterator[ast.Call]:
    """The calls that run with the module's own statements, also inside functions of it that these call."""
    functions = {
        node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    entered: set[str] = set()
    stack: list[ast.AST] = list(reversed(tree.body))
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            # What decorates it and its defaults are worked out at once; its body is not.
            stack += [*node.decorator_list, *node.args.defaults, *(d for d in node.args.kw_defaults if d)]
            continue
        if isinstance(node, ast.If) and _asks_for_main(node.test):
            stack += node.orelse
            continue
        if isinstance(node, ast.Call):
            yield node
            if isinstance(node.func, ast.Name) and node.func.id in functions and node.func.id not in entered:
                entered.add(node.func.id)
                stack += reversed(functions[node.func.id].body)
        stack += reversed(list(ast.iter_child_nodes(node)))


def _asks_for_main(test: ast.expr) -> bool:
    match test:
        case ast.Compare(
            left=ast.Name(id="__name__"), ops=[ast.Eq()], comparators=[ast.Constant(value="__main__")]
        ):
            return True
        case ast.Compare(
            left=ast.Constant(value="__main__"), ops=[ast.Eq()], comparators=[ast.Name(id="__name__")]
        ):
            return True
    return False
