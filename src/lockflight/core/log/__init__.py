"""The log as mathematics: Merkle trees, their edges, tiles."""
