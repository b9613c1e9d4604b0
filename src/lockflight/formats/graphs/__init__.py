"""Graphs of operators, and the wire format that they are written in."""
