"""The local pool: checks in child processes under budgets, results in the order of the jobs.

Jobs of one check share a child, one after the other, so that a thousand files do not cost a thousand starts; what a
file did to that child can touch the verdicts of the same check in the same release, never those of another check.
A child that dies takes one subject with it: that subject is incomplete, and the rest goes on in a new child.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections import deque
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.core.attest.check import CheckResult, Status, Tool, result_from_json
from lockflight.core.canonical import loads_object
from lockflight.core.records import dataclass
from lockflight.engine import _child
from lockflight.engine.wire import subject_to_json
from lockflight.errors import LockflightError
from lockflight.infra.proc import MIB, Limits, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from lockflight.core.attest.check import Subject
    from lockflight.core.release.release import Asset

#: Budgets of one check on one subject.
LIMITS = Limits(cpu_s=600, memory_bytes=4096 * MIB, wall_s=900.0, output_bytes=16 * MIB)

_ENTRY = "lockflight.engine._child:run_check"


@dataclass(frozen=True, slots=True)
class CheckJob:
    """One check on one subject.

    Attributes:
        check: name of the check.
        target: `module:Class` of the check.
        subject: what it judges.
        descriptors: asset name to an open descriptor; looked up when the job starts, never closed here.
        tools: foreign tool to the absolute path of its executable, for those that are installed.
        opened: the assets whose descriptors it gets; None for all of its subject.
        data: what the policy in force lets the check know.
    """

    check: str
    target: str
    subject: Subject
    descriptors: Mapping[str, int] = field(repr=False)
    tools: Mapping[str, str] = field(default_factory=dict)
    opened: tuple[Asset, ...] | None = None
    data: str = ""


@dataclass(frozen=True, slots=True)
class JobResult:
    """A job with its result; a check that did not finish is incomplete, never an exception."""

    job: CheckJob
    result: CheckResult


def map_checks(
    jobs: Iterable[CheckJob],
    *,
    workers: int = 2,
    limits: Limits | None = None,
    on_progress: Callable[[int, int, CheckJob], None] | None = None,
    import_paths: Sequence[str] = (),
    cache: Path | None = None,
    idle: Idle | None = None,
) -> Iterator[JobResult]:
    """Run checks and yield their results in the order of the jobs.

    Args:
        jobs: what to run.
        workers: how many children at a time, at least 1.
        limits: budgets of each job.
        on_progress: called in the caller's thread with (done, total, job) whenever a job ends, in any order.
        import_paths: further folders to import checks from; named by the operator, never by a workspace.
        cache: where libraries may keep compiled rules; `cache_folder()` by default. May be lost at any time.
        idle: where children wait for the next call.

    Raises:
        EnvironmentProblem: LF5050 no process can be started here.
    """
    pool = _Pool(list(jobs), limits or LIMITS, tuple(import_paths), cache or cache_folder(), idle)
    try:
        yield from pool.run(max(1, workers), on_progress)
    finally:
        pool.stop()


def cache_folder() -> Path:
    """Our folder in the user's cache (XDG Base Directory Specification 0.8)."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "lockflight"


class Idle:
    """Children between one call of `map_checks` and the next, so that many small calls do not start many of them.

    A context: at its end they end. The calls that share it have the same limits and import paths.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, list[Worker]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for workers in self._waiting.values():
            for worker in workers:
                worker.close()
        self._waiting.clear()

    def take(self, target: str) -> Worker | None:
        """A child that waits for jobs of this check."""
        with self._lock:
            waiting = self._waiting.get(target)
            return waiting.pop() if waiting else None

    def put(self, target: str, worker: Worker) -> None:
        """Keep a child that is done."""
        with self._lock:
            self._waiting.setdefault(target, []).append(worker)


class _Pool:
    def __init__(
        self,
        jobs: list[CheckJob],
        limits: Limits,
        import_paths: tuple[str, ...],
        cache: Path,
        idle: Idle | None = None,
    ) -> None:
        self._jobs = jobs
        self._idle = idle
        self._finished = False
        # The only thing that children inherit by name: without it, the rules for secrets compile for seconds.
        # Compiled rules of the secret scanner; it refuses a folder that others may write.
        self._env = {"XDG_CACHE_HOME": str(cache), "KF_RULE_CACHE_DIR": str(cache / "kingfisher")}
        with contextlib.suppress(OSError):  # without a cache the rules are compiled each time
            (cache / "kingfisher").mkdir(mode=0o700, parents=True, exist_ok=True)
        self._limits = limits
        self._paths = import_paths
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[int]] = {}
        for i, job in enumerate(jobs):
            self._waiting.setdefault(job.target, deque()).append(i)
        self._done: queue.SimpleQueue[tuple[int, CheckResult | BaseException]] = queue.SimpleQueue()
        self._workers: set[Worker] = set()
        self._threads: list[threading.Thread] = []
        self._stopped = False

    def run(
        self, workers: int, on_progress: Callable[[int, int, CheckJob], None] | None
    ) -> Iterator[JobResult]:
        total = len(self._jobs)
        for _ in range(min(workers, total)):
            thread = threading.Thread(target=self._serve, name="lockflight-check", daemon=True)
            self._threads.append(thread)
            thread.start()
        results: dict[int, CheckResult] = {}
        following = 0
        for done in range(1, total + 1):
            index, outcome = self._done.get()
            if isinstance(outcome, BaseException):
                raise outcome
            results[index] = outcome
            if on_progress is not None:
                on_progress(done, total, self._jobs[index])
            while following in results:
                if following == total - 1:
                    self._finished = True
                yield JobResult(self._jobs[following], results.pop(following))
                following += 1

    def stop(self) -> None:
        if self._finished:
            # Nobody has a job, and those who are about to be put aside are not to be ended.
            for thread in self._threads:
                thread.join()
        with self._lock:
            self._stopped = True
            for worker in self._workers:
                worker.end()
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        target = ""
        worker: Worker | None = None
        try:
            while (index := self._next(target)) is not None:
                job = self._jobs[index]
                if worker is None or job.target != target:
                    self._retire(worker, target)
                    worker = self._idle.take(job.target) if self._idle is not None else None
                    if worker is None:
                        worker = Worker(_ENTRY, limits=self._limits, import_paths=self._paths, env=self._env)
                    target = job.target
                    with self._lock:
                        self._workers.add(worker)
                        if self._stopped:
                            worker.end()
                self._done.put((index, self._one(worker, job)))
        except BaseException as error:  # noqa: BLE001 - it is raised again in the caller's thread
            self._done.put((-1, error))
        finally:
            self._retire(worker, target)

    def _retire(self, worker: Worker | None, target: str) -> None:
        if worker is not None:
            with self._lock:
                self._workers.discard(worker)
                kept = self._idle is not None and not self._stopped
                if kept and self._idle is not None:
                    self._idle.put(target, worker)
            if not kept:
                worker.close()

    def _next(self, target: str) -> int | None:
        """The next job: of the same check while there is one, else of the check with the most left."""
        with self._lock:
            left = [t for t, jobs in self._waiting.items() if jobs]
            if self._stopped or not left:
                return None
            best = target if target in left else max(left, key=lambda t: len(self._waiting[t]))
            return self._waiting[best].popleft()

    def _one(self, worker: Worker, job: CheckJob) -> CheckResult:
        names = [a.name for a in (job.subject.assets if job.opened is None else job.opened)]
        try:
            fds = [job.descriptors[name] for name in names]
        except (KeyError, LockflightError) as error:
            return incomplete(job.check, f"{type(error).__name__}: an asset's descriptor is missing")
        request = _child.encode(
            job.check, job.target, subject_to_json(job.subject), names, job.tools, job.data
        )
        outcome = worker.call(request, fds)
        if outcome.result is None:
            return incomplete(job.check, outcome.detail)
        try:
            return result_from_json(
                loads_object(outcome.result, what="result", max_bytes=self._limits.output_bytes)
            )
        except LockflightError as error:
            return incomplete(job.check, f"it returned something that is no result ({error.code})")


def incomplete(check: str, reason: str) -> CheckResult:
    """The result of a check that judged nothing."""
    return CheckResult(Status.INCOMPLETE, Tool(f"lockflight-{check}", ""), reason=reason, coverage_ppm=0)
