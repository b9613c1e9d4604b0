"""Child process of the fuzz: mutants of one kind of file through the whole check, in little memory.

Prints one line of JSON: how many there were of each verdict, and the peak of memory in MiB.
"""

from __future__ import annotations

import collections
import json
import re
import resource
import sys
from pathlib import Path

from lockflight.core.source import BytesSource
from lockflight.infra.allowlist import shipped_allow_list
from lockflight.scan.models import scan_source
from tests.corpus.hostile import samples
from tests.formats.files import mutants

ROOT = Path(__file__).resolve().parents[2]
#: Seconds of processor time for each thousand mutants, after which the kernel ends a child that hangs.
CPU_S = 300
LONGEST = 20_000
#: What makes each kind of file: the suffixes of its seeds, and words that its parser looks for.
KINDS = {
    "pickle": ((".pkl", ".bin", ".joblib"), (b"\x80\x04", b"cos\nsystem\n", b"\x93", b"\x94", b"R.")),
    "zip": (
        (".pt", ".pth", ".zip", ".npz", ".keras", ".skops"),
        (b"PK\3\4", b"PK\1\2", b"PK\5\6", b"PK\6\6"),
    ),
    "compressed": ((".gz", ".bz2", ".xz", ".lzma", ".z"), (b"\x1f\x8b", b"BZh9", b"\xfd7zXZ\0")),
    "safetensors": ((".safetensors",), (b'"shape"', b'"data_offsets"', b"[", b"}", b'"F32"')),
    "gguf": ((".gguf",), (b"GGUF", b"tokenizer.chat_template", b"\x08\0\0\0", b"\x09\0\0\0")),
    "npy": ((".npy",), (b"\x93NUMPY", b"'descr'", b"'|O'", b"(", b")")),
    "onnx": ((".onnx",), (b"\x0a", b"\x12", b"external_data", b"location", b"\xff\xff\xff\xff\x0f")),
    "tensorflow": ((".pb",), (b"\x0a", b"\x12", b"ReadFile", b"\xff\xff\xff\xff\x0f")),
    "hdf5": ((".h5",), (b"\x89HDF\r\n\x1a\n", b"TREE", b"OHDR", b"model_config")),
    "json": ((".json", ".ipynb"), (b'"auto_map"', b'"chat_template"', b"[[[[", b"{", b"\\ud800")),
    "template": ((".jinja", ".txt", ".yaml", ".md"), (b"{{", b"}}", b"{%", b"%}", b"__class__", b"|attr")),
}


def seeds_of(kind):
    """Names and bytes of small files, real and hostile."""
    suffixes, words = KINDS[kind]
    vectors = sorted(path for path in (ROOT / "tests" / "vectors" / "models").rglob("*.*") if path.is_file())
    found = [(path.name, path.read_bytes()) for path in vectors]
    found += [(sample.name.rsplit("/", 1)[-1], sample.data) for sample in samples()]
    return [(name, data) for name, data in found if name.endswith(suffixes) and len(data) <= LONGEST], words


def run(kind, count, number):
    """So many mutants of one kind; verdicts, and the peak."""
    seeds, words = seeds_of(kind)
    name, allow = f"model{KINDS[kind][0][0]}", shipped_allow_list()
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S * (1 + count // 1000),) * 2)
    tally = collections.Counter(seeds=len(seeds))
    for data in mutants([data for _, data in seeds], count, number, words):
        found = scan_source(BytesSource(data, name), allow)
        tally[found.verdict.value] += 1
        if found.verdict.value == "safe" and found.judged != found.size:
            raise AssertionError(f"safe, and not judged to the end: {data.hex()}")
    peak = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    return {**tally, "memory": int(peak[1]) // 1024 if peak else 0}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(sys.argv[1], *map(int, sys.argv[2:]))))
