"""The search: one changed fact, then two, then as few of all helpful ones as do; then each no further than it must.

Facts that a failure itself names are tried before the rest of what its rule reads. Whether a group of facts holds an
answer at all is asked first, with all of them changed at once, so that a hopeless group costs one evaluation.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

from lockflight.core.records import dataclass
from lockflight.core.shape import array
from lockflight.policy.remedy.candidates import candidates, is_fixed
from lockflight.policy.remedy.edits import REACHES, Edit, Reach, fit
from lockflight.policy.remedy.evaluation import Spent, confirmed
from lockflight.policy.remedy.goals import Goal
from lockflight.policy.remedy.reaches import touches
from lockflight.policy.remedy.shrink import shrunk
from lockflight.policy.text.factpaths import facts_read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lockflight.core.canonical import JsonObject, JsonValue
    from lockflight.core.gate.ruling import Ruling, Violation
    from lockflight.core.ports import PolicyEngine
    from lockflight.policy.bundle import Bundle
    from lockflight.policy.remedy.evaluation import Evaluation

#: Single changes of a group that are tried at most, sure ones and others, and changes of which every pair is.
MOST_SURE, MOST_OTHERS, MOST_PAIRED = 72, 24, 8
#: More changes than this at once are no answer that a person could use.
MOST_EDITS = 40


@dataclass(frozen=True, slots=True)
class Remedy:
    """What would make a failed rule pass.

    Attributes:
        said: the failure.
        edits: the shortest change that was found; empty where none was.
        reach: what has to happen for it; `fixed` where only facts stand in the way that nobody can change for this
            release here. None where nothing was found.
        complete: the search ended by itself, not because its budget was used up.
        most: changes of up to so many facts were looked for.
    """

    said: Violation
    edits: tuple[Edit, ...]
    reach: Reach | None
    complete: bool
    most: int = MOST_EDITS

    @property
    def possible(self) -> bool:
        """Whether somebody can bring the change about."""
        return self.reach not in {None, Reach.FIXED}


class Search:
    """Looks for remedies of failures in one decision.

    Args:
        bundle: the policy that judged.
        evaluation: the facts, and what changed ones are judged with.
        engines: what has to agree that a remedy is one.
    """

    def __init__(self, bundle: Bundle, evaluation: Evaluation, engines: Sequence[PolicyEngine]) -> None:
        self._bundle = bundle
        self._ask = evaluation
        self._engines = engines

    def remedies(self, failures: Iterable[Violation]) -> Iterator[Remedy]:
        """The remedy of each failure, as `remedy` finds it.

        Raises:
            EnvironmentProblem: LF4001, LF4002 there is no engine.
        """
        try:
            (before,) = self._ask.rulings([[]])
        except Spent:
            before = None
        for said in failures:
            # What the gate itself holds against an output is no rule of the policy, and no fact changes it.
            if before is None or all(
                r.passed or (r.code, r.term) != (said.code, said.term) for r in before.rules
            ):
                yield Remedy(said, (), None, complete=before is not None)
            else:
                yield self.remedy(said, before)

    def remedy(self, said: Violation, before: Ruling) -> Remedy:
        """The shortest change with which a failed rule passes and no other one fails.

        Args:
            said: the failure.
            before: the ruling that it is part of.

        Raises:
            EnvironmentProblem: LF4001, LF4002 there is no engine.
        """
        goal = Goal(said, before)
        every = candidates(self._ask.facts, self._bundle.base, said)
        try:
            for fixed in (False, True):
                groups = self._groups([e for e in every if is_fixed(e) is fixed], said)
                edits = self._shortest(goal, groups)
                if edits and self._holds(goal, edits):
                    reach = max((e.reach for e in edits), key=REACHES.index)
                    return Remedy(said, tuple(edits), reach, complete=True)
        except Spent:
            return Remedy(said, (), None, complete=False)
        return Remedy(said, (), None, complete=True)

    def _groups(self, edits: Iterable[Edit], said: Violation) -> list[list[Edit]]:
        """Changes of what the failure names, of what else its rule reads, and of what that reads in turn."""
        direct, reached = facts_read(self._bundle.modules, said.code)
        groups: list[list[Edit]] = [[], [], []]
        for edit in edits:
            if touches(edit.path, [*direct, *reached]):
                near = _named(edit, self._ask.facts, said)
                groups[0 if near else 1 if touches(edit.path, [*direct]) else 2].append(edit)
        return groups

    def _shortest(self, goal: Goal, groups: Sequence[Sequence[Edit]]) -> list[Edit]:
        best: list[Edit] = []
        for i, group in enumerate(groups):
            # Outside what the failure names, one evaluation says whether there is anything to be found.
            whole = self._helpful(goal, group)
            if i and not whole:
                continue
            found = self._in_group(goal, group, whole)
            if found and (not best or len(found) < len(best)):
                best = found
            if len(best) == 1:
                break
        if not best and sum(map(bool, groups)) > 1:
            best = self._few(goal, self._helpful(goal, [edit for group in groups for edit in group]))
        return self._tightened(goal, best) if len(best) <= MOST_EDITS else []

    def _in_group(self, goal: Goal, group: Sequence[Edit], whole: Sequence[Edit]) -> list[Edit]:
        sure = self._single(goal, [edit for edit in group if edit.sure], MOST_SURE)
        if sure:
            return sure
        few = self._few(goal, whole)
        if len(few) == 1:
            return few
        return (
            self._single(goal, [edit for edit in group if not edit.sure], MOST_OTHERS)
            or self._pair(goal, group, few)
            or few
        )

    def _single(self, goal: Goal, edits: Sequence[Edit], most: int) -> list[Edit]:
        """One change that does; of those that are tried together, the lightest."""
        ranked = sorted(edits, key=lambda e: not _is_told(e, self._ask.facts, goal.said))[:most]
        for some in self._ask.batches([[edit] for edit in ranked]):
            told = self._ask.rulings(some)
            good = [edit for (edit,), r in zip(some, told, strict=True) if r is not None and goal.met(r)]
            if good:
                return [min(good, key=lambda edit: (REACHES.index(edit.reach), edit.weight))]
        return []

    def _few(self, goal: Goal, whole: Sequence[Edit]) -> list[Edit]:
        """What is left of many changes that do, when as many as can be are left out; the heaviest first."""
        return shrunk(whole[::-1], lambda sets: self._ask.first(sets, goal.met)) if whole else []

    def _pair(self, goal: Goal, group: Sequence[Edit], few: Sequence[Edit]) -> list[Edit]:
        """Two changes that do, where more were found."""
        if not 2 < len(few) <= MOST_PAIRED:
            return []
        keys = {edit.key for edit in few}
        others = [edit for edit in group if edit.sure and edit.key not in keys]
        pairs = combinations([*few, *others][:MOST_PAIRED], 2)
        tries = [list(pair) for pair in pairs if len(fit(pair)) == len(pair)]
        found = self._ask.first(tries, goal.met)
        return tries[found] if found >= 0 else []

    def _helpful(self, goal: Goal, edits: Sequence[Edit]) -> list[Edit]:
        """All changes of a group at once that go together, as far as that does; empty where it does not."""
        sure = [e for e in edits if e.sure]
        near = [e for e in sure if e.reach in {Reach.EVIDENCE, Reach.PEOPLE}]
        tries = [fit([e for e in near if e.op != "add"]), fit(near), fit(sure), fit(sure[::-1]), fit(edits)]
        tries = [some for i, some in enumerate(tries) if some and some not in tries[:i]]
        found = self._ask.first(tries, goal.met)
        return tries[found] if found >= 0 else []

    def _tightened(self, goal: Goal, edits: list[Edit]) -> list[Edit]:
        """Numbers moved no further than they must be: exactly to where the rule begins to pass."""
        for i, edit in enumerate(edits):
            before, after = edit.before, edit.after
            if not _number(before) or not _number(after):
                continue
            bad, good = int(str(before)), int(str(after))
            while abs(good - bad) > 1:
                tries = _between(good, bad)
                sets = [[*edits[:i], _moved(edit, number), *edits[i + 1 :]] for number in tries]
                told = [ruling is not None and goal.met(ruling) for ruling in self._ask.rulings(sets)]
                steps = [good, *tries, bad]
                last = next((k for k, does in enumerate([*told, False]) if not does))
                good, bad = steps[last], steps[last + 1]
            edits[i] = _moved(edit, good)
        return edits

    def _holds(self, goal: Goal, edits: Sequence[Edit]) -> bool:
        found = confirmed(self._bundle, self._engines, self._ask.facts, edits)
        return found is not None and all(goal.met(ruling) for ruling in found)


def together(
    bundle: Bundle, engines: Sequence[PolicyEngine], facts: JsonObject, remedies: Iterable[Remedy]
) -> bool:
    """Whether the policy allows once all of some remedies are done."""
    edits = fit({e.key: e for r in remedies for e in r.edits}.values())
    found = confirmed(bundle, engines, facts, edits)
    return found is not None and all(ruling.allow for ruling in found)


def _number(value: JsonValue) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _moved(edit: Edit, number: int) -> Edit:
    return replace(edit, after=number)


def _between(good: int, bad: int, most: int = 7) -> list[int]:
    """Numbers from the good one to the bad one, without them; the one beside the good one is among them."""
    step = 1 if bad > good else -1
    far = abs(bad - good)
    parts = min(most, far - 1)
    return sorted({good + step, *(good + step * (far * k // (parts + 1) or 1) for k in range(1, parts + 1))})[
        ::step
    ]


def _is_told(edit: Edit, facts: JsonObject, said: Violation) -> bool:
    """Whether a failure tells the name of what an edit is about."""
    new = array(edit.after)[0] if isinstance(edit.after, list) and edit.after else edit.after
    row = new if edit.op == "add" or len(edit.path) <= 2 else _row_of(facts, edit.path)
    name = row.get("name") if isinstance(row, dict) else None
    return isinstance(name, str) and bool(name) and name in said.msg


def _named(edit: Edit, facts: JsonObject, said: Violation) -> bool:
    """Whether a failure speaks of what an edit changes: its evidence, its term, a name or value of it."""
    path = edit.path
    if path[0] == "evidence" and len(path) > 1:
        if path[1] == f"scan/{said.term}":
            return True
        row = _row_of(facts, path)
        return isinstance(row, dict) and row.get("digest") in said.evidence
    if edit.before is not None and edit.before == said.value and type(edit.before) is type(said.value):
        return edit.before not in {0, 1}
    row = edit.after if edit.op == "add" and isinstance(edit.after, dict) else _row_of(facts, path)
    if not isinstance(row, dict):
        return False
    words = {row.get("role"), row.get("name"), row.get("asset")}
    named = {word for word in words if isinstance(word, str)}
    return bool(said.term and named & {said.term, *said.term.split(" or ")}) or any(
        isinstance(word, str) and word and word in said.msg for word in (row.get("name"), row.get("asset"))
    )


def _row_of(facts: JsonObject, path: Sequence[str | int]) -> JsonValue:
    """The row of a list that a path goes through first; None where it goes through none."""
    value: JsonValue = facts
    for part in path:
        if isinstance(value, dict) and isinstance(part, str) and part in value:
            value = value[part]
        elif isinstance(value, list) and isinstance(part, int):
            return value[part]
        else:
            return None
    return None
