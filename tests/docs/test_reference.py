"""The reference pages are what the source says, and hold all of it."""

from __future__ import annotations

import importlib.util
import tomllib

import pytest

from lockflight.app.realm.settings import SETTINGS
from lockflight.cli.table import COMMANDS
from lockflight.core.words import Kind, Role, Tier
from lockflight.scan.table import CHECKS


@pytest.fixture(scope="module")
def generate(project_root):
    spec = importlib.util.spec_from_file_location("generate", project_root / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def page(project_root):
    return lambda name: (project_root / "docs" / "reference" / name).read_text(encoding="utf-8")


def test_the_pages_are_current(generate):
    assert not generate.differences(write=False), "run: python3 dev.py docs"


def test_every_code_is_there(page, project_root):
    text = page("codes.md")
    for path in (project_root / "src" / "lockflight" / "_data" / "codes").glob("*.toml"):
        for code, entry in tomllib.loads(path.read_text(encoding="utf-8")).items():
            assert f'<a id="{code.lower()}"></a>\n\n## {code}: {entry["title"]}\n' in text
            assert entry["fix"].strip() in text


def test_every_command_is_there(page):
    text = page("commands.md")
    for name, entry in COMMANDS.items():
        verbs = [name] if len(entry) == 3 else [f"{name} {verb}" for verb in entry[1]]
        for verb in verbs:
            assert f"\n## {verb}\n" in text


def test_every_setting_is_there(page):
    for setting in SETTINGS:
        assert f"| `{setting.name}` | `{setting.variable}` |" in page("settings.md")


def test_every_check_is_there(page):
    for check in CHECKS:
        assert f"| `{check}` |" in page("checks.md")


def test_every_rule_and_demand_is_there(page, project_root):
    from lockflight.policy.shipped import PACKS, pack

    text = page("policy.md")
    for name in PACKS:
        assert f"## The pack `{name}`" in text
        for code, meta in pack(name).rules.items():
            assert f"| [{code}](codes.md#{code.lower()}) |" in text
            assert meta["title"] in text
            assert all(control in text for control in meta["controls"])


def test_every_word_of_the_manifest_is_there(page):
    text = page("manifest.md")
    assert not [word.value for word in (*Kind, *Role, *Tier) if f"`{word.value}`" not in text]


def test_every_public_module_is_there(page, project_root):
    source = project_root / "src" / "lockflight"
    for path in source.glob("*/**/*.py"):
        parts = path.relative_to(source).with_suffix("").parts
        if parts[0].startswith("_") or any(part.startswith("_") for part in parts[1:]):
            continue
        assert f"\n## `lockflight.{'.'.join(parts)}`\n" in page(f"modules/{parts[0]}.md")


def test_a_page_that_differs_is_seen(generate, tmp_path, monkeypatch):
    monkeypatch.setattr(generate, "REFERENCE", tmp_path)
    monkeypatch.setattr(generate, "pages", lambda: {"a.md": lambda: "a\n", "b/c.md": lambda: "c\n"})
    (tmp_path / "old.md").write_text("left over\n")
    assert generate.differences(write=False) == ["a.md", "b/c.md", "old.md"]
    assert generate.differences(write=True) == ["a.md", "b/c.md", "old.md"]
    assert generate.differences(write=False) == []
    assert [p.name for p in tmp_path.rglob("*.md")] == ["a.md", "c.md"]
