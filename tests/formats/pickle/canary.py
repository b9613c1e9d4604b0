"""Listed by the overlay of the live oracle: what tells when loading a pickle calls it, or asks something of it."""

from __future__ import annotations

#: Calls, and attributes that were asked for, since the last `clear`.
CALLED: list[str] = []
ASKED: list[str] = []


def sing(*args, **options):
    """A function that a stream may hand on and never calls."""
    CALLED.append("sing")
    return Canary()


class Canary:
    """An object that has nothing, and tells who looks for it."""

    def __call__(self, *args, **options):
        CALLED.append("an object")
        return Canary()

    def __getattr__(self, name):
        ASKED.append(name)
        raise AttributeError(name)


def clear():
    CALLED.clear()
    ASKED.clear()
