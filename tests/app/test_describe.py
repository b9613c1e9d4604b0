from __future__ import annotations

import hashlib
import os

import blake3
import pytest

from lockflight.app.files import describe as module
from lockflight.app.files.describe import describe, describe_guess
from lockflight.core.release.release import parse_release
from lockflight.core.words import Kind, Role, Tier
from lockflight.errors import InvalidInput, NotFound
from lockflight.formats import media
from lockflight.infra import hashing


def refused(code, call, *arguments, **named):
    with pytest.raises((InvalidInput, NotFound)) as raised:
        call(*arguments, **named)
    assert raised.value.code == code, raised.value
    return raised.value


def add(workspace, text):
    with (workspace / "lockflight.toml").open("a") as manifest:
        manifest.write(text)


def test_a_release_is_what_the_manifest_names(workspace):
    with describe(workspace) as found:
        release = found.release
        assert (release.name, release.version, release.kind, release.tier) == (
            "five",
            "1.0.0",
            Kind.DATASET,
            Tier.MINIMAL,
        )
        assert [(a.name, a.role) for a in release.assets] == [
            ("lockflight.toml", Role.RELEASE_MANIFEST),
            ("LICENSE", Role.LICENCE),
            ("README.md", Role.DOCUMENTATION),
            ("data/a.csv", Role.DATASET),
            ("data/b.csv", Role.DATASET),
        ]
        for asset in release.assets:
            data = (workspace / asset.name).read_bytes()
            assert asset.sha256 == hashlib.sha256(data).hexdigest()
            assert asset.blake3 == blake3.blake3(data).hexdigest()
            assert asset.size == len(data)
            assert found.sources[asset.name].read_at(0, 999) == data
        assert release.asset("data/a.csv").media_type == media.CSV
        assert release.asset("lockflight.toml").media_type == media.TOML
        assert parse_release(release.payload) == release
        assert found.notices == found.skipped == found.excluded == found.guesses == ()
        found.recheck()


def test_the_digest_depends_on_bytes_and_names_alone(workspace, tmp_path):
    with describe(workspace) as found:
        digest = found.release.digest
    for path in workspace.rglob("*"):
        path.chmod(0o755)
        os.utime(path, (1, 1))
    moved = workspace.rename(tmp_path / "elsewhere")
    (moved / "empty").mkdir()
    (moved / ".git").mkdir()
    (moved / ".git/config").write_text("x")
    with describe(moved) as found:
        assert found.release.digest == digest
        assert found.skipped == (".git/",)
    (moved / "data/a.csv").rename(moved / "data/c.csv")
    with describe(moved) as found:
        assert found.release.digest != digest


def test_notices_and_exclusions_are_handed_on(workspace):
    (workspace / "scratch.log").write_text("x")
    add(workspace, '[[exclude]]\nfiles = ["*.log", "*.tmp"]\nreason = "left over"\n[policies]\noff = true\n')
    with describe(workspace) as found:
        assert [(e.name, e.reason) for e in found.excluded] == [("scratch.log", "left over")]
        assert [n.code for n in found.notices] == ["LF1030", "LF1031"]
        assert "scratch.log" not in found.sources


def test_no_manifest(workspace):
    (workspace / "lockflight.toml").unlink()
    assert refused("LF0165", describe, workspace).hint == "lockflight init DIR"


def test_no_folder(tmp_path):
    refused("LF1009", describe, tmp_path / "nowhere")


def test_a_manifest_that_is_a_link_or_broken(workspace):
    (workspace / "lockflight.toml").rename(workspace.parent / "outside.toml")
    (workspace / "lockflight.toml").symlink_to("../outside.toml")
    refused("LF1001", describe, workspace)
    (workspace / "lockflight.toml").unlink()
    (workspace / "lockflight.toml").write_text("[release")
    refused("LF0151", describe, workspace)
    (workspace / "lockflight.toml").write_text("#" * 300_000)
    refused("LF0152", describe, workspace)
    (workspace / "lockflight.toml").unlink()
    (workspace / "lockflight.toml").mkdir()
    refused("LF0165", describe, workspace)


def test_links_and_special_files_are_refused_unless_excluded(workspace):
    (workspace / "data/c.csv").symlink_to("a.csv")
    refused("LF1001", describe, workspace)
    os.mkfifo(workspace / "data/pipe")
    (workspace / "data/c.csv").unlink()
    refused("LF1002", describe, workspace)
    (workspace / "linked").symlink_to("data")
    add(workspace, '[[exclude]]\nfiles = ["data/pipe", "linked"]\nreason = "of this machine"\n')
    with describe(workspace) as found:
        assert len(found.release.assets) == 5


def test_a_file_that_no_rule_names_gets_a_proposal(workspace):
    (workspace / "model.safetensors").write_text("x")
    error = refused("LF1004", describe, workspace)
    assert 'role = "model-weights"  files = ["model.safetensors"]' in error.hint


def test_rules_that_fail(workspace):
    add(workspace, '[[assets]]\nrole = "code"\nfiles = ["*.md"]\n')
    refused("LF1006", describe, workspace)
    (workspace / "data/a.csv").unlink()
    (workspace / "data/b.csv").unlink()
    manifest = (workspace / "lockflight.toml").read_text().replace('files = ["*.md"]', 'files = ["x"]')
    (workspace / "lockflight.toml").write_text(manifest)
    refused("LF1005", describe, workspace)


def test_nothing_is_read_before_the_rules_hold(workspace, monkeypatch):
    (workspace / "unnamed").write_text("x")
    monkeypatch.setattr(module, "hash_files", lambda *_, **__: pytest.fail("hashed"))
    refused("LF1004", describe, workspace)


def test_an_empty_release(tmp_path):
    (tmp_path / "lockflight.toml").write_text('[release]\nname = "e"\nkind = "model"\ntier = "high"\n')
    refused("LF1020", describe, tmp_path)


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["data/A.csv"], "LF1017"),
        (["data/\u00e9.csv", "data/e\u0301.csv"], "LF1017"),
        (["data/x\ny.csv"], "LF1013"),
        (["data/back\\slash.csv"], "LF1013"),
        (["data/nul.csv"], "LF1013"),
        (["data/" + os.fsdecode(b"\xff") + ".csv"], "LF1014"),
    ],
    ids=["case", "unicode", "control", "backslash", "windows", "bytes"],
)
def test_names_that_mean_two_things(workspace, names, code):
    for name in names:
        (workspace / name).write_text("x")
    refused(code, describe, workspace)


def test_gits_own_files_under_another_spelling(workspace):
    (workspace / "data/.GitIgnore.csv").mkdir()
    (workspace / ".GITHUB").mkdir()
    (workspace / ".GITHUB/x.csv").write_text("x")
    add(workspace, '[[assets]]\nrole = "code"\nfiles = [".GITHUB/**"]\n')
    refused("LF1015", describe, workspace)


@pytest.mark.parametrize("size", [10, 200_000])
def test_a_file_that_changes_while_it_is_read(workspace, monkeypatch, size):
    target = workspace / "data/a.csv"
    target.write_bytes(b"x" * size)
    real = {"pread": os.pread, "preadv": os.preadv}

    def meddle(name):
        def call(fd, *more):
            if os.fstat(fd).st_size == size:
                with target.open("ab") as stream:
                    stream.write(b"y")
            return real[name](fd, *more)

        return call

    monkeypatch.setattr(hashing.os, "pread", meddle("pread"))
    monkeypatch.setattr(hashing.os, "preadv", meddle("preadv"))
    refused("LF1003", describe, workspace)


def test_a_file_that_changes_before_the_checks_have_read_it(workspace):
    with describe(workspace) as found:
        found.recheck()
        with (workspace / "data/b.csv").open("a") as stream:
            stream.write("5,6\n")
        error = refused("LF1003", found.recheck)
        assert "data/b.csv" in error.message


def test_a_replaced_file_is_noticed_and_its_old_bytes_stay(workspace):
    with describe(workspace) as found:
        old = (workspace / "data/b.csv").read_bytes()
        (workspace / "new").write_text("evil")
        (workspace / "new").replace(workspace / "data/b.csv")
        assert found.sources["data/b.csv"].read_at(0, 99) == old
        refused("LF1003", found.recheck)


def test_a_manifest_that_changes_between_its_two_readings(workspace, monkeypatch):
    real = module.hash_files

    def late(*arguments, **named):
        add(workspace, "# more\n")
        return real(*arguments, **named)

    monkeypatch.setattr(module, "hash_files", late)
    refused("LF1003", describe, workspace)


def test_every_descriptor_is_given_back(workspace):
    def held():
        return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0  # noqa: PTH112, PTH208

    before = held()
    with describe(workspace) as found:
        assert found.release
    found.close()
    assert held() == before
    (workspace / "unnamed").write_text("x")
    refused("LF1004", describe, workspace)
    assert held() == before


def test_a_manifest_given_as_text(workspace):
    text = (workspace / "lockflight.toml").read_text()
    with describe(workspace) as one:
        digest = one.release.digest
    (workspace / "lockflight.toml").write_text("broken [")
    with describe(workspace, manifest_text=text) as other:
        assert other.release.digest == digest
        assert other.sources["lockflight.toml"].read_at(0, 9999) == text.encode()
        other.recheck()


# Packages: nothing is skipped.


def test_a_package_is_judged_strictly(workspace):
    with describe(workspace) as found:
        digest = found.release.digest
    (workspace / "model.sig").write_text("{}")
    with describe(workspace, package=True) as found:
        assert found.release.digest == digest
    for name in (".git/hooks/x", ".github/ci.yml", "__pycache__/x.pyc", ".venv/x"):
        path = workspace / name
        path.parent.mkdir(parents=True)
        path.write_text("x")
        describe(workspace).close()
        refused("LF1004", describe, workspace, package=True)
        path.unlink()
        for folder in (path.parent, path.parent.parent):
            if folder != workspace:
                folder.rmdir()
    (workspace / "model.sig").unlink()
    (workspace / "model.sig").mkdir()
    (workspace / "model.sig/evil.py").write_text("x")
    refused("LF1004", describe, workspace, package=True)


def test_a_package_holds_nothing_that_its_manifest_excludes(workspace):
    add(workspace, '[[exclude]]\nfiles = ["*.log"]\nreason = "left over"\n')
    with describe(workspace, package=True) as found:
        assert found.notices == ()
    (workspace / "x.log").write_text("x")
    describe(workspace).close()
    refused("LF1105", describe, workspace, package=True)


# Without a manifest.


def test_a_guess_describes_the_folder(workspace):
    (workspace / "lockflight.toml").unlink()
    with describe_guess(workspace) as found:
        assert found.release.kind is Kind.DATASET
        assert {g.name: g.role for g in found.guesses} == {
            "LICENSE": Role.LICENCE,
            "README.md": Role.DOCUMENTATION,
            "data/a.csv": Role.DATASET,
            "data/b.csv": Role.DATASET,
        }
        assert found.release.asset("lockflight.toml").role is Role.RELEASE_MANIFEST
        assert not (workspace / "lockflight.toml").exists()


def test_a_guess_never_leaves_a_link_out_in_silence(workspace):
    (workspace / "lockflight.toml").unlink()
    (workspace / "model.safetensors").symlink_to("../blobs/1")
    refused("LF1001", describe_guess, workspace)
