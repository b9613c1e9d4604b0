"""The page of a decision, as one HTML file."""
