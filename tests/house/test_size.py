"""Rule 5: a module has one job and stays small."""

from __future__ import annotations


def test_no_module_is_too_long(project_root):
    package = project_root / "src" / "lockflight"
    files = sorted(package.rglob("*.py"))
    assert files
    found = []
    for path in files:
        limit = 250 if path.is_relative_to(package / "cli") else 500
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > limit:
            found.append(f"{path.relative_to(project_root)}: {lines} lines, limit {limit}")
    assert not found, "\n".join(found)
