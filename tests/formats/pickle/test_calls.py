from __future__ import annotations

import dataclasses
import random

import pytest

from lockflight.core.source import BytesSource
from lockflight.formats.pickle.calls import constant, constants
from lockflight.formats.pickle.streams import analyse
from lockflight.formats.pickle.values import BYTES, DICT, NONE, Dict, Global, Made
from tests.formats.pickle.oracle import SEEDS, mutate
from tests.formats.pickles import shipped

DTYPE = b"\x80\x04cnumpy\ndtype\n"
LISTED = shipped().get("numpy", "ndarray")


def fresh():
    """The shipped list, which knows nothing of any file."""
    return dataclasses.replace(shipped())


def judged(data, allow):
    report = analyse(BytesSource(data), allow)
    return report.issues, report.opcodes, report.globals, report.calls, report.complete


def test_what_earlier_files_did_changes_no_report():
    warm, chance = fresh(), random.Random(5)
    seen = [mutate(chance, chance.choice(SEEDS)) for _ in range(2000)] + SEEDS
    for data in seen:
        analyse(BytesSource(data), warm)
    for data in seen:
        cold = fresh()
        assert judged(data, warm) == judged(data, cold)


@pytest.mark.parametrize(
    "args", [b"(X\x01\0\0\0Ocos\nsystem\nt", b"(K\x01t", b"(X\x02\0\0\0f8cos\nsystem\nt"]
)
def test_a_call_that_is_refused_is_refused_each_time(args):
    allow = fresh()
    for data in (DTYPE + args + b"R.", DTYPE + args + b"R0cnumpy\ndtype\n" + args + b"R.") * 2:
        rules = {issue.rule for issue in analyse(BytesSource(data), allow).issues}
        assert "pickle:arguments" in rules


def test_the_same_text_at_another_place_is_known_and_another_text_is_not():
    allow = fresh()
    for text, known in ((b"f8", 1), (b"f8", 1), (b"i4", 2), (b"O8", 3)):
        for filling in (b"", b"N0", b"NN00"):
            data = b"\x80\x04" + filling + b"cnumpy\ndtype\n(X\x02\0\0\0" + text + b"I00\nI01\ntR."
            assert analyse(BytesSource(data), allow).issues == ()
            assert len(allow.calls) == known


def test_what_is_constant():
    listed = Global("numpy", "ndarray", LISTED, ("numpy", "ndarray"))
    foreign = Global("os", "system", None, ("os", "system"))
    assert constants((NONE, BYTES, DICT, -1, listed, listed.made, (), (-1, NONE)))
    assert not constants(((0,),))
    kept = Made(listed, ())
    kept.kept = True
    for value in (0, 17, "text", foreign, foreign.made, kept, Dict()):
        assert not constant(value)
        assert not constants((NONE, value))
        assert not constants(((NONE, value),))
