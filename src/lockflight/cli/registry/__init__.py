"""Commands about what is where."""
