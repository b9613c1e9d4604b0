"""State of a realm: the records that the fold makes of log entries, and what they add up to. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import field, fields
from typing import TYPE_CHECKING

from lockflight.core.attest.acts import FULL_EXPOSURE
from lockflight.core.attest.trust import Duty, Environment, RealmKey, RealmKind, Trust
from lockflight.core.canonical import dumps
from lockflight.core.records import dataclass
from lockflight.core.release.ownpolicy import own_digest, own_from_json
from lockflight.core.shape import array, hex64, obj, text
from lockflight.core.times import unix

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lockflight.core.attest import statement as st
    from lockflight.core.attest.acts import Promotion, Revocation
    from lockflight.core.attest.changes import Adoption, Freeze
    from lockflight.core.attest.scanfact import ScanFact
    from lockflight.core.state.issuers import TrustedIssuer

#: The version of builds that are not released: it belongs to no digest.
UNVERSIONED = "dev"

#: Roles that may sign and register a release.
MAKERS = frozenset({"author", "builder"})
#: Roles that may revoke and freeze.
REVOKERS = frozenset({"approver", "risk-owner", "realm-admin"})
#: Roles that may take a release out of a slot, beside those that may move one in.
RESCUERS = REVOKERS | {"releaser"}
#: Roles that may propose grants, environments and policies.
ADMINS = frozenset({"realm-admin"})


@dataclass(frozen=True, slots=True)
class FoldEntry:
    """What the fold reads: one log entry with its envelope.

    Attributes:
        index: position in the log.
        leaf: exact leaf bytes.
        digest: hex SHA-256 of the envelope, as the log's store says.
        envelope: its bytes; None when erased.
        logged_at: Unix seconds; -1 while no checkpoint covers it.
    """

    index: int
    leaf: bytes
    digest: str
    envelope: bytes | None
    logged_at: int


@dataclass(frozen=True, slots=True)
class Record:
    """One entry after the fold.

    Attributes:
        index, digest, logged_at: as in the entry.
        type: short name of the predicate type; empty when nothing could be read.
        subject: digest of the statement's grain.
        name: name of that subject.
        signer: key id of the signature.
        key: what the realm knew of that key at that index; None for a stranger.
        code: why the entry is ineffective; empty when effective.
        reason: the same in words.
        fact: the parsed predicate; None when ineffective before it could be read, or of a foreign type.
        statement: the statement; None when unreadable.
    """

    index: int
    digest: str
    logged_at: int
    type: str = ""
    subject: str = ""
    name: str = ""
    signer: str = ""
    key: RealmKey | None = None
    code: str = ""
    reason: str = ""
    fact: object = None
    statement: st.Statement | None = None

    @property
    def effective(self) -> bool:
        """Whether the entry counts."""
        return not self.code


@dataclass(frozen=True, slots=True)
class Signed:
    """What the fold reads of a release's signature.

    Attributes:
        release: SHA-256 of the very bytes that were signed.
        contents: SHA-256 of every file and reference descriptor in it, and what references and dependencies are
            pinned to.
        header: name, version, kind and tier, as they were signed; empty where another tool signed.
        policy: digest of the release's own policy; empty where it has none.
    """

    release: str
    contents: frozenset[str]
    header: tuple[str, ...] = ()
    policy: str = ""


@dataclass(slots=True)
class Slot:
    """What a slot of an environment holds, and what it held.

    Attributes:
        project, environment, name: which slot.
        head: envelope digest of the newest effective change.
        current: the promotion whose release it holds; None for none.
        candidate: the promotion of the release that gets a part of the traffic; None for none.
        since: Unix seconds from which `current` holds it.
        moved: Unix seconds of the newest change, exposures too.
        entered: Unix seconds at which a release last came in by a decision.
        history: (Unix seconds, promotion) of every release that held it, oldest first.
        left: release digest to the Unix seconds at which it last stopped holding the slot.
    """

    project: str
    environment: str
    name: str
    head: str = ""
    current: Promotion | None = None
    candidate: Promotion | None = None
    since: int = -1
    moved: int = -1
    entered: int = -1
    history: list[tuple[int, Promotion]] = field(default_factory=list)
    left: dict[str, int] = field(default_factory=dict)

    @property
    def exposures(self) -> dict[str, int]:
        """Release digest to basis points of the traffic; they add up to 10000, or nothing is held."""
        if self.current is None:
            return {}
        part = self.candidate.exposure if self.candidate is not None else 0
        rows = {self.current.release: FULL_EXPOSURE - part}
        return rows if self.candidate is None else {**rows, self.candidate.release: part}

    def hold(self, fact: Promotion | None, now: int) -> None:
        """From `now` (Unix seconds) on it holds this release alone; None empties it."""
        if self.current is not None:
            self.left[self.current.release] = now
        self.current, self.candidate, self.since = fact, None, now
        if fact is not None:
            self.history.append((now, fact))

    def held_within(self, release: str, now: int, window_s: int) -> bool:
        """Whether it holds the release, or held it less than `window_s` seconds ago."""
        if self.current is not None and self.current.release == release:
            return True
        return release in self.left and now - self.left[release] <= window_s


@dataclass(slots=True)
class Proposal:
    """A change that waits for a second person, or did.

    Attributes:
        digest, index, logged_at: of its statement.
        kind: short name of its type.
        proposer, human: pseudonym of who signed it, and of the human behind; empty for the root key.
        fact: what it says.
        decided_at: Unix seconds; -1 while it waits.
        decided_by: the human who decided.
        consented: whether it took effect.
        keys: ids of the keys of who proposed and who decided.
        depth: how many waivers this one follows.
    """

    digest: str
    kind: str
    index: int
    logged_at: int
    proposer: str
    human: str
    fact: object
    decided_at: int = -1
    decided_by: str = ""
    consented: bool = False
    keys: tuple[str, ...] = ()
    depth: int = 0

    def decide(self, key: RealmKey, now: int, *, consented: bool) -> None:
        """Record the second person's word."""
        self.decided_at, self.decided_by, self.consented = now, key.human, consented
        self.keys = (*self.keys, key.keyid)


@dataclass(frozen=True, slots=True)
class GrantOrigin:
    """Who proposed and who consented to a principal's grant (empty for a founding one), and when."""

    proposer: str
    seconder: str
    logged_at: int


@dataclass(frozen=True, slots=True)
class FreezeState:
    """The newest statement about a scope: what it says, its envelope digest, and who may lift it alone (or nobody)."""

    fact: Freeze
    head: str
    human: str

    def stands(self, now: int) -> bool:
        """Whether it freezes at a time in Unix seconds."""
        return not self.fact.lift and (not self.fact.expires or unix(self.fact.expires) > now)


@dataclass(slots=True)
class Emergency:
    """A break-glass that was used: it blocks its project until a human who took no part has reviewed it."""

    project: str
    release: str
    participants: frozenset[str]
    closed: bool = False


@dataclass(slots=True)
class State:
    """State of a realm at one tree size. Built by `fold`; read by everybody else.

    `former` holds the realm's own keys that a trust statement replaced, by id.
    """

    root: str
    trust: Trust
    records: list[Record] = field(default_factory=list)
    keys: dict[str, RealmKey] = field(default_factory=dict)
    grant_heads: dict[str, str] = field(default_factory=dict)
    slots: dict[tuple[str, str, str], Slot] = field(default_factory=dict)
    registrations: dict[str, list[Record]] = field(default_factory=dict)
    signatures: dict[str, list[Record]] = field(default_factory=dict)
    scans: dict[str, list[Record]] = field(default_factory=dict)
    provenance: dict[str, list[Record]] = field(default_factory=dict)
    decisions: dict[tuple[str, str], list[Record]] = field(default_factory=dict)
    approvals: dict[tuple[str, str], list[Record]] = field(default_factory=dict)
    revoked: dict[str, tuple[Revocation, Record]] = field(default_factory=dict)
    revoked_keys: dict[str, tuple[Revocation, Record]] = field(default_factory=dict)
    vouched: dict[str, str] = field(default_factory=dict)
    issued: dict[str, str] = field(default_factory=dict)
    versions: dict[tuple[str, str], str] = field(default_factory=dict)
    by_digest: dict[str, Record] = field(default_factory=dict)
    used_approvals: set[str] = field(default_factory=set)
    others: dict[str, list[Record]] = field(default_factory=dict)
    ladder: tuple[Environment, ...] = ()
    ladder_head: str = ""
    adoptions: list[tuple[Adoption, str]] = field(default_factory=list)
    policy_head: str = ""
    proposals: dict[str, Proposal] = field(default_factory=dict)
    grant_origins: dict[str, GrantOrigin] = field(default_factory=dict)
    freezes: dict[tuple[str, str], FreezeState] = field(default_factory=dict)
    emergencies: dict[str, Emergency] = field(default_factory=dict)
    revoked_people: dict[str, tuple[Revocation, Record]] = field(default_factory=dict)
    nonces: set[tuple[str, str]] = field(default_factory=set)
    humans: dict[str, str] = field(default_factory=dict)
    withdrawn: set[str] = field(default_factory=set)
    roles_given: set[str] = field(default_factory=set)
    changes: list[Proposal] = field(default_factory=list)
    issuers: dict[str, TrustedIssuer] = field(default_factory=dict)
    issuer_heads: dict[str, str] = field(default_factory=dict)
    former: dict[str, RealmKey] = field(default_factory=dict)
    founding: bool = True

    def fork(self) -> State:
        """Another state to take entries into, such as those that were logged since; this one stays as it is."""
        made: dict[int, object] = {}
        return State(**{one.name: _copied(getattr(self, one.name), made) for one in fields(self)})  # type: ignore[arg-type]

    @property
    def alone(self) -> bool:
        """Whether one person holds every role: a personal realm."""
        return self.trust.kind is RealmKind.PERSONAL

    @property
    def environments(self) -> tuple[str, ...]:
        """Names of the environments, each after those that it follows."""
        return tuple(step.name for step in self.ladder)

    def environment(self, name: str) -> Environment | None:
        """The environment of that name."""
        return next((step for step in self.ladder if step.name == name), None)

    def policy(self, environment: str) -> Adoption | None:
        """The adopted policy that judges there; None for the one that ships with Lockflight."""
        for adoption, _ in reversed(self.adoptions):
            if not adoption.environments or environment in adoption.environments:
                return adoption
        return None

    @property
    def waivers(self) -> dict[str, Proposal]:
        """Every waiver and break-glass, by envelope digest."""
        return {digest: p for digest, p in self.proposals.items() if p.kind == "waiver"}

    def frozen(self, project: str, environment: str, now: int) -> FreezeState | None:
        """The freeze that stops a project in an environment at a time in Unix seconds."""
        for scope in ((project, environment), (project, ""), ("", environment), ("", "")):
            held = self.freezes.get(scope)
            if held is not None and held.stands(now):
                return held
        return None

    @property
    def ineffective(self) -> list[Record]:
        """Entries that do not count, with their reasons."""
        return [r for r in self.records if not r.effective]

    def slot(self, project: str, environment: str, name: str = "main") -> Slot:
        """The slot; empty when it never held anything."""
        return self.slots.get((project, environment, name)) or Slot(project, environment, name)

    def revocation(self, digests: Iterable[str]) -> tuple[Revocation, Record] | None:
        """The first revocation that hits one of these digests."""
        return next((self.revoked[d] for d in digests if d in self.revoked), None)

    def owner(self, name: str, version: str) -> str:
        """Digest of the release that a name and version belong to; empty for none, and for unversioned builds."""
        return self.versions.get((name, version), "") if version != UNVERSIONED else ""

    def contents(self, release: str) -> frozenset[str]:
        """Digests of everything in a signed release: its files, its references and what these are pinned to."""
        signed = next((r.fact for r in self.signatures.get(release, [])), None)
        return signed.contents if isinstance(signed, Signed) else frozenset()

    def own_policy(self, release: str) -> str | None:
        """Digest of the policy that a release brings along: empty for none, None where it was never signed here."""
        signed = next((r.fact for r in self.signatures.get(release, [])), None)
        return signed.policy if isinstance(signed, Signed) else None

    def revocation_of(self, release: str) -> tuple[Revocation, Record] | None:
        """The revocation that hits a release: its own, or that of anything in it."""
        if not self.revoked:
            return None
        return self.revocation([release, *sorted(self.contents(release))])

    def human(self, principal: str) -> str:
        """The human behind a principal, as the newest grant said; the principal itself where none did."""
        return self.humans.get(principal, principal)

    def selves(self, key: RealmKey) -> frozenset[str]:
        """Everybody that a key may stand for: its principal and the humans behind, then and as granted now."""
        return frozenset({key.principal, key.human, self.human(key.principal), self.human(key.human)} - {""})

    def machine(self, principal: str) -> RealmKey | None:
        """The grant of a machine that somebody answers for; None for people, producers and strangers."""
        for key in self.keys.values():
            if key.principal == principal and key.duty is Duty.PRODUCER and key.owner:
                return key
        return None

    def people(self) -> dict[str, RealmKey]:
        """People with an active key, by pseudonym."""
        return {k.principal: k for k in self.keys.values() if k.duty is Duty.PERSON}


def _copied(value: object, made: dict[int, object]) -> object:
    """A copy of whatever a fold changes in place; what is one thing in two places stays one."""
    if isinstance(value, dict):
        return {key: _copied(held, made) for key, held in value.items()}
    if isinstance(value, list):
        return [_copied(held, made) for held in value]
    if isinstance(value, set):
        return set(value)
    if not isinstance(value, (Slot, Proposal, Emergency)):
        return value
    if id(value) not in made:
        whole = {one.name: _copied(getattr(value, one.name), made) for one in fields(value)}
        made[id(value)] = type(value)(**whole)  # type: ignore[arg-type]
    return made[id(value)]


def contents(statement: st.Statement) -> frozenset[str]:
    """Digests in the statement that signs a release.

    Raises:
        KeyError, TypeError, ValueError: another shape.
    """
    found: set[str] = set()
    for item in array(statement.predicate["resources"]):
        resource = obj(item)
        found.add(hex64(resource["digest"]))
        said = obj(resource.get("annotations", {})).get("release")
        if said is None:
            continue
        for reference in array(obj(said).get("references", [])):
            found.add(hashlib.sha256(dumps(reference)).hexdigest())
            found.add(text(obj(reference).get("digest", "")).removeprefix("sha256:"))
        for dependency in array(obj(said).get("dependencies", [])):
            found.add(text(obj(dependency).get("digest", "")).removeprefix("sha256:"))
    return frozenset(found - {""})


def header(statement: st.Statement) -> tuple[str, ...]:
    """Name, version, kind and tier in the statement that signs a release; empty where there are none.

    Raises:
        KeyError, TypeError, ValueError: another shape.
    """
    for item in array(statement.predicate["resources"]):
        said = obj(obj(item).get("annotations", {})).get("release")
        if said is not None:
            return tuple(text(obj(said)[key]) for key in ("name", "version", "kind", "tier"))
    return ()


def own_policy(statement: st.Statement) -> str:
    """Digest of the own policy in the statement that signs a release; empty where it has none.

    Raises:
        KeyError, TypeError, ValueError: another shape, or a digest that is not that of its assets.
    """
    resources = [obj(item) for item in array(statement.predicate["resources"])]
    said = next((n["release"] for r in resources if "release" in (n := obj(r.get("annotations", {})))), None)
    if said is None or "policy" not in obj(said):
        return ""
    place, digest = own_from_json(obj(said)["policy"])
    if own_digest(place, ((text(r["name"]), hex64(r["digest"])) for r in resources)) != digest:
        raise ValueError("its own policy has another digest than its files")
    return digest


def scan_of(record: Record) -> ScanFact:
    """The scan fact of an effective record of type `scan`."""
    return record.fact  # type: ignore[return-value]  # guaranteed by `_apply` for that type


def names(state: State, profiles: Mapping[str, str]) -> dict[str, str]:
    """Pseudonym to name, for those whose profile blob is still held."""
    return {p: profiles[k.profile] for p, k in state.people().items() if k.profile in profiles}
