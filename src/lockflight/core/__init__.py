"""The pure heart: records, digests, statements, facts, the fold, the gate's contract and admission.

Nouns: release, asset, view, statement, finding, check, facts, decision, admission.
May import: `lockflight.errors` and pure standard-library modules. Never I/O, clock, environment or randomness:
values in, values out.
"""
