"""Sentence embeddings by MiniLM (a six-layer BERT), in numpy alone.

The forward pass follows Devlin et al., "BERT" (2019), with mean pooling and L2 normalisation as the model's
own `modules.json` prescribes. Weights come from safetensors, so that loading them can run no code.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import load
from tokenizers import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from app.files import Files

    Floats = NDArray[np.float32]

_MASKED = np.float32(-1e9)


class Embedder:
    """Turns texts into unit vectors whose dot product is their likeness in meaning."""

    def __init__(self, files: Files, folder: str, max_tokens: int = 256) -> None:
        config = json.loads(files.read(f"{folder}/config.json"))
        self._layers = int(config["num_hidden_layers"])
        self._heads = int(config["num_attention_heads"])
        self._epsilon = np.float32(config["layer_norm_eps"])
        self._weights: dict[str, Floats] = load(files.read(f"{folder}/model.safetensors"))
        self._tokenizer = Tokenizer.from_buffer(files.read(f"{folder}/tokenizer.json"))
        self._tokenizer.enable_truncation(max_tokens)
        self._tokenizer.enable_padding()

    def embed(self, texts: Sequence[str]) -> Floats:
        """Embed `texts`; returns an array of shape (len(texts), hidden size) with rows of length 1."""
        encodings = self._tokenizer.encode_batch(list(texts))
        ids = np.array([encoding.ids for encoding in encodings], dtype=np.int64)
        mask = np.array([encoding.attention_mask for encoding in encodings], dtype=np.float32)
        hidden = self._embed_tokens(ids)
        bias = (np.float32(1) - mask)[:, None, None, :] * _MASKED
        for layer in range(self._layers):
            hidden = self._layer(hidden, bias, f"encoder.layer.{layer}.")
        weight = mask[:, :, None]
        pooled = (hidden * weight).sum(axis=1) / weight.sum(axis=1)
        norms = np.linalg.norm(pooled, axis=1, keepdims=True)
        unit: Floats = pooled / norms
        return unit

    def _embed_tokens(self, ids: NDArray[np.int64]) -> Floats:
        get = self._weights
        words = get["embeddings.word_embeddings.weight"][ids]
        positions = get["embeddings.position_embeddings.weight"][: ids.shape[1]]
        kinds = get["embeddings.token_type_embeddings.weight"][0]
        return self._norm(words + positions + kinds, "embeddings.LayerNorm")

    def _layer(self, hidden: Floats, bias: Floats, prefix: str) -> Floats:
        attended = self._attend(hidden, bias, f"{prefix}attention.self.")
        attended = self._dense(attended, f"{prefix}attention.output.dense")
        hidden = self._norm(hidden + attended, f"{prefix}attention.output.LayerNorm")
        inner = _gelu(self._dense(hidden, f"{prefix}intermediate.dense"))
        return self._norm(hidden + self._dense(inner, f"{prefix}output.dense"), f"{prefix}output.LayerNorm")

    def _attend(self, hidden: Floats, bias: Floats, prefix: str) -> Floats:
        batch, length, width = hidden.shape

        def split(name: str) -> Floats:
            parts = self._dense(hidden, f"{prefix}{name}").reshape(batch, length, self._heads, -1)
            return parts.transpose(0, 2, 1, 3)

        query, key, value = split("query"), split("key"), split("value")
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32(np.sqrt(query.shape[-1])) + bias
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        attended: Floats = (scores @ value).transpose(0, 2, 1, 3).reshape(batch, length, width)
        return attended

    def _dense(self, values: Floats, name: str) -> Floats:
        return values @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]

    def _norm(self, values: Floats, name: str) -> Floats:
        centred = values - values.mean(axis=-1, keepdims=True)
        scale = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + self._epsilon)
        normed: Floats = centred / scale * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]
        return normed


def _gelu(values: Floats) -> Floats:
    # erf by Abramowitz and Stegun 7.1.26 (error below 1.5e-7): numpy has none, and scipy is not worth its size here.
    x = np.abs(values) / np.float32(np.sqrt(2))
    t = 1 / (1 + np.float32(0.3275911) * x)
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    erf = np.sign(values) * (1 - poly * np.exp(-x * x))
    return (values * (1 + erf) / 2).astype(np.float32)
