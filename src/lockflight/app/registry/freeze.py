"""Freezes: nothing of a project moves into an environment for a while; rollback and retirement stay possible."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.app.identity.proposals import second_person
from lockflight.app.realm.realm import open_realm
from lockflight.app.realm.speak import Said, need_role, say
from lockflight.app.realm.view import need_environment, need_project, read_blob
from lockflight.core.attest.changes import Freeze
from lockflight.core.records import dataclass
from lockflight.core.state.state import REVOKERS
from lockflight.core.times import rfc3339
from lockflight.errors import NotFound, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from lockflight.app.realm.realm import Actor, Realm
    from lockflight.app.realm.view import RealmView

MAX_HOURS = 24 * 366


@dataclass(frozen=True, slots=True)
class Frozen:
    """A freeze that stands.

    Attributes:
        digest: of its envelope.
        project, environment: what it stops; empty for all.
        since: Unix seconds.
        expires: RFC 3339 Z; empty for until lifted.
        by: who froze.
        reason: why; empty when erased.
    """

    digest: str
    project: str
    environment: str
    since: int
    expires: str
    by: str
    reason: str

    @property
    def scope(self) -> str:
        """What it stops, in words."""
        return scope_of(self.project, self.environment)


def scope_of(project: str, environment: str) -> str:
    """What a freeze stops, in words."""
    return f"{project or 'all projects'} in {environment or 'all environments'}"


def frozen(view: RealmView, now: int) -> list[Frozen]:
    """Every freeze that stands at a time in Unix seconds."""
    return [
        Frozen(
            digest=held.head,
            project=held.fact.project,
            environment=held.fact.environment,
            since=view.state.by_digest[held.head].logged_at,
            expires=held.fact.expires,
            by=_signer(view, held.head),
            reason=str(read_blob(view.folder, held.fact.reason).get("reason", "")),
        )
        for held in view.state.freezes.values()
        if held.stands(now)
    ]


def _signer(view: RealmView, digest: str) -> str:
    key = view.state.by_digest[digest].key
    return view.name_of(key.principal) if key is not None else ""


def freeze(
    home: Path,
    realm_name: str,
    *,
    project: str,
    environment: str,
    reason: str,
    hours: int | None,
    actor: str,
    now: int,
) -> tuple[Said, Freeze]:
    """Stop what moves in; one person is enough.

    Args:
        home: folder of realms.
        realm_name: the realm.
        project: which one; empty for all.
        environment: which one; empty for all.
        reason: why, kept erasable.
        hours: until when; None for until lifted.
        actor: who freezes.
        now: Unix seconds.

    Raises:
        UsageError: LF0121 no such environment, LF0144 the hours are out of range.
        NotFound: LF4543 no such project.
        PolicyDenied: LF4557 the person may not freeze, LF4526 somebody else froze for longer.
    """
    if hours is not None and not 0 < hours <= MAX_HOURS:
        raise UsageError(
            "LF0144",
            f"A freeze lasts between 1 and {MAX_HOURS} hours, or until it is lifted; not {hours}.",
            hint="Leave --hours out to freeze until it is lifted.",
        )
    realm, person = _open(home, realm_name, project, environment, actor)
    held = realm.state.freezes.get((project, environment))
    fact = Freeze(
        lift=False,
        project=project,
        environment=environment,
        reason=realm.put_blob({"reason": reason}),
        expires=rfc3339(now + hours * 3600) if hours is not None else "",
        prev=held.head if held is not None else "",
        realm=realm.state.root,
    )
    said = _say(realm, person, fact)
    if said.envelope in realm.state.proposals:
        raise second_person(realm, said.envelope, "An end sooner than that of somebody else's freeze")
    return said, fact


def lift(
    home: Path, realm_name: str, *, project: str, environment: str, reason: str, actor: str
) -> tuple[Said, Freeze]:
    """End a freeze: whoever froze does it alone, anybody else with a second person.

    Raises:
        UsageError: LF0121 no such environment.
        NotFound: LF4543 no such project, LF4556 there is no such freeze.
        PolicyDenied: LF4557 the person may not, LF4526 it waits for a second person.
    """
    realm, person = _open(home, realm_name, project, environment, actor)
    held = realm.state.freezes.get((project, environment))
    if held is None or held.fact.lift:
        others = [scope_of(*key) for key, each in realm.state.freezes.items() if not each.fact.lift]
        raise NotFound(
            "LF4556",
            f"There is no freeze of {scope_of(project, environment)}.",
            hint=f"Frozen: {'; '.join(others) or 'nothing'}.",
        )
    fact = Freeze(
        lift=True,
        project=project,
        environment=environment,
        reason=realm.put_blob({"reason": reason}) if reason else "",
        expires="",
        prev=held.head,
        realm=realm.state.root,
    )
    said = _say(realm, person, fact)
    if said.envelope in realm.state.proposals:
        what = f"The end of the freeze of {scope_of(project, environment)}"
        raise second_person(realm, said.envelope, what)
    return said, fact


def _open(home: Path, realm_name: str, project: str, environment: str, actor: str) -> tuple[Realm, Actor]:
    realm = open_realm(home, realm_name)
    person = realm.actor(actor)
    if environment:
        need_environment(realm.state, environment)
    if project:
        need_project(realm.state, project)
    need_role(realm, person, REVOKERS, "freeze or lift a freeze", code="LF4557")
    return realm, person


def _say(realm: Realm, person: Actor, fact: Freeze) -> Said:
    what = f"{'lift the freeze of' if fact.lift else 'freeze'} {scope_of(fact.project, fact.environment)}"
    return say(realm, person, fact.statement(), what, code="LF4557")
