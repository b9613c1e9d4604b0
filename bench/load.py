"""What a verified load costs: reading every tensor of a safetensors file, and reading a few.

Each side reads the same file, tensor by tensor, into memory of its own. `bare` hashes nothing; `sha256` hashes in the
same pass with SHA-256, as a manifest without BLAKE3 would demand; `ours` is `Loaded.tensors`, which checks each tensor
against the signed index. Claimed is what is added to the bare read: at most a third of what SHA-256 adds. Processor
time of this process alone, sides in turn, the median of the rounds' ratios.

The second claim counts bytes: who reads 4 of 64 layers has 4 layers and the header read and hashed.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench._common import Claim, arguments, at_most, finish
from lockflight.app.files.tensors import tensor_index, tensor_tap
from lockflight.core.release.release import Asset, Release, make_release
from lockflight.core.words import Kind, Role, Tier
from lockflight.deploy.loaded import Grounds, Loaded
from lockflight.deploy.reading import CHUNK, buffer
from lockflight.formats.sniff import sniff
from lockflight.infra.files import Folder
from lockflight.infra.hashing import hash_files

LAYERS = 64
NAME = "model.safetensors"
GROUNDS = Grounds("bench", "bench", (), "", 0, 0)


def make_model(folder: Path, size: int) -> None:
    """A file of equal layers; each begins with its number, so no two are the same."""
    layer = size // LAYERS
    header = json.dumps(
        {
            f"layer.{n}": {
                "dtype": "F32",
                "shape": [layer // 4],
                "data_offsets": [n * layer, (n + 1) * layer],
            }
            for n in range(LAYERS)
        }
    ).encode()
    block = os.urandom(min(layer, 1 << 20))
    with (folder / NAME).open("wb") as stream:
        stream.write(len(header).to_bytes(8, "little") + header)
        for n in range(LAYERS):
            stream.write(n.to_bytes(8, "little"))
            left = layer - 8
            while left:
                left -= stream.write(block[: min(left, len(block))])
    (folder / "lockflight.toml").write_text("[release]\n")


def describe(folder: Path) -> Release:
    """What would be signed."""
    with Folder(folder) as top:
        hashed = hash_files(top, ["lockflight.toml", NAME], sniff, tap=tensor_tap)
        assets = [
            Asset(h.source.name, Role.OTHER, h.source.size, *h.digests, h.seen, tensor_index(h))
            for h in hashed
        ]
        for file in hashed:
            file.source.close()
    return make_release(name="bench", version="1", kind=Kind.MODEL, tier=Tier.MINIMAL, assets=assets)


def read_all(path: Path, places: list[tuple[int, int]], *, hashing: bool) -> list[memoryview]:
    """Every tensor, read in the same pieces and into the same kind of memory as ours; only the last one is kept."""
    fd = os.open(path, os.O_RDONLY)
    kept: list[memoryview] = []
    digests = []
    for start, end in places:
        view, state, at = buffer(end - start), hashlib.sha256(), 0
        while at < len(view):
            n = os.preadv(fd, [view[at : at + CHUNK]], start + at)
            if hashing:
                state.update(view[at : at + n])
            at += n
        if hashing:
            digests.append(state.digest())
        kept = [view]
    os.close(fd)
    assert not hashing or len(set(digests)) == len(places)
    return kept


def ours(folder: Path, release: Release, names: list[str]) -> tuple[list[memoryview], int]:
    """The named tensors, verified; only the last one is kept. And how many bytes were read."""
    with Loaded(Folder(folder), release, GROUNDS) as loaded:
        tensors = loaded.tensors(NAME)
        kept: list[memoryview] = []
        for name in names:
            kept = [tensors.raw(name)]
        return kept, loaded.bytes_read


def cpu(run: Callable[[], object]) -> float:
    """Processor seconds of one run."""
    begin = time.process_time()
    run()
    return time.process_time() - begin


def main() -> int:
    """Measure and print."""
    quick = arguments(__doc__).quick
    size, rounds = (256, 5) if quick else (1024, 7)
    with tempfile.TemporaryDirectory(prefix="lockflight-bench-") as name:
        folder = Path(name)
        make_model(folder, size << 20)
        release = describe(folder)
        path = folder / NAME
        with Loaded(Folder(folder), release, GROUNDS) as loaded:
            tensors = loaded.tensors(NAME)
            places = [(tensors.info(n).start, tensors.info(n).end) for n in tensors]
            names = list(tensors)
            for layer, (start, end) in zip(names[::16], places[::16], strict=True):
                with path.open("rb") as stream:
                    stream.seek(start)
                    assert stream.read(end - start) == tensors.raw(layer), "both read the same"
        sides: dict[str, Callable[[], object]] = {
            "bare": lambda: read_all(path, places, hashing=False),
            "sha256": lambda: read_all(path, places, hashing=True),
            "ours": lambda: ours(folder, release, names),
            "lazy": lambda: ours(folder, release, names[:4]),
        }
        seen: list[dict[str, float]] = []
        for number in range(rounds + 1):
            costs = {side: cpu(run) for side, run in sides.items()}
            if number:
                seen.append(costs)
        _, read = ours(folder, release, names[:4])
        whole = path.stat().st_size
    gib = size / 1024
    for side in sides:
        costs_of = [costs[side] / gib for costs in seen]
        print(
            f"{side:8} {statistics.median(costs_of):.3f} CPU s/GiB ({min(costs_of):.3f} to {max(costs_of):.3f})"
        )
    added = statistics.median(
        (costs["ours"] - costs["bare"]) / (costs["sha256"] - costs["bare"]) for costs in seen
    )
    lazy = statistics.median(costs["lazy"] / costs["ours"] for costs in seen)
    claims: list[Claim] = [
        at_most(
            "verified load: what BLAKE3 per tensor adds to a bare read",
            added,
            1 / 3,
            "what SHA-256 in the same pass adds",
        ),
        at_most("4 of 64 layers: bytes read and hashed", read / whole, 0.07, "the whole file"),
        at_most("4 of 64 layers: processor time", lazy, 0.1, "all 64 layers, verified"),
    ]
    return finish(*claims)


if __name__ == "__main__":
    sys.exit(main())
