"""Texts made of beginnings without an end: reading them costs as much as they are long, not its square.

Each is judged by a child that may use a minute of the processor: read over and over they would take hours.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

_JUDGE = """
import sys
sys.path.insert(0, sys.argv[1])
from lockflight.core.source import BytesSource
from lockflight.infra.allowlist import shipped_allow_list
from lockflight.scan.models import scan_source
data = (sys.argv[3] + sys.argv[4] * int(sys.argv[5])).encode()
print(scan_source(BytesSource(data, sys.argv[2]), shipped_allow_list()).verdict)
"""
_COUNT = 400_000


@pytest.mark.parametrize(
    ("name", "start", "unit"),
    [
        ("config.json", "[", '\\"'),
        ("config.json", '{"a": 1} ', "/*"),
        ("tokenizer.json", '["', '"\\'),
        ("notes.txt", "{% broken ", "{{"),
        ("README.md", "", "{% x "),
        ("README.md", "---\n", "\n"),
        ("page.xml", '<?xml version="1.0"?><a>', "<!--"),
        ("config.pbtxt", "", "\n"),
        ("config.pbtxt", 'node { name: "', '\\"'),
        ("settings.yaml", "a: ", "${"),
    ],
)
def test_a_beginning_without_an_end_is_read_once(name, start, unit):
    command = [sys.executable, "-I", "-c", _JUDGE, str(ROOT / "src"), name, start, unit, str(_COUNT)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (60, 60)),
    )
    assert done.returncode == 0, done.stderr[-500:]
    assert done.stdout.strip() in {"safe", "review", "unknown", "malicious"}
