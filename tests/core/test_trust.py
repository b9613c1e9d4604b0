"""Trust and grant statements: what they write they read, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lockflight.core.attest.statement import Statement, parse
from lockflight.core.attest.trust import Duty, Grant, RealmKey, parse_grant, parse_trust, root_digest
from lockflight.signing.keys import P256, generate
from tests.factories import Ledger


def test_trust_reads_what_it_writes() -> None:
    ledger = Ledger()
    statement = parse(ledger.trust.statement().payload())
    assert parse_trust(statement) == ledger.trust
    assert root_digest(statement.payload()) == ledger.root


def test_trust_with_an_unknown_field_is_refused() -> None:
    statement = Ledger().trust.statement()
    extra = replace(statement, predicate={**statement.predicate, "admins": ["mallory"]})
    with pytest.raises(ValueError, match="unknown fields"):
        parse_trust(extra)


def test_one_key_with_two_duties_is_refused() -> None:
    trust = Ledger().trust
    log = trust.key(Duty.LOG)
    twice = replace(trust, keys=(*trust.keys, RealmKey(log.der, Duty.CLOCK)))
    with pytest.raises(ValueError, match="two duties"):
        parse_trust(twice.statement())


@pytest.mark.parametrize("duty", [Duty.LOG, Duty.CLOCK, Duty.GATE])
def test_trust_without_a_needed_key_is_refused(duty: Duty) -> None:
    trust = Ledger().trust
    less = replace(trust, keys=tuple(k for k in trust.keys if k.duty is not duty))
    with pytest.raises(KeyError, match=duty.value):
        parse_trust(less.statement())


def _grant(duty: Duty = Duty.PERSON, principal: str = "p-1") -> Grant:
    key = RealmKey(generate(P256).public_der, duty, principal, ("approver",), "")
    return Grant(key, realm="ab" * 32)


@pytest.mark.parametrize("withdrawn", [False, True])
def test_grant_reads_what_it_writes(*, withdrawn: bool) -> None:
    grant = replace(_grant(), withdrawn=withdrawn)
    assert parse_grant(parse(grant.statement().payload())) == grant


@pytest.mark.parametrize("duty", [Duty.ROOT, Duty.LOG, Duty.CLOCK, Duty.GATE])
def test_a_grant_gives_no_realm_duty(duty: Duty) -> None:
    with pytest.raises(ValueError, match=duty.value):
        parse_grant(_grant(duty).statement())


def test_a_grant_needs_a_principal() -> None:
    with pytest.raises(ValueError, match="pseudonym"):
        parse_grant(_grant(principal="").statement())


@pytest.mark.parametrize("change", [{"action": "widen"}, {"x": 1}])
def test_a_grant_with_other_content_is_refused(change: dict[str, object]) -> None:
    statement = _grant().statement()
    other = Statement(statement.predicate_type, statement.subjects, {**statement.predicate, **change})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="unknown"):
        parse_grant(other)
