"""Signed policy bundles: a statement about one archive and the bundle in it. Pure.

The signature travels beside the archive, as a Sigstore bundle v0.3 around the envelope. It says who packed these very
bytes; whether the policy judges is said by people of a realm, when they adopt it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.attest import statement as st
from lockflight.core.records import dataclass
from lockflight.core.shape import text
from lockflight.core.verify.bundle import check_bundle, read_bundle
from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockflight.core.verify.crypto.keys import PublicKey

#: Where the signature of an archive lies: beside it, under its name and this.
SUFFIX = ".sigstore.json"
MAX_SIGNATURE_BYTES = 256 * 1024
_ARCHIVE = "archive"
_WHAT = "signature of the policy"


@dataclass(frozen=True, slots=True)
class SignedBundle:
    """What the signature of a policy says.

    Attributes:
        name, version: of the bundle.
        bundle: digest of the bundle, whatever it is packed in.
        archive: SHA-256 (hex) of the archive.
    """

    name: str
    version: str
    bundle: str
    archive: str

    def statement(self) -> st.Statement:
        """The statement to sign with a person's key."""
        subjects = (st.SubjectRef(_ARCHIVE, self.archive), st.SubjectRef(self.name, self.bundle))
        return st.Statement(st.POLICY_BUNDLE, subjects, {"version": self.version})


def parse_signed_bundle(statement: st.Statement) -> SignedBundle:
    """Read a `policy-bundle/v1` statement.

    Raises:
        KeyError, TypeError, ValueError: another shape.
    """
    if statement.predicate_type != st.POLICY_BUNDLE:
        raise ValueError(f"it is a {statement.short_type}")
    archive, bundle = statement.subjects
    result = SignedBundle(bundle.name, text(statement.predicate["version"]), bundle.sha256, archive.sha256)
    if result.statement() != statement:
        raise ValueError("unknown or altered fields")
    return result


def verify_signed_bundle(
    signature: bytes, archive: str, keys: PublicKey | Iterable[PublicKey]
) -> tuple[SignedBundle, PublicKey]:
    """Check that one of some keys signed this very archive; what is in it is compared by `require_same`.

    Args:
        signature: the Sigstore bundle.
        archive: SHA-256 (hex) of the archive at hand.
        keys: whose signature counts.

    Returns:
        What was signed, and which of the keys signed.

    Raises:
        VerificationFailed: LF7101 to LF7103, LF7120, LF7121, LF7140 to LF7145 and LF716x the signature does not read
            or is of nobody among the keys; LF7170 it signs something else than a policy; LF7171 another archive.
    """
    bundle = read_bundle(signature, what=_WHAT)
    key = check_bundle(bundle, keys, what=_WHAT)
    try:
        said = parse_signed_bundle(st.parse(bundle.envelope.payload))
    except (KeyError, TypeError, ValueError) as error:
        raise VerificationFailed(
            "LF7170",
            f"What is signed there is not a policy bundle: {error}.",
            hint="lockflight policy bundle BUNDLE --out FILE.tar.gz --sign",
        ) from error
    if said.archive != archive:
        raise VerificationFailed(
            "LF7171",
            f"The signature of {said.name} {said.version} is about the archive sha256:{said.archive[:16]}…, "
            f"and this one is sha256:{archive[:16]}….",
            hint="Get archive and signature again, both from who packed them.",
        )
    return said, key


def require_same(said: SignedBundle, found: SignedBundle) -> None:
    """See that a signed archive holds the bundle that its signature names.

    Raises:
        VerificationFailed: LF7171 it holds another.
    """
    if said != found:
        raise VerificationFailed(
            "LF7171",
            f"The signature names the policy {said.name} {said.version}, sha256:{said.bundle[:16]}…, and the archive "
            f"holds {found.name} {found.version}, sha256:{found.bundle[:16]}….",
            hint="Get archive and signature again, both from who packed them.",
        )
