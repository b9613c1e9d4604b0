"""What would have made a recorded decision's failed rules pass: asked of the policy and the facts that it judged."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

from lockflight.core.gate.capsule import decode_files
from lockflight.core.records import dataclass
from lockflight.policy.bundle import read_bundle
from lockflight.policy.engines.pool import Engines
from lockflight.policy.remedy.evaluation import Budget, Evaluation
from lockflight.policy.remedy.search import Remedy, Search, together
from lockflight.store.blobs import BlobStore

if TYPE_CHECKING:
    from lockflight.app.gate.decision import Recorded
    from lockflight.app.realm.view import RealmView
    from lockflight.core.canonical import JsonObject
    from lockflight.core.gate.vsa import StoredDecision
    from lockflight.policy.bundle import Bundle

#: Changed facts that are evaluated for one decision at most, and seconds.
EVALUATIONS = 4_000
SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Remedies:
    """What would have changed a decision.

    Attributes:
        rows: one for each rule and term that failed or warned.
        together: the policy allows once all changes are done that somebody can bring about.
        engines: names of the engines on which each change was tried.
        evaluations: how many changed facts were judged to find them.
        seconds: how long that took.
    """

    rows: tuple[Remedy, ...]
    together: bool
    engines: tuple[str, ...]
    evaluations: int
    seconds: float


def remedies(view: RealmView, recorded: Recorded, *, seconds: float = SECONDS) -> Remedies | None:
    """The shortest changes of its facts with which each failed rule of a decision passes.

    Args:
        view: the realm.
        recorded: the decision.
        seconds: how long the search may take.

    Returns:
        None where facts or policy are not in the realm's store any more.

    Raises:
        VerificationFailed: LF7190 the policy's blob does not read.
        EnvironmentProblem: LF4001, LF4002 there is no engine; LF4005 to LF4007 the policy does not read.
    """
    stored, facts = recorded.stored, recorded.facts
    bundle = _bundle(view, stored)
    if facts is None or bundle is None:
        return None
    began = time.monotonic()
    engines = Engines()
    try:
        budget = Budget(EVALUATIONS, lambda: time.monotonic() - began > seconds)
        evaluation = Evaluation(bundle, engines.regorus, facts, budget)
        search = Search(bundle, evaluation, engines.installed)
        rows = tuple(search.remedies((*stored.violations, *stored.warnings)))
        return Remedies(
            rows=rows,
            together=bool(stored.violations) and _together(bundle, engines, facts, rows),
            engines=tuple(i["name"] for engine in engines.installed for i in engine.identities),
            evaluations=evaluation.count,
            seconds=time.monotonic() - began,
        )
    finally:
        engines.close()


def _together(bundle: Bundle, engines: Engines, facts: JsonObject, rows: tuple[Remedy, ...]) -> bool:
    possible = [row for row in rows if row.possible]
    return bool(possible) and together(bundle, engines.installed, facts, possible)


def _bundle(view: RealmView, stored: StoredDecision) -> Bundle | None:
    body = BlobStore(view.folder / "blobs").get(stored.bundle) if stored.bundle else None
    if body is None or hashlib.sha256(body).hexdigest() != stored.bundle:
        return None
    bundle = read_bundle(decode_files(body))
    return bundle if bundle.digest == stored.policy else None
