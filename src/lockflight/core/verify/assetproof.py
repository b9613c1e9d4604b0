"""Proofs that one asset is in a signed, registered and logged release, without the release. Pure.

A proof leads from the asset up its release's tree to the root in the registration, from there up the log to a
checkpoint, and from the realm's root digest down to the keys of both. What it cannot lead to is the fold: whether the
registration took effect, and whether anything was taken back since, only the realm's log knows
(`core.assetstanding`). Without it a proof is the word of whoever registered the release, so that one must be named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lockflight.core.attest import statement as st
from lockflight.core.attest.acts import Registration, parse_registration
from lockflight.core.attest.dsse import MAX_ENVELOPE_BYTES, Envelope, decode
from lockflight.core.attest.tree import TreeAsset, parse_asset
from lockflight.core.attest.trust import Duty
from lockflight.core.canonical import dumps, loads_object
from lockflight.core.records import dataclass
from lockflight.core.shape import array, natural, obj, text
from lockflight.core.times import unix
from lockflight.core.verify.crypto.keys import load_der
from lockflight.core.verify.log.leaf import check_leaf, read_leaf
from lockflight.core.verify.log.log import clock_name
from lockflight.core.verify.log.note import verify_checkpoint
from lockflight.core.verify.log.proofs import verify_inclusion
from lockflight.core.verify.log.tlogproof import MAX_PROOF_BYTES, TlogProof, check_included, read_proof
from lockflight.core.verify.trustchain import MAX_TRUST, trust_in_force
from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockflight.core.attest.trust import Trust
    from lockflight.core.canonical import JsonValue

SCHEMA: Final = "https://lockflight.dev/schema/asset-proof/v1"
#: A tree of 2^32 assets has no longer path.
MAX_HASHES: Final = 32
MAX_BYTES: Final = 8 * 1024 * 1024
_HASH = 32


@dataclass(frozen=True, slots=True)
class AssetProof:
    """A proof as read; nothing is verified yet.

    Attributes:
        asset: what is proven.
        index: its place in the release's tree.
        hashes: from its leaf to the root, nearest sibling first, 32 bytes each.
        registration: envelope of the statement that says the root.
        entry: log entry of that envelope, with its leaf, under the first checkpoint that covers it.
        trust: envelopes of the realm's trust statements, oldest first, up to the one in force then.
    """

    asset: TreeAsset
    index: int
    hashes: tuple[bytes, ...]
    registration: bytes
    entry: TlogProof
    trust: tuple[bytes, ...]

    def encode(self) -> bytes:
        """The file, canonical JSON."""
        return dumps(
            {
                "schema": SCHEMA,
                "asset": self.asset.to_json(),
                "index": self.index,
                "hashes": [value.hex() for value in self.hashes],
                "registration": self.registration.decode(),
                "entry": self.entry.encode().decode(),
                "trust": [one.decode() for one in self.trust],
            }
        )


@dataclass(frozen=True, slots=True)
class ProvenAsset:
    """An asset that is proven to be in a registered release.

    Attributes:
        asset: which.
        registration: of the release, with its tree.
        envelope: digest of the registration's envelope.
        index: its entry in the log.
        time: Unix seconds of the checkpoint that covers it: it was there by then.
        signer: pseudonym in the certificate that lent the key, else the key's id.
        trust: the realm's trust statement in force then.
    """

    asset: TreeAsset
    registration: Registration
    envelope: str
    index: int
    time: int
    signer: str
    trust: Trust


def read_asset_proof(data: bytes) -> AssetProof:
    """Read a proof strictly.

    Raises:
        VerificationFailed: LF7340 it is none; LF7101 to LF7103 (JSON), LF7202, LF7203, LF7218 its log entry.
    """
    raw = loads_object(data, what="proof of an asset", max_bytes=MAX_BYTES, max_depth=4)
    try:
        if raw["schema"] != SCHEMA:
            raise ValueError(f"it is not of the form {SCHEMA}")
        hashes = tuple(_hash(value) for value in _some(raw["hashes"], MAX_HASHES))
        trust = tuple(_text(value, MAX_ENVELOPE_BYTES) for value in _some(raw["trust"], MAX_TRUST))
        registration = _text(raw["registration"], MAX_ENVELOPE_BYTES)
        entry = _text(raw["entry"], MAX_PROOF_BYTES)
        asset, index = parse_asset(obj(raw["asset"])), natural(raw["index"])
    except (KeyError, TypeError, ValueError) as error:
        raise _not_one(str(error)) from error
    proof = AssetProof(asset, index, hashes, registration, read_proof(entry), trust)
    if proof.encode() != data:
        raise _not_one("it is not in canonical form, or holds other fields")
    return proof


def verify_asset(proof: AssetProof, root: str) -> ProvenAsset:
    """Check everything in a proof, with the realm's root digest alone.

    Args:
        proof: what was read.
        root: SHA-256 (hex) of the realm's first trust statement, as the verifier knows it.

    Raises:
        VerificationFailed: LF7191, LF7233 another realm, or its trust statements; LF7202 to LF7207 the checkpoint;
            LF7200, LF7209 the log entry; LF7160 to LF7165 its leaf; LF7343 the registration;
            LF7341 the asset; LF7400 to LF7412 the certificate.
    """
    trust = trust_in_force(proof.trust, root, what="proof")
    point = verify_checkpoint(
        proof.entry.checkpoint,
        origin=trust.origin,
        log_key=load_der(trust.key(Duty.LOG).der).raw,
        clock_key=load_der(trust.key(Duty.CLOCK).der).raw,
        clock_name=clock_name(trust.origin),
    )
    check_included(proof.entry, proof.entry.extra)
    envelope = decode(proof.registration, what="registration")
    key = check_leaf(proof.entry.extra, envelope)
    certificate = read_leaf(proof.entry.extra).certificate
    said = _registration(envelope, root)
    if trust.expires and point.timestamp >= unix(trust.expires):
        raise no_registration(f"the realm's trust had expired at {trust.expires}")
    _check_tree(proof, said)
    signer = _lent(trust, certificate, point.timestamp) if certificate else key.keyid
    return ProvenAsset(proof.asset, said, envelope.digest, proof.entry.index, point.timestamp, signer, trust)


def _registration(envelope: Envelope, root: str) -> Registration:
    statement = st.parse(envelope.payload)
    if statement.predicate_type != st.REGISTRATION:
        raise no_registration(f"it is a {statement.short_type}")
    try:
        said = parse_registration(statement)
    except (KeyError, TypeError, ValueError) as error:
        raise no_registration(f"it does not read: {error}") from error
    if said.realm != root:
        raise no_registration(f"it was made for the realm with the root sha256:{said.realm[:16]}…")
    return said


def _check_tree(proof: AssetProof, said: Registration) -> None:
    if said.tree is None:
        raise no_registration("it says no tree, so it binds no single asset")
    try:
        verify_inclusion(
            proof.asset.leaf, proof.index, said.tree.size, proof.hashes, bytes.fromhex(said.tree.root)
        )
    except VerificationFailed as error:
        raise VerificationFailed(
            "LF7341",
            f"{proof.asset.name!a} with the role {proof.asset.role} and the digest {proof.asset.sha256[:16]} is not "
            f"proven to be in {said.name} {said.version}.",
            hint="Get the proof again from whoever made it; if it still fails, the asset is another.",
        ) from error


def _lent(trust: Trust, certificate: bytes, at: int) -> str:
    """The pseudonym to whom the realm's authority lent the key, at a time in Unix seconds."""
    # Certificates cost an import that realms without an authority do not need.
    from lockflight.core.verify.public.keyless import check_issued
    from lockflight.core.verify.realmroot import identity_uri, issuer_of, trust_root

    found = check_issued(certificate, trust_root(trust), at)
    principal = found.name.removeprefix(identity_uri(trust, ""))
    if (found.name, found.issuer) != (identity_uri(trust, principal), issuer_of(trust)):
        raise no_registration("its certificate names nobody of the realm")
    return principal


def _some(value: JsonValue, limit: int) -> Sequence[JsonValue]:
    items = array(value)
    if len(items) > limit:
        raise ValueError(f"a list has more than {limit} items")
    return items


def _text(value: JsonValue, limit: int) -> bytes:
    data = text(value).encode()
    if len(data) > limit:
        raise ValueError(f"a text is longer than {limit} bytes")
    return data


def _hash(value: JsonValue) -> bytes:
    word = text(value)
    data = bytes.fromhex(word)
    if len(data) != _HASH or data.hex() != word:
        raise ValueError("a hash is not 64 lower-case hex digits")
    return data


def no_registration(why: str) -> VerificationFailed:
    """LF7343: what the registration in a proof says is somebody's claim and no more."""
    return VerificationFailed(
        "LF7343",
        f"The registration in the proof does not count: {why}.",
        hint="Do not rely on the proof. lockflight log show --all tells why an entry has no effect.",
    )


def _not_one(why: str) -> VerificationFailed:
    return VerificationFailed(
        "LF7340",
        f"This is not a proof of an asset: {why}.",
        hint="lockflight release prove RELEASE ASSET --out FILE writes one.",
    )
