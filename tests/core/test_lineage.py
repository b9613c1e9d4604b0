"""The tree of a release: right, finite, and no larger than can be shown."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from lockflight.core.attest import statement as st
from lockflight.core.attest.provenance import Material, parse_provenance
from lockflight.core.facts import lineage as module
from lockflight.core.facts.lineage import Input, Lineage, Made, lineage
from lockflight.core.release.release import Reference, make_release
from lockflight.core.state.state import Record, State
from lockflight.core.words import Role
from tests.core.test_factprov import built, foreign
from tests.core.test_provenance import BUILD
from tests.factories import Ledger, asset, release

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

BASE, DATA, WEIGHTS = "ba" * 32, "da" * 32, "5e" * 32
QUANTISED = asset("q4.gguf", Role.MODEL_WEIGHTS, b"q4")


@pytest.fixture
def tree() -> Lineage:
    """dataset and base model -> model -> quantised file -> release."""
    ledger = Ledger()
    built(ledger, WEIGHTS, step="train", materials=[DATA, BASE])
    built(ledger, QUANTISED.sha256, step="quantise", materials=[WEIGHTS])
    reference = Reference("reviews", Role.DATASET_REFERENCE, "https://data.example/reviews", f"sha256:{DATA}")
    small = release(QUANTISED)
    whole = make_release(
        name=small.name,
        version=small.version,
        kind=small.kind,
        tier=small.tier,
        assets=small.assets,
        references=[reference],
    )
    return lineage(ledger.state(), whole)


def test_from_the_data_to_the_release(tree: Lineage) -> None:
    [quantised] = tree.made
    assert (quantised.products, quantised.fact.step) == (("q4.gguf",), "quantise")
    [weights] = quantised.inputs
    assert weights.made is not None
    assert weights.made.fact.step == "train"
    assert [(i.known_as, i.made) for i in weights.made.inputs] == [("reviews", None), ("", None)]
    assert len(tree.unknown) == 5
    assert not tree.cut
    document = tree.to_json()
    assert document["made"][0]["inputs"][0]["made"]["step"] == "train"  # type: ignore[index,call-overload]


def test_what_one_step_made_stands_together_and_is_drawn_once() -> None:
    ledger = Ledger()
    built(ledger, DATA, step="split", materials=[BASE])
    two = release(QUANTISED, asset("f16.gguf", Role.MODEL_WEIGHTS, b"f16"))
    built(
        ledger,
        *(a.sha256 for a in two.assets if a.name.endswith("gguf")),
        step="train",
        materials=[DATA, DATA],
    )
    [made] = lineage(ledger.state(), two).made
    assert made.products == ("f16.gguf", "q4.gguf")
    first, second = (each.made for each in made.inputs)
    assert first is not None
    assert second is not None
    assert [i.material.sha256 for i in first.inputs] == [BASE]
    assert (second.again, second.inputs) == (True, ())


def test_the_newest_record_counts_and_a_claim_is_shown_as_one() -> None:
    ledger = Ledger()
    built(ledger, QUANTISED.sha256, step="old")
    built(ledger, QUANTISED.sha256, step="new")
    assert [m.fact.step for m in lineage(ledger.state(), release(QUANTISED)).made] == ["new"]
    foreign(ledger, QUANTISED.sha256)
    [made] = lineage(ledger.state(), release(QUANTISED)).made
    assert (made.fact.origin.value, made.to_json()["origin"]) == ("foreign", "foreign")


def test_nothing_recorded() -> None:
    tree = lineage(Ledger().state(), release())
    assert (tree.made, len(tree.unknown)) == ((), 5)


def test_a_step_that_copies_its_input_is_no_circle() -> None:
    ledger = Ledger()
    built(ledger, DATA, step="make", materials=[BASE])
    built(ledger, DATA, step="copy", materials=[DATA])
    built(ledger, QUANTISED.sha256, step="train", materials=[DATA])
    [made] = lineage(ledger.state(), release(QUANTISED)).made
    steps = []
    while made is not None:
        steps.append(made.fact.step)
        made = next((i.made for i in made.inputs), None)  # type: ignore[assignment]
    assert steps == ["train", "copy", "make"]


def test_what_was_made_later_was_not_used() -> None:
    ledger = Ledger()
    built(ledger, QUANTISED.sha256, step="train", materials=[DATA])
    built(ledger, DATA, step="later", materials=[BASE])
    [made] = lineage(ledger.state(), release(QUANTISED)).made
    assert [i.made for i in made.inputs] == [None]


def records(graph: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, Record]]:
    for i, (product, materials) in enumerate(graph.items()):
        one = replace(
            BUILD,
            products=(st.SubjectRef(product[:4], product),),
            materials=tuple(Material(m[:4], digests=(("sha256", m),), read=True) for m in materials),
        ).statement()
        yield (
            product,
            Record(i, f"{i:064x}", 0, "provenance", product, fact=parse_provenance(one), statement=one),
        )


def state_of(graph: Mapping[str, Sequence[str]]) -> State:
    state = State(root="00" * 32, trust=Ledger().trust)
    for product, record in records(graph):
        state.provenance[product] = [record]
    return state


DIGESTS = [f"{i:02x}" * 32 for i in range(8)] + [a.sha256 for a in release().assets]


def count(each: Made | Input) -> int:
    below = each.inputs if isinstance(each, Made) else ([each.made] if each.made else [])
    return 1 + sum(count(one) for one in below)


@settings(deadline=None)
@given(
    graph=some.dictionaries(
        some.sampled_from(DIGESTS), some.lists(some.sampled_from(DIGESTS), max_size=6), max_size=13
    )
)
def test_any_graph_is_drawn_and_every_record_once(graph: dict[str, list[str]]) -> None:
    tree = lineage(state_of(graph), release())
    seen: list[str] = []

    def walk(made: Made) -> None:
        if not made.again:
            seen.append(made.record)
        for each in made.inputs:
            if each.made is not None:
                walk(each.made)

    for made in tree.made:
        walk(made)
    assert len(seen) <= len(graph) + sum(not materials for materials in graph.values()) * 80
    assert not tree.cut
    assert sum(count(m) for m in tree.made) <= 2 * module.MAX_NODES


def test_a_long_chain_and_a_wide_one_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    first = release().assets[1].sha256
    chain = [first, *(f"{i:064x}" for i in range(1, 60))]
    tree = lineage(state_of({a: [b] for a, b in pairwise(chain)}), release())
    assert tree.cut
    monkeypatch.setattr(module, "MAX_NODES", 10)
    wide = lineage(state_of({first: [f"{i:064x}" for i in range(30)]}), release())
    assert wide.cut
    assert len(wide.made[0].inputs) == 10
