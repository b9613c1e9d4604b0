"""How people prove that they are there, beside the key that they hold.

Nouns: factor, secret, step, code. The room computes; where secrets lie and what a factor is worth is not its matter.
May import: `lockflight.infra` and below.
"""
