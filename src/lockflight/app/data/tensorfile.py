"""Writing safetensors from weights that lie elsewhere, piece by piece."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from lockflight.formats.tensors.strided import pieces

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

    from lockflight.app.data.weights import Weight
    from lockflight.infra.progress import Progress

_ALIGNMENT: Final = 8


def tied(weights: Mapping[str, Weight]) -> tuple[tuple[str, ...], ...]:
    """Names of tensors that are one and the same memory, in groups; each group and all of them sorted."""
    groups: dict[tuple[object, ...], list[str]] = {}
    for name, weight in weights.items():
        if weight.place is not None and weight.data.count:
            groups.setdefault(weight.place, []).append(name)
    return tuple(sorted(tuple(sorted(names)) for names in groups.values() if len(names) > 1))


def header(weights: Mapping[str, Weight], metadata: Mapping[str, str]) -> tuple[bytes, list[str]]:
    """The header with its length before it, and the order of the tensors behind it.

    Wide types come first, so that every tensor is aligned; of one width, by name: the same bytes on every run.
    """
    order = sorted(weights, key=lambda name: (-weights[name].data.width, name))
    body: dict[str, object] = {}
    if metadata:
        body["__metadata__"] = dict(sorted(metadata.items()))
    at = 0
    for name in order:
        data = weights[name].data
        body[name] = {
            "dtype": weights[name].dtype,
            "shape": list(data.shape),
            "data_offsets": [at, at + data.size],
        }
        at += data.size
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(8, "little") + text, order


def write(
    out: BinaryIO, weights: Mapping[str, Weight], metadata: Mapping[str, str], progress: Progress
) -> None:
    """Write a whole file.

    Raises:
        EOFError: a source became shorter meanwhile.
        OSError: it cannot be written.
    """
    head, order = header(weights, metadata)
    out.write(head)
    progress.begin("converting", sum(weight.data.size for weight in weights.values()))
    for name in order:
        for piece in pieces(weights[name].data):
            out.write(piece)
            progress.advance(len(piece))
    progress.end()
