"""What a start costs: counted in modules, which does not depend on the machine."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.cli.runner import every_command

HEAVY = {
    "sqlalchemy",
    "rich",
    "cryptography",
    "regorus",
    "yaml",
    "importlib.metadata",
    "kingfisher_sdk",
    "blake3",
    "numpy",
    "typing",
    "asyncio",
}
PROGRAM = """
import sys
sys.path.insert(0, {src!r})
from lockflight.cli.main import main
try:
    main({words!r})
finally:
    import json
    sys.stderr.write(json.dumps(sorted(sys.modules)))
"""

EVERY_HELP = """
import sys
sys.path.insert(0, {src!r})
from lockflight.cli.main import main
for name in {names!r}:
    main([*name.split(), "--help"])
import json
sys.stderr.write(json.dumps(sorted(sys.modules)))
"""


@pytest.fixture
def loaded(project_root, home):
    def start(*words):
        program = PROGRAM.format(src=str(project_root / "src"), words=list(words))
        done = subprocess.run(
            [sys.executable, "-I", "-c", program], capture_output=True, check=False, text=True
        )
        return set(json.loads(done.stderr.splitlines()[-1]))

    return start


def heavy(modules):
    return {name for name in HEAVY if name in modules}


@pytest.mark.parametrize("word", ["--version", "--help", ""])
def test_help_and_version_load_next_to_nothing(loaded, word):
    modules = loaded(word) if word else loaded()
    assert len(modules) < 130
    assert heavy(modules) == set()
    assert "argparse" not in modules


def test_the_help_of_a_command_loads_nothing_that_it_would_work_with(project_root):
    program = EVERY_HELP.format(src=str(project_root / "src"), names=sorted(every_command()))
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, check=False, text=True)
    modules = set(json.loads(done.stderr.splitlines()[-1]))
    assert done.stdout.count("common options:") == len(every_command())
    assert heavy(modules) <= {"typing"}
    assert not {
        m for m in modules if m.startswith(("lockflight.app.", "lockflight.scan", "lockflight.policy"))
    }


def test_explain_reads_no_home_and_no_realm(loaded):
    modules = loaded("explain", "LF0101")
    assert "lockflight.app.realm.settings" not in modules
    assert not heavy(modules) - {"typing"}


def test_reading_verbs_do_not_load_the_database_library(first_world, project_root):
    program = PROGRAM.format(
        src=str(project_root / "src"),
        words=["verify", str(first_world.package), "--home", str(first_world.home), "--realm", "acme"],
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, check=False, text=True)
    assert "verified berth-classifier" in done.stdout
    modules = set(json.loads(done.stderr.splitlines()[-1]))
    assert heavy(modules) <= {"typing", "cryptography", "blake3"}
