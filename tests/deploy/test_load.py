"""A load gives signed bytes or a refusal; who may be loaded is what the realm says now."""

from __future__ import annotations

import gc
import hashlib
import mmap
import os
import shutil
import stat
from pathlib import Path

import pytest

import lockflight
from lockflight.deploy import loaded as loaded_module
from lockflight.errors import LockflightError
from tests.deploy.conftest import MODEL, build


def refused(code, act, *args, **options):
    with pytest.raises(LockflightError) as caught:
        act(*args, **options)
    assert caught.value.code == code, caught.value
    assert caught.value.message
    assert caught.value.hint
    return caught.value


def folders(base):
    return [p for p in Path(base).glob("lockflight-*") if p.is_dir()]


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("copies")
    monkeypatch.setattr("tempfile.tempdir", str(folder))


def test_everything_that_was_signed_is_read(world, load):
    release = load()
    assert release.names()[0] == "lockflight.toml"
    for name in release.names():
        assert release.read(name) == (world.work / name).read_bytes()
    assert release.bytes_read == sum(asset.size for asset in release.release.assets)
    assert release.text("README.md") == (world.work / "README.md").read_text()
    assert release.names("model/") == (MODEL,)
    assert release.grounds.environment == "development"
    assert [(h.environment, h.exposure, h.candidate) for h in release.grounds.holds] == [
        ("development", 10000, False)
    ]


def test_what_the_signature_does_not_list_does_not_exist(world, load):
    (world.package / "evil.py").write_text("1")
    (world.package / "model" / "evil.bin").write_text("1")
    release = load()
    assert "evil.py" not in release.names()
    for name in (
        "evil.py",
        "model/evil.bin",
        "model.sig",
        "model",
        "",
        "../package/README.md",
        "./README.md",
    ):
        for act in (release.read, release.open, release.path, release.tensors, release.text):
            refused("LF7511", act, name)
        refused("LF7511", release.private_copy, [name])
    refused("LF7511", release.private_copy, "mod")
    refused("LF7511", release.private_copy, "no/")


def swap(path, how, work):
    body = path.read_bytes()
    path.chmod(0o644)
    if how == "flipped":
        path.write_bytes(body[:-1] + bytes([body[-1] ^ 1]))
    elif how == "longer":
        path.write_bytes(body + b"!")
    elif how == "shorter":
        path.write_bytes(body[:-1])
    else:
        path.unlink()
    if how == "link":
        path.symlink_to(work / MODEL)
    elif how == "folder":
        path.mkdir()
    elif how == "pipe":
        os.mkfifo(path)


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("flipped", "LF7510"),
        ("longer", "LF7510"),
        ("shorter", "LF7510"),
        ("gone", "LF7512"),
        ("link", "LF7512"),
        ("folder", "LF7512"),
        ("pipe", "LF7512"),
    ],
)
def test_a_file_that_is_not_the_signed_one_is_refused_by_every_door(world, load, how, code):
    swap(world.package / MODEL, how, world.work)
    release = load()
    for act in (release.read, release.open, release.path, release.safetensors):
        if act == release.safetensors and how == "flipped":
            refused("LF7513", act, MODEL)
        else:
            refused(code, act, MODEL)
    refused(code, release.private_copy, [MODEL])
    refused(code, release.private_copy, "model/")
    import tempfile

    assert folders(tempfile.gettempdir()) == []
    assert release.read("README.md") == (world.work / "README.md").read_bytes()


def test_a_folder_that_became_a_link_is_refused(world, load):
    shutil.move(world.package / "model", world.folder / "elsewhere")
    (world.package / "model").symlink_to(world.folder / "elsewhere")
    refused("LF7512", load().read, MODEL)


def test_an_open_package_does_not_follow_its_path(world, load):
    release = load()
    world.package.rename(world.folder / "moved")
    shutil.copytree(world.folder / "moved", world.package)
    (world.package / "README.md").chmod(0o644)
    (world.package / "README.md").write_text("evil")
    assert release.read("README.md") == (world.work / "README.md").read_bytes()


def test_a_file_object_is_sealed(world, load):
    with load().open(MODEL) as stream:
        assert stream.read() == (world.work / MODEL).read_bytes()
        path = f"/proc/self/fd/{stream.fileno()}"
        again = os.open(path, os.O_RDWR)
        for evil in (
            lambda: os.write(again, b"evil"),
            lambda: os.ftruncate(again, 1),
            lambda: mmap.mmap(again, 0),
        ):
            with pytest.raises(OSError):
                evil()
        os.close(again)


def test_a_sealed_path_lasts_until_close(world, load):
    release = load()
    path = release.path(MODEL)
    assert Path(path).read_bytes() == (world.work / MODEL).read_bytes()
    assert release.path(MODEL) == path
    shutil.rmtree(world.package)
    assert Path(path).read_bytes() == (world.work / MODEL).read_bytes()
    release.close()
    assert not Path(path).exists()


def test_without_memory_files_there_are_copies(world, load, monkeypatch):
    monkeypatch.setattr(loaded_module, "SEALING", False)
    release = load()
    with release.open(MODEL) as stream:
        assert stream.read() == (world.work / MODEL).read_bytes()
    path = Path(release.path(MODEL))
    assert path.read_bytes() == (world.work / MODEL).read_bytes()
    release.close()
    assert not path.exists()


def test_a_private_copy_is_of_this_user_alone_and_goes(world, load):
    release = load()
    folder = release.private_copy("model/")
    copied = folder / "model.safetensors"
    assert copied.read_bytes() == (world.work / MODEL).read_bytes()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o500
    assert stat.S_IMODE(copied.stat().st_mode) == 0o400
    both = release.private_copy(["README.md", MODEL])
    assert sorted(p.relative_to(both).as_posix() for p in both.rglob("*") if p.is_file()) == [
        "README.md",
        MODEL,
    ]
    assert stat.S_IMODE((both / "model").stat().st_mode) == 0o500
    release.close()
    assert not folder.exists()
    assert not both.exists()


def test_who_forgets_to_close_leaves_nothing_behind(world, load):
    release = lockflight.load(world.package, environment="development", realm="acme", home=world.home)
    folder, path = release.private_copy("model/"), release.path(MODEL)
    tensors = release.tensors(MODEL)
    assert folder.exists()
    del release
    gc.collect()
    assert not folder.exists()
    assert not Path(path).exists()
    with pytest.raises(ValueError):
        tensors["layer.00"]


def test_a_closed_package_gives_nothing(load):
    release = load()
    release.close()
    release.close()
    for act in (release.read, release.open, release.path, release.tensors, release.text):
        refused("LF7518", act, MODEL)
    refused("LF7518", release.private_copy, "model/")


def test_bytes_that_are_no_text_are_not_text(load, world):
    refused("LF7510", load().text, MODEL)


def test_a_full_disk_is_told(load, monkeypatch):
    release = load()
    monkeypatch.setattr("tempfile.tempdir", "/nonexistent")
    refused("LF7533", release.private_copy, "model/")


# Who may be loaded.


def test_an_environment_must_be_named_and_known(load):
    refused("LF7503", load, environment="")
    refused("LF0121", load, environment="prodution")


def test_what_no_slot_holds_is_refused_unless_asked_for(load):
    assert "development" in refused("LF7521", load, environment="staging").message
    assert load(environment="staging", unpromoted=True).grounds.holds == ()
    assert load(environment="", unpromoted=True).grounds.holds


def test_a_retired_release_is_refused(world, load):
    world.ok("retire --project berth-classifier --env development --as alice")
    refused("LF7522", load)
    load(unpromoted=True)


def test_a_candidate_may_be_loaded(world, load):
    readme = world.work / "README.md"
    readme.write_text(readme.read_text() + "\nMore.\n")
    manifest = world.work / "lockflight.toml"
    manifest.write_text(manifest.read_text().replace('version = "1.0.0"', 'version = "1.1.0"'))
    world.ok("check work --record --env staging --as alice")
    world.ok("sign work --out second --as alice")
    world.ok("promote second --to development --as alice --exposure 20%")
    assert [(h.exposure, h.candidate) for h in load(world.folder / "second").grounds.holds] == [(2000, True)]
    assert [(h.exposure, h.candidate) for h in load().grounds.holds] == [(8000, False)]


@pytest.mark.parametrize("what", ["package", MODEL])
def test_what_was_revoked_is_refused_always(world, load, what):
    digest = hashlib.sha256((world.work / MODEL).read_bytes()).hexdigest()
    words = "package" if what == "package" else f"--digest {digest} --scope asset"
    world.ok(f"revoke {words} --reason harmful --as bob")
    for options in ({}, {"unpromoted": True}, {"environment": "", "unpromoted": True}):
        refused("LF7335", load, **options)


def test_an_unsigned_folder_is_refused(world, load):
    refused("LF7330", load, world.work)
    (world.package / "model.sig").unlink()
    refused("LF7330", load)
    (world.package / "model.sig").symlink_to(world.folder / "x")
    refused("LF7512", load)
    refused("LF1009", load, world.folder / "nowhere")


def test_a_forged_signature_is_refused(world, load):
    path = world.package / "model.sig"
    body = path.read_bytes()
    at = body.index(b'"payload":"') + 200
    path.write_bytes(body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :])
    with pytest.raises(LockflightError) as caught:
        load()
    assert caught.value.code.startswith("LF71")


def test_a_simulator_promotes_nothing_real(tmp_path):
    world = build(tmp_path, kind=" --simulator")
    options = {"environment": "development", "realm": "acme", "home": world.home}
    refused("LF7523", lockflight.load, world.package, **options)
    lockflight.load(world.package, unpromoted=True, **options).close()


def test_a_copy_of_a_realm_grows_old(world, load, monkeypatch):
    root = world.ok("realm show --json").out.split('"root": "sha256:')[1][:64]
    world.ok("realm backup --out copy")
    other = world.folder / "other"
    world.ok(f"realm join copy --root {root}", LOCKFLIGHT_HOME=str(other))
    assert load(home=other).read("README.md")
    assert refused("LF7502", load, home=other, max_age_s=-1).details["max_age_s"] == -1
    monkeypatch.setenv("LOCKFLIGHT_MAX_AGE", "soon")
    refused("LF0103", load, home=other)
    # Where the log itself is kept, nothing newer can exist elsewhere.
    assert load(max_age_s=-1).read("README.md")


def test_a_realm_that_is_not_there_is_told(load):
    refused("LF4510", load, realm="other")
