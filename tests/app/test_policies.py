"""`check --policy DIR`: a policy that does not load stops the verb, a policy without an answer is a no."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

RECURSION = "\naa if bb\nbb if aa\n"
LETTERS = 'split("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x,y,z", ",")'
SLOW = f"""
letters := {LETTERS}
slow := count([1 |
\tsome a in letters; some b in letters; some c in letters; some d in letters; some e in letters
\tsome f in letters; some g in letters
\tconcat("", [a, b, c, d, e, f, g]) == "nothing"
])
results contains lib.passed("LF4100", {{"term": "x", "value": slow, "threshold": 0, "evidence": []}}, "x") if slow > 0
"""


@pytest.fixture
def bundle(project_root: Path, tmp_path: Path) -> Path:
    """A copy of the shipped policy, to be broken."""
    folder = tmp_path / "policy"
    shutil.copytree(project_root / "src" / "lockflight" / "policy" / "packs" / "baseline", folder)
    return folder


def _check(workspace: Path, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "lockflight.cli.main", "check", workspace, "--env", "development", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def _add(bundle: Path, name: str, text: str) -> None:
    path = bundle / "policy" / name
    path.write_text(path.read_text() + text)


def test_the_shipped_policy_as_a_folder_judges_the_same(home: Path, workspace: Path, bundle: Path) -> None:
    code, output = _check(workspace, "--policy", str(bundle))
    assert code == 0, output
    assert "rehearsal" in output.lower()


@pytest.mark.parametrize(
    ("file", "text", "named"),
    [
        ("gate.rego", "\nx := {\n", "policy/gate.rego:"),
        ("lib.rego", RECURSION, "policy/lib.rego:"),
        ("lib.rego", "\nloop(x) := loop(x)\n", "policy/lib.rego:"),
        ("release.rego", "\nnow := time.now_ns()\n", "policy/release.rego:"),
        ("release.rego", "\nmany := numbers.range(1, 900000000)\n", "policy/release.rego:"),
    ],
    ids=["syntax", "recursion", "endless function", "clock", "bomb"],
)
def test_a_policy_that_may_not_judge_stops_the_verb(
    home: Path, workspace: Path, bundle: Path, file: str, text: str, named: str
) -> None:
    _add(bundle, file, text)
    code, output = _check(workspace, "--policy", str(bundle))
    assert code == 4, output
    assert named in output


def test_an_undefined_decision_is_a_no(home: Path, workspace: Path, bundle: Path) -> None:
    gate = bundle / "policy" / "gate.rego"
    gate.write_text(gate.read_text().replace("decision := {", "decisions := {"))
    code, output = _check(workspace, "--policy", str(bundle))
    assert code == 10, output
    assert "data.lockflight.gate.decision is undefined" in output


@pytest.mark.long
def test_a_policy_without_an_end_is_a_no(home: Path, workspace: Path, bundle: Path) -> None:
    _add(bundle, "release.rego", SLOW)
    code, output = _check(workspace, "--policy", str(bundle))
    assert code == 10, output
    assert "data.lockflight.gate.decision" in output
    assert "budget" in output


def test_a_check_without_its_tool_is_missing_evidence(home: Path, workspace: Path) -> None:
    (workspace / "app.py").write_text("print()\n")
    manifest = workspace / "lockflight.toml"
    manifest.write_text(manifest.read_text() + '\n[[assets]]\nrole = "code"\nfiles = ["*.py"]\n')
    code, output = _check(workspace, "--only", "bandit")
    assert code == 11, output
    assert "lockflight tools install bandit" in output
