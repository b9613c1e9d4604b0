"""A decision that the log holds, with what it rested on and what people have said since."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from lockflight.app.gate.waivers import known_waivers
from lockflight.app.release.resolve import entry_of, signed_as
from lockflight.core.attest.acts import Approval
from lockflight.core.attest.scanfact import ScanFact
from lockflight.core.canonical import loads_object
from lockflight.core.facts.admit import Admission, admit, registration_of
from lockflight.core.facts.facts import evidence_row, release_fact
from lockflight.core.facts.holding import Holding, holding
from lockflight.core.gate.vsa import StoredDecision
from lockflight.core.records import dataclass
from lockflight.core.shape import array, obj, text
from lockflight.core.times import unix
from lockflight.errors import NotFound
from lockflight.store.blobs import BlobStore

if TYPE_CHECKING:
    from lockflight.app.gate.waivers import Known
    from lockflight.app.realm.view import RealmView
    from lockflight.core.canonical import JsonObject, JsonValue
    from lockflight.core.release.release import Release
    from lockflight.core.state.state import Record


@dataclass(frozen=True, slots=True)
class Recorded:
    """A decision in the log.

    Attributes:
        record: its entry.
        stored: what it says.
        version: version of the release, as it was registered; empty if it never was.
        release: the release as facts show it; without roles and sizes where it was never signed here.
        evidence: what the decision rested on, as facts show it, aged to the time of the decision.
        facts: the very facts that were judged; None where they were not kept.
        rejected, waivers: as facts show them; empty where the facts were not kept.
        known: what the realm knows of the waivers beside the facts.
        checkpoint: `size:root` of the log that the gate read; empty where the facts were not kept.
        unread: digests of evidence that the decision names and this log does not hold any more.
        approvals: what people said for this release and environment, with the record of each.
        admission: what people still have to do now.
        held: how the environment holds the release now; None where it does not.
    """

    record: Record
    stored: StoredDecision
    version: str
    release: JsonObject
    evidence: JsonObject
    facts: JsonObject | None
    rejected: tuple[JsonObject, ...]
    waivers: tuple[JsonObject, ...]
    known: Known
    checkpoint: str
    unread: tuple[str, ...]
    approvals: tuple[tuple[Record, Approval], ...]
    admission: Admission
    held: Holding | None


def recorded(view: RealmView, word: str, now: int) -> Recorded:
    """Read a decision of a realm.

    Args:
        view: the verified realm.
        word: its index in the log, or the start of its envelope's digest.
        now: Unix seconds, for what people still have to do.

    Raises:
        NotFound: LF4524 there is no such entry, LF4567 the entry is no decision that counts.
    """
    record = entry_of(word, view.state)
    stored = record.fact
    if not isinstance(stored, StoredDecision) or not record.effective:
        what = record.type or "something unreadable"
        why = f"it does not count: {record.reason}" if record.type == "decision" else f"it is: {what}"
        raise NotFound(
            "LF4567",
            f"The entry {record.index} is no decision of the gate; {why}.",
            hint="lockflight evidence list --all --type decision",
        )
    signed = signed_as(view.state, stored.release)
    registration = registration_of(view.state, stored.release)
    version = registration.version if registration is not None else signed.version if signed else ""
    facts = _facts(view, stored)
    unread: tuple[str, ...] = ()
    if facts is not None:
        release, evidence = obj(facts["release"]), obj(facts["evidence"])
        version = text(release["version"])
    else:
        release = _described(signed) if signed is not None else _unsigned(stored)
        evidence, unread = _evidence(view, stored)
    said = view.state.approvals.get((stored.release, stored.environment), [])
    return Recorded(
        record=record,
        stored=stored,
        version=version,
        release=release,
        evidence=evidence,
        facts=facts,
        rejected=tuple(map(obj, array(facts["rejected"]))) if facts is not None else (),
        waivers=tuple(map(obj, array(facts["waivers"]))) if facts is not None else (),
        known=known_waivers(view, stored.name, stored.release, stored.environment),
        checkpoint=text(obj(facts["realm"])["checkpoint"]) if facts is not None else "",
        unread=unread,
        approvals=tuple((r, r.fact) for r in said if isinstance(r.fact, Approval)),
        admission=admit(
            state=view.state,
            release=stored.release,
            name=stored.name,
            version=version,
            environment=stored.environment,
            allowed=stored.allow,
            basis=stored.basis,
            requester="",
            now=now,
            waivers=tuple(sorted({w.waiver for w in stored.waived})),
        ),
        held=holding(view.state, stored.name, stored.environment, stored.release),
    )


def _facts(view: RealmView, stored: StoredDecision) -> JsonObject | None:
    """The very facts that were judged, if the realm's store still holds them."""
    body = BlobStore(view.folder / "blobs").get(stored.input_digest)
    if body is None or hashlib.sha256(body).hexdigest() != stored.input_digest:
        return None
    return loads_object(body, what="facts")


def _evidence(view: RealmView, stored: StoredDecision) -> tuple[JsonObject, tuple[str, ...]]:
    rows: dict[str, list[JsonValue]] = {}
    unread = []
    for digest in stored.attestations:
        record = view.state.by_digest.get(digest)
        if record is None or not isinstance(record.fact, ScanFact):
            unread.append(digest)
            continue
        row = evidence_row(view.state, record, unix(stored.time_verified))
        rows.setdefault(f"scan/{record.fact.check}", []).append(row)
    return dict(rows), tuple(unread)


def _described(release: Release) -> JsonObject:
    # What is recorded about an asset's origin today need not have been known when the gate decided.
    return release_fact(release, dict.fromkeys((a.sha256 for a in release.assets), ""))


def _unsigned(stored: StoredDecision) -> JsonObject:
    return {
        "digest": stored.release,
        "name": stored.name,
        "assets": [{"name": name, "digest": digest} for name, digest in stored.assets],
    }
