"""A release: signed, verified, loaded, compared. Imports what is above it in this list."""
