"""Facts, findings, results and statements are what their published schemas say."""

from __future__ import annotations

import json

import jsonschema
import pytest

from lockflight.app.schema import schema
from lockflight.core.attest.acts import Scope
from lockflight.core.attest.check import Grain
from lockflight.core.facts.facts import build_facts
from lockflight.core.findings import Finding, Location, Severity
from tests import factories
from tests.cli.runner import validator
from tests.factories import INFO, NOW, Ledger


@pytest.fixture
def ledger():
    book = Ledger()
    book.person("alice", "author")
    book.person("bob", "approver")
    return book


def test_facts(ledger):
    release = factories.release()
    ledger.scan(release)
    ledger.register(release, "alice")
    ledger.revoke("c" * 64, "bob", scope=Scope.ASSET)
    ledger.revoke(release.digest, "bob")
    ledger.scan(release, signer="bob")
    facts = build_facts(
        release=release,
        environment="staging",
        state=ledger.state(),
        checkpoint=f"{len(ledger.entries)}:{'0' * 64}",
        infos=[INFO],
        now=NOW + 100,
    )
    assert facts["evidence"]
    assert facts["rejected"]
    assert facts["state"]["revoked"]
    validator("facts").validate(facts)


def test_facts_with_a_key_too_few_are_refused(ledger):
    body = json.loads(schema("facts"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"schema": "https://lockflight.dev/schema/facts/v1"}, body)


@pytest.mark.parametrize("location", [Location(), Location("m", 3, 7)], ids=["none", "all"])
def test_finding(location):
    finding = Finding("LF2100", "r", Severity.LOW, "a", "It is.", location=location, ids=("CWE-1",))
    validator("finding").validate(finding.to_json())


def test_check_result():
    validator("check-result").validate(factories.result().to_json())


def test_statements(ledger):
    release = factories.release()
    ledger.scan(release)
    ledger.register(release, "alice")
    ledger.approve(release, "bob", basis="b" * 64)
    ledger.promote(release, decision="d" * 64)
    ledger.revoke(release.digest, "bob")
    seen = set()
    for record in ledger.state().records:
        if record.type in {"signature", "decision"}:
            continue
        seen.add(record.type)
        validator(f"attestation-{record.type}").validate(json.loads(record.statement.payload()))
    assert seen == {"trust", "grant", "scan", "registration", "approval", "promotion", "revocation"}


def test_grains_are_those_of_the_schema():
    body = json.loads(schema("attestation-scan"))
    assert body["properties"]["predicate"]["properties"]["grain"]["enum"] == [g.value for g in Grain]
