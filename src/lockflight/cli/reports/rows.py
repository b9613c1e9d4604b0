"""Rows of reports, out of facts: assets, evidence, waivers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.reports.record import AssetRow, EvidenceRow
from lockflight.cli.reports.waiverrows import IdleWaiver, WaivedRow
from lockflight.core.attest.check import finding_from_json
from lockflight.core.shape import array, integer, obj, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from lockflight.app.gate.waivers import Known
    from lockflight.core.canonical import JsonObject
    from lockflight.core.gate.ruling import Waived


def asset_rows(release: JsonObject) -> tuple[AssetRow, ...]:
    """Every asset of a release."""
    return tuple(
        AssetRow(
            text(a["name"]),
            str(a.get("role", "")),
            text(a["digest"]),
            integer(a.get("size", -1)),
            str(a.get("provenance", "")),
        )
        for a in map(obj, array(release["assets"]))
    )


def evidence_rows(evidence: JsonObject, names: Mapping[str, str]) -> Iterable[EvidenceRow]:
    """Every statement of a check."""
    for kind, rows in evidence.items():
        for row in map(obj, array(rows)):
            signer = text(obj(row["signer"])["subject"])
            tool = obj(row["tool"])
            yield EvidenceRow(
                check=kind.removeprefix("scan/"),
                subject=text(row["name"]),
                digest=text(row["digest"]),
                signer=names.get(signer, signer),
                logged_at=text(row["logged_at"]),
                age_s=integer(row["age_s"]),
                complete=row["status"] == "complete",
                reason=text(row["reason"]),
                tool=f"{text(tool['name'])} {text(tool['version'])}",
                findings=tuple(finding_from_json(obj(f)) for f in array(row["findings"])),
                more=integer(obj(row["summary"]).get("findings_left_out", 0)),
            )


def waived_row(
    row: Waived,
    titles: Mapping[str, str],
    waivers: Sequence[JsonObject],
    names: Mapping[str, str],
    known: Known | None = None,
) -> WaivedRow:
    """A failure that was waived, with its waiver out of the facts and its texts, where they are kept."""
    said = next((w for w in waivers if w["digest"] == row.waiver), None)
    title = titles.get(row.code, row.rule)
    if said is None:
        return WaivedRow(row.code, title, row.term, row.waiver)
    approver, requester = text(said["approver"]), text(said["requester"])
    texts = known.texts.get(row.waiver) if known is not None else None
    return WaivedRow(
        row.code,
        title,
        row.term,
        row.waiver,
        by=names.get(approver, approver),
        requester=names.get(requester, requester),
        until=text(said["expires"]),
        emergency=said["kind"] == "break-glass",
        since=str(said.get("not_before", "")),
        covers=_covers(said),
        ticket=str(said.get("ticket", "")),
        renewals=integer(said["renewals"]),
        reason=texts.reason if texts is not None else "",
        control=texts.control if texts is not None else "",
        kept=texts is not None and texts.kept,
    )


def _covers(said: JsonObject) -> str:
    scope = obj(said["scope"])
    name = str(said.get("name", "")) or text(scope["project"])
    what = {
        "asset": f"the file {name}, in every release that holds it",
        "release": "this release",
        "project": f"every release of {name}",
    }[text(scope["kind"])]
    return f"{what}, only in {scope['environment']}" if scope["environment"] else what


def idle_waivers(
    used: Iterable[Waived],
    waivers: Iterable[JsonObject],
    passed: AbstractSet[tuple[str, str]] = frozenset(),
    names: Mapping[str, str] | None = None,
) -> Iterable[IdleWaiver]:
    """Waivers of the facts that took nothing away.

    Args:
        used: what was waived.
        waivers: as facts show them.
        passed: code and term of what held.
        names: pseudonym to name.
    """
    taken = {w.waiver for w in used}
    for said in waivers:
        if (waiver := text(said["digest"])) not in taken:
            state = "not needed" if said["status"] == "active" else text(said["status"])
            place, requester = (text(said["rule"]), text(said["term"])), text(said["requester"])
            yield IdleWaiver(
                *place,
                waiver,
                state,
                text(said["expires"]),
                why=_why_idle(said, holds=place in passed),
                requester=(names or {}).get(requester, requester),
                ticket=str(said.get("ticket", "")),
            )


def _why_idle(said: JsonObject, *, holds: bool) -> str:
    status = text(said["status"])
    if status == "active":
        return "the rule holds" if holds else "nothing failed that it is about"
    return {
        "pending": "nobody has consented yet",
        "not-yet": f"it begins {str(said.get('not_before', '')) or 'later'}",
        "expired": "its time was over; ask again if it is still needed",
        "rejected": "a second person said no",
        "lapsed": "nobody consented in time",
        "revoked": "the key of who asked or consented was revoked",
        "used": "an emergency that was used before",
    }[status]
