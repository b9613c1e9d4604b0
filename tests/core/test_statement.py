"""in-toto statements: canonical out, strict in."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.attest.statement import SCAN, VSA, Statement, SubjectRef, parse
from lockflight.errors import VerificationFailed

DIGEST = "ab" * 32
text = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
hexes = st.binary(min_size=32, max_size=32).map(bytes.hex)
algorithms = st.sampled_from(["blake3", "sha512", "gitCommit"])
subjects = st.builds(
    SubjectRef, text, hexes, st.dictionaries(algorithms, text).map(lambda d: tuple(sorted(d.items())))
)
statements = st.builds(
    Statement,
    st.from_regex(r"[a-z]{1,5}:[!-~]{1,40}", fullmatch=True),
    st.lists(subjects, min_size=1, max_size=4).map(tuple),
    st.dictionaries(text, text | st.integers(-9, 9) | st.lists(text, max_size=3), max_size=4),
)


@given(statements)
def test_a_statement_survives_the_trip(statement):
    assert parse(statement.payload()) == statement
    assert parse(statement.payload()).payload() == statement.payload()


def test_types_have_short_names():
    assert Statement(VSA, (), {}).short_type == "decision"
    assert Statement(SCAN, (), {}).short_type == "scan"
    assert Statement("https://example.com/x", (), {}).short_type == "https://example.com/x"


GOOD = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"name": "a", "digest": {"sha256": DIGEST}}],
    "predicateType": "https://example.com/x",
    "predicate": {},
}


def test_a_subject_may_lack_a_name():
    assert parse(json.dumps({**GOOD, "subject": [{"digest": {"sha256": DIGEST}}]}).encode()).subjects == (
        SubjectRef("", DIGEST),
    )


@pytest.mark.parametrize(
    "change",
    [
        {"_type": "https://in-toto.io/Statement/v0.1"},
        {"_type": None},
        {"subject": []},
        {"subject": {}},
        {"subject": [1]},
        {"subject": [{"name": "a"}]},
        {"subject": [{"digest": {"sha512": "00"}}]},
        {"subject": [{"digest": {"sha256": DIGEST.upper()}}]},
        {"subject": [{"digest": {"sha256": DIGEST, "blake3": 1}}]},
        {"subject": [{"name": 1, "digest": {"sha256": DIGEST}}]},
        {"predicateType": 1},
        {"predicateType": "decision"},
        {"predicateType": "scan"},
        {"predicate": []},
        {"extra": 1},
    ],
)
def test_what_is_not_a_statement_is_refused(change):
    with pytest.raises(VerificationFailed) as caught:
        parse(json.dumps({**GOOD, **change}).encode())
    assert caught.value.code == "LF7130"


@pytest.mark.parametrize("field", list(GOOD))
def test_no_field_may_be_missing(field):
    body = {key: value for key, value in GOOD.items() if key != field}
    with pytest.raises(VerificationFailed) as caught:
        parse(json.dumps(body).encode())
    assert caught.value.code == "LF7130"
