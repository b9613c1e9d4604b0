"""Facts out of the log, and who may say what about them."""
