"""Model files, from the outer container to the last stream. Used by the check `models`."""
