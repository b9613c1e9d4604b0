"""The serving configuration: one YAML file, read once, checked when it is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from app.files import Files


@dataclass(frozen=True, slots=True)
class GenerationConfig:
    """How the language model runs; `model` is the name of a file of the release."""

    model: str
    context_tokens: int
    threads: int
    max_tokens: int
    temperature: float
    seed: int


@dataclass(frozen=True, slots=True)
class RetrievalConfig:
    """How passages are found; model and index are folders of the release, scores are cosines from -1 to 1."""

    embedding_model: str
    index: str
    top_k: int
    min_score: float
    min_support: float


@dataclass(frozen=True, slots=True)
class ServingConfig:
    """Everything that the assistant is told by `serving/config.yaml`."""

    generation: GenerationConfig
    retrieval: RetrievalConfig


def load(files: Files) -> ServingConfig:
    """Read `serving/config.yaml`; what it names are files of the release.

    Raises:
        KeyError, TypeError, ValueError: the file lacks an entry or holds one of another kind.
    """
    document = yaml.safe_load(files.text("serving/config.yaml"))
    generation, retrieval = document["generation"], document["retrieval"]
    return ServingConfig(
        generation=GenerationConfig(
            model=str(generation["model"]),
            context_tokens=int(generation["context_tokens"]),
            threads=int(generation["threads"]),
            max_tokens=int(generation["max_tokens"]),
            temperature=float(generation["temperature"]),
            seed=int(generation["seed"]),
        ),
        retrieval=RetrievalConfig(
            embedding_model=str(retrieval["embedding_model"]),
            index=str(retrieval["index"]),
            top_k=int(retrieval["top_k"]),
            min_score=float(retrieval["min_score"]),
            min_support=float(retrieval["min_support"]),
        ),
    )
