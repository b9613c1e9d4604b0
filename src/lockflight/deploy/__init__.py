"""Where a release is put to work: verified load.

Nouns: loaded package, trust, tensor file, sealed copy. Imports core, formats and `infra.files`; cryptography and blake3
from outside, and a machine-learning library only in the wrapper that is named after it. It runs inside serving
processes, so it imports nothing else (tests/deploy/test_imports.py).
"""
