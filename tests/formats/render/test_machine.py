"""What our runs say is what jinja2 says, character by character but for quotes, with plain words for unknown ones."""

from __future__ import annotations

import re

import pytest

from lockflight.formats.jinja.parser import parse_template
from lockflight.formats.render.drift import _Drift
from lockflight.formats.render.meter import Meter
from lockflight.formats.render.talk import talks
from tests.corpus.template_backdoors import BACKDOORS
from tests.corpus.template_families import FAMILIES
from tests.formats.render.peer import rendered, spelled

#: What these do to words cannot be done to words that nobody knows.
SYMBOLIC = (
    "only the first words",
    "in capitals",
    "turned around",
    "truncated",
    "the words of the user cut",
    "number of words",
    "by remainder",
    "by length",
    "a part of a text",
    "by position",
    "by replacing",
    "a range",
    "may not run",
)


def ours(template, talk):
    run = _Drift(parse_template(template), Meter()).render(talk, {})
    return (
        None
        if run is None
        else "".join(part if isinstance(part, str) else spelled(part) for part in run.parts)
    )


def theirs(template, talk):
    try:
        return rendered(template, talk.variables)
    except Exception:  # noqa: BLE001 - whatever a template raises
        return None


def plain(said):
    """Without quotes: an unknown word has none where a list is written out."""
    return None if said is None else re.sub(r"[\'\"\\\\]+", "", said).strip()


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_says_what_jinja_says(name):
    spoke = 0
    for talk in talks(()):
        said = theirs(FAMILIES[name], talk)
        assert plain(ours(FAMILIES[name], talk)) == plain(said), talk.name
        spoke += said is not None
    assert spoke >= 4


#: Made of what this machine may see otherwise: that nothing hides behind it is tested elsewhere.
UNLIKE = ("shape: ", "hidden: ")


@pytest.mark.parametrize(
    "name",
    [n for n in BACKDOORS if not any(word in n for word in SYMBOLIC) and not n.startswith(UNLIKE)],
)
def test_a_backdoor_says_what_jinja_says(name):
    for talk in talks(()):
        if not talk.name.startswith("parts"):
            assert plain(ours(BACKDOORS[name], talk)) == plain(theirs(BACKDOORS[name], talk)), talk.name
