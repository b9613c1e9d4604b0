"""Issuers of identity tokens: what a rule must hold, what a token must meet, and who may trust whom."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lockflight.core.attest.acts import Revocation, Scope, identity_digest
from lockflight.core.attest.statement import Statement, parse
from lockflight.core.attest.trust import Duty, Grant, RealmKey, RealmKind, parse_grant
from lockflight.core.state.issuers import (
    DEMANDED,
    IssuerKind,
    Rule,
    TrustedIssuer,
    check_url,
    claim,
    matching,
    notes,
    parse_issuer,
    proposed_change,
    rule_fault,
)
from lockflight.core.verify.crypto.jwks import read_jwks
from lockflight.signing.keys import P256, generate
from tests.live_ledger import LiveLedger
from tests.tokens import AUDIENCE, MAKERS, SHA, UID, WORKFLOW, Maker

NOW = 1_780_000_000


def issuer(maker: Maker, **more: Any) -> TrustedIssuer:
    given: dict[str, Any] = {
        "url": maker.url,
        "kind": IssuerKind(maker.kind),
        "audience": AUDIENCE,
        "life_s": 3600,
        "keys": read_jwks(json.dumps(maker.keys()).encode()),
        "rules": (Rule("p-ci", tuple(sorted(maker.rule.items()))),),
        "removed": False,
        "prev": "",
        "realm": "ab" * 32,
    }
    return TrustedIssuer(**{**given, **more})


def removal(one: TrustedIssuer, **more: Any) -> TrustedIssuer:
    return replace(one, kind=None, audience="", life_s=0, keys=(), rules=(), removed=True, **more)


@pytest.mark.parametrize("maker", MAKERS.values(), ids=list(MAKERS))
def test_it_reads_what_it_writes(maker: Maker) -> None:
    one = issuer(maker)
    assert parse_issuer(parse(one.statement().payload())) == one
    gone = removal(one)
    assert parse_issuer(parse(gone.statement().payload())) == gone


def broken(**changes: Any) -> str:
    said = issuer(MAKERS["github"]).statement()
    predicate = {key: value for key, value in {**said.predicate, **changes}.items() if value is not ...}
    with pytest.raises((KeyError, TypeError, ValueError)) as info:
        parse_issuer(replace(said, predicate=predicate))
    return str(info.value)


def test_what_it_does_not_read() -> None:
    good = issuer(MAKERS["github"]).statement().predicate
    assert "unknown fields" in broken(extra=1)
    assert "unknown fields" in broken(action="allow")
    assert "unknown fields" in broken(action="remove")
    assert "kind" in broken(kind=...)
    for kind in ("", "Github", "circleci", "oidc "):
        broken(kind=kind)
    for audience in ("", "a b", "x" * 300, "\u0430"):
        assert "audience" in broken(audience=audience)
    for life in (0, 59, 3601, 10**9):
        assert "seconds" in broken(lifeSeconds=life)
    broken(lifeSeconds="3600")
    broken(lifeSeconds=-1)
    broken(keys=[])
    assert "same kid" in broken(keys=[good["keys"][0], good["keys"][0]])  # type: ignore[index]
    assert "unknown field" in broken(keys=[{**good["keys"][0], "x5c": []}])  # type: ignore[index,dict-item]
    assert "0 rules" in broken(rules=[])
    assert "101 rules" in broken(rules=[good["rules"][0]] * 101)  # type: ignore[index]
    assert "same claims" in broken(rules=[good["rules"][0]] * 2)  # type: ignore[index]
    broken(realm="x")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "http://a.example",
        "https://",
        "https:///x",
        "https://A.example",
        "https://a.example?x",
        "https://a.example#x",
        "https://u@a.example",
        "https://u:p@a.example",
        "https://a.example/a b",
        "https://a.example//b",
        "https://a.example\n",
        "https://\u0430.example",
        "https://a.example/%2e",
        "https://-a.example",
        "https://a.example:123456",
        "HTTPS://a.example",
        "https://a.example/" + "x" * 250,
    ],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        check_url(url)


def test_what_is_an_address() -> None:
    for url in (*(maker.url for maker in MAKERS.values()), "https://a.example:8443/x/", "https://10.0.0.1"):
        assert check_url(url) == url


@pytest.mark.parametrize("maker", MAKERS.values(), ids=list(MAKERS))
def test_a_rule_must_hold_what_its_kind_demands(maker: Maker) -> None:
    kind = IssuerKind(maker.kind)
    rule = Rule("p-ci", tuple(sorted(maker.rule.items())))
    assert not rule_fault(kind, rule)
    assert not rule_fault(kind, replace(rule, claims=(*rule.claims, ("environment", "production"))))
    for name in DEMANDED[kind]:
        less = tuple(pair for pair in rule.claims if pair[0] != name)
        assert name in rule_fault(kind, replace(rule, claims=less))
        for value in ("", "\n", "\u0430", "x" * 600):
            assert rule_fault(kind, replace(rule, claims=tuple(sorted({**maker.rule, name: value}.items()))))
    for name in ("iss", "aud", "exp", "jti"):
        assert name in rule_fault(kind, replace(rule, claims=((name, "x"), *rule.claims)))
    for principal in ("", "a b", "x" * 65, "p/1"):
        assert rule_fault(kind, replace(rule, principal=principal))
    many = tuple((f"c{i}", "x") for i in range(20))
    assert rule_fault(kind, replace(rule, claims=(*many, *rule.claims)))
    assert rule_fault(None, rule)


@pytest.mark.parametrize(
    ("kind", "name", "values"),
    [
        ("github", "repository_id", ["acme/five", "*", "074", "7 4", "-74", "7e1"]),
        ("github", "repository_owner_id", ["acme", "0"]),
        (
            "github",
            "job_workflow_ref",
            [
                "acme/five",
                WORKFLOW.partition("@")[0],
                WORKFLOW.replace("refs/heads/main", "main"),
                WORKFLOW.replace("refs/heads/main", "refs/tags/v1"),
                WORKFLOW.replace("refs/heads/main", "refs/pull/1/merge"),
                WORKFLOW.replace("refs/heads/main", "refs/heads/"),
                WORKFLOW.replace("refs/heads/main", SHA[:12]),
                WORKFLOW.replace("refs/heads/main", SHA.upper()),
                "*",
            ],
        ),
        ("gitlab", "ref_protected", ["false", "True", "1"]),
        ("gitlab", "project_id", ["acme/five"]),
        ("gitlab", "ci_config_ref_uri", ["gitlab.acme.example/acme/five", "x//y@refs/tags/v1", "x//y@main"]),
        ("kubernetes", "kubernetes.io/serviceaccount/uid", ["signer", UID.upper(), UID[:-1]]),
        ("kubernetes", "kubernetes.io/namespace", ["Build", "a_b", "*", "-a"]),
        (
            "spiffe",
            "sub",
            ["spiffe://acme.example", "spiffe://acme.example/", "spiffe://acme.example/*/x", "https://x/y"],
        ),
    ],
    ids=str,
)
def test_a_rule_is_exact(kind: str, name: str, values: list[str]) -> None:
    maker = MAKERS[kind]
    for value in values:
        claims = tuple(sorted({**maker.rule, name: value}.items()))
        assert rule_fault(IssuerKind(kind), Rule("p-ci", claims)), value


def test_a_workflow_may_be_pinned_to_a_commit() -> None:
    claims = {**MAKERS["github"].rule, "job_workflow_ref": WORKFLOW.replace("refs/heads/main", SHA)}
    assert not rule_fault(IssuerKind.GITHUB, Rule("p-ci", tuple(sorted(claims.items()))))


@pytest.mark.parametrize("maker", MAKERS.values(), ids=list(MAKERS))
def test_every_claim_of_a_rule_must_be_met(maker: Maker) -> None:
    one = issuer(maker)
    claims = maker.good(NOW)
    assert matching(one, claims) == one.rules
    assert not proposed_change(one, claims)
    assert matching(one, {}) == ()
    for name in maker.rule:
        less = {key: value for key, value in claims.items() if key != name.partition("/")[0]}
        assert matching(one, less) == ()


_ANY = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(max_size=5),
    lambda inner: some.lists(inner, max_size=2) | some.dictionaries(some.text(max_size=4), inner, max_size=2),
    max_leaves=6,
)
_NAMES = ["kubernetes.io", "sub", "ref", "event_name", "job_workflow_ref", "repository", "run_id", "ref_path"]


@given(some.dictionaries(some.sampled_from(_NAMES), _ANY), some.sampled_from(sorted(MAKERS)))
def test_no_claims_crash_the_rules(claims: dict[str, Any], kind: str) -> None:
    one = issuer(MAKERS[kind])
    assert matching(one, claims) == ()
    assert isinstance(proposed_change(one, claims), str)
    assert all(words and n >= 9 for n, words in notes(one, claims))
    assert isinstance(claim(one.kind, claims, "kubernetes.io/serviceaccount/uid"), str)


def test_what_is_said_of_a_job() -> None:
    enterprise = replace(issuer(MAKERS["github"]), url="https://github.acme.example/_services/token")
    said = dict(notes(enterprise, MAKERS["github"].good(NOW)))
    assert said[9] == f"https://github.acme.example/{WORKFLOW}"
    gitlab = dict(notes(issuer(MAKERS["gitlab"]), MAKERS["gitlab"].good(NOW)))
    assert gitlab[21] == "https://gitlab.acme.example/acme/five/-/jobs/1034"
    assert (gitlab[15], gitlab[17]) == ("22", "72")
    for kind in ("kubernetes", "spiffe", "oidc"):
        assert notes(issuer(MAKERS[kind]), MAKERS[kind].good(NOW)) == ()


@pytest.fixture
def ledger() -> LiveLedger:
    realm = LiveLedger()
    realm.person("alice", "author")
    realm.person("bob", "approver")
    realm.person("carol", "releaser", "realm-admin")
    realm.person("dora", "risk-owner")
    realm.grant(RealmKey(b"", Duty.PRODUCER, "p-ci", ("builder",), "", "p-alice"))
    return realm


def trust(ledger: LiveLedger, maker: Maker = MAKERS["github"], by: str = "carol", **more: Any) -> str:
    prev = ledger.state().issuer_heads.get(maker.url, "")
    one = issuer(maker, realm=ledger.root, prev=prev)
    return ledger.add(replace(one, **more).statement(), by)


def test_two_people_trust_an_issuer(ledger: LiveLedger) -> None:
    proposal = trust(ledger)
    assert not ledger.code(proposal)
    assert ledger.state().issuers == {}
    assert ledger.code(ledger.review(proposal, "carol")) == "LF7266"
    assert ledger.code(ledger.review(proposal, "alice")) == "LF7266", "it is her machine"
    assert not ledger.code(ledger.review(proposal, "dora"))
    assert list(ledger.state().issuers) == [MAKERS["github"].url]


def test_who_may_not(ledger: LiveLedger) -> None:
    for name in ("alice", "bob", "dora"):
        assert ledger.code(trust(ledger, by=name)) == "LF7256"
    for name in ("root", "gate", "producer"):
        assert ledger.code(trust(ledger, by=name)) == "LF7245"
    assert ledger.code(trust(ledger, realm="cd" * 32)) == "LF7259"


def test_a_rule_names_a_machine_that_somebody_answers_for(ledger: LiveLedger) -> None:
    ledger.person("lone", "builder", duty=Duty.PRODUCER)
    for principal in ("p-alice", "p-lone", "p-nobody"):
        rules = (Rule(principal, tuple(sorted(MAKERS["github"].rule.items()))),)
        assert ledger.code(trust(ledger, rules=rules)) == "LF7271"


def test_a_machine_that_left_meanwhile_stops_the_consent(ledger: LiveLedger) -> None:
    proposal = trust(ledger)
    gone = Revocation(Scope.IDENTITY, identity_digest("p-ci"), "p-ci", "compromised", "", ledger.root)
    ledger.add(gone.statement(), "dora")
    assert ledger.code(ledger.review(proposal, "dora")) == "LF7271"


def test_one_person_takes_it_back_and_what_waits_is_overtaken(ledger: LiveLedger) -> None:
    first = trust(ledger)
    ledger.review(first, "dora")
    waits = trust(ledger, life_s=600)
    for name, code in (("alice", "LF7256"), ("dora", "")):
        gone = removal(issuer(MAKERS["github"]), realm=ledger.root, prev=first)
        assert ledger.code(ledger.add(gone.statement(), name)) == code
    assert ledger.state().issuers == {}
    assert ledger.code(ledger.review(waits, "dora")) == "LF7246"
    head = ledger.state().issuer_heads[MAKERS["github"].url]
    twice = removal(issuer(MAKERS["github"]), realm=ledger.root, prev=head)
    assert ledger.code(ledger.add(twice.statement(), "dora")) == "LF7271"
    assert ledger.code(trust(ledger, prev="")) == "LF7246"
    ledger.review(trust(ledger), "dora")
    assert list(ledger.state().issuers) == [MAKERS["github"].url]


def test_alone_one_decides() -> None:
    realm = LiveLedger(kind=RealmKind.PERSONAL)
    realm.person("you", "author")
    realm.grant(RealmKey(b"", Duty.PRODUCER, "p-ci", ("builder",), "", "p-you"), by="you")
    assert not realm.code(trust(realm, by="you"))
    assert list(realm.state().issuers) == [MAKERS["github"].url]


def test_only_a_machine_with_an_owner_is_without_a_key() -> None:
    key = RealmKey(b"", Duty.PRODUCER, "p-ci", ("builder",), "", "p-alice")
    grant = Grant(key, realm="ab" * 32)
    assert parse_grant(parse(grant.statement().payload())) == grant
    for bad in (replace(key, owner=""), replace(key, duty=Duty.PERSON)):
        with pytest.raises(ValueError, match="without a key"):
            parse_grant(Grant(bad, realm="ab" * 32).statement())
    other = replace(key, principal="p-other")
    assert key.keyid != other.keyid
    assert replace(key, der=generate(P256).public_der).keyid != key.keyid


def test_a_statement_of_another_type_is_none() -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        parse_issuer(Statement("https://x.example/y", issuer(MAKERS["oidc"]).statement().subjects, {}))
