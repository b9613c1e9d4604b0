from __future__ import annotations

import copy
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.app.files import ocilayout
from lockflight.app.files.ocilayout import BLOBS, layer_type, layout_files, read_layout
from lockflight.core.release.release import Asset, make_release
from lockflight.core.source import BytesSource
from lockflight.core.words import Kind, Role, Tier
from lockflight.errors import VerificationFailed

CONTENT = {"lockflight.toml": b"manifest", "a": b"same", "d/b": b"same", "w": b"weights", "e": b""}


def sha(data):
    return hashlib.sha256(data).hexdigest()


def layout():
    """Path -> bytes of a sound layout."""
    assets = [Asset(n, Role.CODE, len(d), sha(d), "0" * 64) for n, d in CONTENT.items()]
    release = make_release(name="r", version="1", kind=Kind.MODEL, tier=Tier.HIGH, assets=assets)
    files = layout_files(release, {n: BytesSource(d, n) for n, d in CONTENT.items()})
    result = {}
    for path, source, digest in files:
        assert path not in result
        result[path] = source.read_at(0, source.size)
        assert sha(result[path]) == digest
    return result


def read(files):
    sources = {path: BytesSource(data, path) for path, data in files.items()}
    return read_layout(sources, {path: sha(data) for path, data in files.items()})


def refused(files):
    with pytest.raises(VerificationFailed) as raised:
        read(files)
    return raised.value


def edited(change):
    """A layout whose manifest was changed, with digests that fit again."""
    files = layout()
    index = json.loads(files["index.json"])
    old = BLOBS + index["manifests"][0]["digest"][7:]
    manifest = json.loads(files.pop(old))
    change(manifest)
    body = json.dumps(manifest).encode()
    files[BLOBS + sha(body)] = body
    index["manifests"][0].update(digest="sha256:" + sha(body), size=len(body))
    files["index.json"] = json.dumps(index).encode()
    return files


def test_back_and_forth():
    files = layout()
    paths, own = read(files)
    assert {name: files[path] for name, path in paths.items()} == CONTENT
    assert own | set(paths.values()) == set(files)
    assert len(files) == 4 + len(set(CONTENT.values()))


def test_what_is_foreign_is_not_accounted_for():
    paths, own = read(layout() | {BLOBS + "0" * 64: b"x", "x": b"y"})
    assert not {BLOBS + "0" * 64, "x"} & (own | set(paths.values()))


@pytest.mark.parametrize("role", list(Role))
def test_every_role_has_a_layer_type(role):
    kind = layer_type(role).removeprefix("application/vnd.cncf.model.").removesuffix(".v1.raw")
    assert kind in {"weight", "weight.config", "doc", "code", "dataset"}


def test_layer_types():
    assert layer_type(Role.MODEL_WEIGHTS).endswith(".weight.v1.raw")
    assert layer_type(Role.TOKENIZER).endswith(".weight.config.v1.raw")
    assert layer_type(Role.LICENCE).endswith(".doc.v1.raw")


def set_layer(key, value):
    return lambda m: m["layers"][1].__setitem__(key, value)


CHANGES = [
    set_layer("digest", "sha256:" + "0" * 64),
    set_layer("digest", "sha256:" + "A" * 64),
    set_layer("digest", 7),
    set_layer("size", 5),
    set_layer("size", -1),
    set_layer("size", "4"),
    set_layer("annotations", {}),
    set_layer("annotations", []),
    set_layer("annotations", {"org.cncf.model.filepath": "../a"}),
    set_layer("annotations", {"org.cncf.model.filepath": "/etc/x"}),
    set_layer("annotations", {"org.cncf.model.filepath": "d/b"}),
    set_layer("annotations", {"org.cncf.model.filepath": "D/B"}),
    set_layer("annotations", {"org.cncf.model.filepath": ".git/config"}),
    lambda m: m.update(artifactType="application/other"),
    lambda m: m.pop("artifactType"),
    lambda m: m.pop("layers"),
    lambda m: m.update(layers={}),
    lambda m: m.update(layers=[1]),
    lambda m: m.pop("config"),
    lambda m: m["config"].update(digest="sha256:" + "0" * 64),
]


@pytest.mark.parametrize("change", CHANGES, ids=range(len(CHANGES)))
def test_manifests_that_contradict_themselves(change):
    assert refused(edited(change)).code == "LF1106"


def test_other_contradictions(monkeypatch):
    for path in ("oci-layout", "index.json"):
        files = layout()
        if path == "index.json":
            del files[path]
            assert refused(files).code == "LF1106"
        files[path] = b'{"manifests": [], "manifests": []}'
        assert refused(files).code == "LF7102"
        files[path] = b"[]"
        assert refused(files).code == "LF7101"
    files = layout()
    index = json.loads(files["index.json"])
    for manifests in ([], index["manifests"] * 2, [1], {}):
        files["index.json"] = json.dumps({"manifests": manifests}).encode()
        assert refused(files).code == "LF1106"
    monkeypatch.setattr(ocilayout, "MAX_ASSETS", 3)
    assert "layers" in refused(layout()).message
    monkeypatch.setattr(ocilayout, "MAX_MANIFEST", 30)
    assert "bytes long" in refused(layout()).message


def test_a_blob_of_another_content():
    files = layout()
    path = BLOBS + sha(b"weights")
    files[path] = b"wEights"
    assert "is not what its digest" in refused(files).message


SCALARS = st.sampled_from([None, True, -5, 0, 4, "", "a", "sha256:" + "0" * 64])
KEYS = st.sampled_from(["digest", "size", "x"])
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(KEYS, inner, max_size=2)),
    max_leaves=4,
)


@given(st.data())
def test_mutated_layouts_are_read_soundly_or_refused(data):
    def change(manifest):
        spots = []

        def walk(node):
            for key in list(node) if isinstance(node, dict) else range(len(node)):
                spots.append((node, key))
                if isinstance(node[key], dict | list):
                    walk(node[key])

        walk(manifest)
        node, key = data.draw(st.sampled_from(spots))
        node[key] = copy.deepcopy(data.draw(JSON))

    files = edited(change)
    try:
        paths, own = read(files)
    except VerificationFailed:
        return
    for path in paths.values():
        assert path == BLOBS + sha(files[path])
    assert own <= set(files)
