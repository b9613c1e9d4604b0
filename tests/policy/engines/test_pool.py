from __future__ import annotations

import pytest

from lockflight.errors import EnvironmentProblem
from lockflight.policy.bundle import baseline
from lockflight.policy.engines.mode import Mode, mode_for, parse_modes
from lockflight.policy.engines.pool import Engines
from lockflight.policy.shipped import pack


@pytest.fixture
def engines():
    engines = Engines()
    yield engines
    engines.close()


@pytest.fixture
def without_opa(monkeypatch):
    monkeypatch.setattr("lockflight.policy.engines.opa.installed", lambda: False)
    monkeypatch.setattr("lockflight.policy.engines.opaprogram.find_program", lambda: None)


def names(engine):
    return [identity["name"] for identity in engine.identities]


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [(Mode.ANY, ["regorus"]), (Mode.DUAL_WHERE_PRESENT, ["regorus", "opa"]), (Mode.DUAL, ["regorus", "opa"])],
)
def test_where_opa_is_present(engines, opa, mode, wanted):
    assert names(engines.for_mode(mode)) == wanted
    assert engines.for_mode(mode) is engines.for_mode(mode)
    assert [names(engine) for engine in engines.installed] == [["regorus"], ["opa"]]


@pytest.mark.usefixtures("without_opa")
def test_where_it_is_not(engines):
    assert names(engines.for_mode(Mode.ANY)) == ["regorus"]
    assert names(engines.for_mode(Mode.DUAL_WHERE_PRESENT)) == ["regorus"]
    assert [names(engine) for engine in engines.installed] == [["regorus"]]
    with pytest.raises(EnvironmentProblem) as caught:
        engines.for_mode(Mode.DUAL)
    assert (caught.value.code, caught.value.exit_code) == ("LF4021", 4)
    assert "opa-golib-python-bindings" in caught.value.hint


def test_nothing_starts_before_it_is_needed(engines, opa):
    engines.for_mode(Mode.DUAL)
    assert engines.regorus._worker._process is None
    assert engines.opa._worker._process is None
    engines.close()


def test_the_program_is_taken_where_there_is_no_library(engines, monkeypatch, tmp_path):
    program = tmp_path / "opa"
    program.write_text("#!/bin/sh\necho Version: 9.8.7\n")
    program.chmod(0o755)
    monkeypatch.setattr("lockflight.policy.engines.opa.installed", lambda: False)
    monkeypatch.setenv("PATH", f"relative:{tmp_path}")
    (one, two) = engines.for_mode(Mode.DUAL_WHERE_PRESENT).identities
    assert (one["name"], two["name"], two["version"]) == ("regorus", "opa", "9.8.7")
    # A decision is a public record: it tells the program by its digest, not by a folder of whoever decided.
    assert str(tmp_path) not in str(two)


def test_the_shipped_pack_wants_both_where_people_are_served():
    modes = {e: baseline().mode(e) for e in ("development", "staging", "production", "eu-production")}
    assert modes == {
        "development": Mode.ANY,
        "staging": Mode.DUAL_WHERE_PRESENT,
        "production": Mode.DUAL_WHERE_PRESENT,
        "eu-production": Mode.DUAL_WHERE_PRESENT,
    }


@pytest.mark.parametrize("environment", ["development", "staging", "production", "eu-production", "intake"])
def test_the_strict_pack_wants_both_everywhere(environment):
    assert pack("strict").mode(environment) is Mode.DUAL


@pytest.mark.parametrize(
    ("modes", "wanted"),
    [
        ({}, Mode.ANY),
        ({"a": "any"}, Mode.ANY),
        ({"a": "any", "b": "dual"}, Mode.DUAL),
        ({"a": "dual-where-present", "b": "any"}, Mode.DUAL_WHERE_PRESENT),
        ({"a": "dual", "*": "any"}, Mode.ANY),
        ({"new": "any", "b": "dual"}, Mode.ANY),
    ],
)
def test_an_environment_that_is_not_named_gets_the_strictest(modes, wanted):
    assert mode_for(parse_modes(modes), "new") is wanted


@pytest.mark.parametrize("raw", [[], "dual", {"a": "both"}, {"a": 2}, {"a": True}])
def test_other_modes_do_not_read(raw):
    with pytest.raises((TypeError, ValueError)):
        parse_modes(raw)
