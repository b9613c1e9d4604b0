from __future__ import annotations

import base64
import hashlib
import os
import shutil
import stat

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockflight.core.attest.dsse import Envelope
from lockflight.core.attest.statement import APPROVAL, SCAN
from lockflight.core.log.merkle import leaf_hash, root
from lockflight.core.verify.log.log import open_checkpoint
from lockflight.core.verify.log.proofs import verify_consistency, verify_inclusion
from lockflight.errors import EnvironmentProblem, InvalidInput, LockflightError, VerificationFailed
from lockflight.log.writer import MAX_SUBJECTS
from lockflight.signing.keys import P256, FileSigner, generate
from lockflight.store.pins import PinStore
from tests.log.making import (
    AUTHOR,
    CLOCK,
    CLOCK_KEY,
    LOG,
    LOG_KEY,
    ORIGIN,
    START,
    Clock,
    digest,
    fixed,
    item,
    items,
    opened,
    verified,
)
from tests.log.tamper import rows, tamper

STORES = ("sqlite", "postgres")


@pytest.fixture
def log(home):
    writer = opened(home)
    yield writer
    writer.close()


def code_of(error, code, work):
    with pytest.raises(error) as caught:
        work()
    assert caught.value.code == code, caught.value
    return caught.value


def point(writer):
    return open_checkpoint(writer.checkpoint(), origin=ORIGIN, log_key=LOG_KEY, clock_key=CLOCK_KEY)


# Receipts and proofs


def test_a_receipt_says_where_and_when(home):
    clock = Clock()
    writer = opened(home, clock=clock)
    first = writer.append(items(3))
    clock.now += 60
    second = writer.append(items(2, 3))
    assert [(r.index, r.logged_at, r.size) for r in first] == [(i, START, 3) for i in range(3)]
    assert [(r.index, r.logged_at, r.size) for r in second] == [(i, START + 60, 5) for i in (3, 4)]
    assert [r.envelope for r in first] == [hashlib.sha256(body).hexdigest() for body, _ in items(3)]
    found = [(e.index, e.envelope, e.logged_at) for e in writer.entries()]
    assert found == [(r.index, r.envelope, r.logged_at) for r in first + second]
    writer.close()
    assert verified(home).checkpoints == 2


def test_a_quiet_log_is_signed_again_and_stays_the_same_log(home):
    clock = Clock()
    writer = opened(home, clock=clock)
    first = writer.append(items(3))
    before = writer.checkpoint()
    assert writer.renew() == before
    clock.now += 60
    after = writer.renew()
    assert after == writer.checkpoint() != before
    assert (point(writer).size, point(writer).timestamp) == (3, START + 60)
    clock.now += 60
    # Receipts and times count from the first checkpoint over an entry, whatever came later.
    assert writer.append(items(3)) == first
    second = writer.append(items(1, 3))
    assert [(r.index, r.logged_at, r.size) for r in second] == [(3, START + 120, 4)]
    assert [e.logged_at for e in writer.entries()] == [START] * 3 + [START + 120]
    writer.close()
    report = verified(home)
    assert (report.size, report.checkpoints) == (4, 3)


def test_a_wrong_clock_renews_nothing(home):
    clock = Clock()
    writer = opened(home, clock=clock)
    writer.append(items(1))
    before = writer.checkpoint()
    clock.now -= 1000
    code_of(EnvironmentProblem, "LF5032", writer.renew)
    assert writer.checkpoint() == before
    clock.now += 1000
    assert writer.append(items(1, 1))[0].index == 1
    writer.close()
    assert verified(home).size == 2


def test_nothing_to_append_changes_nothing(log):
    assert log.append([]) == []
    assert log.checkpoint() == ""


def test_what_is_in_the_log_gets_its_first_receipt(log):
    first = log.append(items(3))
    before = log.checkpoint()
    assert log.append([item(1)]) == [first[1]]
    assert log.checkpoint() == before
    mixed = log.append([item(7), item(2), item(7)])
    assert [r.index for r in mixed] == [3, 2, 3]
    assert mixed[1] == first[2]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=12)
@given(batches=st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_every_proof_verifies(tmp_path_factory, batches):
    home = tmp_path_factory.mktemp("home")
    writer = opened(home)
    points, count = [], 0
    for batch in batches:
        writer.append(items(batch, count))
        count += batch
        points.append(point(writer))
    leaves = [leaf_hash(entry.leaf) for entry in writer.entries()]
    for now in points:
        assert now.root == root(leaves[: now.size])
        for index in range(now.size):
            proof = writer.inclusion(index, now.size)
            verify_inclusion(leaves[index], index, now.size, proof, now.root)
    for old in points:
        for new in points:
            if old.size <= new.size:
                proof = writer.consistency(old.size, new.size)
                verify_consistency(old.size, new.size, proof, old.root, new.root)
    writer.close()
    assert verified(home).size == count


def test_a_call_of_many_items_is_one_commit(log):
    receipts = log.append(items(700))
    assert {(r.size, r.logged_at) for r in receipts} == {(700, START)}
    assert point(log).previous_size == 0


# What is taken


def test_what_is_no_envelope_is_refused_and_leaves_nothing(log):
    good, key = item("good")
    bad = {
        "LF7101": (b"not json", key),
        "LF7122": (good + b" ", key),
        "LF7123": (good, LOG.public_der),
        "LF7001": (good, b"no key"),
    }
    for code, wrong in bad.items():
        code_of(VerificationFailed, code, lambda wrong=wrong: log.append([(good, key), wrong]))
    unsigned = Envelope(b"{}", b"")
    code_of(
        VerificationFailed,
        "LF7130",
        lambda: log.append([(Envelope(b"{}", AUTHOR.sign(unsigned.signed_bytes)).encode(), key)]),
    )
    assert log.checkpoint() == ""
    assert list(log.entries()) == []


def test_an_index_row_for_each_subject_and_no_more_than_the_budget(log):
    many = [digest(("subject", i)) for i in range(MAX_SUBJECTS)]
    log.append([item("many", subjects=[*many, many[0]])])
    assert [e.index for e in log.query(many[-1])] == [0]
    code_of(InvalidInput, "LF7212", lambda: log.append([item("more", subjects=[*many, digest("one more")])]))
    code_of(InvalidInput, "LF7212", lambda: log.append([item("long", kind="x:" + "y" * 600)]))


def test_ecdsa_envelopes_are_taken(log):
    author = generate(P256)
    log.append([item("signed with P-256", signer=author)])


def test_a_second_key_that_fits_a_signature_does_not_take_its_place(home, log):
    """ECDSA: whoever sees a signature can make another key under which it verifies, and be first in the log."""
    author = generate(P256)
    body, der = item("victim", signer=author, keyid=False)
    thief = other_key(author, body)
    assert thief != der
    code_of(VerificationFailed, "LF7165", lambda: log.append([(body, thief)]))
    named, der = item("victim", signer=author)
    code_of(VerificationFailed, "LF7165", lambda: log.append([(named, other_key(author, named))]))
    (mine,) = log.append([(named, der)])
    assert mine.index == 0


def other_key(author, body):
    """The second public key under which the envelope's signature verifies (key recovery, SEC 1 §4.1.6)."""
    p = 2**256 - 2**224 + 2**192 + 2**96 - 1
    n = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    a, b = p - 3, 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
    generator = (
        0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
        0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    )

    def add(left, right):
        if left is None or right is None:
            return left or right
        (x1, y1), (x2, y2) = left, right
        if x1 == x2:
            if (y1 + y2) % p == 0:
                return None
            slope = (3 * x1 * x1 + a) * pow(2 * y1, -1, p)
        else:
            slope = (y2 - y1) * pow(x2 - x1, -1, p)
        x3 = (slope * slope - x1 - x2) % p
        return x3, (slope * (x1 - x3) - y1) % p

    def times(k, place):
        total = None
        while k:
            total = add(total, place) if k & 1 else total
            place = add(place, place)
            k >>= 1
        return total

    from lockflight.core.attest.dsse import decode

    envelope = decode(body)
    r, s = decode_dss_signature(envelope.signature)
    z = int.from_bytes(hashlib.sha256(envelope.signed_bytes).digest(), "big")
    y = pow(r**3 + a * r + b, (p + 1) // 4, p)
    for nonce in ((r, y), (r, p - y)):
        x, y1 = times(pow(r, -1, n), add(times(s, nonce), times(n - z % n, generator)))
        key = ec.EllipticCurvePublicNumbers(x, y1, ec.SECP256R1()).public_key()
        der = author.public_der[:27] + x.to_bytes(32, "big") + y1.to_bytes(32, "big")
        key.verify(envelope.signature, envelope.signed_bytes, ec.ECDSA(ec.hashes.SHA256()))
        if der != author.public_der:
            return der
    raise AssertionError("no second key")


# Time


def test_time_never_goes_back(home):
    clock = Clock(START + 200)
    writer = opened(home, clock=clock)
    writer.append(items(1))
    clock.now = START
    (receipt,) = writer.append([item("later")])
    assert receipt.logged_at == START + 200
    writer.close()
    verified(home)


def test_a_clock_far_behind_the_log_is_refused_before_anything_is_written(home):
    clock = Clock(START + 1000)
    writer = opened(home, clock=clock)
    writer.append(items(1))
    clock.now = START + 1000 - 301
    error = code_of(EnvironmentProblem, "LF5032", lambda: writer.append([item("later")]))
    assert (error.exit_code, error.details) == (4, {"clock": START + 699, "log": START + 1000})
    clock.now = START + 1000 - 300
    assert writer.append([item("later")])[0].index == 1
    writer.close()
    assert verified(home).pending == 0


# Keys and names


@pytest.mark.parametrize("origin", ["", "two words", "line\nbreak", "a+b", "tab\t"])
def test_a_log_has_one_plain_word_for_a_name(home, origin):
    code_of(EnvironmentProblem, "LF5037", lambda: opened(home, origin=origin))


def test_log_and_clock_need_ed25519_keys_of_their_own(home):
    code_of(EnvironmentProblem, "LF5037", lambda: opened(home, times=LOG))
    code_of(EnvironmentProblem, "LF5037", lambda: opened(home, log=generate(P256)))


def test_a_log_does_not_open_with_other_keys(home, log):
    log.append(items(2))
    code_of(VerificationFailed, "LF7205", lambda: opened(home, log=fixed(9), pins=False))
    code_of(VerificationFailed, "LF7207", lambda: opened(home, times=fixed(9), pins=False))


def test_a_folder_does_not_open_as_another_log(home, log):
    code_of(EnvironmentProblem, "LF5039", lambda: opened(home, origin="log.example/other"))


class Broken(FileSigner):
    """A device that signs something else."""

    def sign(self, message):
        return super().sign(message + b"!")


@pytest.mark.parametrize("duty", ["log", "times"])
def test_a_signer_that_errs_never_reaches_the_log(home, duty):
    good = {"log": LOG, "times": CLOCK}[duty]
    broken = Broken(good._key)
    writer = opened(home, **{duty: broken})
    code_of(VerificationFailed, "LF7206", lambda: writer.append(items(2)))
    assert rows(home, "SELECT * FROM checkpoints") == []
    assert PinStore(home).read(ORIGIN) == ""
    writer.close()
    # The entries were durable before the signature; the next writer signs for them.
    writer = opened(home)
    assert [r.index for r in writer.append(items(2))] == [0, 1]
    writer.close()
    assert verified(home).checkpoints == 1


# Going on after a crash


def uncovered(home):
    """A log of 5 entries whose last 3 have no checkpoint, as after a crash between the two commits."""
    writer = opened(home)
    writer.append(items(2))
    pin = PinStore(home).read(ORIGIN)
    writer.append(items(3, 2))
    writer.close()
    tamper(home, "DELETE FROM checkpoints WHERE seq = 1")
    path = next((home / "pins").glob("*.note"))
    path.write_text(pin)


def test_entries_without_a_checkpoint_get_one(home):
    uncovered(home)
    assert (verified(home).size, verified(home).pending) == (2, 3)
    opened(home, clock=Clock(START + 50)).close()
    report = verified(home)
    assert (report.size, report.pending, report.timestamp, report.pinned) == (5, 0, START + 50, 5)


def test_entries_without_a_checkpoint_are_not_signed_under_a_wrong_clock(home):
    uncovered(home)
    code_of(EnvironmentProblem, "LF5032", lambda: opened(home, clock=Clock(START - 301)))
    assert verified(home).pending == 3


@pytest.mark.parametrize(
    "change",
    [
        ("UPDATE entries SET leaf = ? WHERE idx = 3", b"{}"),
        ("UPDATE envelopes SET body = ? WHERE idx = 3", item("other")[0]),
        "DELETE FROM envelopes WHERE idx = 3",
        ("UPDATE nodes SET hash = ? WHERE level = 0 AND idx = 4", bytes(32)),
        "DELETE FROM nodes WHERE level = 0 AND idx = 4",
        "DELETE FROM entries WHERE idx = 3",
    ],
)
def test_entries_without_a_checkpoint_are_not_signed_for_if_they_do_not_hold(home, change):
    uncovered(home)
    tamper(home, change)
    with pytest.raises(VerificationFailed):
        opened(home)
    assert len(rows(home, "SELECT * FROM checkpoints")) == 1


@pytest.mark.parametrize(
    "change",
    [
        ("UPDATE nodes SET hash = ? WHERE level = 1 AND idx = 0", bytes(32)),
        "DELETE FROM nodes WHERE level = 1 AND idx = 0",
        "DELETE FROM entries WHERE idx = 2",
        "DELETE FROM checkpoints WHERE seq = 0",
    ],
)
def test_a_log_that_contradicts_its_checkpoint_does_not_open(home, log, change):
    log.append(items(3))
    tamper(home, change)
    with pytest.raises(VerificationFailed) as caught:
        opened(home)
    assert caught.value.code in {"LF7210", "LF7220"}


# Old copies


def test_a_log_that_vanished_is_older_than_its_pin(home):
    writer = opened(home)
    writer.append(items(1))
    writer.close()
    shutil.rmtree(home / "realm")
    code_of(VerificationFailed, "LF7220", lambda: opened(home))


# Failures on the way


def test_a_pin_that_cannot_be_written_is_caught_up(home, log):
    log.append(items(1))
    shutil.rmtree(home / "pins")
    (home / "pins").write_text("in the way")
    with pytest.raises(LockflightError) as caught:
        log.append([item("more")])
    assert caught.value.exit_code == 4
    (home / "pins").unlink()
    (receipt,) = log.append([item("more")])
    assert receipt.index == 1
    assert PinStore(home).read(ORIGIN) == log.checkpoint()


def test_an_interrupted_commit_leaves_the_writer_usable(home, log, monkeypatch):
    add = log._store.add_checkpoint

    def interrupted(*values):
        raise KeyboardInterrupt

    monkeypatch.setattr(log._store, "add_checkpoint", interrupted)
    with pytest.raises(KeyboardInterrupt):
        log.append(items(2))
    monkeypatch.setattr(log._store, "add_checkpoint", add)
    assert [r.index for r in log.append(items(3))] == [0, 1, 2]
    # The two entries got their checkpoint when the writer looked again, before the third came.
    assert [r.size for r in log.append(items(3))] == [2, 2, 3]


def test_files_are_private(home):
    before = os.umask(0)
    try:
        writer = opened(home, folder="deep/er")
        writer.append([item(1), item(2, padding=70_000)])
    finally:
        os.umask(before)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in home.rglob("*")}
    assert {oct(mode) for path, mode in modes.items() if path.is_dir()} == {"0o700"}
    assert {oct(mode) for path, mode in modes.items() if path.is_file()} == {"0o600"}
    writer.close()


def test_queries_see_subjects_and_types(log):
    shared = digest("shared")
    log.append(
        [
            item("a", subjects=[shared], kind=SCAN),
            item("b", subjects=[digest("b"), shared], kind=APPROVAL),
            item("c", subjects=[digest("c1"), digest("c2")], kind=SCAN),
        ]
    )
    assert [e.index for e in log.query(shared)] == [0, 1]
    assert [e.index for e in log.query(shared, [APPROVAL])] == [1]
    assert [e.index for e in log.query(types=[SCAN])] == [0, 2]
    assert [e.index for e in log.query(types=[APPROVAL, SCAN])] == [0, 1, 2]
    assert [e.index for e in log.query()] == [0, 1, 2]
    assert list(log.query(digest("nobody"))) == []
    assert log.find(next(log.query(shared)).envelope) == next(log.entries())
    assert log.find(digest("nothing")) is None


def test_a_checkpoint_is_a_c2sp_note_of_log_and_clock(log):
    log.append(items(4))
    text, _, lines = log.checkpoint().rpartition("\n\n")
    origin, size, encoded = text.split("\n")
    assert (origin, size) == (ORIGIN, "4")
    assert base64.b64decode(encoded) == root([leaf_hash(e.leaf) for e in log.entries()])
    assert [line.split(" ")[1] for line in lines.strip().split("\n")] == [ORIGIN, f"{ORIGIN}/clock"]
