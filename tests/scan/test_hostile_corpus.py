"""Every hostile file of the corpus: none is safe, and nearly every pickle is malicious, by the name that it calls."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections import Counter

import pytest

from lockflight.core.findings import Verdict
from lockflight.core.source import BytesSource
from lockflight.infra.allowlist import shipped_allow_list
from lockflight.scan.models import scan_source
from tests.corpus.gadgets import GADGETS
from tests.corpus.hostile import EVIL, archive, samples

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
found = scan_source(BytesSource(data, sys.argv[1]), allow)
print(found.verdict.value)
# Not ru_maxrss: that remembers what the process held that started this one.
print(int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) // 1024)
print(*(f.message for f in found.findings))
"""


def nested(*opcodes, depth=100_000):
    """`depth` times the first opcodes, a value, and as often the second: values inside each other."""
    before, value, after = opcodes
    return b"\x80\x04" + before * depth + value + after * depth + b"."


def npy(shape):
    """The header of an array of doubles."""
    head = repr({"descr": "<f8", "fortran_order": False, "shape": shape}).encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head


SET = b"c__builtin__\nset\n"
#: What asks for much, with a part of what the finding says; none of it names anything that is not listed.
BOMBS = {
    "harmless-opcodes.pkl": (b"\x80\x04" + b"N0" * 2_500_000 + b"N.", "the 4,194,304 opcodes"),
    "lists.pkl": (nested(b"]", b"N", b"a"), "more than 10,000 deep"),
    "marked-lists.pkl": (nested(b"](", b"N", b"e"), "more than 10,000 marks"),
    "tuples.pkl": (nested(b"", b"N", b"\x85"), "more than 10,000 deep"),
    "pairs.pkl": (nested(b"", b"N", b"N\x86"), "more than 10,000 deep"),
    "marked-tuples.pkl": (nested(b"(", b"N", b"t"), "more than 10,000 marks"),
    "dicts.pkl": (nested(b"}K\x00", b"N", b"s"), "more than 10,000 deep"),
    "marked-dicts.pkl": (nested(b"(K\x00", b"N", b"d"), "more than 10,000 marks"),
    "frozensets.pkl": (nested(b"(", b"N", b"\x91"), "more than 10,000 marks"),
    "calls.pkl": (nested(SET, b")", b"R\x85"), "more than 10,000 deep"),
    "states.pkl": (b"\x80\x02" + nested(SET + b")R}K\x00", b"N", b"sb")[2:], "more than 10,000 deep"),
    "mixed.pkl": (nested(b"](}K\x00", b"N", b"s\x85e", depth=9_000), "more than 10,000 deep"),
    "open-marks.pkl": (b"\x80\x04" + b"(" * 100_000 + b"N.", "more than 10,000 marks"),
    "dicts-side-by-side.pkl": (b"\x80\x04" + b"}" * 4_200_000 + b".", "the 4,000,000 places"),
    "small-tuples.pkl": (b"\x80\x04" + b"N\x85\x94" * 1_400_000 + b".", "the 4,194,304 opcodes"),
    "strings.pkl": (b"\x80\x04" + b"\x8c\x00\x94" * 2_100_000 + b".", "the 4,194,304 opcodes"),
    "opcodes.pkl": (b"\x80\x04" + b"N0" * 2_500_000 + EVIL[2:], "opcodes"),
    "deep.pkl": (b"\x80\x04" + b"]" * 100_000 + EVIL[2:-1] + b"a" * 100_000 + b".", "deep"),
    "entries.gguf": (next(s.data for s in SAMPLES if s.name == "gguf-entries.gguf"), "more entries than"),
    "nested/tokenizer.json": (b'{"a":' * (60 * 1024 * 1024 // 5), "nested too deeply"),
    "empty-lists.json": (b"[" + b"[],{}," * 2_500_000 + b'{"a":1,"a":2}]', "a key stands twice"),
    "kept.json": (b"[" + b'{"auto_map":[1]},' * 500_000 + b"1]", "holds more than is read"),
    "memo.pkl": (b"\x80\x02Nr\xff\xff\xff\x7f.", "asks the loader for memory"),
    "bombs.pt": (next(s.data for s in SAMPLES if s.name == "zip-bomb.pt"), "byte 0x00"),
    "bomb.npz": (archive({"a.npy": npy((1 << 25,)) + bytes(1 << 28)}, method=zipfile.ZIP_DEFLATED), "(bomb)"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize("name", BOMBS)
def test_what_asks_for_much_is_not_safe_within_256_mib(name):
    data, says = BOMBS[name]
    done = subprocess.run([sys.executable, "-c", _CHILD, name], input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    verdict, memory, messages = done.stdout.decode().split("\n", 2)
    assert verdict in {"unknown", "malicious"}
    assert says in messages
    assert int(memory) <= 256


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_a_large_tokenizer_is_safe_within_256_mib():
    vocabulary = ",".join(f'"\\u0120w{i:07d}": {i}' for i in range(900_000))
    merges = ",".join(f'["\\u0120w{i}", "x_{i}"]' for i in range(500_000))
    added = ",".join(f'{{"id": {i}, "content": "<|{i}|>", "special": true}}' for i in range(2000))
    text = f'{{"added_tokens": [{added}], "model": {{"vocab": {{{vocabulary}}}, "merges": [{merges}]}}}}'
    assert len(text) > 35 * 1024 * 1024
    command = [sys.executable, "-c", _CHILD, "tokenizer.json"]
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    verdict, memory, _ = done.stdout.decode().split("\n", 2)
    assert (verdict, int(memory) <= 256) == ("safe", True)
