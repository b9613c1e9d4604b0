"""Who may say what: duties of keys, and the statements that give and take them.

A realm's log starts with a `trust/v1` statement, signed by the root key that it names; the SHA-256 of its payload is
the realm's root digest, which verifiers pin. `grant/v1` gives people and further producers their keys. People
appear as random pseudonyms; names live in erasable blobs.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING

from lockflight.core.attest import statement as st
from lockflight.core.attest.dsse import b64
from lockflight.core.attest.quorum import Seat, parse_seats
from lockflight.core.records import dataclass
from lockflight.core.shape import array, hex64, natural, obj, text, texts
from lockflight.core.times import unix
from lockflight.core.words import INTAKE, PERSON_ROLES

if TYPE_CHECKING:
    from lockflight.core.canonical import JsonObject, JsonValue

_PSEUDONYM = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

#: The clock signs checkpoints as `<origin>/clock`.
CLOCK_SUFFIX = "/clock"


class Duty(StrEnum):
    """What a key is for; evidence signed by a key of another duty is rejected."""

    ROOT = "root"
    LOG = "log"
    CLOCK = "clock"
    GATE = "gate"
    PRODUCER = "producer"
    PERSON = "person"


class RealmKind(StrEnum):
    """Decisions of a personal realm count for `development` only, those of a simulator nowhere."""

    PERSONAL = "personal"
    TEAM = "team"
    SIMULATOR = "simulator"


#: Which duty may sign which predicate type. Grants may come from the root key too: the first ones must.
DUTY_OF = {
    st.TRUST: Duty.ROOT,
    st.SCAN: Duty.PRODUCER,
    st.PROVENANCE: Duty.PRODUCER,
    st.VSA: Duty.GATE,
    st.PROMOTION: Duty.GATE,
    st.OMS: Duty.PERSON,
    st.REGISTRATION: Duty.PERSON,
    st.APPROVAL: Duty.PERSON,
    st.REVOCATION: Duty.PERSON,
    st.GRANT: Duty.PERSON,
    st.ENVIRONMENT: Duty.PERSON,
    st.POLICY: Duty.PERSON,
    st.WAIVER: Duty.PERSON,
    st.FREEZE: Duty.PERSON,
    st.REVIEW: Duty.PERSON,
    st.ISSUER: Duty.PERSON,
}


@dataclass(frozen=True, slots=True)
class RealmKey:
    """A key with its duty in a realm.

    Attributes:
        der: SubjectPublicKeyInfo; empty for a machine without a key, which tokens of a trusted issuer identify.
        duty: what it may sign.
        principal: pseudonym of the person or producer; empty for the realm's own keys.
        roles: roles of the person.
        profile: SHA-256 of the erasable blob with the name; empty if there is none.
        owner: pseudonym of the human behind a machine or a second account; empty for a person's own.
        expires: RFC 3339 Z from which the key counts no more; empty for never.
    """

    der: bytes
    duty: Duty
    principal: str = ""
    roles: tuple[str, ...] = ()
    profile: str = ""
    owner: str = ""
    expires: str = ""

    @property
    def human(self) -> str:
        """Who acts in the end: separation of duties counts humans, not accounts."""
        return self.owner or self.principal

    def expired(self, at: int) -> bool:
        """Whether it counts no more at a time in Unix seconds."""
        return bool(self.expires) and unix(self.expires) <= at

    @property
    def keyid(self) -> str:
        """Hex SHA-256 of the SubjectPublicKeyInfo; of the pseudonym, in a domain of its own, where there is no key."""
        return hashlib.sha256(self.der or b"lockflight-keyless/v1\0" + self.principal.encode()).hexdigest()

    @property
    def keyless(self) -> bool:
        """Whether no key belongs to it, so that only certificates can speak for it."""
        return not self.der


class Mode(StrEnum):
    """How an environment separates duties."""

    PEOPLE = "people"
    SMALL_TEAM = "small-team"


#: Ways to prove who approves, weakest first. `key` is possession of the person's key alone.
FACTORS = ("key", "key+totp", "webauthn")
#: Bounds of a demanded age of the proof of presence, seconds: a one-time code may be a minute old when it is typed.
MIN_STEP_UP_S, MAX_STEP_UP_S = 120, 86_400

_ENVIRONMENT = re.compile(r"[a-z][a-z0-9-]{0,38}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Environment:
    """Where releases go, and whose yes that takes.

    Attributes:
        name: such as `staging`.
        after: the environment that a release must have been in before; empty for none.
        quorum: whose approvals a promotion needs.
        requesters: roles that may move releases here; empty for any person.
        factor: the weakest of `FACTORS` with which an approval counts.
        mode: `small-team` lets an author approve after a day; every decision then says so.
        rollback_s: how long after it held a slot a release may come back without fresh evidence, seconds.
        step_up_s: how old the proof of presence may be when an approval is logged, seconds; 0 where none is demanded.
    """

    name: str
    after: str = ""
    quorum: tuple[Seat, ...] = ()
    requesters: tuple[str, ...] = ()
    factor: str = FACTORS[0]
    mode: Mode = Mode.PEOPLE
    rollback_s: int = 90 * 86_400
    step_up_s: int = 0

    def to_json(self) -> JsonObject:
        """The form in statements; without what is not demanded, as statements were before there was a step-up."""
        step_up: JsonObject = {"stepUpSeconds": self.step_up_s} if self.step_up_s else {}
        return {
            **step_up,
            "name": self.name,
            "after": self.after,
            "quorum": [seat.to_json() for seat in self.quorum],
            "requesters": list(self.requesters),
            "factor": self.factor,
            "mode": self.mode.value,
            "rollbackSeconds": self.rollback_s,
        }


_APPROVER = (Seat("approver"),)
_MOVERS = ("author", "releaser")

#: What a new realm demands: nobody for development, one other person from staging on.
LADDER = (
    Environment("development", requesters=_MOVERS),
    Environment("staging", "development", _APPROVER, _MOVERS),
    Environment("production", "staging", _APPROVER, _MOVERS),
    Environment(INTAKE, requesters=_MOVERS),
)


def parse_ladder(value: JsonValue) -> tuple[Environment, ...]:
    """Read environments: each after one that is named before it, so the order has no circle.

    Raises:
        KeyError, TypeError, ValueError: another shape.
    """
    ladder: list[Environment] = []
    for item in array(value):
        raw = obj(item)
        one = Environment(
            name=text(raw["name"]),
            after=text(raw["after"]),
            quorum=parse_seats(raw["quorum"]),
            requesters=texts(raw["requesters"]),
            factor=text(raw["factor"]),
            mode=Mode(text(raw["mode"])),
            rollback_s=natural(raw["rollbackSeconds"]),
            step_up_s=natural(raw["stepUpSeconds"]) if "stepUpSeconds" in raw else 0,
        )
        known = [step.name for step in ladder]
        if not _ENVIRONMENT.fullmatch(one.name) or one.name in known:
            raise ValueError(f"{one.name!r} is no name of an environment, or one twice")
        if one.after and one.after not in known:
            raise ValueError(f"{one.name} comes after {one.after!r}, which is not named before it")
        if one.factor not in FACTORS or not set(one.requesters) <= set(PERSON_ROLES):
            raise ValueError(f"{one.name} names a factor or a role that is unknown")
        if one.step_up_s and not MIN_STEP_UP_S <= one.step_up_s <= MAX_STEP_UP_S:
            raise ValueError(
                f"{one.name} wants a proof of presence of at most {one.step_up_s} seconds; "
                f"that is a number from {MIN_STEP_UP_S} to {MAX_STEP_UP_S}"
            )
        ladder.append(one)
    if not ladder or len(ladder) > MAX_ENVIRONMENTS:
        raise ValueError(f"no environment, or more than {MAX_ENVIRONMENTS}")
    return tuple(ladder)


MAX_ENVIRONMENTS = 50

#: What a reader must understand to fold a log; a newer log says so, and an older reader stops instead of guessing.
READER = 1


@dataclass(frozen=True, slots=True)
class Authorities:
    """Whose certificates and time stamps count in a realm, as DER; `core.verify.realmroot` reads them.

    Attributes:
        issuers: chain of each certificate authority, the one that issues leaves first, the root last.
        certificate_logs: SubjectPublicKeyInfo of the keys whose promises in certificates count.
        stampers: chain of each time-stamp authority, leaf first.
    """

    issuers: tuple[tuple[bytes, ...], ...] = ()
    certificate_logs: tuple[bytes, ...] = ()
    stampers: tuple[tuple[bytes, ...], ...] = ()

    def to_json(self) -> JsonObject:
        """The form in statements."""
        return {
            "issuers": [[_b64(one) for one in chain] for chain in self.issuers],
            "certificateLogs": [_b64(one) for one in self.certificate_logs],
            "stampers": [[_b64(one) for one in chain] for chain in self.stampers],
        }


def _authorities(value: JsonValue) -> Authorities:
    raw = obj(value)
    return Authorities(
        issuers=_chains(raw["issuers"]),
        certificate_logs=tuple(b64(one) for one in array(raw["certificateLogs"])),
        stampers=_chains(raw["stampers"]),
    )


def _chains(value: JsonValue) -> tuple[tuple[bytes, ...], ...]:
    chains = tuple(tuple(b64(one) for one in array(chain)) for chain in array(value))
    if not all(chains) or len(chains) > MAX_AUTHORITIES or max(map(len, chains), default=0) > MAX_CHAIN:
        raise ValueError("an authority has no certificate, or there are too many")
    return chains


#: Certificates that ended stay named, so that what they vouched for stays verifiable; four a year is usual.
MAX_AUTHORITIES = 200
MAX_CHAIN = 5


@dataclass(frozen=True, slots=True)
class Trust:
    """What a `trust/v1` statement says.

    Attributes:
        name: the realm's name.
        kind: personal or team.
        origin: the log's origin line.
        keys: the realm's own keys: root, log, clock, gate, producer.
        ladder: the environments that the realm starts with; `environment/v1` statements change them.
        reader: version of the fold that is needed to read the log.
        prev: root digest of the trust statement that this one replaces; empty for the first.
        authorities: whose certificates count; none in a realm where people sign with their own keys only.
        expires: RFC 3339 Z from which nothing new counts before the root key renews it; empty for never.
    """

    name: str
    kind: RealmKind
    origin: str
    keys: tuple[RealmKey, ...]
    ladder: tuple[Environment, ...]
    prev: str = ""
    reader: int = READER
    authorities: Authorities = field(default_factory=Authorities)
    expires: str = ""

    def key(self, duty: Duty) -> RealmKey:
        """The first key of a duty.

        Raises:
            KeyError: the realm has none.
        """
        for key in self.keys:
            if key.duty is duty:
                return key
        raise KeyError(duty.value)

    def statement(self) -> st.Statement:
        """The statement to sign with the root key."""
        predicate: JsonObject = {
            "name": self.name,
            "kind": self.kind.value,
            "origin": self.origin,
            "keys": [{"duty": k.duty.value, "key": _b64(k.der)} for k in self.keys],
            "environments": [step.to_json() for step in self.ladder],
            "reader": self.reader,
            "prev": self.prev,
        }
        if self.authorities != Authorities():
            predicate["authorities"] = self.authorities.to_json()
        if self.expires:
            predicate["expires"] = self.expires
        subject = st.SubjectRef(self.name, self.key(Duty.ROOT).keyid)
        return st.Statement(st.TRUST, (subject,), predicate)


def parse_trust(statement: st.Statement) -> Trust:
    """Read a `trust/v1` predicate.

    Raises:
        KeyError, TypeError, ValueError: the predicate has another shape.
    """
    raw = statement.predicate
    keys = tuple(RealmKey(b64(obj(k)["key"]), Duty(text(obj(k)["duty"]))) for k in array(raw["keys"]))
    trust = Trust(
        name=text(raw["name"]),
        kind=RealmKind(text(raw["kind"])),
        origin=text(raw["origin"]),
        keys=keys,
        ladder=parse_ladder(raw["environments"]),
        prev=text(raw["prev"]),
        reader=natural(raw["reader"]),
        authorities=_authorities(raw["authorities"]) if "authorities" in raw else Authorities(),
        expires=text(raw["expires"]) if "expires" in raw else "",
    )
    if trust.expires:
        unix(trust.expires)
    if trust.statement() != statement:
        raise ValueError("unknown fields, or a subject that is not the root key")
    for duty in (Duty.LOG, Duty.CLOCK, Duty.GATE):
        trust.key(duty)
    if len({k.keyid for k in keys}) != len(keys):
        raise ValueError("one key has two duties")
    return trust


@dataclass(frozen=True, slots=True)
class Grant:
    """What a `grant/v1` statement says: a key gets a duty and roles, or loses them.

    Attributes:
        key: the key with duty (person or producer), principal, roles and profile.
        withdrawn: the grant takes instead of giving.
        prev: envelope digest of the last effective grant of this principal; empty for the first.
        realm: root digest of the realm.
    """

    key: RealmKey
    withdrawn: bool = False
    prev: str = ""
    realm: str = ""

    def statement(self) -> st.Statement:
        """The statement to sign with the root key."""
        predicate: JsonObject = {
            "action": "withdraw" if self.withdrawn else "grant",
            "principal": self.key.principal,
            "duty": self.key.duty.value,
            "key": _b64(self.key.der),
            "roles": list(self.key.roles),
            "profile": self.key.profile,
            "owner": self.key.owner,
            "expires": self.key.expires,
            "realm": self.realm,
            "prev": self.prev,
        }
        return st.Statement(st.GRANT, (st.SubjectRef(self.key.principal, self.key.keyid),), predicate)


def parse_grant(statement: st.Statement) -> Grant:
    """Read a `grant/v1` predicate.

    Raises:
        KeyError, TypeError, ValueError: the predicate has another shape, or the duty is one that only
            `trust/v1` gives.
    """
    raw = statement.predicate
    duty = Duty(text(raw["duty"]))
    if duty not in {Duty.PERSON, Duty.PRODUCER}:
        raise ValueError(f"a grant cannot give the duty {duty.value}")
    key = RealmKey(
        der=b64(raw["key"]),
        duty=duty,
        principal=text(raw["principal"]),
        roles=texts(raw["roles"]),
        profile=text(raw["profile"]),
        owner=text(raw["owner"]),
        expires=text(raw["expires"]),
    )
    action = text(raw["action"])
    grant = Grant(key, withdrawn=action == "withdraw", prev=text(raw["prev"]), realm=hex64(raw["realm"]))
    if grant.statement() != statement:
        raise ValueError("unknown fields or action")
    if not _PSEUDONYM.fullmatch(key.principal) or (key.owner and not _PSEUDONYM.fullmatch(key.owner)):
        raise ValueError("a principal is a pseudonym")
    if not set(key.roles) <= set(PERSON_ROLES):
        raise ValueError("a role that no realm knows")
    if key.keyless and (duty is not Duty.PRODUCER or not key.owner):
        raise ValueError("only a machine with an owner may be without a key")
    if key.expires:
        unix(key.expires)
    return grant


def follows(old: Trust, new: Trust) -> str:
    """Why a trust statement cannot replace the one before; empty when it can.

    Everything but the keys of root, gate and producer is fixed when a realm is made.
    """
    if new.prev != root_digest(old.statement().payload()):
        return "it does not follow the realm's current trust statement"
    if (new.name, new.origin, new.kind) != (old.name, old.origin, old.kind):
        return "it changes the realm's name, origin or kind, which are fixed"
    if any(new.key(duty) != old.key(duty) for duty in (Duty.LOG, Duty.CLOCK)):
        return "it changes the log's or the clock's key, which sign every checkpoint"
    if new.ladder != old.ladder:
        return "it changes the environments, which environment statements do"
    return ""


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def root_digest(payload: bytes) -> str:
    """The digest that verifiers pin: SHA-256 (hex) of the first trust statement's payload."""
    return hashlib.sha256(payload).hexdigest()
