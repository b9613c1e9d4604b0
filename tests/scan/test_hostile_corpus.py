"""Every hostile file of the corpus: none is safe, and nearly every pickle is malicious, by the name that it calls."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from lockflight.core.findings import Verdict
from lockflight.core.source import BytesSource
from lockflight.infra.allowlist import shipped_allow_list
from lockflight.scan.models import scan_source
from tests.corpus.gadgets import GADGETS
from tests.corpus.hostile import EVIL, samples

SAMPLES = samples()


def judged(sample):
    source = BytesSource(sample.data, sample.name.rsplit("/", 1)[-1])
    return scan_source(source, shipped_allow_list())


def named(sample, found):
    """Whether a finding tells the call, under the name of Python 2 or 3."""
    if not sample.call:
        return True
    module, _, name = next(
        ((m, ".", n) for m, n in GADGETS if f"{m}.{n}" == sample.call), sample.call.rpartition(".")
    )
    names = {f"{module}.{name}", ".".join(shipped_allow_list().python3_name(module, name))}
    return any(one in finding.message for finding in found.findings for one in names)


def test_it_is_as_large_as_it_says():
    families = Counter(sample.family for sample in SAMPLES)
    assert len(SAMPLES) >= 750
    assert sum(count for family, count in families.items() if family != "pickle") >= 150
    assert len(GADGETS) >= 300
    assert len({sample.data for sample in SAMPLES}) > 0.95 * len(SAMPLES)


def test_the_same_bytes_on_every_run():
    assert samples() == SAMPLES


def test_none_is_safe_and_pickles_are_named():
    found = [(sample, judged(sample)) for sample in SAMPLES]
    assert [sample.name for sample, scan in found if scan.verdict is Verdict.SAFE] == []
    pickles = [(sample, scan) for sample, scan in found if sample.family == "pickle"]
    called = [s.name for s, scan in pickles if scan.verdict is Verdict.MALICIOUS and named(s, scan)]
    assert len(called) >= 0.98 * len(pickles), {s.name for s, _ in pickles} - set(called)
    # A call that everybody can see, under whatever name: malicious, without exception.
    plain = [(s, scan) for s, scan in pickles if s.call]
    assert [
        s.name for s, scan in plain if scan.verdict is not Verdict.MALICIOUS and "zip-in-zip" not in s.name
    ] == []
    assert [s.name for s, scan in plain if not named(s, scan)] == []


_CHILD = """
import re, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (1 << 31, 1 << 31))
from lockflight.core.source import BytesSource
from lockflight.infra.allowlist import shipped_allow_list
from lockflight.scan.models import scan_source
allow = shipped_allow_list()
data = sys.stdin.buffer.read()
print(scan_source(BytesSource(data, sys.argv[1]), allow).verdict.value)
# Not ru_maxrss: that remembers what the process held that started this one.
print(int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) // 1024)
"""

BOMBS = {
    "opcodes.pkl": b"\x80\x04" + b"N0" * 2_500_000 + EVIL[2:],
    "deep.pkl": b"\x80\x04" + b"]" * 100_000 + EVIL[2:-1] + b"a" * 100_000 + b".",
    "deep-tuples.pkl": b"\x80\x04" + EVIL[2:-1] + b"\x85" * 100_000 + b".",
    "entries.gguf": next(s.data for s in SAMPLES if s.name == "gguf-entries.gguf"),
    "memo.pkl": b"\x80\x02Nr\xff\xff\xff\x7f.",
    "bomb.pt": next(s.data for s in SAMPLES if s.name == "zip-bomb.pt"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize("name", BOMBS)
def test_what_asks_for_much_is_not_safe_within_256_mib(name):
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, name], input=BOMBS[name], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    verdict, memory = done.stdout.split()
    assert verdict.decode() in {"unknown", "malicious"}
    assert int(memory) <= 256
