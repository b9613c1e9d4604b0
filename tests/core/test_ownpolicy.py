"""Two policies over the same facts: the second one only ever adds to what speaks against."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.facts.facts import SCHEMA
from lockflight.core.gate.gate import OwnJudge, PolicyRef, decide
from lockflight.core.gate.vsa import parse_vsa, to_vsa
from lockflight.core.release.ownpolicy import (
    files_digest,
    inside,
    is_place,
    own_digest,
    own_from_json,
    own_in_facts,
    own_json,
)
from lockflight.errors import PolicyDenied
from tests.core.test_gate import POLICY, codes, denying, output
from tests.core.test_ruling import result, violation
from tests.policy import factories as f

NAMES = (("XX1", "own-one"), ("XX2", "own-two"))


def brought(facts=None):
    """Facts about a release that brings a policy along, and its digest."""
    facts = facts or f.facts()
    files = {"policy/.manifest": f.digest("manifest"), "policy/policy/x.rego": f.digest("x")}
    facts["release"]["assets"] += [
        {"name": name, "role": "release-policy", "digest": digest, "size": 1, "provenance": "recorded"}
        for name, digest in files.items()
    ]
    digest = own_digest("policy", files.items())
    facts["release"]["policy"] = own_json("policy", digest)
    return facts, digest


def own(out, digest, *, rules=NAMES, waivable=frozenset()):
    ref = PolicyRef("own", "1", digest, frozenset({"XX1"}), waivable, rules)
    return OwnJudge(ref, lambda _: out)


def own_output(*, passes=True, **changes):
    row = result(code="XX1", rule="own-one", passed=passes)
    told = [] if passes else [violation(code="XX1", rule="own-one")]
    return output(
        **{"allow": passes, "violations": told, "rules": [row], "evaluated_rules": ["XX1"], **changes}
    )


def ask(realm, second, *, rules=NAMES):
    facts, digest = brought()
    return decide(facts, POLICY, lambda _: realm, own=own(second, digest, rules=rules))


@pytest.mark.parametrize("realm", [True, False])
@pytest.mark.parametrize("second", [True, False])
def test_both_must_allow(realm, second):
    decision = ask(output() if realm else denying(), own_output(passes=second))
    assert decision.allow is (realm and second)
    assert ("XX1" in {v.code for v in decision.violations}) is not second
    assert ("LF4105" in {v.code for v in decision.violations}) is not realm
    assert set(decision.evaluated) == {"LF4100", "LF4105", "XX1"}


ROWS = st.sampled_from(["XX1", "XX2", "LF4105", "LF4100", "LF9999", "zz"])
OUTPUTS = st.fixed_dictionaries(
    {
        "allow": st.booleans(),
        "violations": st.lists(st.builds(lambda c: violation(code=c), ROWS), max_size=2),
        "warnings": st.lists(st.builds(lambda c: violation(code=c), ROWS), max_size=2),
        "waived": st.lists(
            st.builds(lambda c: {"code": c, "rule": "x", "term": "", "waiver": "e" * 64}, ROWS), max_size=2
        ),
        "rules": st.lists(st.builds(lambda c, p: result(code=c, passed=p), ROWS, st.booleans()), max_size=3),
        "evaluated_rules": st.lists(ROWS, max_size=3),
        "skipped": st.lists(ROWS, max_size=2),
    }
)


@given(OUTPUTS, st.booleans())
def test_whatever_it_says_the_realms_no_stays_a_no(second, realm):
    first = output() if realm else denying()
    alone = decide(f.facts(), POLICY, lambda _: first)
    together = ask(first, second)
    assert not together.allow or alone.allow
    assert {(v.code, v.term) for v in alone.violations} <= set(codes(together))
    said = {r["code"] for key in ("rules", "violations", "warnings", "waived") for r in second[key]}
    strange = (said | set(second["evaluated_rules"]) | set(second["skipped"])) - {"XX1", "XX2"}
    assert {term for code, term in codes(together) if code == "LF4030"} == strange
    if together.allow:
        assert second["allow"]
        assert not strange


@given(OUTPUTS)
def test_a_decision_of_two_reads_back(second):
    decision = ask(output(), second)
    statement = to_vsa(
        decision,
        assets=[],
        verifier="https://v.invalid",
        versions={},
        time_verified="2026-01-01T00:00:00Z",
        resource_uri="r",
        policy_uri="p",
        attestations=[],
        separation="people",
        own="ab" * 32,
    )
    stored = parse_vsa(statement)
    assert stored.own_digest == decision.own.digest
    assert stored.basis == decision.basis
    assert stored.statement() == statement


def test_the_basis_holds_both():
    facts, digest = brought()
    first = decide(facts, POLICY, lambda _: output(), own=own(own_output(), digest))
    alone = decide(f.facts(), POLICY, lambda _: output())
    assert first.basis != alone.basis


@pytest.mark.parametrize(
    "rules",
    [
        (("LF9000", "mine"),),
        (("lf9000", "mine"),),
        (("AA1", "mine"),),
        (("AA9", "taken"),),
    ],
)
def test_rules_of_others_are_taken(rules):
    facts, digest = brought()
    realm = PolicyRef(
        "r", "1", "c" * 64, frozenset({"LF4100"}), frozenset(), (("AA1", "one"), ("AA2", "taken"))
    )
    with pytest.raises(PolicyDenied) as caught:
        decide(facts, realm, lambda _: output(), own=own(own_output(), digest, rules=rules))
    assert caught.value.code == "LF4029"


def test_left_out_or_another():
    facts, digest = brought()
    assert codes(decide(facts, POLICY, lambda _: output())) == [("LF4031", "policy")]
    other = decide(facts, POLICY, lambda _: output(), own=own(own_output(), "ab" * 32))
    assert codes(other) == [("LF4031", "policy")]
    unasked = decide(f.facts(), POLICY, lambda _: output(), own=own(own_output(), digest))
    assert codes(unasked) == [("LF4031", "policy")]


@pytest.mark.parametrize(
    "said",
    [
        None,
        "x",
        {},
        {"bundle": "policy"},
        {"bundle": "..", "sha256": "a" * 64},
        {"bundle": "policy", "sha256": "b" * 64},
    ],
)
def test_facts_that_name_something_else_are_not_judged(said):
    facts, _ = brought()
    facts["release"]["policy"] = said
    with pytest.raises(PolicyDenied) as caught:
        decide(facts, POLICY, lambda _: output())
    assert caught.value.code == "LF4014"
    assert facts["schema"] == SCHEMA


@given(st.text(max_size=30))
def test_places(word):
    if is_place(word):
        assert own_from_json(own_json(word, "a" * 64)) == (word, "a" * 64)
        assert not word.startswith("/")
        assert ".." not in word.split("/")
        assert not inside(word, "lockflight.toml") or word == "lockflight.toml"


@pytest.mark.parametrize("word", ["policy", "a/b", ".rules", "x.tar.gz", "a..b", "-"])
def test_usable_places(word):
    assert is_place(word)


@pytest.mark.parametrize(
    "word",
    ["", "/a", "a/", "a//b", ".", "..", "a/..", "./a", "a/./b", "a b", "ä", "a\n", "a\\b", "a*", "x" * 256],
)
def test_unusable_places(word):
    assert not is_place(word)


def test_the_digest_is_that_of_the_bundle_or_the_archive():
    files = {"policy/a": "1" * 64, "policy/b/c": "2" * 64, "policyx/a": "3" * 64, "p.tar.gz": "4" * 64}
    assert own_digest("policy", files.items()) == files_digest({"a": "1" * 64, "b/c": "2" * 64})
    assert own_digest("p.tar.gz", files.items()) == "4" * 64
    assert own_digest("nowhere", files.items()) == ""
    assert own_digest("q.tar.gz", files.items()) == ""
    facts, digest = brought()
    assert own_in_facts(facts) == digest
    assert own_in_facts(f.facts()) == ""
