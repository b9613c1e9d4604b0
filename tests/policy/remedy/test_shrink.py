"""What is left does, and nothing of it can be left out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lockflight.policy.remedy.shrink import ALL_SUBSETS, shrunk


def asked(does):
    return lambda sets: next((i for i, some in enumerate(sets) if does(set(some))), -1)


@given(
    st.integers(1, 40).flatmap(
        lambda n: st.tuples(
            st.just(n),
            st.lists(st.sets(st.integers(0, n - 1), min_size=1, max_size=8), min_size=1, max_size=3),
        )
    )
)
def test_one_way_remains_and_nothing_else(case):
    size, ways = case
    left = shrunk(range(size), asked(lambda some: any(way <= some for way in ways)))
    assert set(left) in ways
    assert not any(way < set(left) for way in ways)


def test_what_stands_first_is_left_out_first():
    assert shrunk([1, 2, 3, 4], asked(lambda some: bool(some & {2, 3}))) in ([2], [3])


def test_pairs_that_only_go_together_are_left_out_together():
    """With a, b does only with c; so none can be left out alone, and a is enough all the same."""

    def does(some):
        return some in ({"a"}, {"a", "b", "c"})

    assert len("abc") <= ALL_SUBSETS
    assert shrunk(["c", "b", "a"], asked(does)) == ["a"]


def test_a_single_one_stays():
    assert shrunk(["x"], asked(lambda some: True)) == ["x"]
