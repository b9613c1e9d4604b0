"""Decision records: numbered, short, and of one form."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT, read

FOLDER = ROOT / "docs" / "adr"
LARGEST_WORDS = 450


def test_records_are_numbered_and_listed():
    records = sorted(p for p in FOLDER.glob("*.md") if p.name != "README.md")
    index = read(FOLDER / "README.md")
    assert [int(p.name[:4]) for p in records] == list(range(1, len(records) + 1))
    assert not [p.name for p in records if f"]({p.name})" not in index]


def test_records_have_one_form_and_at_most_one_page():
    for path in FOLDER.glob("0*.md"):
        text = read(path)
        assert text.startswith(f"# {int(path.name[:4])}. ")
        assert re.search(r"^Status: (accepted|replaced by \[)", text, re.MULTILINE), path.name
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"], (
            path.name
        )
        assert len(text.split()) <= LARGEST_WORDS, path.name
