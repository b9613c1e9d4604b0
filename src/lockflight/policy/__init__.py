"""Policy as code: Rego engines, bundles, their lint and their proofs, and the packs that ship with Lockflight.

Nouns: engine, bundle, rule, canary, proof of bite. The gate's contract itself is `core.gate`.
May import: `infra`, `core`, `errors`. The engine's library is loaded in child processes only.
"""
