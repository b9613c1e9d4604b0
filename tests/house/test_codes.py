"""Every code that a user can meet is explained, every explanation is in use, and exit codes agree."""

from __future__ import annotations

import ast
import re
import tomllib

import pytest

from lockflight import errors

CODE = re.compile(r"\bLF\d{4}\b")
EXITS = {0, 1, 2, 3, 4, 10, 11, 12}
KEYS = {"title", "exit", "why", "fix"}
CLASSES = {
    name: value.exit_code
    for name, value in vars(errors).items()
    if isinstance(value, type)
    and issubclass(value, errors.LockflightError)
    and value is not errors.LockflightError
}


def docstrings(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                yield first.value


@pytest.fixture(scope="module")
def package(project_root):
    return project_root / "src" / "lockflight"


@pytest.fixture(scope="module")
def trees(package):
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(package.rglob("*.py"))}


@pytest.fixture(scope="module")
def used(package, trees):
    """Code -> one place where it is used; a docstring that names a code does not use it."""
    places = {}
    for path, tree in trees.items():
        documentation = set(map(id, docstrings(tree)))
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and id(node) not in documentation
            ):
                for code in CODE.findall(node.value):
                    places.setdefault(code, f"{path.relative_to(package)}:{node.lineno}")
    for path in sorted(package.rglob("*")):
        if path.suffix in {".json", ".rego", ".toml", ".yaml"} and path.parent.name != "codes":
            for code in CODE.findall(path.read_text(encoding="utf-8")):
                places.setdefault(code, str(path.relative_to(package)))
    return places


@pytest.fixture(scope="module")
def entries(package):
    """Code -> entry, over all files."""
    found = {}
    for path in sorted((package / "_data" / "codes").glob("*.toml")):
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        assert list(table) == sorted(table), f"{path.name} is not sorted by code"
        for code, entry in table.items():
            assert CODE.fullmatch(code), f"{path.name}: {code} is no code"
            assert code.startswith(path.stem), f"{path.name} is not the file of {code}"
            found[code] = entry
    return found


def test_every_code_in_use_is_explained(used, entries):
    missing = [f"{code} ({used[code]})" for code in sorted(used) if code not in entries]
    assert not missing, "no entry in _data/codes for: " + ", ".join(missing)


def test_every_explained_code_is_in_use(used, entries):
    assert not sorted(set(entries) - set(used))


def test_every_entry_is_whole(entries):
    assert entries
    for code, entry in entries.items():
        assert set(entry) == KEYS, code
        assert entry["exit"] in EXITS, code
        for key in KEYS - {"exit"}:
            assert isinstance(entry[key], str), code
            assert entry[key].strip() == entry[key] != "", f"{code}: {key}"
        assert not entry["title"].endswith("."), f"{code}: a title is no sentence"


def test_an_error_exits_as_its_entry_says(trees, entries, package):
    wrong = []
    for path, tree in trees.items():
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(code)), *_]) if (
                    name in CLASSES
                ):
                    exit_code = entries.get(code, {}).get("exit", CLASSES[name])
                    if exit_code != CLASSES[name]:
                        place = f"{path.relative_to(package)}:{node.lineno}"
                        wrong.append(f"{place}: {name} exits {CLASSES[name]}, {code} says {exit_code}")
    assert not wrong, "\n".join(wrong)
