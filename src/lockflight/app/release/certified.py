"""Signing under a certificate of somebody's own authority: a package for verifiers that know that one, and no realm.

The OpenSSF Model Signing method `certificate`. Nothing is logged, so nothing is registered, promoted or revoked here.
Where the home holds the realm's time-stamp authority, a stamp proves when.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from lockflight.app.identity.authority import stamper_of
from lockflight.app.realm import clock
from lockflight.app.realm.realm import Realm
from lockflight.app.release.foreign import root_certificates
from lockflight.app.release.sign import drafted, fresh_target
from lockflight.core.records import dataclass
from lockflight.core.release.release import SIGNATURE_NAME
from lockflight.core.verify.crypto.certificate import CODE_SIGNING, Certificate, check_leaf, issued_by
from lockflight.core.verify.crypto.keys import ED25519
from lockflight.errors import EnvironmentProblem, NotFound, UsageError
from lockflight.infra.progress import SILENT
from lockflight.signing.oms import make_chain_bundle, sign_release
from lockflight.signing.uris import open_signer, silent
from lockflight.store.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lockflight.core.ports import Signer
    from lockflight.core.release.release import Release
    from lockflight.infra.progress import Progress
    from lockflight.signing.uris import Ask

#: A leaf and what may stand above it.
MAX_CHAIN = 8


@dataclass(frozen=True, slots=True)
class Certified:
    """A package that was signed under a certificate.

    Attributes:
        release: what was signed.
        package: the folder.
        keyid: of the key that signed.
        certificate: the signer's.
        stamped: whether a time stamp proves when.
    """

    release: Release
    package: Path
    keyid: str
    certificate: Certificate
    stamped: bool


def sign_certified(
    home: Path,
    realm_name: str,
    folder: Path,
    out: Path,
    *,
    key: str,
    chain: Path,
    ask: Ask = silent,
    now: int,
    progress: Progress = SILENT,
) -> Certified:
    """Pack and sign; the package appears under `out` only when all of it succeeded.

    Args:
        home: folder of realms.
        realm_name: the realm whose time-stamp authority says when, if this home holds it.
        folder: the workspace.
        out: folder of the package, new.
        key: URI of the key.
        chain: certificates in PEM: that of the key first, each under the next one.
        ask: for the passphrase of the key.
        now: Unix seconds.
        progress: told about hashing.

    Raises:
        UsageError: LF0131 `out`; LF0135 the file of certificates; LF0172 they do not fit the key, each other or the
            time.
        VerificationFailed: LF7400 a certificate does not read, LF7403 it is not for signing code.
        InvalidInput: LF1xxx the folder cannot be described.
        LockflightError: as `open_signer`.
    """
    target = fresh_target(folder, out)
    signer = open_signer(key, ask)
    certificates = _chain(root_certificates(chain), signer, now)
    with drafted(folder, target, progress=progress) as (release, draft):
        envelope = sign_release(release, signer)
        stamp = _stamp(home, realm_name, envelope.signature)
        bundle = make_chain_bundle(envelope, [one.der for one in certificates], stamp)
        replace_file(draft / SIGNATURE_NAME, bundle)
    return Certified(release, target, signer.keyid, certificates[0], bool(stamp))


def _chain(given: Sequence[Certificate], signer: Signer, now: int) -> tuple[Certificate, ...]:
    """The certificates that go into the bundle: all but a root, which verifiers have or do not believe."""
    leaf = given[0]
    if leaf.public_der != signer.public_der:
        raise _unfit("the first certificate is of another key")
    if leaf.key().algorithm == ED25519:
        raise _unfit("verifiers of this method read ECDSA keys only, and this is Ed25519")
    check_leaf(leaf, CODE_SIGNING)
    if len(given) > MAX_CHAIN:
        raise _unfit(f"there are more than {MAX_CHAIN} certificates")
    for below, above in pairwise(given):
        if not issued_by(below, above):
            raise _unfit(f"{below.subject} was not issued by {above.subject}, which follows it")
    for one in given:
        if not one.begins <= now <= one.ends:
            raise _unfit(f"{one.subject} is not valid now")
    rest = [one for one in given[1:] if one.x509.subject != one.x509.issuer]
    return (leaf, *rest)


def _unfit(why: str) -> UsageError:
    return UsageError(
        "LF0172",
        f"The package cannot be signed under these certificates: {why}.",
        hint="--certificate-chain takes the certificate of --key first, then the one that issued it, and so on.",
    )


def _stamp(home: Path, realm_name: str, signature: bytes) -> bytes:
    try:
        return stamper_of(Realm(home, realm_name)).stamp(signature, clock.now())
    except (EnvironmentProblem, NotFound) as error:
        if error.code not in {"LF4510", "LF7451"}:
            raise
        return b""  # nobody here says when, which the caller is told
