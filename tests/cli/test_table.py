"""The command table: complete, true, and in plain words."""

from __future__ import annotations

import importlib

import pytest

from lockflight.cli.sections import SECTIONS
from lockflight.cli.table import AS_OF, COMMANDS, EXAMPLES, EXIT_CODES
from tests.cli.runner import every_command


def test_every_command_is_in_one_section():
    listed = [name for _, names in SECTIONS for name in names]
    assert sorted(listed) == sorted(COMMANDS)


@pytest.mark.parametrize("name", sorted(every_command()))
def test_every_target_is_there(name):
    target, summary, exits = every_command()[name]
    room, verb = target.split(":")
    module = importlib.import_module(f"lockflight.cli.{room}")
    assert callable(getattr(module, f"{verb}_arguments"))
    assert callable(getattr(module, "import_" if verb == "import" else verb))
    assert summary[0].islower() or summary.startswith("JSON")
    assert not summary.endswith(".")
    assert {0, 2} <= set(exits) <= {code for code, _ in EXIT_CODES}
    assert list(exits) == sorted(exits)
    assert 1 not in exits


def test_commands_that_take_a_time_exist():
    assert set(every_command()) >= AS_OF


def test_examples_are_commands():
    for command, _ in EXAMPLES:
        assert command.split()[:1] == ["lockflight"]
        assert command.split()[1] in COMMANDS


def test_no_module_is_without_a_command():
    used = {target.split(":")[0] for target, _, _ in every_command().values()}
    assert used >= {
        "gate.check",
        "release.scan",
        "house.realm",
        "log.evidence",
        "policy.policy",
        "house.demo",
    }
