"""Rule 4: the `__init__` of a room is its docstring and nothing else."""

from __future__ import annotations

import ast


def test_every_package_says_what_it_is_for_and_nothing_else(project_root):
    package = project_root / "src" / "lockflight"
    folders = {path.parent for path in package.rglob("*.py")} - {package}
    assert folders
    found = []
    for folder in sorted(folders):
        init, name = folder / "__init__.py", folder.relative_to(project_root)
        if not init.exists():
            found.append(f"{name}: no __init__.py")
            continue
        tree = ast.parse(init.read_text(encoding="utf-8"))
        if not ast.get_docstring(tree):
            found.append(f"{name}/__init__.py: no docstring")
        elif len(tree.body) > 1:
            found.append(f"{name}/__init__.py: more than a docstring")
    assert not found, "\n".join(found)
