"""Feature references: schema and digest, or nothing."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.source import BytesSource
from lockflight.formats import features
from lockflight.formats.features import BadFeatures, Feature, read_features
from tests.signed import mutate

DIGEST = "sha256:" + "a" * 64
VIEW = {
    "name": "rider_hourly",
    "entities": ["rider_id"],
    "features": [{"name": "trips", "dtype": "int64", "min": 0}, {"name": "stops", "dtype": "Array<float64>"}],
    "source": {"uri": "s3://features.example/rides.parquet", "digest": DIGEST},
    "ttl_s": 3600,
}
ALONE = {key: value for key, value in VIEW.items() if key not in {"name", "entities"}}


def read(value):
    return read_features(
        BytesSource(value if isinstance(value, bytes) else json.dumps(value).encode(), "f.json")
    )


def test_one_view_or_several():
    (view,) = read({"views": [VIEW]})
    assert view.features == (Feature("trips", "int64"), Feature("stops", "Array<float64>"))
    assert (view.name, view.entities, view.digest) == ("rider_hourly", ("rider_id",), DIGEST)
    (alone,) = read(ALONE)
    assert (alone.name, alone.entities, alone.uri) == ("", (), VIEW["source"]["uri"])


def changed(change):
    raw = copy.deepcopy(VIEW)
    change(raw)
    return {"views": [raw]}


BAD = {
    "no json": b"{",
    "a key twice": b'{"views": [], "views": []}',
    "no object": [],
    "no views": {"views": []},
    "too many views": {"views": [VIEW] * (features.MAX_VIEWS + 1)},
    "one view twice": {"views": [VIEW, VIEW]},
    "no features": changed(lambda v: v.update(features=[])),
    "features missing": changed(lambda v: v.pop("features")),
    "a feature twice": changed(lambda v: v["features"].append(v["features"][0])),
    "no type": changed(lambda v: v["features"][0].pop("dtype")),
    "type no word": changed(lambda v: v["features"][0].update(dtype="__import__('os')")),
    "no name": changed(lambda v: v["features"][0].update(name="")),
    "hidden name": changed(lambda v: v["features"][0].update(name="a\u202eb")),
    "long name": changed(lambda v: v["features"][0].update(name="a" * 2000)),
    "no source": changed(lambda v: v.pop("source")),
    "no digest": changed(lambda v: v["source"].pop("digest")),
    "digest in capitals": changed(lambda v: v["source"].update(digest=DIGEST.upper())),
    "digest of another kind": changed(lambda v: v["source"].update(digest="md5:" + "a" * 32)),
    "no address": changed(lambda v: v["source"].update(uri="")),
    "entities no list": changed(lambda v: v.update(entities="rider_id")),
    "too long": b" " * (features.MAX_BYTES + 1),
}


@pytest.mark.parametrize("value", BAD.values(), ids=BAD)
def test_what_says_less_is_none(value):
    with pytest.raises(BadFeatures):
        read(value)


@given(st.data())
def test_any_bytes_are_read_or_refused(data):
    body = mutate(json.dumps({"views": [VIEW]}).encode(), data.draw)
    try:
        views = read(body)
    except BadFeatures:
        return
    assert all(view.features and view.digest.startswith("sha256:") for view in views)
