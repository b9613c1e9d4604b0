"""What touches the outside, once: files, hashing, child processes, the network, foreign tools, event segments.

Nouns: folder, descriptor, digest, progress, process, tool.
May import: `formats`, `detect`, `stats`, `core`, `errors`. Never a room, `app`, `cli` or `server`.
"""
