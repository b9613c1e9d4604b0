"""What others run in their CI: the action, the GitLab job and the pre-commit hook, each with hostile inputs."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys

import pytest
import yaml

from tests.ci.world import PICKLE, make_workspace

EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}")


@pytest.fixture(scope="module")
def action(project_root):
    return yaml.safe_load((project_root / "action.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def gitlab(project_root):
    return yaml.safe_load((project_root / "ci" / "gitlab.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def hooks(project_root):
    return yaml.safe_load((project_root / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))


class Job:
    """A step of a job on a runner that is this machine."""

    def __init__(self, folder, action):
        self.folder, self.action = folder, action
        self.workspace, self.temp = folder / "workspace", folder / "temp"
        (self.temp / "lockflight" / "bin").mkdir(parents=True)
        python = self.temp / "lockflight" / "bin" / "python"
        python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
        python.chmod(0o755)
        make_workspace(self.workspace)
        (folder / "output").touch()

    def gate(self, path=".", environment="development", reports="", **more):
        step = self.action["runs"]["steps"][1]
        environ = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.folder),
            "LOCKFLIGHT_HOME": str(self.folder / "home"),
            "RUNNER_TEMP": str(self.temp),
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"),
            "GATE_PATH": path,
            "GATE_ENVIRONMENT": environment,
            "GATE_REPORTS": reports,
            **more,
        }
        command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]]
        return subprocess.run(
            command, cwd=self.workspace, env=environ, capture_output=True, text=True, check=False
        )

    @property
    def output(self):
        return dict(line.split("=", 1) for line in (self.folder / "output").read_text().splitlines())


@pytest.fixture
def job(tmp_path, action):
    return Job(tmp_path, action)


def test_the_action_puts_no_input_into_a_script(action):
    assert action["runs"]["using"] == "composite"
    for step in action["runs"]["steps"]:
        assert "uses" not in step
        assert not EXPRESSION.search(step["run"])
        assert step["shell"] == "bash"
        for value in step["env"].values():
            assert EXPRESSION.fullmatch(value)
    named = {
        m.strip() for s in action["runs"]["steps"] for v in s["env"].values() for m in EXPRESSION.findall(v)
    }
    assert {n for n in named if n.startswith("inputs.")} == {f"inputs.{name}" for name in action["inputs"]}


def test_the_action_allows(job):
    done = job.gate()
    assert done.returncode == 0, done.stderr
    assert job.output == {"exit-code": "0", "reports": str(job.temp / "lockflight-reports")}
    names = {path.name for path in (job.temp / "lockflight-reports").iterdir()}
    assert names == {"decision.html", "decision.md", "junit.xml", "findings.sarif"}
    assert (job.folder / "summary.md").read_text().startswith("## ✓ ")


def test_the_action_denies_and_marks_the_file(job):
    (job.workspace / "model" / "adapter.pkl").write_text(PICKLE)
    done = job.gate(environment="staging", reports=str(job.folder / "here"))
    assert (done.returncode, job.output["exit-code"]) == (10, "10")
    assert re.search(
        r"^::error file=model/adapter\.pkl,line=1,title=LF2100 critical::", done.stdout, re.MULTILINE
    )
    run = json.loads((job.folder / "here" / "findings.sarif").read_text())["runs"][0]
    assert run["results"]


def test_the_action_asks_for_the_ladder(job):
    done = job.gate(environment="")
    assert done.returncode == 0
    assert "production" in done.stdout


@pytest.mark.parametrize(
    "inputs",
    [
        {"path": "$(touch pwned)"},
        {"path": "`touch pwned`"},
        {"path": '"; touch pwned; "'},
        {"path": "--help"},
        {"environment": "development; touch pwned"},
        {"environment": "$(touch pwned)"},
        {"environment": "--json"},
        {"reports": "x\nexit-code=0"},
        {"reports": "x\n"},
    ],
    ids=str,
)
def test_the_actions_inputs_are_data(job, inputs):
    done = job.gate(**inputs)
    assert done.returncode in {2, 3}, done.stdout
    assert not list(job.folder.rglob("pwned"))
    assert (job.folder / "output").read_text().count("exit-code=") <= 1
    assert job.output.get("exit-code") != "0"


def test_the_action_imports_nothing_of_the_workspace(job):
    for name in ("lockflight.py", "json.py", "sitecustomize.py", "usercustomize.py", "argparse.py"):
        (job.workspace / name).write_text("open('pwned', 'w').close()\n")
    done = job.gate(environment="", PYTHONPATH=str(job.workspace), PYTHONSTARTUP="json.py")
    assert "LF1004" in done.stderr  # they were looked at, as files that nobody named
    assert not list(job.folder.rglob("pwned"))


def test_the_action_installs_from_the_lock_with_hashes(tmp_path, action, project_root):
    """With a pip that only says what it was asked for: the tests open no socket."""
    site = tmp_path / "site"
    site.mkdir()
    python = tmp_path / "python"
    python.write_text(
        "#!/bin/sh\n"
        f'case "$*" in\n'
        f'  *" venv "*) mkdir -p "$4/bin"; cp "$0" "$4/bin/python" ;;\n'
        f'  *" pip "*) echo "$*" >> {shlex.quote(str(tmp_path / "pip"))} ;;\n'
        f"  *sysconfig*) echo {shlex.quote(str(site))} ;;\n"
        "esac\n"
    )
    python.chmod(0o755)
    environ = {
        "PATH": "/usr/bin:/bin",
        "RUNNER_TEMP": str(tmp_path / "temp dir"),
        "GATE_SOURCE": str(project_root),
        "GATE_PYTHON": str(python),
    }
    step = action["runs"]["steps"][0]
    subprocess.run(["bash", "-e", "-c", step["run"]], env=environ, check=True)
    asked = (tmp_path / "pip").read_text()
    assert "--require-hashes" in asked
    assert f"--requirement {project_root}/requirements/runtime.txt" in asked
    assert (site / "lockflight.pth").read_text().strip() == f"{project_root}/src"


def test_the_gitlab_job_runs_check(tmp_path, gitlab):
    job = gitlab[".lockflight-gate"]
    assert job["allow_failure"] is False
    make_workspace(tmp_path / "workspace")
    (tmp_path / "workspace" / "model" / "adapter.pkl").write_text(PICKLE)
    done = run_gitlab(tmp_path, job, GATE_ENVIRONMENT="staging")
    assert done.returncode == 10
    issues = json.loads((tmp_path / "workspace" / job["artifacts"]["reports"]["codequality"]).read_text())
    assert "model/adapter.pkl" in {issue["location"]["path"] for issue in issues}
    assert (tmp_path / "workspace" / job["artifacts"]["reports"]["junit"]).is_file()
    # Its reports are in a cache folder, so the workspace is still the same release.
    assert run_gitlab(tmp_path, job).returncode == 10


@pytest.mark.parametrize("path", ["$(touch pwned)", '"; touch pwned; "', "--help"])
def test_the_gitlab_jobs_variables_are_data(tmp_path, gitlab, path):
    make_workspace(tmp_path / "workspace")
    assert run_gitlab(tmp_path, gitlab[".lockflight-gate"], GATE_PATH=path).returncode == 3
    assert not list(tmp_path.rglob("pwned"))


def run_gitlab(folder, job, **variables):
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    command = tools / "lockflight"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -I -m lockflight "$@"\n')
    command.chmod(0o755)
    environ = {
        "PATH": f"{tools}:/usr/bin:/bin",
        "HOME": str(folder),
        "LOCKFLIGHT_HOME": str(folder / "home"),
        "CI_PROJECT_DIR": str(folder / "workspace"),
        **job["variables"],
        **variables,
    }
    script = "\n".join(job["script"])
    return subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=folder / "workspace",
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_hook_runs_check(tmp_path, hooks):
    (hook,) = hooks
    assert set(hook) == {
        "id", "name", "description", "entry", "args", "language", "pass_filenames", "always_run"
    }  # fmt: skip
    assert hook["pass_filenames"] is False
    make_workspace(tmp_path / "workspace")
    command = [sys.executable, "-I", "-m", *shlex.split(hook["entry"]), *hook["args"]]
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LOCKFLIGHT_HOME": str(tmp_path / "home")}

    def run():
        done = subprocess.run(
            command, cwd=tmp_path / "workspace", env=environ, capture_output=True, check=False
        )
        return done.returncode

    assert run() == 0
    (tmp_path / "workspace" / "model" / "adapter.pkl").write_text(PICKLE)
    assert run() == 10


def test_bash_is_there():
    assert shutil.which("bash")
