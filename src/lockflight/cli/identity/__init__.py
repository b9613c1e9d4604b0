"""Commands about people, keys and issuers."""
