from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lockflight.errors import EnvironmentProblem
from lockflight.infra import proc
from lockflight.infra.proc import FailureKind, Limits, Worker, run

HERE = str(Path(__file__).parent)
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has this limit")


def start(function, request=b"", **options):
    return run(f"children:{function}", request, import_paths=[HERE], **options)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("request_", [b"", b"x", bytes(range(256)) * 40_000])
def test_bytes_go_there_and_back(request_):
    assert start("echo", request_).result == request_


def test_a_child_inherits_nothing_that_could_tell(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    seen = json.loads(start("facts").result)
    assert set(seen["environment"]) <= {
        "PATH",
        "LANG",
        "TZ",
        "LC_CTYPE",
        "LD_LIBRARY_PATH",
        "DYLD_LIBRARY_PATH",
    }
    assert (seen["cwd"], seen["isolated"], seen["leader"], seen["stdin"]) == ("/", 1, True, True)
    assert seen["pid"] != os.getpid()


def test_descriptors_arrive_in_order_and_do_not_pile_up(tmp_path):
    handles = []
    try:
        for i in range(450):
            path = tmp_path / str(i)
            path.write_bytes(b"%d" % i)
            handles.append(os.open(path, os.O_RDONLY))
        with Worker("children:read_fds", import_paths=[HERE]) as worker:
            expected = b"|".join(b"%d" % i for i in range(450))
            assert worker.call(b"", handles).result == expected
            assert worker.call(b"", handles[:2]).result == b"0|1"
    finally:
        for handle in handles:
            os.close(handle)


@LINUX
def test_descriptors_of_one_request_are_gone_in_the_next():
    with Worker("children:count_open", import_paths=[HERE]) as worker:
        first = worker.call(b"").result
        read, write = os.pipe()
        worker.call(b"", [read, write] * 20)
        os.close(read)
        os.close(write)
        assert worker.call(b"").result == first


def test_stdout_is_no_answer_and_is_cut():
    outcome = start("talk")
    assert outcome.result == b"answer"
    assert len(outcome.log) <= proc.LOG_BYTES
    assert outcome.log.endswith("last words\n")


@pytest.mark.parametrize(
    ("function", "limits", "kind", "words"),
    [
        ("spin", Limits(cpu_s=1), FailureKind.CPU, "over its CPU budget of 1 s"),
        ("wait", Limits(wall_s=1.5), FailureKind.TIMEOUT, "over its time budget of 1.5 s"),
        ("spin", Limits(wall_s=1.5), FailureKind.TIMEOUT, "over its time budget of 1.5 s"),
        ("eat", Limits(memory_bytes=512 * proc.MIB), FailureKind.MEMORY, "over its memory budget of 512 MiB"),
        (
            "eat_small",
            Limits(memory_bytes=512 * proc.MIB),
            FailureKind.MEMORY,
            "over its memory budget of 512 MiB",
        ),
        (
            "long_answer",
            Limits(output_bytes=1_999_999),
            FailureKind.OUTPUT,
            "over the budget of 1999999 bytes",
        ),
        ("segfault", Limits(), FailureKind.CRASHED, "killed by SIGSEGV"),
        ("leave", Limits(), FailureKind.CRASHED, "ended with status 3 and no answer"),
        ("flood_channel", Limits(), FailureKind.CRASHED, "something else wrote to the channel"),
        ("missing", Limits(), FailureKind.CRASHED, "AttributeError"),
        ("quit_politely", Limits(), FailureKind.CRASHED, "SystemExit"),
        ("end_while_answering", Limits(), FailureKind.CRASHED, "ended with status 1 and no answer"),
    ],
)
def test_what_goes_wrong_has_a_name(function, limits, kind, words):
    outcome = start(function, limits=limits)
    assert not outcome.ok
    assert outcome.kind is kind
    assert words in outcome.detail


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (signal.SIGKILL, FailureKind.KILLED, "killed by SIGKILL"),
        (signal.SIGTERM, FailureKind.KILLED, "killed by SIGTERM"),
        (signal.SIGABRT, FailureKind.CRASHED, "killed by SIGABRT"),
        (signal.SIGXCPU, FailureKind.CPU, "over its CPU budget of 60 s"),
        (signal.SIGALRM, FailureKind.TIMEOUT, "over its time budget of 120 s"),
    ],
)
def test_signals_have_names(number, kind, words):
    outcome = start("die", b"%d" % number)
    assert (outcome.kind, outcome.detail) == (kind, words)


def test_an_answer_at_the_budget_passes():
    assert len(start("long_answer", limits=Limits(output_bytes=2_000_000)).result) == 2_000_000


def test_words_of_foreign_exceptions_stay_in_the_child():
    outcome = start("stumble")
    assert (outcome.kind, outcome.detail) == (FailureKind.CRASHED, "ValueError")
    assert "hunter2" not in repr(outcome)


def test_errors_of_the_house_keep_their_code_and_hint():
    outcome = start("problem")
    assert outcome.detail == "EnvironmentProblem LF5010"
    assert outcome.error.message == "The tool x is missing."
    assert outcome.error.hint == "lockflight tools install x"


def test_no_connection_leaves_a_child():
    assert start("connect").error.type == "PermissionError"


@LINUX
@pytest.mark.enable_socket
def test_not_even_past_the_audit_hook():
    import socket

    probe = subprocess.run(["unshare", "-rn", "true"], check=False, capture_output=True)
    if probe.returncode:
        pytest.skip("this kernel gives no network namespace to this user")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = b"%d" % server.getsockname()[1]
        assert start("raw_connect", port).result == b"refused"
        assert start("raw_connect", port, network=True).result == b"connected"


def test_files_have_a_budget_too(tmp_path):
    target = tmp_path / "big"
    outcome = start("write_much", str(target).encode(), limits=Limits(file_bytes=3 * proc.MIB))
    assert outcome.error.type == "OSError"
    assert target.stat().st_size <= 3 * proc.MIB


def gone(pid):
    """Whether a process that was killed is gone, after a few turns of the scheduler."""
    for _ in range(100):
        if not alive(pid):
            return True
        subprocess.run(["/bin/true"], check=True)
    return False


@LINUX
def test_grandchildren_end_with_the_child():
    assert gone(int(start("leave_behind").result))


@LINUX
def test_programs_of_a_check_end_with_the_check(tmp_path):
    number = tmp_path / "pid"
    with Worker("children:start_program", import_paths=[HERE]) as worker:
        outcomes = []
        thread = threading.Thread(target=lambda: outcomes.append(worker.call(str(number).encode())))
        thread.start()
        while thread.is_alive() and not (number.exists() and number.read_text().strip()):
            thread.join(0.05)
        worker.kill()
        thread.join()
    assert outcomes[0].kind is FailureKind.KILLED
    assert gone(int(number.read_text()))


def test_a_child_that_died_while_idle_fails_no_request():
    with Worker("children:item", import_paths=[HERE]) as worker:
        first = worker.call(b"a").result
        worker.kill()
        worker._process.wait()
        second = worker.call(b"a")
    assert second.ok
    assert second.result != first


def test_a_worker_goes_on_in_a_new_child_after_a_death():
    with Worker("children:item", import_paths=[HERE]) as worker:
        answers = [worker.call(request) for request in (b"a", b"b", b"poison", b"c")]
    assert [a.ok for a in answers] == [True, True, False, True]
    assert answers[2].detail == "killed by SIGKILL"
    one, two, three = (answers[i].result.rsplit(b" ", 1)[1] for i in (0, 1, 3))
    assert one == two != three


def test_a_child_outlives_the_thread_that_asked_first():
    answers = []
    with Worker("children:item", import_paths=[HERE]) as worker:
        for _ in range(3):
            thread = threading.Thread(target=lambda: answers.append(worker.call(b"a")))
            thread.start()
            thread.join(timeout=60)
        answers.append(worker.call(b"a"))
    assert all(answer.ok for answer in answers)
    assert len({answer.result for answer in answers}) == 1


def test_the_cpu_budget_is_per_call_not_per_child():
    with Worker("children:item", limits=Limits(cpu_s=1), import_paths=[HERE]) as worker:
        pids = {worker.call(b"x").result for _ in range(300)}
    assert len(pids) == 1


def test_a_worker_survives_an_exception():
    with Worker("children:stumble", import_paths=[HERE]) as worker:
        assert worker.call(b"").detail == worker.call(b"").detail == "ValueError"


def test_kill_from_another_thread_ends_the_call():
    with Worker("children:wait", import_paths=[HERE]) as worker:
        outcomes = []
        thread = threading.Thread(target=lambda: outcomes.append(worker.call(b"")))
        thread.start()
        while thread.is_alive():
            worker.kill()
            thread.join(0.05)
    assert outcomes[0].detail == "killed by SIGKILL"


def test_an_interrupted_call_leaves_no_child(monkeypatch):
    worker = Worker("children:wait", import_paths=[HERE])
    monkeypatch.setattr(Worker, "_exchange", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        worker.call(b"")
    assert worker._process is None
    assert worker._channel is None


def test_without_an_interpreter_nothing_starts(monkeypatch):
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(EnvironmentProblem) as caught:
        start("echo")
    assert caught.value.code == "LF5050"
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(EnvironmentProblem) as caught:
        start("echo")
    assert caught.value.code == "LF5050"


@pytest.mark.parametrize(
    ("code", "log", "kind"),
    [
        (1, b"Traceback\nMemoryError\n", FailureKind.MEMORY),
        (-signal.SIGABRT, b"memory allocation of 9 bytes failed\n", FailureKind.MEMORY),
        (-signal.SIGABRT, b"panicked", FailureKind.CRASHED),
        (-200, b"", FailureKind.CRASHED),
    ],
)
def test_classify(code, log, kind):
    assert proc.classify(code, log, Limits())[0] is kind


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b'{"type":"X"}', b"[" * 50_000])
def test_a_report_that_does_not_read_is_a_crash(document):
    outcome = Worker("children:echo")._raised(document)
    assert outcome.kind is FailureKind.CRASHED
    assert outcome.error is None
