from __future__ import annotations

from lockflight.policy.bundle import baseline, read_bundle
from lockflight.policy.gate import PolicyGate
from lockflight.policy.testing import run_tests
from tests.policy.small import TEST, small_bundle


def results(engine, files):
    bundle = read_bundle(files)
    return {t.name: t for t in run_tests(bundle, PolicyGate(bundle, engine), engine)}


def test_the_shipped_pack_passes_its_own_tests(engine, gate):
    found = run_tests(baseline(), gate, engine)
    assert [t for t in found if t.passed is not True] == []
    assert sum(t.name.startswith("data.lockflight.") for t in found) >= 4


def test_bites_and_rego_tests_run(engine):
    found = results(engine, small_bundle())
    assert {name: t.passed for name, t in found.items()} == {
        "bite:XX0001": True,
        "bite:base": True,
        "data.small_test.test_short_names_pass": True,
        "data.small_test.test_long_names_fail": True,
        "data.small_test.todo_test_later": None,
    }


def test_a_failing_test_fails(engine):
    more = TEST + '\ntest_wrong if 1 == 2\n\ntest_number := 3\n\ntest_error if to_number("a")\n'
    found = results(engine, small_bundle() | {"policy/small_test.rego": more.encode()})
    wrong = {n.rsplit(".", 1)[1]: t.detail for n, t in found.items() if t.passed is False}
    assert set(wrong) == {"test_wrong", "test_number", "test_error"}
    assert wrong["test_number"] == "it is 3, not true"
    assert wrong["test_wrong"].startswith("LF4010")
    assert wrong["test_error"].startswith("LF4015")
    assert found["data.small_test.test_short_names_pass"].passed
