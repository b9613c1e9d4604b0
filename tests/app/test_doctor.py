"""`doctor` names what is broken and what mends it."""

from __future__ import annotations

import pytest

from lockflight.app.doctor import Health, doctor
from lockflight.app.realm import clock
from lockflight.errors import EnvironmentProblem

PARTS = [
    "python",
    "settings",
    "home",
    "realms",
    "policy",
    "policy on opa",
    "checks",
    "tool bandit",
    "network",
]


def parts(home, **changes):
    options = {"settings": lambda: False, "now": clock.now()} | changes
    return {part.name: part for part in doctor(home, **options)}


def test_a_new_home(tmp_path):
    found = parts(tmp_path / "home")
    assert list(found) == PARTS
    assert {p.health for p in found.values()} == {Health.OK, Health.NOTE}
    assert found["home"].said.endswith("will be made on first use")
    assert found["tool bandit"].fix == "lockflight tools install bandit"
    assert found["network"].said == "allowed"


def test_offline(tmp_path):
    assert parts(tmp_path, settings=lambda: True)["network"].said == "offline: no socket is opened"


def test_without_opa_one_engine_judges(home, monkeypatch):
    monkeypatch.setattr("lockflight.policy.engines.opa.installed", lambda: False)
    monkeypatch.setattr("lockflight.policy.engines.opaprogram.find_program", lambda: None)
    part = parts(home)["policy on opa"]
    assert (part.health, part.code) == (Health.NOTE, "LF4021")
    assert "opa-golib-python-bindings" in part.fix


def test_a_sound_realm(realm):
    part = parts(realm.home)["realm acme"]
    assert part.health is Health.OK
    assert part.said.startswith("team, 3 entries verified, newest 2")


def test_a_clock_behind_the_log(realm):
    part = parts(realm.home, now=realm.view.timestamp - 301)["realm acme"]
    assert (part.health, part.code) == (Health.FAULT, "LF5032")
    assert parts(realm.home, now=realm.view.timestamp - 299)["realm acme"].health is Health.OK


def test_a_realm_that_does_not_verify(realm):
    (realm.home / "trust.toml").unlink()
    part = parts(realm.home)["realm acme"]
    assert (part.health, part.code) == (Health.FAULT, "LF5042")
    assert part.fix


def test_a_key_that_others_can_read(realm):
    path = realm.folder / "keys" / "gate.pem"
    path.chmod(0o644)
    part = parts(realm.home)["keys"]
    assert (part.health, part.fix) == (Health.FAULT, f"chmod 600 {path}")


def test_a_home_that_others_can_write(home):
    home.chmod(0o777)
    part = parts(home)["home"]
    assert (part.health, part.fix) == (Health.FAULT, f"chmod 700 {home}")


def test_a_home_that_is_a_file(tmp_path):
    (tmp_path / "home").touch()
    assert parts(tmp_path / "home")["home"].health is Health.FAULT


def test_settings_that_cannot_be_trusted(home):
    def refuse():
        raise EnvironmentProblem("LF5040", "config.toml may be written by other users.", hint="chmod 600 it")

    found = parts(home, settings=refuse)
    assert (found["settings"].code, found["settings"].fix) == ("LF5040", "chmod 600 it")
    assert "policy" in found


@pytest.mark.parametrize("name", ["policy", "check models"])
def test_a_part_that_does_not_load(home, monkeypatch, name):
    def refuse(*_):
        raise EnvironmentProblem("LF4001", "It is not installed.", hint="pip install it")

    if name == "policy":
        monkeypatch.setattr("lockflight.policy.gate.PolicyGate.prove", refuse)
    else:
        monkeypatch.setitem(
            __import__("lockflight.scan.table", fromlist=["CHECKS"]).CHECKS, "models", "no.module:X"
        )
    assert parts(home)[name].health is Health.FAULT
