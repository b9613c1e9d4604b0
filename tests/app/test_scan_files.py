"""`scan`: every file is named with a verdict, and only what was positively judged is safe."""

from __future__ import annotations

import io
import os
import pickle

import pytest

from lockflight.app.demo import PLANTED, safetensors
from lockflight.app.files.scan import SCANS, scan
from lockflight.core.findings import Verdict
from lockflight.core.text.globs import parse_glob
from lockflight.errors import NotFound, UsageError

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def verdicts(*paths, **options):
    return {f.name: f.verdict for f in scan(paths, checks=["models"], **options).files}


def test_model_files(folder):
    (folder / "good.safetensors").write_bytes(safetensors({"w": (1.0, 2.0)}))
    (folder / "numbers.pkl").write_bytes(pickle.dumps([1, 2]))
    (folder / "bad.pkl").write_bytes(PLANTED)
    (folder / "renamed.txt").write_bytes(PLANTED + bytes(8))
    (folder / "noise.bin").write_bytes(os.urandom(64) + b"\0")
    found = verdicts(".")
    assert found["good.safetensors"] is Verdict.SAFE
    assert found["numbers.pkl"] is Verdict.SAFE
    assert found["bad.pkl"] is Verdict.MALICIOUS
    assert found["renamed.txt"] is not Verdict.SAFE
    assert found["noise.bin"] in {Verdict.UNKNOWN, Verdict.MALICIOUS}
    assert list(found) == sorted(found)


def test_what_is_over_a_budget_is_unknown(folder):
    (folder / "long.pkl").write_bytes(b"\x80\x04" + b"N0" * 2_500_000 + b"N.")
    (report,) = scan([str(folder / "long.pkl")], checks=["models"]).files
    assert report.verdict is Verdict.UNKNOWN
    assert "4,194,304 opcodes" in report.findings[0].message
    assert "4,194,304 opcodes" in report.reason


def test_what_no_check_reads_is_not_analysed(folder):
    (folder / "picture.png").write_bytes(PNG)
    (folder / "empty").write_bytes(b"")
    (folder / "link").symlink_to("picture.png")
    os.mkfifo(folder / "pipe")
    found = {f.name: f for f in scan(["."], checks=["models"]).files}
    assert found["empty"].verdict is Verdict.SAFE
    for name, reason in {
        "picture.png": "PNG image: none of the checks reads it",
        "link": "it is a link, which is not followed",
        "pipe": "it is no regular file, which is not followed",
    }.items():
        assert (found[name].verdict, found[name].reason) == (None, reason)


@pytest.mark.parametrize("where", [".cache", "__pycache__", ".git", "deep/.cache", "weights"])
def test_a_model_in_a_folder_that_is_left_out_is_judged(folder, where):
    (folder / where).mkdir(parents=True)
    (folder / where / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (folder / where / "index").write_bytes(PLANTED)
    (folder / where / "notes.txt").write_text("nothing to see")
    (folder / "README.md").write_text("# Read me\n")
    found = {f.name: f.verdict for f in scan(["."]).files}
    assert found[f"{where}/index"] is Verdict.MALICIOUS
    assert set(found) == {"README.md", f"{where}/index"}
    assert set(verdicts(".", exclude=[parse_glob(f"{where}/**")])) == {"README.md"}


def test_a_link_in_place_of_a_folder_that_is_left_out_is_named(folder, tmp_path_factory):
    (folder / ".cache").symlink_to(tmp_path_factory.mktemp("elsewhere"))
    assert verdicts(".") == {".cache": None}


def test_many_models_in_a_folder_that_is_left_out_are_named_together(folder):
    (folder / ".venv").mkdir()
    for i in range(65):
        (folder / ".venv" / f"{i}.npy").write_bytes(b"\x93NUMPY\1\0" + bytes(64))
    (report,) = scan(["."]).files
    assert (report.name, report.verdict) == (".venv/", None)
    assert "65 files in it look like models" in report.reason


def test_a_link_that_was_named_is_followed(folder):
    (folder / "bad.pkl").write_bytes(PLANTED)
    (folder / "link").symlink_to("bad.pkl")
    assert verdicts("link") == {"link": Verdict.MALICIOUS}


def test_standard_input():
    (file,) = scan(["-"], checks=["models"], stdin=io.BytesIO(PLANTED)).files
    assert (file.name, file.size, file.verdict) == ("stdin", len(PLANTED), Verdict.MALICIOUS)


def test_texts_get_every_check_that_reads_them(folder):
    (folder / "run.py").write_text("import os\nos.system(input())\n")
    (folder / "note.md").write_text("Hello\u202e world\n")
    found = {f.name: f for f in scan(["."], checks=["text-integrity", "code"]).files}
    assert found["run.py"].checks == ("text-integrity", "code")
    assert found["note.md"].checks == ("text-integrity",)
    assert found["note.md"].verdict is Verdict.REVIEW
    assert found["run.py"].findings


def test_a_secret_is_found_and_not_repeated(folder):
    secret = f"sk-{'aZ3kQ9xL2mN7pR4tV8wB'}T3BlbkFJ{'Yc5Ud1Hj6Gf0Se8Xn4Kz'}"
    (folder / "app.py").write_text(f'key = "{secret}"\n')
    (file,) = scan(["app.py"], checks=["secrets"]).files
    assert file.verdict is Verdict.REVIEW
    assert secret not in repr(file)


def test_what_is_left_out_is_listed(folder):
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("x")
    (folder / "a.png").write_bytes(PNG)
    (folder / "b.safetensors").write_bytes(safetensors({"w": (1.0,)}))
    outcome = scan(["."], checks=["models"], exclude=[parse_glob("*.png")])
    assert [f.name for f in outcome.files] == ["b.safetensors"]
    assert (outcome.skipped, outcome.excluded) == ((".git/",), ("a.png",))


def test_names_below_a_folder_start_with_it(folder):
    (folder / "sub").mkdir()
    (folder / "sub" / "x.pkl").write_bytes(PLANTED)
    assert list(verdicts("sub/")) == ["sub/x.pkl"]
    assert list(verdicts("sub/x.pkl", "sub")) == ["sub/x.pkl"]


def test_many_files_go_in_batches(folder, monkeypatch):
    monkeypatch.setattr("lockflight.app.files.scan._BATCH", 3)
    for i in range(8):
        (folder / f"{i}.pkl").write_bytes(PLANTED if i == 5 else pickle.dumps(i))
    assert [v for v in verdicts(".").values() if v is not Verdict.SAFE] == [Verdict.MALICIOUS]


@pytest.mark.parametrize(("paths", "code"), [(["nowhere"], "LF0117"), ([], "LF0203"), (["."], "LF0203")])
def test_nothing_there(folder, paths, code):
    with pytest.raises(NotFound) as caught:
        scan(paths)
    assert caught.value.code == code


def test_a_check_that_needs_a_release_is_refused(folder):
    with pytest.raises(UsageError) as caught:
        scan(["."], checks=["completeness"])
    assert caught.value.code == "LF0120"
    assert "completeness" not in SCANS


def test_a_name_that_is_no_utf8_is_judged_all_the_same(folder):
    (folder / os.fsdecode(b"bad\xff.pkl")).write_bytes(PLANTED)
    assert verdicts(".") == {"bad\\udcff.pkl": Verdict.MALICIOUS}
    assert verdicts(os.fsdecode(b"bad\xff.pkl")) == {"bad\\udcff.pkl": Verdict.MALICIOUS}
