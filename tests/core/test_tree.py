"""The tree of a release: its leaves by the letter, proofs of each asset, and nothing that is two things at once."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.attest.statement import parse
from lockflight.core.attest.tree import FILE, REFERENCE, Tree, TreeAsset, assets_of, path, signed_tree, tree
from lockflight.core.canonical import dumps
from lockflight.core.log.merkle import leaf_hash, node_hash
from lockflight.core.release.release import Reference, make_release
from lockflight.core.verify.log.proofs import verify_inclusion
from lockflight.core.words import Kind, Role, Tier
from lockflight.errors import LockflightError, VerificationFailed
from tests.factories import Ledger, asset, release

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=6)
ASSETS = st.builds(
    TreeAsset,
    WORDS,
    st.sampled_from([FILE, REFERENCE]),
    WORDS,
    st.integers(0, 2**53 - 1),
    st.binary(max_size=3).map(lambda b: hashlib.sha256(b).hexdigest()),
)


def test_a_leaf_by_the_letter():
    digest = hashlib.sha256(b"x").digest()
    data = (
        b"\x00\x00\x00\x12lockflight-tree/v1"
        b"\x00\x00\x00\x04file"
        b"\x00\x00\x00\x03a/b"
        b"\x00\x00\x00\x04code"
        b"\x00\x00\x00\x00\x00\x00\x00\x01"
        b"\x00\x00\x00\x20" + digest
    )
    found = TreeAsset("a/b", FILE, "code", 1, digest.hex())
    assert found.leaf == hashlib.sha256(b"\x00" + data).digest()


@given(ASSETS, ASSETS)
def test_two_assets_never_share_a_leaf(one, other):
    assert (one.leaf == other.leaf) is (one == other)


@given(st.lists(ASSETS, min_size=1, max_size=12), st.data())
def test_every_asset_is_proven_and_no_other(assets, data):
    assets.sort(key=lambda a: a.order)
    found = tree(assets)
    index = data.draw(st.integers(0, len(assets) - 1))
    proof = path(assets, index)
    top = bytes.fromhex(found.root)
    verify_inclusion(assets[index].leaf, index, found.size, proof, top)
    other = data.draw(ASSETS)
    if other not in assets:
        with pytest.raises(VerificationFailed):
            verify_inclusion(other.leaf, index, found.size, proof, top)
    if proof:
        with pytest.raises(VerificationFailed):
            verify_inclusion(assets[index].leaf, index, found.size, proof[:-1], top)


def test_a_node_is_no_leaf():
    assets = assets_of(release())
    leaves = [a.leaf for a in assets]
    node = node_hash(leaves[0], leaves[1])
    assert leaf_hash(leaves[0] + leaves[1]) != node
    found = tree(assets)
    with pytest.raises(VerificationFailed):
        verify_inclusion(node, 0, found.size, path(assets, 0)[1:], bytes.fromhex(found.root))


def test_files_and_references_follow_from_the_signed_statement():
    reference = Reference("base", Role.DATASET, "https://data.example", version="2026-01-01")
    what = make_release(
        name="bot",
        version="1",
        kind=Kind.CLASSIFIER,
        tier=Tier.MINIMAL,
        assets=release().assets,
        references=[reference],
    )
    found = assets_of(what)
    assert signed_tree(parse(what.payload)) == tree(found)
    assert found == tuple(sorted(found, key=lambda a: a.order))
    said = next(a for a in found if a.kind == REFERENCE)
    assert (said.sha256, said.size) == (reference.sha256, len(dumps(reference.to_json())))
    assert tree(found).size == len(what.assets) + 1


NAMES = st.text("ab/.-\u00e9\U0001f512", min_size=1, max_size=4).map(lambda n: f"d{n}".replace("/", "") + "x")


@given(
    st.lists(
        st.tuples(NAMES, st.sampled_from([Role.CODE, Role.DATASET])), max_size=6, unique_by=lambda p: p[0]
    )
)
def test_release_and_statement_have_one_tree(files):
    try:
        what = release(*(asset(name, role, name.encode()) for name, role in files))
    except LockflightError:
        return  # names that no release may hold
    assert signed_tree(parse(what.payload)) == tree(assets_of(what))


def test_name_role_size_and_bytes_are_in_the_root():
    assets = list(assets_of(release()))
    whole = tree(assets)
    for change in ({"name": "z"}, {"role": "other"}, {"size": 9}, {"sha256": "0" * 64}, {"kind": REFERENCE}):
        assert tree([replace(assets[0], **change), *assets[1:]]) != whole


@pytest.mark.parametrize(
    "said", [Tree("0" * 64, 5), Tree(tree(assets_of(release())).root, 4), tree(assets_of(release())[1:])]
)
def test_the_fold_refuses_a_tree_that_was_not_signed(said):
    ledger = Ledger()
    ledger.person("alice", "author")
    what = release()
    ledger.register(what, "alice")
    honest = ledger.state().registrations[what.digest][-1]
    assert honest.effective
    assert honest.fact.tree == tree(assets_of(what))
    ledger.add(replace(honest.fact, tree=said).statement(), "alice")
    forged = ledger.state().records[-1]
    assert forged.code == "LF7248"
    assert "tree" in forged.reason


def test_a_registration_without_a_tree_counts_as_before():
    ledger = Ledger()
    ledger.person("alice", "author")
    what = release(asset("more", Role.OTHER))
    ledger.register(what, "alice")
    honest = ledger.state().registrations[what.digest][-1]
    ledger.add(replace(honest.fact, tree=None).statement(), "alice")
    assert ledger.state().records[-1].effective
