"""Builds the retrieval index from the knowledge base: `python -m app.build_index`."""

from __future__ import annotations

import sys

from app import config, passages, retrieve
from app.embedding import Embedder


def main() -> int:
    """Read `kb/`, write `index/`."""
    settings = config.load().retrieval
    pages = passages.read_pages(config.ROOT / "kb")
    index = retrieve.build(pages, Embedder(settings.embedding_model))
    index.save(settings.index)
    print(f"{len(index)} passages in {settings.index.relative_to(config.ROOT)}/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
