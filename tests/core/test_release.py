"""Releases: what the digest covers, and that only the canonical statement reads back."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lockflight.core.release.release
from lockflight.core.canonical import dumps
from lockflight.core.release.release import Dependency, Reference, make_release, parse_release, view_root
from lockflight.core.release.tensors import MAX_TENSORS, TensorIndex
from lockflight.core.words import VIEWS, Kind, Role, Tier
from lockflight.errors import InvalidInput, VerificationFailed
from tests.signed import FILES, asset, release

REFERENCE = Reference(
    "base", Role.MODEL_WEIGHTS, "hf://org/base", digest="sha256:" + "0" * 64, licence="MIT", context="web"
)
DEPENDENCY = Dependency("kb", environment="production")


def full(**changes):
    fields = {
        "name": "demo",
        "version": "1.0",
        "kind": Kind.MODEL,
        "tier": Tier.HIGH,
        "assets": [asset(n, b) for n, b in FILES.items()],
        "references": [REFERENCE],
        "dependencies": [DEPENDENCY, Dependency("tok", digest="1" * 64)],
    }
    return make_release(**{**fields, **changes})


names = st.text(st.sampled_from("ab-./é"), min_size=1, max_size=8)


@given(
    st.dictionaries(names, st.binary(max_size=4), min_size=1, max_size=5), st.randoms(use_true_random=False)
)
def test_a_release_survives_the_trip_whatever_the_order_of_its_assets(files, random):
    assets = [asset(n, b) for n, b in {"lockflight.toml": b"", **files}.items()]
    try:
        first = full(assets=assets)
    except InvalidInput:
        return
    random.shuffle(assets)
    second = full(assets=assets)
    assert second == first
    assert second.payload == first.payload
    assert parse_release(first.payload) == first
    assert first.digest == hashlib.sha256(first.payload).hexdigest()


def test_the_digest_of_a_release_never_changes():
    # Signatures, approvals and log entries of years name releases by it.
    assert full().digest == "f7817838a9966beaab7c7d0d6edccfdbaa8ecbc9f2a2a6d911c035b4888ca6cc"
    assert full().views() == {
        "behaviour": "32642c5bbb00b115e8935d6a61c7356c5dfd2568f883c63f8cac747bfae64258",
        "software": "675465c46e6b5e51a33572bf2939c0892c90343f52a7fe74925af8657cf477b1",
        "data": "8fcb568f4d1caed03bbeed4282d3f8e70181b0b5f107511c25b16a276a39325d",
    }


def test_the_manifest_comes_first_and_the_rest_in_code_point_order():
    listed = [a.name for a in full().assets]
    assert listed == ["lockflight.toml", "a-b/c", "a.b", "a/b", "weights.safetensors"]


def test_resources_and_root_follow_code_point_order():
    one = full()
    resources = json.loads(one.payload)["predicate"]["resources"]
    listed = [r["name"] for r in resources]
    assert listed == sorted(listed)
    digest = hashlib.sha256(b"".join(bytes.fromhex(r["digest"]) for r in resources)).hexdigest()
    assert one.oms_root == digest == json.loads(one.payload)["subject"][0]["digest"]["sha256"]


def test_an_asset_is_found_by_name():
    assert full().asset("a.b") == asset("a.b", b"")
    assert full().asset("b") is None


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"version": "1.1"},
        {"kind": Kind.CLASSIFIER},
        {"tier": Tier.LIMITED},
        {"references": []},
        {"references": [replace(REFERENCE, uri="hf://org/other")]},
        {"dependencies": []},
        {"assets": [asset(n, b + b"!") for n, b in FILES.items()]},
        {"assets": [asset(n, b, Role.CODE) for n, b in FILES.items()]},
        {"assets": [asset(n if n != "a.b" else "a.c", b) for n, b in FILES.items()]},
        {"assets": [replace(asset(n, b), media_type="text/plain") for n, b in FILES.items()]},
        {"assets": [replace(asset(n, b), tensors=TensorIndex("0" * 64, ())) for n, b in FILES.items()]},
    ],
)
def test_the_digest_covers_everything(change):
    assert full(**change).digest != full().digest


def test_references_may_come_from_any_iterable():
    only = make_release(
        name="d",
        version="1",
        kind=Kind.DATASET,
        tier=Tier.MINIMAL,
        assets=iter([asset("lockflight.toml", b"")]),
        references=iter([REFERENCE]),
        dependencies=iter([DEPENDENCY]),
    )
    assert only.references == (REFERENCE,)
    assert parse_release(only.payload) == only


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({}, "LF1021"),
        ({"a": b""}, "LF1021"),
        ({"lockflight.toml": b""}, "LF1020"),
        ({"lockflight.toml": b"", "../x": b""}, "LF1012"),
        ({"lockflight.toml": b"", "A": b"", "a": b""}, "LF1017"),
    ],
)
def test_what_is_no_release_is_refused(files, code):
    with pytest.raises(InvalidInput) as caught:
        full(assets=[asset(n, b) for n, b in files.items()], references=[])
    assert caught.value.code == code


def test_a_view_moves_with_its_roles_only():
    base = full()
    with_docs = full(assets=[*base.assets, asset("README.md", b"x", Role.DOCUMENTATION)])
    assert with_docs.views() == base.views()
    with_code = full(assets=[*base.assets, asset("app.py", b"x", Role.CODE)])
    changed = {name for name in VIEWS if with_code.view(name) != base.view(name)}
    assert changed == {"software"}
    with_reference = full(references=[])
    changed = {name for name in VIEWS if with_reference.view(name) != base.view(name)}
    assert changed == {"behaviour"}


def test_views_are_separated_by_name_and_shape():
    rows = [("code", "a", "0" * 64)]
    assert view_root("software", rows) != view_root("data", rows)
    assert view_root("software", rows) != view_root("software", [("code", "a", "0" * 64)] * 2)
    assert view_root("software", [("co", "dea", "0")]) != view_root("software", [("code", "a", "0")])
    assert view_root("software", rows + rows[::-1]) == view_root("software", rows * 2)


def body():
    return json.loads(full().payload)


def resource(raw, name="a.b"):
    return next(r for r in raw["predicate"]["resources"] if r["name"] == name)


def header(raw):
    return resource(raw, "lockflight.toml")["annotations"]["release"]


MALFORMED = {
    "another predicate": lambda b: b.update(predicateType="https://example.com/x"),
    "no predicate": lambda b: b.pop("predicate"),
    "resources no list": lambda b: b["predicate"].update(resources={}),
    "resource no object": lambda b: b["predicate"]["resources"].append(1),
    "no digest": lambda b: resource(b).pop("digest"),
    "upper case digest": lambda b: resource(b).update(digest="A" * 64),
    "no annotations": lambda b: resource(b).pop("annotations"),
    "unknown role": lambda b: resource(b)["annotations"].update(role="spell"),
    "negative size": lambda b: resource(b)["annotations"].update(size=-1),
    "size no number": lambda b: resource(b)["annotations"].update(size="1"),
    "no manifest": lambda b: b["predicate"]["resources"].remove(resource(b, "lockflight.toml")),
    "no header": lambda b: resource(b, "lockflight.toml")["annotations"].pop("release"),
    "unknown kind": lambda b: header(b).update(kind="spell"),
    "unknown tier": lambda b: header(b).update(tier="spell"),
    "unknown field of a reference": lambda b: header(b)["references"][0].update(extra="x"),
    "reference without role": lambda b: header(b)["references"][0].pop("role"),
    "unknown field of a dependency": lambda b: header(b)["dependencies"][0].update(extra="x"),
}


@pytest.mark.parametrize("change", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_statement_is_refused(change):
    raw = body()
    change(raw)
    with pytest.raises(VerificationFailed) as caught:
        parse_release(dumps(raw))
    assert caught.value.code == "LF7110"


UNNAMED = {
    "leaves the folder": lambda b: resource(b).update(name="../x"),
    "twice": lambda b: b["predicate"]["resources"].insert(0, resource(b, "a-b/c")),
}


@pytest.mark.parametrize("change", UNNAMED.values(), ids=UNNAMED)
def test_names_that_a_release_may_not_hold_are_refused(change):
    raw = body()
    change(raw)
    with pytest.raises(VerificationFailed) as caught:
        parse_release(dumps(raw))
    assert caught.value.code == "LF7111"


def test_resources_out_of_order_are_refused():
    raw = body()
    raw["predicate"]["resources"].reverse()
    with pytest.raises(VerificationFailed) as caught:
        parse_release(dumps(raw))
    assert caught.value.code == "LF7112"


MORE = {
    "field of the statement": lambda b: b.update(extra=1),
    "field of the predicate": lambda b: b["predicate"].update(extra=1),
    "ignored paths": lambda b: b["predicate"]["serialization"].update(ignore_paths=["x"]),
    "symlinks": lambda b: b["predicate"]["serialization"].update(allow_symlinks=True),
    "field of a resource": lambda b: resource(b).update(extra=1),
    "annotation": lambda b: resource(b)["annotations"].update(extra=1),
    "field of the header": lambda b: header(b).update(extra="x"),
    "empty field of a reference": lambda b: header(b)["references"][0].update(version=""),
    "another algorithm": lambda b: resource(b).update(algorithm="sha512"),
    "another subject": lambda b: b["subject"][0]["digest"].update(sha256="0" * 64),
    "another name of the subject": lambda b: b["subject"][0].update(name="x"),
    "second subject": lambda b: b["subject"].append(b["subject"][0]),
}


@pytest.mark.parametrize("change", MORE.values(), ids=MORE)
def test_a_statement_that_says_more_is_refused(change):
    raw = body()
    change(raw)
    with pytest.raises(VerificationFailed) as caught:
        parse_release(dumps(raw))
    assert caught.value.code == "LF7113"


def test_white_space_is_refused():
    with pytest.raises(VerificationFailed) as caught:
        parse_release(json.dumps(body(), indent=1).encode())
    assert caught.value.code == "LF7113"


def test_a_size_beyond_all_readers_is_refused_as_json():
    payload = full().payload.replace(b'"size":1}', b'"size":9007199254740993}')
    with pytest.raises(VerificationFailed) as caught:
        parse_release(payload)
    assert caught.value.code == "LF7101"


def test_the_budget_of_assets_holds(monkeypatch):
    payload = full().payload
    monkeypatch.setattr(lockflight.core.release.release, "MAX_ASSETS", 4)
    with pytest.raises(VerificationFailed) as caught:
        parse_release(payload)
    assert caught.value.code == "LF7110"
    with pytest.raises(InvalidInput) as refused:
        full()
    assert refused.value.code == "LF1019"


def test_the_default_release_of_the_helpers_is_whole():
    assert parse_release(release().payload) == release()


INDEX = TensorIndex("a" * 64, ("b" * 64, "c" * 64))


def with_index(index=INDEX):
    return full(
        assets=[replace(asset(n, b), tensors=index if "safe" in n else None) for n, b in FILES.items()]
    )


def test_an_index_of_tensors_is_signed_and_reads_back():
    one = with_index()
    assert parse_release(one.payload) == one
    assert parse_release(one.payload).asset("weights.safetensors").tensors == INDEX
    # Digests in another order are another release: layers cannot be swapped.
    assert with_index(TensorIndex(INDEX.header, INDEX.digests[::-1])).digest != one.digest


@pytest.mark.parametrize(
    "tensors",
    [None, {"header": "a" * 64}, {"header": "a" * 64, "blake3": ["b"]}, {**INDEX.to_json(), "x": 1}],
)
def test_an_index_of_another_shape_is_refused(tensors):
    body = json.loads(with_index().payload)
    for resource in body["predicate"]["resources"]:
        if resource["name"] == "weights.safetensors":
            resource["annotations"]["tensors"] = tensors
    with pytest.raises(VerificationFailed) as caught:
        parse_release(dumps(body))
    assert caught.value.code in {"LF7110", "LF7113"}


def test_too_many_tensors_are_not_indexed_at_all():
    most = TensorIndex("a" * 64, ("b" * 64,) * (MAX_TENSORS - 5 * len(FILES)))
    assert with_index(most).asset("weights.safetensors").tensors == most
    more = with_index(TensorIndex("a" * 64, (*most.digests, "c" * 64)))
    assert more == full()
    assert parse_release(more.payload) == more
