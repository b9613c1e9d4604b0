"""map(fn, items): runs checks in a local pool of child processes under budgets.

Nouns: job, result. Workers hold no keys and sign nothing; the caller signs, and only what it started itself.
May import: `infra`, `core`, `errors`.
"""
