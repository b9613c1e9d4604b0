"""The log towards others: proofs, tiles, witnesses, stock formats. Imports `realm`."""
