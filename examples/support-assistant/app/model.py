"""The language model: a GGUF file run in this process by llama.cpp."""

from __future__ import annotations

import secrets
from typing import Protocol

from xllamacpp import CommonParams, Server

from app.config import GenerationConfig
from app.files import Files

_QUIET = -1


class Writer(Protocol):
    """Whatever can write a draft."""

    def write(self, system: str, user: str) -> str:
        """The model's reply to one system and one user message."""


class LocalModel:
    """SmolLM2 on one thread: two threads that wait for each other are far slower on a busy machine."""

    def __init__(self, settings: GenerationConfig, files: Files) -> None:
        params = CommonParams()
        params.model.path = files.path(settings.model)
        params.n_ctx = settings.context_tokens
        params.n_parallel = 1
        params.n_gpu_layers = 0
        params.cpuparams.n_threads = settings.threads
        params.cpuparams_batch.n_threads = settings.threads
        params.n_threads_http = 1
        params.warmup = False
        params.verbosity = _QUIET
        # llama.cpp opens a loopback port that is not used here: a key that nobody knows shuts it.
        params.api_keys = [secrets.token_urlsafe(32)]
        params.ui = False
        params.endpoint_slots = False
        self._server = Server(params)
        self._settings = settings

    def write(self, system: str, user: str) -> str:
        """The model's reply; the same messages give the same reply on the same machine.

        Raises:
            RuntimeError: llama.cpp answered with an error.
        """
        reply = self._server.handle_chat_completions(
            {
                "messages": [{"role": "system", "content": system}, {"role": "user", "content": user}],
                "max_tokens": self._settings.max_tokens,
                "temperature": self._settings.temperature,
                "seed": self._settings.seed,
                "cache_prompt": False,
            }
        )
        if "choices" not in reply:
            raise RuntimeError(f"the model gave no reply: {reply.get('error', reply)}")
        return str(reply["choices"][0]["message"]["content"]).strip()
