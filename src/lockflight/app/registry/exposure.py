"""Candidates: how much of a slot's traffic a release gets beside the current one.

`expose` gives a candidate more, and is judged like a promotion. `hold` gives it less at once and needs no decision;
`rollback` drops it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lockflight.app.realm.realm import open_realm
from lockflight.app.registry.promote import Moved, enter, find_slot, may_rescue, write
from lockflight.app.release.resolve import signed_as
from lockflight.core.attest.acts import FULL_EXPOSURE, Action
from lockflight.errors import NotFound, UsageError, VerificationFailed

if TYPE_CHECKING:
    from pathlib import Path

    from lockflight.core.attest.acts import Promotion
    from lockflight.core.state.state import Slot

_PERCENT = re.compile(r"(\d{1,3})(?:\.(\d{1,2}))?%?", re.ASCII)


def points(word: str) -> int:
    """Basis points of a word such as `5%`, `0.5%` or `100`.

    Raises:
        UsageError: LF0146 it is none between 0 and 100.
    """
    found = _PERCENT.fullmatch(word)
    value = int(found[1]) * 100 + int((found[2] or "").ljust(2, "0")) if found is not None else -1
    if not 0 <= value <= FULL_EXPOSURE:
        raise UsageError(
            "LF0146",
            f"{word!r} is no part of the traffic: a percentage from 0 to 100, with at most two decimals.",
            hint="--exposure 5%",
        )
    return value


def expose(
    home: Path, realm_name: str, *, project: str, environment: str, exposure: int, actor: str, now: int
) -> Moved:
    """Give the candidate of a slot another part of the traffic; with all of it the candidate is the current release.

    Args:
        home: folder of realms.
        realm_name: the realm.
        project: whose slot.
        environment: whose slot.
        exposure: basis points.
        actor: who asks.
        now: Unix seconds.

    Raises:
        NotFound: LF4543 no such project, LF4573 the slot has no candidate.
        UsageError: LF0146 a candidate with nothing is not exposed.
        PolicyDenied: LF4530 the gate or the admission says no.
        EvidenceMissing: LF4531 only evidence is missing or stale.
        ConflictError: LF4532 the slot moved in between.
        VerificationFailed: LF4574 the log holds no signature of the candidate that reads.
    """
    realm = open_realm(home, realm_name)
    realm.actor(actor)
    slot = find_slot(realm.state, project, environment)
    candidate = _candidate(slot)
    if exposure == 0:
        raise UsageError(
            "LF0146",
            "A candidate that is exposed gets some of the traffic.",
            hint=f"lockflight hold --project {project} --env {environment}",
        )
    if candidate.exposure == exposure:
        record = realm.state.by_digest[slot.head]
        return Moved(candidate, slot.head, record.index, None, again=True)
    release = signed_as(realm.state, candidate.release)
    if release is None:
        raise VerificationFailed(
            "LF4574",
            f"The log holds no signature of {candidate.name} {candidate.version} that reads.",
            hint="lockflight rollback drops the candidate.",
        )
    return enter(
        realm,
        release,
        action=Action.EXPOSE,
        environment=environment,
        actor=actor,
        now=now,
        exposure=exposure,
    )


def hold(home: Path, realm_name: str, *, project: str, environment: str, exposure: int, actor: str) -> Moved:
    """Keep the candidate of a slot back: it gets no more than now, by default nothing.

    Args:
        home: folder of realms.
        realm_name: the realm.
        project: whose slot.
        environment: whose slot.
        exposure: basis points, at most what it has.
        actor: who asks.

    Raises:
        NotFound: LF4543 no such project, LF4573 the slot has no candidate.
        UsageError: LF0146 it would get more.
        ConflictError: LF4532 the slot moved in between.
    """
    realm = open_realm(home, realm_name)
    person = realm.actor(actor)
    slot = find_slot(realm.state, project, environment)
    may_rescue(realm, person, environment, "hold a candidate back")
    candidate = _candidate(slot)
    if exposure > candidate.exposure:
        raise UsageError(
            "LF0146",
            f"The candidate has {candidate.exposure} basis points; to hold it back never gives it more.",
            hint=f"lockflight expose --project {project} --env {environment} --exposure PERCENT",
        )
    return write(realm, person, slot, candidate, Action.HOLD, exposure)


def _candidate(slot: Slot) -> Promotion:
    if slot.candidate is None:
        raise NotFound(
            "LF4573",
            f"{slot.project} has no candidate in {slot.environment}.",
            hint=f"lockflight promote PACKAGE --to {slot.environment} --exposure 5% makes one",
        )
    return slot.candidate
