"""What must never be in the repository: paths of a machine, download addresses, marks of unfinished work."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

# In pieces, so that this file does not contain what it looks for.
HOSTS = re.compile(
    "|".join(
        rf"\b{name}\.{top}\b"
        for name, top in [
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("npmjs", "(org|com)"),
            ("yarnpkg", "com"),
            ("crates", "io"),
            ("(deb|security|snapshot)\\.debian", "org"),
            ("archive\\.ubuntu", "com"),
            ("proxy\\.golang", "org"),
        ]
    )
)
BUILD_FOLDERS = ("root", "work", "builds", "workspace", "workspaces", "Users")
MACHINE_PATHS = re.compile(r"(?<![\w.~*\-/{}])/(" + "|".join(BUILD_FOLDERS) + r"|home/[a-z]\w*)/\w")
UNFINISHED = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME"]) + r")\b")
LOCKS = re.compile(
    r"(^|/)(uv\.lock|poetry\.lock|pdm\.lock|package-lock\.json|yarn\.lock|pylock(\..*)?\.toml)$"
)
LARGEST = 1024 * 1024


@pytest.fixture(scope="module")
def tracked(project_root):
    """Name -> path of what is, or would be, committed."""
    done = subprocess.run(
        ["git", "-c", f"safe.directory={project_root}", "ls-files", "-z", "-co", "--exclude-standard"],
        cwd=project_root,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"git cannot list this tree: {done.stderr.strip()}")
    paths = {name: project_root / name for name in done.stdout.split("\0") if name}
    return {name: path for name, path in paths.items() if path.is_file()}


@pytest.fixture(scope="module")
def texts(tracked):
    """Name -> text of every file that is text."""
    found = {}
    for name, path in tracked.items():
        data = path.read_bytes()
        if b"\0" not in data[:8192]:
            found[name] = data.decode("utf-8", errors="replace")
    assert found
    return found


def matches(texts, pattern, *, under=""):
    return [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]}"
        for name, text in texts.items()
        if name.startswith(under)
        for match in pattern.finditer(text)
    ]


def test_no_registry_is_named(texts):
    assert HOSTS.search("files." + "pythonhosted" + ".org/packages")
    assert not matches(texts, HOSTS)


def test_no_path_of_a_machine(texts, project_root):
    here = {str(project_root), str(Path("~").expanduser())}
    pattern = re.compile("|".join([MACHINE_PATHS.pattern, *(re.escape(path) + r"/\w" for path in here)]))
    assert pattern.search("see /" + "root/project")
    assert not pattern.search("https://example.com/" + "work/x, framework/x and ${HOME}/" + "work/x")
    assert not matches(texts, pattern)


def test_no_mark_of_unfinished_work_in_the_source(texts):
    assert not matches(texts, UNFINISHED, under="src/")


def test_no_lock_that_records_addresses(tracked):
    assert not [name for name in tracked if LOCKS.search(name)]


def test_no_large_file(tracked):
    assert not {name: path.stat().st_size for name, path in tracked.items() if path.stat().st_size > LARGEST}
