"""Which engines judge where, as `check` and `decide` see it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from lockflight.app.gate.judge import Gate
from lockflight.errors import EnvironmentProblem
from lockflight.policy.bundle import baseline
from lockflight.policy.engines import opa
from lockflight.policy.engines.mode import Mode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockflight.app.realm.realm import Realm

DUAL = {"development": Mode.ANY, "production": Mode.DUAL}


def names(engines: tuple[Mapping[str, str], ...]) -> list[str]:
    return [engine["name"] for engine in engines]


@pytest.fixture
def without_opa(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lockflight.policy.engines.opa.installed", lambda: False)
    monkeypatch.setattr("lockflight.policy.engines.opaprogram.find_program", lambda: None)


@pytest.mark.skipif(not opa.installed(), reason="OPA as a library is not installed here")
def test_both_engines_judge_where_people_are_served(realm: Realm) -> None:
    gate = Gate(realm)
    assert names(gate.policy("development").engines) == ["regorus"]
    assert names(gate.policy("staging").engines) == ["regorus", "opa"]
    assert gate.policy("staging") is gate.policy("production")
    assert gate.policy("development") is not gate.policy("production")


@pytest.mark.usefixtures("without_opa")
def test_one_engine_judges_where_there_is_no_other(realm: Realm) -> None:
    assert names(Gate(realm).policy("production").engines) == ["regorus"]


@pytest.mark.usefixtures("without_opa")
def test_a_policy_that_demands_both_is_not_asked_with_one(realm: Realm) -> None:
    gate = Gate(realm, dataclasses.replace(baseline(), engines=DUAL))
    assert names(gate.policy("development").engines) == ["regorus"]
    with pytest.raises(EnvironmentProblem) as caught:
        gate.policy("production")
    assert (caught.value.code, caught.value.exit_code) == ("LF4021", 4)
