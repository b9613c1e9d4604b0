"""Policies for witnesses (C2SP tlog-policy): read strictly, and demanding exactly what they say."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.verify.log.note import (
    KIND_COSIGNATURE,
    KIND_ED25519,
    NoteKey,
    checkpoint_text,
    cosignature_message,
    format_note,
    note_signature_line,
    timestamped,
)
from lockflight.core.verify.log.witnesses import all_of, parse_policy
from lockflight.errors import InvalidInput, VerificationFailed
from tests.log.making import fixed

SIGNERS = {name: fixed(40 + number) for number, name in enumerate(["X1", "X2", "X3", "Y1", "Y2", "Y3"])}
KEYS = {n: NoteKey(f"{n}.example/w", KIND_COSIGNATURE, s.public_key.raw) for n, s in SIGNERS.items()}
LOG = NoteKey("example.com/log", KIND_ED25519, fixed(39).public_key.raw)
#: The example of the specification, with keys.
EXAMPLE = f"""log {LOG.vkey}

witness X1 {KEYS["X1"].vkey}
witness X2 {KEYS["X2"].vkey}
witness X3 {KEYS["X3"].vkey} https://x3.example/submit
group X-witnesses 2 X1 X2 X3

witness Y1 {KEYS["Y1"].vkey}
witness Y2 {KEYS["Y2"].vkey}
witness Y3 {KEYS["Y3"].vkey}
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""
TEXT = checkpoint_text("example.com/log", 7, bytes(32))


def cosigned(**times):
    lines = [
        note_signature_line(KEYS[n], timestamped(t, SIGNERS[n].sign(cosignature_message(TEXT, t))))
        for n, t in times.items()
    ]
    return format_note(TEXT, ["\u2014 example.com/log AAAAAAAA\n", *lines])


def refused(text):
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(InvalidInput) as caught:
        parse_policy(data)
    assert caught.value.code == "LF7227"
    return caught.value.message


def test_the_example_of_the_specification_is_read():
    policy = parse_policy(EXAMPLE.encode())
    assert [party.key for party in policy.logs] == [LOG]
    assert policy.witnesses["X3"].url == "https://x3.example/submit"
    assert policy.groups["X-and-Y"].threshold == 2
    assert policy.groups["Y-witnesses"].threshold == 1


@pytest.mark.parametrize("names", [c for n in range(7) for c in itertools.combinations(SIGNERS, n)])
def test_the_quorum_is_two_of_x_and_one_of_y(names):
    policy = parse_policy(EXAMPLE.encode())
    times = dict.fromkeys(names, 100)
    enough = sum(n[0] == "X" for n in names) >= 2 and any(n[0] == "Y" for n in names)
    assert (policy.quorum_time(times) is not None) is enough


def test_the_time_of_a_quorum_is_that_of_the_member_who_completes_it():
    policy = parse_policy(EXAMPLE.encode())
    assert policy.quorum_time({"X1": 50, "X2": 30, "X3": 10, "Y1": 90}) == 30
    assert policy.quorum_time({"X1": 50, "X2": 30, "Y1": 20, "Y2": 25}) == 25
    assert policy.demand(cosigned(X1=50, X2=30, Y1=90)) == ({"X1": 50, "X2": 30, "Y1": 90}, 30)


def test_too_few_are_refused_and_strangers_do_not_count():
    policy = parse_policy(EXAMPLE.encode())
    with pytest.raises(VerificationFailed) as caught:
        policy.demand(cosigned(X1=50, Y1=90))
    assert caught.value.code == "LF7226"
    assert "X1, Y1" in caught.value.message
    alone = parse_policy(f"witness one {KEYS['X1'].vkey}\nquorum one\n".encode())
    assert alone.cosigned(cosigned(X2=50)) == {}


def test_a_bad_cosignature_of_a_named_witness_is_fatal():
    policy = parse_policy(EXAMPLE.encode())
    note = cosigned(X1=50, X2=60, Y1=70)
    other = note.replace("\n7\n", "\n8\n")
    with pytest.raises(VerificationFailed) as caught:
        policy.demand(other)
    assert caught.value.code == "LF7206"


def test_a_cosignature_without_a_time_does_not_count():
    policy = parse_policy(f"witness one {KEYS['X1'].vkey}\nquorum one\n".encode())
    assert policy.cosigned(cosigned(X1=0)) == {}


def test_none_demands_nobody():
    policy = parse_policy(b"quorum none\n")
    assert policy.demand(cosigned()) == ({}, 0)


def test_all_of_some_keys():
    policy = all_of((KEYS["X1"], KEYS["X2"]))
    assert policy.quorum_time(policy.cosigned(cosigned(X1=5))) is None
    assert policy.quorum_time(policy.cosigned(cosigned(X1=5, X2=6))) == 5


ONE = f"witness one {KEYS['X1'].vkey}\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "quorum one\n",
        ONE,
        ONE + "quorum none\nquorum one\n",
        ONE + ONE + "quorum one\n",
        ONE + f"witness two {KEYS['X1'].vkey}\nquorum one\n",
        ONE + f"witness two {NoteKey('other', KIND_COSIGNATURE, KEYS['X1'].key).vkey}\nquorum one\n",
        ONE + "group g 2 one\nquorum g\n",
        ONE + "group g 0 one\nquorum g\n",
        ONE + "group g 01 one\nquorum g\n",
        ONE + "group g all\nquorum g\n",
        ONE + "group g all one one\nquorum g\n",
        ONE + "group g all one\ngroup h all one\nquorum g\n",
        ONE + "group g all none\nquorum g\n",
        ONE + "group g all g\nquorum g\n",
        ONE + "group one all one\nquorum one\n",
        "group g all one\n" + ONE + "quorum g\n",
        "quorum one\n" + ONE,
        f"witness none {KEYS['X1'].vkey}\nquorum none\n",
        f"witness one {LOG.vkey}\nquorum one\n",
        f"log {KEYS['X1'].vkey}\nquorum none\n",
        f"log {LOG.vkey}\nlog {LOG.vkey}\nquorum none\n",
        "witness one example.com+00000000+AAAA\nquorum one\n",
        "vitness one two\nquorum none\n",
        "quorum none\r\n",
        "quorum none\x00\n",
        "quorum none\x7f\n",
        "quorum none extra\n",
        "# x\n" * 30_000 + "quorum none\n",
        "\n".join(f"log {LOG.vkey} u" for _ in range(300)),
    ],
)
def test_another_form_is_refused(text):
    refused(text)


def test_comments_spaces_and_odd_names_are_allowed():
    name = "W\u00e4chter"
    text = f"  # \u00e4\n\t\n \twitness\t{name}  {KEYS['X1'].vkey}\t\nquorum {name}"
    assert len(parse_policy(text.encode()).witnesses) == 1
    assert len(parse_policy(text.encode("latin-1")).witnesses) == 1
    assert "line 2" in refused("\n" + ONE.replace("witness", "vitness") + "quorum none\n")


WORDS = st.sampled_from(
    ["log", "witness", "group", "quorum", "one", "two", "none", "all", "any", "1", "#", LOG.vkey]
)


@given(st.lists(st.lists(st.one_of(WORDS, st.just(KEYS["X1"].vkey)), max_size=5), max_size=8))
def test_any_lines_are_a_policy_or_refused(lines):
    text = "\n".join(" ".join(words) for words in lines)
    try:
        policy = parse_policy(text.encode())
    except InvalidInput:
        return
    assert policy.quorum == "none" or policy.quorum in {*policy.witnesses, *policy.groups}


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_or_demand_nobody(data):
    with contextlib.suppress(InvalidInput):
        assert parse_policy(data).quorum == "none"
