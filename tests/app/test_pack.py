from __future__ import annotations

import hashlib
import json
import os
import stat

import pytest

from lockflight.app.files import ocilayout
from lockflight.app.files import pack as module
from lockflight.app.files.describe import describe
from lockflight.app.files.pack import pack
from lockflight.app.files.package import Found, load_package
from lockflight.errors import EnvironmentProblem, InvalidInput, LockflightError, NotFound, UsageError
from lockflight.infra.progress import Silent


def refused(kind, code, call, *arguments, **named):
    with pytest.raises(kind) as raised:
        call(*arguments, **named)
    assert raised.value.code == code, raised.value
    return raised.value


def tree(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def packed(workspace, out, **more):
    with describe(workspace) as found:
        return pack(found, out, **more)


@pytest.fixture
def cluttered(workspace):
    """The workspace with everything that must not come along."""
    for name in (".git/config", "__pycache__/x.pyc", ".venv/pyvenv.cfg", "x.log"):
        (workspace / name).parent.mkdir(exist_ok=True)
        (workspace / name).write_text("x")
    with (workspace / "lockflight.toml").open("a") as manifest:
        manifest.write('[[exclude]]\nfiles = ["*.log", "out/**"]\nreason = "left over"\n')
    return workspace


ASSETS = {"LICENSE", "README.md", "data/a.csv", "data/b.csv", "lockflight.toml"}


def test_a_package_is_exactly_the_assets(cluttered, tmp_path):
    result = packed(cluttered, tmp_path / "new/out")
    out = tmp_path / "new/out"
    assert tree(out) == {name: (cluttered / name).read_bytes() for name in ASSETS}
    with describe(out, package=True) as again:
        assert again.release.digest == result.digest
    assert (result.path, result.layout, result.files) == (out, "folder", 5)
    assert result.size == sum(map(len, tree(out).values()))
    assert [p.name for p in out.parent.iterdir()] == ["out"]


def test_modes_do_not_depend_on_the_workspace_or_the_umask(workspace, tmp_path):
    for path in workspace.rglob("*"):
        path.chmod(0o700)
    old = os.umask(0o077)
    try:
        packed(workspace, tmp_path / "out")
    finally:
        os.umask(old)
    for path in [tmp_path / "out", *(tmp_path / "out").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o755 if path.is_dir() else 0o644), path


def test_an_empty_folder_is_taken(workspace, tmp_path):
    (tmp_path / "out").mkdir()
    packed(workspace, tmp_path / "out")
    assert set(tree(tmp_path / "out")) == ASSETS


@pytest.mark.parametrize("what", ["file", "full", "link", "dangling"])
def test_nothing_is_ever_overwritten(workspace, tmp_path, what):
    out = tmp_path / "out"
    (tmp_path / "other").mkdir()
    if what == "file":
        out.write_text("mine")
    elif what == "full":
        out.mkdir()
        (out / "mine").write_text("mine")
    else:
        out.symlink_to("other" if what == "link" else "nowhere")
    refused(UsageError, "LF1101", packed, workspace, out)
    assert not list((tmp_path / "other").iterdir())
    assert not [p for p in tmp_path.iterdir() if p.name.endswith(".partial")]
    if what == "full":
        assert tree(out) == {"mine": b"mine"}


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_appears_meanwhile_is_not_overwritten(workspace, tmp_path, monkeypatch, what):
    out = tmp_path / "out"
    real = module._make_durable

    def late(top):
        real(top)
        if what == "file":
            out.write_text("mine")
        else:
            out.mkdir()
            (out / "mine").write_text("mine")

    monkeypatch.setattr(module, "_make_durable", late)
    refused(LockflightError, "LF1101", packed, workspace, out)
    assert (out if what == "file" else out / "mine").read_text() == "mine"
    assert not [p for p in tmp_path.iterdir() if p.name.endswith(".partial")]


def test_a_package_in_its_own_workspace_is_refused(cluttered):
    for out in (cluttered / "dist", cluttered / "data" / ".." / "dist" / "x", cluttered):
        refused(UsageError, "LF1102", packed, cluttered, out)
    packed(cluttered, cluttered / "out")
    describe(cluttered).close()


def test_a_change_since_hashing_stops_the_package(workspace, tmp_path):
    path = workspace / "data/a.csv"
    with describe(workspace) as found:
        path.write_bytes(path.read_bytes().replace(b"1", b"9"))
        error = refused(InvalidInput, "LF1003", pack, found, tmp_path / "out")
    assert "data/a.csv" in error.message
    assert not (tmp_path / "out").exists()
    assert not [p for p in tmp_path.iterdir() if p.name.endswith(".partial")]


def test_a_full_disk_leaves_nothing_behind(workspace, tmp_path, monkeypatch):
    def full(_fd, _data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "write", full)
    error = refused(EnvironmentProblem, "LF1104", packed, workspace, tmp_path / "out")
    assert "No space left" in error.message
    assert sorted(p.name for p in tmp_path.iterdir()) == ["work"]


def test_a_rename_that_fails(workspace, tmp_path, monkeypatch):
    def broken(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(module.Path, "rename", broken)
    refused(EnvironmentProblem, "LF1104", packed, workspace, tmp_path / "out")


def test_a_parent_that_is_a_file(workspace, tmp_path):
    (tmp_path / "file").write_text("x")
    refused(EnvironmentProblem, "LF1104", packed, workspace, tmp_path / "file" / "out")


def test_progress(workspace, tmp_path):
    told = []

    class Teller(Silent):
        def begin(self, task, total):
            told.append((task, total))

        def advance(self, n):
            told.append(n)

    result = packed(workspace, tmp_path / "out", progress=Teller())
    assert told[0] == ("packing", result.size)
    assert sum(told[1:]) == result.size


# Taking stock.


def test_stock_of_a_folder(workspace, tmp_path):
    out = tmp_path / "out"
    packed(workspace, out)
    with describe(out, package=True) as found, load_package(out) as package:
        assert package.layout == "folder"
        assert package.entries == tuple(
            sorted(
                (Found(a.name, "file", a.size, a.sha256, a.blake3) for a in found.release.assets),
                key=lambda f: f.name,
            )
        )
        for entry in package.entries:
            assert package.sources[entry.name].read_at(0, 999) == (out / entry.name).read_bytes()
        package.recheck()
        (out / "README.md").write_text("changed")
        refused(InvalidInput, "LF1003", package.recheck)


def test_stock_counts_everything(workspace, tmp_path):
    out = tmp_path / "out"
    packed(workspace, out)
    for name in (
        ".git/hooks/x",
        ".github/ci.yml",
        "__pycache__/x.pyc",
        "model.sig",
        "sub/pyvenv.cfg",
        "a\\b",
    ):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("x")
    (out / os.fsdecode(b"\xff")).touch()
    (out / "link").symlink_to("/etc/passwd")
    (out / "folder-link").symlink_to("data")
    os.mkfifo(out / "pipe")
    with load_package(out) as package:
        kinds = {e.name: e.kind for e in package.entries}
    extra = {
        ".git/hooks/x": "file",
        ".github/ci.yml": "file",
        "__pycache__/x.pyc": "file",
        "model.sig": "file",
        "sub/pyvenv.cfg": "file",
        "a\\b": "file",
        "\udcff": "file",
        "link": "symlink",
        "folder-link": "symlink",
        "pipe": "special",
    }
    assert kinds == extra | dict.fromkeys(ASSETS, "file")
    assert [e for e in package.entries if e.kind != "file" and (e.sha256 or e.blake3 or e.size)] == []
    assert [e.name for e in package.entries] == sorted(kinds)


def test_stock_of_nothing(tmp_path):
    refused(NotFound, "LF1009", load_package, tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with load_package(tmp_path / "empty") as package:
        assert package.entries == ()


def test_stock_gives_descriptors_back_when_it_fails(workspace, monkeypatch):
    def fail(*_):
        raise InvalidInput("LF1003", "stop")

    (workspace / "oci-layout").write_text("{}")
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0  # noqa: PTH112, PTH208
    monkeypatch.setattr(ocilayout, "read_layout", fail)
    refused(InvalidInput, "LF1003", load_package, workspace)
    assert before == (len(os.listdir("/proc/self/fd")) if before else 0)  # noqa: PTH208


# OCI layouts.


def test_an_oci_layout_holds_the_same_release(cluttered, tmp_path):
    one, two = (
        packed(cluttered, tmp_path / "one", layout="oci"),
        packed(cluttered, tmp_path / "two", layout="oci"),
    )
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    assert one.digest == two.digest
    packed(cluttered, tmp_path / "plain")
    with load_package(tmp_path / "plain") as plain, load_package(tmp_path / "one") as layout:
        assert layout.layout == "oci"
        assert layout.entries == plain.entries
        for name, source in layout.sources.items():
            assert source.name == name
            assert source.read_at(0, 999) == plain.sources[name].read_at(0, 999)


def test_what_an_oci_layout_does_not_account_for_is_found(workspace, tmp_path):
    out = tmp_path / "out"
    packed(workspace, out, layout="oci")
    stray = hashlib.sha256(b"x").hexdigest()
    (out / "blobs/sha256" / stray).write_text("x")
    (out / "model.sig").write_text("{}")
    (out / "link").symlink_to("index.json")
    with load_package(out) as package:
        kinds = {e.name: e.kind for e in package.entries}
        assert kinds == dict.fromkeys(ASSETS, "file") | {
            f"blobs/sha256/{stray}": "file",
            "model.sig": "file",
            "link": "symlink",
        }
        assert package.sources["model.sig"].read_at(0, 9) == b"{}"


def test_an_asset_may_be_named_as_a_file_of_the_layout(workspace, tmp_path):
    (workspace / "index.json").write_text("{}")
    with (workspace / "lockflight.toml").open("a") as manifest:
        manifest.write('[[assets]]\nrole = "other"\nfiles = ["index.json"]\n')
    packed(workspace, tmp_path / "out", layout="oci")
    with load_package(tmp_path / "out") as package:
        assert package.sources["index.json"].read_at(0, 9) == b"{}"
        assert {e.name for e in package.entries} == ASSETS | {"index.json"}


def test_a_name_that_stands_twice_is_refused(workspace, tmp_path):
    out = tmp_path / "out"
    packed(workspace, out, layout="oci")
    (out / "README.md").write_text("another")
    error = refused(LockflightError, "LF1106", load_package, out)
    assert "README.md" in error.message


def test_a_changed_blob_is_refused(workspace, tmp_path):
    out = tmp_path / "out"
    packed(workspace, out, layout="oci")
    blob = out / "blobs/sha256" / hashlib.sha256((workspace / "README.md").read_bytes()).hexdigest()
    blob.write_bytes(blob.read_bytes().upper())
    refused(LockflightError, "LF1106", load_package, out)


def test_the_layout_is_what_registries_expect(workspace, tmp_path):
    out = tmp_path / "out"
    result = packed(workspace, out, layout="oci")
    index = json.loads((out / "index.json").read_bytes())
    [entry] = index["manifests"]
    manifest = json.loads((out / "blobs/sha256" / entry["digest"][7:]).read_bytes())
    assert json.loads((out / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    assert entry["annotations"] == {"org.opencontainers.image.ref.name": "1.0.0"}
    assert manifest["artifactType"] == entry["artifactType"] == "application/vnd.cncf.model.manifest.v1+json"
    assert manifest["annotations"] == {"dev.lockflight.release": f"sha256:{result.digest}"}
    config = json.loads((out / "blobs/sha256" / manifest["config"]["digest"][7:]).read_bytes())
    assert config["descriptor"] == {"name": "five", "version": "1.0.0"}
    assert config["modelfs"] == {
        "type": "layers",
        "diffIds": [layer["digest"] for layer in manifest["layers"]],
    }
    by_name = {layer["annotations"]["org.cncf.model.filepath"]: layer for layer in manifest["layers"]}
    assert set(by_name) == ASSETS
    assert by_name["data/a.csv"]["mediaType"] == "application/vnd.cncf.model.dataset.v1.raw"
    assert by_name["README.md"]["mediaType"] == "application/vnd.cncf.model.doc.v1.raw"
    for name, layer in by_name.items():
        data = (workspace / name).read_bytes()
        assert (layer["digest"], layer["size"]) == (f"sha256:{hashlib.sha256(data).hexdigest()}", len(data))
