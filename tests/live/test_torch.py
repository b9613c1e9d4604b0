"""torch itself loads what the scan lets pass, and agrees with every number of a conversion.

torch takes gigabytes from a public index, so no environment of the project has it. To run these tests:

    python3 -m venv .venv-torch && .venv-torch/bin/pip install torch==2.13.0 numpy safetensors
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from lockflight.app.data.convert import convert
from tests.corpus.hostile import EVIL, checkpoint
from tests.corpus.programs import VECTORS, changed

pytestmark = pytest.mark.live

ROOT = Path(__file__).resolve().parents[2]
CHILD = Path(__file__).with_name("torch_child.py")


@pytest.fixture(scope="module")
def torch():
    """Asks the child in the environment that has torch."""
    python = ROOT / ".venv-torch" / "bin" / "python"
    if not python.is_file():
        pytest.skip("torch is not here: see the beginning of tests/live/test_torch.py")

    def ask(*words):
        done = subprocess.run(
            [python, CHILD, *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src")},
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])["found"]

    return ask


SAFE = (
    "state.pt",
    "state.legacy.bin",
    "dtypes.pt",
    "checkpoint.pt",
    "checkpoint.legacy.bin",
    "tensor.pt",
    "unusual.pt",
    "unusual.legacy.bin",
)


def test_checkpoints_are_loaded(torch):
    found = torch("load", *(VECTORS / name for name in SAFE))
    assert [one.get("code") for one in found] == [None] * len(SAFE)
    assert all(one["torch"] == 1 for one in found)
    assert found[0]["keys"] == found[1]["keys"]
    assert "head.weight" in found[0]["keys"]


def test_hostile_files_are_refused_before_torch_sees_them(torch, tmp_path):
    files = {
        "evil.pt": checkpoint(EVIL),
        "raw.pt": EVIL,
        "module.pt": (VECTORS / "module.pt").read_bytes(),
        "extra.pt": changed("state.pt", {"extra/run.py": b"import os\n"}),
        "script.pt": (VECTORS / "script.pt").read_bytes(),
        # torch's own list has this one, ours does not: it calls what its arguments name.
        "typed.pt": checkpoint(
            b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\n(ctorch\nSize\nctorch\nTensor\n)NtR."
        ),
        "counter.pt": checkpoint(b"\x80\x02ctorch._utils\n_rebuild_wrapper_subclass\n."),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    found = torch("load", *(tmp_path / name for name in files))
    assert {
        name: (one.get("code"), one["torch"]) for name, one in zip(files, found, strict=True)
    } == dict.fromkeys(files, ("LF7534", 0))
    assert "posix.system" in found[0]["message"]


def test_what_only_torch_refuses(torch):
    """Its unpickler of weights knows no frames, which protocol 5 has; the refusal is ours all the same."""
    (found,) = torch("load", VECTORS / "protocol5.pt")
    assert (found["code"], found["torch"]) == ("LF7534", 1)
    assert "torch refuses it" in found["message"]
    # Of torch 2.13: it writes uint16 into the old format and cannot read it back.
    (found,) = torch("load", VECTORS / "dtypes.legacy.bin")
    assert (found["code"], found["torch"]) == ("LF7534", 1)


@pytest.mark.parametrize(
    "name",
    ["state.pt", "state.legacy.bin", "dtypes.pt", "checkpoint.pt", "tensor.pt"],
)
def test_every_tensor_is_the_same(torch, tmp_path, name):
    target = tmp_path / "new.safetensors"
    done = convert(str(VECTORS / name), str(target), workers=1)
    found = torch("same", VECTORS / name, target)
    assert found == {"tensors": done.tensors, "differ": [], "more": []}
