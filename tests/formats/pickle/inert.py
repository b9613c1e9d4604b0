"""Unpickles with stubs instead of imports, and says what was asked for. Nothing is ever imported or called.

As a program it reads one pickle from standard input and prints JSON.
"""

from __future__ import annotations

import copyreg
import io
import json
import pickle
import resource
import sys

#: Little, so that who asks for much fails before the memory is cleared for it.
LIMIT = 1 << 29


class Meta(type):
    def __setitem__(cls, key, value):
        pass


class Stub(metaclass=Meta):
    """Anything: it can be called, built, extended and hashed, and does nothing."""

    def __new__(cls, *args, **options):
        return object.__new__(cls)

    def __init__(self, *args, **options):
        pass

    def __call__(self, *args, **options):
        return Stub()

    def __setitem__(self, key, value):
        pass

    @classmethod
    def nothing(cls, *args, **options):
        pass

    __setstate__ = append = extend = add = update = nothing


class Found(Stub):
    """What every import gives."""


def watched(base):
    class Watched(base):
        def __init__(self, data):
            super().__init__(io.BytesIO(data))
            self.asked = set()
            self.persistent = 0

        def find_class(self, module, name):
            self.asked.add((module, name))
            return Found

        def persistent_load(self, pid):
            self.persistent += 1
            return Stub()

    return Watched


LOADERS = (watched(pickle.Unpickler), watched(pickle._Unpickler))


def look(data):
    """What each unpickler asks for: the globals, how many persistent ids, and whether it came to its end."""
    found = []
    for loader in LOADERS:
        # Else an extension would be asked for once in a process.
        copyreg._extension_cache.clear()
        unpickler = loader(data)
        try:
            unpickler.load()
            loaded = True
        except Exception:  # noqa: BLE001 - whatever hostile bytes make the unpickler raise
            loaded = False
        found.append((unpickler.asked, unpickler.persistent, loaded))
    return found


def jail():
    """No memory beyond a limit, no files, and one extension that a pickle may name."""
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    copyreg.add_extension("extension", "one", 1)


def main():
    jail()
    found = [
        (sorted(asked), persistent, loaded) for asked, persistent, loaded in look(sys.stdin.buffer.read())
    ]
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
