"""Facts against the log: what the log says now of the time at which facts were made. Pure.

Everything that facts took from the log is taken again, whatever version of Lockflight made them; what only the checks
of that version know (which subjects they wanted, what they rejected) stands as it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.attest.changes import WaiverKind
from lockflight.core.attest.scanfact import ScanFact
from lockflight.core.facts.factprov import asset_labels, provenance_rows
from lockflight.core.facts.facts import evidence_row, realm_fact, release_fact, state_fact
from lockflight.core.release.ownpolicy import own_from_json, own_json
from lockflight.core.release.release import Asset, Dependency, Reference, Release
from lockflight.core.shape import array, hex64, natural, obj, text
from lockflight.core.state.waivers import waiver_facts
from lockflight.core.times import unix
from lockflight.core.words import Kind, Role, Tier

if TYPE_CHECKING:
    from lockflight.core.canonical import JsonObject, JsonValue
    from lockflight.core.state.state import State


def checkpoint_of(facts: JsonObject) -> tuple[int, str]:
    """Size and root hash (hex) of the checkpoint that facts were made under.

    Raises:
        KeyError, TypeError, ValueError: another shape.
    """
    size, _, root = text(obj(facts["realm"])["checkpoint"]).partition(":")
    return int(size), hex64(root)


def facts_again(state: State, facts: JsonObject) -> JsonObject:
    """The same facts, taken from the log again.

    Args:
        state: the fold of the log up to the checkpoint of the facts.
        facts: facts v1.

    Raises:
        KeyError, TypeError, ValueError: another shape.
    """
    now = unix(text(facts["now"]))
    project, environment = text(facts["project"]), text(facts["environment"])
    said = obj(facts["release"])
    release, digest = _release(said), text(said["digest"])
    return {
        **facts,
        "realm": realm_fact(state, text(obj(facts["realm"])["checkpoint"]), environment),
        "release": {
            **_with_data(release_fact(release, asset_labels(state, release)), said),
            "digest": digest,
            **_own(state, digest, release),
        },
        "evidence": {
            check: [_row(state, check, obj(row), now) for row in array(rows)]
            for check, rows in obj(facts["evidence"]).items()
        },
        "provenance": provenance_rows(state, release),
        "waivers": waiver_facts(
            state,
            contents=(digest, *release.contents),
            project=project,
            environment=environment,
            now=now,
            break_glass=_named(facts),
        ),
        "state": state_fact(state, release, digest, project, environment, now),
    }


def _with_data(fact: JsonObject, said: JsonObject) -> JsonObject:
    """What the release itself tells of its data: like names and roles, it is not taken from the log."""
    pairs = zip(array(fact["assets"]), array(said["assets"]), strict=True)
    told: list[JsonValue] = [
        {**obj(a), **{k: v for k, v in obj(b).items() if k in {"rows", "data"}}} for a, b in pairs
    ]
    return {**fact, "assets": told}


def _own(state: State, digest: str, release: Release) -> JsonObject:
    """The own policy as the signature in the log has it, where that is another than the facts say."""
    signed = state.own_policy(digest)
    return (
        {} if signed in {None, release.policy_digest} else {"policy": own_json(release.policy, signed or "")}
    )


def _named(facts: JsonObject) -> str:
    """The break-glass that facts hold; only one that was named stands there."""
    rows = [obj(row) for row in array(facts["waivers"])]
    return next((text(row["digest"]) for row in rows if row["kind"] == WaiverKind.BREAK_GLASS), "")


def _row(state: State, check: str, row: JsonObject, now: int) -> JsonValue:
    """The row as the log has it; null where the log has no such evidence."""
    record = state.by_digest.get(text(row["digest"]))
    if record is None or not record.effective or not isinstance(record.fact, ScanFact):
        return None
    return evidence_row(state, record, now) if check == f"scan/{record.fact.check}" else None


def _release(said: JsonObject) -> Release:
    """The release as far as facts tell; its digest is not that of this object."""
    assets = [obj(a) for a in array(said["assets"])]
    references = [{k: text(v) for k, v in obj(r).items() if k != "pinned"} for r in array(said["references"])]
    return Release(
        name=text(said["name"]),
        version=text(said["version"]),
        kind=Kind(text(said["kind"])),
        tier=Tier(text(said["tier"])),
        assets=tuple(
            Asset(text(a["name"]), Role(text(a["role"])), natural(a["size"]), hex64(a["digest"]), "")
            for a in assets
        ),
        references=tuple(Reference(**{**r, "role": Role(r["role"])}) for r in references),  # type: ignore[arg-type]
        dependencies=tuple(
            Dependency(**{k: text(v) for k, v in obj(d).items()}) for d in array(said["depends"])
        ),
        policy=own_from_json(said["policy"])[0] if "policy" in said else "",
    )
