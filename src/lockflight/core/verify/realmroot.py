"""A realm as a trust root: its log, its certificate authorities, certificate logs and time-stamp authorities."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING

from lockflight.core.attest.trust import Duty
from lockflight.core.verify.crypto.certificate import load_certificate
from lockflight.core.verify.crypto.keys import load_der
from lockflight.core.verify.crypto.timestamp import Authority
from lockflight.core.verify.log.note import KIND_ED25519, NoteKey
from lockflight.core.verify.public.trustroot import FOR_EVER, Issuer, LogKey, TrustRoot
from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from lockflight.core.attest.trust import Trust

#: People and machines of a realm, as its certificates name them: below this, their pseudonym.
PEOPLE = "/people/"


def issuer_of(trust: Trust) -> str:
    """The URL under which a realm proves identities; it names the realm and leads nowhere."""
    return f"https://{trust.origin}"


def identity_uri(trust: Trust, principal: str) -> str:
    """How certificates of a realm name a person or machine."""
    return f"{issuer_of(trust)}{PEOPLE}{principal}"


@lru_cache(maxsize=8)
def trust_root(trust: Trust) -> TrustRoot:
    """What a verifier of this realm's bundles trusts.

    Raises:
        VerificationFailed: LF7400 a certificate does not read, LF7001 to LF7003 a key does not, LF7431 two
            authorities share a key.
    """
    issuers = []
    for chain in trust.authorities.issuers:
        certificates = tuple(load_certificate(der) for der in chain)
        issuers.append(Issuer(issuer_of(trust), certificates, certificates[0].begins, certificates[0].ends))
    stampers = []
    for chain in trust.authorities.stampers:
        certificates = tuple(load_certificate(der) for der in chain)
        stampers.append(Authority(certificates, certificates[0].begins, certificates[0].ends))
    begins = min((one.begins for one in issuers), default=0)
    logs = [
        LogKey(issuer_of(trust), load_der(der), hashlib.sha256(der).digest(), begins, FOR_EVER)
        for der in trust.authorities.certificate_logs
    ]
    log = load_der(trust.key(Duty.LOG).der)
    known = NoteKey(trust.origin, KIND_ED25519, log.raw)
    # A root that issued twice, and an authority whose certificate was renewed, are there more than once.
    issuing = {one.public_der for row in issuers for one in row.certificates}
    stamping = {one.public_der for row in stampers for one in row.certificates}
    _separate([*issuing, *stamping, *(one.key.der for one in logs), *(key.der for key in trust.keys)])
    return TrustRoot(
        logs=(LogKey(f"https://{trust.origin}", log, known.full_id, begins, FOR_EVER),),
        issuers=tuple(issuers),
        certificate_logs=tuple(logs),
        stampers=tuple(stampers),
    )


def _separate(keys: list[bytes]) -> None:
    if len(set(keys)) != len(keys):
        raise VerificationFailed(
            "LF7431",
            "Two duties of the realm share a key, so one theft would be two.",
            hint="Each of authority, certificate log, time stamps, log and clock needs a key of its own.",
        )
