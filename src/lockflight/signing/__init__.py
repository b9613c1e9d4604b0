"""Everything that uses private keys: key files, signing of releases and statements.

Nouns: signer, key file, bundle. A private key leaves memory only as a file of mode 0600.
May import: `lockflight.infra` and below; `cryptography`.
"""
