"""Use cases, one file per verb group: the only floor that joins the rooms.

Nouns: described release, proposal, package, difference, realm.
May import: every room, `infra`, `formats`, `detect`, `stats`, `core`, `errors`. Never `cli` or `server`. Takes
what it needs as arguments and returns frozen records; it prints nothing and reads no environment.
"""
