from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockflight.core.attest.check import PPM, Status
from lockflight.core.words import Role
from lockflight.errors import EnvironmentProblem
from lockflight.infra import tools
from lockflight.scan.bandit import BanditCheck, _message
from tests.formats.test_notebook import cell, notebook
from tests.scan.subjects import judge

PASSWORD = "hunter2hunter2"  # no password of anybody
SOURCE = f"import pickle\npickle.loads(x)\npassword = '{PASSWORD}'\nsubprocess.run(c, shell=True)  # nosec\n".encode()
FILES = {
    "-c evil.yaml.py": (Role.CODE, SOURCE),
    "old.py": (Role.CODE, b"print 1\n"),
    "n.ipynb": (
        Role.CODE,
        json.dumps(notebook(cell("!ls"), cell("%%time\nimport hashlib\nhashlib.md5(b'x')"))).encode(),
    ),
}


def entry(number, test, text, severity="LOW", confidence="HIGH", line=1, cwe=502, name="blacklist"):
    return {
        "code": f"1 password = '{PASSWORD}'\n",
        "col_offset": 0,
        "filename": f"/private/f{number:06d}.py",
        "issue_confidence": confidence,
        "issue_cwe": {"id": cwe, "link": "https://cwe.mitre.org/"},
        "issue_severity": severity,
        "issue_text": text,
        "line_number": line,
        "test_id": test,
        "test_name": name,
    }


#: What bandit 1.9.4 wrote about FILES, cut to what is read.
REPORT = {
    "errors": [{"filename": "/private/f000001.py", "reason": "syntax error while parsing AST from file"}],
    "generated_at": "2026-01-01T00:00:00Z",
    "metrics": {"_totals": {}, **{f"/private/f{i:06d}.py": {} for i in range(4)}},
    "results": [
        entry(0, "B301", "Pickle and modules that wrap it can be unsafe.", "MEDIUM", line=2),
        entry(
            0,
            "B105",
            f"Possible hardcoded password: '{PASSWORD}'",
            "LOW",
            "MEDIUM",
            3,
            259,
            "hardcoded_password_string",
        ),
        entry(
            0, "B602", "subprocess call with shell=True identified, security issue.", "HIGH", line=4, cwe=78
        ),
        entry(3, "B324", "Use of weak MD5 hash for security.", "HIGH", line=3, cwe=327, name="hashlib"),
    ],
}


@pytest.fixture
def fake(tmp_path):
    """A stand-in that writes what it is told, in the shape of an installed tool."""

    def make(report=REPORT, status=0):
        (tmp_path / "venv" / "bin").mkdir(parents=True, exist_ok=True)
        (tmp_path / "venv" / "bin" / "python").touch()
        (tmp_path / "tool.json").write_text('{"name": "bandit", "version": "1.9.4", "digest": "abc"}')
        body = report if isinstance(report, bytes) else json.dumps(report).encode()
        (tmp_path / "report.json").write_bytes(body)
        script = tmp_path / "bandit"
        script.write_text(
            '#!/bin/sh\nfor a in "$@"; do f="$a"; done\nls "$f" > "${0%/*}/seen"\n'
            f'cat "${{0%/*}}/report.json"\nexit {status}\n'
        )
        script.chmod(0o700)
        return {"bandit": str(script)}

    return make


def test_findings_are_mapped_to_assets_and_cells(fake, tmp_path):
    result = judge(BanditCheck(), FILES, tools=fake())
    assert result.status is Status.COMPLETE
    assert {
        (f.asset, f.location.member, f.location.line, f.rule, f.severity.value) for f in result.findings
    } == {
        ("-c evil.yaml.py", "", 2, "bandit:B301", "medium"),
        ("-c evil.yaml.py", "", 3, "bandit:B105", "low"),
        ("-c evil.yaml.py", "", 4, "bandit:B602", "high"),
        ("n.ipynb", "cell 2", 3, "bandit:B324", "high"),
        ("old.py", "", 0, "bandit:unjudged", "medium"),
    }
    assert (result.tool.name, result.tool.version, result.tool.digest) == ("bandit", "1.9.4", "abc")
    assert result.summary["unknown"] == 1
    assert 0 < result.coverage_ppm < PPM
    assert (tmp_path / "seen").read_text().split() == [f"f{i:06d}.py" for i in range(4)]


def test_no_password_comes_through(fake):
    text = json.dumps(judge(BanditCheck(), FILES, tools=fake()).to_json())
    assert PASSWORD not in text
    assert PASSWORD[:6] not in text


@pytest.mark.parametrize(
    ("test", "text", "message"),
    [
        ("B105", "Possible hardcoded password: 'abc'", "name: a password seems to stand in the code."),
        ("B608", "Possible SQL injection", "name: Possible SQL injection"),
        ("B310", "Calling 'urllib.urlopen' here", "name: Calling 'urllib.urlopen' here"),
        ("B108", "Insecure path '/tmp/x y'", "name: Insecure path '…'"),
        ("B999", "a\x1b[2Jb", "name: a [2Jb"),
    ],
)
def test_messages_quote_nothing_but_names(test, text, message):
    assert _message(test, "name", text) == message


def test_equal_findings_have_fingerprints_of_their_own(fake):
    report = {**REPORT, "results": [entry(0, "B301", "x", line=2), entry(0, "B301", "x", line=9)]}
    found = [f for f in judge(BanditCheck(), FILES, tools=fake(report)).findings if f.rule == "bandit:B301"]
    assert len({f.fingerprint for f in found}) == 2


@pytest.mark.parametrize(
    ("report", "status", "reason"),
    [
        (REPORT, 2, "bandit ended with status 2"),
        (b"", 0, "bandit wrote no report that can be read"),
        (b"[]", 0, "bandit wrote no report that can be read"),
        (b"{}", 0, "bandit wrote no report that can be read"),
        ({**REPORT, "results": [{}]}, 0, "bandit wrote no report that can be read"),
        ({**REPORT, "results": [entry(99, "B301", "x")]}, 0, "bandit wrote no report that can be read"),
        ({**REPORT, "results": [entry(0, "evil", "x")]}, 0, "bandit wrote no report that can be read"),
        (
            {**REPORT, "results": [entry(0, "B301", "x", severity="NONE")]},
            0,
            "bandit wrote no report that can be read",
        ),
        (b"[" * 100_000, 0, "bandit wrote no report that can be read"),
    ],
)
def test_a_failure_is_incomplete_and_never_no_findings(fake, report, status, reason):
    result = judge(BanditCheck(), FILES, tools=fake(report, status))
    assert (result.status, result.reason, result.coverage_ppm) == (Status.INCOMPLETE, reason, 0)


def test_being_killed_is_incomplete(fake):
    script = fake()["bandit"]
    Path(script).write_text("#!/bin/sh\nkill -9 $$\n")
    result = judge(BanditCheck(), FILES, tools={"bandit": script})
    assert result.status is Status.INCOMPLETE
    assert result.reason.startswith("bandit was stopped: killed")


def test_a_file_that_bandit_did_not_count_was_not_judged(fake):
    report = {"errors": [], "results": [], "metrics": {"/private/f000000.py": {}}}
    result = judge(BanditCheck(), {"a.py": (Role.CODE, b"x"), "b.py": (Role.CODE, b"y")}, tools=fake(report))
    assert [(f.asset, f.code) for f in result.findings] == [("b.py", "LF2561")]
    assert result.coverage_ppm == PPM // 2


def test_the_missing_tool_is_named_with_its_command():
    with pytest.raises(EnvironmentProblem) as caught:
        judge(BanditCheck(), FILES)
    assert caught.value.code == "LF5010"
    assert caught.value.hint == "lockflight tools install bandit"


def test_without_python_nothing_starts(fake, tmp_path):
    result = judge(BanditCheck(), {"a.js": (Role.CODE, b"x")}, tools=fake())
    assert (result.status, result.findings, result.coverage_ppm) == (Status.COMPLETE, (), PPM)
    assert not (tmp_path / "seen").exists()


def test_what_is_too_large_or_unreadable_is_not_copied(fake):
    files = {
        "big.py": (Role.CODE, b"#" * 3_000_000),
        "n.ipynb": (Role.CODE, b"{"),
        "m.ipynb": (Role.CODE, json.dumps(notebook(cell("("))).encode()),
    }
    result = judge(BanditCheck(), files, tools=fake())
    assert {f.asset for f in result.findings} == set(files)
    assert (result.summary["unknown"], result.coverage_ppm) == (3, 0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.binary(max_size=200))
def test_any_report_is_read_or_incomplete(fake, report):
    result = judge(BanditCheck(), FILES, tools=fake(report))
    assert result.status is Status.INCOMPLETE


@pytest.mark.live
def test_the_real_bandit_finds_what_the_recording_says(tmp_path):
    try:
        environment = tools.install(tmp_path / "home", "bandit")
    except EnvironmentProblem as problem:
        if os.environ.get("PYTEST_LOCKFLIGHT_CI") == "true":
            raise
        pytest.skip(f"bandit cannot be installed here: {problem.message}")
    result = judge(BanditCheck(), FILES, tools={"bandit": str(environment.executable)})
    found = {(f.asset, f.location.member, f.location.line, f.rule) for f in result.findings}
    assert found >= {
        ("-c evil.yaml.py", "", 2, "bandit:B301"),
        ("-c evil.yaml.py", "", 3, "bandit:B105"),
        ("n.ipynb", "cell 2", 3, "bandit:B324"),
        ("old.py", "", 0, "bandit:unjudged"),
    }
    assert PASSWORD not in json.dumps(result.to_json())
    assert result.tool.digest == tools.environment_digest("bandit")
