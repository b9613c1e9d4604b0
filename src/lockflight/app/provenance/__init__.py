"""How something was made, and what it was made of. Imports `realm`."""
