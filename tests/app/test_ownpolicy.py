"""A policy that a release brings along: it judges beside the realm's, can only deny, and cannot be left out."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from lockflight.app.files.describe import describe
from lockflight.app.gate.approvals import approve
from lockflight.app.gate.check import CheckOptions, check
from lockflight.app.gate.judge import Gate
from lockflight.app.gate.replay import capsule_of, replay
from lockflight.app.gate.waivers import Wish, request
from lockflight.app.policy.dryrun import dry_run
from lockflight.app.realm import clock
from lockflight.app.realm.realm import Realm
from lockflight.app.realm.view import open_view
from lockflight.app.registry.promote import promote
from lockflight.app.registry.recheck import recheck
from lockflight.app.release.sign import sign
from lockflight.app.release.verify import verify_package
from lockflight.core.attest.acts import Action, Promotion
from lockflight.core.attest.changes import Reach, Scope
from lockflight.core.attest.trust import Duty
from lockflight.core.canonical import dumps
from lockflight.core.gate.capsule import encode_files, parse_capsule
from lockflight.core.gate.vsa import StoredDecision
from lockflight.core.release.release import Asset, make_release, parse_release
from lockflight.core.words import Role
from lockflight.errors import InvalidInput, LockflightError, VerificationFailed
from lockflight.policy.archive import packed
from lockflight.policy.bundle import MAX_FILE_BYTES, read_bundle
from lockflight.policy.text.annotations import rule_metadata_file
from lockflight.signing.oms import sign_release, sign_statement
from lockflight.store.blobs import BlobStore
from tests.policy.small import REGO, small_bundle

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LONG = "a-name-that-does-not-fit"


def bring(workspace: Path, files: Mapping[str, bytes], place: str = "rules") -> None:
    """Let a workspace bring a policy along."""
    if place.endswith(".tar.gz"):
        (workspace / place).write_bytes(packed(files))
    else:
        for name, body in files.items():
            target = workspace / place / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(body)
    manifest = workspace / "lockflight.toml"
    if "[policy]" not in manifest.read_text():
        manifest.write_text(manifest.read_text() + f'\n[policy]\nbundle = "{place}"\n')


def rename(workspace: Path, name: str = LONG) -> None:
    """Give the release another name; the long one is what `small` denies."""
    manifest = workspace / "lockflight.toml"
    manifest.write_text(manifest.read_text().replace('name = "five"', f'name = "{name}"'))


def changed(old: str, new: str) -> dict[str, bytes]:
    """`small` with other words in its module, and the metadata that goes with them."""
    assert old in REGO
    rego = REGO.replace(old, new)
    files = small_bundle(rego)
    files["rule_meta/data.json"] = rule_metadata_file({"policy/small.rego": rego})
    return files


def judged(realm: Realm, workspace: Path, environment: str = "development", **options: Any) -> Any:
    """What `check` says, recorded."""
    wanted = CheckOptions(environment=environment, record=True, actor="alice", workers=1, **options)
    return check(realm.home, realm.name, workspace, wanted, clock=clock.now).judgements[environment]


def refused(code: str, call: Any, *args: Any, **kwargs: Any) -> LockflightError:
    with pytest.raises(LockflightError) as caught:
        call(*args, **kwargs)
    assert caught.value.code == code, caught.value
    return caught.value


def signed(realm: Realm, workspace: Path, out: Path) -> Path:
    sign(realm.home, realm.name, workspace, out, actor="alice")
    return out


def promoted(realm: Realm, package: Path, environment: str = "development", actor: str = "alice") -> Any:
    return promote(realm.home, realm.name, package, environment=environment, actor=actor, now=clock.now())


def newest(realm: Realm) -> tuple[Any, str]:
    """The view and the index of the newest decision."""
    view = open_view(realm.home, realm.name)
    return view, str([r for r in view.state.records if r.type == "decision"][-1].index)


# Both must allow.


@pytest.mark.parametrize("place", ["rules", "a/b-c", "rules.tar.gz"])
def test_it_denies_what_the_realm_allows(realm: Realm, workspace: Path, place: str) -> None:
    assert judged(realm, workspace).decision.allow
    bring(workspace, small_bundle(), place)
    fine = judged(realm, workspace)
    assert fine.decision.allow
    assert fine.decision.own.name == "small"
    assert "XX0001" in fine.decision.evaluated
    rename(workspace)
    denied = judged(realm, workspace)
    assert not denied.decision.allow
    assert [v.code for v in denied.decision.violations] == ["XX0001"]
    assert denied.exit_code == 10


def test_it_cannot_allow_what_the_realm_denies(realm: Realm, workspace: Path) -> None:
    bring(workspace, small_bundle())
    (workspace / "data" / "evil.pkl").write_bytes(b"cposix\nsystem\n(S'true'\ntR.")
    manifest = workspace / "lockflight.toml"
    manifest.write_text(manifest.read_text().replace('"data/*.csv"', '"data/*"'))
    denied = judged(realm, workspace, "staging").decision
    assert not denied.allow
    assert "XX0001" not in {v.code for v in denied.violations}
    alone = workspace / "lockflight.toml"
    alone.write_text(
        alone.read_text()
        .replace("[policy]", "[[exclude]]\nreason='x'\nfiles = ['rules/**']\n[realm]")
        .replace('bundle = "rules"', "")
    )
    without = judged(realm, workspace, "staging").decision
    assert {v.code for v in without.violations} == {v.code for v in denied.violations}


def test_what_it_demands_is_run(realm: Realm, workspace: Path) -> None:
    """More evidence, and fresher: both are stricter."""
    files = small_bundle()
    files[".manifest"] = files[".manifest"].replace(b'"limits"', b'"limits", "required"')
    table = {"development": {"*": {"*": [{"check": "licences", "max_age_s": 60}]}}}
    files["required/data.json"] = dumps(table)
    with describe(workspace) as plain:
        before = Gate(realm).required(plain.release, "development", plain.sources)
    bring(workspace, files)
    with describe(workspace) as brought:
        after = Gate(realm).required(brought.release, "development", brought.sources)
    assert before.items() <= after.items()
    assert after["licences"] == 60


def test_its_data_stay_its_own(realm: Realm, workspace: Path) -> None:
    """Data under the names of the realm's data change nothing for the realm's rules."""
    plain = judged(realm, workspace, "staging").decision
    files = small_bundle()
    names = b'"limits", "required", "blocks", "ranks", "checks"'
    files[".manifest"] = files[".manifest"].replace(b'"limits"', names)
    files["data.json"] = b'{"limits": {"size": 9}, "required": {}, "blocks": {}, "ranks": {}, "checks": {}}'
    bring(workspace, files)
    again = judged(realm, workspace, "staging").decision
    assert again.own is not None

    def of_realm(decision: Any) -> set[tuple[str, str, bool]]:
        return {(r.code, r.term, r.passed) for r in decision.rules if r.code != "XX0001"}

    assert {row[0] for row in of_realm(again)} == {row[0] for row in of_realm(plain)}
    assert {r.code for r in again.rules if not r.passed} == {r.code for r in plain.rules if not r.passed}


def test_the_stricter_engines_judge_both(realm: Realm, workspace: Path) -> None:
    files = small_bundle()
    manifest = json.loads(files[".manifest"])
    manifest["metadata"]["engines"] = {"development": "dual"}
    files[".manifest"] = dumps(manifest)
    bring(workspace, files)
    names = [engine["name"] for engine in judged(realm, workspace).decision.engines]
    assert len(names) == 2


# What keeps it from judging is a refusal.


def _broken() -> dict[str, tuple[str, dict[str, bytes]]]:
    utf16 = small_bundle()
    utf16["policy/small.rego"] = REGO.encode("utf-16")
    toothless = small_bundle()
    toothless["bite/XX0001.json"] = b"[]"
    no_bite = small_bundle()
    del no_bite["bite/XX0001.json"]
    foreign_meta = small_bundle()
    foreign_meta["rule_meta/data.json"] = b"{}"
    big = small_bundle()
    big["data.json"] = b'{"limits": {"size": 9, "x": "' + b"x" * MAX_FILE_BYTES + b'"}}'
    stray = small_bundle()
    stray["run.sh"] = b"exit 0"
    no_manifest = small_bundle()
    del no_manifest[".manifest"]
    clash = small_bundle()
    clash["limits/data.json"] = b'{"size": 99}'
    return {
        "utf-16": ("LF4028", utf16),
        "a rule that cannot fail": ("LF4028", toothless),
        "a rule without a fixture": ("LF4028", no_bite),
        "metadata of others": ("LF4028", foreign_meta),
        "a file over the limit": ("LF4028", big),
        "a file that has no place": ("LF4028", stray),
        "no manifest": ("LF4028", no_manifest),
        "data twice": ("LF4028", clash),
        "a clock": (
            "LF4028",
            changed("default short := false", "default short := false\n\nt := time.now_ns()"),
        ),
        "broken Rego": ("LF4028", changed("default short := false", "default short := := false")),
        "output that is no decision": ("LF4028", changed('"skipped": [],', '"skipped": {},')),
        "a code of Lockflight": ("LF4029", {}),
        "a code of the realm's": ("LF4029", {}),
        "a name of the realm's": ("LF4029", {}),
    }


@pytest.mark.parametrize("what", [*_broken()])
def test_what_cannot_judge_is_a_refusal(realm: Realm, workspace: Path, tmp_path: Path, what: str) -> None:
    code, files = _broken()[what]
    if what == "a code of Lockflight":
        files = json_renamed("XX0001", "LF9999")
    elif what == "a code of the realm's":
        files = json_renamed("XX0001", "LF4106")
    elif what == "a name of the realm's":
        taken = next(name for _, name in read_shipped().ref.rules)
        files = changed("name-is-short", taken)
    bring(workspace, files)
    refused(code, judged, realm, workspace)
    package = signed(realm, workspace, tmp_path / "package")
    refused(code, promoted, realm, package)
    assert not open_view(realm.home, realm.name).state.slots


def json_renamed(old: str, new: str) -> dict[str, bytes]:
    files = changed(old, new)
    files = {name.replace(old, new): body.replace(old.encode(), new.encode()) for name, body in files.items()}
    files["rule_meta/data.json"] = rule_metadata_file(
        {"policy/small.rego": files["policy/small.rego"].decode()}
    )
    return files


def read_shipped() -> Any:
    from lockflight.policy.bundle import baseline

    return baseline()


def test_a_place_without_files_is_refused(realm: Realm, workspace: Path) -> None:
    manifest = workspace / "lockflight.toml"
    manifest.write_text(manifest.read_text() + '\n[policy]\nbundle = "rules"\n')
    refused("LF1005", judged, realm, workspace)
    (workspace / "rules").write_text("not a folder")
    refused("LF1004", judged, realm, workspace)


def test_its_files_have_one_role(realm: Realm, workspace: Path) -> None:
    bring(workspace, small_bundle())
    manifest = workspace / "lockflight.toml"
    manifest.write_text(manifest.read_text() + '\n[[assets]]\nrole = "code"\nfiles = ["rules/policy/*"]\n')
    refused("LF1006", judged, realm, workspace)


def test_too_many_bytes_are_not_read(realm: Realm, workspace: Path, tmp_path: Path) -> None:
    files = small_bundle()
    for number in range(9):
        files[f"x{number}/data.json"] = b'{"x": "' + b"x" * (MAX_FILE_BYTES - 100) + b'"}'
    bring(workspace, files)
    error = refused("LF4028", judged, realm, workspace)
    assert "more than" in error.message
    refused("LF4028", sign, realm.home, realm.name, workspace, tmp_path / "out", actor="alice")


def test_it_passes_nobody_elses_rule(realm: Realm, workspace: Path) -> None:
    row = (
        '{"code": "LF4106", "rule": "x", "term": "", "passed": true, "severity": "low", "value": 0,'
        ' "threshold": 0, "msg": "fine", "evidence": [], "basis": "value"}'
    )
    bring(workspace, changed('"rules": results,', f'"rules": results | {{{row}}},'))
    decision = judged(realm, workspace).decision
    assert not decision.allow
    assert ("LF4030", "own-policy") in {(v.code, v.rule) for v in decision.violations}


def test_it_skips_nobody_elses_rule(realm: Realm, workspace: Path) -> None:
    bring(workspace, changed('"skipped": [],', '"skipped": ["LF4106"],'))
    decision = judged(realm, workspace).decision
    assert not decision.allow
    assert {v.code for v in decision.violations} == {"LF4030"}


def test_it_waives_nothing_of_the_realm(realm: Realm, workspace: Path) -> None:
    waived = '{"code": "LF4106", "rule": "x", "term": "", "waiver": "' + "ab" * 32 + '"}'
    bring(workspace, changed('"waived": [],', f'"waived": [{waived}],'))
    decision = judged(realm, workspace).decision
    assert not decision.allow
    assert {"LF4030", "LF4018"} <= {v.code for v in decision.violations}


# It belongs to the release.


def test_the_signature_names_it(realm: Realm, workspace: Path, tmp_path: Path) -> None:
    bring(workspace, small_bundle())
    package = signed(realm, workspace, tmp_path / "package")
    release = verify_package(realm.home, realm.name, package).release
    assert release.policy_digest == read_bundle(small_bundle()).digest
    assert {a.name for a in release.policy_assets} == {f"rules/{name}" for name in small_bundle()}
    assert parse_release(release.payload) == release
    assert open_view(realm.home, realm.name).state.own_policy(release.digest) == release.policy_digest


def test_a_statement_that_names_another_does_not_read(realm: Realm, workspace: Path, tmp_path: Path) -> None:
    bring(workspace, small_bundle())
    with describe(workspace) as described:
        release = described.release
    for good, bad in (
        (release.policy_digest.encode(), b"ab" * 32),
        (b'"bundle":"rules"', b'"bundle":"data"'),
    ):
        assert good in release.payload
        with pytest.raises(VerificationFailed):
            parse_release(release.payload.replace(good, bad))


def test_roles_and_place_fit() -> None:
    from tests.factories import asset, release

    policy = asset("rules/.manifest", Role.RELEASE_POLICY)
    plain = release()

    def made(*extra: Asset, policy: str = "") -> None:
        make_release(
            name="x",
            version="1",
            kind=plain.kind,
            tier=plain.tier,
            assets=(*plain.assets, *extra),
            policy=policy,
        )

    made(policy, policy="rules")
    for extra, place in (
        ((policy,), ""),
        ((), "rules"),
        ((policy,), "other"),
        ((replace(policy, role=Role.CODE),), "rules"),
    ):
        with pytest.raises(InvalidInput) as caught:
            made(*extra, policy=place)
        assert caught.value.code == "LF1022"


def test_a_signature_that_hides_it_does_not_verify(realm: Realm, workspace: Path, tmp_path: Path) -> None:
    """Its author signs by hand a release that says nothing of the policy in its own manifest."""
    from lockflight.core.attest.acts import Registration
    from lockflight.core.release.release import SIGNATURE_NAME
    from lockflight.signing.oms import make_bundle

    bring(workspace, small_bundle())
    package = signed(realm, workspace, tmp_path / "package")
    honest = verify_package(realm.home, realm.name, package).release
    bare = replace(
        honest,
        policy="",
        assets=tuple(replace(a, role=Role.OTHER) if a in honest.policy_assets else a for a in honest.assets),
        _cache={},
    )
    live = Realm(realm.home, realm.name)
    person = live.actor("alice")
    envelope = sign_release(bare, person.signer)
    receipt = live.append_envelopes([(envelope.encode(), person.signer.public_der)])[0]
    fact = Registration(
        bare.digest, bare.name, bare.version, bare.kind.value, bare.tier.value,
        receipt.envelope, bare.oms_root, live.state.root,
    )  # fmt: skip
    live.append([(fact.statement(), person.signer)])
    from lockflight.app.release.sign import _tlog

    (package / SIGNATURE_NAME).write_bytes(
        make_bundle(envelope, person.signer.public_key.pem, _tlog(live, receipt.envelope))
    )
    refused("LF7114", verify_package, realm.home, realm.name, package)


def test_a_flipped_byte_in_the_package(realm: Realm, workspace: Path, tmp_path: Path) -> None:
    bring(workspace, small_bundle())
    judged(realm, workspace)
    package = signed(realm, workspace, tmp_path / "package")
    target = package / "rules" / "data.json"
    target.write_bytes(target.read_bytes().replace(b"9", b"8"))
    with pytest.raises(VerificationFailed):
        promoted(realm, package)
    (package / "rules" / "data.json").unlink()
    with pytest.raises(VerificationFailed):
        promoted(realm, package)


def test_without_its_files_nothing_is_decided(realm: Realm, workspace: Path, tmp_path: Path) -> None:
    bring(workspace, small_bundle())
    judged(realm, workspace)
    package = signed(realm, workspace, tmp_path / "package")
    promoted(realm, package)
    blobs = BlobStore(realm.folder / "blobs")
    release = verify_package(realm.home, realm.name, package).release
    for asset in release.policy_assets:
        assert blobs.erase(asset.sha256)
    live = Realm(realm.home, realm.name)
    refused(
        "LF4027",
        Gate(live).judge,
        release=release,
        environment="development",
        view=live.view,
        state=live.state,
        requester="",
        now=clock.now(),
    )
    row = recheck(realm.home, realm.name, now=clock.now())[0]
    assert row.at_risk
    assert "LF4027" in row.problem
    # The package brings them along again.
    approve(
        realm.home, realm.name, package, environment="development", actor="bob",
        verdict="deny", reason="", now=clock.now(),
    )  # fmt: skip
    assert not recheck(realm.home, realm.name, now=clock.now())[0].at_risk


def test_a_realm_policy_that_takes_its_code_later(realm: Realm, workspace: Path, tmp_path: Path) -> None:
    """What is deployed is at risk then, and the others are judged all the same."""
    bring(workspace, small_bundle())
    judged(realm, workspace)
    promoted(realm, signed(realm, workspace, tmp_path / "package"))
    tried = read_bundle(small_bundle())
    live = Realm(realm.home, realm.name)
    with describe(workspace) as described:
        refused(
            "LF4029",
            Gate(live, tried).judge,
            release=described.release,
            environment="development",
            view=live.view,
            state=live.state,
            requester="",
            now=clock.now(),
            sources=described.sources,
        )


# It cannot be left out.


def _moved(realm: Realm, stored: StoredDecision) -> Any:
    """The gate's key signs a decision and a promotion on it; the record of the promotion."""
    live = Realm(realm.home, realm.name)
    signer = live.signer(Duty.GATE)
    decision = sign_statement(stored.statement(), signer)
    requester = next(p for p, key in live.state.people().items() if "author" in key.roles)
    promotion = Promotion(
        action=Action.PROMOTE,
        release=stored.release,
        name=stored.name,
        version="1.0.0",
        project=stored.name,
        environment=stored.environment,
        prev=live.state.slot(stored.name, stored.environment).head,
        decision=decision.digest,
        approvals=(),
        requester=requester,
        realm=live.state.root,
    )
    envelopes = (decision, sign_statement(promotion.statement(), signer))
    receipt = live.append_envelopes([(e.encode(), signer.public_der) for e in envelopes])[-1]
    return open_view(realm.home, realm.name).state.by_digest[receipt.envelope]


@pytest.mark.parametrize("how", ["dropped", "another", "honest"])
def test_the_gate_cannot_leave_it_out(realm: Realm, workspace: Path, tmp_path: Path, how: str) -> None:
    from lockflight.core.gate.gate import basis

    bring(workspace, small_bundle())
    signed(realm, workspace, tmp_path / "package")
    judged(realm, workspace)
    view, index = newest(realm)
    stored = view.state.records[int(index)].fact
    own = {
        "dropped": None,
        "another": replace(stored.own, digest="ab" * 32),
        "honest": stored.own,
    }[how]
    digest = own.digest if own is not None else ""
    again = basis(stored.policy, stored.rules, stored.waived, stored.violations, digest)
    record = _moved(realm, replace(stored, own=own, basis=again, time_verified="2026-01-01T00:00:00Z"))
    assert record.code == ("" if how == "honest" else "LF7269")


def test_a_release_that_nobody_signed_does_not_move(realm: Realm, workspace: Path) -> None:
    """Nothing says what it brings along."""
    judged(realm, workspace)
    view, index = newest(realm)
    assert _moved(realm, view.state.records[int(index)].fact).code == "LF7253"


def test_facts_that_name_it_are_not_judged_without_it(realm: Realm, workspace: Path) -> None:
    from lockflight.core.gate.gate import decide
    from lockflight.policy.engines.pool import Engines
    from lockflight.policy.gate import PolicyGate

    bring(workspace, small_bundle())
    judgement = judged(realm, workspace)
    engines = Engines()
    gate = PolicyGate(read_shipped(), engines.regorus)
    try:
        alone = decide(judgement.facts, gate.ref, gate.evaluate)
    finally:
        engines.close()
    assert not alone.allow
    assert [v.code for v in alone.violations] == ["LF4031"]


def test_its_change_voids_approvals(realm: Realm, workspace: Path, tmp_path: Path) -> None:
    bring(workspace, small_bundle())
    first = judged(realm, workspace, "staging")
    files = small_bundle()
    files["data.json"] = b'{"limits": {"size": 10}}'
    bring(workspace, files)
    second = judged(realm, workspace, "staging")
    assert first.decision.basis != second.decision.basis
    # The very same results, under another policy of the same release.
    assert {(r.code, r.passed) for r in first.decision.rules} == {
        (r.code, r.passed) for r in second.decision.rules
    }


# Again, and by others.


def test_replay_in_all_forms(realm: Realm, workspace: Path, tmp_path: Path) -> None:
    bring(workspace, small_bundle())
    signed(realm, workspace, tmp_path / "package")
    for name in ("five", LONG):
        rename(workspace, name)
        assert judged(realm, workspace).decision.allow is (name == "five")
        entries: list[Any] = []
        view = open_view(realm.home, realm.name, verified=entries)
        capsule = capsule_of(view, newest(realm)[1])
        done = replay(capsule, view.state.root, entries=entries)
        assert done.same, [r.problem for r in done.reruns]
        assert replay(parse_capsule(capsule.encode()), view.state.root).same
    files = {**capsule.own, "rules/data.json": b'{"limits": {"size": 99}}'}
    for own in ({}, files, {k: v for k, v in capsule.own.items() if "test" not in k}):
        assert refused("LF7194", replay, replace(capsule, own=own), view.state.root)


def test_a_forged_decision_is_found_out(realm: Realm, workspace: Path) -> None:
    """The gate's key names another own policy, or none, for the same facts."""
    from lockflight.core.gate.gate import basis

    bring(workspace, small_bundle())
    judged(realm, workspace)
    view, index = newest(realm)
    stored = view.state.records[int(index)].fact
    blobs = BlobStore(realm.folder / "blobs")
    lax = {f"rules/{name}": body for name, body in changed("* 2", "* 3").items()}
    for own, code in (
        (None, "LF7193"),
        (replace(stored.own, blob=blobs.put(encode_files(lax))), "LF7194"),
    ):
        live = Realm(realm.home, realm.name)
        signer = live.signer(Duty.GATE)
        told = basis(stored.policy, stored.rules, stored.waived, stored.violations, own.digest if own else "")
        forged = replace(stored, own=own, basis=told)
        live.append_envelopes([(sign_statement(forged.statement(), signer).encode(), signer.public_der)])
        view, index = newest(realm)
        refused(code, replay, capsule_of(view, index), view.state.root)


def test_a_dry_run_keeps_asking_it(realm: Realm, workspace: Path) -> None:
    from lockflight.policy.shipped import pack

    bring(workspace, small_bundle())
    rename(workspace)
    judged(realm, workspace)
    tried = dry_run(open_view(realm.home, realm.name), pack("baseline"))
    assert [t.again.allow for t in tried if t.again is not None] == [False]
    stored = tried[0].stored
    assert BlobStore(realm.folder / "blobs").erase(stored.own.blob if stored.own is not None else "")
    assert dry_run(open_view(realm.home, realm.name), pack("baseline"))[0].again is None


def test_a_tried_policy_judges_beside_it(realm: Realm, workspace: Path) -> None:
    from lockflight.policy.shipped import pack

    bring(workspace, small_bundle())
    rename(workspace)
    decision = judged(realm, workspace, bundle=pack("baseline")).decision
    assert not decision.allow
    assert decision.own is not None


def _wish(rule: str, name: str) -> Wish:
    return Wish(
        rule=rule,
        term="",
        scope=Scope(Reach.PROJECT, "", name, "development"),
        name=name,
        reason="labels are printed anew",
        control="a person looks",
        ticket="T-1",
        starts=clock.now(),
        days=3,
    )


def test_its_rules_may_be_waived_if_it_says_so(realm: Realm, workspace: Path, tmp_path: Path) -> None:
    bring(workspace, small_bundle())
    refused(
        "LF0140", request, realm.home, realm.name, _wish("XX0001", "five"), actor="alice", now=clock.now()
    )
    signed(realm, workspace, tmp_path / "package")
    refused(
        "LF4554", request, realm.home, realm.name, _wish("XX0001", "five"), actor="alice", now=clock.now()
    )
    rename(workspace, "six")
    bring(workspace, changed("waivable: false", "waivable: true"))
    signed(realm, workspace, tmp_path / "other")
    _, standing = request(realm.home, realm.name, _wish("XX0001", "six"), actor="alice", now=clock.now())
    assert standing.status == "pending"


def test_the_whole_way(realm: Realm, workspace: Path, tmp_path: Path) -> None:
    bring(workspace, small_bundle())
    judged(realm, workspace)
    package = signed(realm, workspace, tmp_path / "package")
    moved = promoted(realm, package)
    assert moved.judgement.decision.own.digest == read_bundle(small_bundle()).digest
    assert not recheck(realm.home, realm.name, now=clock.now())[0].at_risk


def test_a_denial_by_its_rule_is_explained(realm: Realm, workspace: Path) -> None:
    from lockflight.app.gate.decision import recorded
    from lockflight.app.gate.remedies import remedies

    bring(workspace, small_bundle())
    rename(workspace)
    judged(realm, workspace)
    view, index = newest(realm)
    found = recorded(view, index, clock.now())
    assert [v.code for v in found.stored.violations] == ["XX0001"]
    told = remedies(view, found)
    assert told is not None
    assert not told.together
