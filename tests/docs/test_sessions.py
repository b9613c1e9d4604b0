"""What the documentation shows is what happens: every console block is run, and its output compared."""

from __future__ import annotations

import shutil

import pytest

from tests.docs.session import ROOT, matches, run, same, steps, tools

#: Where the tutorial ends, which is where the next one and the how-to pages begin.
AFTER_TUTORIAL = "cd harbour\nexport LOCKFLIGHT_HOME=$PWD/home LOCKFLIGHT_REALM=acme LOCKFLIGHT_AS=alice"
HOW_TO = [ROOT / "docs" / "tutorial" / "incident.md", *sorted((ROOT / "docs" / "how-to").glob("*.md"))]


@pytest.fixture(scope="session")
def commands(tmp_path_factory):
    return tools(tmp_path_factory.mktemp("commands") / "bin")


@pytest.fixture(scope="session")
def after_tutorial(tmp_path_factory, commands):
    """The folder in which a reader of the tutorial ends up, and where the tutorial is wrong."""
    folder = tmp_path_factory.mktemp("tutorial")
    return folder, run(ROOT / "docs" / "tutorial" / "first-release.md", folder, commands)


def test_the_readme_is_true(tmp_path, commands):
    wrong = run(ROOT / "README.md", tmp_path, commands)
    assert not wrong, "\n".join(wrong)


def test_the_tutorial_is_true(after_tutorial):
    folder, wrong = after_tutorial
    assert not wrong, "\n".join(wrong)
    assert (folder / "harbour" / "packages" / "1.0.0" / "model.sig").is_file()


@pytest.mark.parametrize(
    "page", [p for p in HOW_TO if steps(p.read_text(encoding="utf-8"))], ids=lambda p: p.stem
)
def test_a_how_to_is_true(page, after_tutorial, commands, tmp_path, request):
    text = page.read_text(encoding="utf-8")
    folder = tmp_path / "reader"
    shutil.copytree(after_tutorial[0], folder)
    if "stock/bin/" in text:  # what the page lets readers install with pip and npm
        (folder / "harbour" / "stock").symlink_to(request.getfixturevalue("peers_python").parent.parent)
        modules = request.getfixturevalue("peers_node") / "node_modules"
        (folder / "harbour" / "node_modules").symlink_to(modules)
    elif "model_signing" in text:
        commands = tools(tmp_path / "bin", model_signing=request.getfixturevalue("peers_python"))
    wrong = run(page, folder, commands, AFTER_TUTORIAL)
    assert not wrong, "\n".join(wrong)


def test_a_difference_is_seen():
    assert same("✓ signed by …, entry …", "✓ signed by alice, entry 12")
    assert same("a  b", "a       b")
    assert not same("  a", "a")
    assert not same("✓ signed by …", "✗ signed by alice")
    assert matches(("a", "…", "d"), ("a", "b", "c", "d"))
    assert matches(("a", "…"), ("a",))
    assert not matches(("a", "…", "d"), ("a", "b", "c"))
    assert not matches(("a",), ("a", "b"))


def test_a_block_is_read():
    (one, two) = steps(
        "text\n\n```console\n$ cat > f <<'EOF'\n> x\n>\n> EOF\n$ false\nbad …\n(exit code 1)\n```\n"
    )
    assert (one.command, one.expected, one.exit_code) == ("cat > f <<'EOF'\nx\n\nEOF", (), 0)
    assert (two.line, two.command, two.expected, two.exit_code) == (8, "false", ("bad …",), 1)
