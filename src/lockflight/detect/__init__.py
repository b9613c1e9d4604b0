"""Pure text detectors: text in, hits out. No file, no clock, no randomness.

Nouns: a *hit* is a place in a text with a kind; a *mask* is what may be shown of a secret. Detectors know nothing
of assets and findings; the rooms above turn hits into findings. May import `lockflight.core` and `lockflight.errors`.
"""
