"""Facts: what is verified, what is rejected and why, what is missing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lockflight.core.attest.check import CheckInfo, Grain, Status, subjects
from lockflight.core.attest.scanfact import scan_fact
from lockflight.core.attest.trust import Duty
from lockflight.core.canonical import dumps
from lockflight.core.facts.facts import build_facts, is_fresh, missing
from lockflight.core.gate.factshape import check_facts
from lockflight.core.release.release import make_release
from lockflight.core.times import rfc3339
from lockflight.core.words import Role
from tests.factories import INFO, NOW, Ledger, asset, release, result

if TYPE_CHECKING:
    from lockflight.core.canonical import JsonObject
    from lockflight.core.release.release import Asset, Release

VIEW_INFO = CheckInfo("secrets", "1", "secrets", Grain.VIEW, views=("behaviour", "software", "data"))
RELEASE_INFO = CheckInfo("completeness", "1", "roles", Grain.RELEASE, reads=frozenset(Role))
LATER = NOW + 1000


def _facts(ledger: Ledger, what: Release, *infos: CheckInfo) -> JsonObject:
    return build_facts(
        release=what,
        environment="staging",
        state=ledger.state(),
        checkpoint="1:aa",
        infos=infos or (INFO,),
        now=LATER,
    )


def test_facts_are_what_the_gate_accepts_and_canonical() -> None:
    ledger = Ledger()
    ledger.scan(release())
    facts = _facts(ledger, release(), INFO, VIEW_INFO, RELEASE_INFO)
    check_facts(facts)
    assert dumps(facts) == dumps(_facts(ledger, release(), INFO, VIEW_INFO, RELEASE_INFO))


def test_evidence_counts_for_every_release_with_that_asset() -> None:
    ledger = Ledger()
    digest = ledger.scan(release())
    for what in (release(), release(version="2", name="other")):
        [row] = _facts(ledger, what)["evidence"]["scan/models"]  # type: ignore[index,call-overload,misc]
        assert row["digest"] == digest  # type: ignore[index,call-overload]
        assert row["age_s"] == LATER - ledger.entries[-1].logged_at  # type: ignore[index,call-overload]


def test_absent_evidence_is_absent_and_expected() -> None:
    facts = _facts(Ledger(), release())
    assert facts["evidence"] == {}
    assert [e["name"] for e in facts["expected"]["scan/models"]] == ["model.safetensors"]  # type: ignore[index,call-overload,union-attr]


def test_rejected_evidence_stays_visible_with_its_reason() -> None:
    ledger = Ledger()
    digest = ledger.scan(release(), signer="gate")
    facts = _facts(ledger, release())
    assert facts["evidence"] == {}
    [row] = facts["rejected"]  # type: ignore[misc]
    assert row["digest"] == digest  # type: ignore[index,call-overload]
    assert row["code"] == "LF7245"  # type: ignore[index,call-overload]


def test_the_newest_statement_of_each_signer_counts() -> None:
    ledger = Ledger()
    ledger.person("ci", duty=Duty.PRODUCER)
    bad = {"safe": 0, "review": 0, "unknown": 0, "malicious": 1}
    ledger.scan(release(), result(summary=bad), signer="ci")
    ledger.scan(release())
    newest = ledger.scan(release(), result(summary={"safe": 1}))
    rows = _facts(ledger, release())["evidence"]["scan/models"]  # type: ignore[index,call-overload]
    assert len(rows) == 2  # type: ignore[arg-type]
    assert newest in {r["digest"] for r in rows}  # type: ignore[union-attr,index,call-overload]
    assert any(r["summary"].get("malicious") for r in rows)  # type: ignore[union-attr,index,call-overload]


def test_evidence_by_another_version_of_the_check_is_rejected() -> None:
    ledger = Ledger()
    ledger.scan(release(), info=replace(INFO, version="0"))
    facts = _facts(ledger, release())
    assert facts["evidence"] == {}
    assert facts["rejected"][0]["code"] == "LF4404"  # type: ignore[index,call-overload]


def test_revocations_of_release_and_assets_are_facts() -> None:
    ledger = Ledger()
    ledger.person("bob", "approver")
    weights = release().asset("model.safetensors")
    assert weights is not None
    ledger.revoke(weights.sha256, "bob")
    assert [r["digest"] for r in _facts(ledger, release())["state"]["revoked"]] == [weights.sha256]  # type: ignore[index,call-overload,union-attr]


@pytest.mark.parametrize("age", [999, 1000])
def test_freshness_counts_from_the_log(age: int) -> None:
    ledger = Ledger()
    ledger.scan(release())
    [subject] = subjects(INFO, release())
    logged = ledger.entries[-1].logged_at
    assert is_fresh(ledger.state(), INFO, subject, max_age_s=age, now=logged + age)
    assert not is_fresh(ledger.state(), INFO, subject, max_age_s=age, now=logged + age + 1)
    assert not is_fresh(ledger.state(), INFO, subject, max_age_s=age, now=logged - 1)


def test_incomplete_evidence_is_missing_evidence() -> None:
    ledger = Ledger()
    ledger.scan(release(), result(status=Status.INCOMPLETE))
    assert missing(release(), {"models": INFO}, {"models": 10**6}, ledger.state(), LATER)


def test_what_a_change_makes_run_again() -> None:
    ledger = Ledger()
    first = release()
    infos = {i.name: i for i in (INFO, VIEW_INFO, RELEASE_INFO)}
    age = dict.fromkeys(infos, 10**6)
    for info in infos.values():
        for subject in subjects(info, first):
            ledger.add(scan_fact(info, subject, result(), rfc3339(NOW + 10_000)).statement(), "producer")

    def again(what: Release) -> list[tuple[str, str]]:
        return [(i.name, s.name) for i, s in missing(what, infos, age, ledger.state(), LATER)]

    assert again(first) == []
    assert again(release(version="2")) == [("completeness", "bot")]
    readme = [asset("README.md", Role.DOCUMENTATION, b"new words")]
    assert again(_with(first, *readme)) == [("completeness", "bot")]
    prompt = [asset("prompts/system.md", Role.SYSTEM_PROMPT, b"be brief")]
    assert again(_with(first, *prompt)) == [("secrets", "behaviour"), ("completeness", "bot")]


def _with(what: Release, *changed: Asset) -> Release:
    by_name = {a.name: a for a in (*what.assets, *changed)}
    return make_release(
        name=what.name, version=what.version, kind=what.kind, tier=what.tier, assets=by_name.values()
    )


def test_old_evidence_that_is_logged_today_is_old() -> None:
    ledger = Ledger()
    [subject] = subjects(INFO, release())
    made = NOW - 10**6
    ledger.add(scan_fact(INFO, subject, result(), rfc3339(made)).statement(), "producer")
    assert not is_fresh(ledger.state(), INFO, subject, max_age_s=10**5, now=NOW + 10)
    assert is_fresh(ledger.state(), INFO, subject, max_age_s=10**6 + 10, now=NOW + 10)


def test_a_claim_of_the_future_makes_nothing_fresher() -> None:
    ledger = Ledger()
    [subject] = subjects(INFO, release())
    ledger.add(scan_fact(INFO, subject, result(), rfc3339(NOW + 10**6)).statement(), "producer")
    logged = ledger.entries[-1].logged_at
    assert not is_fresh(ledger.state(), INFO, subject, max_age_s=100, now=logged + 101)
