"""What the gate has proven before: its own signed decisions tell.

A bundle must bite before it judges (`policy.gate`), on the engines that judge. Whether it does depends on nothing but
its bytes, the engines' and this version of Lockflight, and a decision in the log names all three. So an effective
decision whose signer is the realm's gate still stands for the proof that came before it. Nobody else can write one:
whoever holds the gate's key needs no toothless policy to be allowed.

A policy that a release brings along is not named here, and is proven each time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from lockflight.core.attest.trust import Duty
from lockflight.core.gate.vsa import StoredDecision

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lockflight.core.state.state import Record, State

#: Engines as the record of a decision names them: of each, sorted pairs of name, version, sha256 and so on.
Engines: TypeAlias = tuple[tuple[tuple[str, str], ...], ...]


def engines_told(engines: Iterable[Mapping[str, str]]) -> Engines:
    """Identities of engines, as `StoredDecision.engines` holds them."""
    return tuple(tuple(sorted(engine.items())) for engine in engines)


def precedents(state: State, version: str) -> dict[str, set[Engines]]:
    """Digest of a policy to the engines on which the realm's gate has proven it.

    Args:
        state: the fold.
        version: of the Lockflight that asks; proofs of others do not count.
    """
    found: dict[str, set[Engines]] = {}
    for records in state.decisions.values():
        for record in records:
            fact = record.fact
            if not isinstance(fact, StoredDecision) or not _by_gate(state, record):
                continue
            if ("lockflight", version) in fact.versions and fact.engines and not fact.unsettled:
                found.setdefault(fact.policy, set()).add(fact.engines)
    return found


def _by_gate(state: State, record: Record) -> bool:
    key = state.keys.get(record.signer)
    return record.effective and key is not None and key.duty is Duty.GATE
