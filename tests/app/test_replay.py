"""Recorded decisions come out again, bit for bit, from what they were made from; whatever was changed is noticed."""

from __future__ import annotations

import copy
import json
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from lockflight.app.gate.check import CheckOptions, check
from lockflight.app.gate.replay import Replayer, capsule_of, replay
from lockflight.app.policy.policies import keep
from lockflight.app.realm import clock
from lockflight.app.realm.realm import Realm
from lockflight.app.realm.view import open_view
from lockflight.cli.gate.replay import _lines
from lockflight.cli.style import Style
from lockflight.core.attest.trust import Duty
from lockflight.core.canonical import dumps
from lockflight.core.gate.capsule import Capsule, open_capsule, parse_capsule
from lockflight.core.gate.claims import attestations
from lockflight.core.gate.gate import decide
from lockflight.core.gate.vsa import to_vsa, waivers_told
from lockflight.core.times import rfc3339
from lockflight.errors import VerificationFailed
from lockflight.policy.engines.pool import Engines
from lockflight.policy.gate import PolicyGate
from lockflight.policy.patch import patched
from lockflight.policy.shipped import pack
from lockflight.signing.oms import sign_statement
from lockflight.store.blobs import BlobStore

if TYPE_CHECKING:
    from pathlib import Path

    from lockflight.core.state.state import FoldEntry


def _documents(count: int, seed: int) -> list[dict[str, Any]]:
    """Facts of every kind that the baseline knows, good and bad."""
    bundle = pack("baseline")
    chance = random.Random(seed)
    made = []
    for number in range(count):
        bite = chance.choice([*bundle.bites.values()])
        change = bite.operations if chance.random() < 0.5 else ()
        facts: Any = patched(copy.deepcopy(bundle.base), change)
        facts["now"] = rfc3339(1_780_000_000 + number)
        for rows in facts["evidence"].values():
            for row in rows:
                if chance.random() < 0.02:
                    row["age_s"] = chance.randint(0, 10**7)
                if chance.random() < 0.01:
                    row["status"] = "incomplete"
        made.append(facts)
    return made


def _record(realm: Realm, documents: list[dict[str, Any]]) -> None:
    """Decide and log, in batches, as the gate does one by one."""
    bundle = pack("baseline")
    engines = Engines()
    gate = PolicyGate(bundle, engines.regorus)
    signer = realm.signer(Duty.GATE)
    blobs = BlobStore(realm.folder / "blobs")
    kept = keep(realm.folder, bundle)
    envelopes = []
    for facts in documents:
        decision = decide(facts, gate.ref, gate.evaluate, engines=gate.engines)
        blobs.put(dumps(facts))
        statement = to_vsa(
            decision,
            assets=[(a["name"], a["digest"]) for a in facts["release"]["assets"]],
            verifier="https://lockflight.dev/verifier/test",
            versions={"lockflight": "0"},
            time_verified=facts["now"],
            resource_uri="lockflight:test",
            policy_uri="lockflight:policy/baseline@1",
            attestations=attestations(facts),
            separation=facts["realm"]["separation"],
            bundle=kept,
            waivers=waivers_told(facts, decision.waived),
        )
        envelopes.append((sign_statement(statement, signer).encode(), signer.public_der))
    for start in range(0, len(envelopes), 256):
        realm.append_envelopes(envelopes[start : start + 256])
    engines.close()


@pytest.mark.parametrize(
    "count", [pytest.param(300, id="300"), pytest.param(10_000, id="10000", marks=pytest.mark.long)]
)
def test_every_decision_comes_out_again(realm: Realm, count: int) -> None:
    _record(realm, _documents(count, seed=count))
    view = open_view(realm.home, realm.name)
    records = [r for r in view.state.records if r.type == "decision"]
    assert len({r.digest for r in records}) == count
    replayer = Replayer()
    verdicts = set()
    try:
        for record in records:
            done = replayer.replay(capsule_of(view, str(record.index)), view.state.root)
            assert done.same, [r.problem for r in done.reruns]
            verdicts.add(done.opened.stored.allow)
    finally:
        replayer.close()
    assert verdicts == {True, False}


@pytest.fixture
def decided(realm: Realm, workspace: Path) -> tuple[Realm, str, list[FoldEntry]]:
    """A real check's decision in the team realm: its index and the verified log."""
    options = CheckOptions(environment="staging", record=True, actor="alice", workers=1)
    check(realm.home, realm.name, workspace, options, clock=clock.now)
    entries: list[FoldEntry] = []
    view = open_view(realm.home, realm.name, verified=entries)
    return realm, str(view.size - 1), entries


def _capsule(decided: tuple[Realm, str, list[FoldEntry]]) -> Capsule:
    realm, index, _ = decided
    return capsule_of(open_view(realm.home, realm.name), index)


def test_a_real_decision_fits_the_log_of_its_time(decided: tuple[Realm, str, list[FoldEntry]]) -> None:
    realm, _, entries = decided
    done = replay(_capsule(decided), realm.state.root, entries=entries)
    assert done.same
    assert done.differences == ()
    assert all(r.judged_then for r in done.reruns if r.engine == "regorus")


def test_an_engine_that_judged_and_is_not_here_is_named(decided: tuple[Realm, str, list[FoldEntry]]) -> None:
    done = replay(_capsule(decided), decided[0].state.root)
    assert done.not_asked == ()
    gone = (("name", "other"), ("sha256", "f" * 64), ("version", "9"))
    stored = replace(done.opened.stored, engines=(*done.opened.stored.engines, gone))
    without = replace(done, opened=replace(done.opened, stored=stored))
    assert without.not_asked == (("other", "9", "f" * 64),)
    assert without.same, "who is here agrees"
    text = "\n".join(_lines(without, Style()))
    assert "! other 9 judged then and is not here now: not asked" in text
    judged = len(stored.engines)
    assert f"replayed by {judged - 1} of {judged} engines that judged then" in text
    newer = (*stored.engines[0][:-1], ("version", "0.0.1"))
    updated = replace(done.opened.stored, engines=(newer,))
    assert replace(done, opened=replace(done.opened, stored=updated)).not_asked == (), (
        "another version is asked"
    )


def test_a_capsule_needs_only_the_root(decided: tuple[Realm, str, list[FoldEntry]], tmp_path: Path) -> None:
    realm, _, _ = decided
    alone = parse_capsule(_capsule(decided).encode())
    assert replay(alone, realm.state.root).same


def test_another_root_is_noticed(decided: tuple[Realm, str, list[FoldEntry]]) -> None:
    with pytest.raises(VerificationFailed) as caught:
        replay(_capsule(decided), "ab" * 32)
    assert caught.value.code == "LF7191"


def test_a_changed_policy_is_noticed(decided: tuple[Realm, str, list[FoldEntry]]) -> None:
    realm, _, _ = decided
    capsule = _capsule(decided)
    data = json.loads(capsule.files["data.json"])
    data["blocks"]["staging"] = {}
    changed = replace(capsule, files={**capsule.files, "data.json": json.dumps(data).encode()})
    with pytest.raises(VerificationFailed) as caught:
        replay(changed, realm.state.root)
    assert caught.value.code == "LF7194"


def test_another_time_is_noticed(decided: tuple[Realm, str, list[FoldEntry]]) -> None:
    realm, _, _ = decided
    capsule = _capsule(decided)
    facts = json.loads(capsule.facts)
    facts["now"] = "2020-01-01T00:00:00Z"
    with pytest.raises(VerificationFailed) as caught:
        replay(replace(capsule, facts=dumps(facts)), realm.state.root)
    assert caught.value.code == "LF7193"


def test_one_flipped_bit_of_the_facts_is_noticed(decided: tuple[Realm, str, list[FoldEntry]]) -> None:
    realm, _, _ = decided
    capsule = _capsule(decided)
    chance = random.Random(5)
    for _ in range(64):
        body = bytearray(capsule.facts)
        body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
        with pytest.raises(VerificationFailed):
            open_capsule(replace(capsule, facts=bytes(body)), realm.state.root)


@pytest.mark.parametrize("part", ["decision", "trust"])
def test_one_flipped_bit_of_the_proof_is_noticed(
    decided: tuple[Realm, str, list[FoldEntry]], part: str
) -> None:
    realm, _, _ = decided
    capsule = _capsule(decided)
    chance = random.Random(7)
    for _ in range(64):
        body = bytearray(capsule.decision if part == "decision" else capsule.trust[0])
        body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
        changed = (
            replace(capsule, decision=bytes(body))
            if part == "decision"
            else replace(capsule, trust=(bytes(body), *capsule.trust[1:]))
        )
        try:
            opened = open_capsule(changed, realm.state.root)
        except VerificationFailed:
            continue
        # A bit in what nothing hangs on, such as white space of the proof's hints.
        assert opened.stored == open_capsule(capsule, realm.state.root).stored


def test_evidence_that_the_log_does_not_hold_is_noticed(decided: tuple[Realm, str, list[FoldEntry]]) -> None:
    """A gate key that signs facts of its own making is found out by the log."""
    realm, _, _ = decided
    facts: Any = json.loads(_capsule(decided).facts)
    name = next(iter(facts["evidence"]))
    facts["evidence"][name][0]["summary"]["safe"] = 99
    _record(realm, [facts])
    entries: list[FoldEntry] = []
    view = open_view(realm.home, realm.name, verified=entries)
    forged = capsule_of(view, str(view.size - 1))
    done = replay(forged, realm.state.root, entries=entries)
    assert not done.same
    assert done.differences == (f"evidence.{name}",)
