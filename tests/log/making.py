"""What the tests of log and store are made of: keys, envelopes, a clock that is set by hand, and open logs."""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lockflight.app.realm.logs import open_log, open_reader
from lockflight.core.attest.dsse import Envelope
from lockflight.core.attest.statement import SCAN, Statement, SubjectRef
from lockflight.core.verify.log.log import verify_log
from lockflight.signing.keys import FileSigner, generate
from lockflight.store.pins import PinStore

ORIGIN = "log.example/realm"
START = 1_700_000_000


def fixed(number):
    return FileSigner(Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))


LOG, CLOCK, AUTHOR = fixed(1), fixed(2), fixed(3)
LOG_KEY, CLOCK_KEY = LOG.public_key.raw, CLOCK.public_key.raw


class Clock:
    """Says what it was set to."""

    def __init__(self, now=START):
        self.now = now

    def __call__(self):
        return self.now


def digest(text):
    return hashlib.sha256(str(text).encode()).hexdigest()


def item(text, *, subjects=None, kind=SCAN, signer=AUTHOR, padding=0, keyid=True):
    """One envelope and its signer's public key, as `append` takes them."""
    refs = tuple(SubjectRef(f"s{i}", value) for i, value in enumerate(subjects or [digest(text)]))
    statement = Statement(kind, refs, {"text": str(text), "padding": "x" * padding})
    unsigned = Envelope(statement.payload(), b"")
    envelope = Envelope(
        statement.payload(), signer.sign(unsigned.signed_bytes), signer.keyid if keyid else ""
    )
    return envelope.encode(), signer.public_der


def items(count, start=0):
    return [item(i) for i in range(start, start + count)]


def opened(home, *, clock=None, pins=True, folder="realm", origin=ORIGIN, log=LOG, times=CLOCK):
    """The log in a folder of the home, open for writing."""
    return open_log(
        home / folder,
        origin=origin,
        log_signer=log,
        clock_signer=times,
        clock=clock or Clock(),
        pins=PinStore(home) if pins else None,
    )


def verified(home, *, folder="realm", pin=True):
    """The report over the log in a folder of the home."""
    seen = PinStore(home).read(ORIGIN) if pin else ""
    reader = open_reader(home / folder)
    try:
        return verify_log(reader, ORIGIN, LOG_KEY, CLOCK_KEY, seen)
    finally:
        reader.close()


def ecdsa():
    return generate()
