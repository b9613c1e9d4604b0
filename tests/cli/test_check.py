"""`check`: what it asks for, and how it ends."""

from __future__ import annotations

import argparse
from dataclasses import replace

import pytest

from lockflight.app.gate import check as use_case
from lockflight.app.gate.check import CheckOutcome, Ran
from lockflight.app.gate.judge import Judgement
from lockflight.cli.gate import check as command
from lockflight.cli.lines.checkjson import judgement_json
from lockflight.cli.lines.rules import command_for, duration
from lockflight.cli.lines.verdict import outcome_lines
from lockflight.cli.style import Style
from lockflight.core.attest.check import CheckResult, Status, Tool
from lockflight.core.facts.admit import Admission, Obstacle
from lockflight.core.facts.holding import Holding
from lockflight.core.findings import Finding, Location, Severity
from lockflight.core.gate.gate import Decision, PolicyRef
from lockflight.core.gate.ruling import RuleResult, Violation, Waived
from tests import factories
from tests.cli.runner import run

POLICY = PolicyRef("baseline", "1", "d" * 64, frozenset())


def violation(code="LF4110", term="models"):
    return Violation(
        code, "models-safe", term, Severity.CRITICAL, 1, 0, "It is not.", "Mend it.", ("e" * 64,)
    )


def judgement(*violations, allow=None, rules=(), obstacles=(), waived=(), evidence=None):
    allowed = not violations if allow is None else allow
    decision = Decision(
        allow=allowed,
        violations=violations,
        warnings=(),
        waived=waived,
        rules=rules,
        basis="b" * 64,
        policy=POLICY,
        engines=(),
        input_digest="1" * 64,
        output_digest="2" * 64,
        environment="staging",
        release="r" * 64,
        name="bot",
        evaluated=(),
        skipped=(),
    )
    facts = {
        "evidence": evidence or {},
        "waivers": [],
        "project": "bot",
        "environment": "staging",
        "release": {"digest": "r" * 64, "assets": []},
    }
    return Judgement(
        facts,
        decision,
        Admission(allowed and not obstacles, obstacles, (), 1, "people"),
    )


def outcome(ran=(), **judgements):
    return CheckOutcome(
        release=factories.release(),
        realm="acme",
        rehearsal=False,
        guessed=False,
        planned=(),
        ran=ran,
        judgements=judgements,
        notices=(),
        skipped=(),
        names={"p-0123456789abcdef": "bob"},
    )


def ran(reason="", findings=()):
    status = Status.INCOMPLETE if reason else Status.COMPLETE
    return Ran(
        "bandit", "software", "view", CheckResult(status, Tool("t", "1"), reason=reason, findings=findings)
    )


INCOMPLETE = ran("LF5010 The tool bandit is not installed. Next: lockflight tools install bandit")
MISSING = violation("LF4102", "secrets")


@pytest.mark.parametrize(
    ("found", "code", "error"),
    [
        (outcome(staging=judgement()), 0, None),
        (outcome(staging=judgement(violation())), 10, "LF4550"),
        (outcome(staging=judgement(MISSING)), 11, "LF4551"),
        (outcome(development=judgement(), staging=judgement(violation())), 0, None),
        (outcome(development=judgement(MISSING), staging=judgement(violation())), 11, "LF4551"),
        (outcome((INCOMPLETE,), staging=judgement()), 11, "LF4552"),
        (outcome((INCOMPLETE,), staging=judgement(violation())), 10, "LF4550"),
        (outcome((ran(),), staging=judgement()), 0, None),
    ],
    ids=["allowed", "denied", "missing", "ladder", "both", "incomplete", "denied-incomplete", "complete"],
)
def test_the_worst_wins_and_a_ladder_is_its_first_step(found, code, error):
    assert command._exit_code(found, planned=False) == code
    given = command._error(found, "work", code)
    assert (given.code if given else None) == error


def test_a_check_that_did_not_finish_is_named_with_what_installs_its_tool():
    error = command._error(outcome((INCOMPLETE,), staging=judgement()), "work", 11)
    assert "bandit" in error.message
    assert "lockflight tools install bandit" in error.message
    assert error.hint == "lockflight tools install bandit && lockflight check work --only bandit"
    other = command._error(outcome((ran("LF4103 it crashed"),), staging=judgement()), "work", 11)
    assert other.hint == "lockflight check work --only bandit"


def test_a_check_that_did_not_run_found_nothing_out():
    text = lines(outcome((INCOMPLETE,), staging=judgement()))
    assert "bandit  1 subject, did not finish" in text
    assert "nothing found" not in text
    assert "2 subjects, 1 did not finish, nothing found in 1 subject" in lines(
        outcome((INCOMPLETE, ran()), staging=judgement())
    )
    assert "2 subjects, 2 did not finish" in lines(outcome((INCOMPLETE,) * 2, staging=judgement()))
    partly = lines(outcome((INCOMPLETE, ran(findings=(finding(1),))), staging=judgement()))
    assert "2 subjects, 1 finding, 1 did not finish" in partly


@pytest.mark.parametrize(
    ("check", "reason", "first"),
    [
        ("bandit", "LF5010 The tool bandit is not installed.", ["lockflight tools install bandit"]),
        ("bandit", "LF5016 Files are missing.", ["lockflight tools install bandit"]),
        ("secrets", "LF5018 It cannot be loaded.", ["pip install kingfisher-secret-scanner"]),
        ("data", "LF5022 pyarrow is not there.", ["pip install 'lockflight[data]'"]),
        ("bandit", "it crashed: LF5010", []),
        ("rm -rf", "LF5010 Next: rm -rf", []),
        ("secrets", "LF5010 lockflight tools install rm", []),
    ],
)
def test_what_comes_before_a_check_again_is_ours_to_say(check, reason, first):
    rows = {f"scan/{check}": [{"status": "incomplete", "reason": reason}]}
    again = "lockflight check work --env staging"
    said = command_for(violation("LF4103", check), "staging", "work", rows)
    assert said == " && ".join([*first, again])
    complete = {f"scan/{check}": [{"status": "complete", "reason": reason}]}
    assert command_for(violation("LF4103", check), "staging", "work", complete) == again


def test_a_release_that_is_in_waits_for_nobody():
    inside = Holding(0, 10_000, ("a" * 64,))
    waits = judgement(obstacles=(Obstacle("LF4506", "it needs 1 approver", "lockflight approve"),))
    text = lines(outcome(staging=replace(waits, held=inside)))
    assert "✓ staging holds it since 1970-01-01T00:00:00Z; its promotion used 1 approval" in text
    assert "LF4506" not in text
    assert "LF4506" in lines(outcome(staging=waits))
    said = judgement_json(replace(waits, held=inside))["admission"]
    assert (said["admitted"], said["obstacles"]) == (False, [])
    assert said["held"] == {
        "since": "1970-01-01T00:00:00Z",
        "exposure": 10_000,
        "approvals": ["a" * 64],
        "break_glass": None,
    }
    part = replace(waits, held=replace(inside, exposure=500, approvals=(), break_glass="b" * 64))
    assert "gives it 5% of the traffic since" in lines(outcome(staging=part))
    assert "its promotion used the break-glass bbbbbbbbbbbb" in lines(outcome(staging=part))
    revoked = judgement(obstacles=(Obstacle("LF4503", "it was revoked", "Promote another"),))
    assert "LF4503" in lines(outcome(staging=replace(revoked, held=inside)))
    ladder = lines(outcome(staging=replace(waits, held=inside), production=waits))
    assert "✓ staging     allowed  in since 1970-01-01T00:00:00Z" in ladder
    assert "next: lockflight check work --env production" in ladder


def test_a_plan_is_never_a_denial():
    assert command._exit_code(outcome(), planned=True) == 0


def lines(found, **options):
    given = {"planned": False, "verbose": False, "earlier": False} | options
    folder = given.pop("folder", "work")
    return "\n".join(outcome_lines(found, folder, Style(), **given))


def rule(term, *, passed=True, value=0, evidence=("e" * 64,)):
    return RuleResult("LF4110", "models-safe", term, passed, Severity.CRITICAL, value, 0, "msg", evidence)


def test_a_failed_rule_says_value_threshold_evidence_and_fix():
    found = lines(outcome(staging=judgement(violation(), rules=(rule("models", passed=False, value=1),))))
    assert (
        "✗ LF4110 models-safe models  1 (demanded: 0)  evidence eeeeeeeeeeee\n      It is not.\n      fix: Mend it."
        in found
    )


def test_what_passed_is_one_line_until_somebody_wants_all():
    rules = (rule("a", value=3), rule("b", value=7, evidence=("f" * 64,)))
    found = lines(outcome(staging=judgement(rules=rules)))
    assert "✓ 1 rule passed (--verbose shows them)" in found
    assert "LF4110" not in found
    found = lines(outcome(staging=judgement(rules=rules)), verbose=True)
    assert "✓ LF4110 models-safe a: msg\n      3 (demanded: 0)  evidence eeeeeeeeeeee\n" in found
    assert found.count("LF4110") == 2


def test_ages_are_told_in_units_of_people():
    aged = RuleResult(
        "LF4104", "fresh", "x", True, Severity.LOW, 90_000, 7_776_000, "It is at most 90000 seconds old."
    )
    found = lines(outcome(staging=judgement(rules=(aged,))), verbose=True)
    assert "It is at most 25 hours old." in found
    assert "25 hours (demanded: at most 90 days)" in found


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "1 second"), (119, "119 seconds"), (120, "2 minutes"), (7_200, "2 hours"), (172_800, "2 days")],
)
def test_durations(seconds, words):
    assert duration(seconds) == words


def test_a_violation_without_a_rule_is_told_all_the_same():
    found = lines(outcome(staging=judgement(violation("LF4017", "x"))))
    assert "✗ LF4017 models-safe x\n      It is not." in found


def facts(*findings, digest="e" * 64):
    return {"scan/models": [{"digest": digest, "findings": [f.to_json() for f in findings]}]}


def finding(number, severity=Severity.HIGH, code="LF2401"):
    return Finding(
        code,
        "r",
        severity,
        "app.py",
        f"Message {number}.",
        fix=f"Fix {number}.",
        location=Location(line=number),
    )


def test_findings_behind_a_failed_rule_are_shown_though_nothing_ran():
    held = facts(finding(2, Severity.LOW), finding(1))
    found = lines(outcome(staging=judgement(violation(), evidence=held)))
    assert (
        "      high     LF2401 app.py:1  Message 1.\n        fix: Fix 1.\n"
        "      low      LF2401 app.py:2  Message 2.\n        fix: Fix 2.\n" in found
    )


def test_findings_of_evidence_that_the_rule_did_not_read_are_not_behind_it():
    held = facts(finding(1), digest="a" * 64)
    assert "Message 1" not in lines(outcome(staging=judgement(violation(), evidence=held)))


def test_findings_behind_two_rules_are_shown_once_and_a_rule_shows_ten():
    held = facts(*(finding(n) for n in range(1, 13)))
    known = outcome(staging=judgement(violation("LF4105"), violation("LF4106"), evidence=held))
    found = lines(known)
    assert "and 2 more (--verbose)" in found
    assert found.count("Message 1.") == 1
    assert "Message 12." in lines(known, verbose=True)


def test_a_rule_that_counts_shows_as_many_of_the_worst_as_it_counted():
    held = facts(finding(1, Severity.LOW), finding(2, Severity.CRITICAL))
    found = lines(outcome(staging=judgement(violation("LF4106"), evidence=held)))
    assert "Message 2." in found
    assert "Message 1." not in found


def test_gaps_are_those_of_the_missing_roles():
    held = facts(finding(1, code="LF2543"), finding(2, code="LF2540"))
    found = lines(outcome(staging=judgement(violation("LF4107"), evidence=held)))
    assert "Message 2." in found
    assert "Message 1." not in found


def test_the_findings_are_in_the_json_too():
    body = judgement_json(judgement(violation(), evidence=facts(finding(1))))
    assert [(f["rule"], f["term"], f["findings"][0]["message"]) for f in body["findings"]] == [
        ("LF4110", "models", "Message 1.")
    ]


def test_after_a_denial_nobody_is_told_that_all_is_done():
    found = lines(outcome(staging=judgement(violation())))
    assert "The failed rules above remain" in found
    assert "Nothing is left" not in found


@pytest.mark.parametrize(
    ("code", "term", "command_line"),
    [
        ("LF4102", "models", "lockflight check 'my work' --env staging"),
        (
            "LF4114",
            "bandit",
            "lockflight tools install bandit && lockflight check 'my work' --only bandit",
        ),
        ("LF4114", "code", "lockflight check 'my work' --only code"),
        ("LF4113", "", "lockflight evidence list"),
    ],
)
def test_commands_can_be_typed_as_they_stand(code, term, command_line):
    found = lines(outcome(staging=judgement(violation(code, term))), folder="my work")
    assert f"      do: {command_line}\n" in found


def test_what_people_do_names_the_folder():
    sign = Obstacle("LF4502", "It is not signed.", "lockflight sign DIR --out PACKAGE")
    found = lines(outcome(staging=judgement(obstacles=(sign,))), folder="my work")
    assert "do: lockflight sign 'my work' --out PACKAGE" in found


def test_what_was_only_rehearsed_is_recorded_before_it_is_promoted():
    found = outcome(staging=judgement())
    assert "next: lockflight promote PACKAGE --to staging" in lines(found)
    rehearsal = lines(replace(found, rehearsal=True), folder="my work")
    assert "next: lockflight check 'my work' --env staging --record" in rehearsal
    assert "promote" not in rehearsal


def test_a_promotion_that_lacks_evidence_names_the_command_that_gives_it(world):
    manifest = world.work / "lockflight.toml"
    manifest.write_text(manifest.read_text().replace("1.0.0", "2.0.0"))
    world.ok("sign work --out package2 --as alice")
    done = world.run("promote package2 --to development --as alice --json")
    assert done.code == 11
    hint = done.json()["error"]["hint"]
    assert hint == "lockflight check package2 --env development --record"
    world.ok(hint.removeprefix("lockflight ") + " --as alice")
    world.ok("promote package2 --to development --as alice")


def test_a_ladder_has_one_next_line():
    found = outcome(development=judgement(violation()), staging=judgement())
    assert "next:" not in lines(found, failed=True)
    assert command._error(found, "my work", 10).hint == "lockflight check 'my work' --env development"
    allowed = outcome(development=judgement(), staging=judgement(violation()))
    assert lines(allowed).count("next: lockflight check work --env staging") == 1


def test_without_a_manifest_the_next_step_is_to_make_one():
    found = replace(outcome(development=judgement(violation()), staging=judgement()), guessed=True)
    assert command._error(found, "work", 10).hint == "lockflight init work --write"
    assert lines(found).count("lockflight init work --write") == 1


def test_a_waiver_is_shown():
    assert "LF4106 r code  waived by aaaaaaaaaaaa" in lines(
        outcome(staging=judgement(waived=(Waived("LF4106", "r", "code", "a" * 64),)))
    )


def test_people_are_called_by_their_names():
    obstacle = Obstacle("LF4509", "p-0123456789abcdef denied it.", "Ask.")
    assert "! LF4509 bob denied it." in lines(outcome(staging=judgement(obstacles=(obstacle,))))


def test_findings_are_shown_up_to_a_number():
    findings = tuple(
        Finding("LF2401", "r", Severity.MEDIUM, "app.py", f"Message {i}.", location=Location(line=i))
        for i in range(1, 21)
    )
    found = lines(outcome((ran(findings=findings),), staging=judgement()))
    assert "medium   LF2401 app.py:10  Message 10." in found
    assert "Message 11." not in found
    assert "and 10 more (--verbose)" in found


def test_hostile_words_do_not_reach_the_terminal():
    finding = Finding("LF2401", "r", Severity.LOW, "a\x1b[2J.py", "Evil\x07 \u202e text.")
    found = lines(outcome((ran("bad \x1b]0;x\x07", (finding,)),), staging=judgement()))
    assert "\x1b" not in found
    assert "\x07" not in found
    assert "\u202e" not in found


def options_of(monkeypatch, world_words, **environ):
    """The options that the use case is given."""
    seen = {}

    def spy(home, realm, folder, options, **rest):
        seen["options"] = options
        return outcome(staging=judgement())

    monkeypatch.setattr(use_case, "check", spy)
    done = run(world_words, **environ)
    assert done.code == 0, done.err
    return seen["options"]


@pytest.mark.parametrize(
    ("words", "environ", "record"),
    [
        ("", {}, False),
        ("--record", {}, True),
        ("", {"LOCKFLIGHT_RECORD": "1"}, True),
        ("", {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://x"}, True),
        ("--no-record", {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://x"}, False),
        ("", {"LOCKFLIGHT_RECORD": "0", "ACTIONS_ID_TOKEN_REQUEST_URL": "https://x"}, False),
        ("", {"CI": "true"}, False),
    ],
)
def test_when_evidence_is_recorded(home, tmp_path, monkeypatch, words, environ, record):
    assert options_of(monkeypatch, f"check {tmp_path} {words}", **environ).record is record


def test_options(home, tmp_path, monkeypatch):
    given = options_of(
        monkeypatch, f"check {tmp_path} --only a,b --env staging --workers 3 --no-run --as bob"
    )
    assert (given.only, given.environment, given.workers, given.run, given.actor) == (
        ("a", "b"),
        "staging",
        3,
        False,
        "bob",
    )
    assert options_of(monkeypatch, f"check {tmp_path}", LOCKFLIGHT_WORKERS="5").workers == 5


@pytest.mark.parametrize("workers", ["-1", "65", "many"])
def test_workers_are_a_sensible_number(home, tmp_path, workers):
    assert "LF01" in run(f"check {tmp_path} --workers={workers}").err
    assert run(f"check {tmp_path}", LOCKFLIGHT_WORKERS=workers).code == 2


def test_an_earlier_time_runs_and_records_nothing(world):
    size = len(world.ok("log show --all --json").json()["result"]["entries"])
    began = world.ok("log show --all --json").json()["result"]["entries"][0]["time"]
    done = world.run(f"check work --env development --as-of {began} --json")
    assert done.json()["as_of"] == began
    assert done.json()["result"]["ran"] == []
    assert len(world.ok("log show --all --json").json()["result"]["entries"]) == size


def test_status_at_an_earlier_time(world):
    entries = world.ok("log show --all --json").json()["result"]["entries"]
    before = world.ok(f"status --as-of {entries[0]['time']} --json").json()["result"]
    now = world.ok("status --json").json()["result"]
    assert before["checkpoint"]["size"] <= now["checkpoint"]["size"]
    assert [s["environment"] for s in now["slots"]] == ["development"]
    assert "as at" in world.ok(f"status --as-of {entries[-1]['time']}").err


def test_the_first_check_says_that_it_made_a_realm(tmp_path, home):
    (tmp_path / "a.csv").write_text("x\n1\n")
    done = run(f"check {tmp_path} --plan")
    assert done.code == 0
    assert "made your personal realm" in done.err
    assert "There is no lockflight.toml here" in done.out
    assert "made your personal realm" not in run(f"check {tmp_path} --plan").err


def test_the_arguments_are_cheap_to_make():
    parser = argparse.ArgumentParser()
    command.check_arguments(parser)
    assert parser.parse_args(["."]).record is None
