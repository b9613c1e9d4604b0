"""`check` when a part of it is missing, stopped or wrong: which exit code, and what is named."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from lockflight.engine import local
from lockflight.engine.local import map_checks
from lockflight.infra.proc import MIB, Limits
from lockflight.policy import bundle
from lockflight.policy.engines import regorus

TESTS = Path(__file__).resolve().parents[1]
LIMITS = {
    "wait": Limits(cpu_s=60, memory_bytes=1024 * MIB, wall_s=2.0, output_bytes=MIB),
    "": Limits(cpu_s=1, memory_bytes=1024 * MIB, wall_s=300.0, output_bytes=MIB),
}
STOPPED = {
    "kill": "killed by SIGKILL",
    "spin": "over its CPU budget of 1 s",
    "wait": "over its time budget of 2 s",
    "eat": "over its memory budget of 1024 MiB",
}


@pytest.fixture
def hostile(monkeypatch):
    """The check `models` does what the file says, under small budgets; all others are as they are."""

    def run_jobs(jobs, **options):
        for job in jobs:
            name = Path(job.subject.name).stem
            if job.check == "models" and name in STOPPED:
                bad = replace(job, target="hostile_checks:ByContent")
                limits = LIMITS.get(name, LIMITS[""])
                yield from map_checks([bad], limits=limits, import_paths=[str(TESTS / "engine")])
            else:
                yield from map_checks([job], **options)

    monkeypatch.setattr(local, "map_checks", run_jobs)


def test_a_check_that_is_stopped_is_missing_evidence(world, hostile):
    manifest = world.work / "lockflight.toml"
    manifest.write_text(manifest.read_text().replace("1.0.0", "2.0.0"))
    for word in STOPPED:
        (world.work / "model" / f"{word}.safetensors").write_text(word)
    done = world.run("check work --env development --as alice")
    assert done.code == 11, done.err
    assert "error LF4551" in done.err
    for word, reason in STOPPED.items():
        [line] = [x for x in done.out.splitlines() if f"model/{word}.safetensors: incomplete, " in x]
        assert reason in line


def test_without_its_engine_the_gate_does_not_judge(world, monkeypatch):
    monkeypatch.setattr(regorus, "installed_version", lambda name: None)
    done = world.run("check work --env development --as alice --json")
    assert done.code == 4
    error = done.json()["error"]
    assert (error["code"], error["hint"]) == ("LF4001", f"python3 -m pip install {regorus.DISTRIBUTION}")


@pytest.fixture
def policy(world):
    """A copy of the shipped policy, to be broken."""
    folder = world.folder / "policy"
    shutil.copytree(Path(bundle.__file__).parent / "packs" / "baseline", folder)
    return folder


def add(policy, text):
    path = policy / "policy" / "release.rego"
    path.write_text(path.read_text() + text)


LETTERS = 'letters := split("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x,y,z", ",")\n'
EACH = "; ".join(f"some {name} in letters" for name in "abcdef")
EMPTY = '{"term": "x", "value": count(much), "threshold": 0, "evidence": []}'
USED = f'results contains lib.passed("LF4100", {EMPTY}, "x") if count(much) >= 0\n'


@pytest.mark.parametrize(
    ("head", "limits", "code", "said"),
    [
        (
            f'much := [1 | {EACH}; concat("", [a, b, c, d, e, f]) == "nothing"]\n',
            Limits(cpu_s=2, memory_bytes=1024 * MIB, wall_s=30.0, output_bytes=MIB),
            "LF4012",
            "over its CPU budget of 2 s",
        ),
        (
            f'much := [concat("", [a, b, c, d, e, f]) | {EACH}]\n',
            Limits(cpu_s=60, memory_bytes=256 * MIB, wall_s=120.0, output_bytes=MIB),
            "LF4013",
            "over its memory budget of 256 MiB",
        ),
    ],
    ids=["time", "memory"],
)
def test_a_policy_over_its_budget_is_a_no(world, policy, monkeypatch, head, limits, code, said):
    monkeypatch.setattr(regorus.RegorusEngine.__init__, "__defaults__", (limits,))
    add(policy, "\n" + LETTERS + head + USED)
    done = world.run("check work --env development --as alice --policy policy")
    assert done.code == 10, done.out + done.err
    assert f"error {code}" in done.err
    assert said in done.err
    assert "data.lockflight.gate.decision" in done.err
    assert "next: lockflight policy test policy\n" in done.err


@pytest.mark.parametrize(
    ("shape", "verb"), [('"yes"', "test"), ("true", "test"), ('{"allow": "yes"}', "lint"), ("{}", "lint")]
)
def test_a_decision_of_another_shape_is_a_no(world, policy, shape, verb):
    gate = policy / "policy" / "gate.rego"
    old = gate.read_text()
    gate.write_text(old.replace("decision := {", "unused := {") + f"\ndecision := {shape}\n")
    assert old != gate.read_text()
    done = world.run("check work --env development --as alice --policy policy")
    assert done.code == 10, done.out + done.err
    assert "error LF4011" in done.err
    assert f"next: lockflight policy {verb} policy\n" in done.err
