"""Signed statements: their form, and every kind that a realm knows."""
