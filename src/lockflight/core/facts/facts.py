"""Facts v1: the JSON document of verified and rejected evidence for one release and environment. Pure.

Keys are added, never changed; numbers are integers; an absent fact is never an empty one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.attest.check import Grain, Status, base_name, subjects
from lockflight.core.facts.admit import separation
from lockflight.core.facts.factprov import asset_labels, provenance_rows
from lockflight.core.release.ownpolicy import own_json
from lockflight.core.state.state import Record, State, scan_of
from lockflight.core.state.waivers import waiver_facts
from lockflight.core.times import rfc3339, unix

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lockflight.core.attest.check import CheckInfo, Subject
    from lockflight.core.canonical import JsonObject, JsonValue
    from lockflight.core.release.release import Asset, Release

SCHEMA = "https://lockflight.dev/schema/facts/v1"


def build_facts(
    *,
    release: Release,
    environment: str,
    state: State,
    checkpoint: str,
    infos: Iterable[CheckInfo],
    now: int,
    project: str = "",
    break_glass: str = "",
) -> JsonObject:
    """Everything that the gate may know about a release.

    Args:
        release: the release, described or read from its verified statement.
        environment: where it wants to go.
        state: the fold of the realm's log.
        checkpoint: hex root hash and size of the checkpoint that the fold read, as `size:root`.
        infos: every check that this installation knows; they tell which subjects must be covered.
        now: Unix seconds; an argument, so that a decision can be replayed.
        project: whose slots; the release's name by default.
        break_glass: envelope digest of the break-glass that the promotion names; empty for none.
    """
    project = project or release.name
    known = {info.name: info for info in infos}
    wanted = {name: subjects(info, release) for name, info in known.items()}
    evidence, rejected = _evidence(state, known, wanted, now)
    return {
        "schema": SCHEMA,
        "now": rfc3339(now),
        "realm": realm_fact(state, checkpoint, environment),
        "project": project,
        "environment": environment,
        "release": release_fact(release, asset_labels(state, release)),
        "expected": {
            f"scan/{name}": [{"grain": s.grain.value, "name": s.name, "subject": s.digest} for s in found]
            for name, found in wanted.items()
        },
        "evidence": evidence,
        "rejected": rejected,
        "provenance": provenance_rows(state, release),
        "dependencies": [],
        "waivers": waiver_facts(
            state,
            contents=(release.digest, *release.contents),
            project=project,
            environment=environment,
            now=now,
            break_glass=break_glass,
        ),
        "state": state_fact(state, release, release.digest, project, environment, now),
    }


def realm_fact(state: State, checkpoint: str, environment: str) -> JsonObject:
    """How facts show a realm."""
    return {
        "root": state.root,
        "checkpoint": checkpoint,
        "kind": state.trust.kind.value,
        "name": state.trust.name,
        "separation": separation(state, environment),
    }


def release_fact(release: Release, provenance: Mapping[str, str]) -> JsonObject:
    """How facts show a release: with the origin of each asset, and its own policy if it has one."""
    own: JsonObject = {"policy": own_json(release.policy, release.policy_digest)} if release.policy else {}
    return {
        **own,
        "digest": release.digest,
        "name": release.name,
        "version": release.version,
        "kind": release.kind.value,
        "tier": release.tier.value,
        "assets": [
            {
                "name": a.name,
                "role": a.role.value,
                "digest": a.sha256,
                "size": a.size,
                "provenance": provenance[a.sha256],
                **_inside(a),
            }
            for a in release.assets
        ],
        "references": [{**r.to_json(), "pinned": bool(r.digest or r.version)} for r in release.references],
        "depends": [d.to_json() for d in release.dependencies],
        "views": dict(release.views()),
    }


def _inside(asset: Asset) -> JsonObject:
    """What is known and said of data; absent where it is not, so that facts of older releases stay as they are."""
    found: JsonObject = {}
    if asset.rows is not None:
        head = asset.rows.head
        found["rows"] = {
            "form": head.form,
            "rows": head.rows,
            "columns": len(head.columns),
            "ordered": asset.rows.ordered,
            "set": asset.rows.unordered,
        }
    if asset.data is not None:
        found["data"] = asset.data.facts()
    return found


def state_fact(
    state: State, release: Release, digest: str, project: str, environment: str, now: int
) -> JsonObject:
    """How facts show what the realm's slots, revocations and freezes mean for a release of that digest."""
    revoked: list[JsonValue] = [
        {"digest": d, "scope": state.revoked[d][0].scope.value, "reason": state.revoked[d][0].reason}
        for d in (digest, *release.contents)
        if d in state.revoked
    ]
    slots: list[JsonValue] = [
        {
            "environment": slot.environment,
            "slot": slot.name,
            "release": slot.current.release,
            "exposure": slot.exposures[slot.current.release],
        }
        for slot in state.slots.values()
        if slot.project == project and slot.current is not None
    ]
    return {
        "slots": slots,
        "revoked": revoked,
        "frozen": state.frozen(project, environment, now) is not None,
        "version_owner": state.owner(release.name, release.version),
    }


def _evidence(
    state: State, known: Mapping[str, CheckInfo], wanted: Mapping[str, tuple[Subject, ...]], now: int
) -> tuple[JsonObject, list[JsonValue]]:
    about = {s.digest for found in wanted.values() for s in found}
    rejected: list[JsonValue] = [
        {"digest": r.digest, "type": r.type or "unknown", "code": r.code, "reason": r.reason}
        for r in state.ineffective
        if r.subject in about
    ]
    rejected.extend(
        {"digest": r.digest, "type": "scan", "code": "LF7243", "reason": "its key was revoked since"}
        for subject in sorted(about)
        for r in state.scans.get(subject, [])
        if r.signer in state.revoked_keys
    )
    evidence: JsonObject = {}
    for name, found in wanted.items():
        by_digest: dict[str, list[list[Record]]] = {}
        for subject in found:
            newest, outdated = newest_scans(state, known[name], subject)
            by_digest.setdefault(subject.digest, []).append(newest)
            rejected.extend(
                {
                    "digest": r.digest,
                    "type": "scan",
                    "code": "LF4404",
                    "reason": f"made by version {scan_of(r).version} of the check, not {known[name].version}",
                }
                for r in outdated
            )
        rows: list[JsonValue] = [
            evidence_row(state, record, now) for each in by_digest.values() for record in _of_all(each)
        ]
        if rows:
            evidence[f"scan/{name}"] = rows
    return evidence, rejected


def _of_all(by_name: list[list[Record]]) -> list[Record]:
    """Evidence about bytes that a release holds under several names, which policies look up by digest.

    Complete evidence about one of the names must not stand in for what another one lacks.
    """
    records = [record for newest in by_name for record in newest]
    if all(any(_is_complete(record) for record in newest) for newest in by_name):
        return records
    if all(by_name):
        return [record for record in records if not _is_complete(record)]
    return []


def _is_complete(record: Record) -> bool:
    return scan_of(record).result.status is Status.COMPLETE


def newest_scans(state: State, info: CheckInfo, subject: Subject) -> tuple[list[Record], list[Record]]:
    """The newest effective evidence per signer for one subject, and what other check versions left behind.

    What a key said that was revoked later counts no more. What a check said about bytes under one file name says
    nothing about the same bytes under another: loaders, and so checks, choose by name.

    Every signer's newest statement counts, so that one producer cannot hide what another one found.
    """
    newest: dict[str, Record] = {}
    outdated: dict[str, Record] = {}
    for record in state.scans.get(subject.digest, []):
        fact = scan_of(record)
        if fact.check != info.name or fact.grain is not subject.grain or record.signer in state.revoked_keys:
            continue
        if subject.grain is Grain.ASSET and base_name(fact.name) != base_name(subject.name):
            continue
        (newest if fact.version == info.version else outdated)[record.signer] = record
    return list(newest.values()), [r for s, r in outdated.items() if s not in newest]


def evidence_row(state: State, record: Record, now: int) -> JsonObject:
    """How facts show one effective record of type `scan`."""
    fact = scan_of(record)
    result = fact.result
    key = record.key
    return {
        "digest": record.digest,
        "grain": fact.grain.value,
        "subject": fact.subject,
        "name": fact.name,
        "signer": {
            "issuer": state.trust.origin,
            "subject": (key.principal if key is not None else "") or "realm",
            "roles": [
                *(key.roles if key is not None else ()),
                *([key.duty.value] if key is not None else []),
            ],
        },
        "logged_at": rfc3339(record.logged_at),
        "age_s": max(0, now - seen_at(record)),
        "status": result.status.value,
        "reason": result.reason,
        "tool": result.tool.to_json(),
        "databases": [d.to_json() for d in result.databases],
        "coverage_ppm": result.coverage_ppm,
        "summary": dict(result.summary),
        "findings": [f.to_json() for f in result.findings],
    }


def seen_at(record: Record) -> int:
    """Unix seconds from which evidence ages: when the log's clock saw it, or when it says it was made, if earlier.

    A producer's claim can only make its evidence older: old evidence that is imported today is not fresh.
    """
    try:
        return min(record.logged_at, unix(scan_of(record).issued_at))
    except ValueError:
        return record.logged_at


def is_fresh(state: State, info: CheckInfo, subject: Subject, *, max_age_s: int, now: int) -> bool:
    """Whether complete evidence of the current check version exists that is not older than `max_age_s` seconds.

    One signer's is enough to run nothing again; what another one found still counts at the gate.
    """
    newest, _ = newest_scans(state, info, subject)
    return any(
        scan_of(r).result.status is Status.COMPLETE and 0 <= now - seen_at(r) <= max_age_s for r in newest
    )


def missing(
    release: Release, infos: Mapping[str, CheckInfo], required: Mapping[str, int], state: State, now: int
) -> list[tuple[CheckInfo, Subject]]:
    """What must run: each required check (name to maximal age in seconds) with each subject not freshly covered."""
    result: list[tuple[CheckInfo, Subject]] = []
    for name, max_age_s in required.items():
        info = infos.get(name)
        if info is None:
            continue
        result.extend(
            (info, subject)
            for subject in subjects(info, release)
            if not is_fresh(state, info, subject, max_age_s=max_age_s, now=now)
        )
    return result
