"""`record`: what went in, what came out, who is behind it; and nothing that did not happen."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lockflight.app.provenance import git
from lockflight.app.provenance.record import Step, addresses, claims, record
from lockflight.app.realm.realm import open_realm
from lockflight.core.attest.trust import Duty, Grant
from lockflight.errors import LockflightError

NOW = 1_790_000_000
TRAIN = """\
import pathlib, sys
text = pathlib.Path("data/a.csv").read_text()
pathlib.Path("out").mkdir(exist_ok=True)
pathlib.Path("out/model.bin").write_text(text + " ".join(sys.argv[1:]))
"""
RUN = (sys.executable, "train.py")


@pytest.fixture
def work(tmp_path):
    """A workspace with a script, data and a lock."""
    folder = tmp_path / "bot"
    (folder / "data").mkdir(parents=True)
    (folder / "train.py").write_text(TRAIN)
    (folder / "data" / "a.csv").write_text("1,2\n")
    (folder / "data" / "b.csv").write_text("3,4\n")
    (folder / "requirements.txt").write_text("x==1\n")
    return folder


def step(work, **changes):
    return replace(Step("train", RUN, work, ("data",), ("out",)), **changes)


def go(realm, one, **options):
    realm._view = None
    options = {"team": True, "actor": "alice", "environ": {}, **options}
    return record(realm.home, realm.name, one, clock=lambda: NOW, **options)


def refused(realm, one, **options):
    size = len(open_realm(realm.home, realm.name).state.records)
    with pytest.raises(LockflightError) as caught:
        go(realm, one, **options)
    assert len(open_realm(realm.home, realm.name).state.records) == size, "nothing may be recorded"
    return caught.value


def commit(folder, message="one", *, email="ann@mail.example", name="Ann"):
    author = ["-c", f"user.email={email}", "-c", f"user.name={name}"]
    for words in (["add", "-A"], ["commit", "-qm", message]):
        subprocess.run(["git", *author, *words], cwd=folder, check=True)
    return subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repository(work):
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    subprocess.run(["git", "init", "-q"], cwd=work, check=True)
    commit(work)
    return work


def test_a_step_is_recorded_with_what_it_used_and_made(realm, work):
    done = go(realm, step(work, parameters=(("epochs", "3"),)))
    build = done.build
    assert [p.name for p in build.products] == ["out/model.bin"]
    assert [m.name for m in build.materials] == ["data/a.csv", "data/b.csv", "train.py", "requirements.txt"]
    assert all(m.read and m.sha256 for m in build.materials)
    assert build.parameters == (("epochs", "3"),)
    realm._view = None
    [stored] = realm.state.provenance[build.products[0].sha256]
    assert stored.effective
    assert stored.fact.build == build
    assert stored.fact.complete
    assert build.run.authors.principals == (realm.actor("alice").principal,)
    assert str(work) not in json.dumps(stored.statement.predicate)


def test_a_second_run_that_makes_the_same_bytes_is_a_record_too(realm, work):
    first, second = (go(realm, step(work)).build for _ in range(2))
    assert first.products == second.products
    realm._view = None
    assert len(realm.state.provenance[first.products[0].sha256]) == 2


def test_a_material_elsewhere_is_declared(realm, work, tmp_path):
    outside = tmp_path / "base.bin"
    outside.write_bytes(b"base")
    uri = "https://models.example/base@v1@sha256:" + "ab" * 32
    build = go(realm, step(work, materials=(uri, str(outside)))).build
    by_label = {m.label: m for m in build.materials}
    assert by_label["https://models.example/base@v1"].sha256 == "ab" * 32
    assert not by_label["https://models.example/base@v1"].read
    assert by_label["base.bin"].read


def test_without_record_it_stays_in_the_personal_realm(realm, work):
    done = go(realm, step(work), team=False)
    assert (done.realm, done.local) == ("personal", True)
    realm._view = None
    assert not realm.state.provenance
    assert open_realm(realm.home, "personal").state.provenance
    assert done.build.run.authors.principals == (realm.actor("alice").principal,)


def test_a_failed_command_leaves_no_record(realm, work):
    error = refused(realm, step(work, command=(sys.executable, "-c", "raise SystemExit(7)")))
    assert (error.code, error.exit_code, error.details["exit_code"]) == ("LF1041", 4, 7)


def test_a_command_that_dies_by_a_signal_leaves_no_record(realm, work):
    dies = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    error = refused(realm, step(work, command=(sys.executable, "-c", dies)))
    assert error.details["exit_code"] == 137


def test_a_command_that_is_not_there(realm, work):
    assert refused(realm, step(work, command=("no-such-program",))).code == "LF1042"


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("pass", "LF1045"),  # left as it was
        ("import pathlib; pathlib.Path('out/model.bin').unlink(); pathlib.Path('out').rmdir()", "LF1043"),
        ("import pathlib; pathlib.Path('out/model.bin').unlink()", "LF1045"),
        ("import os; os.symlink('/etc/passwd', 'out/link')", "LF1001"),
    ],
)
def test_what_the_command_did_not_write_is_no_product(realm, work, script, code):
    go(realm, step(work))
    assert refused(realm, step(work, command=(sys.executable, "-c", script))).code == code


def test_a_product_folder_counts_only_what_was_written(realm, work):
    (work / "out").mkdir()
    (work / "out" / "old.bin").write_text("old")
    done = go(realm, step(work))
    assert [p.name for p in done.build.products] == ["out/model.bin"]
    assert done.left_out == ("out/old.bin",)


def test_a_material_that_the_command_changes_is_refused(realm, work):
    changes = TRAIN + "pathlib.Path('data/b.csv').write_text('5')\n"
    (work / "train.py").write_text(changes)
    error = refused(realm, step(work))
    assert error.code == "LF1044"
    assert "data/b.csv" in error.message


def test_a_material_that_is_written_again_with_the_same_bytes_is_fine(realm, work):
    (work / "train.py").write_text(TRAIN + "pathlib.Path('data/b.csv').write_text('3,4\\n')\n")
    assert go(realm, step(work)).build.products


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"materials": ("nowhere.csv",)}, "LF1043"),
        ({"materials": ("https://data.example/x",)}, "LF1046"),
        ({"materials": ("https://me:word@data.example/x@sha256:" + "a" * 64,)}, "LF1046"),
        ({"products": ()}, "LF1046"),
        ({"products": ("../else.bin",)}, "LF1046"),
        ({"products": (".",)}, "LF1046"),
        ({"products": ("/etc/passwd",)}, "LF1046"),
        ({"name": "Train it"}, "LF1046"),
        ({"name": ""}, "LF1046"),
        ({"command": (*RUN, "--token=ghp_" + "a1B2c3D4e5" * 3 + "123456")}, "LF1047"),
        ({"command": (*RUN, "hf_" + "abcDEF" * 5 + "abcd")}, "LF1047"),
        ({"parameters": (("api_key", "9f8a7c6b5d4e3f2a1b0c9d8e"),)}, "LF1047"),
        ({"command": (*RUN, "\udcff")}, "LF1046"),
    ],
)
def test_what_cannot_be_recorded_does_not_run(realm, work, changes, code):
    assert refused(realm, step(work, **changes)).code == code
    assert not (work / "out").exists(), "refused before the command runs"


@pytest.mark.parametrize("word", ["--learning-rate=0.003", "--tokenizer=bert", "--secret-santa", "sk-learn"])
def test_plain_words_are_no_secrets(realm, work, word):
    assert word in go(realm, step(work, command=(*RUN, word))).build.command


def test_a_link_is_no_material(realm, work):
    (work / "link.csv").symlink_to(work / "data" / "a.csv")
    assert refused(realm, step(work, materials=("link.csv",))).code == "LF1001"


def test_the_commit_is_a_material_and_a_clean_workspace_is_complete(realm, repository):
    subprocess.run(
        ["git", "remote", "add", "origin", "https://me:word@code.example/acme/bot.git"],
        cwd=repository,
        check=True,
    )
    for _ in range(2):  # the second time, the product of the first is there and not in the commit
        build = go(realm, step(repository)).build
        source = next(m for m in build.materials if m.name == "source")
        assert source.uri == "git+https://code.example/acme/bot.git"
        assert dict(source.digests)["gitCommit"] == git.look(repository).commit
        assert not build.dirty


def test_a_change_that_is_no_material_is_said(realm, repository):
    (repository / "helper.py").write_text("x = 1\n")
    done = go(realm, step(repository))
    assert (done.build.dirty, done.changed) == (True, ("helper.py",))
    (repository / "helper.py").unlink()
    (repository / "data" / "a.csv").write_text("9,9\n")
    assert not go(realm, step(repository)).build.dirty, "a material is known by its digest"


def give_address(realm, *emails):
    """Another grant of the only person of a personal realm, with a profile that knows addresses."""
    [(principal, key)] = realm.state.people().items()
    profile = realm.put_blob({"name": "you", "emails": list(emails)})
    grant = Grant(
        replace(key, profile=profile), prev=realm.state.grant_heads[principal], realm=realm.state.root
    )
    realm.append([(grant.statement(), realm.signer(Duty.ROOT))])
    return principal


def test_authors_become_pseudonyms_or_a_number(home, repository):
    realm = open_realm(home, "personal")
    me = give_address(realm, "Me@Mail.example")
    assert addresses(realm) == {"me@mail.example": me}
    (repository / "a.txt").write_text("a")
    commit(repository, "two\n\nCo-authored-by: C <cara@mail.example>", email="me@mail.example", name="Bob")
    build = go(realm, step(repository), actor="").build
    assert build.run.authors.principals == (me,)
    assert build.run.authors.unknown == 2  # ann and cara
    assert build.run.authors.complete
    said = json.dumps(build.statement().predicate)
    assert "mail.example" not in said
    assert "Ann" not in said


def test_a_history_that_is_cut_off_is_not_complete(realm, repository, tmp_path):
    (repository / "a.txt").write_text("a")
    commit(repository, "two")
    copy = tmp_path / "shallow"
    subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{repository}", str(copy)], check=True)
    build = go(realm, step(copy)).build
    assert not build.run.authors.complete


def test_a_builder_without_a_name_is_counted(realm, work):
    assert go(realm, step(work), actor="").build.run.authors.unknown == 1
    job = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY_ID": "42", "GITHUB_ACTOR": "octo"}
    build = go(realm, step(work), actor="", environ=job).build
    assert build.run.authors.unknown == 0
    assert build.run.ci == (("github_repository_id", "42"), ("provider", "github"))
    assert refused(realm, step(work), actor="nobody").code == "LF0112"


def test_claims_of_ci_systems():
    assert claims({}) == ()
    assert claims({"GITHUB_REPOSITORY_ID": "42"}) == ()
    assert claims({"GITLAB_CI": "true", "CI_JOB_ID": "x" * 900})[0] == ("ci_job_id", "x" * 500)


@pytest.mark.parametrize(
    ("remote", "uri"),
    [
        ("https://code.example/a/b.git", "git+https://code.example/a/b.git"),
        ("https://tok:word@code.example/a/b", "git+https://code.example/a/b"),
        ("git@code.example:a/b.git", "git+ssh://code.example/a/b.git"),
        ("ssh://git@code.example:22/a/b", "git+ssh://code.example:22/a/b"),
        ("/srv/git/b", ""),
        ("file:///srv/git/b", ""),
        ("", ""),
    ],
)
def test_a_remote_without_credentials_and_folders(remote, uri):
    assert git.public_uri(remote) == uri


def test_without_a_repository_there_is_no_commit(tmp_path):
    assert git.look(tmp_path) is None
    assert not git.history(tmp_path).complete


def test_a_repository_without_a_commit(tmp_path):
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    assert git.look(tmp_path) is None


def test_a_hook_of_the_repository_does_not_run(repository):
    """Whoever can write `.git/config` must not get a program of theirs run by looking."""
    trap = repository / "trap.sh"
    trap.write_text("#!/bin/sh\ntouch sprung\n")
    trap.chmod(0o755)
    subprocess.run(["git", "config", "core.fsmonitor", str(trap)], cwd=repository, check=True)
    assert git.look(repository) is not None
    assert not (repository / "sprung").exists()


def test_authors_since_a_commit(repository):
    first = git.look(repository).commit
    (repository / "b.txt").write_text("b")
    commit(repository, "two", email="bob@mail.example")
    assert git.history(repository, since=first).addresses == {"bob@mail.example"}
    assert git.history(repository, since="0" * 40).addresses == {"ann@mail.example", "bob@mail.example"}
    assert git.history(repository, since="--all").addresses == {"ann@mail.example", "bob@mail.example"}


def test_more_commits_than_are_read_are_not_complete(repository, monkeypatch):
    (repository / "b.txt").write_text("b")
    commit(repository, "two", email="bob@mail.example")
    monkeypatch.setattr(git, "MAX_COMMITS", 1)
    found = git.history(repository)
    assert (found.addresses, found.complete) == ({"bob@mail.example"}, False)


def test_too_many_files(realm, work, monkeypatch):
    monkeypatch.setattr("lockflight.app.provenance.inputs.MAX_MATERIALS", 2)
    assert refused(realm, step(work)).code == "LF1048"


def test_paths_of_python_are_no_part_of_a_record(realm, work):
    home = Path.home()
    build = go(realm, step(work, command=(*RUN, str(work / "data" / "a.csv"), f"{home}/cache"))).build
    assert build.command[2:] == ("./data/a.csv", "~/cache" if len(str(home)) > 1 else f"{home}/cache")
