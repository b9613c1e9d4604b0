"""`lockflight check`: run what is missing, sign it, ask the gate, record its decision (DESIGN §4)."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import field
from typing import TYPE_CHECKING

from lockflight.app.files.describe import Reused, describe, describe_guess
from lockflight.app.files.descriptors import Descriptors
from lockflight.app.files.remembered import Remembered
from lockflight.app.gate.judge import Gate, Judgement
from lockflight.app.gate.waivers import known_waivers
from lockflight.app.realm.overlay import overlay
from lockflight.app.realm.realm import Realm, open_realm
from lockflight.app.realm.settings import PERSONAL
from lockflight.app.realm.view import need_environment
from lockflight.core.attest.check import Status
from lockflight.core.attest.scanfact import scan_fact
from lockflight.core.facts.facts import missing
from lockflight.core.records import dataclass
from lockflight.core.text.suggest import did_you_mean
from lockflight.core.times import rfc3339
from lockflight.core.words import INTAKE
from lockflight.errors import EnvironmentProblem, UsageError
from lockflight.infra.progress import SILENT
from lockflight.scan.table import CHECKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from lockflight.app.files.describe import Described
    from lockflight.app.gate.waivers import Known
    from lockflight.core.attest.check import CheckInfo, CheckResult, Subject
    from lockflight.core.release.release import Release
    from lockflight.core.source import ByteSource
    from lockflight.core.state.state import State
    from lockflight.infra.progress import Progress
    from lockflight.policy.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Ran:
    """One check that ran on one subject."""

    check: str
    subject: str
    grain: str
    result: CheckResult


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """What `check` found.

    Attributes:
        release: what was described.
        realm: name of the realm that was asked.
        rehearsal: evidence stayed local and the decision was not recorded.
        guessed: roles were guessed, because there is no manifest.
        planned: checks that would run (with --plan) or were left out (with --no-run).
        ran: checks that ran now.
        judgements: environment to judgement, in order of promotion.
        notices: what the manifest tried and does not change.
        skipped: entries of the folder that are never candidates.
        names: pseudonym to name, for people whose name is still held.
        waivers: environment to what the realm knows of waivers beside the facts.
        reused: files that were not read, neither for their digests nor by a check.
    """

    release: Release
    realm: str
    rehearsal: bool
    guessed: bool
    planned: tuple[tuple[str, str, str], ...]
    ran: tuple[Ran, ...]
    judgements: Mapping[str, Judgement]
    notices: tuple[str, ...]
    skipped: tuple[str, ...]
    names: Mapping[str, str] = field(default_factory=dict)
    waivers: Mapping[str, Known] = field(default_factory=dict)
    reused: Reused = field(default_factory=Reused)


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """What the caller may choose.

    Attributes:
        environment: one environment; empty for the ladder of all.
        only: names of checks to run; empty for all that are missing.
        run: whether checks may run at all.
        plan: only say what would run.
        record: put evidence and decision into a team realm.
        workers: number of check processes; 0 for one per processor.
        actor: name of the person who asks, or of the machine whose key signs what the checks say.
        as_of: Unix seconds of an earlier time to judge at; then nothing runs and nothing is recorded.
        bundle: a policy to try instead of the realm's own; then nothing is decided that counts.
        remember: large files that cannot have changed since this home hashed them are not read for their digests.
    """

    environment: str = ""
    only: tuple[str, ...] = ()
    run: bool = True
    plan: bool = False
    record: bool = False
    workers: int = 0
    actor: str = ""
    as_of: int | None = None
    bundle: Bundle | None = None
    remember: bool = False


@dataclass(slots=True)
class _Work:
    home: Path
    asked: Realm
    evidence: Realm
    gate: Gate
    now: int
    sources: Mapping[str, ByteSource]
    ran: list[Ran] = field(default_factory=list)


def check(
    home: Path,
    realm_name: str,
    folder: Path,
    options: CheckOptions,
    *,
    clock: Callable[[], int],
    progress: Progress = SILENT,
) -> CheckOutcome:
    """Describe the folder, run the checks whose evidence is missing, decide, record.

    Raises:
        UsageError: LF0120 unknown check, LF0121 unknown environment.
        InvalidInput: LF1xxx the folder cannot be described.
        EnvironmentProblem: LF40xx the policy or its engine does not work.
        VerificationFailed: LF72xx the realm's log is not what it must be.
    """
    earlier = options.as_of is not None
    asked = Realm(home, realm_name, as_of=options.as_of) if earlier else open_realm(home, realm_name)
    gate = Gate(asked, options.bundle)
    _check_names(options)
    if options.environment:
        need_environment(asked.state, options.environment)
    local = not asked.personal and not options.record
    rehearsal = earlier or local or options.bundle is not None
    evidence = open_realm(home, PERSONAL) if local and not earlier else asked
    with ExitStack() as stack:
        guessed = not (folder / "lockflight.toml").is_file()
        memory = Remembered.of(home, folder) if options.remember else None
        described = stack.enter_context(
            describe_guess(folder, progress=progress, memory=memory)
            if guessed
            else describe(folder, progress=progress, memory=memory)
        )
        release = described.release
        work = _Work(home, asked, evidence, gate, clock(), described.sources)
        environments = (options.environment,) if options.environment else ladder(asked.state)
        pairs = _pairs(work, release, environments, options)
        planned = tuple((info.name, subject.grain.value, subject.name) for info, subject in pairs)
        if options.run and not options.plan and not earlier and pairs:
            work.ran += run_checks(
                home,
                evidence,
                described,
                pairs,
                now=work.now,
                actor=options.actor if evidence is asked else "",
                workers=options.workers,
                progress=progress,
            )
            described.recheck()
            planned = ()
        judgements: dict[str, Judgement] = {}
        judged = asked.view  # a decision changes nobody's name, so the log need not be read again for it
        if not options.plan:
            judgements = _judge(work, release, environments, options, record=not rehearsal, now=clock())
    return CheckOutcome(
        release=release,
        realm=realm_name,
        rehearsal=rehearsal,
        guessed=guessed,
        planned=planned,
        ran=tuple(work.ran),
        judgements=judgements,
        notices=tuple(f"{n.message}" for n in described.notices),
        skipped=tuple(described.skipped),
        names=judged.names(),
        waivers={name: known_waivers(judged, release.name, release.digest, name) for name in judgements},
        reused=described.reused,
    )


def _check_names(options: CheckOptions) -> None:
    for name in options.only:
        if name not in CHECKS:
            hint = did_you_mean(name, CHECKS, otherwise=f"Checks: {', '.join(sorted(CHECKS))}.")
            raise UsageError("LF0120", f"There is no check {name!r}.", hint=hint)


def _pairs(
    work: _Work, release: Release, environments: Iterable[str], options: CheckOptions
) -> list[tuple[CheckInfo, Subject]]:
    # Policies may let a check judge differently (`Gate.checks`): then it runs once for each way.
    ways: dict[tuple[str, str], CheckInfo] = {}
    ages: dict[tuple[str, str], int] = {}
    for environment in environments:
        required = work.gate.required(release, environment, work.sources)
        if options.only:
            required = {name: required.get(name, 0) for name in options.only}
        known = work.gate.checks(environment, work.now)
        for name, age in required.items():
            if name in known:
                key = (name, known[name].version)
                ways[key] = known[name]
                ages[key] = min(age, ages.get(key, age))
    state = overlay(work.asked, work.evidence)
    return [
        pair
        for (name, version), age in ages.items()
        for pair in missing(release, {name: ways[name, version]}, {name: age}, state, work.now)
    ]


def run_checks(
    home: Path,
    realm: Realm,
    described: Described,
    pairs: Iterable[tuple[CheckInfo, Subject]],
    *,
    now: int,
    actor: str = "",
    workers: int = 0,
    progress: Progress = SILENT,
) -> list[Ran]:
    """Run checks in children, sign their results with a producer's key, record them.

    Args:
        home: where tools are installed.
        realm: where the evidence goes.
        described: the release and its bytes; what a check reads is hashed in this run, whatever was remembered, and
            the caller checks afterwards that it is still the same.
        pairs: each check with each subject.
        now: Unix seconds, the claimed time of the results.
        actor: name of a machine whose key signs; the realm's own signs for anybody else.
        workers: number of check processes; 0 for one per processor.
        progress: told about finished checks.

    Raises:
        InvalidInput: LF1003 a file has other bytes than were remembered.
    """
    from lockflight.engine.local import (  # a decision over evidence that is there runs nothing
        CheckJob,
        map_checks,
    )
    from lockflight.infra.tools import tool_path

    jobs = []
    order = []
    for info, subject in pairs:
        tools: dict[str, str] = {}
        for tool in info.tools:
            try:
                tools[tool] = str(tool_path(home, tool))
            except EnvironmentProblem:
                continue  # the check itself reports it as incomplete evidence, with the install command
        opened = info.opened(subject.assets)
        names = [a.name for a in opened]
        described.confirm(names)
        descriptors = Descriptors(described.sources, names)
        jobs.append(CheckJob(info.name, CHECKS[info.name], subject, descriptors, tools, opened, info.data))
        order.append((info, subject, descriptors))
    progress.begin("checking", len(jobs))
    issued = rfc3339(now)
    producer = realm.producer(actor)
    items = []
    ran = []
    outcomes = map_checks(jobs, workers=workers or min(8, os.cpu_count() or 1))
    for (info, subject, descriptors), outcome in zip(order, outcomes, strict=True):
        progress.advance(1)
        descriptors.close()
        ran.append(Ran(info.name, subject.name, subject.grain.value, outcome.result))
        items.append((scan_fact(info, subject, outcome.result, issued).statement(), producer))
    progress.end()
    realm.append(items)
    return ran


def _judge(
    work: _Work,
    release: Release,
    environments: Iterable[str],
    options: CheckOptions,
    *,
    record: bool,
    now: int,
) -> dict[str, Judgement]:
    result: dict[str, Judgement] = {}
    requester = ""
    if (options.actor or work.asked.personal) and work.asked.machine(options.actor) is None:
        requester = work.asked.actor(options.actor).principal
    for environment in environments:
        state = overlay(work.asked, work.evidence)
        judgement = work.gate.judge(
            release=release,
            environment=environment,
            view=work.asked.view,
            state=state,
            requester=requester,
            now=now,
            sources=work.sources,
        )
        if record and (options.environment or environment == ladder(work.asked.state)[0]):
            judgement = work.gate.record(work.asked, release, judgement, now)
        result[environment] = judgement
    return result


def ladder(state: State) -> tuple[str, ...]:
    """The environments that a release climbs, in order; intake stands beside them."""
    return tuple(name for name in state.environments if name != INTAKE)


def incomplete(outcome: CheckOutcome) -> list[Ran]:
    """Checks that ran now and did not finish their work."""
    return [r for r in outcome.ran if r.result.status is Status.INCOMPLETE]
