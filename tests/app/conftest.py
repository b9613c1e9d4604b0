"""A home with a team realm and a small workspace, made once per test from real parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lockflight.app.realm.realm import Member, Realm, create_realm
from lockflight.core.attest.trust import RealmKind

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = """\
[release]
name = "five"
version = "1.0.0"
kind = "dataset"
tier = "minimal"

[[assets]]
role = "dataset"
files = ["data/*.csv"]

[[assets]]
role = "documentation"
files = ["README.md"]

[[assets]]
role = "licence"
files = ["LICENSE"]
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A small dataset release."""
    folder = tmp_path / "work"
    (folder / "data").mkdir(parents=True)
    (folder / "lockflight.toml").write_text(MANIFEST)
    (folder / "data" / "a.csv").write_text("x,y\n1,2\n")
    (folder / "data" / "b.csv").write_text("x,y\n3,4\n")
    (folder / "README.md").write_text("# Five\n")
    (folder / "LICENSE").write_text("CC0-1.0\n")
    return folder


@pytest.fixture
def realm(home: Path) -> Realm:
    """The team realm `acme` with alice (author) and bob (approver)."""
    members = [Member("alice", ("author",)), Member("bob", ("approver",))]
    return create_realm(home, "acme", RealmKind.TEAM, members)
