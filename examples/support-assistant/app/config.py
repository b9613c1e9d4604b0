"""The serving configuration: one YAML file, read once, checked when it is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class GenerationConfig:
    """How the language model runs."""

    model: Path
    context_tokens: int
    threads: int
    max_tokens: int
    temperature: float
    seed: int


@dataclass(frozen=True, slots=True)
class RetrievalConfig:
    """How passages are found; scores are cosines from -1 to 1."""

    embedding_model: Path
    index: Path
    top_k: int
    min_score: float
    min_support: float


@dataclass(frozen=True, slots=True)
class ServingConfig:
    """Everything that the assistant is told by `serving/config.yaml`."""

    generation: GenerationConfig
    retrieval: RetrievalConfig


def load(root: Path = ROOT) -> ServingConfig:
    """Read `serving/config.yaml` of the release at `root`; its paths are relative to `root`.

    Raises:
        KeyError, TypeError, ValueError: the file lacks an entry or holds one of another kind.
    """
    document = yaml.safe_load((root / "serving" / "config.yaml").read_text(encoding="utf-8"))
    generation, retrieval = document["generation"], document["retrieval"]
    return ServingConfig(
        generation=GenerationConfig(
            model=root / generation["model"],
            context_tokens=int(generation["context_tokens"]),
            threads=int(generation["threads"]),
            max_tokens=int(generation["max_tokens"]),
            temperature=float(generation["temperature"]),
            seed=int(generation["seed"]),
        ),
        retrieval=RetrievalConfig(
            embedding_model=root / retrieval["embedding_model"],
            index=root / retrieval["index"],
            top_k=int(retrieval["top_k"]),
            min_score=float(retrieval["min_score"]),
            min_support=float(retrieval["min_support"]),
        ),
    )
