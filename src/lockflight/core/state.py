"""State of a realm: the records that the fold makes of log entries, and what they add up to. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lockflight.core.canonical import dumps
from lockflight.core.shape import array, hex64, obj, text
from lockflight.core.trust import Duty, RealmKey, Trust

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lockflight.core import statement as st
    from lockflight.core.acts import Promotion, Revocation
    from lockflight.core.scanfact import ScanFact

#: The version of builds that are not released: it belongs to no digest.
UNVERSIONED = "dev"

#: Roles that may revoke in a team realm.
REVOKER_ROLES = frozenset({"approver", "admin", "security"})


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
        contents: SHA-256 of every file and reference descriptor in it, and what references are pinned to.
    """

    release: str
    contents: frozenset[str]


@dataclass(slots=True)
class Slot:
    """What a slot of an environment holds, and what it held."""

    project: str
    environment: str
    name: str
    head: str = ""
    current: Promotion | None = None
    since: int = -1
    history: list[tuple[int, Promotion]] = field(default_factory=list)


@dataclass(slots=True)
class State:
    """State of a realm at one tree size. Built by `fold`; read by everybody else."""

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
    versions: dict[tuple[str, str], str] = field(default_factory=dict)
    by_digest: dict[str, Record] = field(default_factory=dict)
    used_approvals: set[str] = field(default_factory=set)
    others: dict[str, list[Record]] = field(default_factory=dict)

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

    def revocation_of(self, release: str) -> tuple[Revocation, Record] | None:
        """The revocation that hits a release: its own, or that of anything in it."""
        if not self.revoked:
            return None
        return self.revocation([release, *sorted(self.contents(release))])

    def people(self) -> dict[str, RealmKey]:
        """People with an active key, by pseudonym."""
        return {k.principal: k for k in self.keys.values() if k.duty is Duty.PERSON}


def contents(statement: st.Statement) -> frozenset[str]:
    """Digests in the statement that signs a release.

    Raises:
        KeyError, TypeError, ValueError: another shape.
    """
    found: set[str] = set()
    for item in array(statement.predicate["resources"]):
        resource = obj(item)
        found.add(hex64(resource["digest"]))
        header = obj(resource.get("annotations", {})).get("release")
        for reference in array(obj(header).get("references", [])) if header is not None else ():
            found.add(hashlib.sha256(dumps(reference)).hexdigest())
            found.add(text(obj(reference).get("digest", "")).removeprefix("sha256:"))
    return frozenset(found - {""})


def scan_of(record: Record) -> ScanFact:
    """The scan fact of an effective record of type `scan`."""
    return record.fact  # type: ignore[return-value]  # guaranteed by `_apply` for that type


def names(state: State, profiles: Mapping[str, str]) -> dict[str, str]:
    """Pseudonym to name, for those whose profile blob is still held."""
    return {p: profiles[k.profile] for p, k in state.people().items() if k.profile in profiles}
