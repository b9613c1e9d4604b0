"""The transparency log: sequencing, group commit and signed checkpoints.

Nouns: entry, leaf, batch, checkpoint, receipt. Signers, store, pins and clock are passed in as ports.
May import: `lockflight.core`, `lockflight.errors`.
"""
