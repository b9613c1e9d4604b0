"""Helpers for text: patterns of names, names for pseudonyms, TOML lines, suggestions."""
