"""Files beside a model that tell its loader what to do: JSON, YAML, `MLmodel`, cards; names and paths in them."""
