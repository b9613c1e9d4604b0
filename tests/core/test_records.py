"""A record is a dataclass to everybody who asks: compared with the standard library's own, made of the same words."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.records import dataclass


@dataclass(frozen=True, slots=True)
class Ours:
    """Doc."""

    name: str
    size: int = 3
    more: list[int] = field(default_factory=list)
    hidden: str = field(default="x", repr=False)
    cache: dict[str, int] = field(default_factory=dict, compare=False)

    def twice(self) -> int:
        """A method."""
        return 2 * self.size


@dataclasses.dataclass(frozen=True, slots=True)
class Theirs:
    """Doc."""

    name: str
    size: int = 3
    more: list[int] = field(default_factory=list)
    hidden: str = field(default="x", repr=False)
    cache: dict[str, int] = field(default_factory=dict, compare=False)


@dataclass(slots=True)
class Open:
    """Not frozen."""

    name: str
    made: str = field(init=False)

    def __post_init__(self) -> None:
        """Fill in."""
        self.made = self.name.upper()


@dataclass(frozen=True, slots=True)
class Below(Ours):
    """Another behaviour, the same fields."""

    def twice(self) -> int:
        """A method."""
        return 0


@dataclass(frozen=True, slots=True)
class Empty:
    """No field at all."""


TEXTS = st.text(max_size=5)


@given(TEXTS, st.integers(), st.lists(st.integers(), max_size=3), TEXTS)
def test_it_is_made_shown_and_compared_like_a_dataclass(name: str, size: int, more: Any, hidden: str) -> None:
    ours, theirs = Ours(name, size, more, hidden=hidden), Theirs(name, size, more, hidden=hidden)
    assert repr(ours) == repr(theirs).replace("Theirs", "Ours")
    assert dataclasses.asdict(ours) == dataclasses.asdict(theirs)
    assert ours == Ours(name, size, list(more), hidden, {"ignored": 1})
    assert ours != Ours(name + "x", size, more, hidden)
    assert ours != theirs
    assert dataclasses.replace(ours, size=7) == Ours(name, 7, more, hidden)
    assert copy.deepcopy(ours) == ours == pickle.loads(pickle.dumps(ours))


def test_its_fields_are_those_of_the_standard_library() -> None:
    assert [f.name for f in dataclasses.fields(Ours)] == [f.name for f in dataclasses.fields(Theirs)]
    assert Ours.__match_args__ == Theirs.__match_args__
    assert Ours.__slots__ == Theirs.__slots__
    assert not hasattr(Ours("a"), "__dict__")
    match Ours("a", 5):
        case Ours(name, size):
            assert (name, size) == ("a", 5)


def test_defaults_are_made_anew() -> None:
    assert Ours("a").more is not Ours("a").more
    assert (Ours("a").size, Ours("a").hidden) == (3, "x")


@pytest.mark.parametrize(("args", "words"), [((), {}), (("a",), {"other": 1}), (("a",), {"name": "b"})])
def test_wrong_arguments_are_refused(args: Any, words: Any) -> None:
    with pytest.raises(TypeError):
        Ours(*args, **words)


def test_a_frozen_record_is_frozen() -> None:
    record = Ours("a")
    for act in (
        lambda: setattr(record, "name", "b"),
        lambda: setattr(record, "other", "b"),
        lambda: delattr(record, "name"),
    ):
        with pytest.raises(dataclasses.FrozenInstanceError):
            act()
    assert hash(dataclasses.replace(Empty())) == hash(Empty())


def test_an_open_record_changes_and_has_no_hash() -> None:
    record = Open("a")
    assert record.made == "A"
    record.name = "b"
    assert repr(record) == "Open(name='b', made='A')"
    with pytest.raises(TypeError):
        hash(record)
    with pytest.raises(AttributeError):
        record.other = 1  # type: ignore[attr-defined]


def test_a_record_below_another_has_its_fields_once() -> None:
    assert Below("a") == Below("a") != Ours("a")
    assert Below("a", 4).twice() == 0
    assert Below.__slots__ == ()
    assert Ours("a", 4).twice() == 8


def test_a_mutable_default_is_refused() -> None:
    with pytest.raises(ValueError, match="mutable default"):

        @dataclass(frozen=True, slots=True)
        class _Wrong:
            more: list[int] = []  # noqa: RUF012 - what is refused


def test_records_have_slots() -> None:
    with pytest.raises(TypeError):
        dataclass(slots=False)
