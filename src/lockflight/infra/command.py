"""Foreign programs under the same budgets as our own children."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import time
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING

from lockflight.core.records import dataclass
from lockflight.errors import EnvironmentProblem
from lockflight.infra.proc import FailureKind, Limits, classify, drain, kill_group, spawn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class CommandOutcome:
    """What became of a foreign program.

    Attributes:
        returncode: its status; negative for a signal.
        stdout, stderr: what it wrote; hostile bytes.
        kind: which budget ended it, or `killed` or `crashed` for a signal; None when it ended by itself.
        detail: the same in words.
    """

    returncode: int
    stdout: bytes
    stderr: bytes
    kind: FailureKind | None = None
    detail: str = ""


def run_command(
    argv: Sequence[str],
    *,
    limits: Limits | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str = "/",
    stdin: bytes = b"",
    fds: Sequence[int] = (),
    network: bool = False,
) -> CommandOutcome:
    """Run a program; `argv[0]` is an absolute path, and no shell is involved.

    Args:
        argv: program and arguments.
        limits: budgets; `output_bytes` holds for stdout and for stderr.
        env: all that the program finds in its environment beside `PATH`, `LANG` and `TZ`.
        cwd: its working folder.
        stdin: what it may read.
        fds: descriptors that it inherits under their own numbers.
        network: leave the network reachable.

    Raises:
        EnvironmentProblem: LF5050 no process can be started here, LF5051 the program is not there.
    """
    limits = limits or Limits()
    program = Path(argv[0])
    if not program.is_absolute() or not program.is_file() or not os.access(program, os.X_OK):
        raise EnvironmentProblem(
            "LF5051",
            f"The program {argv[0]!r} cannot be started: no executable file has this absolute path.",
            hint="lockflight doctor",
        )
    deadline = time.monotonic() + limits.wall_s
    spec = {"argv": list(argv), "limits": asdict(limits), "network": network}
    process = spawn(spec, keep=fds, stdin=subprocess.PIPE, env=env, cwd=cwd)
    try:
        talk = _Talk(process, stdin, limits)
        kind = talk.run(deadline)
        if kind is None:
            kind = _wait(process, deadline)
    finally:
        kill_group(process)
        code = process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
    out, err = bytes(talk.out), bytes(talk.err)
    if kind is FailureKind.TIMEOUT:
        return CommandOutcome(code, out, err, kind, f"over its time budget of {limits.wall_s:g} s")
    if kind is FailureKind.OUTPUT:
        return CommandOutcome(code, out, err, kind, f"over its output budget of {limits.output_bytes} bytes")
    if code < 0:
        return CommandOutcome(code, out, err, *classify(code, err, limits))
    return CommandOutcome(code, out, err)


def _wait(process: subprocess.Popen[bytes], deadline: float) -> FailureKind | None:
    """A program may close its streams and work on."""
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return FailureKind.TIMEOUT
    return None


class _Talk:
    """Feed stdin, collect stdout and stderr, within the budgets."""

    def __init__(self, process: subprocess.Popen[bytes], stdin: bytes, limits: Limits) -> None:
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise AssertionError("all three streams are pipes")
        self.out, self.err = bytearray(), bytearray()
        self._stdin: IO[bytes] = process.stdin
        self._logs = {
            process.stdout.fileno(): (process.stdout, self.out),
            process.stderr.fileno(): (process.stderr, self.err),
        }
        self._rest = memoryview(stdin)
        self._limit = limits.output_bytes

    def run(self, deadline: float) -> FailureKind | None:
        """Until both outputs close; returns the budget that ran out first."""
        with selectors.DefaultSelector() as selector:
            if self._feed():
                selector.register(self._stdin, selectors.EVENT_WRITE)
            for stream, _ in self._logs.values():
                selector.register(stream, selectors.EVENT_READ)
            while self._logs:
                left = deadline - time.monotonic()
                if left <= 0:
                    return FailureKind.TIMEOUT
                for key, _ in selector.select(left):
                    if key.fileobj is self._stdin:
                        more = self._feed()
                    else:
                        stream, log = self._logs[key.fd]
                        more = drain(stream, log, keep=self._limit + 1) != 0
                        if len(log) > self._limit:
                            return FailureKind.OUTPUT
                    if not more:
                        selector.unregister(key.fileobj)
                        self._logs.pop(key.fd, None)
        return None

    def _feed(self) -> bool:
        """Write what fits to stdin and close it at the end; False when that is done."""
        try:
            while self._rest:
                self._rest = self._rest[os.write(self._stdin.fileno(), self._rest) :]
        except BlockingIOError:
            return True
        except BrokenPipeError:
            pass
        with contextlib.suppress(BrokenPipeError):
            self._stdin.close()
        return False


def run_attached(argv: Sequence[str], *, cwd: Path, stdout_to_stderr: bool = False) -> int:
    """Run the user's own command as a shell would: its streams, environment and rights are ours, without budgets.

    Args:
        argv: program, looked up on PATH, and arguments; no shell is involved.
        cwd: its working folder.
        stdout_to_stderr: keep our standard output for a result.

    Returns:
        Its exit status; 128 and the signal's number where one ended it, as shells say.

    Raises:
        EnvironmentProblem: LF1042 it cannot be started.
    """
    try:
        process = subprocess.Popen(argv, cwd=cwd, stdout=2 if stdout_to_stderr else None)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise EnvironmentProblem(
            "LF1042",
            f"The command {argv[0]!r} cannot be started: {why}.",
            hint="Write the command as it runs without Lockflight, behind --.",
        ) from error
    try:
        code = process.wait()
    except KeyboardInterrupt:
        # A terminal interrupts both of us; the command may want to clean up.
        process.wait()
        raise
    return code if code >= 0 else 128 - code
