"""Child process of the oracle: unpickles with stubs instead of imports, and writes down what was asked for.

Reads (length, bytes) frames from standard input until its end; writes one line of JSON for each: the globals and the
number of persistent ids that CPython's C and Python unpicklers asked for. Nothing is ever imported or called.
"""

from __future__ import annotations

import copyreg
import io
import json
import pickle
import resource
import sys

LIMIT = 2 << 30


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


def watched(base):
    class Watched(base):
        def __init__(self, data):
            super().__init__(io.BytesIO(data))
            self.asked = set()
            self.persistent = 0

        def find_class(self, module, name):
            self.asked.add((module, name))
            return type("Found", (Stub,), {})

        def persistent_load(self, pid):
            self.persistent += 1
            return Stub()

    return Watched


LOADERS = (watched(pickle.Unpickler), watched(pickle._Unpickler))


def look(data):
    found = []
    for loader in LOADERS:
        unpickler = loader(data)
        try:
            unpickler.load()
            loaded = True
        except Exception:  # noqa: BLE001 - whatever hostile bytes make the unpickler raise
            loaded = False
        found.append([sorted(map(list, unpickler.asked)), unpickler.persistent, loaded])
    return found


def main():
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    copyreg.add_extension("extension", "one", 1)
    read = sys.stdin.buffer.read
    while head := read(4):
        data = read(int.from_bytes(head, "little"))
        sys.stdout.write(json.dumps(look(data)) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
