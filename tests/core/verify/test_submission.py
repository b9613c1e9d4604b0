"""What a witness answers, held against the text of C2SP tlog-witness, statement by statement."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.log.merkle import EMPTY_ROOT, consistency_proof, leaf_hash, root
from lockflight.core.verify.log.note import (
    KIND_ED25519,
    NoteKey,
    checkpoint_text,
    format_note,
    note_signature_line,
)
from lockflight.core.verify.log.submission import (
    MAX_HASHES,
    MAX_REQUEST_BYTES,
    Refused,
    Seen,
    Submission,
    judge,
    read_submission,
)
from tests.log.making import fixed

SIGNER, OTHER = fixed(50), fixed(51)
ORIGIN = "example.com/log"
KEY = NoteKey(ORIGIN, KIND_ED25519, SIGNER.public_key.raw)
LOGS = {ORIGIN: [KEY]}
LEAVES = [leaf_hash(b"%d" % i) for i in range(40)]


def read(level, index):
    return root(LEAVES[index << level : (index + 1) << level])


def note(size, *, origin=ORIGIN, signer=SIGNER, top=None):
    text = checkpoint_text(origin, size, root(LEAVES[:size]) if top is None else top)
    key = NoteKey(origin, KIND_ED25519, signer.public_key.raw)
    return format_note(text, [note_signature_line(key, signer.sign(text.encode()))])


def asked(old, new, **how):
    proof = consistency_proof(read, old, new) if 0 < old <= new else []
    return Submission(old, tuple(proof), note(new, **how))


def seen(size):
    return {ORIGIN: Seen(size, root(LEAVES[:size]) if size else EMPTY_ROOT)}


def refused(status, submission, before, logs=None):
    with pytest.raises(Refused) as caught:
        judge(submission, LOGS if logs is None else logs, before)
    assert caught.value.status == status, caught.value.body
    return caught.value


@given(st.integers(0, 40), st.integers(0, 40))
def test_what_continues_is_accepted(old, new):
    if old <= new:
        point = judge(asked(old, new), LOGS, seen(old))
        assert (point.size, point.root) == (new, root(LEAVES[:new]))
        assert judge(read_submission(asked(old, new).encode()), LOGS, seen(old)) == point
    else:
        refused(400, asked(old, new), seen(old))


def test_a_log_that_was_never_seen_starts_anywhere():
    assert judge(asked(0, 9), LOGS, {}).size == 9


def test_an_unknown_log_is_404_whatever_else_is_wrong():
    refused(404, asked(3, 9, origin="example.com/other"), seen(5))


def test_no_signature_or_a_bad_one_is_403():
    refused(403, asked(0, 9, signer=OTHER), {})
    good = asked(0, 9)
    refused(403, Submission(0, (), good.checkpoint.replace("\n9\n", "\n8\n")), {})


def test_signatures_of_strangers_are_ignored():
    stranger = NoteKey("example.com/stranger", KIND_ED25519, OTHER.public_key.raw)
    more = asked(0, 9).checkpoint + note_signature_line(stranger, bytes(64))
    assert judge(Submission(0, (), more), LOGS, {}).size == 9


def test_any_of_several_keys_of_a_log_may_sign():
    old = NoteKey(ORIGIN, KIND_ED25519, OTHER.public_key.raw)
    assert judge(asked(0, 9), {ORIGIN: [old, KEY]}, {}).size == 9


def test_another_old_size_is_409_with_the_size():
    assert refused(409, asked(3, 9), seen(5)).body == "5\n"
    assert refused(409, asked(0, 9), seen(5)).body == "5\n"
    assert refused(409, asked(5, 9), {}).body == "0\n"


def test_another_history_is_422():
    refused(422, Submission(5, asked(5, 9).proof[:-1], note(9)), seen(5))
    refused(422, Submission(5, asked(5, 9).proof, note(9, top=bytes(32))), seen(5))
    refused(422, Submission(5, (), note(5, top=bytes(32))), seen(5))
    refused(422, Submission(5, (bytes(32),), note(5)), seen(5))
    refused(422, Submission(0, (bytes(32),), note(9)), {})
    refused(422, Submission(0, (), note(0, top=bytes(32))), {})


def test_a_smaller_tree_is_never_accepted():
    refused(400, asked(9, 5), seen(9))
    refused(409, asked(5, 5), seen(9))


GOOD = asked(5, 9).encode()


@pytest.mark.parametrize(
    "change",
    [
        (b"old 5", b"old 05"),
        (b"old 5", b"old -5"),
        (b"old 5", b"old  5"),
        (b"old 5", b"Old 5"),
        (b"old 5\n", b""),
        (b"old 5\n", b"old 5\nAAAA\n"),
        (b"old 5\n", b"old 5\n" + (b"A" * 43 + b"=\n") * (MAX_HASHES + 1)),
        (b"\n\n", b"\n"),
        (b"old", b"\xff"),
        (b"old 5\n", b"old 5\r\n"),
        (b"\n9\n", b"\n09\n"),
    ],
)
def test_another_form_is_400(change):
    with pytest.raises(Refused) as caught:
        read_submission(GOOD.replace(*change))
    assert caught.value.status == 400
    assert "\n" not in caught.value.body.strip()


def test_too_long_is_400():
    with pytest.raises(Refused):
        read_submission(GOOD + b"x" * MAX_REQUEST_BYTES)


@given(st.binary(max_size=300))
def test_any_bytes_are_400(data):
    with pytest.raises(Refused) as caught:
        read_submission(data)
    assert caught.value.status == 400


@given(st.data())
def test_changed_requests_are_refused_or_the_same(data):
    body = bytearray(GOOD)
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] ^= 1 << data.draw(st.integers(0, 7))
    try:
        point = judge(read_submission(bytes(body)), LOGS, seen(5))
    except Refused:
        return
    assert (point.size, point.root) == (9, root(LEAVES[:9]))
