"""What facts and admission know of how a release's assets came to be. Pure.

Only effective records count, and no longer those of a key that was revoked since. An asset is `recorded` when a step
that the realm's producers ran made exactly those bytes, `intake` when the gate of that environment let them in,
otherwise `unknown`: what another builder claims is shown, never believed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.attest.provenance import Origin, Provenance
from lockflight.core.gate.vsa import StoredDecision
from lockflight.core.words import INTAKE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lockflight.core.canonical import JsonObject, JsonValue
    from lockflight.core.release.release import Release
    from lockflight.core.state.state import Record, State

RECORDED, TAKEN_IN, UNKNOWN = "recorded", "intake", "unknown"

#: Materials that facts name of one record; with more of them, the record does not count as complete.
MAX_MATERIALS = 1_000


def provenance_of(record: Record) -> Provenance:
    """The parsed predicate of an effective record of the type `provenance`."""
    return record.fact  # type: ignore[return-value]  # guaranteed by the fold for that type


def records_of(state: State, digest: str) -> list[Record]:
    """What counts about one digest, oldest first."""
    return [r for r in state.provenance.get(digest, []) if r.signer not in state.revoked_keys]


def label(state: State, digest: str) -> str:
    """`recorded`, `intake` or `unknown`."""
    records = records_of(state, digest)
    if any(provenance_of(r).origin is Origin.RECORD for r in records):
        return RECORDED
    return TAKEN_IN if any(_let_in(state, r, digest) for r in records) else UNKNOWN


def _let_in(state: State, record: Record, digest: str) -> bool:
    """Whether the gate allowed exactly these bytes; the producer's word alone is not enough."""
    intake = provenance_of(record).intake
    decision = state.by_digest.get(intake.decision) if intake is not None else None
    counts = decision is not None and decision.effective and decision.signer not in state.revoked_keys
    said = decision.fact if decision is not None and counts else None
    return (
        isinstance(said, StoredDecision)
        and said.allow
        and said.environment == INTAKE
        and digest in {sha256 for _, sha256 in said.assets}
    )


def asset_labels(state: State, release: Release) -> Mapping[str, str]:
    """Digest of each asset to `recorded`, `intake` or `unknown`."""
    return {asset.sha256: label(state, asset.sha256) for asset in release.assets}


def provenance_rows(state: State, release: Release) -> list[JsonValue]:
    """One row for each record about an asset: the newest per signer, step and asset."""
    newest: dict[tuple[str, str, str, str], Record] = {}
    for asset in release.assets:
        for record in records_of(state, asset.sha256):
            fact = provenance_of(record)
            newest[record.signer, fact.build_type, fact.step, asset.sha256] = record
    chosen = {record.digest: record for record in newest.values()}
    wanted = {asset.sha256 for asset in release.assets}
    return [_row(state, chosen[d], wanted) for d in sorted(chosen, key=lambda d: chosen[d].index)]


def _row(state: State, record: Record, wanted: set[str]) -> JsonObject:
    fact = provenance_of(record)
    run, materials = fact.run, fact.materials
    return {
        "digest": record.digest,
        "origin": fact.origin.value,
        "step": fact.step,
        "builder": fact.builder,
        "builder_kind": "realm" if run is not None else "foreign",
        "ci_claimed": dict(run.ci) if run is not None else {},
        "signer": (record.key.principal if record.key is not None else "") or "realm",
        "products": [*sorted({p.sha256 for p in fact.products} & wanted)],
        "materials": [
            {"uri": m.uri or m.name, "sha256": m.sha256, "pinned": bool(m.digests)}
            for m in materials[:MAX_MATERIALS]
        ],
        "complete": fact.complete and len(materials) <= MAX_MATERIALS,
        "authors": {
            "known": len(fact.authors.principals),
            "unknown": fact.authors.unknown,
            "complete": fact.authors.complete,
        },
        "licence": fact.intake.licence if fact.intake is not None else "",
        "signature": _signature(fact),
        "let_in": any(_let_in(state, record, p.sha256) for p in fact.products if p.sha256 in wanted),
    }


def _signature(fact: Provenance) -> str:
    """How the maker's signature of something taken in was verified: `strict`, `compat`, or empty for not at all."""
    intake = fact.intake
    if intake is None or not intake.signer:
        return ""
    return intake.signature.mode if intake.signature is not None else "strict"


def authors_of(state: State, release_contents: Iterable[str]) -> frozenset[str]:
    """Pseudonyms of the people behind a release's assets, as far as provenance names them.

    Builders and authors of every recorded step that made one of these digests, and of the recorded steps that made
    what those steps used: splitting a step in two hides nobody. A revoked key hides nobody either.
    """
    found: set[str] = set()
    seen: set[str] = set()
    direct = frozenset(release_contents)
    waiting = list(direct)
    while waiting:
        digest = waiting.pop()
        if digest in seen:
            continue
        seen.add(digest)
        for record in state.provenance.get(digest, []):
            fact = provenance_of(record)
            if fact.origin is Origin.RECORD or digest in direct:
                found.update(fact.authors.principals)
            if fact.origin is not Origin.FOREIGN and record.key is not None and record.key.principal:
                found |= {record.key.principal, record.key.human}  # who ran the step, or owns what ran it
            if fact.origin is Origin.RECORD:
                waiting += [m.sha256 for m in fact.materials if m.sha256]
    return frozenset(found)
