"""Decisions that a gate key signed about something else than what they were made from."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lockflight.app.gate.check import CheckOptions, check
from lockflight.app.gate.replay import capsule_of, replay
from lockflight.app.realm import clock
from lockflight.app.realm.view import open_view
from lockflight.core.attest.dsse import decode
from lockflight.core.attest.trust import Duty
from lockflight.core.canonical import dumps
from lockflight.errors import LockflightError, VerificationFailed
from lockflight.signing.oms import sign_statement
from lockflight.store.blobs import BlobStore


@pytest.fixture
def decided(realm, workspace):
    options = CheckOptions(environment="staging", record=True, actor="alice", workers=1)
    check(realm.home, realm.name, workspace, options, clock=clock.now)
    return realm


def _again(realm, change, facts=None):
    view = open_view(realm.home, realm.name)
    stored = view.state.records[-1].fact
    new = change(stored)
    realm.append_envelopes(
        [
            (e.encode(), realm.signer(Duty.GATE).public_der)
            for e in [sign_statement(new.statement(), realm.signer(Duty.GATE))]
        ]
    )
    entries = []
    view = open_view(realm.home, realm.name, verified=entries)
    assert view.state.records[-1].effective, view.state.records[-1].reason
    return replay(capsule_of(view, str(view.size - 1)), view.state.root, entries=entries)


def test_release_and_environment_swapped(decided):
    with pytest.raises(VerificationFailed) as caught:
        _again(
            decided,
            lambda s: replace(
                s,
                release="66" * 32,
                name="evil",
                environment="production",
                assets=(("x", "77" * 32),),
                separation="none",
                attestations=(),
                time_verified="2020-01-01T00:00:00Z",
            ),
        )
    assert caught.value.code == "LF7193"


def test_words_changed(decided):
    def change(s):
        return replace(
            s,
            violations=tuple(replace(v, msg="all is well", solution="nothing") for v in s.violations),
            warnings=(),
            skipped=(),
            evaluated=("XX",),
        )

    done = _again(decided, change)
    assert not done.same


def test_malformed_facts_of_the_gate(decided):
    realm = decided
    view = open_view(realm.home, realm.name)
    stored = view.state.records[-1].fact
    facts = json.loads(BlobStore(realm.folder / "blobs").get(stored.input_digest))
    facts["realm"]["checkpoint"] = "x"
    digest = BlobStore(realm.folder / "blobs").put(dumps(facts))
    try:
        done = _again(realm, lambda s: replace(s, input_digest=digest))
    except LockflightError:
        return
    assert not done.same


def _facts_of(decided, change):
    """The facts of the last decision after a change, kept as a blob; their digest and their bytes."""
    blobs = BlobStore(decided.folder / "blobs")
    facts = json.loads(blobs.get(open_view(decided.home, decided.name).state.records[-1].fact.input_digest))
    change(facts["release"]["assets"][0])
    return blobs.put(dumps(facts)), dumps(facts)


CARD = {"licence": "CC-BY-4.0", "personal": "none", "collected": "by hand"}
ROWS = {"root": "ab" * 32, "rows": 7, "ordered": "cd" * 32, "set": "ef" * 32}


@pytest.mark.parametrize(("key", "told"), [("data", CARD), ("rows", ROWS)])
def test_what_is_told_of_data_is_bound_by_the_signed_digest(decided, key, told):
    """The log does not hold it, so nothing but the digest in the decision keeps a capsule from telling otherwise."""
    _, forged = _facts_of(decided, lambda asset: asset.update({key: told}))
    view = open_view(decided.home, decided.name)
    capsule = capsule_of(view, str(view.size - 1))
    with pytest.raises(VerificationFailed) as caught:
        replay(replace(capsule, facts=forged), view.state.root)
    assert caught.value.code == "LF7193"


@pytest.mark.parametrize(
    "change",
    [
        lambda asset: asset.update(trusted=True),
        lambda asset: asset.update(verdict="safe", data=CARD),
        lambda asset: asset.update(labels={"reviewed": "yes"}),
    ],
    ids=["unknown word", "beside a card", "labels"],
)
def test_only_rows_and_data_are_taken_from_the_facts(decided, change):
    """Whatever else the gate's key signed about an asset is compared with the log."""
    digest, _ = _facts_of(decided, change)
    done = _again(decided, lambda s: replace(s, input_digest=digest))
    assert any(place.startswith("release") for place in done.differences)
    assert not done.same


@pytest.mark.parametrize("key", ["data", "rows"])
@pytest.mark.parametrize("told", [None, [], {"licence": None, "rows": "many"}])
def test_data_of_another_shape_says_nothing_good(decided, key, told):
    digest, _ = _facts_of(decided, lambda asset: asset.update({key: told}))
    try:
        done = _again(decided, lambda s: replace(s, input_digest=digest))
    except LockflightError as error:
        assert error.code.startswith("LF")  # noqa: PT017 - either way is right, as long as it is not "same"
        return
    assert not done.same


def test_ineffective_decision_is_replayed(decided):
    """A decision by a gate key that was rotated away is logged later: it counts for nothing, its capsule passes."""
    from lockflight.core.attest.trust import RealmKey, Trust, root_digest
    from lockflight.core.gate.capsule import Capsule, decode_files
    from lockflight.signing.keys import P256, generate

    realm = decided
    view = open_view(realm.home, realm.name)
    stored = view.state.records[-1].fact
    trust = view.state.trust
    new_gate = generate(P256)
    keys = tuple(RealmKey(new_gate.public_der, Duty.GATE) if k.duty is Duty.GATE else k for k in trust.keys)
    rotated = replace(trust, keys=keys, prev=root_digest(trust.statement().payload()))
    old = realm.signer(Duty.GATE)
    realm.append([(rotated.statement(), realm.signer(Duty.ROOT))])
    e = sign_statement(replace(stored, verifier="https://late.invalid/").statement(), old)
    realm.append_envelopes([(e.encode(), old.public_der)])
    entries = []
    view = open_view(realm.home, realm.name, verified=entries)
    record = view.state.records[-1]
    assert not record.effective
    assert record.code == "LF7244"
    blobs = BlobStore(realm.folder / "blobs")
    trusts = [
        view.reader.envelope(r.digest)
        for r in view.state.records
        if r.effective and isinstance(r.fact, Trust)
    ][:1]
    from lockflight.core.verify.bundle import TlogEntry
    from lockflight.core.verify.crypto.keys import load_der
    from lockflight.core.verify.log.note import KIND_ED25519, NoteKey
    from lockflight.signing.oms import make_bundle

    t = view.state.trust
    key = NoteKey(t.origin, KIND_ED25519, load_der(t.key(Duty.LOG).der).raw)
    entry = TlogEntry(
        index=record.index,
        log_id=key.full_id,
        leaf=next(iter(view.reader.entries(record.index, record.index + 1))).leaf,
        root=bytes.fromhex(view.root_hash),
        size=view.size,
        hashes=tuple(view.reader.inclusion(record.index, view.size)),
        checkpoint=view.reader.checkpoint(),
    )
    bundle = make_bundle(decode(view.reader.envelope(record.digest)), load_der(old.public_der).pem, entry)
    capsule = Capsule(
        tuple(trusts), bundle, blobs.get(stored.input_digest), decode_files(blobs.get(stored.bundle))
    )
    done = replay(capsule, view.state.root, entries=entries)
    assert not done.same, "the log says LF7244, the replay says same"
