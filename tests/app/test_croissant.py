from __future__ import annotations

import json

import pytest

from lockflight.app.data.croissant import check_croissant, write_croissant
from lockflight.errors import LockflightError
from lockflight.infra.allowlist import shipped_allow_list
from lockflight.infra.files import Folder
from lockflight.scan.models import scan_source


def refused(call, *args):
    with pytest.raises(LockflightError) as caught:
        call(*args)
    return caught.value.code


def test_written_and_checked(workspace):
    done = write_croissant(workspace)
    assert (done.checked, done.croissant.licence, len(done.croissant.records)) == (2, "unknown", 2)
    assert check_croissant(workspace) == check_croissant(workspace / "croissant.json") == done
    with Folder(workspace) as folder:
        source = folder.open("croissant.json")
        assert scan_source(source, shipped_allow_list()).verdict.value == "safe"
        source.close()
    text = (workspace / "lockflight.toml").read_text()
    text += '[[assets]]\nrole = "documentation"\nfiles = ["croissant.json"]\n'
    (workspace / "lockflight.toml").write_text(text)
    assert write_croissant(workspace).croissant == done.croissant


def test_a_changed_or_missing_file_is_refused(workspace):
    write_croissant(workspace)
    (workspace / "data" / "a.csv").write_text("x,y\n1,3\n")
    assert refused(check_croissant, workspace) == "LF7351"
    (workspace / "data" / "a.csv").unlink()
    assert refused(check_croissant, workspace) == "LF7351"
    (workspace / "data" / "a.csv").symlink_to(workspace / "data" / "b.csv")
    assert refused(check_croissant, workspace) == "LF7351"


def test_refused(workspace, tmp_path):
    assert refused(check_croissant, workspace) == "LF5035"
    (workspace / "croissant.json").write_text(json.dumps({"name": "x"}))
    assert refused(check_croissant, workspace) == "LF1028"
    empty = tmp_path / "empty"
    empty.mkdir()
    head = '[release]\nname = "e"\nkind = "model"\ntier = "minimal"\n[[assets]]\nrole = "code"\nfiles = ["a.py"]\n'
    (empty / "lockflight.toml").write_text(head)
    (empty / "a.py").write_text("\n")
    assert refused(write_croissant, empty) == "LF1034"
