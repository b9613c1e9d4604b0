from __future__ import annotations

import errno
import hashlib
import os
import stat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockflight.errors import EnvironmentProblem, InvalidInput, VerificationFailed
from lockflight.store import blobs
from lockflight.store.blobs import BlobStore

DATA = b"a long envelope"
NAME = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def store(tmp_path):
    return BlobStore(tmp_path / "blobs", max_bytes=100)


def path_of(tmp_path, name=NAME):
    return tmp_path / "blobs" / name[:2] / name


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(st.binary(max_size=100))
def test_what_is_put_is_got_by_its_digest(store, data):
    name = store.put(data)
    assert name == hashlib.sha256(data).hexdigest()
    assert store.get(name) == data
    assert name in list(store.digests())


def test_a_blob_is_one_private_file(store, tmp_path):
    store.put(DATA)
    assert stat.S_IMODE(path_of(tmp_path).stat().st_mode) == 0o600
    assert [p.name for p in path_of(tmp_path).parent.iterdir()] == [NAME]
    assert list(store.digests()) == [NAME]


def test_what_was_never_held_is_absent(store):
    assert store.get(NAME) is None
    assert store.erase(NAME) is False
    assert list(store.digests()) == []


def test_an_erased_blob_is_gone(store, tmp_path):
    store.put(DATA)
    assert store.erase(NAME) is True
    assert store.get(NAME) is None
    assert not path_of(tmp_path).exists()


@pytest.mark.parametrize("content", [b"", DATA[:-1], DATA + b"!", b"x" * 101])
def test_a_damaged_blob_is_refused_and_can_be_put_again(store, tmp_path, content):
    store.put(DATA)
    path_of(tmp_path).write_bytes(content)
    with pytest.raises(VerificationFailed) as caught:
        store.get(NAME)
    assert caught.value.code == "LF7223"
    store.put(DATA)
    assert store.get(NAME) == DATA


def test_a_blob_over_budget_is_refused(store, tmp_path):
    with pytest.raises(InvalidInput) as caught:
        store.put(b"x" * 101)
    assert caught.value.code == "LF5038"
    assert not (tmp_path / "blobs").exists()


@pytest.mark.parametrize("name", ["", "..", "../" * 21 + "x", NAME[:-1], NAME.upper(), f"{NAME}\n", "é" * 64])
def test_what_is_no_digest_reaches_no_file(store, name):
    for use in (store.get, store.erase):
        with pytest.raises(InvalidInput) as caught:
            use(name)
        assert caught.value.code == "LF7215"


def test_a_link_in_the_place_of_a_blob_is_not_followed(store, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(DATA)
    path_of(tmp_path).parent.mkdir(parents=True)
    path_of(tmp_path).symlink_to(elsewhere)
    with pytest.raises(EnvironmentProblem) as caught:
        store.get(NAME)
    assert caught.value.code == "LF5036"


def test_a_full_disk_is_told(store, monkeypatch):
    def full(path, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(blobs, "replace_file", full)
    with pytest.raises(EnvironmentProblem) as caught:
        store.put(DATA)
    assert caught.value.code == "LF5030"
    assert "No space left" in caught.value.message


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "blobs").write_text("in the way")
    with pytest.raises(EnvironmentProblem) as caught:
        BlobStore(tmp_path / "blobs").put(DATA)
    assert caught.value.code == "LF5030"
    with pytest.raises(EnvironmentProblem) as caught:
        BlobStore(tmp_path / "blobs").erase(NAME)
    assert caught.value.code == "LF5030"
