"""Chat templates: which are allowed, and which words they know."""
