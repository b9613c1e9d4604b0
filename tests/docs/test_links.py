"""Links between pages resolve, to the very heading."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, name, prose, read

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def targets(page):
    """Where a page links to; the text of a link may be code, so only its target is looked for."""
    return LINK.findall(re.sub(r"`[^`\n]+`", "code", prose(read(page))))


def broken(page):
    for target in targets(page):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.is_relative_to(ROOT) or not there.exists():
            yield f"{target}: no such file"
        elif anchor and anchor not in anchors(read(there)):
            yield f"{target}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_resolve(page):
    assert not list(broken(page))


@pytest.mark.parametrize("page", [p for p in PAGES if "docs" in p.relative_to(ROOT).parts[:1]], ids=name)
def test_a_page_is_reachable(page):
    """From the README, by links."""
    seen, todo = set(), [ROOT / "README.md"]
    while todo:
        one = todo.pop()
        if one in seen or one.suffix != ".md" or not one.is_file():
            continue
        seen.add(one)
        paths = [target.partition("#")[0] for target in targets(one) if not re.match(r"[a-z]+:", target)]
        todo += [(one.parent / path).resolve() for path in paths if path]
    assert page in seen


def test_a_heading_has_the_anchor_that_links_use():
    text = "# Keys by duty, and realms\n\n## `[[assets]]`\n\n## Twice\n\n## Twice\n\n```\n# no heading\n```\n"
    assert anchors(text) == {"keys-by-duty-and-realms", "assets", "twice", "twice-1"}
