"""Where a proof of one asset stands in a realm: whether its registration counts, and what was taken back. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.attest.acts import Registration
from lockflight.core.verify.assetproof import no_registration
from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from lockflight.core.state.state import Record, State
    from lockflight.core.verify.assetproof import ProvenAsset


def in_realm(proven: ProvenAsset, state: State) -> Record:
    """Ask the realm about a proof: does the registration count, and was nothing of it taken back?

    Args:
        proven: from `verify_asset` with the realm's root.
        state: the fold of the realm's whole log.

    Raises:
        VerificationFailed: LF7343 the log does not hold the registration, or it has no effect; LF7335 the release,
            the asset or the key was revoked.
    """
    record = state.by_digest.get(proven.envelope)
    if record is None or record.index != proven.index or not isinstance(record.fact, Registration):
        why = record.reason if record is not None and record.reason else "it is not there"
        raise no_registration(f"the realm's log does not count it as one: {why}")
    hit = state.revoked_keys.get(record.signer) or state.revocation([proven.asset.sha256])
    hit = hit or state.revocation_of(proven.registration.release)
    if hit is not None:
        revocation, entry = hit
        raise VerificationFailed(
            "LF7335",
            f"The {revocation.scope.value} {revocation.name} was revoked: {revocation.reason}"
            f" (log entry {entry.index}).",
            hint=f"lockflight evidence show {entry.digest[:16]} says by whom. The asset is in that release all the "
            "same; do not use it.",
        )
    return record
