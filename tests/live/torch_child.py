"""Runs in an environment with torch and safetensors: `torch_child.py load FILE..` and `torch_child.py same OLD NEW`.

Writes one line of JSON. `load` goes through `lockflight.deploy.pickles.load_torch`, `same` compares tensor by tensor.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from lockflight.deploy import pickles
from lockflight.errors import LockflightError


class Bytes:
    """Stands for a verified package of one file."""

    def __init__(self, path):
        self.path = path

    def read(self, _):
        return self.path.read_bytes()


def load(path):
    """What became of a load: names of tensors, or the refusal."""
    seen = []
    stock = torch.load

    def watched(*args, **options):
        seen.append(options)
        return stock(*args, **options)

    torch.load = watched
    try:
        found = pickles.load_torch(Bytes(path), path.name, device="cpu", allow_list="", overlay=b"")
    except LockflightError as error:
        return {"code": error.code, "message": error.message, "torch": len(seen)}
    finally:
        torch.load = stock
    assert all(options["weights_only"] is True for options in seen)
    return {"keys": sorted(found) if isinstance(found, dict) else type(found).__name__, "torch": len(seen)}


def bits(tensor):
    """The bytes of a dense tensor."""
    return tensor.detach().resolve_conj().contiguous().flatten().view(torch.uint8).numpy().tobytes()


def same(old, new):
    """Tensors of a checkpoint and of the safetensors file that was made of it."""
    from safetensors.torch import load_file

    theirs = torch.load(old, weights_only=True)
    theirs = theirs if isinstance(theirs, dict) else {"tensor": theirs}
    if "model" in theirs:
        theirs = theirs["model"]
    ours = load_file(new)
    differ = [
        name
        for name, tensor in theirs.items()
        if name not in ours
        or ours[name].dtype != tensor.dtype
        or ours[name].shape != tensor.shape
        or bits(ours[name]) != bits(tensor)
    ]
    return {"tensors": len(theirs), "differ": differ, "more": sorted(set(ours) - set(theirs))}


if __name__ == "__main__":
    verb, *paths = sys.argv[1:]
    found = [load(Path(path)) for path in paths] if verb == "load" else same(*map(Path, paths))
    sys.stdout.write(json.dumps({"torch": torch.__version__, "found": found}) + "\n")
