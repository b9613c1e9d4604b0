"""A host without a home believes a root digest, and of a snapshot only what follows from it."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lockflight
from lockflight import Trust
from lockflight.core.fold.snapshot import decode, verify_snapshot
from lockflight.deploy.trust import load_offline, realm_state
from lockflight.errors import LockflightError
from tests.deploy.conftest import MODEL
from tests.deploy.test_load import refused
from tests.deploy.test_tensors import attempt
from tests.signed import mutate


def taken(world, name="acme.realm"):
    done = json.loads(world.ok(f"realm snapshot --out {name} --json").out)["result"]
    return Trust(root=done["root"], snapshot=world.folder / name)


def load(world, trust, **options):
    return lockflight.load(world.package, trust=trust, **{"environment": "development", **options})


@pytest.fixture(scope="module")
def snapshot(stage):
    trust = taken(stage, "module.realm")
    return trust, Path(trust.snapshot).read_bytes()


def test_a_snapshot_and_a_root_are_enough(world):
    with load(world, taken(world)) as release:
        assert release.read(MODEL) == (world.work / MODEL).read_bytes()
        assert release.grounds.realm == "acme"
        assert abs(release.grounds.seen_at - time.time()) < 60


def test_a_snapshot_of_a_quiet_log_is_fresh_where_the_log_is_kept(world):
    first = taken(world)
    time.sleep(1.1)
    again = taken(world, "again.realm")
    assert realm_state(again)[1] > realm_state(first)[1]
    assert realm_state(again)[0].records == realm_state(first)[0].records
    # The log itself stays sound, and so does a home that has seen it.
    world.ok("log verify")
    world.ok("verify package")
    world.ok("retire --project berth-classifier --env development --as alice")
    world.ok("log verify")


def test_a_copy_of_a_realm_makes_a_snapshot_that_is_as_old_as_itself(world):
    world.ok("realm backup --out copy")
    root = taken(world).root
    other = {"LOCKFLIGHT_HOME": str(world.folder / "other")}
    world.ok(f"realm join copy --root {root}", **other)
    done = json.loads(world.ok("realm snapshot --out theirs.realm --json", **other).out)["result"]
    assert done["renewed"] is False
    assert "does not keep the log" in world.ok("realm snapshot --out theirs.realm", **other).out
    load(world, Trust(root, world.folder / "theirs.realm")).close()


def test_an_old_snapshot_is_refused(world):
    trust = taken(world)
    now = int(time.time())
    for late in (86_000, 86_500):
        found, code = attempt(
            lambda late=late: load_offline(world.package, trust, environment="development", now=now + late)
        )
        assert code == ("" if late == 86_000 else "LF7502")
        if found is not None:
            found.close()
    patient = Trust(trust.root, trust.snapshot, max_age_s=10**6)
    load_offline(world.package, patient, environment="development", now=now + 86_500).close()
    refused("LF5032", load_offline, world.package, trust, environment="development", now=now - 1000)


def test_what_was_seen_is_remembered_and_an_older_snapshot_refused(world):
    old = taken(world)
    seen = world.folder / "seen.note"
    before = Trust(old.root, old.snapshot, seen)
    load(world, before).close()
    assert seen.stat().st_mode & 0o077 == 0
    world.ok("revoke package --reason harmful --as bob")
    # Whoever holds the revocation back must show the old snapshot again: it still works, until its time is over …
    load(world, before).close()
    # … or until the new one was seen once.
    new = Trust(old.root, taken(world, "new.realm").snapshot, seen)
    refused("LF7335", load, world, new)
    refused("LF7220", load, world, before)
    seen.write_text("junk")
    with pytest.raises(LockflightError) as caught:
        load(world, new)
    assert caught.value.code.startswith("LF72")


def test_another_realm_is_refused(world, tmp_path_factory):
    trust = taken(world)
    refused("LF7230", load, world, Trust("sha256:" + "0" * 64, trust.snapshot))
    for root in ("", "sha256:", "x" * 64, trust.root.upper()):
        refused("LF7503", load, world, Trust(root, trust.snapshot))


def test_files_that_cannot_be_used_are_told(world):
    trust = taken(world)
    refused("LF7505", load, world, Trust(trust.root, world.folder / "nothing"))
    refused("LF7505", load, world, Trust(trust.root, world.folder))
    refused("LF7505", load, world, Trust(trust.root, trust.snapshot, world.folder / "no" / "seen"))
    refused("LF7505", load, world, Trust(trust.root, trust.snapshot, world.folder / "work"))


def test_a_trust_and_a_realm_are_one_too_many(world):
    trust = taken(world)
    for options in ({"realm": "acme"}, {"home": world.home}, {"max_age_s": 1}):
        refused("LF7503", load, world, trust, **options)
    refused("LF7503", load, world, trust, environment="")


def rewritten(data, change):
    body = json.loads(data)
    change(body)
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


def entry_of(body, kind):
    """Index of the last entry whose statement is of a kind."""
    import base64

    found = [
        n
        for n, row in enumerate(body["entries"])
        if kind in base64.b64decode(json.loads(row["envelope"])["payload"]).decode()
    ]
    return found[-1]


def without(kind):
    def change(body):
        row = body["entries"][entry_of(body, kind)]
        row["digest"] = hashlib.sha256(row.pop("envelope").encode()).hexdigest()

    return change


CHANGES = {
    "a promotion is gone": (without("attestation/promotion/"), "LF7240"),
    "a grant is gone": (without("attestation/registration/"), "LF7240"),
    "an entry is cut off": (lambda body: body["entries"].pop(), "LF7210"),
    "an entry is dropped": (lambda body: body["entries"].pop(5), "LF72"),
    "two entries changed places": (lambda body: body["entries"].insert(4, body["entries"].pop(6)), "LF72"),
    "a time is another": (lambda body: body["entries"][3].update(logged_at=1), "LF7210"),
    "no checkpoint": (lambda body: body["checkpoints"].clear(), "LF7210"),
    "the newest checkpoint is cut off": (lambda body: body["checkpoints"].pop(), "LF7210"),
    "a checkpoint in between is gone": (lambda body: body["checkpoints"].pop(1), "LF7210"),
    "an envelope is another's": (
        lambda body: body["entries"][3].update(envelope=body["entries"][4]["envelope"]),
        "LF7241",
    ),
    "one field more": (lambda body: body["entries"][3].update(x=1), "LF7501"),
    "another schema": (lambda body: body.update(schema="x"), "LF7501"),
    "no list": (lambda body: body.update(entries={}), "LF7501"),
    "empty": (lambda body: body["entries"].clear(), "LF72"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_snapshot_that_was_tampered_with_is_refused(snapshot, what):
    trust, data = snapshot
    change, code = CHANGES[what]
    _, found = attempt(lambda: verify_snapshot(decode(rewritten(data, change)), trust.root[7:]))
    # The last checkpoint was renewed for the snapshot, so without it the log is whole, and only older.
    if what == "the newest checkpoint is cut off" and not found:
        return
    assert found.startswith(code), found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.data())
def test_no_change_of_a_snapshot_leads_to_another_state(snapshot, data):
    trust, body = snapshot
    honest = verify_snapshot(decode(body), trust.root[7:])
    changed = mutate(body, data.draw)
    found, code = attempt(lambda: verify_snapshot(decode(changed), trust.root[7:]))
    if code:
        assert code.startswith(("LF70", "LF71", "LF72", "LF7501"))
        return
    assert found.state.slots == honest.state.slots
    assert found.state.revoked == honest.state.revoked
    assert found.state.keys == honest.state.keys


def test_reading_and_writing_a_snapshot_gives_the_same_bytes(snapshot):
    _, data = snapshot
    assert decode(data).encode() == data
