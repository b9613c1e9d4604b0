"""Commands about the log and the evidence in it."""
