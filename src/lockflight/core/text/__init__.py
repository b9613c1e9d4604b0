"""Helpers for text: patterns of names, TOML lines, suggestions."""
