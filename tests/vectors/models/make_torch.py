"""Makes the files of torch in `torch`: checkpoints of both kinds, TorchScript programs and exported programs.

Needs torch (these were made with 2.13.0). Run it by hand when a new one is worth having. Programs hold the paths of
their source, so run it, and torch, by a path that says nothing of the machine:

    ln -s $(python -c "import sysconfig; print(sysconfig.get_paths()['purelib'])") /srv/torch
    ln -s $PWD/tests/vectors/models/make_torch.py /srv/make_torch.py
    PYTHONPATH=/srv/torch python -S /srv/make_torch.py
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from pathlib import Path

import torch
from torch import nn

HERE = Path(__file__).resolve().parent / "torch"


class Net(nn.Module):
    """A classifier with a parameter, a buffer, a branch and a loop."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3, padding=1)
        self.norm = nn.BatchNorm2d(2)
        self.head = nn.Linear(2, 3)
        self.scale = nn.Parameter(torch.ones(1))
        self.register_buffer("steps", torch.arange(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of pictures."""
        x = torch.relu(self.norm(self.conv(x))).mean(dim=(2, 3))
        for _ in range(2):
            x = x * self.scale
        return torch.log_softmax(self.head(x), dim=-1)


class Words(nn.Module):
    """An embedding with a recurrent layer and attention, and words."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(11, 4)
        self.gru = nn.GRU(4, 4, batch_first=True)

    def forward(self, ids: torch.Tensor, lengths: dict[str, int]) -> tuple[torch.Tensor, list[str]]:
        """States, and words about them."""
        names: list[str] = []
        for key, value in lengths.items():
            names.append(f"{key}={value}")
        states, _ = self.gru(self.table(ids))
        out = nn.functional.scaled_dot_product_attention(states, states, states)
        if bool((out.sum() > 0).item()):
            out = -out
        return out, names


class Sizes(nn.Module):
    """A program with sizes that are only known when it runs."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Rows of ones beside the rows of `x`."""
        return torch.cat([x, torch.ones(x.shape[0] + 1, x.shape[1])], dim=0) @ torch.ones(x.shape[1], 2)


def tensors() -> dict[str, torch.Tensor]:
    """A tensor of each type, and those that share or skip memory."""
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6) / 7
    quantised = torch.quantize_per_tensor(base, 0.1, 3, torch.qint8)
    channels = torch.quantize_per_channel(
        base, torch.full((4,), 0.2), torch.zeros(4, dtype=torch.int64), 0, torch.quint8
    )
    kinds = (
        torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
        torch.uint8, torch.bool, torch.complex64, torch.float8_e4m3fn, torch.float8_e5m2, torch.uint16,
    )  # fmt: skip
    made = {str(kind).removeprefix("torch."): base.to(kind) for kind in kinds}
    return {
        **made,
        "transposed": base.t(),
        "row": base[2],
        "step": base[:, ::2],
        "same": base,
        "tied": base,
        "scalar": torch.tensor(3.5),
        "none": torch.empty(0, 3),
        "expanded": torch.ones(1, 3).expand(4, 3),
        "conjugate": torch.complex(base, base).conj(),
        "sparse": torch.tensor([[0.0, 2.0], [3.0, 0.0]]).to_sparse(),
        "rows": torch.tensor([[0.0, 2.0], [3.0, 0.0]]).to_sparse_csr(),
        "quantised": quantised,
        "channels": channels,
        "parameter": nn.Parameter(base.clone()),
    }


def checkpoint(model: nn.Module) -> dict[str, object]:
    """What a training loop writes: weights, optimiser, scheduler, numbers."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.StepLR(optimiser, 2)
    model(torch.ones(2, 1, 4, 4)).sum().backward()
    optimiser.step()
    scheduler.step()
    return {
        "epoch": 3,
        "model": model.state_dict(),
        "optimizer": optimiser.state_dict(),
        "scheduler": scheduler.state_dict(),
        "rng": torch.get_rng_state()[:64],
        "loss": [0.5, 0.25],
        "device": torch.device("cpu"),
        "size": torch.Size([2, 3]),
    }


def views() -> dict[str, torch.Tensor]:
    """What one storage is under two names: raw bytes of a new type, and nothing of any type."""
    bits, none = torch.arange(4).to(torch.float8_e4m3fn), torch.empty(0)
    return {"float8": bits, "bits": bits.view(torch.uint8), "none": none, "nothing": none.view(torch.int32)}


def save(name: str, thing: object) -> None:
    """Both formats of torch.save."""
    torch.save(thing, HERE / f"{name}.pt")
    torch.save(thing, HERE / f"{name}.legacy.bin", _use_new_zipfile_serialization=False)


def checkpoints() -> None:
    """Files of torch.save."""
    model = Net()
    dense = {k: v for k, v in tensors().items() if k not in {"sparse", "rows", "quantised", "channels"}}
    save("state", model.state_dict())
    save("dtypes", OrderedDict(dense))
    save("unusual", {k: v for k, v in tensors().items() if k not in dense})
    save("checkpoint", checkpoint(model))
    save("tensor", torch.arange(3.0))
    torch.save(model.state_dict(), HERE / "protocol5.pt", pickle_protocol=5)
    save("module", model)
    torch.save(views(), HERE / "views.pt")
    # Of newer types torch writes this format and does not read it.
    empty = {name: one for name, one in views().items() if not one.numel()}
    torch.save(empty, HERE / "views.legacy.bin", _use_new_zipfile_serialization=False)


def scripts() -> None:
    """TorchScript: compiled, traced, frozen, quantised, and for the small interpreter."""
    picture = torch.ones(1, 1, 4, 4)
    model = Net().eval()
    torch.jit.script(Net()).save(HERE / "script.pt", _extra_files={"labels.txt": "no\nyes\n"})
    torch.jit.script(Words()).save(HERE / "words.pt")
    torch.jit.trace(model, picture).save(HERE / "trace.pt")
    torch.jit.freeze(torch.jit.script(model)).save(HERE / "frozen.pt")
    quantised = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)
    torch.jit.script(quantised).save(HERE / "dynamic.pt")
    torch.jit.script(model)._save_for_lite_interpreter(str(HERE / "lite.ptl"))


def programs() -> None:
    """torch.export."""
    model = Net().eval()
    torch.export.save(torch.export.export(model, (torch.ones(1, 1, 4, 4),)), HERE / "net.pt2")
    batch = torch.export.Dim("batch", min=2, max=64)
    program = torch.export.export(Sizes(), (torch.ones(3, 5),), dynamic_shapes=({0: batch},))
    torch.export.save(program, HERE / "sizes.pt2")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.manual_seed(5)
    HERE.mkdir(exist_ok=True)
    for make in (checkpoints, scripts, programs):
        make()
