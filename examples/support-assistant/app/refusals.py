"""Topics that the assistant refuses, told by example sentences in `policies/refusals.yaml`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import yaml

from app.embedding import Embedder

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Refusals:
    """Knows a refused topic by its likeness to examples; meaning counts, not words."""

    def __init__(self, text: str, embedder: Embedder) -> None:
        document = yaml.safe_load(text)
        self._threshold = float(document["min_score"])
        pairs = [(example, topic["reply"]) for topic in document["topics"] for example in topic["examples"]]
        self._vectors = embedder.embed([example for example, _ in pairs])
        self._replies = [str(reply) for _, reply in pairs]

    def match(self, question: NDArray[np.float32], rival: float) -> str | None:
        """The reply to `question` (a unit vector) when it is nearer to a refused topic than to any passage.

        `rival` is the score of the best passage: a customer who lost the keys of a lock asks for something that
        looks like theft and is answered by the knowledge base.
        """
        scores = self._vectors @ question
        best = int(scores.argmax())
        return self._replies[best] if scores[best] >= max(self._threshold, rival) else None
