"""Lockflight: no model, prompt, dataset or agent reaches an environment unless signed evidence says that it may."""

from __future__ import annotations

__version__ = "0.1.0"
