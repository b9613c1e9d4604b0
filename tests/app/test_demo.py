"""The stage of the demo: honest weights, a planted pickle that nobody loads, nothing left behind."""

from __future__ import annotations

import pickletools

import pytest

from lockflight.app.demo import PLANTED, PLANTED_NAME, WEIGHTS_NAME, make_workspace, safetensors, stage
from lockflight.app.files.describe import describe
from lockflight.cli.house.demo import STEPS


def test_the_workspace_is_a_release(tmp_path):
    make_workspace(tmp_path / "work")
    with describe(tmp_path / "work") as described:
        assert (described.release.name, len(described.release.assets)) == ("berth-classifier", 7)


def test_the_weights_are_what_the_code_reads(tmp_path):
    make_workspace(tmp_path / "work")
    space = {}
    exec(compile((tmp_path / "work" / "predict.py").read_text(), "predict.py", "exec"), space)
    model = space["load"](tmp_path / "work" / WEIGHTS_NAME)
    assert model == {"weight": (-1.0, -0.5), "bias": (9.0,)}
    assert [space["fits"](model, *boat) for boat in ((5.2, 2.1), (12.0, 3.9))] == [True, False]


def test_the_header_is_aligned():
    body = safetensors({"a": (1.0,), "bcd": (2.0, 3.0)})
    assert (8 + int.from_bytes(body[:8], "little")) % 8 == 0


def test_the_planted_file_would_only_run_true():
    assert [op.name for op, *_ in pickletools.genops(PLANTED)] == [
        "GLOBAL",
        "MARK",
        "STRING",
        "TUPLE",
        "REDUCE",
        "STOP",
    ]
    assert b"posix\nsystem" in PLANTED
    assert b"'true'" in PLANTED


def test_the_stage_is_struck():
    with stage() as place:
        assert (place.workspace / PLANTED_NAME).is_file()
        place.fix()
        assert not (place.workspace / PLANTED_NAME).exists()
    assert not place.folder.exists()


def test_the_stage_is_struck_after_an_error():
    with pytest.raises(ZeroDivisionError), stage() as place:
        raise ZeroDivisionError
    assert not place.folder.exists()


def test_the_stage_is_kept_on_demand(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with stage(keep=True) as place:
        pass
    assert place.workspace.is_dir()


def test_one_bit_is_flipped(tmp_path, monkeypatch):
    with stage() as place:
        make_workspace(place.package)
        before = (place.package / WEIGHTS_NAME).read_bytes()
        name, offset = place.tamper()
        after = (place.package / name).read_bytes()
    assert [i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b] == [offset]
    assert (before[offset] ^ after[offset]).bit_count() == 1


def test_the_story_has_a_denial_a_refusal_and_a_catch():
    assert [step.exit_code for step in STEPS if step.exit_code] == [10, 10, 10, 10, 12]
