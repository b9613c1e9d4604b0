"""Files of tensors and arrays."""
