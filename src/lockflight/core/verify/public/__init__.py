"""Public good instances: transparency logs and authorities of others."""
