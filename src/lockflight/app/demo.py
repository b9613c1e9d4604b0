"""The stage of `lockflight demo`: a temporary folder with a tiny model of our own, made here, byte by byte.

The planted file is a pickle that would run `true` when loaded; nothing ever loads it.
"""

from __future__ import annotations

import json
import shutil
import struct
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.core.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

MANIFEST = """\
[release]
name = "berth-classifier"
version = "1.0.0"
kind = "classifier"
tier = "minimal"

[[assets]]
role = "model-weights"
files = ["model/*"]

[[assets]]
role = "code"
files = ["predict.py"]

[[assets]]
role = "dependency-lock"
files = ["requirements.txt"]

[[assets]]
role = "dataset"
files = ["data/berths.csv"]

[[assets]]
role = "documentation"
files = ["README.md"]
"""

PREDICT = '''\
"""Does a boat fit into a berth? A linear model over length and beam, in metres."""

import json
import struct


def load(path):
    """Weights and bias from a safetensors file."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        body = file.read()
    return {
        name: struct.unpack(f"<{(end - start) // 4}f", body[start:end])
        for name, (start, end) in ((n, t["data_offsets"]) for n, t in header.items())
    }


def fits(model, metres, beam):
    """Whether the score is above zero."""
    return model["weight"][0] * metres + model["weight"][1] * beam + model["bias"][0] > 0
'''

DATA = "metres,beam,fits\n5.2,2.1,1\n9.8,3.3,0\n6.4,2.4,1\n12.0,3.9,0\n"
README = "# berth-classifier\n\nSays whether a boat fits into a berth. Made by `lockflight demo`.\n"

#: Protocol 0: the global `posix.system`, called with "true".
PLANTED = b"cposix\nsystem\n(S'true'\ntR."
PLANTED_NAME = "model/adapter.pkl"
WEIGHTS_NAME = "model/model.safetensors"


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the demo plays.

    Attributes:
        folder: the temporary folder.
        home: its Lockflight home.
        workspace: the folder of the model.
        package: where the package will be.
    """

    folder: Path
    home: Path
    workspace: Path
    package: Path

    def fix(self) -> None:
        """Remove the planted file, as the author would."""
        (self.workspace / PLANTED_NAME).unlink()

    def tamper(self) -> tuple[str, int]:
        """Flip one bit in the package; the file's name and the offset of the byte."""
        path = self.package / WEIGHTS_NAME
        body = bytearray(path.read_bytes())
        offset = len(body) - 3
        body[offset] ^= 1
        path.write_bytes(body)
        return WEIGHTS_NAME, offset


@contextmanager
def stage(*, keep: bool = False) -> Iterator[Stage]:
    """Make the folder and the workspace; remove them afterwards unless they are kept."""
    folder = Path(tempfile.mkdtemp(prefix="lockflight-demo-"))
    try:
        made = Stage(folder, folder / "home", folder / "berths", folder / "package")
        make_workspace(made.workspace)
        yield made
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def make_workspace(folder: Path) -> None:
    """Write the workspace: manifest, weights, the planted pickle, code, lock, data, README."""
    (folder / "model").mkdir(parents=True)
    (folder / "data").mkdir()
    (folder / "lockflight.toml").write_text(MANIFEST, encoding="utf-8")
    (folder / WEIGHTS_NAME).write_bytes(safetensors({"weight": (-1.0, -0.5), "bias": (9.0,)}))
    (folder / PLANTED_NAME).write_bytes(PLANTED)
    (folder / "predict.py").write_text(PREDICT, encoding="utf-8")
    (folder / "requirements.txt").write_text("# only the standard library\n", encoding="utf-8")
    (folder / "data" / "berths.csv").write_text(DATA, encoding="utf-8")
    (folder / "README.md").write_text(README, encoding="utf-8")


def safetensors(tensors: dict[str, tuple[float, ...]]) -> bytes:
    """A safetensors file of 32-bit floats: little-endian length, JSON header padded with spaces, data."""
    header: dict[str, object] = {}
    body = b""
    for name, values in tensors.items():
        data = struct.pack(f"<{len(values)}f", *values)
        header[name] = {
            "dtype": "F32",
            "shape": [len(values)],
            "data_offsets": [len(body), len(body) + len(data)],
        }
        body += data
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + body
