"""Work on data and weights: rows, Croissant, differences, other formats. Imports `files` and `log`."""
