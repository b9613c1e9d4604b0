"""Rego as text: tokens, names, lint, mutants."""
