"""Pure parsers of untrusted bytes.

Nouns: a *source* (`core.source.ByteSource`) goes in; a *record* of the format comes out, with the *issues* that
were found on the way. No parser executes, imports or writes anything, reads a whole large file, or fails by any
other way than an issue. Budgets are counted in bytes, opcodes, items and depth, never in seconds, so the result is a
function of the bytes alone.

May import: `lockflight.core`, `lockflight.errors`, the standard library without I/O.
"""
