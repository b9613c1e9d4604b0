"""Which key of the realm stands behind a signature: one that holds a grant, or one that its authority vouched for.

A short-lived certificate lends a person's or machine's grant to a key for minutes. It counts where the log has shown it
before, at the time at which the log took the entry in, for whoever holds the grant then; it falls with the key of the
grant.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from lockflight.core.attest.trust import Duty
from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from lockflight.core.attest.trust import RealmKey, Trust
    from lockflight.core.state.state import State
    from lockflight.core.verify.log.leaf import Leaf


def vouched(state: State, leaf: Leaf, logged_at: int) -> RealmKey | None:
    """The realm's key behind a leaf; None for a stranger's.

    Args:
        state: the fold before the entry.
        leaf: what the entry commits to.
        logged_at: Unix seconds.
    """
    if not leaf.certificate:
        return state.keys.get(leaf.key.keyid)
    principal = state.issued.get(hashlib.sha256(leaf.certificate).hexdigest(), "")
    if not principal:
        return None
    if not _speaks_for(state.trust, leaf.certificate, principal, logged_at):
        return None
    holder = next(
        (
            key
            for key in state.keys.values()
            if key.principal == principal and key.duty in {Duty.PERSON, Duty.PRODUCER}
        ),
        None,
    )
    return replace(holder, der=leaf.key.der) if holder is not None else None


@lru_cache(maxsize=4096)
def _speaks_for(trust: Trust, certificate: bytes, principal: str, at: int) -> bool:
    """Whether the realm's authority gave a certificate to a principal; a process that folds again asks once."""
    # Certificates cost an import that realms without an authority do not need.
    from lockflight.core.verify.public.keyless import check_issued
    from lockflight.core.verify.realmroot import identity_uri, issuer_of, trust_root

    try:
        found = check_issued(certificate, trust_root(trust), at)
    except VerificationFailed:
        return False
    return (found.name, found.issuer) == (identity_uri(trust, principal), issuer_of(trust))
