from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lockflight.errors import EnvironmentProblem
from lockflight.infra.command import run_command
from lockflight.infra.proc import MIB, FailureKind, Limits


def python(code, **options):
    return run_command([sys.executable, "-I", "-S", "-c", code], **options)


def test_status_and_both_streams_come_back():
    outcome = python(
        "import sys; print(sys.stdin.read()); print('e', file=sys.stderr); sys.exit(3)", stdin=b"given"
    )
    assert (outcome.returncode, outcome.stdout, outcome.stderr, outcome.kind) == (3, b"given\n", b"e\n", None)


def test_large_input_and_output_do_not_lock_each_other():
    data = bytes(3 * MIB)
    outcome = python(
        "import sys, shutil; shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)", stdin=data
    )
    assert outcome.stdout == data


def test_input_that_nobody_reads_is_no_failure():
    assert python("pass", stdin=bytes(MIB)).returncode == 0


def test_the_environment_is_what_was_given(monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    outcome = python("import os; print(sorted(os.environ), os.getcwd())", env={"A": "b"}, cwd=str(tmp_path))
    assert b"AWS" not in outcome.stdout
    assert b"'A'" in outcome.stdout
    assert str(tmp_path).encode() in outcome.stdout


@pytest.mark.parametrize(
    ("code", "limits", "kind", "words"),
    [
        ("while True: pass", Limits(cpu_s=1), FailureKind.CPU, "over its CPU budget of 1 s"),
        (
            "import signal; signal.pause()",
            Limits(wall_s=1.5),
            FailureKind.TIMEOUT,
            "over its time budget of 1.5 s",
        ),
        (
            "print('x' * 3000)",
            Limits(output_bytes=3000),
            FailureKind.OUTPUT,
            "over its output budget of 3000 bytes",
        ),
        (
            "import os; os.close(1); os.close(2); import signal; signal.pause()",
            Limits(wall_s=1.5),
            FailureKind.TIMEOUT,
            "over its time budget of 1.5 s",
        ),
        ("import os; os.kill(os.getpid(), 9)", Limits(), FailureKind.KILLED, "killed by SIGKILL"),
    ],
)
def test_budgets(code, limits, kind, words):
    outcome = python(code, limits=limits)
    assert (outcome.kind, outcome.detail) == (kind, words)


def test_memory_has_a_budget():
    outcome = python("x = bytearray(1 << 40)", limits=Limits(memory_bytes=512 * MIB))
    assert outcome.returncode == 1
    assert b"MemoryError" in outcome.stderr


def test_descriptors_keep_their_numbers(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"held")
    with path.open("rb") as file:
        outcome = python(f"import os; print(os.pread({file.fileno()}, 9, 0))", fds=[file.fileno()])
    assert outcome.stdout == b"b'held'\n"


@pytest.mark.parametrize("name", ["ls", "./ls", "/nowhere/at/all", "/etc", "TEXT"])
def test_only_executables_under_absolute_paths_start(name, tmp_path):
    text = tmp_path / "text"
    text.write_text("no program")
    text.chmod(0o644)
    with pytest.raises(EnvironmentProblem) as caught:
        run_command([name.replace("TEXT", str(text))])
    assert caught.value.code == "LF5051"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has network namespaces")
def test_a_program_has_a_network_of_its_own():
    if subprocess.run(["unshare", "-rn", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this kernel gives no network namespace to this user")
    code = "import os; print(os.readlink('/proc/self/ns/net'))"
    ours = b"%s\n" % os.fsencode(Path("/proc/self/ns/net").readlink())
    assert python(code).stdout != ours
    assert python(code, network=True).stdout == ours
