"""The fold: from log entries to the state of a realm. Pure.

`run` reads entries and says which count; `people` holds what people change (grants, environments, policies, waivers,
freezes, and the second person's word); `slots` what the gate moves. Nouns: entry, item, record, proposal.
May import: the rest of `core`, `errors`.
"""
