"""What another policy would have said of everything that was decided so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.app.policy.ownpolicy import judge_of, own_again
from lockflight.core.canonical import loads_object
from lockflight.core.gate.capsule import MAX_BYTES, MAX_VALUES, decode_files
from lockflight.core.gate.gate import decide
from lockflight.core.gate.vsa import StoredDecision
from lockflight.core.records import dataclass
from lockflight.policy.engines.pool import Engines
from lockflight.policy.gate import PolicyGate
from lockflight.store.blobs import BlobStore

if TYPE_CHECKING:
    from lockflight.app.realm.view import RealmView
    from lockflight.core.canonical import JsonObject
    from lockflight.core.gate.gate import Decision, OwnJudge
    from lockflight.policy.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Tried:
    """One recorded decision, and what the other policy says of the same facts.

    Attributes:
        index: place of the decision in the log.
        stored: what was decided; the newest for its release and environment.
        again: what the other policy says; None where the facts, or the release's own policy, were not kept.
    """

    index: int
    stored: StoredDecision
    again: Decision | None

    @property
    def blocked(self) -> bool:
        """Whether it would deny what was allowed."""
        return self.again is not None and self.stored.allow and not self.again.allow

    @property
    def let_in(self) -> bool:
        """Whether it would allow what was denied."""
        return self.again is not None and not self.stored.allow and self.again.allow


def dry_run(view: RealmView, bundle: Bundle) -> list[Tried]:
    """Judge the facts of the newest decision about each release and environment by another policy.

    Args:
        view: the verified realm.
        bundle: the policy to try.

    Raises:
        EnvironmentProblem: LF4001 to LF4008 the policy cannot judge here.
        PolicyDenied: LF4010 to LF4020 it fails on some facts.
    """
    blobs = BlobStore(view.folder / "blobs")
    engines, outer = Engines(), Engines()
    tried: list[Tried] = []
    try:
        policy = PolicyGate(bundle, engines.regorus)
        seconds: dict[str, OwnJudge | None] = {}
        for records in view.state.decisions.values():
            record = records[-1]
            stored = record.fact
            if not isinstance(stored, StoredDecision):
                continue
            body = blobs.get(stored.input_digest)
            again = None
            if body is not None:
                facts = loads_object(body, what="facts", max_bytes=MAX_BYTES, max_values=MAX_VALUES)
                own = stored.own_digest
                if own not in seconds:
                    seconds[own] = _second(stored, facts, blobs, policy, outer)
                if own and seconds[own] is None:
                    tried.append(Tried(record.index, stored, None))
                    continue
                again = decide(facts, policy.ref, policy.evaluate, engines=policy.engines, own=seconds[own])
            tried.append(Tried(record.index, stored, again))
    finally:
        engines.close()
        outer.close()
    return sorted(tried, key=lambda t: t.index)


def _second(
    stored: StoredDecision, facts: JsonObject, blobs: BlobStore, policy: PolicyGate, engines: Engines
) -> OwnJudge | None:
    """The release's own policy, which judges beside any other; None where there is none, or it was not kept."""
    body = blobs.get(stored.own.blob) if stored.own is not None else None
    own = own_again(facts, decode_files(body), stored.name) if body is not None else None
    return judge_of(own, PolicyGate(own.bundle, engines.regorus), policy.ref) if own is not None else None
