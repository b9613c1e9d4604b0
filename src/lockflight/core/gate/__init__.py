"""Facts in, ruling out, and the decision that is signed."""
