"""What `policy show` says is what the bundle holds."""

from __future__ import annotations

import shutil

import pytest

from lockflight.app.policy.inspect import bundle_of, demands, rules
from lockflight.app.policy.inspect import test as run_tests
from lockflight.core.gate.gate import required
from lockflight.errors import EnvironmentProblem, NotFound


def test_rules_of_the_baseline():
    found = rules(bundle_of(None))
    assert [r.code for r in found] == sorted(r.code for r in found)
    assert {r.code for r in found if r.demanded} == set(bundle_of(None).required_rules)
    assert all(r.title and r.solution and r.effect in {"deny", "warn"} for r in found)


@pytest.mark.parametrize("environment", ["development", "staging", "production"])
def test_demands_are_those_of_the_gate(environment):
    bundle = bundle_of(None)
    listed = {d.check: d.max_age_s for d in demands(bundle) if d.environment == environment}
    assert listed == required(bundle.data, environment, "classifier", "minimal")


def test_environments_come_in_the_order_of_promotion():
    order = list(dict.fromkeys(d.environment for d in demands(bundle_of(None))))
    assert order == ["development", "staging", "production", "intake"]


def test_the_baseline_passes_its_own_tests():
    done = run_tests(bundle_of(None)).tests
    assert [t for t in done if not t.passed] == []
    assert any(t.name.startswith("bite:") for t in done)


def test_a_rule_that_does_not_bite_fails(tmp_path):
    from lockflight.policy import bundle

    shutil.copytree(bundle.__file__.replace("bundle.py", "packs/baseline"), tmp_path / "pack")
    (tmp_path / "pack" / "bite" / "LF4108.json").write_text("[]")
    failed = [t.name for t in run_tests(bundle_of(tmp_path / "pack")).tests if t.passed is False]
    assert failed == ["bite:LF4108"]


def test_no_bundle(tmp_path):
    with pytest.raises(NotFound):
        bundle_of(tmp_path / "nowhere")
    with pytest.raises(EnvironmentProblem):
        bundle_of(tmp_path)
