"""An abstract pickle machine: what a pickle stream would import, call and build, found out without doing it.

Nouns: the *machine* runs one stream over tags instead of objects; *streams* are the files that hold pickles (plain,
joblib with arrays in between, torch before 1.6); the *allow-list* is data that says which globals may occur, how they
may be used and with which arguments.

May import: `lockflight.core`, `lockflight.formats.report`, the standard library without I/O. Never `pickle`.
"""
