from __future__ import annotations

import os
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from lockflight.core.attest.check import PPM, Grain, Status, Subject
from lockflight.core.release.release import Asset, make_release
from lockflight.core.words import Kind, Role, Tier
from lockflight.engine import local
from lockflight.engine.local import CheckJob, map_checks
from lockflight.engine.wire import subject_from_json, subject_to_json
from lockflight.errors import EnvironmentProblem
from lockflight.infra.proc import MIB, Limits

HERE = str(Path(__file__).parent)


def asset(name, data, role=Role.MODEL_WEIGHTS):
    return Asset(name, role, len(data), f"{len(data):064x}", "0" * 64)


@pytest.fixture
def job(tmp_path):
    """Makes jobs over files with the given contents, and closes their descriptors."""
    with ExitStack() as stack:

        def make(check, *contents, grain=Grain.ASSET, release=None, **options):
            assets, descriptors = [], {}
            for i, data in enumerate(contents):
                path = tmp_path / f"{len(list(tmp_path.iterdir()))}.bin"
                path.write_bytes(data)
                fd = os.open(path, os.O_RDONLY)
                stack.callback(os.close, fd)
                assets.append(asset(f"f{i}.bin", data))
                descriptors[f"f{i}.bin"] = fd
            subject = Subject(grain, assets[0].name, "a" * 64, tuple(assets), release)
            return CheckJob("made-up", f"hostile_checks:{check}", subject, descriptors, **options)

        yield make


def start(jobs, **options):
    return [r.result for r in map_checks(jobs, import_paths=[HERE], **options)]


def test_a_check_reads_the_descriptors_and_its_findings_come_back(job):
    [result] = start([job("Good", b"abcdef", b"gh")])
    assert (result.status, result.reason, result.coverage_ppm) == (Status.COMPLETE, "", PPM)
    assert [f.message for f in result.findings] == ["8 bytes, b'abcd'"]
    assert result.tool.version == "7"


def test_descriptors_keep_their_position(job):
    one = job("Good", b"abcdef")
    fd = one.descriptors["f0.bin"]
    os.lseek(fd, 3, os.SEEK_SET)
    [result] = start([one])
    assert result.findings[0].message == "6 bytes, b'abcd'"
    assert os.lseek(fd, 0, os.SEEK_CUR) == 3


def test_every_way_to_read(job):
    [result] = start([job("Windows", b"abcdef")])
    assert result.findings[0].message == repr([b"cde", b"", b"f", b"refused"])


def test_a_file_that_became_shorter_is_not_judged(job, tmp_path):
    one = job("Good", b"abcdef")
    next(tmp_path.iterdir()).write_bytes(b"abc")
    [result] = start([one])
    assert (result.status, result.reason) == (Status.INCOMPLETE, "InvalidInput LF1003")


def test_results_come_in_the_order_of_the_jobs_and_progress_counts(job):
    jobs = [job("Good" if i % 3 else "ByContent", b"x" * i) for i in range(12)]
    seen = []
    found = list(
        map_checks(
            jobs,
            workers=3,
            import_paths=[HERE],
            on_progress=lambda d, t, j: seen.append((d, t, jobs.index(j))),
        )
    )
    assert [f.job for f in found] == jobs
    assert all(f.result.status is Status.COMPLETE for f in found)
    assert [(d, t) for d, t, _ in seen] == [(i, 12) for i in range(1, 13)]
    assert sorted(i for *_, i in seen) == list(range(12))


def test_jobs_of_one_check_share_a_child_and_checks_do_not(job):
    jobs = [job("Good", b"1"), job("ByContent", b"2"), job("Good", b"3"), job("ByContent", b"4")]
    pids = [r.summary["pid"] for r in start(jobs, workers=1)]
    assert pids[0] == pids[2]
    assert pids[1] == pids[3]
    assert pids[0] != pids[1]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"kill", "killed by SIGKILL"),
        (b"spin", "over its CPU budget of 1 s"),
        (b"wait", "over its time budget of 9 s"),
        (b"eat", "over its memory budget of 1024 MiB"),
        (b"raise", "ValueError"),
        (b"house", "InvalidInput LF1003"),
        (b"exit", "SystemExit"),
    ],
)
def test_a_check_that_does_not_finish_is_incomplete_and_the_rest_goes_on(job, content, reason):
    jobs = [job("ByContent", b"fine"), job("ByContent", content), job("ByContent", b"fine too")]
    limits = Limits(cpu_s=1, memory_bytes=1024 * MIB, wall_s=9.0 if content == b"wait" else 120.0)
    before, hit, after = start(jobs, workers=1, limits=limits)
    assert (hit.status, hit.reason, hit.findings, hit.coverage_ppm) == (Status.INCOMPLETE, reason, (), 0)
    assert before.status is after.status is Status.COMPLETE


def test_stdout_of_a_check_is_no_result(job):
    [result] = start([job("ByContent", b"print")])
    assert result.tool.name == "lockflight-made-up"


def test_a_check_sees_only_its_subject(job):
    [result] = start([job("Outside", b"x")])
    assert (result.status, result.reason) == (Status.INCOMPLETE, "InternalError LF4402")


def test_a_missing_tool_is_incomplete_evidence_with_the_command(job):
    missing, there, bare = start(
        [
            job("NeedsTool", b"x"),
            job("NeedsTool", b"x", tools={"bandit": "/opt/bandit"}),
            job("Unreachable", b"x"),
        ]
    )
    assert missing.status is Status.INCOMPLETE
    assert missing.reason == "LF5010 The tool bandit is not installed. Next: lockflight tools install bandit"
    assert (there.status, there.reason) == (Status.COMPLETE, "")
    assert bare.reason == "LF5010 The tool x is missing."


@pytest.mark.parametrize(
    ("check", "reason"),
    [
        ("Liar", "it returned something that is no result (LF0901)"),
        ("Floats", "TypeError"),
        ("Broken", "RuntimeError"),
        ("Missing", "AttributeError"),
    ],
)
def test_what_is_no_result_is_incomplete(job, check, reason):
    [result] = start([job(check, b"x")])
    assert (result.status, result.reason) == (Status.INCOMPLETE, reason)


def test_a_missing_module_is_incomplete(job):
    one = job("Good", b"x")
    gone = CheckJob("made-up", "no_such_module:Check", one.subject, one.descriptors)
    [result] = start([gone])
    assert result.reason == "ModuleNotFoundError"


def test_a_missing_descriptor_is_incomplete(job):
    one = job("Good", b"x")
    [result] = start([CheckJob("made-up", one.target, one.subject, {})])
    assert (result.status, result.reason) == (Status.INCOMPLETE, "KeyError: an asset's descriptor is missing")


def test_grain_release_sees_the_whole_release(job):
    release = make_release(
        name="r",
        version="1",
        kind=Kind.MODEL,
        tier=Tier.MINIMAL,
        assets=[asset("lockflight.toml", b"toml", Role.RELEASE_MANIFEST), asset("f0.bin", b"data")],
    )
    [result] = start([job("Whole", b"data", grain=Grain.RELEASE, release=release)])
    assert (result.summary["assets"], result.summary["bytes"]) == (2, 4)


def test_a_subject_survives_the_wire():
    release = make_release(
        name="u",
        version="1",
        kind=Kind.MODEL,
        tier=Tier.MINIMAL,
        assets=[asset("lockflight.toml", b"toml", Role.RELEASE_MANIFEST), asset("d.bin", b"data")],
    )
    for subject in (
        Subject(Grain.RELEASE, "u", release.digest, release.assets, release),
        Subject(Grain.VIEW, "software", "b" * 64, release.assets[:1]),
    ):
        again = subject_from_json(subject_to_json(subject))
        assert again == subject
        assert again.release is None or again.release.digest == release.digest


def test_nothing_to_do_starts_nothing():
    assert start([]) == []


def test_children_wait_for_the_next_call(job):
    with local.Idle() as idle:
        pids = [start([job("Good", b"x")], workers=1, idle=idle)[0].summary["pid"] for _ in range(3)]
        # Who leaves early ends its child, which does not come back.
        results = map_checks(
            [job("Good", b"x"), job("Good", b"y")], workers=1, import_paths=[HERE], idle=idle
        )
        assert next(results).result.summary["pid"] == pids[0]
        results.close()
        [after] = start([job("Good", b"x")], workers=1, idle=idle)
        assert after.status is Status.COMPLETE
    assert len(set(pids)) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_leaving_early_leaves_no_child(job):
    jobs = [job("ByContent", b"fine"), job("Good", b"fine"), *(job("ByContent", b"wait") for _ in range(3))]
    results = map_checks(jobs, workers=2, import_paths=[HERE])
    assert next(results).result.status is Status.COMPLETE
    results.close()


def test_without_an_interpreter_the_caller_hears_it(job, monkeypatch):
    monkeypatch.setattr("sys.executable", "")
    with pytest.raises(EnvironmentProblem) as caught:
        start([job("Good", b"x"), job("Good", b"y")])
    assert caught.value.code == "LF5050"


def test_incomplete_says_which_check():
    result = local.incomplete("models", "why")
    assert (result.tool.name, result.reason, result.status) == ("lockflight-models", "why", Status.INCOMPLETE)


def test_the_cache_is_all_that_a_check_knows_of_its_user(job, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    assert local.cache_folder() == tmp_path / "person" / ".cache" / "lockflight"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("SIGNING_KEY", "hunter2")
    [result] = start([job("Surroundings", b"x")])
    assert f"'XDG_CACHE_HOME': '{tmp_path}/cache/lockflight'" in result.findings[0].message
    assert "person" not in result.findings[0].message
    assert "hunter2" not in result.findings[0].message
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert local.cache_folder() == tmp_path / "person" / ".cache" / "lockflight"


@pytest.mark.parametrize("pause", [0, 0.002, 0.01, 0.03, 0.1, 0.2])
def test_leaving_at_any_moment_ends_at_once(job, pause):
    """Also while a child is about to start: one that began after the others were killed would run out its time."""
    jobs = [job("Good", b"fine"), *(job("ByContent", b"wait") for _ in range(3))]
    results = map_checks(jobs, workers=3, import_paths=[HERE])
    thread = threading.Thread(target=lambda: next(results, None), daemon=True)
    thread.start()
    thread.join(timeout=60)
    time.sleep(pause)
    results.close()
