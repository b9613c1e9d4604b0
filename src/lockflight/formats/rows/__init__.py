"""Tables: lines, rows and typed values."""
