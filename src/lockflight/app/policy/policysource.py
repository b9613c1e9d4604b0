"""Policies from elsewhere: a file or an address, and who signed what is there.

Bytes from the net are never trusted by name alone: an address carries the digest of the archive, or a key is named
whose signature must hold.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.core.records import dataclass
from lockflight.core.state.policysig import (
    MAX_SIGNATURE_BYTES,
    SUFFIX,
    SignedBundle,
    require_same,
    verify_signed_bundle,
)
from lockflight.errors import NotFound, UsageError, VerificationFailed
from lockflight.infra.net import SCHEME, Budget, fetch
from lockflight.policy.archive import archive_bytes, unpacked
from lockflight.policy.bundle import MAX_BYTES, read_bundle
from lockflight.policy.sources import read_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockflight.core.verify.crypto.keys import PublicKey
    from lockflight.policy.bundle import Bundle

_PIN = re.compile(r"sha256=([0-9a-f]{64})", re.ASCII)
_SCHEMED = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Trust:
    """What a caller knows that can vouch for a policy.

    Attributes:
        key: the one whose signature must hold; None where none is demanded.
        people: keys that count for a signature that is there, where no key is named.
        signature: file or address of the signature; empty for beside the archive.
        ca: authorities for HTTPS, instead of the system's.
        offline: the network is forbidden.
    """

    key: PublicKey | None = None
    people: Sequence[PublicKey] = ()
    signature: str = ""
    ca: Path | None = None
    offline: bool = False


@dataclass(frozen=True, slots=True)
class Sourced:
    """A policy, and the id of the key that signed its archive; empty where no signature was asked for or there."""

    bundle: Bundle
    signed_by: str = ""


def is_address(place: str) -> bool:
    """Whether a word names something on the net, spoken or not."""
    return _SCHEMED.match(place) is not None and not Path(place).exists()


def policy_at(place: str, trust: Trust) -> Sourced:
    """The policy in a folder or archive, or behind an address.

    Args:
        place: folder, archive, or `https://…[#sha256=…]`.
        trust: what can vouch for it.

    Raises:
        UsageError: LF0183 the address is not of that form, LF0184 neither digest nor key is named for an address,
            LF0107 a signature or key for a folder.
        NotFound, InvalidInput, EnvironmentProblem: as `policy.sources.read_path` and `infra.net.fetch`.
        VerificationFailed: LF7172 it is not signed, LF7173 it has another digest than the address says; as
            `core.policysig.verify_signed_bundle`.
    """
    if is_address(place):
        body = _fetched(place, trust)
    elif Path(place).is_file():
        body = archive_bytes(Path(place))
    elif trust.key is not None or trust.signature:
        raise UsageError(
            "LF0107",
            "A signature is about an archive, and no archive is named.",
            hint="lockflight policy bundle BUNDLE --out FILE.tar.gz --sign",
        )
    else:
        return Sourced(read_path(Path(place)))
    # Who signed comes first: what nobody vouches for is not unpacked.
    signature = _signature(place, trust)
    archive = hashlib.sha256(body).hexdigest()
    if signature is None:
        return Sourced(read_bundle(unpacked(body)))
    keys = [trust.key] if trust.key is not None else list(trust.people)
    said, key = verify_signed_bundle(signature, archive, keys)
    bundle = read_bundle(unpacked(body))
    require_same(said, SignedBundle(bundle.name, bundle.version, bundle.digest, archive))
    return Sourced(bundle, key.keyid)


def _fetched(place: str, trust: Trust) -> bytes:
    address, _, fragment = place.partition("#")
    pin = _PIN.fullmatch(fragment)
    if fragment and pin is None:
        raise UsageError(
            "LF0183",
            f"{fragment[:100]!a} behind the address is no digest.",
            hint="https://HOST/FILE.tar.gz#sha256= and 64 lower-case hexadecimal digits",
        )
    if pin is None and trust.key is None and address.lower().startswith(SCHEME):
        raise UsageError(
            "LF0184",
            f"Nothing says which bytes are the right ones at {address[:200]}.",
            hint="Add #sha256=DIGEST to the address, or name the key that must have signed them: --key PUBLIC.pem",
        )
    body = fetch(address, Budget(MAX_BYTES), ca=trust.ca, offline=trust.offline)
    if pin is not None and hashlib.sha256(body).hexdigest() != pin[1]:
        raise VerificationFailed(
            "LF7173",
            f"{address} holds other bytes than the address says: sha256:{hashlib.sha256(body).hexdigest()}.",
            hint="Ask who gave you the digest whether there is a new one; do not use these bytes.",
        )
    return body


def _signature(place: str, trust: Trust) -> bytes | None:
    """The signature that was named, or that lies beside; None where none is there and none is demanded."""
    wanted = trust.signature
    if wanted and trust.key is None and not trust.people:
        raise UsageError(
            "LF0107", "A signature says nothing without a key that counts.", hint="Add --key PUBLIC.pem."
        )
    if not wanted and is_address(place):
        if trust.key is None:
            return None
        wanted = place.partition("#")[0] + SUFFIX
    if wanted and is_address(wanted):
        return fetch(wanted, Budget(MAX_SIGNATURE_BYTES), ca=trust.ca, offline=trust.offline)
    path = Path(wanted or place + SUFFIX)
    # A signature that lies there is read even if only a link to it is left: what cannot be read is no "unsigned".
    if not path.exists() and not path.is_symlink():
        if wanted:
            raise NotFound("LF0117", f"There is no file {wanted}.", hint="--signature names the signature.")
        if trust.key is not None:
            raise VerificationFailed(
                "LF7172",
                f"{place} is not signed: there is no {path.name} beside it, and a signature was demanded.",
                hint="lockflight policy bundle BUNDLE --out FILE.tar.gz --sign",
            )
        return None
    if trust.key is None and not trust.people:
        return None  # nobody's signature counts here: nothing is claimed of it
    try:
        with path.open("rb") as file:
            return file.read(MAX_SIGNATURE_BYTES + 1)
    except OSError as error:
        raise VerificationFailed(
            "LF7172",
            f"The signature {path} cannot be read: {error.strerror}.",
            hint="Get it again from who packed the policy.",
        ) from error
