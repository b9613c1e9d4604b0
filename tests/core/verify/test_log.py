from __future__ import annotations

import base64
import hashlib
import shutil

import pytest

from lockflight.core.attest.dsse import decode
from lockflight.core.log.merkle import leaf_hash, root
from lockflight.core.verify.log.leaf import leaf_for
from lockflight.core.verify.log.log import chained_text, clock_name, open_checkpoint, verify_log
from lockflight.core.verify.log.note import (
    KIND_COSIGNATURE,
    KIND_ED25519,
    NoteKey,
    cosignature_message,
    format_note,
    note_signature_line,
    timestamped,
)
from lockflight.errors import VerificationFailed
from lockflight.store.log.readonly import SqliteReader
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
    item,
    items,
    opened,
    verified,
)
from tests.log.tamper import rows, tamper


@pytest.fixture
def log(home):
    """A log of 11 entries under three checkpoints of sizes 4, 8 and 11."""
    clock = Clock()
    writer = opened(home, clock=clock)
    for start, count in ((0, 4), (4, 4), (8, 3)):
        writer.append(items(count, start))
        clock.now += 100
    writer.close()
    return home


def refused(home, code, **how):
    with pytest.raises(VerificationFailed) as caught:
        verified(home, **how)
    assert caught.value.code == code, caught.value
    return caught.value


def checkpoint_at(size, leaves, when, previous=None):
    """A checkpoint signed by the keys of the log over other leaves."""
    text = chained_text(ORIGIN, size, root(leaves), previous)
    log, clock = (
        NoteKey(ORIGIN, KIND_ED25519, LOG_KEY),
        NoteKey(clock_name(ORIGIN), KIND_COSIGNATURE, CLOCK_KEY),
    )
    return format_note(
        text,
        [
            note_signature_line(log, LOG.sign(text.encode())),
            note_signature_line(clock, timestamped(when, CLOCK.sign(cosignature_message(text, when)))),
        ],
    )


def test_a_sound_log_is_reported(log):
    report = verified(log)
    leaves = [leaf_hash(leaf) for (leaf,) in rows(log, "SELECT leaf FROM entries ORDER BY idx")]
    assert (report.origin, report.size, report.root) == (ORIGIN, 11, root(leaves))
    assert (report.timestamp, report.checkpoints, report.pinned) == (START + 200, 3, 11)
    assert (report.pending, report.missing, report.indexed) == (0, 0, 11)


def test_an_empty_log_is_sound(home):
    opened(home).close()
    report = verified(home)
    assert (report.size, report.timestamp, report.checkpoints, report.pinned) == (0, 0, 0, 0)
    assert report.root == hashlib.sha256().digest()


def test_checkpoints_form_a_chain(log):
    notes = [note for (note,) in rows(log, "SELECT note FROM checkpoints ORDER BY seq")]
    points = [open_checkpoint(n, origin=ORIGIN, log_key=LOG_KEY, clock_key=CLOCK_KEY) for n in notes]
    assert [(p.previous_size, p.size) for p in points] == [(0, 4), (4, 8), (8, 11)]
    assert [p.previous for p in points] == ["", points[0].digest, points[1].digest]


LEAF = rb"""{"apiVersion":"0.0.2"}"""
NOT_SOUND = {
    "another leaf": [("UPDATE entries SET leaf = ? WHERE idx = 5", LEAF)],
    "two entries change places": [
        "UPDATE entries SET idx = 100 WHERE idx = 1",
        "UPDATE entries SET idx = 1 WHERE idx = 2",
        "UPDATE entries SET idx = 2 WHERE idx = 100",
    ],
    "an entry in the middle is gone": ["DELETE FROM entries WHERE idx = 3"],
    "the last entry is gone": ["DELETE FROM entries WHERE idx = 10"],
    "another inner node": [("UPDATE nodes SET hash = ? WHERE level = 2 AND idx = 0", bytes(32))],
    "a leaf's node is gone": ["DELETE FROM nodes WHERE level = 0 AND idx = 10"],
    "an inner node is gone": ["DELETE FROM nodes WHERE level = 3 AND idx = 0"],
    "a node too many": [("INSERT INTO nodes VALUES (3, 1, ?)", bytes(32))],
    "a node far above": [("INSERT INTO nodes VALUES (40, 0, ?)", bytes(32))],
    "a node of another length": [("UPDATE nodes SET hash = ? WHERE level = 0 AND idx = 1", b"short")],
    "a leaf that is text": [("UPDATE entries SET leaf = ? WHERE idx = 0", "text")],
    "the first checkpoint is gone": ["DELETE FROM checkpoints WHERE seq = 0"],
    "a checkpoint in the middle is gone": ["DELETE FROM checkpoints WHERE seq = 1"],
    "another time beside a checkpoint": ["UPDATE checkpoints SET timestamp = timestamp + 50 WHERE seq = 0"],
    "another size beside a checkpoint": ["UPDATE checkpoints SET size = 5 WHERE seq = 0"],
    "less size beside the newest checkpoint": ["UPDATE checkpoints SET size = 9 WHERE seq = 2"],
    "checkpoints change places": [
        "UPDATE checkpoints SET seq = 9 WHERE seq = 0",
        "UPDATE checkpoints SET seq = 0 WHERE seq = 1",
        "UPDATE checkpoints SET seq = 1 WHERE seq = 9",
    ],
}


@pytest.mark.parametrize("case", NOT_SOUND)
def test_a_log_that_contradicts_itself_is_refused(log, case):
    tamper(log, *NOT_SOUND[case])
    refused(log, "LF7210", pin=False)


def test_an_envelope_that_was_exchanged_is_refused(log):
    other, _ = item("other")
    tamper(log, ("UPDATE envelopes SET body = ? WHERE idx = 6", other))
    assert refused(log, "LF7213").exit_code == 12


def test_an_entry_that_names_another_envelope_is_refused(log):
    other, _ = item("other")
    name = hashlib.sha256(other).digest()
    tamper(
        log,
        ("UPDATE entries SET envelope = ? WHERE idx = 6", name),
        ("UPDATE envelopes SET body = ? WHERE idx = 6", other),
    )
    found = refused(log, "LF7213")
    assert found.details == {"origin": ORIGIN, "index": 6, "cause": "LF7162"}


def test_a_signature_that_the_log_took_in_bad_faith_is_refused(home):
    """Somebody with the keys of the log recorded an envelope whose signature is not of the key in its leaf."""
    body, _ = item("victim")
    leaf = leaf_for(decode(body), LOG.public_key)
    opened(home).close()
    tamper(
        home,
        ("INSERT INTO entries VALUES (0, ?, ?)", leaf, hashlib.sha256(body).digest()),
        ("INSERT INTO envelopes VALUES (0, ?)", body),
        ("INSERT INTO nodes VALUES (0, 0, ?)", leaf_hash(leaf)),
        ("INSERT INTO checkpoints VALUES (0, 1, ?, ?)", START, checkpoint_at(1, [leaf_hash(leaf)], START)),
    )
    assert refused(home, "LF7213").details["cause"] == "LF7164"
    reader = SqliteReader(home / "realm")
    report = verify_log(reader, ORIGIN, LOG_KEY, CLOCK_KEY, envelopes=False)
    reader.close()
    assert (report.size, report.missing, report.indexed) == (1, 0, 0)


def test_time_that_goes_backwards_is_refused(home):
    writer = opened(home)
    writer.append(items(2))
    writer.close()
    (first,) = rows(home, "SELECT note FROM checkpoints")[0]
    leaves = [leaf_hash(leaf) for (leaf,) in rows(home, "SELECT leaf FROM entries ORDER BY idx")]
    point = open_checkpoint(first, origin=ORIGIN, log_key=LOG_KEY, clock_key=CLOCK_KEY)
    second = checkpoint_at(2, leaves, START - 1, point)
    tamper(home, ("INSERT INTO checkpoints VALUES (1, 2, ?, ?)", START - 1, second))
    assert "time goes backwards" in refused(home, "LF7210", pin=False).message


def test_an_index_that_hides_an_entry_is_refused(log):
    tamper(log, ("DELETE FROM subjects WHERE subject = ?", bytes.fromhex(digest(2))))
    refused(log, "LF7214")


def test_an_index_that_shows_too_much_is_refused(log):
    tamper(log, ("INSERT INTO subjects VALUES (?, 'x', 2)", bytes(32)))
    refused(log, "LF7214")


def test_an_erased_envelope_is_counted(log):
    tamper(
        log,
        "DELETE FROM envelopes WHERE idx = 6",
        ("DELETE FROM subjects WHERE subject = ?", bytes.fromhex(digest(6))),
    )
    report = verified(log)
    assert (report.missing, report.indexed, report.size) == (1, 10, 11)


def test_entries_beyond_the_newest_checkpoint_are_pending(log):
    tamper(log, "DELETE FROM checkpoints WHERE seq = 2")
    report = verified(log, pin=False)
    assert (report.size, report.pending, report.checkpoints) == (8, 3, 2)


def test_pending_entries_are_held_to_their_nodes(log):
    tamper(
        log,
        "DELETE FROM checkpoints WHERE seq = 2",
        ("UPDATE nodes SET hash = ? WHERE level = 0 AND idx = 9", bytes(32)),
    )
    refused(log, "LF7210", pin=False)


def test_a_log_that_was_cut_off_is_older_than_the_pin(log):
    tamper(
        log,
        "DELETE FROM checkpoints WHERE seq = 2",
        "DELETE FROM entries WHERE idx >= 8",
        "DELETE FROM envelopes WHERE idx >= 8",
        "DELETE FROM nodes WHERE level = 0 AND idx >= 8",
        "DELETE FROM nodes WHERE level = 1 AND idx >= 4",
        "DELETE FROM subjects WHERE idx >= 8",
    )
    assert verified(log, pin=False).size == 8
    assert refused(log, "LF7220").details == {"origin": ORIGIN, "size": 8, "seen": 11}


def test_a_log_whose_checkpoints_are_gone_is_older_than_the_pin(log):
    tamper(log, "DELETE FROM checkpoints")
    refused(log, "LF7220")


def test_another_history_is_not_a_continuation_of_the_pin(log):
    pin = PinStore(log).read(ORIGIN)
    shutil.rmtree(log / "realm")
    writer = opened(log, pins=False, clock=Clock(START + 500))
    writer.append(items(30, 100))
    writer.close()
    reader = SqliteReader(log / "realm")
    with pytest.raises(VerificationFailed) as caught:
        verify_log(reader, ORIGIN, LOG_KEY, CLOCK_KEY, pin)
    reader.close()
    assert caught.value.code == "LF7221"


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ((AUTHOR.public_key.raw, CLOCK_KEY), "LF7205"),
        ((LOG_KEY, AUTHOR.public_key.raw), "LF7207"),
        ((CLOCK_KEY, LOG_KEY), "LF7205"),
    ],
)
def test_checkpoints_of_other_keys_are_refused(log, keys, code):
    reader = SqliteReader(log / "realm")
    with pytest.raises(VerificationFailed) as caught:
        verify_log(reader, ORIGIN, *keys)
    reader.close()
    assert caught.value.code == code


def test_a_log_of_another_name_is_refused(log):
    reader = SqliteReader(log / "realm")
    with pytest.raises(VerificationFailed) as caught:
        verify_log(reader, "log.example/other", LOG_KEY, CLOCK_KEY)
    reader.close()
    assert caught.value.code == "LF7204"


@pytest.mark.parametrize(
    "line", ["previous", "previous 4", "previous 4 abc", "previous 04 " + 64 * "0", "previous 9 " + 64 * "0"]
)
def test_a_checkpoint_that_names_no_proper_predecessor_is_refused(line):
    leaves = [leaf_hash(b"x")] * 8
    text = f"{chained_text(ORIGIN, 8, root(leaves), None)}{line}\n"
    log, clock = (
        NoteKey(ORIGIN, KIND_ED25519, LOG_KEY),
        NoteKey(clock_name(ORIGIN), KIND_COSIGNATURE, CLOCK_KEY),
    )
    note = format_note(
        text,
        [
            note_signature_line(log, LOG.sign(text.encode())),
            note_signature_line(clock, timestamped(START, CLOCK.sign(cosignature_message(text, START)))),
        ],
    )
    if line == "previous":
        assert open_checkpoint(note, origin=ORIGIN, log_key=LOG_KEY, clock_key=CLOCK_KEY).previous == ""
    else:
        with pytest.raises(VerificationFailed) as caught:
            open_checkpoint(note, origin=ORIGIN, log_key=LOG_KEY, clock_key=CLOCK_KEY)
        assert caught.value.code == "LF7210"


def grown(home, known, pin=""):
    reader = SqliteReader(home / "realm")
    try:
        return verify_log(reader, ORIGIN, LOG_KEY, CLOCK_KEY, pin, envelopes=False, known=known)
    finally:
        reader.close()


def known_of(home):
    report = verified(home, pin=False)
    return report.known


def more(home, count=5, start=50, **how):
    writer = opened(home, clock=Clock(START + 900), **how)
    writer.append(items(count, start))
    writer.close()


def test_what_is_known_is_gone_on_from(log):
    known = known_of(log)
    assert grown(log, known).known == known
    for start in (50, 60, 70):
        more(log, 3, start)
        whole, part = verified(log, pin=False), grown(log, known)
        assert (part.size, part.root, part.timestamp) == (whole.size, whole.root, whole.timestamp)
        assert part.known == whole.known
        known = part.known


def test_a_log_that_was_only_signed_again_is_gone_on_from(log):
    known = known_of(log)
    writer = opened(log, clock=Clock(START + 900))
    writer.renew()
    writer.close()
    report = grown(log, known)
    assert (report.size, report.timestamp) == (11, START + 900)
    assert report.known.checkpoints == known.checkpoints + 1


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE entries SET leaf = x'00' WHERE idx = 12",
        "UPDATE nodes SET hash = zeroblob(32) WHERE level = 0 AND idx = 13",
        "UPDATE nodes SET hash = zeroblob(32) WHERE level = 2 AND idx = 3",
        "UPDATE checkpoints SET timestamp = timestamp + 1 WHERE size > 11",
        "DELETE FROM checkpoints WHERE size = 16",
        "DELETE FROM nodes WHERE level = 0 AND idx = 15",
    ],
)
def test_what_was_added_is_verified_like_the_rest(log, change):
    known = known_of(log)
    for start in (50, 60):
        more(log, 5, start, pins=False)
    tamper(log, change)
    with pytest.raises(VerificationFailed) as caught:
        grown(log, known)
    assert caught.value.code in {"LF7210", "LF7203", "LF7202"}


def test_an_older_or_another_log_does_not_go_on_from_what_is_known(log, tmp_path):
    shutil.copytree(log / "realm", tmp_path / "older")
    more(log, pins=False)
    known = known_of(log)
    shutil.rmtree(log / "realm")
    shutil.copytree(tmp_path / "older", log / "realm")
    with pytest.raises(VerificationFailed) as caught:
        grown(log, known)
    assert caught.value.code == "LF7220"
    for start, count in ((500, 5), (600, 3)):  # signed by the same keys, over other entries
        more(log, count, start, pins=False)
        with pytest.raises(VerificationFailed) as caught:
            grown(log, known)
        assert caught.value.code == "LF7210"


def chained(home, pin=""):
    reader = SqliteReader(home / "realm")
    try:
        return verify_log(reader, ORIGIN, LOG_KEY, CLOCK_KEY, pin, chained=True)
    finally:
        reader.close()


def resigned(home, place, change):
    """Change a stored checkpoint; nobody signs it."""
    (note,) = rows(home, "SELECT note FROM checkpoints WHERE seq = ?", place)[0]
    changed = change(note)
    assert changed != note
    tamper(home, ("UPDATE checkpoints SET note = ? WHERE seq = ?", changed, place))


def test_checkpoints_before_the_pin_are_bound_by_it(log):
    pin = PinStore(log).read(ORIGIN)
    assert chained(log, pin) == verified(log)
    more(log, pins=False)
    assert chained(log, pin) == verified(log)


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("line", ["text", "time"])
def test_no_word_and_no_time_before_the_pin_can_be_changed(log, place, line):
    pin = PinStore(log).read(ORIGIN)

    def change(note):
        text, blank, signatures = note.rpartition("\n\n")
        if line == "text":
            words = text.split("\n")
            words[2] = base64.b64encode(bytes(32)).decode()
            return "\n".join(words) + blank + signatures
        ours, clock = signatures.splitlines()
        head, _, body = clock.rpartition(" ")
        raw = bytearray(base64.b64decode(body))
        raw[11] ^= 1
        return f"{text}{blank}{ours}\n{head} {base64.b64encode(raw).decode()}\n"

    resigned(log, place, change)
    for pinned in (pin, ""):
        with pytest.raises(VerificationFailed):
            chained(log, pinned)


def test_a_signature_before_the_pin_is_looked_at_by_who_verifies_everything(log):
    """The pin names what log and clock signed there; the signature itself proves nothing more."""
    pin = PinStore(log).read(ORIGIN)

    def change(note):
        head, _, body = note.rstrip("\n").rpartition(" ")
        raw = bytearray(base64.b64decode(body))
        raw[-1] ^= 1
        return f"{head} {base64.b64encode(raw).decode()}\n"

    resigned(log, 1, change)
    assert chained(log, pin).size == 11
    refused(log, "LF7206")
    with pytest.raises(VerificationFailed) as caught:
        chained(log, "")
    assert caught.value.code == "LF7206"


def test_a_pin_that_is_no_checkpoint_of_the_log_binds_nothing(log):
    """A checkpoint of the same keys that the log does not hold."""
    shutil.copytree(log / "realm", log / "copy")
    writer = opened(log, pins=False, clock=Clock(START + 300), folder="copy")
    pin = writer.renew()
    writer.close()
    with pytest.raises(VerificationFailed) as caught:
        chained(log, pin)
    assert caught.value.code == "LF7220"
    more(log, pins=False)
    resigned(log, 1, lambda note: note.replace("AAAA", "BBBB") if "AAAA" in note else note[:-3] + "A=\n")
    with pytest.raises(VerificationFailed):
        chained(log, pin)
