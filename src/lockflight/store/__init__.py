"""Tables and blobs: where the log, its big envelopes and the pins of this machine are kept.

Nouns: entry, node, checkpoint, blob, pin.
May import: `lockflight.core`, `lockflight.errors`, SQLAlchemy (only where rows are written).
"""
