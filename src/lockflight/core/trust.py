"""Who may say what: duties of keys, and the statements that give and take them.

A realm's log starts with a `trust/v1` statement, signed by the root key that it names; the SHA-256 of its payload is
the realm's root digest, which verifiers pin. `grant/v1` gives people and further producers their keys. People
appear as random pseudonyms; names live in erasable blobs.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from lockflight.core import statement as st
from lockflight.core.dsse import b64
from lockflight.core.shape import array, natural, obj, text, texts

if TYPE_CHECKING:
    from lockflight.core.canonical import JsonObject


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
    """Decisions of a personal realm count for `development` only."""

    PERSONAL = "personal"
    TEAM = "team"


#: Which duty may sign which predicate type.
DUTY_OF = {
    st.TRUST: Duty.ROOT,
    st.GRANT: Duty.ROOT,
    st.SCAN: Duty.PRODUCER,
    st.PROVENANCE: Duty.PRODUCER,
    st.VSA: Duty.GATE,
    st.PROMOTION: Duty.GATE,
    st.OMS: Duty.PERSON,
    st.REGISTRATION: Duty.PERSON,
    st.APPROVAL: Duty.PERSON,
    st.REVOCATION: Duty.PERSON,
}


@dataclass(frozen=True, slots=True)
class RealmKey:
    """A key with its duty in a realm.

    Attributes:
        der: SubjectPublicKeyInfo.
        duty: what it may sign.
        principal: pseudonym of the person or producer; empty for the realm's own keys.
        roles: roles of the person.
        profile: SHA-256 of the erasable blob with the name; empty if there is none.
    """

    der: bytes
    duty: Duty
    principal: str = ""
    roles: tuple[str, ...] = ()
    profile: str = ""

    @property
    def keyid(self) -> str:
        """Hex SHA-256 of the SubjectPublicKeyInfo."""
        return hashlib.sha256(self.der).hexdigest()


@dataclass(frozen=True, slots=True)
class Environment:
    """A step of the ladder: its name, how many approvals a promotion into it needs, and which roles may give them."""

    name: str
    approvals: int = 0
    roles: tuple[str, ...] = ()


#: What a new realm demands: nobody for development, one other person from staging on.
LADDER = (
    Environment("development"),
    Environment("staging", 1, ("approver",)),
    Environment("production", 1, ("approver",)),
)

#: What a reader must understand to fold a log; a newer log says so, and an older reader stops instead of guessing.
READER = 1


@dataclass(frozen=True, slots=True)
class Trust:
    """What a `trust/v1` statement says.

    Attributes:
        name: the realm's name.
        kind: personal or team.
        origin: the log's origin line.
        keys: the realm's own keys: root, log, clock, gate, producer.
        ladder: the environments in order of promotion, with their quorums.
        reader: version of the fold that is needed to read the log.
        prev: root digest of the trust statement that this one replaces; empty for the first.
    """

    name: str
    kind: RealmKind
    origin: str
    keys: tuple[RealmKey, ...]
    ladder: tuple[Environment, ...]
    prev: str = ""
    reader: int = READER

    @property
    def environments(self) -> tuple[str, ...]:
        """Names of the environments in order of promotion."""
        return tuple(step.name for step in self.ladder)

    def environment(self, name: str) -> Environment | None:
        """The environment of that name."""
        return next((step for step in self.ladder if step.name == name), None)

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
            "keys": [{"duty": k.duty.value, "key": base64.b64encode(k.der).decode()} for k in self.keys],
            "environments": [
                {"name": e.name, "approvals": e.approvals, "roles": list(e.roles)} for e in self.ladder
            ],
            "reader": self.reader,
            "prev": self.prev,
        }
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
        ladder=tuple(
            Environment(text(obj(e)["name"]), natural(obj(e)["approvals"]), texts(obj(e)["roles"]))
            for e in array(raw["environments"])
        ),
        prev=text(raw["prev"]),
        reader=natural(raw["reader"]),
    )
    if trust.statement() != statement:
        raise ValueError("unknown fields, or a subject that is not the root key")
    for duty in (Duty.LOG, Duty.CLOCK, Duty.GATE):
        trust.key(duty)
    if not trust.ladder or len(set(trust.environments)) != len(trust.ladder):
        raise ValueError("no environment, or one twice")
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
    """

    key: RealmKey
    withdrawn: bool = False
    prev: str = ""

    def statement(self) -> st.Statement:
        """The statement to sign with the root key."""
        predicate: JsonObject = {
            "action": "withdraw" if self.withdrawn else "grant",
            "principal": self.key.principal,
            "duty": self.key.duty.value,
            "key": base64.b64encode(self.key.der).decode(),
            "roles": list(self.key.roles),
            "profile": self.key.profile,
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
    )
    action = text(raw["action"])
    grant = Grant(key, withdrawn=action == "withdraw", prev=text(raw["prev"]))
    if grant.statement() != statement:
        raise ValueError("unknown fields or action")
    if not key.principal:
        raise ValueError("a grant without a principal")
    return grant


def root_digest(payload: bytes) -> str:
    """The digest that verifiers pin: SHA-256 (hex) of the first trust statement's payload."""
    return hashlib.sha256(payload).hexdigest()
