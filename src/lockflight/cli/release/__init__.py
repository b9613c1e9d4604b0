"""Commands about releases and files."""
