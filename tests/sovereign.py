"""A signing realm in one process for tests: authority, certificate log, time-stamp authority and log, real keys."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from lockflight.core.verify.crypto.certificate import Certificate, Identity
from lockflight.core.verify.crypto.timestamp import Authority
from lockflight.core.verify.log.leaf import leaf_for
from lockflight.core.verify.public.trustroot import Issuer, LogKey, TrustRoot
from lockflight.signing.certificates import (
    CertificateAuthority,
    make_intermediate,
    make_root,
    make_stamper,
)
from lockflight.signing.keys import ED25519, P256, P384, FileSigner, generate
from lockflight.signing.oms import make_identity_bundle, sign_release
from lockflight.signing.stamper import Stamper
from tests.signed import TinyLog, release

if TYPE_CHECKING:
    from lockflight.core.attest.dsse import Envelope
    from lockflight.core.verify.bundle import TlogEntry

ISSUER = "https://realm.acme.example"
ALICE = Identity("https://realm.acme.example/people/p-1", "uri", ISSUER)


@dataclass(frozen=True)
class Sovereign:
    """All authorities of one realm; `now` is when it was founded, Unix seconds."""

    now: int
    root: Certificate
    authority: CertificateAuthority
    time_root: Certificate
    stamper: Stamper
    log: TinyLog

    @property
    def trust(self) -> TrustRoot:
        begins = self.now - 3600
        public = self.authority.log.public_key
        log = self.log.log_key
        return TrustRoot(
            logs=(LogKey(f"https://{log.name}", self.log.log.public_key, log.full_id, begins),),
            issuers=(Issuer(ISSUER, (self.authority.certificate, self.root), begins),),
            certificate_logs=(LogKey(ISSUER, public, hashlib.sha256(public.der).digest(), begins),),
            stampers=(Authority((self.stamper.certificate, self.time_root), begins, self.now + 10**8),),
        )

    def config(self) -> bytes:
        return json.dumps(self.trust.to_config(ca=ISSUER, log=ISSUER, stamper=ISSUER)).encode()

    def entry(self, envelope: Envelope, certificate: Certificate, *, witness: bool = False) -> TlogEntry:
        leaves = [b"leaf %d" % i for i in range(4)]
        leaves.insert(2, leaf_for(envelope, certificate.key(), certificate.der))
        entry = self.log.entry(leaves, 2)
        if witness:
            other = TinyLog(generate(ED25519), generate(ED25519), clock_name="witness.example/w1")
            text = entry.checkpoint.split("\n\n")[0] + "\n"
            entry = replace(entry, checkpoint=entry.checkpoint + other.clock_line(text, self.now))
        return entry

    def sign(self, *, identity: Identity = ALICE, at: int = 0, witness: bool = False) -> bytes:
        """The bundle of the little release of `tests.signed`; `at` moves the stamped time by seconds."""
        key: FileSigner = generate(P256)
        leaf = self.authority.issue(key.public_der, identity, self.now)
        envelope = sign_release(release(), key)
        stamp = self.stamper.stamp(envelope.signature, self.now + at)
        return make_identity_bundle(envelope, leaf.der, self.entry(envelope, leaf, witness=witness), stamp)


@cache
def sovereign(number: int = 0) -> Sovereign:
    """The same realm for the same number within one run.

    Its moment is twenty minutes ago: what it certified is past its ten minutes, as it is for most who ever verify.
    """
    now = int(time.time()) - 1200 - number
    root_key, time_key = generate(P384), generate(P384)
    root = make_root(root_key, "acme signing root", now - 600)
    key, stamping = generate(P256), generate(P256)
    issuing = make_intermediate(root_key, root, key.public_der, "acme signing", now - 600)
    time_root = make_root(time_key, "acme time root", now - 600, length=0)
    stamps = make_stamper(time_key, time_root, stamping.public_der, "acme time", now - 600)
    return Sovereign(
        now,
        root,
        CertificateAuthority(issuing, key, generate(P256)),
        time_root,
        Stamper(stamps, stamping),
        TinyLog(
            generate(ED25519), generate(ED25519), "realm.acme.example/log", "realm.acme.example/log/clock"
        ),
    )
