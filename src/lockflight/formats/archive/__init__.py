"""Containers of other files: zip, and what compresses."""
