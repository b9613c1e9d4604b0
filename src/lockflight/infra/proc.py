"""Child processes with budgets: the only place where processes start.

A child is spawned, never forked. It gets an empty environment, isolated mode, its own session, limits on CPU,
memory, files and wall time, and no network. A Python function answers over an inherited socket, never over stdout,
which is captured and cut. Whatever goes wrong in a child is an `Outcome`, not an exception.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn, TypeAlias

from lockflight.core.records import dataclass
from lockflight.errors import EnvironmentProblem
from lockflight.infra import _child

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

MIB = 1024 * 1024
#: How much of a child's stdout and stderr is kept, from the end.
LOG_BYTES = 8192

# Our package goes after the standard library and before other packages: it shadows neither and is not shadowed.
_BOOT = (
    "import sys\n"
    "p = sys.path\n"
    "i = next((i for i, x in enumerate(p) if x.endswith(('site-packages', 'dist-packages'))), len(p))\n"
    "p[i:i] = [x for x in sys.argv[2:] if x not in p]\n"
    "from lockflight.infra import _child\n"
    "_child.main(sys.argv[1])\n"
)
# Where the interpreter and its libraries are found, if the operator had to say so.
_KEPT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH")


_spawners: dict[int, ThreadPoolExecutor] = {}
_spawner_lock = threading.Lock()

#: What is left to send: bytes, and the descriptors that travel with them.
Segments: TypeAlias = deque[tuple[memoryview, tuple[int, ...]]]


@dataclass(frozen=True, slots=True)
class Limits:
    """Budgets of one piece of work.

    Attributes:
        cpu_s: CPU seconds.
        memory_bytes: address space.
        wall_s: seconds until the whole process group is killed; the first piece of work includes the start.
        output_bytes: size of the answer, or of stdout and of stderr of a foreign program.
        file_bytes: size of any file that it writes.
    """

    cpu_s: int = 60
    memory_bytes: int = 2048 * MIB
    wall_s: float = 120.0
    output_bytes: int = 16 * MIB
    file_bytes: int = 256 * MIB


class FailureKind(StrEnum):
    """Why there is no result."""

    KILLED = "killed"
    TIMEOUT = "timeout"
    CPU = "cpu"
    MEMORY = "memory"
    CRASHED = "crashed"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class RemoteError:
    """What the function in the child raised; message and hint only for errors of the house."""

    type: str
    code: str = ""
    message: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one call.

    Attributes:
        result: what the function returned; None when it failed.
        kind: why it failed; None when it did not.
        detail: the same in words, without anything that the child wrote.
        error: what the function raised, if that is why.
        log: the end of what the child wrote to stdout and stderr; hostile text.
    """

    result: bytes | None = None
    kind: FailureKind | None = None
    detail: str = ""
    error: RemoteError | None = None
    log: str = ""

    @property
    def ok(self) -> bool:
        """Whether there is a result."""
        return self.result is not None


class Worker:
    """A child that answers one request after the other; when it dies, the next call starts a new one.

    One thread calls; any thread may `kill` or `end`.
    """

    def __init__(
        self,
        target: str,
        *,
        limits: Limits | None = None,
        network: bool = False,
        import_paths: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        sealed: Sequence[str] = (),
    ) -> None:
        """Nothing starts before the first call.

        Args:
            target: `module:function`; the function takes the request and a list of descriptors, returns bytes.
            limits: budgets of each call.
            network: leave the network reachable.
            import_paths: further folders to import from; named by the operator, never by a workspace.
            env: all that the child finds in its environment beside `PATH`, `LANG` and `TZ`.
            sealed: layers of `_seal` that close it before the target is imported; without one of them it ends.
        """
        self.target = target
        self.limits = limits or Limits()
        self._network = network
        self._paths = tuple(import_paths)
        self._env = dict(env or {})
        self._sealed = tuple(sealed)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._log = bytearray()
        self._ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def call(self, request: bytes, fds: Sequence[int] = ()) -> Outcome:
        """Send one request; descriptors arrive as duplicates, in order.

        Raises:
            EnvironmentProblem: LF5050 no process can be started here.
        """
        deadline = time.monotonic() + self.limits.wall_s
        try:
            # A child may have ended while nobody asked it anything; that is no failure of this request.
            if self._process is None or self._process.poll() is not None:
                self._start()
            outcome = self._exchange(_segments(request, fds), deadline)
        except BaseException:
            self.close()
            raise
        if not outcome.ok and outcome.error is None:
            self.close()
        return outcome

    def kill(self) -> None:
        """End the child and everything that it started, now; a running call returns `killed`."""
        with self._lock:
            if self._process is not None:
                kill_group(self._process)

    def end(self) -> None:
        """As `kill`, for good: a child that is just about to start ends as well, and so does each later one."""
        with self._lock:
            self._ended = True
            if self._process is not None:
                kill_group(self._process)

    def close(self) -> None:
        """End the child and reap it."""
        self._reap()
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _start(self) -> None:
        self.close()
        self._log.clear()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        spec = {
            "channel": theirs.fileno(),
            "target": self.target,
            "limits": asdict(self.limits),
            "network": self._network,
            "sealed": self._sealed,
        }
        try:
            with theirs:
                process = _from_lasting_thread(
                    lambda: spawn(spec, self._paths, keep=(theirs.fileno(),), merge=True, env=self._env)
                )
        except BaseException:
            ours.close()
            raise
        ours.settimeout(0)
        with self._lock:
            self._process, self._channel = process, ours
            if self._ended:
                kill_group(process)

    def _exchange(self, pending: Segments, deadline: float) -> Outcome:
        channel, process = self._channel, self._process
        if channel is None or process is None or process.stdout is None:
            raise AssertionError("a started worker has a channel and a log")
        answer = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(channel, selectors.EVENT_READ | selectors.EVENT_WRITE)
            selector.register(process.stdout, selectors.EVENT_READ)
            while (left := deadline - time.monotonic()) > 0:
                for key, events in selector.select(left):
                    if key.fileobj is not channel:
                        if drain(process.stdout, self._log) == 0:
                            selector.unregister(process.stdout)
                        continue
                    if events & selectors.EVENT_WRITE and _send(channel, pending):
                        selector.modify(channel, selectors.EVENT_READ)
                    if events & selectors.EVENT_READ:
                        outcome = self._receive(channel, answer)
                        if outcome is not None:
                            return outcome
        return self._failed(FailureKind.TIMEOUT, f"over its time budget of {self.limits.wall_s:g} s")

    def _receive(self, channel: socket.socket, answer: bytearray) -> Outcome | None:
        try:
            part = channel.recv(MIB)
        except BlockingIOError:
            return None
        except ConnectionError:
            part = b""
        if not part:
            # The status of a dying process is fixed before its end of the channel closes: no kill can change it.
            return self._failed(*classify(self._reap(), bytes(self._log), self.limits))
        answer += part
        head = _child.ANSWER.size
        if len(answer) < head:
            return None
        kind, length = _child.ANSWER.unpack_from(answer)
        if length > self.limits.output_bytes:
            return self._failed(
                FailureKind.OUTPUT, f"its answer is over the budget of {self.limits.output_bytes} bytes"
            )
        if len(answer) < head + length:
            return None
        if len(answer) > head + length or kind not in {b"R", b"E"}:
            return self._failed(FailureKind.CRASHED, "something else wrote to the channel of its answers")
        document = bytes(answer[head:])
        return Outcome(result=document, log=self._text()) if kind == b"R" else self._raised(document)

    def _raised(self, document: bytes) -> Outcome:
        try:
            raw = json.loads(document)
            error = RemoteError(*(str(raw[key])[:2000] for key in ("type", "code", "message", "hint")))
            memory = raw["memory"] is True
        except (ValueError, KeyError, TypeError, RecursionError):
            return self._failed(FailureKind.CRASHED, "it reported an error that does not read")
        if memory:
            return self._failed(FailureKind.MEMORY, memory_words(self.limits))
        detail = f"{error.type} {error.code}".strip()
        return Outcome(kind=FailureKind.CRASHED, detail=detail, error=error, log=self._text())

    def _failed(self, kind: FailureKind, detail: str) -> Outcome:
        return Outcome(kind=kind, detail=detail, log=self._text())

    def _text(self) -> str:
        return self._log.decode("utf-8", errors="replace")

    def _reap(self) -> int:
        with self._lock:
            process, self._process = self._process, None
            if process is None:
                return 0
            kill_group(process)
            code = process.wait()
        if process.stdout is not None:
            while drain(process.stdout, self._log) > 0:
                pass
            process.stdout.close()
        return code


def _from_lasting_thread(start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    """Start a process that may outlive the calling thread.

    Linux kills a child of ours when the thread that started it ends, not when this process does.
    """
    if threading.current_thread() is threading.main_thread():
        return start()
    with _spawner_lock:
        # A fork copies the pool but not its thread.
        if os.getpid() not in _spawners:
            _spawners.clear()
            _spawners[os.getpid()] = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")
        return _spawners[os.getpid()].submit(start).result()


def run(
    target: str,
    request: bytes,
    *,
    limits: Limits | None = None,
    fds: Sequence[int] = (),
    network: bool = False,
    import_paths: Sequence[str] = (),
    sealed: Sequence[str] = (),
) -> Outcome:
    """One call in a child of its own; arguments as for `Worker`."""
    with Worker(target, limits=limits, network=network, import_paths=import_paths, sealed=sealed) as worker:
        return worker.call(request, fds)


def memory_words(limits: Limits) -> str:
    """How running out of memory is called."""
    return f"over its memory budget of {limits.memory_bytes // MIB} MiB"


def classify(code: int, log: bytes, limits: Limits) -> tuple[FailureKind, str]:
    """Why a process ended that had more to do, from its status (negative: signal) and the end of its log."""
    if code == -signal.SIGXCPU:
        return FailureKind.CPU, f"over its CPU budget of {limits.cpu_s} s"
    if code == -signal.SIGALRM:
        return FailureKind.TIMEOUT, f"over its time budget of {limits.wall_s:g} s"
    if b"MemoryError" in log or (code == -signal.SIGABRT and b"memory allocation of" in log):
        return FailureKind.MEMORY, memory_words(limits)
    if code < 0:
        kind = FailureKind.KILLED if code in {-signal.SIGKILL, -signal.SIGTERM} else FailureKind.CRASHED
        return kind, f"killed by {_signal_name(-code)}"
    return FailureKind.CRASHED, f"ended with status {code} and no answer"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def spawn(
    spec: Mapping[str, object],
    paths: Sequence[str] = (),
    *,
    keep: Sequence[int],
    stdin: int = subprocess.DEVNULL,
    merge: bool = False,
    env: Mapping[str, str] | None = None,
    cwd: str = "/",
) -> subprocess.Popen[bytes]:
    """Start a child that confines itself as `spec` says; its pipes do not block. For this floor only.

    Raises:
        EnvironmentProblem: LF5050.
    """
    if not sys.executable:
        _cannot_start("this Python does not know where its interpreter is")
    root = str(Path(__file__).resolve().parents[2])
    base = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"}
    base.update({name: os.environ[name] for name in _KEPT if name in os.environ})
    try:
        process = subprocess.Popen(
            [
                sys.executable,
                "-I",
                "-X",
                "utf8",
                "-c",
                _BOOT,
                json.dumps({**spec, "parent": os.getpid()}),
                root,
                *paths,
            ],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merge else subprocess.PIPE,
            env={**base, **(env or {})},
            cwd=cwd,
            bufsize=0,
            pass_fds=keep,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        _cannot_start(f"{type(error).__name__}: {error}")
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            os.set_blocking(stream.fileno(), False)
    return process


def _cannot_start(why: str) -> NoReturn:
    raise EnvironmentProblem("LF5050", f"No child process can be started: {why}.", hint="lockflight doctor")


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a child and all of its process group; call before the child is reaped."""
    # An unreaped leader keeps its number, so the group cannot be somebody else's.
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def drain(stream: IO[bytes], log: bytearray, *, keep: int = LOG_BYTES) -> int:
    """Move bytes from a pipe to the end of a log of at most `keep`; 0 at its end, -1 when nothing is there."""
    try:
        part = os.read(stream.fileno(), 65536)
    except BlockingIOError:
        return -1
    log += part
    del log[:-keep]
    return len(part)


def _segments(request: bytes, fds: Sequence[int]) -> Segments:
    step = _child.FDS_PER_MESSAGE
    return deque(
        [
            (memoryview(_child.REQUEST.pack(len(request), len(fds))), ()),
            *((memoryview(b"F"), tuple(fds[i : i + step])) for i in range(0, len(fds), step)),
            (memoryview(request), ()),
        ]
    )


def _send(channel: socket.socket, pending: Segments) -> bool:
    """Send what fits; True when nothing is left or nobody listens."""
    try:
        while pending:
            data, fds = pending[0]
            sent = socket.send_fds(channel, [data], fds) if fds else channel.send(data)
            if sent < len(data):
                pending[0] = data[sent:], ()
            else:
                pending.popleft()
    except BlockingIOError:
        return False
    except ConnectionError:
        pending.clear()
    return True
