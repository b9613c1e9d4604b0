"""People and machines of a realm: proposing their keys and roles, and taking them back at once.

Giving takes two people: what is proposed here changes nothing until another person consents with `review`. Taking
back is an incident and takes one.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from lockflight.app.identity.proposals import waiting
from lockflight.app.identity.totp import enrolled
from lockflight.app.realm.realm import open_realm
from lockflight.app.realm.speak import Said, log, need_role, rehearse, say
from lockflight.app.realm.view import Profile, gone, read_profile
from lockflight.core.attest.acts import Revocation, Scope, identity_digest
from lockflight.core.attest.trust import Duty, Grant, RealmKey
from lockflight.core.records import dataclass
from lockflight.core.state.state import REVOKERS
from lockflight.core.text.suggest import did_you_mean
from lockflight.core.times import rfc3339
from lockflight.core.words import PERSON_ROLES
from lockflight.errors import NotFound, PolicyDenied, UsageError
from lockflight.signing.keys import generate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lockflight.app.realm.realm import Actor, Realm
    from lockflight.app.realm.view import RealmView
    from lockflight.core.state.state import State
    from lockflight.signing.keys import FileSigner

#: Roles that a machine may hold: it makes evidence and nothing else.
MACHINE_ROLES = ("builder", "evaluator")
#: Longest life of a machine's key, in hours, and what it gets where nothing is said.
MAX_MACHINE_HOURS = 720
MACHINE_HOURS = 24

#: Who neither acts nor can act again under their pseudonym, unless two people grant it anew.
GONE = frozenset({"revoked", "withdrawn"})

_NAME = re.compile(r"[^\W_](?:[\w .'@+-]{0,62}[\w.])?")
_PSEUDONYM = re.compile(r"p-[0-9a-f]{16}")
_EMAIL = re.compile(r"[^\s@<>\"]{1,64}@[^\s@<>\"]{1,189}")
MAX_EMAILS = 20


@dataclass(frozen=True, slots=True)
class Proposed:
    """A change of a person or machine that waits for a second person.

    Attributes:
        said: the statement in the log.
        grant: what it says.
        name: of the person or machine.
        key_file: where the new private key lies; None where the key stays as it is.
        namesakes: pseudonyms of those who bore the name before.
        waits: whether it waits for a second person; a personal realm has none.
        replaced: id of the key that a new one takes the place of; empty for none.
    """

    said: Said
    grant: Grant
    name: str
    key_file: Path | None = None
    namesakes: tuple[str, ...] = ()
    waits: bool = True
    replaced: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """A person or machine, as the realm knows it.

    Attributes:
        name: or the pseudonym, where the name was erased.
        key: with pseudonym, duty, roles, owner and expiry.
        owner: name of the human behind it; empty for a person's own.
        emails: addresses under which they commit.
        state: active, expired, revoked, withdrawn, or waiting for a second person.
        here: whether this home holds the private key.
        proposal: envelope digest of a change that waits; empty for none.
        totp: whether a second factor is enrolled in this home.
    """

    name: str
    key: RealmKey
    owner: str
    emails: tuple[str, ...]
    state: str
    here: bool
    proposal: str
    totp: bool = False

    @property
    def machine(self) -> bool:
        """Whether it is no human."""
        return self.key.duty is Duty.PRODUCER


def check_name(name: str) -> str:
    """A name that a person or machine may bear: one line, and no pseudonym, which would pass for another's.

    Raises:
        UsageError: LF0133 it is none.
    """
    if not _NAME.fullmatch(name) or _PSEUDONYM.fullmatch(name):
        raise UsageError(
            "LF0133",
            f"{name!r} is no name: letters, digits, spaces and . ' @ + -, at most 64, a letter or digit first.",
            hint="lockflight identity add dana --role approver",
        )
    return name


def check_roles(roles: Sequence[str], *, machine: bool = False) -> tuple[str, ...]:
    """Roles in the order in which the house names them.

    Raises:
        UsageError: LF0113 one is no role; LF0125 a machine gets a person's role, or nobody gets any.
    """
    for role in roles:
        if role not in PERSON_ROLES:
            known = f"Use one of {', '.join(PERSON_ROLES)}."
            hint = did_you_mean(role, PERSON_ROLES, otherwise=known)
            raise UsageError("LF0113", f"{role!r} is no role.", hint=hint)
    if machine and not set(roles) <= set(MACHINE_ROLES):
        raise UsageError(
            "LF0125",
            "A machine makes evidence; it does not approve, release or administer.",
            hint=f"Roles of machines: {', '.join(MACHINE_ROLES)}.",
        )
    if not roles:
        raise UsageError(
            "LF0125", "Nobody joins a realm without a role.", hint=f"Roles: {', '.join(PERSON_ROLES)}."
        )
    return tuple(role for role in PERSON_ROLES if role in roles)


def add(  # noqa: PLR0913 - each is an option of the verb
    home: Path,
    realm_name: str,
    name: str,
    *,
    roles: Sequence[str],
    emails: Sequence[str] = (),
    machine: bool = False,
    owner: str = "",
    hours: int | None = None,
    no_key: bool = False,
    same_name: bool = False,
    actor: str,
    now: int,
) -> Proposed:
    """Propose a new person or machine; the key is made in this home.

    Args:
        home: folder of realms.
        realm_name: the realm.
        name: what people will call them.
        roles: what they may do.
        emails: addresses under which they commit.
        machine: whether it is no human; then `owner` answers for it and the key lives `hours`.
        owner: name of the human behind a machine or a second account.
        hours: life of the key; None for a day (machines) or for ever (people).
        no_key: a machine that has no key: tokens of a trusted issuer identify it, and certificates speak for it.
        same_name: give a name out again that somebody bore who was revoked or has left; they stay what they are.
        actor: who proposes.
        now: Unix seconds.

    Raises:
        UsageError: LF0113, LF0114, LF0133, LF0125 name, roles or addresses; LF0126 owner or hours.
        PolicyDenied: LF4601 a personal realm; LF4602 who proposes may not.
    """
    check_name(name)
    roles = check_roles(roles, machine=machine)
    profile = Profile(name, _emails(emails))
    expires = _expiry(machine=machine and not no_key, hours=hours, now=now)
    if no_key and not machine:
        raise UsageError("LF0126", "Only a machine can be without a key.", hint="--machine --owner NAME")
    if machine and not owner:
        raise UsageError(
            "LF0126",
            "A machine needs an owner: the person who answers for what it signs.",
            hint="--owner NAME",
        )
    realm, person = _realm(home, realm_name, actor)
    before = _free(realm, name, now, same_name=same_name)
    human = _human(realm, owner) if owner else ""
    signer = None if no_key else generate()
    duty = Duty.PRODUCER if machine else Duty.PERSON
    key = RealmKey(
        signer.public_der if signer is not None else b"",
        duty,
        f"p-{secrets.token_hex(8)}",
        roles,
        "",
        human,
        expires,
    )
    done = _propose(realm, person, key, profile, f"add {name}", signer=signer)
    return replace(done, namesakes=before)


def grant(
    home: Path, realm_name: str, name: str, *, roles: Sequence[str], emails: Sequence[str] | None, actor: str
) -> Proposed:
    """Propose other roles for a person or machine, who keeps the key.

    Raises:
        NotFound: LF4605 nobody of that name.
        UsageError: LF0113, LF0125 the roles or addresses.
        PolicyDenied: LF4601 a personal realm; LF4602 who proposes may not.
    """
    realm, person = _realm(home, realm_name, actor)
    held = find(realm.view, name)
    roles = check_roles(roles, machine=held.duty is Duty.PRODUCER)
    profile = None
    if emails is not None:
        profile = Profile(realm.view.name_of(held.principal), _emails(emails))
    what = f"change the roles of {realm.view.name_of(held.principal)}"
    return _propose(realm, person, replace(held, roles=roles), profile, what)


def renew(
    home: Path,
    realm_name: str,
    name: str,
    *,
    hours: int | None = None,
    actor: str,
    now: int,
    own: bool = False,
) -> Proposed:
    """Propose a new key for a machine, or for a person who lost theirs; the old one counts until then.

    Args:
        home: folder of realms.
        realm_name: the realm.
        name: whose.
        hours: life of the key; None for a day (machines) or for ever (people).
        actor: who proposes.
        now: Unix seconds.
        own: it is the key of who proposes, whatever `name` says; then a personal realm gives it at once.

    Raises:
        NotFound: LF4605 nobody of that name.
        UsageError: LF0126 the hours.
        PolicyDenied: LF4601 a personal realm; LF4602 who proposes may not.
    """
    realm, person = _realm(home, realm_name, actor, alone=own)
    held = find(realm.view, person.principal if own else name)
    expires = _expiry(machine=held.duty is Duty.PRODUCER and not held.keyless, hours=hours, now=now)
    if held.keyless:
        what = f"let {realm.view.name_of(held.principal)} stay"
        return _propose(realm, person, replace(held, expires=expires), None, what)
    signer = generate()
    key = replace(held, der=signer.public_der, expires=expires)
    what = f"renew the key of {realm.view.name_of(held.principal)}"
    return replace(_propose(realm, person, key, None, what, signer=signer), replaced=held.keyid)


def withdraw(home: Path, realm_name: str, name: str, *, actor: str) -> Proposed:
    """Propose that somebody leaves: what they signed stays, and they sign nothing more.

    Raises:
        NotFound: LF4605 nobody of that name.
        PolicyDenied: LF4601 a personal realm; LF4602 who proposes may not.
    """
    realm, person = _realm(home, realm_name, actor)
    held = find(realm.view, name)
    what = f"withdraw {realm.view.name_of(held.principal)}"
    return _propose(realm, person, held, None, what, withdrawn=True)


def revoke(home: Path, realm_name: str, name: str, *, reason: str, note: str, actor: str) -> tuple[Said, str]:
    """Take a person or machine back at once, with all their keys and machines; one person does that.

    Returns:
        The statement, and the pseudonym that is revoked.

    Raises:
        NotFound: LF4605 nobody of that name.
        PolicyDenied: LF4601 a personal realm; LF4522 who asks may not revoke.
    """
    realm, person = _realm(home, realm_name, actor)
    need_role(realm, person, REVOKERS, "revoke", code="LF4522")
    held = find(realm.view, name)
    blob = realm.put_blob({"note": note}) if note else ""
    statement = Revocation(
        Scope.IDENTITY, identity_digest(held.principal), held.principal, reason, blob, realm.state.root
    )
    said = say(realm, person, statement.statement(), f"revoke {name}", code="LF4522")
    return said, held.principal


def find(view: RealmView, name: str) -> RealmKey:
    """The active key of a person or machine by name or pseudonym.

    Raises:
        NotFound: LF4605 there is none.
    """
    keys = [key for key in view.state.keys.values() if key.principal]
    for key in keys:
        if name in {key.principal, view.name_of(key.principal)}:
            return key
    names = sorted(view.name_of(key.principal) for key in keys)
    why = gone(view, name)
    if why:
        raise NotFound(
            "LF4605",
            f"{why}, so nothing of theirs can be changed in the realm {view.name!r}.",
            hint=f"lockflight identity add {name} --same-name --role ROLE lets somebody of that name in anew",
        )
    raise NotFound(
        "LF4605",
        f"Nobody called {name!r} holds a key in the realm {view.name!r}.",
        hint=did_you_mean(name, names, otherwise=f"Known: {', '.join(names) or 'nobody'}."),
    )


def identities(realm: Realm, now: int) -> list[Identity]:
    """Everybody whom the realm ever granted something, and who waits for that; by name."""
    view, state = realm.view, realm.state
    newest = {p.fact.key.principal: p for p in waiting(state, now) if isinstance(p.fact, Grant)}
    keys: dict[str, RealmKey] = {}
    for record in state.records:
        if record.effective and isinstance(record.fact, Grant):
            principal = record.fact.key.principal
            asked = state.proposals.get(record.digest)
            if asked is None or asked.consented or principal not in state.grant_heads:
                keys[principal] = record.fact.key
    keys |= {key.principal: key for key in state.keys.values() if key.principal}
    rows = []
    for principal, key in keys.items():
        profile = read_profile(view.folder, key.profile)
        waits = newest.get(principal)
        standing = _standing(state, key, now)
        if not standing:
            continue  # proposed once, and never consented to
        rows.append(
            Identity(
                name=view.name_of(principal),
                key=key,
                owner=view.name_of(key.owner) if key.owner else "",
                emails=profile.emails if profile is not None else (),
                state=standing,
                here=realm.key_of(key) is not None,
                proposal=waits.digest if waits is not None else "",
                totp=enrolled(realm, principal),
            )
        )
    return sorted(rows, key=lambda row: (row.name, row.key.principal))


def _standing(state: State, key: RealmKey, now: int) -> str:
    if key.keyid in state.keys:
        return "expired" if key.expired(now) else "active"
    if key.principal in state.revoked_people or key.keyid in state.revoked_keys:
        return "revoked"
    if key.principal in state.grant_heads:
        return "withdrawn"
    known = [p.fact for p in waiting(state, now) if isinstance(p.fact, Grant)]
    return "waiting" if any(fact.key.principal == key.principal for fact in known) else ""


def _realm(home: Path, realm_name: str, actor: str, *, alone: bool = False) -> tuple[Realm, Actor]:
    realm = open_realm(home, realm_name)
    if realm.personal and not alone:
        raise PolicyDenied(
            "LF4601",
            "A personal realm has one person, who holds every role.",
            hint="lockflight realm init NAME --member you=author --member colleague=approver",
        )
    return realm, realm.actor(actor)


def _free(realm: Realm, name: str, now: int, *, same_name: bool) -> tuple[str, ...]:
    """Pseudonyms of those who bore the name and are gone; refused while somebody bears it, or without being asked."""
    rows = [row for row in identities(realm, now) if row.name == name]
    present = next((row for row in rows if row.state not in GONE), None)
    if present is not None:
        raise UsageError(
            "LF0114",
            f"The realm {realm.name!r} has a {name!r} already ({present.state}); a name belongs to one.",
            hint=f"lockflight identity grant {name} --role ROLE changes the roles; else choose another name.",
        )
    if rows and not same_name:
        gone = ", ".join(f"{row.key.principal}, {row.state}" for row in rows)
        raise UsageError(
            "LF0114",
            f"The realm {realm.name!r} had a {name!r} before ({gone}), who stays so. Whoever is added is another "
            "person to it, who could approve what the first one made.",
            hint="Choose another name, or add --same-name; whoever consents is told.",
        )
    return tuple(row.key.principal for row in rows)


def _human(realm: Realm, owner: str) -> str:
    key = find(realm.view, owner)
    if key.duty is not Duty.PERSON or key.owner:
        raise UsageError(
            "LF0126",
            f"{owner} is no human of their own, so nobody answers for what the machine signs.",
            hint="--owner NAME of a person: lockflight identity list",
        )
    return key.principal


def _emails(emails: Sequence[str]) -> tuple[str, ...]:
    for word in emails:
        if not _EMAIL.fullmatch(word) or not word.isprintable():
            raise UsageError("LF0133", f"{word!r} is no e-mail address.", hint="--email dana@example.com")
    if len(emails) > MAX_EMAILS:
        raise UsageError("LF0133", f"More than {MAX_EMAILS} addresses.", hint="Name those that commits bear.")
    return tuple(dict.fromkeys(word.lower() for word in emails))


def _expiry(*, machine: bool, hours: int | None, now: int) -> str:
    if hours is None:
        return rfc3339(now + MACHINE_HOURS * 3600) if machine else ""
    if not 0 < hours <= MAX_MACHINE_HOURS:
        raise UsageError(
            "LF0126", f"A key lives between 1 and {MAX_MACHINE_HOURS} hours, not {hours}.", hint="--hours 24"
        )
    return rfc3339(now + hours * 3600)


def _propose(
    realm: Realm,
    person: Actor,
    key: RealmKey,
    profile: Profile | None,
    what: str,
    *,
    signer: FileSigner | None = None,
    withdrawn: bool = False,
) -> Proposed:
    """Log a grant; its key is on disk before the log names it, and nothing is left where it is refused."""
    name = profile.name if profile is not None else realm.view.name_of(key.principal)
    if profile is not None:
        blob = realm.put_blob({"name": profile.name, "emails": list(profile.emails)})
        key = replace(key, profile=blob)
    fact = Grant(key, withdrawn, realm.state.grant_heads.get(key.principal, ""), realm.state.root)
    try:
        rehearse(realm, person, fact.statement(), what)
    except BaseException:
        if profile is not None:
            realm.erase_blob(key.profile)
        raise
    path = realm.keep(key.principal, signer) if signer is not None else None
    said = log(realm, person, fact.statement(), what)
    return Proposed(said, fact, name, path, waits=not realm.personal)
