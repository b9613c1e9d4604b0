from __future__ import annotations

import pickletools

from lockflight.formats.pickle.effects import EFFECTS
from lockflight.formats.pickle.opcodes import BY_NAME, OPCODES


def test_the_table_is_that_of_cpython():
    assert {(op.name, op.code) for op in OPCODES} == {(op.name, ord(op.code)) for op in pickletools.opcodes}
    assert len(OPCODES) == len(BY_NAME) == 68


def test_arguments_are_as_long_as_cpythons():
    widths = {"uint1": 1, "uint2": 2, "int4": 4, "uint4": 4, "uint8": 8, "float8": 8}
    for op in pickletools.opcodes:
        ours = BY_NAME[op.name]
        if op.arg is None:
            assert ours.argument == "none", op.name
        elif op.arg.name in widths:
            assert (ours.argument, ours.width) == ("fixed", widths[op.arg.name]), op.name
        else:
            assert ours.argument in {"line", "lines", "counted"}, op.name


def test_effects_are_of_opcodes_that_exist():
    assert set(EFFECTS) <= {op.code for op in OPCODES}
