"""What a policy says of changed facts: in batches, each question asked once, within a budget."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lockflight.core.canonical import dumps
from lockflight.core.gate.factshape import check_facts
from lockflight.core.gate.ruling import Ruling, parse_ruling
from lockflight.core.records import dataclass
from lockflight.errors import PolicyDenied
from lockflight.policy.patch import patched
from lockflight.policy.remedy.edits import changed, operations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from lockflight.core.canonical import JsonObject
    from lockflight.core.ports import PolicyEngine
    from lockflight.policy.bundle import Bundle
    from lockflight.policy.remedy.edits import Edit

#: Facts that are evaluated together, at most so many and of so many bytes in all.
_AT_ONCE, _BYTES_AT_ONCE = 12, 1_000_000


@dataclass(frozen=True, slots=True)
class Budget:
    """How long a search may take.

    Attributes:
        evaluations: of changed facts, in all.
        stopped: says whether the time is over.
    """

    evaluations: int
    stopped: Callable[[], bool]


class Spent(Exception):
    """The budget is used up."""


class Evaluation:
    """A policy and the facts that it judged.

    Attributes:
        facts: what was judged.
        count: evaluations so far.
    """

    def __init__(self, bundle: Bundle, engine: PolicyEngine, facts: JsonObject, budget: Budget) -> None:
        self.facts = facts
        self.count = 0
        self._bundle = bundle
        self._engine = engine
        self._budget = budget
        self._known: dict[frozenset[bytes], Ruling | None] = {}
        self._at_once = max(1, min(_AT_ONCE, _BYTES_AT_ONCE // max(1, len(dumps(facts)))))

    def first(self, sets: Iterable[Sequence[Edit]], does: Callable[[Ruling], bool]) -> int:
        """Index of the first set of edits after which a ruling does, or -1.

        Raises:
            Spent: the budget ended before one did.
        """
        start = 0
        for some in self.batches(list(sets)):
            for i, ruling in enumerate(self.rulings(some)):
                if ruling is not None and does(ruling):
                    return start + i
            start += len(some)
        return -1

    def batches(self, sets: Sequence[Sequence[Edit]]) -> Iterator[Sequence[Sequence[Edit]]]:
        """Sets of edits in portions that are evaluated together; small facts in larger ones."""
        for start in range(0, len(sets), self._at_once):
            yield sets[start : start + self._at_once]

    def rulings(self, sets: Sequence[Sequence[Edit]]) -> list[Ruling | None]:
        """What the policy says after each set of edits; None where it has no answer.

        Raises:
            Spent: the budget is used up.
        """
        keys = [frozenset(edit.key for edit in edits) for edits in sets]
        fresh = {key: edits for key, edits in zip(keys, sets, strict=True) if key not in self._known}
        if fresh:
            if self.count + len(fresh) > self._budget.evaluations or self._budget.stopped():
                raise Spent
            self.count += len(fresh)
            # Only what is confirmed has to be canonical, and that takes as long as the policy does.
            documents = [json.dumps(changed(self.facts, edits)).encode() for edits in fresh.values()]
            self._known.update(zip(fresh, self._asked(documents), strict=True))
        return [self._known[key] for key in keys]

    def _asked(self, documents: Sequence[bytes]) -> list[Ruling | None]:
        bundle = self._bundle
        try:
            outputs = self._engine.evaluate_all(bundle.modules, bundle.data, bundle.entrypoint, documents)
        except PolicyDenied:
            # One of them made the policy fail; alone, it fails alone.
            return [None] if len(documents) == 1 else [r for d in documents for r in self._asked([d])]
        return [_read(output) for output in outputs]


def _read(output: JsonObject) -> Ruling | None:
    try:
        return parse_ruling(output)
    except (KeyError, TypeError, ValueError):
        return None


def confirmed(
    bundle: Bundle, engines: Iterable[PolicyEngine], facts: JsonObject, edits: Sequence[Edit]
) -> list[Ruling] | None:
    """What each engine says after edits that are done as the JSON Patch that is told; None where one has no answer.

    Raises:
        EnvironmentProblem: LF4001, LF4002 an engine is not here any more.
    """
    try:
        document = patched(facts, operations(edits))
        check_facts(document)
        body = dumps(document)
        found = [e.evaluate(bundle.modules, bundle.data, bundle.entrypoint, body) for e in engines]
        return [parse_ruling(output) for output in found]
    except (KeyError, IndexError, TypeError, ValueError, PolicyDenied):
        return None
