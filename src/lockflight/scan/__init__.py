"""Checks that look at assets and say what they found; they never sign and never change anything.

Nouns: a *check* (`core.check.Check`) declares what it reads and judges one *subject*; `table` lists every check by
name. One file per check; files with an underscore are what checks share or are made of. May import `infra`,
`formats`, `detect`, `core` and `errors`, never another room.
"""
