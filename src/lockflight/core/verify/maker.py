"""Who signed a model of others: a key, a certificate under known roots, or a name that an issuer proved.

Offline always. The bundle says how it was signed; the caller says what must have been. A certificate counts at a time
that somebody trusted has proven; compat takes none and judges it by the clock of the caller, and says so.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from lockflight.core.attest.dsse import PAYLOAD_TYPE
from lockflight.core.records import dataclass
from lockflight.core.verify.bundle import check_bundle, pem_hint, read_bundle
from lockflight.core.verify.crypto.keys import PublicKey
from lockflight.core.verify.foreign import Maker, Mode, Reading, read_manifest
from lockflight.core.verify.public.sigstore import read_sigstore
from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockflight.core.attest.dsse import Envelope
    from lockflight.core.verify.crypto.certificate import Certificate
    from lockflight.core.verify.foreign import ForeignManifest
    from lockflight.core.verify.public.keyless import Wanted
    from lockflight.core.verify.public.sigstore import SigstoreBundle
    from lockflight.core.verify.public.trustroot import TrustRoot

#: The version of bundles that current tools write.
CURRENT = 3


@dataclass(frozen=True, slots=True)
class ByKey:
    """One of these keys must have signed."""

    keys: tuple[PublicKey, ...]


@dataclass(frozen=True, slots=True)
class ByCertificate:
    """Somebody with a certificate for code signing under one of the roots must have signed.

    Attributes:
        roots: trusted certificates.
        trust: whose time stamps and logs prove when; None for nobody's.
        now: Unix seconds; what a certificate is judged by in compat where nobody has proven a time.
    """

    roots: tuple[Certificate, ...]
    trust: TrustRoot | None
    now: int


@dataclass(frozen=True, slots=True)
class ByIdentity:
    """The bearer of this name must have signed, under a short-lived certificate of a trusted authority."""

    wanted: Wanted
    trust: TrustRoot


By = ByKey | ByCertificate | ByIdentity


def verify_foreign(
    data: bytes,
    by: By | PublicKey | Iterable[PublicKey],
    *,
    mode: Mode = Mode.STRICT,
    what: str = "bundle",
) -> ForeignManifest:
    """Verify the signature of a model that others signed; files are not looked at.

    Args:
        data: the bundle.
        by: who must have signed; keys alone are a `ByKey`.
        mode: the profile.
        what: name for messages.

    Raises:
        VerificationFailed: as `bundle.read_bundle`, `bundle.check_bundle`, `sigstore.read_sigstore`,
            `keyless.verify_identity` and `foreign.read_manifest`; LF7142 signed by another method than is asked for,
            LF7167 the bundle brings its key along, LF7425 nobody has proven when a certificate signed.
    """
    reading = Reading(mode)
    if isinstance(by, PublicKey):
        by = ByKey((by,))
    if isinstance(by, ByIdentity):
        maker, envelope, old = _by_identity(data, by, reading, what)
    elif isinstance(by, ByCertificate):
        maker, envelope, old = _by_certificate(data, by, reading, what)
    else:
        keys = by.keys if isinstance(by, ByKey) else tuple(by)
        maker, envelope, old = _by_key(data, keys, reading, what)
    return read_manifest(envelope.payload, maker, reading, what=what, old_encoding=old)


Signed = tuple[Maker, "Envelope", bool]


def _by_key(data: bytes, keys: tuple[PublicKey, ...], reading: Reading, what: str) -> Signed:
    if reading.mode is Mode.STRICT:
        bundle = read_sigstore(data, what=what)
        _same_method("key", bundle, what)
        _current(bundle, reading, what)
        plain = read_bundle(data, what=what)
        return Maker("key", check_bundle(plain, keys, what=what)), plain.envelope, False
    bundle = read_sigstore(data, what=what)
    _same_method("key", bundle, what)
    envelope = _current(bundle, reading, what)
    if bundle.entries or bundle.stamps:
        reading.relax("unread-entries", "LF7140", "Entries of logs or time stamps came along.")
    likely = sorted(keys, key=lambda k: k.keyid != envelope.keyid and pem_hint(k) != bundle.hint)
    for key in likely:
        held, old = _holds(key, envelope, reading)
        if held and bundle.raw_key in {b"", key.pem.encode(), key.pem.strip().encode(), key.der}:
            return Maker("key", key), envelope, old
    raise VerificationFailed(
        "LF7143",
        f"The {what} was not signed by the key that is asked for.",
        hint="Get it again from its producer, and check which key is theirs.",
        details={"keys": [k.keyid for k in keys], "hint": bundle.hint[:128]},
    )


def _by_certificate(data: bytes, by: ByCertificate, reading: Reading, what: str) -> Signed:
    from lockflight.core.verify.crypto.certificate import check_path

    bundle = read_sigstore(data, what=what)
    _same_method("certificate", bundle, what)
    envelope = _current(bundle, reading, what)
    leaf = bundle.certificates[0]
    _check_usage(leaf, reading)
    times, logged = _proven(bundle, envelope, leaf, by.trust)
    if not times:
        reading.relax(
            "no-trusted-time",
            "LF7425",
            f"Nobody has proven when the {what} was signed, so its certificate may long have ended.",
        )
    for at in sorted({one // 1000 for one in times}):
        check_path(leaf, bundle.certificates[1:], by.roots, at)
    if not times:
        _now(leaf, bundle, by)
    key = leaf.key()
    held, old = _holds(key, envelope, reading)
    if not held:
        raise VerificationFailed(
            "LF7446",
            f"The signature of the {what} does not verify: what was signed is something else.",
            hint="Get the model and its signature again from their producer.",
        )
    maker = Maker(
        "certificate",
        key,
        certificate=leaf.digest,
        subject=leaf.subject,
        times_ms=tuple(sorted(times)),
        logged=logged,
    )
    return maker, envelope, old


def _now(leaf: Certificate, bundle: SigstoreBundle, by: ByCertificate) -> None:
    """Judge a certificate by the clock of the caller, where nobody has proven a time."""
    from lockflight.core.verify.crypto.certificate import check_path

    try:
        check_path(leaf, bundle.certificates[1:], by.roots, by.now)
    except VerificationFailed as error:
        if error.code != "LF7402":
            raise
        raise VerificationFailed(
            "LF7402",
            "A certificate of the signature is not valid now, and nobody has proven that it was when it signed.",
            hint="Ask the producer for a signature with a time stamp (RFC 3161).",
            details=error.details,
        ) from error


def _by_identity(data: bytes, by: ByIdentity, reading: Reading, what: str) -> Signed:
    from lockflight.core.verify.public.keyless import verify_identity

    bundle = read_sigstore(data, what=what)
    _same_method("identity", bundle, what)
    _current(bundle, reading, what)
    done = verify_identity(data, by.trust, by.wanted, what=what)
    if done.envelope is None or done.certificate is None or done.identity is None:
        raise _no_statement(what)
    maker = Maker(
        "identity",
        done.key,
        certificate=done.certificate.digest,
        subject=done.certificate.subject,
        identity=done.identity.name,
        issuer=done.identity.issuer,
        times_ms=done.times_ms,
        logged=done.logged,
    )
    return maker, done.envelope, False


def _same_method(asked: str, bundle: SigstoreBundle, what: str) -> None:
    """Each method has its own place in a bundle; older ones keep the certificate of an identity in a chain of one."""
    found = "key" if not bundle.certificates else "certificate" if bundle.chained else "identity"
    chain_of_one = found == "certificate" and asked == "identity" and bundle.version < CURRENT
    if found == asked or chain_of_one:
        return
    options = {
        "key": "--key PUBLIC_KEY",
        "certificate": "--certificate-chain ROOTS",
        "identity": "--identity NAME --issuer URL --trust-root FILE",
    }
    words = {
        "key": "with a key",
        "certificate": "under a chain of certificates",
        "identity": "by an identity",
    }
    raise VerificationFailed(
        "LF7142",
        f"The {what} was signed {words[found]}, not {words[asked]}.",
        hint=f"Verify it as what it is: {options[found]}",
    )


def _current(bundle: SigstoreBundle, reading: Reading, what: str) -> Envelope:
    if bundle.envelope is None:
        raise _no_statement(what)
    if bundle.version < CURRENT:
        reading.relax("old-bundle", "LF7141", f"The {what} is of version 0.{bundle.version}; current is 0.3.")
    if bundle.raw_key:
        reading.relax("raw-key", "LF7167", f"The {what} brings the key along instead of its digest.")
    return bundle.envelope


def _no_statement(what: str) -> VerificationFailed:
    return VerificationFailed(
        "LF7150",
        f"The {what} signs one file as it is, not the files of a model.",
        hint="Ask the producer for an OpenSSF Model Signing signature.",
    )


def _check_usage(leaf: Certificate, reading: Reading) -> None:
    from lockflight.core.verify.crypto.certificate import CODE_SIGNING, check_leaf

    try:
        check_leaf(leaf, CODE_SIGNING)
    except VerificationFailed as error:
        check_leaf(leaf, CODE_SIGNING, authority=True)
        reading.relax("authority-leaf", error.code, error.message)


def _proven(
    bundle: SigstoreBundle, envelope: Envelope, leaf: Certificate, trust: TrustRoot | None
) -> tuple[list[int], int]:
    """Proven times (Unix milliseconds) and the number of log entries; what came along verifies, or nothing does."""
    if not bundle.stamps and not bundle.entries:
        return [], 0
    if trust is None:
        raise VerificationFailed(
            "LF7422",
            "A time stamp or log entry came along, and nothing says which authorities are trusted.",
            hint="--trust-root FILE names them.",
        )
    from lockflight.core.verify.crypto.timestamp import verify_stamp
    from lockflight.core.verify.public.rekor import Signed as Recorded
    from lockflight.core.verify.public.rekor import verify_entry

    digest = hashlib.sha256(envelope.signed_bytes).digest()
    recorded = Recorded(bundle.signature, leaf.der, digest, envelope)
    times = [verify_stamp(stamp, bundle.signature, trust.stampers) for stamp in bundle.stamps]
    entries = [verify_entry(entry, recorded, trust.logs) for entry in bundle.entries]
    return times + [one * 1000 for one in entries if one], len(entries)


def _holds(key: PublicKey, envelope: Envelope, reading: Reading) -> tuple[bool, bool]:
    """Whether the key signed, and whether it signed the encoding of model_signing 0.2."""
    if key.verify(envelope.signed_bytes, envelope.signature):
        return True, False
    if reading.mode is Mode.STRICT:
        return False, False
    old = old_pae(envelope.payload)
    if not key.verify(old, envelope.signature) and not key.verify_sha256(old, envelope.signature):
        return False, False
    reading.relax("old-encoding", "LF7143", "The signature covers an old encoding.")
    return True, True


def old_pae(payload: bytes) -> bytes:
    """What model_signing 0.2 signed: its encoding wrote the bytes as Python shows them."""
    return f"DSSEV1 {len(PAYLOAD_TYPE)} {PAYLOAD_TYPE} {len(payload)} {payload!r}".encode()
