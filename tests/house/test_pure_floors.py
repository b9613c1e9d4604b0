"""Rule 3: values in, values out. What import-linter cannot see is read from the source and watched."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from tests.purity import FLOORS

BUILTINS = {"open", "input", "print", "exec", "eval", "__import__", "breakpoint"}
#: A record's `__init__` is compiled from the names of its fields, as the standard library's dataclasses do it.
ALLOWED = {("core/records.py", "exec()")}
CLOCKS = {"now", "utcnow", "today"}
# Modules that import-linter cannot forbid in part.
IMPURE_PARTS = {"urllib.request", "urllib.error", "urllib.robotparser", "concurrent.futures", "os.path"}


def impurities(tree):
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in BUILTINS:
                yield node.lineno, f"{name}()"
            case ast.Call(func=ast.Attribute(attr=name, value=ast.Name(id="datetime" | "date"))) if (
                name in CLOCKS
            ):
                yield node.lineno, f"{name}() reads the clock"
            case ast.Call(func=ast.Attribute(attr=name, value=ast.Attribute(attr="datetime" | "date"))) if (
                name in CLOCKS
            ):
                yield node.lineno, f"{name}() reads the clock"
            case ast.Import(names=names):
                for alias in names:
                    if alias.name in IMPURE_PARTS:
                        yield node.lineno, f"import {alias.name}"
            case ast.ImportFrom(module=module, names=names):
                for alias in names:
                    if module in IMPURE_PARTS or f"{module}.{alias.name}" in IMPURE_PARTS:
                        yield node.lineno, f"from {module} import {alias.name}"


@pytest.mark.parametrize(
    "source",
    [
        "open('x')",
        "datetime.now()",
        "datetime.datetime.now(tz=None)",
        "dt.date.today()",
        "import urllib.request",
        "from urllib import request",
        "from urllib.request import urlopen",
        "eval('1')",
    ],
)
def test_the_reader_sees_an_impurity(source):
    assert list(impurities(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    ["re.compile('x')", "from urllib.parse import urlsplit", "source.open()", "datetime.fromisoformat(x)"],
)
def test_the_reader_lets_pure_code_pass(source):
    assert not list(impurities(ast.parse(source)))


def test_the_source_of_the_pure_floors_is_pure(project_root):
    package = project_root / "src" / "lockflight"
    files = [path for floor in FLOORS for path in sorted((package / floor).rglob("*.py"))]
    assert files
    found = [
        f"{path.relative_to(project_root)}:{line}: {what}"
        for path in files
        for line, what in impurities(ast.parse(path.read_text(encoding="utf-8")))
        if (path.relative_to(package).as_posix(), what) not in ALLOWED
    ]
    assert not found, "\n".join(found)


IMPORT_ALL = """
import importlib, pkgutil, sys
from pathlib import Path
from tests.purity import FLOORS, watch
import lockflight
package = Path(lockflight.__file__).parent
breaches = watch(package, Path("no such folder"))
count = 0
for floor in FLOORS:
    if (package / floor).is_dir():
        for module in pkgutil.walk_packages([str(package / floor)], f"lockflight.{floor}."):
            importlib.import_module(module.name)
            count += 1
assert not breaches, breaches
print(count)
"""


def child(project_root, code, *path):
    folders = ":".join(map(str, [*path, project_root / "src", project_root]))
    return subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": folders}, capture_output=True, text=True, check=False
    )


def test_every_module_of_the_pure_floors_imports_without_io(project_root):
    done = child(project_root, IMPORT_ALL)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0


PLANTED = """
import ctypes, json.tool, os, socket, sqlite3, subprocess

def reads(): open("/dev/null")
def writes(): open("written", "w")
def lists(): os.listdir(".")
def connects(): socket.create_connection(("127.0.0.1", 9), 0.01)
def starts(): subprocess.run(["true"])
def keeps(): sqlite3.connect(":memory:")
def swallows():
    try:
        open("/dev/null")
    except Exception:
        pass
def imports(): import colorsys, this_module_is_absent
def calls_back(function): return function()
def computes(): return sum(range(9))
"""
TRY_ALL = """
import sys
from pathlib import Path
from tests.purity import ImpureError, watch
import lockflight.core.planted as planted
breaches = watch(Path(planted.__file__).parent.parent, Path("no such folder"))
for name in ["reads", "writes", "lists", "connects", "starts", "keeps", "swallows"]:
    try:
        getattr(planted, name)()
    except ImpureError:
        pass
    assert len(breaches) == 1 and f"{planted.__file__}:" in breaches.pop(), (name, breaches)
planted.computes()
try:
    planted.imports()
except ModuleNotFoundError:
    pass
watched = Path(planted.__file__).parents[1] / "scan"
room = {}
exec(compile("def source(): return open('/dev/null').read()", str(watched / "files.py"), "exec"), room)
assert planted.calls_back(room["source"]) == ""
assert not breaches, breaches
"""


def test_the_watch_sees_what_a_pure_floor_does_and_only_that(project_root, tmp_path):
    package = tmp_path / "lockflight"
    (package / "core").mkdir(parents=True)
    for init in (package, package / "core"):
        (init / "__init__.py").touch()
    (package / "core" / "planted.py").write_text(PLANTED, encoding="utf-8")
    done = child(project_root, TRY_ALL, tmp_path)
    assert done.returncode == 0, done.stderr
