"""Verifying sigstore bundles: a key, a certificate, or an identity that lived for ten minutes.

Everything is checked at a time that somebody trusted has proven: a time-stamp authority, or a log of Rekor v1 by its
promise. A certificate without such a time proves nothing, however valid it looks.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from lockflight.core.records import dataclass
from lockflight.core.verify.public.rekor import Signed, verify_entry
from lockflight.core.verify.public.sigstore import read_sigstore
from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockflight.core.attest.dsse import Envelope
    from lockflight.core.verify.crypto.certificate import Certificate, Identity
    from lockflight.core.verify.crypto.keys import PublicKey
    from lockflight.core.verify.public.sigstore import SigstoreBundle
    from lockflight.core.verify.public.trustroot import TrustRoot


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who must have signed.

    Attributes:
        identity: the name in the certificate: an e-mail address or a URI.
        issuer: who proved it.
    """

    identity: str
    issuer: str


@dataclass(frozen=True, slots=True)
class SigstoreVerified:
    """A bundle that verifies.

    Attributes:
        envelope: the signed statement; None where a file was signed.
        identity: who signed; None where a key did.
        key: the key that signed: the leaf's, or the caller's.
        certificate: the leaf; None where a key signed.
        times_ms: proven times of the signature, Unix milliseconds; empty where nobody proved one.
        logged: how many entries of trusted logs came along.
    """

    envelope: Envelope | None
    identity: Identity | None
    key: PublicKey
    certificate: Certificate | None
    times_ms: tuple[int, ...]
    logged: int


def verify_identity(
    data: bytes, root: TrustRoot, wanted: Wanted, *, digest: bytes = b"", what: str = "bundle"
) -> SigstoreVerified:
    """Verify a bundle that was signed under a short-lived certificate.

    Args:
        data: the bundle.
        root: who is trusted.
        wanted: who must have signed.
        digest: SHA-256 of the file (32 bytes), where a file was signed.
        what: name for messages.

    Raises:
        VerificationFailed: as `read_sigstore`; LF7401 to LF7405 the certificate, LF7406 somebody else signed, LF7407
            no certificate, or one of an authority; LF7410 to LF7412 its promise to be logged; LF7420 to LF7424 a time
            stamp; LF7425 no proven time; LF7441 to LF7444 a log entry, or LF7445 none; LF7446 the signature, LF7447
            the file.
    """
    bundle = read_sigstore(data, what=what)
    if not bundle.certificates:
        raise VerificationFailed(
            "LF7407",
            f"The {what} was signed with a key, and an identity is wanted.",
            hint="Verify it with that key: --key PUBLIC_KEY",
        )
    leaf, identity, key = _leaf(bundle, wanted)
    signed = _signed(bundle, leaf.der, digest, what)
    times = _times(bundle, root)
    logged = [verify_entry(entry, signed, root.logs) for entry in bundle.entries]
    if not logged:
        raise VerificationFailed("LF7445", f"The {what} comes without an entry of a log.")
    times += [one * 1000 for one in logged if one]
    if not times:
        raise VerificationFailed(
            "LF7425",
            f"Nobody has proven when the {what} was signed, and its certificate was valid for minutes only.",
            hint="It needs a time stamp (RFC 3161) of an authority that is trusted here.",
        )
    for at in sorted({one // 1000 for one in times}):
        _check_issued(leaf, bundle.certificates[1:], root, at)
    if not _holds(key, bundle, digest):
        raise _unsigned(what)
    return SigstoreVerified(bundle.envelope, identity, key, leaf, tuple(sorted(times)), len(logged))


def verify_key(
    data: bytes, key: PublicKey, *, root: TrustRoot | None = None, digest: bytes = b"", what: str = "bundle"
) -> SigstoreVerified:
    """Verify a bundle that was signed with a key.

    Args:
        data: the bundle.
        key: which key must have signed.
        root: where log entries and time stamps must verify; None to demand none and believe none.
        digest: SHA-256 of the file (32 bytes), where a file was signed.
        what: name for messages.

    Raises:
        VerificationFailed: as `verify_identity`; LF7407 a certificate signed.
    """
    bundle = read_sigstore(data, what=what)
    if bundle.certificates:
        raise VerificationFailed(
            "LF7407",
            f"The {what} was signed under a certificate, and a key is wanted.",
            hint="Verify who signed it: --identity NAME --issuer URL --trust-root FILE",
        )
    signed = _signed(bundle, key.der, digest, what)
    times: list[int] = []
    logged: list[int] = []
    if root is not None:
        times = _times(bundle, root)
        logged = [verify_entry(entry, signed, root.logs) for entry in bundle.entries]
        if not logged:
            raise VerificationFailed("LF7445", f"The {what} comes without an entry of a log.")
    if not _holds(key, bundle, digest):
        raise _unsigned(what)
    times += [one * 1000 for one in logged if one]
    return SigstoreVerified(bundle.envelope, None, key, None, tuple(sorted(times)), len(logged))


def _leaf(bundle: SigstoreBundle, wanted: Wanted) -> tuple[Certificate, Identity, PublicKey]:
    from lockflight.core.verify.crypto.certificate import CODE_SIGNING, check_leaf, identity_of

    leaf = bundle.certificates[0]
    check_leaf(leaf, CODE_SIGNING)
    if any(one.x509.subject == one.x509.issuer for one in bundle.certificates[1:]):
        raise VerificationFailed("LF7407", "The bundle brings its own root certificate along.")
    identity = identity_of(leaf)
    if (identity.name, identity.issuer) != (wanted.identity, wanted.issuer):
        raise VerificationFailed(
            "LF7406",
            f"It was signed by {identity.name!r}, proven by {identity.issuer!r}; "
            f"wanted is {wanted.identity!r}, proven by {wanted.issuer!r}.",
            details={"identity": identity.name, "issuer": identity.issuer},
        )
    return leaf, identity, leaf.key()


def check_issued(der: bytes, root: TrustRoot, at: int) -> Identity:
    """The identity that a trusted authority has given to a signer's certificate, at a trusted time.

    Args:
        der: the certificate.
        root: who is trusted.
        at: Unix seconds.

    Raises:
        VerificationFailed: LF7400 to LF7405 the certificate, LF7410 to LF7412 its promise to be logged.
    """
    from lockflight.core.verify.crypto.certificate import (
        CODE_SIGNING,
        check_leaf,
        identity_of,
        load_certificate,
    )

    leaf = load_certificate(der)
    check_leaf(leaf, CODE_SIGNING)
    _check_issued(leaf, (), root, at)
    return identity_of(leaf)


def _check_issued(leaf: Certificate, brought: Iterable[Certificate], root: TrustRoot, at: int) -> None:
    from lockflight.core.verify.crypto.certificate import check_path
    from lockflight.core.verify.public.sct import verify_scts

    issuers = [one for one in root.issuers if one.begins <= at <= one.ends]
    roots = [one.certificates[-1] for one in issuers]
    others = [c for one in issuers for c in one.certificates[:-1]] + [*brought]
    path = check_path(leaf, others, roots, at)
    logs = {one.log_id: (one.key, one.begins, one.ends) for one in root.certificate_logs}
    verify_scts(leaf, path[1] if len(path) > 1 else leaf, logs)


def _times(bundle: SigstoreBundle, root: TrustRoot) -> list[int]:
    if not bundle.stamps:
        return []
    from lockflight.core.verify.crypto.timestamp import verify_stamp

    return [verify_stamp(stamp, bundle.signature, root.stampers) for stamp in bundle.stamps]


def _signed(bundle: SigstoreBundle, signer: bytes, digest: bytes, what: str) -> Signed:
    if bundle.envelope is not None:
        wrapped = hashlib.sha256(bundle.envelope.signed_bytes).digest()
        return Signed(bundle.signature, signer, wrapped, bundle.envelope)
    if not digest or (bundle.digest and bundle.digest != digest):
        raise VerificationFailed("LF7447", f"The {what} is about another file.")
    return Signed(bundle.signature, signer, digest, None)


def _holds(key: PublicKey, bundle: SigstoreBundle, digest: bytes) -> bool:
    if bundle.envelope is not None:
        return key.verify(bundle.envelope.signed_bytes, bundle.signature)
    return key.verify_digest(digest, bundle.signature)


def _unsigned(what: str) -> VerificationFailed:
    return VerificationFailed(
        "LF7446",
        f"The signature of the {what} does not verify: what was signed is something else.",
        hint="Get the package and its signature again from their producer.",
    )
