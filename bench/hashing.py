"""Both digests of a release cost little more than one, and small files cost little at all.

Against `model_signing` 1.1.1 (its library, default threads), on the same files in page cache, digests asserted equal:

- SHA-256 alone is as fast (at least 0.95 of its speed per CPU second), and BLAKE3 alone at least 2.5 times as fast as
  its SHA-256.
- SHA-256 and BLAKE3 in one pass cost at most 1.25 times the CPU of our SHA-256 alone.
- 5,000 files of 2 KiB, listed, opened, identity checked, hashed with both digests and closed, take at most a sixth of
  the CPU that it takes for SHA-256.

Each side runs in a process of its own that measures its own CPU seconds (user and system, all threads), so that start
and imports do not count. Rounds are paired and alternate who goes first. A value is the ratio of the best rounds,
because a busy machine only ever adds CPU seconds; the range and median of the pairs are printed beside it.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench._common import ROOT, Claim, arguments, at_least, at_most, finish, peer_python

PEER = "model-signing 1.1.1"
PINNED = ("model-signing==1.1.1", "pyOpenSSL")
SPEED, BOTH, SMALL, BLAKE3 = 0.95, 1.25, 6.0, 2.5
SHARED = "BLAKE3 needs the vector units, which a busy sibling thread of the processor takes; SHA-256 does not"
SMALL_FILES, SMALL_SIZE = 5000, 2048
MEBIBYTE = 1024 * 1024

#: Runs a job per line of standard input: {"folder", "what"}; answers {"cpu", "digests"}.
OURS = """
import json, os, resource, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from lockflight.infra.files import Folder
from lockflight.infra.hashing import blake3_source, hash_files, sha256_source

def alone(folder, names, one):
    sources = [folder.open(name) for name in names]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        digests = dict(zip(names, pool.map(one, sources)))
    for source in sources:
        source.close()
    return digests

def job(path, what):
    with Folder(Path(path)) as folder:
        names = [entry.name for entry in folder.listing(skip=True).entries]
        if what == "sha256":
            return alone(folder, names, sha256_source)
        if what == "blake3":
            return alone(folder, names, blake3_source)
        hashed = hash_files(folder, names, lambda source: None)
        for file in hashed:
            file.source.close()
        return {file.source.name: file.digests.sha256 for file in hashed}
"""

THEIRS = """
import json, resource, sys
from pathlib import Path
from model_signing import hashing

def job(path, what):
    config = hashing.Config().use_file_serialization(hashing_algorithm=what)
    manifest = config.hash(Path(path))
    return {item.identifier: item.digest.digest_hex for item in manifest.resource_descriptors()}
"""

LOOP = """
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime

for line in sys.stdin:
    asked = json.loads(line)
    before = cpu()
    digests = job(asked["folder"], asked["what"])
    print(json.dumps({"cpu": cpu() - before, "digests": digests}), flush=True)
"""


class Worker:
    """A process that runs jobs."""

    def __init__(self, python: Path | str, program: str) -> None:
        environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
        self.process = subprocess.Popen(
            [str(python), "-c", program + LOOP],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def run(self, folder: Path, what: str) -> tuple[float, dict[str, str]]:
        """CPU seconds and the digests by name."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"folder": str(folder), "what": what}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer["cpu"], answer["digests"]

    def close(self) -> None:
        """End the process."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait()


def main() -> int:
    """Measure and report."""
    quick = arguments(__doc__).quick
    python = peer_python("model-signing", *PINNED)
    with tempfile.TemporaryDirectory() as scratch:
        bulk, small = Path(scratch, "bulk"), Path(scratch, "small")
        _bulk(bulk, big=2, big_size=(64 if quick else 512) * MEBIBYTE, many=64 if quick else 512)
        small_files(small)
        ours = Worker(sys.executable, OURS)
        theirs = Worker(python, THEIRS) if python is not None else None
        try:
            claims = _measure(ours, theirs, bulk, small, rounds=9 if quick else 15)
        finally:
            ours.close()
            if theirs is not None:
                theirs.close()
    return finish(*claims)


def _measure(ours: Worker, theirs: Worker | None, bulk: Path, small: Path, rounds: int) -> list[Claim]:
    """The claims; those against a missing peer are missed."""
    jobs: dict[str, tuple[Worker | None, Path, str]] = {
        "their sha256": (theirs, bulk, "sha256"),
        "our sha256": (ours, bulk, "sha256"),
        "our both": (ours, bulk, "both"),
        "our blake3": (ours, bulk, "blake3"),
        "their blake3": (theirs, bulk, "blake3"),
        "their small": (theirs, small, "sha256"),
        "our small": (ours, small, "both"),
    }
    cost: dict[str, list[float]] = {name: [] for name in jobs}
    for number in range(rounds + 1):
        digests: dict[str, dict[str, str]] = {}
        for name, (worker, folder, what) in list(jobs.items())[:: 1 if number % 2 else -1]:
            if worker is None:
                continue
            used, digests[name] = worker.run(folder, what)
            if number:
                cost[name].append(used)
        _assert_equal(digests)
    size = sum(path.stat().st_size for path in bulk.iterdir())
    for name, used in cost.items():
        if used and "small" in name:
            print(f"{name:13} {min(used) / SMALL_FILES * 1e6:8.1f} us of CPU per file")
        elif used:
            print(f"{name:13} {size / min(used) / 1e9:8.2f} GB per CPU second")

    def ratio(one: str, two: str) -> float:
        pairs = sorted(a / b for a, b in zip(cost[one], cost[two], strict=True))
        print(
            f"{one} / {two}: pairs {pairs[0]:.2f} to {pairs[-1]:.2f}, median {statistics.median(pairs):.2f}"
        )
        return min(cost[one]) / min(cost[two])

    one_pass = ratio("our both", "our sha256")
    claims = [
        at_most("CPU of SHA-256 and BLAKE3 in one pass", one_pass, BOTH, "our SHA-256 alone", cause=SHARED)
    ]
    against = (
        ("speed of SHA-256 alone", "their sha256", "our sha256", SPEED, f"{PEER}, SHA-256"),
        ("speed per small file, both digests", "their small", "our small", SMALL, f"{PEER}, SHA-256"),
        ("speed of BLAKE3 alone", "their sha256", "our blake3", BLAKE3, f"{PEER}, SHA-256"),
    )
    for claim, one, two, goal, peer in against:
        if theirs is None:
            claims.append(Claim(claim, 0.0, f">= {goal:g} x", peer, holds=False, cause="the peer is missing"))
        else:
            claims.append(
                at_least(claim, ratio(one, two), goal, peer, cause=SHARED if "BLAKE3" in claim else "")
            )
    return claims


def _assert_equal(digests: dict[str, dict[str, str]]) -> None:
    """The same names and digests on every side; a run that hashes something else proves nothing."""
    for group in (
        ("our sha256", "our both", "their sha256"),
        ("our small", "their small"),
        ("our blake3", "their blake3"),
    ):
        found = [digests[name] for name in group if name in digests]
        if not found[0] or any(other != found[0] for other in found[1:]):
            raise RuntimeError(f"the digests of {', '.join(group)} differ")


def _bulk(folder: Path, *, big: int, big_size: int, many: int) -> None:
    """A few large files and many of 1 MiB, no two alike."""
    folder.mkdir()
    noise = random.Random(1).randbytes(MEBIBYTE)
    for i in range(big):
        with (folder / f"big{i}.bin").open("wb") as file:
            for part in range(big_size // MEBIBYTE):
                file.write(b"%08d%08d" % (i, part) + noise[16:])
    for i in range(many):
        (folder / f"part{i:04}.bin").write_bytes(b"%016d" % i + noise[16:])


def small_files(folder: Path) -> None:
    """`SMALL_FILES` of `SMALL_SIZE` bytes in 50 folders, no two alike."""
    noise = random.Random(2).randbytes(SMALL_SIZE)
    for i in range(SMALL_FILES):
        path = folder / f"d{i % 50:02}" / f"f{i:04}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%016d" % i + noise[16:])


if __name__ == "__main__":
    sys.exit(main())
