"""Builds the retrieval index from the knowledge base: `python -m app.build_index`."""

from __future__ import annotations

import sys

from app import config, passages, retrieve
from app.embedding import Embedder
from app.files import ROOT, Workspace


def main() -> int:
    """Read `kb/`, write `index/`."""
    workspace = Workspace()
    settings = config.load(workspace).retrieval
    pages = passages.read_pages(ROOT / "kb")
    index = retrieve.build(pages, Embedder(workspace, settings.embedding_model))
    index.save(ROOT / settings.index)
    print(f"{len(index)} passages in {settings.index}/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
