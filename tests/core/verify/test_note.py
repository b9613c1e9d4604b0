"""Signed notes, checkpoints and cosignatures."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.verify.log import note
from lockflight.core.verify.log.note import (
    KIND_COSIGNATURE,
    KIND_ED25519,
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    Checkpoint,
    NoteKey,
    check_signature,
    checkpoint_text,
    cosignature_message,
    format_note,
    note_signature_line,
    parse_checkpoint,
    parse_note,
    parse_vkey,
    timestamped,
    verify_checkpoint,
)
from lockflight.errors import VerificationFailed
from tests.signed import CLOCK, ORIGIN, TIME, mutate, signer, tiny_log, vectors

LEAVES = [b"one", b"two", b"three"]


def code_of(call, *args, **kwargs):
    with pytest.raises(VerificationFailed) as caught:
        call(*args, **kwargs)
    return caught.value.code


def test_the_published_note_verifies():
    vector = vectors("signed-note.json")["signed_note"]
    key = parse_vkey(vector["vkey"])
    parsed = parse_note(vector["note"])
    assert parsed.text == vector["text"]
    assert check_signature(parsed, key) == 0
    assert key.vkey == vector["vkey"]
    assert parse_note(vector["note"].encode()) == parsed
    assert (
        code_of(check_signature, parse_note(vector["note"].replace("example m", "exemple m")), key)
        == "LF7206"
    )


def test_the_published_cosigned_checkpoint_is_read():
    vector = vectors("signed-note.json")["cosigned_checkpoint"]
    parsed = parse_note(vector["note"])
    point = parse_checkpoint(parsed.text)
    assert (point.origin, point.size, len(point.root)) == ("example.com/behind-the-sofa", 20852163, 32)
    line = next(s for s in parsed.signatures if s.name == vector["cosigner"])
    assert int.from_bytes(line.signature[:8], "big") == vector["time"]
    assert len(line.signature) == 72
    assert cosignature_message(parsed.text, vector["time"]) == vector["message"].encode()
    assert checkpoint_text(point.origin, point.size, point.root) == parsed.text


def test_a_checkpoint_of_log_and_clock_verifies():
    point = verify_checkpoint(tiny_log().checkpoint(LEAVES), **tiny_log().trust)
    assert (point.origin, point.size, point.timestamp) == (ORIGIN, 3, TIME)


def test_signatures_of_unknown_keys_are_ignored():
    text = checkpoint_text(ORIGIN, 1, bytes(32))
    log = tiny_log()
    stranger = NoteKey("example.com/witness", KIND_COSIGNATURE, signer("ed25519", 3).public_key.raw)
    same_name = NoteKey(ORIGIN, KIND_ED25519, signer("ed25519", 3).public_key.raw)
    lines = [
        note_signature_line(stranger, b"post-quantum" * 200),
        note_signature_line(same_name, b"junk"),
        log.log_line(text),
        log.clock_line(text),
    ]
    assert verify_checkpoint(format_note(text, lines), **log.trust).size == 1


def test_sixteen_signatures_of_five_kilobytes_are_room_enough():
    text = checkpoint_text(ORIGIN, 1, bytes(32))
    log = tiny_log()
    others = [note_signature_line(NoteKey(f"w{i}", 4, bytes(32)), bytes(5000)) for i in range(16)]
    assert verify_checkpoint(
        format_note(text, [*others, log.log_line(text), log.clock_line(text)]), **log.trust
    )


@pytest.mark.parametrize("which", ["log", "clock"])
def test_a_bad_signature_of_a_known_key_rejects_the_note(which):
    log = tiny_log()
    text = checkpoint_text(ORIGIN, 1, bytes(32))
    other = checkpoint_text(ORIGIN, 2, bytes(32))
    lines = [
        log.log_line(other if which == "log" else text),
        log.clock_line(other if which == "clock" else text),
    ]
    assert code_of(verify_checkpoint, format_note(text, lines), **log.trust) == "LF7206"


@pytest.mark.parametrize("length", [0, 1, 8, 63, 65, 71, 73])
def test_signatures_of_another_length_are_bad(length):
    log = tiny_log()
    text = checkpoint_text(ORIGIN, 1, bytes(32))
    for key in (log.log_key, log.clock_key):
        parsed = note.Note(text, (note.NoteSignature(key.name, key.keyid, bytes(length)),))
        assert code_of(check_signature, parsed, key) == "LF7206"


def test_a_second_signature_of_a_known_key_rejects_the_note():
    log = tiny_log()
    text = checkpoint_text(ORIGIN, 1, bytes(32))
    for line in (log.log_line(text), log.clock_line(text, TIME + 1)):
        lines = [log.log_line(text), log.clock_line(text), line]
        assert code_of(verify_checkpoint, format_note(text, lines), **log.trust) == "LF7206"


def test_log_and_clock_are_both_demanded():
    log = tiny_log()
    text = checkpoint_text(ORIGIN, 1, bytes(32))
    assert code_of(verify_checkpoint, format_note(text, [log.clock_line(text)]), **log.trust) == "LF7205"
    assert code_of(verify_checkpoint, format_note(text, [log.log_line(text)]), **log.trust) == "LF7207"


def test_a_plain_signature_is_no_cosignature():
    log = tiny_log()
    text = checkpoint_text(ORIGIN, 1, bytes(32))
    plain = note_signature_line(
        NoteKey(CLOCK, KIND_ED25519, log.clock_key.key), log.clock.sign(text.encode())
    )
    assert code_of(verify_checkpoint, format_note(text, [log.log_line(text), plain]), **log.trust) == "LF7207"


def test_a_checkpoint_of_another_log_is_refused():
    log = tiny_log()
    assert code_of(verify_checkpoint, log.checkpoint(LEAVES), **{**log.trust, "origin": "x"}) == "LF7204"


def test_the_time_is_under_the_signature():
    log = tiny_log()
    text = checkpoint_text(ORIGIN, 1, bytes(32))
    signature = log.clock.sign(cosignature_message(text, TIME))
    moved = note_signature_line(log.clock_key, timestamped(TIME + 1, signature))
    assert code_of(verify_checkpoint, format_note(text, [log.log_line(text), moved]), **log.trust) == "LF7206"


def test_a_time_out_of_range_is_refused():
    log = tiny_log()
    text = checkpoint_text(ORIGIN, 1, bytes(32))
    line = note_signature_line(log.clock_key, timestamped(2**63, bytes(64)))
    assert code_of(verify_checkpoint, format_note(text, [log.log_line(text), line]), **log.trust) == "LF7206"
    for time in (-1, 2**63):
        with pytest.raises(ValueError):
            cosignature_message(text, time)
    assert cosignature_message(text, 0).startswith(b"cosignature/v1\ntime 0\n")


LINE = "\u2014 k AAAAAAA=\n"


@pytest.mark.parametrize(
    "data",
    [
        "",
        "\n",
        "text\n",
        "text\n\n",
        "text\n" + LINE,
        "text\n\n" + LINE[:-1],
        "text\n\n" + LINE + "\n",
        "text\n\n" + LINE + LINE[1:],
        "text\n\n" + LINE.replace("\u2014", "-"),
        "text\n\n\u2014 k\n",
        "text\n\n\u2014  AAAAAAA=\n",
        "text\n\n\u2014 k AAAAAAA\n",
        "text\n\n\u2014 k AAAAAA==\n",
        "text\n\n\u2014 k AAAAAAA= \n",
        "text\n\n\u2014 k+k AAAAAAA=\n",
        "text\n\n\u2014 k\u2003k AAAAAAA=\n",
        "te\txt\n\n" + LINE,
        "te\rxt\n\n" + LINE,
        "te\x00xt\n\n" + LINE,
        b"te\xffxt\n\n" + LINE.encode(),
        "te\ud800xt\n\n" + LINE,
        "text\n\n" + LINE * (MAX_SIGNATURES + 1),
        "t" * MAX_NOTE_BYTES + "\n\n" + LINE,
        "é" * (MAX_NOTE_BYTES // 2) + "\n\n" + LINE,
    ],
)
def test_what_is_no_note_is_refused(data):
    assert code_of(parse_note, data) == "LF7202"


def test_the_text_ends_at_the_last_blank_line():
    parsed = parse_note("one\n\ntwo\n\n\n" + LINE)
    assert parsed.text == "one\n\ntwo\n\n"
    assert parsed.signatures == (note.NoteSignature("k", bytes(4), b"\x00"),)
    assert parse_note("\n\n" + LINE).text == "\n"


names = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Z"), exclude_characters="+"), min_size=1, max_size=9
)


@given(
    st.text(st.characters(exclude_categories=("Cs",), min_codepoint=32), max_size=30),
    st.lists(st.tuples(names, st.binary(min_size=1, max_size=9)), min_size=1, max_size=4),
)
def test_a_note_survives_the_trip(text, signatures):
    keys = [(NoteKey(name, KIND_ED25519, bytes(32)), signature) for name, signature in signatures]
    data = format_note(text + "\n", [note_signature_line(key, signature) for key, signature in keys])
    parsed = parse_note(data)
    assert parsed.text == text + "\n"
    assert parsed.signatures == tuple(note.NoteSignature(k.name, k.keyid, s) for k, s in keys)


@given(
    st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1), st.integers(0, 2**63 - 1), st.data()
)
def test_a_checkpoint_survives_the_trip(origin, size, data):
    root = data.draw(st.binary(min_size=32, max_size=32))
    assert parse_checkpoint(checkpoint_text(origin, size, root)) == Checkpoint(origin, size, root)


def test_extension_lines_are_kept():
    text = checkpoint_text("o", 0, bytes(32)) + "one\ntwo\n"
    assert parse_checkpoint(text).extensions == ("one", "two")


ROOT = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "o\n1\n",
        f"o\n1\n{ROOT}",
        f"\n1\n{ROOT}\n",
        f"o\n01\n{ROOT}\n",
        f"o\n-1\n{ROOT}\n",
        f"o\n+1\n{ROOT}\n",
        f"o\n1 \n{ROOT}\n",
        f"o\n\u0661\n{ROOT}\n",
        f"o\n²\n{ROOT}\n",
        f"o\n{2**63}\n{ROOT}\n",
        f"o\n{'9' * 5000}\n{ROOT}\n",
        f"o\n1\n{ROOT[:-1]}\n",
        "o\n1\nAAAA\n",
        f"o\n1\n{ROOT}\n\n",
        f"o\n1\n{ROOT}\n\nx\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text):
    assert code_of(parse_checkpoint, text) == "LF7203"


@pytest.mark.parametrize(
    ("origin", "size", "root"),
    [
        ("", 1, bytes(32)),
        ("a\nb", 1, bytes(32)),
        ("a", -1, bytes(32)),
        ("a", 2**63, bytes(32)),
        ("a", 1, b""),
    ],
)
def test_what_is_no_checkpoint_is_not_written(origin, size, root):
    with pytest.raises(ValueError):
        checkpoint_text(origin, size, root)


@pytest.mark.parametrize("kind", [KIND_ED25519, KIND_COSIGNATURE])
def test_a_verifier_key_survives_the_trip(kind):
    key = NoteKey("example.com/x", kind, signer("ed25519").public_key.raw)
    assert parse_vkey(key.vkey) == key
    assert key.full_id[:4] == key.keyid


def test_a_verifier_key_is_split_at_the_first_two_plus_signs():
    found = 0
    for number in range(200):
        key = NoteKey(f"k{number}", KIND_ED25519, signer("ed25519", number % 20).public_key.raw)
        found += key.vkey.count("+") > 2
        assert parse_vkey(key.vkey) == key
    assert found


GOOD = NoteKey("k", KIND_ED25519, bytes(31) + b"\x10")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "k",
        "k+00000000",
        "k+00000000+",
        GOOD.vkey.replace("k+", "j+"),
        GOOD.vkey.upper(),
        "+" + GOOD.vkey.split("+", 1)[1],
        "a b+" + GOOD.vkey.split("+", 1)[1],
        NoteKey("k", 0x02, GOOD.key).vkey,
        NoteKey("k", 0x06, GOOD.key).vkey,
        NoteKey("k", KIND_ED25519, bytes(31)).vkey,
        NoteKey("k", KIND_ED25519, bytes(32)).vkey,
        NoteKey("k", KIND_ED25519, b"\xff" * 32).vkey,
    ],
)
def test_what_is_no_verifier_key_is_refused(text):
    assert code_of(parse_vkey, text) == "LF7208"


@given(st.data())
def test_changed_checkpoints_are_refused_or_say_the_same(data):
    log = tiny_log()
    original = log.checkpoint(LEAVES)
    changed = mutate(original.encode(), data.draw)
    try:
        point = verify_checkpoint(changed, **log.trust)
    except VerificationFailed:
        return
    assert point == verify_checkpoint(original, **log.trust)


@given(st.binary(max_size=80) | st.text(max_size=80))
def test_any_text_is_read_or_refused(data):
    for read in (parse_note, lambda d: parse_checkpoint(str(d)), lambda d: parse_vkey(str(d))):
        try:
            read(data)
        except VerificationFailed:
            continue
