"""Checkpoints, leaves, proofs and witnesses: what a log says, checked."""
