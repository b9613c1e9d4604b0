"""Where a signed package stands in a realm: who signed it, whether the log holds that, what was taken back. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.attest.trust import Duty
from lockflight.core.records import dataclass
from lockflight.core.release.release import SIGNATURE_NAME, Release
from lockflight.core.verify.bundle import check_bundle, read_bundle, verify_bundle, verify_logged
from lockflight.core.verify.crypto.keys import PublicKey, load_der
from lockflight.core.verify.log.log import clock_name
from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lockflight.core.state.state import Record, State
    from lockflight.core.verify.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Standing:
    """A signature that counts in a realm, over a release that nobody took back.

    Attributes:
        release: read from the verified signature.
        envelope: digest of the signature's envelope.
        principal: pseudonym of the signer.
        logged_at: Unix seconds at which the log's clock saw the signature.
        index: position in the log.
        checkpoint: the signed note that came along in the package.
    """

    release: Release
    envelope: str
    principal: str
    logged_at: int
    index: int
    checkpoint: str


@dataclass(frozen=True, slots=True)
class Hold:
    """A slot that a release holds; `exposure` is its part of the traffic in basis points."""

    environment: str
    slot: str
    exposure: int
    candidate: bool


def stand(
    state: State, realm: str, signature: bytes, *, known: Callable[[str], Sequence[str]] = lambda _: ()
) -> Standing:
    """Check the signature of a package against a realm: key, log entry, registration, revocation. No file is looked at.

    Args:
        state: the verified fold of the realm's log.
        realm: its name, for messages.
        signature: the bytes of `model.sig`.
        known: names of realms here by the origin of their log, for a hint.

    Raises:
        VerificationFailed: LF71xx the signature, LF74xx its certificate and time stamp, LF7331 a key of another
            duty, LF7332 the log does not hold it, LF7334 not registered, LF7335 revoked, LF7337 signed in another
            realm; LF72xx the log entry in the package.
    """
    bundle = read_bundle(signature, what=SIGNATURE_NAME)
    key = _signer(state, realm, bundle, known)
    verified = verify_bundle(signature, key, what=SIGNATURE_NAME)
    record = _logged(state, realm, verified.envelope.digest, bundle)
    _vouched(state, signature, bundle, record)
    _registered(state, realm, verified.release)
    _not_revoked(state, verified.release, key)
    return Standing(
        release=verified.release,
        envelope=verified.envelope.digest,
        principal=record.key.principal if record.key is not None else "",
        logged_at=record.logged_at,
        index=record.index,
        checkpoint=bundle.tlog.checkpoint if bundle.tlog is not None else "",
    )


def holds(state: State, release: str) -> tuple[Hold, ...]:
    """Every slot that a release (digest) holds or is the candidate of, environments in their order."""
    found = []
    for slot in state.slots.values():
        for fact, candidate in ((slot.current, False), (slot.candidate, True)):
            if fact is not None and fact.release == release:
                exposure = slot.exposures.get(release, 0)
                found.append(Hold(slot.environment, slot.name, exposure, candidate))
    order = {name: place for place, name in enumerate(state.environments)}
    return tuple(
        sorted((h for h in found if h.environment in order), key=lambda h: (order[h.environment], h.slot))
    )


def _signer(state: State, realm: str, bundle: Bundle, known: Callable[[str], Sequence[str]]) -> PublicKey:
    """The key that signed, a person's or lent to a machine; a stranger's and another realm's have codes of their own.

    A person who has left since had the right then: what counts is the grant at the signature's place in the log.
    """
    record = state.by_digest.get(bundle.envelope.digest)
    if record is not None and record.effective and record.key is not None and record.type == "signature":
        return check_bundle(bundle, load_der(record.key.der), what=SIGNATURE_NAME)
    people = [k for k in state.keys.values() if k.duty is Duty.PERSON]
    signed = bundle.envelope.signed_bytes
    for key in state.keys.values():
        other = key.duty is not Duty.PERSON and not key.keyless
        if other and load_der(key.der).verify(signed, bundle.envelope.signature):
            raise VerificationFailed(
                "LF7331",
                f"The package is signed by the realm's {key.duty.value} key; releases are signed by people.",
                hint="Sign it again: lockflight sign DIR --out PACKAGE --as NAME",
            )
    _this_log(state, realm, bundle, known)
    hinted = [k for k in people if k.keyid == bundle.envelope.keyid] or people
    return check_bundle(bundle, [load_der(k.der) for k in hinted], what=SIGNATURE_NAME)


def _this_log(state: State, realm: str, bundle: Bundle, known: Callable[[str], Sequence[str]]) -> None:
    """Say so when the package names another log; what it names is only a hint, and nothing is believed for it."""
    if bundle.tlog is None:
        return
    origin = bundle.tlog.checkpoint.split("\n", 1)[0][:256]
    if origin == state.trust.origin:
        return
    here = known(origin)
    raise VerificationFailed(
        "LF7337",
        f"The package says that it was signed in the log {origin!a}, which is not that of the realm {realm!r}.",
        hint=f"Ask that realm: --realm {here[0]}"
        if here
        else "lockflight realm show; --realm NAME asks another realm.",
    )


def _logged(state: State, realm: str, digest: str, bundle: Bundle) -> Record:
    if bundle.tlog is None:
        raise VerificationFailed(
            "LF7332",
            f"{SIGNATURE_NAME} carries no log entry, so nothing shows that the log ever saw it.",
            hint="Sign it again in the realm: lockflight sign DIR --out PACKAGE",
        )
    trust = state.trust
    verify_logged(
        bundle.tlog,
        origin=trust.origin,
        log_key=load_der(trust.key(Duty.LOG).der).raw,
        clock_key=load_der(trust.key(Duty.CLOCK).der).raw,
        clock_name=clock_name(trust.origin),
    )
    record = state.by_digest.get(digest)
    if record is None or record.index != bundle.tlog.index:
        raise VerificationFailed(
            "LF7332",
            f"The log of the realm {realm!r} does not hold this signature (entry {bundle.tlog.index}).",
            hint="lockflight log verify; a log that lost an entry was replaced or restored from an older copy.",
        )
    if not record.effective:
        raise VerificationFailed("LF7332", f"The signature is in the log but has no effect: {record.reason}.")
    return record


def _vouched(state: State, data: bytes, bundle: Bundle, record: Record) -> None:
    """Of a bundle with a certificate, check all that a stock verifier would: issue, time stamp, name, log."""
    if not bundle.certificate or record.key is None:
        return
    # Certificates cost an import that bundles signed with a key do not need.
    from lockflight.core.verify.public.keyless import Wanted, verify_identity
    from lockflight.core.verify.realmroot import identity_uri, issuer_of, trust_root

    wanted = Wanted(identity_uri(state.trust, record.key.principal), issuer_of(state.trust))
    verify_identity(data, trust_root(state.trust), wanted, what=SIGNATURE_NAME)


def _registered(state: State, realm: str, release: Release) -> None:
    if release.digest not in state.registrations:
        raise VerificationFailed(
            "LF7334",
            f"The release {release.digest[:16]} is signed but not registered in the realm {realm!r}.",
            hint="lockflight sign DIR --out PACKAGE",
        )


def _not_revoked(state: State, release: Release, key: PublicKey) -> None:
    hit = state.revoked_keys.get(key.keyid) or state.revocation([release.digest, *release.contents])
    if hit is not None:
        revocation, record = hit
        raise VerificationFailed(
            "LF7335",
            f"The {revocation.scope.value} {revocation.name} was revoked: {revocation.reason}"
            f" (log entry {record.index}).",
            hint=f"lockflight evidence show {record.digest[:16]} says by whom; use another release.",
        )
