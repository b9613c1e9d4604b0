"""What the tests of witnesses are made of: one in a folder, and requests of the log of `tests.log.making`."""

from __future__ import annotations

import contextlib
import threading

from lockflight.app.realm.logs import open_reader
from lockflight.core.verify.log.note import KIND_ED25519, NoteKey
from lockflight.core.verify.log.submission import Submission
from lockflight.log.serving import WitnessServer
from lockflight.log.witness import Witness
from lockflight.store.witnessed import create
from tests.log.making import LOG_KEY, ORIGIN, Clock, fixed

SIGNER = fixed(60)
NAME = "witness.example/w1"
LOG_VKEY = NoteKey(ORIGIN, KIND_ED25519, LOG_KEY)


def made(folder, *, name=NAME, signer=SIGNER, clock=None, keys=(LOG_VKEY,)):
    state = create(folder, name)
    state.watch(list(keys))
    return Witness(state, signer, clock or Clock())


def request(home, old, note=None):
    """The request of the log in a home; its newest checkpoint unless another is given."""
    reader = open_reader(home / "realm")
    try:
        found = note or reader.checkpoint()
        size = int(found.split("\n")[1])
        proof = reader.consistency(old, size) if 0 < old <= size else []
        return Submission(old, tuple(proof), found).encode()
    finally:
        reader.close()


@contextlib.contextmanager
def serving(witness, said=None):
    """Serve on a free port of this machine; its address."""
    said = [] if said is None else said
    server = WitnessServer(("127.0.0.1", 0), witness, said.append)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
