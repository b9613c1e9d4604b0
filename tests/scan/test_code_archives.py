"""Code in archives: the check `code` judges the Python, and says what it could not judge."""

from __future__ import annotations

import io
import tarfile

import pytest

from lockflight.core.attest.check import PPM, Grain, Subject
from lockflight.core.source import BytesSource
from lockflight.core.words import Role
from lockflight.formats.sniff import sniff
from lockflight.scan import code
from lockflight.scan.code import CodeCheck
from lockflight.scan.python.source import MAX_BYTES
from tests.formats.files import archive
from tests.scan.subjects import Context, asset

FINE = b"import json\n\n\ndef load(path):\n    return json.load(open(path))\n"
RUNS = b"import os\nos.system('true')\n"
UNPICKLES = b"import pickle\n\n\ndef load(f):\n    return pickle.load(f)\n"


def run(name, data, role=Role.CODE):
    one = asset(name, data, role, sniff(BytesSource(data, name)))
    subject = Subject(Grain.VIEW, "software", "0" * 64, (one,))
    return CodeCheck().run(subject, Context({name: data}))


def packed(kind="w", **files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=kind) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def test_fine_code_in_an_archive():
    result = run("code.zip", archive({"a/__init__.py": b"", "a/x.py": FINE, "config.json": b"{}"}))
    assert (result.findings, result.coverage_ppm) == ((), PPM)
    assert (result.summary["files"], result.summary["unknown"], result.summary["other_languages"]) == (
        1,
        0,
        0,
    )


@pytest.mark.parametrize(
    ("files", "rule", "member"),
    [
        ({"handler.py": RUNS}, "code:runs-at-import", "handler.py"),
        # A script, if people start it; from an archive it is imported.
        ({"a/fetch.py": RUNS}, "code:runs-at-import", "a/fetch.py"),
        ({"x.pyw": RUNS}, "code:runs-at-import", "x.pyw"),
        ({"start": b"#!/usr/bin/env python\n" + RUNS}, "code:runs-at-import", "start"),
        ({"inner.zip": archive({"x.py": RUNS})}, "code:runs-at-import", "inner.zip!x.py"),
        ({"a.py": FINE, "b.py": UNPICKLES}, "code:pickle-load", "b.py"),
    ],
)
def test_bad_code_in_an_archive(files, rule, member):
    result = run("model.mar", archive(files))
    assert [(f.rule, f.location.member) for f in result.findings] == [(rule, member)]
    assert result.coverage_ppm == PPM


@pytest.mark.parametrize(
    ("files", "key"),
    [
        ({"a.py": b"def f(:\n"}, "unknown"),
        ({"a.py": b"#" * (MAX_BYTES + 1)}, "unknown"),
        ({"a.sh": b"true\n"}, "other_languages"),
        ({"a.py": FINE, "b.js": b"let x = 1\n"}, "other_languages"),
    ],
)
def test_what_cannot_be_judged_is_counted(files, key):
    result = run("code.zip", archive(files))
    assert result.summary[key] == 1
    assert (result.coverage_ppm < PPM) is (key == "unknown")


def test_the_python_of_an_archive_has_a_budget(monkeypatch):
    monkeypatch.setattr(code, "_MAX_MEMBERS_BYTES", len(FINE))
    result = run("code.zip", archive({"a.py": FINE, "b.py": RUNS}))
    assert [f.rule for f in result.findings] == ["code:over-budget"]
    assert result.summary["unknown"] == 1


@pytest.mark.parametrize("kind", ["w", "w:gz", "w:xz"])
def test_other_archives_are_not_passed_over(kind):
    result = run("code.tar", packed(kind, x=RUNS))
    assert [(f.code, f.rule) for f in result.findings] == [("LF2404", "code:packed")]
    assert result.coverage_ppm < PPM
    # Of another role they are none of its business.
    assert run("code.tar", packed(kind, x=RUNS), Role.DATASET).findings == ()
