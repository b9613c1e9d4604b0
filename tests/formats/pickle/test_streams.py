from __future__ import annotations

import pickle
import struct

import pytest

from lockflight.core.findings import Verdict
from lockflight.core.source import BytesSource
from lockflight.formats.pickle.streams import TORCH_MAGIC, Budget, imports_aside
from lockflight.formats.pickle.values import MAX_TEXT
from tests.formats.pickles import CALL, EMPTY, HOSTILE, judge, rules, shipped, short, verdict


def storage(kind="FloatStorage", key="0", numel=3):
    """The opcodes of a torch storage's persistent id, and `_rebuild_tensor_v2` of it."""
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n(("
        b"X\x07\x00\x00\x00storage"
        + f"ctorch\n{kind}\n".encode()
        + b"X"
        + struct.pack("<I", len(key))
        + key.encode()
        + b"X\x03\x00\x00\x00cpu"
        + b"K"
        + bytes([numel])
        + b"NtQ"
        + b"K\x00K\x03\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtR"
    )


def legacy(body=None, storages=b"\x03\0\0\0\0\0\0\0" + bytes(12)):
    """What torch.save wrote before 1.6."""
    head = pickle.dumps(TORCH_MAGIC, 2) + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2)
    body = b"\x80\x02}X\x01\x00\x00\x00w" + storage() + b"s." if body is None else body
    return head + body + pickle.dumps(["0"], 2) + storages


def test_a_torch_checkpoint_before_1_6_is_safe():
    report = judge(legacy())
    assert report.issues == ()
    assert report.complete
    assert [(pin.storage, pin.key, pin.numel) for pin in report.pins] == [("FloatStorage", "0", 3)]


def test_a_payload_in_any_of_its_pickles_is_found():
    assert verdict(judge(legacy(body=b"\x80\x02" + CALL + b"."))) is Verdict.MALICIOUS
    parts = [
        pickle.dumps(TORCH_MAGIC, 2),
        pickle.dumps(1001, 2),
        pickle.dumps({}, 2),
        b"\x80\x02}.",
        b"\x80\x02].",
    ]
    for i in range(1, 5):
        spoiled = [*parts[:i], b"\x80\x02" + CALL + b".", *parts[i + 1 :]]
        report = judge(b"".join(spoiled))
        assert "posix.system" in {issue.subject for issue in report.issues}, i


def test_storages_that_do_not_fill_the_file():
    assert "pickle:trailing" in rules(judge(legacy() + b"x"))
    assert verdict(judge(legacy(storages=b""))) is Verdict.UNKNOWN
    assert verdict(judge(legacy()[:40])) is Verdict.UNKNOWN


def test_storages_are_only_known_inside_of_torch():
    stream = b"\x80\x02" + storage() + b"."
    assert rules(judge(stream)) == {"pickle:persistent-id"}
    assert judge(stream, torch=True).issues == ()


@pytest.mark.parametrize(
    "pid",
    [
        b"(X\x06\x00\x00\x00modulectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQ",
        b"(X\x07\x00\x00\x00storagecos\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQ",
        b"(X\x07\x00\x00\x00storagectorch\nfloat32\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQ",
        b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nNX\x03\x00\x00\x00cpuK\x01tQ",
        b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000NK\x01tQ",
        b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuNtQ",
        b"(X\x07\x00\x00\x00storagetQ",
        b"NQ",
    ],
)
def test_another_persistent_id_is_refused_inside_of_torch(pid):
    assert "pickle:persistent-id" in rules(judge(b"\x80\x02" + pid + b".", torch=True))


def test_what_lies_behind_stop_is_named():
    report = judge(HOSTILE["behind stop and zeros"])
    assert rules(report) == {"pickle:trailing", "pickle:global"}
    assert report.complete
    assert rules(judge(pickle.dumps(1) + b"garbage")) == {"pickle:trailing"}
    assert verdict(judge(pickle.dumps(1) + b"garbage")) is Verdict.MALICIOUS
    assert rules(judge(pickle.dumps(1) + b"\n")) == {"pickle:trailing"}
    assert verdict(judge(pickle.dumps(1) + b"\n")) is Verdict.REVIEW
    assert "posix.system" in {i.subject for i in judge(pickle.dumps(1) * 3 + CALL + b".").issues}


def test_imports_aside():
    def aside(data):
        found = imports_aside(BytesSource(data), shipped(), Budget())
        return found.stops, found.names

    assert aside(CALL + b".") == (True, ("posix.system",))
    assert aside(CALL + b"\xff") == (False, ("posix.system",))
    assert aside(b"class A:\n    pass\n") == (False, ())
    assert aside(pickle.dumps([1, 2])) == (True, ())


def test_a_protocol_0_line_may_be_very_long():
    report = judge(pickle.dumps({"a": "x" * 300_000}, 0))
    assert report.issues == ()
    assert "pickle:global" in rules(judge(b"c" + b"m" * 100_000 + b"\nx\n."))
    assert judge(b"V" + b"y" * (MAX_TEXT + 1) + b"\n.").complete


def test_cpython_drops_the_last_byte_of_a_cut_line():
    report = judge(b"cos\nsystem")
    assert {use.name for use in report.globals} == {"syste"}


def test_the_report_says_what_was_called():
    report = judge(b"\x80\x04" + short("os") + short("system") + b"\x93" + short("true") + b"\x85R.", EMPTY)
    assert [(call.opcode, call.callee) for call in report.calls] == [("REDUCE", "os.system")]
    assert report.globals[0].called
    assert report.opcodes == 8
