"""What a decision says besides its ruling, against the facts that it was made from. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.gate.vsa import waivers_told
from lockflight.core.release.ownpolicy import own_in_facts
from lockflight.core.shape import array, obj, text

if TYPE_CHECKING:
    from lockflight.core.canonical import JsonObject
    from lockflight.core.gate.vsa import StoredDecision


def attestations(facts: JsonObject) -> list[str]:
    """Envelope digests of all evidence in facts, sorted; the specification of VSAs wants every one."""
    tables = [*obj(facts["evidence"]).values(), facts["provenance"]]
    return sorted({text(obj(row)["digest"]) for rows in tables for row in array(rows)})


def claims(stored: StoredDecision, facts: JsonObject) -> list[str]:
    """Parts of a decision that its own facts contradict; empty when it says what it was made from.

    Args:
        stored: the decision.
        facts: facts v1 of the right shape.

    Raises:
        KeyError, TypeError, ValueError: another shape.
    """
    assets = tuple(
        (text(obj(a)["name"]), text(obj(a)["digest"])) for a in array(obj(facts["release"])["assets"])
    )
    told = {key: sorted(value) for key, value in waivers_told(facts, stored.waived).items()}
    pairs = {
        "the time": (stored.time_verified, facts["now"]),
        "assets": (sorted(stored.assets), sorted(assets)),
        "evidence": (list(stored.attestations), attestations(facts)),
        "waivers": ({key: sorted(value) for key, value in stored.waivers}, told),
        "the release's own policy": (stored.own_digest, own_in_facts(facts)),
        "separation of duties": (stored.separation, obj(facts["realm"])["separation"]),
    }
    return [name for name, (said, held) in pairs.items() if said != held]
