"""Policies: where they come from, how they are tested, adopted and shown. Imports `realm` and `files`."""
