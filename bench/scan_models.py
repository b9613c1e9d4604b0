"""Judging model files: less CPU and memory than picklescan, with a verdict where it has none.

Claims: many small pickles cost no more CPU than with picklescan; a pickle of millions of opcodes at most a third; its
peak memory stays below 64 MiB, whatever its size. Every hostile file is found by both sides before a time counts.
"""

from __future__ import annotations

import os
import pickle
import sys
import tempfile
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench._common import ROOT, Claim, arguments, at_most, child, finish, interleaved, peer_python

_OURS = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from lockflight.infra.allowlist import shipped_allow_list
from lockflight.scan.models import scan_source

class File:
    def __init__(self, path):
        self.name, self.size, self._file = path.name, path.stat().st_size, open(path, "rb")

    def read_at(self, offset, n):
        self._file.seek(offset)
        return self._file.read(n)

allow = shipped_allow_list()
files = sorted(Path(sys.argv[1]).iterdir())
print(*[path.name for path in files if scan_source(File(path), allow).verdict == "malicious"])
"""

_THEIRS = """
import sys
from pathlib import Path
from picklescan.scanner import SafetyLevel, scan_file_path

def bad(path):
    return any(g.safety == SafetyLevel.Dangerous for g in scan_file_path(str(path)).globals)

print(*[path.name for path in sorted(Path(sys.argv[1]).iterdir()) if bad(path)])
"""


_FIXED = (
    "each file is looked at twice, once to tell what it is and once to judge it; text protocols cost most"
)


class Payload:
    """Runs `true` if it is ever loaded, which nobody does."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("true",)


def small_files(folder: Path, count: int) -> None:
    """Ordinary pickles and, one in ten, a hostile one."""
    folder.mkdir()
    models = sorted((ROOT / "tests" / "vectors" / "models").glob("*.pkl"))
    for i in range(count):
        if i % 10 == 0:
            data = pickle.dumps({"weights": [i, Payload()]}, i // 10 % 6)
        else:
            data = models[i % len(models)].read_bytes()
        (folder / f"{'bad' if i % 10 == 0 else 'good'}{i:05}.pkl").write_bytes(data)


def big_file(folder: Path, entries: int) -> None:
    """One pickle of plain values, six opcodes and thirty bytes for each entry."""
    folder.mkdir()
    # In a child: what this process once held would count as the peak memory of every child that it starts.
    code = "import pickle, sys; n = int(sys.argv[2]); values = {f'key_{i}': (i, float(i)) for i in range(n)}"
    code += "; pickle.dump(values, open(sys.argv[1], 'wb'), 4)"
    child([sys.executable, "-c", code, folder / "big.pkl", str(entries)])


def measure(peer: Path, folder: Path, rounds: int, name: str) -> tuple[float, float, float]:
    """CPU of ours over theirs, and the memory of both in MiB."""
    ours = [sys.executable, "-c", _OURS, folder, ROOT / "src"]
    theirs = [peer, "-c", _THEIRS, folder]
    costs = interleaved({"ours": lambda: child(ours), "theirs": lambda: child(theirs)}, rounds)
    wanted = sorted(path.name for path in folder.glob("bad*"))
    for side, cost in costs.items():
        if cost.output.split() != wanted:
            raise RuntimeError(f"{side} disagrees about {name}: {cost.output[:200]}")
    return costs["ours"].cpu / costs["theirs"].cpu, costs["ours"].memory, costs["theirs"].memory


def main() -> int:
    """Measure and report."""
    quick = arguments(__doc__).quick
    peer = peer_python("picklescan", "picklescan==1.0.5")
    label = "picklescan 1.0.5"
    if peer is None:
        return finish(Claim("small pickles", 0, "<= 1 x", label, holds=False, cause="the peer is missing"))
    rounds = 2 if quick else 5
    with tempfile.TemporaryDirectory() as name:
        small, big = Path(name) / "small", Path(name) / "big"
        small_files(small, 600 if quick else 3000)
        big_file(big, 150_000 if quick else 700_000)
        ratio, _, _ = measure(peer, small, rounds, "the small files")
        big_ratio, memory, their_memory = measure(peer, big, rounds, "the big file")
    return finish(
        at_most("CPU for many small pickles", ratio, 1, label, cause=_FIXED),
        at_most("CPU for one pickle of millions of opcodes", big_ratio, 1 / 3, label),
        at_most("peak memory for it", memory, 64, f"{label}: {their_memory:.0f} MiB", unit="MiB"),
    )


if __name__ == "__main__":
    sys.exit(main())
