"""What a policy may add to the allow-list, and what it may not."""

from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.source import BytesSource
from lockflight.core.times import unix
from lockflight.errors import InvalidInput, LockflightError
from lockflight.formats.pickle.overlay import MAX_NAMES, SCHEMA, Overlay
from lockflight.formats.pickle.streams import analyse
from lockflight.infra.allowlist import MAX_OVERLAY, read_overlay, shipped_allow_list

ROW = {
    "module": "acme.models",
    "name": "Scaler",
    "use": "class",
    "reason": "reviewed",
    "until": "2027-01-31T00:00:00Z",
}
END = unix(ROW["until"])
FILE, OTHER = "a" * 64, "b" * 64


def document(*rows, **more):
    return json.dumps({"schema": SCHEMA, "names": [{**ROW, **row} for row in rows], **more}).encode()


def wrong(body):
    with pytest.raises(InvalidInput) as caught:
        read_overlay(body)
    assert caught.value.code == "LF2302"
    return caught.value.message


def test_a_name_is_added_until_its_end_and_for_its_file():
    overlay = read_overlay(document({"asset": FILE}, {"name": "Other", "ticket": "SEC-12"}))
    allow = shipped_allow_list()
    here, there = overlay.over(allow, FILE), overlay.over(allow, OTHER)
    assert here.get("acme.models", "Scaler").kind == "class"
    assert there.get("acme.models", "Scaler") is None
    assert there.get("acme.models", "Other") is not None
    assert allow.get("acme.models", "Other") is None
    assert here.digest == there.digest != allow.digest
    assert overlay.at(END - 1) == overlay
    assert overlay.at(END).over(allow, FILE) is allow


def test_reasons_and_ends_do_not_change_the_digest_and_names_do():
    one = read_overlay(document({})).digest
    assert one == read_overlay(document({"reason": "other", "until": "2028-01-31T00:00:00Z"})).digest
    different = [
        {"name": "Scalar"},
        {"use": "value"},
        {"asset": FILE},
        {"use": "callable", "arguments": "class-first"},
        {"module": "acme"},
    ]
    digests = {read_overlay(document(row)).digest for row in different}
    assert len(digests | {one}) == len(different) + 1
    pair = document({}, {"name": "B"}), document({"name": "B"}, {})
    assert read_overlay(pair[0]).digest == read_overlay(pair[1]).digest
    assert Overlay().digest == ""


def test_it_is_written_as_it_was_read():
    overlay = read_overlay(
        document({"asset": FILE, "ticket": "x"}, {"use": "callable", "name": "f"}, shipped=[OTHER])
    )
    assert read_overlay(json.dumps(overlay.to_json()).encode()) == overlay


@pytest.mark.parametrize(
    "module",
    [
        "os",
        "os.path",
        "builtins",
        "posix",
        "nt",
        "subprocess",
        "importlib",
        "_pickle",
        "__builtin__",
        "copy_reg",
        "__main__",
        "distutils.util",
    ],
)
def test_nothing_is_added_of_the_standard_library(module):
    assert "standard library" in wrong(document({"module": module, "name": "x", "use": "callable"}))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"module": "a b"}, "no name"),
        ({"module": "a..b"}, "no name"),
        ({"name": ""}, "no name"),
        ({"name": "\u017fystem"}, "no name"),
        ({"name": "*"}, "no name"),
        ({"use": "anything"}, "one of"),
        ({"use": "class", "arguments": "class-first"}, "not called"),
        ({"use": "callable", "arguments": "whatever"}, "argument rule"),
        ({"reason": " "}, "reason"),
        ({"until": "2027-01-31"}, "not a time"),
        ({"until": 5}, ""),
        ({"asset": "abc"}, "SHA-256"),
        ({"patterns": "x"}, "means nothing"),
    ],
)
def test_what_does_not_read_is_refused(row, said):
    assert said in wrong(document(row))


def test_what_is_no_overlay_is_refused():
    assert "twice" in wrong(document({}, {"use": "value"}))
    for body in (
        b"{}",
        b'{"schema": "lockflight-overlay/2", "names": []}',
        b'{"schema": "lockflight-overlay/1"}',
        b'{"schema": "lockflight-overlay/1", "names": {}}',
        b'{"schema": "lockflight-overlay/1", "names": [], "more": 1}',
        b'{"schema": "lockflight-overlay/1", "names": [], "shipped": ["x"]}',
        document(*({"name": f"n{i}"} for i in range(MAX_NAMES + 1)))[:MAX_OVERLAY],
    ):
        with pytest.raises(LockflightError):
            read_overlay(body)


def test_it_lets_through_what_it_names_and_nothing_else():
    stream = pickle.PROTO + b"\x02cacme.models\nScaler\n)\x81."
    called = pickle.PROTO + b"\x02cacme.models\nScaler\n)R."
    allow = shipped_allow_list()
    assert analyse(BytesSource(stream), allow).issues
    over = read_overlay(document({})).over(allow, FILE)
    assert not analyse(BytesSource(stream), over).issues
    assert analyse(BytesSource(called), over).issues, "a class is built, not called"
    callable_ = read_overlay(document({"use": "callable"})).over(allow, FILE)
    assert not analyse(BytesSource(called), callable_).issues
    assert analyse(BytesSource(b"cacme.models\nScaler.mro\n."), callable_).issues


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_read_or_are_refused(body):
    try:
        read_overlay(body)
    except LockflightError:
        return


@given(
    st.fixed_dictionaries(
        {},
        optional={
            key: st.text(max_size=12)
            | st.integers()
            | st.none()
            | st.sampled_from(["class", FILE, "os", "a.b"])
            for key in (*ROW, "asset", "arguments", "ticket", "x")
        },
    )
)
def test_any_row_reads_or_is_refused(row):
    try:
        overlay = read_overlay(document(row))
    except LockflightError:
        return
    assert read_overlay(json.dumps(overlay.to_json()).encode()) == overlay
