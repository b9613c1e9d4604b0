"""Rows of reports, out of facts: assets, evidence, waivers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.reports.record import AssetRow, EvidenceRow, IdleWaiver, WaivedRow
from lockflight.core.check import finding_from_json
from lockflight.core.shape import array, integer, obj, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lockflight.core.canonical import JsonObject
    from lockflight.core.ruling import Waived


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
    row: Waived, titles: Mapping[str, str], waivers: Sequence[JsonObject], names: Mapping[str, str]
) -> WaivedRow:
    """A failure that was waived, with its waiver out of the facts where they hold it."""
    said = next((w for w in waivers if w["digest"] == row.waiver), None)
    title = titles.get(row.code, row.rule)
    if said is None:
        return WaivedRow(row.code, title, row.term, row.waiver)
    approver, requester = text(said["approver"]), text(said["requester"])
    return WaivedRow(
        row.code,
        title,
        row.term,
        row.waiver,
        by=names.get(approver, approver),
        requester=names.get(requester, requester),
        until=text(said["expires"]),
        emergency=said["kind"] == "break-glass",
    )


def idle_waivers(used: Iterable[Waived], waivers: Iterable[JsonObject]) -> Iterable[IdleWaiver]:
    """Waivers of the facts that took nothing away."""
    taken = {w.waiver for w in used}
    for said in waivers:
        if (waiver := text(said["digest"])) not in taken:
            state = "not needed" if said["status"] == "active" else text(said["status"])
            yield IdleWaiver(text(said["rule"]), text(said["term"]), waiver, state, text(said["expires"]))
