"""A ledger that folds as it grows and can be forked: for tests that try thousands of continuations of one history."""

from __future__ import annotations

import copy
from dataclasses import dataclass, fields, replace

from lockflight.core.fold.run import advance, fold
from lockflight.core.state.state import State
from tests.factories import NOW, Ledger


def clone(state: State) -> State:
    """A copy whose further fold leaves the original alone; records and facts are shared, since they never change."""
    copied = {field.name: _copied(getattr(state, field.name)) for field in fields(State)}
    return State(**copied)


def _copied(value: object) -> object:
    if isinstance(value, dict):
        return {key: _inner(item) for key, item in value.items()}
    if isinstance(value, (list, set)):
        return copy.copy(value)
    return value


def _inner(item: object) -> object:
    if isinstance(item, list):
        return list(item)
    kind = type(item).__name__
    if kind in {"Slot", "Proposal", "Emergency"}:
        twin = copy.copy(item)
        if kind == "Slot":
            twin.history = list(item.history)  # type: ignore[attr-defined]
            twin.left = dict(item.left)  # type: ignore[attr-defined]
        return twin
    return item


@dataclass
class LiveLedger(Ledger):
    """As `Ledger`; `state` is kept, and `clock` (seconds after NOW) is the time of the next entry."""

    clock: int = 0
    live: State | None = None

    def add_envelope(self, data: bytes, der: bytes, *, logged_at: int | None = None) -> str:
        """Log an envelope and fold it."""
        at = NOW + self.clock if logged_at is None else logged_at
        digest = super().add_envelope(data, der, logged_at=at)
        if self.live is None:
            self.live = fold(self.root, self.entries)
        else:
            advance(self.live, self.entries[-1])
        return digest

    def state(self) -> State:
        """The fold so far."""
        assert self.live is not None
        return self.live

    def fork(self) -> LiveLedger:
        """The same realm, to be continued in another way."""
        twin = copy.copy(self)
        twin.keys, twin.entries, twin.heads = dict(self.keys), list(self.entries), dict(self.heads)
        twin.live = clone(self.state())
        return twin

    def code(self, digest: str) -> str:
        """Why the newest entry of an envelope does not count; empty if it does."""
        return next(r.code for r in reversed(self.state().records) if r.digest == digest)


def same(one: State, two: State) -> bool:
    """Whether two folds came to the same."""
    return replace(one) == replace(two)
