"""All verification: signatures, envelopes, bundles, Merkle proofs, signed notes.

Nouns: public key, envelope, bundle, note, proof. Values in, verdict out; every refusal has its own code.
May import: `lockflight.core`, `lockflight.errors`, `cryptography`.
"""
