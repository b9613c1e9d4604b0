"""Finds the passages that may answer a question: exact search over a few dozen unit vectors."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save_file

from app.embedding import Embedder
from app.passages import Passage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from app.files import Files

VECTORS = "embeddings.safetensors"
CHUNKS = "chunks.jsonl"


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage and the cosine of its vector with the question's."""

    passage: Passage
    score: float


class Index:
    """The retrieval index: row i of the vectors belongs to line i of the chunks."""

    def __init__(self, vectors: NDArray[np.float32], passages: Sequence[Passage]) -> None:
        if vectors.shape[0] != len(passages):
            raise ValueError(f"the index has {vectors.shape[0]} vectors for {len(passages)} passages")
        self._vectors = vectors
        self._passages = tuple(passages)

    def __len__(self) -> int:
        return len(self._passages)

    def search(self, question: NDArray[np.float32], top_k: int) -> list[Hit]:
        """The `top_k` passages nearest to `question` (a unit vector), best first."""
        scores = self._vectors @ question
        order = np.argsort(-scores, kind="stable")[:top_k]
        return [Hit(self._passages[int(i)], float(scores[i])) for i in order]

    def save(self, folder: Path) -> None:
        """Write the index into `folder`, which is made when it is missing."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file({"embeddings": self._vectors}, folder / VECTORS)
        lines = [
            json.dumps(asdict(passage), ensure_ascii=False, sort_keys=True) for passage in self._passages
        ]
        (folder / CHUNKS).write_text("\n".join(lines) + "\n", encoding="utf-8")


def build(passages: Sequence[Passage], embedder: Embedder, batch: int = 16) -> Index:
    """Embed `passages` and put them into an index."""
    texts = [passage.embedded_text for passage in passages]
    parts = [embedder.embed(texts[start : start + batch]) for start in range(0, len(texts), batch)]
    return Index(np.concatenate(parts), passages)


def load(files: Files, folder: str) -> Index:
    """Read the index in `folder` of the release."""
    lines = files.text(f"{folder}/{CHUNKS}").splitlines()
    vectors = load_tensors(files.read(f"{folder}/{VECTORS}"))["embeddings"]
    return Index(vectors, [Passage(**json.loads(line)) for line in lines])
