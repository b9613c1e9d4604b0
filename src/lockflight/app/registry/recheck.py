"""What is deployed, judged again under today's policy and evidence.

Nothing is moved or removed: a release that would be denied now is marked as at risk, and people decide.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lockflight.app.gate.judge import Gate, Judgement
from lockflight.app.policy.ownpolicy import PROBLEMS
from lockflight.app.realm.realm import Realm
from lockflight.app.realm.view import need_environment, need_project
from lockflight.app.registry.status import speaking
from lockflight.app.release.resolve import signed_as
from lockflight.core.attest.trust import Duty
from lockflight.core.records import dataclass
from lockflight.errors import PolicyDenied

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lockflight.core.attest.acts import Promotion
    from lockflight.core.release.release import Release
    from lockflight.core.state.state import State


@dataclass(frozen=True, slots=True)
class Rechecked:
    """A release in a slot with what the gate says of it today.

    Attributes:
        project, environment, slot: where.
        release, version: which.
        exposure: basis points of the traffic that it gets.
        judgement: recorded; None where the release could not be judged.
        problem: why it could not be judged; empty where it was.
    """

    project: str
    environment: str
    slot: str
    release: str
    version: str
    exposure: int
    judgement: Judgement | None
    problem: str = ""

    @property
    def at_risk(self) -> bool:
        """Whether a rule speaks against it today; a freeze does not."""
        return self.judgement is None or bool(speaking(self.judgement.decision))


def recheck(
    home: Path, realm_name: str, *, project: str = "", environment: str = "", now: int
) -> list[Rechecked]:
    """Decide again about everything that is deployed, and record the decisions.

    The releases are read back from their logged signatures; no package is needed.

    Args:
        home: folder of realms.
        realm_name: the realm.
        project: only this one; empty for all.
        environment: only there; empty for everywhere.
        now: Unix seconds.

    Raises:
        NotFound: LF4510 no such realm, LF4543 no such project.
        UsageError: LF0121 no such environment.
        EnvironmentProblem: LF5043 the gate's key is not in this home.
        PolicyDenied: LF4010 to LF4020 the policy cannot judge.
    """
    realm = Realm(home, realm_name)
    if project:
        need_project(realm.state, project)
    if environment:
        need_environment(realm.state, environment)
    gate = Gate(realm)
    deployed = list(_deployed(realm.state, project, environment))
    judged = [_judge(realm, gate, fact, now) for fact, _ in deployed]
    signer = realm.signer(Duty.GATE)
    statements = [gate.statement(realm, *each, now) for each in judged if not isinstance(each, str)]
    receipts = iter(realm.append([(statement, signer) for statement in statements]) if statements else ())
    return [
        Rechecked(
            project=fact.project,
            environment=fact.environment,
            slot=fact.slot,
            release=fact.release,
            version=fact.version,
            exposure=exposure,
            judgement=None if isinstance(each, str) else replace(each[1], recorded=next(receipts).envelope),
            problem=each if isinstance(each, str) else "",
        )
        for (fact, exposure), each in zip(deployed, judged, strict=True)
    ]


def _deployed(state: State, project: str, environment: str) -> Iterator[tuple[Promotion, int]]:
    """What slots hold, candidates too, with its part of the traffic; in the order of the environments."""
    order = {name: i for i, name in enumerate(state.environments)}
    slots = sorted(state.slots.values(), key=lambda s: (s.project, order.get(s.environment, 0), s.name))
    for slot in slots:
        if project in {"", slot.project} and environment in {"", slot.environment}:
            for held in (slot.current, slot.candidate):
                if held is not None:
                    yield held, slot.exposures[held.release]


def _judge(realm: Realm, gate: Gate, fact: Promotion, now: int) -> tuple[Release, Judgement] | str:
    """The release with what the gate says of it, or why it cannot be judged."""
    release = signed_as(realm.state, fact.release)
    if release is None:
        return "the log holds no signature of it that reads"
    try:
        judgement = gate.judge(
            release=release,
            environment=fact.environment,
            view=realm.view,
            state=realm.state,
            requester="",
            now=now,
        )
    except PolicyDenied as error:
        if error.code not in PROBLEMS:
            raise
        return f"{error.message.rstrip('.')} ({error.code})"
    return release, judgement
