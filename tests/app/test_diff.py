from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from lockflight.app.release.diff import diff
from lockflight.core.release.release import Asset, Dependency, Reference, make_release
from lockflight.core.words import Kind, Role, Tier


def asset(name, role=Role.CODE, content="a"):
    return Asset(name, role, 1, (content * 64)[:64], "0" * 64)


def release(*assets, name="r", version="1", kind=Kind.MODEL, tier=Tier.HIGH, references=(), dependencies=()):
    return make_release(
        name=name,
        version=version,
        kind=kind,
        tier=tier,
        assets=[asset("lockflight.toml", Role.RELEASE_MANIFEST), *assets],
        references=references,
        dependencies=dependencies,
    )


def test_one_release_is_itself():
    found = diff(release(asset("a")), release(asset("a")))
    assert found.same
    assert found.header == {}
    assert found.roles == found.renamed == ()
    assert not any((found.assets, found.references, found.dependencies))
    assert found.views == {"behaviour": False, "software": False, "data": False}


def test_files():
    old = release(asset("gone"), asset("kept"), asset("edited", content="b"), asset("p", Role.CODE, "c"))
    new = release(
        asset("new", content="d"), asset("kept"), asset("edited", content="e"), asset("p", Role.OTHER, "c")
    )
    found = diff(old, new)
    assert not found.same
    assert [a.name for a in found.assets.added] == ["new"]
    assert [a.name for a in found.assets.removed] == ["gone"]
    assert [(a.sha256[0], b.sha256[0]) for a, b in found.assets.changed] == [("b", "e")]
    assert found.roles == (("p", Role.CODE, Role.OTHER),)
    assert found.renamed == ()


def test_renamed_files_are_matched_once():
    old = release(asset("a"), asset("b"), asset("k", Role.DATASET))
    new = release(asset("x"), asset("y"), asset("z"), asset("k", Role.DATASET))
    found = diff(old, new)
    assert found.renamed == (("a", "x"), ("b", "y"))
    assert len(found.assets.added) == 3


def test_header_references_and_dependencies():
    one = Reference("d", Role.DATASET, "https://d", version="2026-01-01")
    two = Reference("d", Role.DATASET, "https://d", version="2026-02-01")
    image = Reference("d", Role.IMAGE_BASE, "d:1", digest="sha256:" + "0" * 64)
    old = release(asset("a"), references=[one], dependencies=[Dependency("kb", environment="staging")])
    new = release(
        asset("a"), name="q", version="2", kind=Kind.AGENT, tier=Tier.LIMITED, references=[two, image],
        dependencies=[Dependency("kb", environment="production")],
    )  # fmt: skip
    found = diff(old, new)
    assert found.header == {
        "name": ("r", "q"),
        "version": ("1", "2"),
        "kind": ("model", "agent"),
        "tier": ("high", "limited"),
    }
    assert found.references.added == (image,)
    assert found.references.changed == ((one, two),)
    assert [x.environment for pair in found.dependencies.changed for x in pair] == ["staging", "production"]
    assert found.views == {"behaviour": False, "software": True, "data": True}


def test_views_say_what_must_be_looked_at_again():
    old = release(asset("w", Role.MODEL_WEIGHTS), asset("README.md", Role.DOCUMENTATION))
    readme = release(asset("w", Role.MODEL_WEIGHTS), asset("README.md", Role.DOCUMENTATION, "b"))
    weights = release(asset("w", Role.MODEL_WEIGHTS, "b"), asset("README.md", Role.DOCUMENTATION))
    assert not any(diff(old, readme).views.values())
    assert diff(old, weights).views == {"behaviour": True, "software": False, "data": False}


def test_json_form():
    old = release(
        asset("a"), asset("b"), references=[Reference("d", Role.DATASET, "u", version="2026-01-01")]
    )
    found = diff(
        old,
        release(asset("a", content="c"), asset("c"), dependencies=[Dependency("kb", environment="staging")]),
    )
    form = found.to_json()
    assert json.loads(json.dumps(form)) == form
    assert form["assets"]["changed"] == [
        {
            "name": "a",
            "from": {"name": "a", "role": "code", "size": 1, "sha256": "a" * 64},
            "to": {"name": "a", "role": "code", "size": 1, "sha256": "c" * 64},
        }
    ]
    assert form["assets"]["renamed"] == [{"from": "b", "to": "c"}]
    assert form["references"]["removed"][0]["name"] == "d"
    assert form["dependencies"]["added"] == [{"name": "kb", "environment": "staging"}]


FILES = st.dictionaries(
    st.sampled_from(["a", "b", "c", "d/e"]),
    st.tuples(st.sampled_from([Role.CODE, Role.DATASET]), st.sampled_from("abc")),
    min_size=1,
)


@given(FILES, FILES)
def test_a_difference_turns_the_old_into_the_new(old, new):
    a, b = (release(*(asset(n, r, c) for n, (r, c) in files.items())) for files in (old, new))
    found = diff(a, b)
    assert found.same is (a.digest == b.digest) is (old == new)
    state = {x.name: (x.role, x.sha256) for x in a.assets}
    for gone in found.assets.removed:
        del state[gone.name]
    for more in found.assets.added:
        state[more.name] = (more.role, more.sha256)
    for before, after in found.assets.changed:
        assert state[before.name][1] == before.sha256
        state[after.name] = (after.role, after.sha256)
    for name, before, after in found.roles:
        assert state[name][0] is before
        state[name] = (after, state[name][1])
    assert state == {x.name: (x.role, x.sha256) for x in b.assets}
    back = diff(b, a)
    assert {x.name for x in back.assets.added} == {x.name for x in found.assets.removed}
    assert back.views == found.views


def test_a_file_that_moved_into_another_role():
    old = release(asset("a", Role.CODE, "c"), asset("b", Role.OTHER, "c"))
    new = release(asset("x", Role.OTHER, "c"), asset("y", Role.DATASET, "c"))
    found = diff(old, new)
    assert found.renamed == (("b", "x"), ("a", "y"))
    assert found.moved_roles == [("y", "code", "dataset")]


def again(old, new):
    return {one.check: one.subjects for one in diff(old, new).again}


def test_checks_that_must_run_again():
    card = asset("README.md", Role.DOCUMENTATION)
    weights = [asset(f"w{i}.pkl", Role.MODEL_WEIGHTS, c) for i, c in enumerate("bc")]
    old = release(*weights, card)
    readme = again(old, release(*weights, asset("README.md", Role.DOCUMENTATION, "b")))
    assert readme == {"documents": ("r",), "completeness": ("r",)}
    other = again(old, release(weights[0], asset("w1.pkl", Role.MODEL_WEIGHTS, "d"), card))
    assert other["models"] == ("w1.pkl",)
    assert other["secrets"] == ("behaviour",)
    assert "code" not in other
    assert diff(old, old).again == ()
    # Loaders choose by the last part of a name, so the same bytes under another one are judged again.
    assert again(old, release(weights[0], asset("w1.bin", Role.MODEL_WEIGHTS, "c"), card))["models"] == (
        "w1.bin",
    )
    assert "models" not in again(old, release(weights[0], asset("sub/w1.pkl", Role.MODEL_WEIGHTS, "c"), card))
