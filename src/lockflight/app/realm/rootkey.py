"""The realm's root key at work: opening it, and replacing the trust statement that it signs.

Whoever makes keys for a new trust statement writes them before the log names them, and they stay from the moment at
which the log may: a key that is named and gone is worse than one that is there and not named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.app.realm.speak import refusal, tried
from lockflight.core.attest.trust import Duty
from lockflight.errors import InternalError, VerificationFailed
from lockflight.signing.uris import open_signer, silent

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lockflight.app.realm.realm import Realm
    from lockflight.core.attest.trust import Trust
    from lockflight.core.ports import Signer
    from lockflight.signing.uris import Ask

_WHO = "the root key"


def root_signer(realm: Realm, uri: str = "", ask: Ask = silent) -> Signer:
    """The root key that is in force.

    Args:
        realm: whose.
        uri: where it is kept; empty for the home.
        ask: as `signing.uris.open_signer`.

    Raises:
        EnvironmentProblem: LF5043 the home does not hold it.
        VerificationFailed: LF7434 it is another key, such as one that was replaced.
        UsageError, NotFound, InvalidInput: as `open_signer`.
    """
    if not uri:
        return realm.signer(Duty.ROOT)
    signer = open_signer(uri, ask)
    wanted = realm.state.trust.key(Duty.ROOT).keyid
    if signer.keyid != wanted:
        was = " any more" if signer.keyid in realm.state.former else ""
        raise VerificationFailed(
            "LF7434",
            f"The key {signer.keyid[:16]} is not the root key of the realm {realm.name!r}{was}; "
            f"that is {wanted[:16]}.",
            hint="lockflight key show --duty root",
        )
    return signer


def replace_trust(
    realm: Realm, changed: Trust, signer: Signer, what: str, *, written: Iterable[Path] = ()
) -> int:
    """Log the trust statement that follows the one in force, if it counts.

    Args:
        realm: where.
        changed: what it says.
        signer: the root key that is in force.
        what: the act in words, such as `rotate the gate key`.
        written: files of new keys; removed where nothing was logged.

    Returns:
        Its index in the log.

    Raises:
        PolicyDenied: LF4602 it would not count; the reason is in the message, and nothing was logged.
        ConflictError: LF4603 another trust statement came first.
    """
    statement = changed.statement()
    try:
        record = tried(realm, statement, signer)
        if not record.effective:
            raise refusal(record, _WHO, what)
    except BaseException:
        _forget(written)
        raise
    receipt = realm.append([(statement, signer)])[0]
    logged = realm.state.by_digest.get(receipt.envelope)
    if logged is None:
        raise InternalError("LF0903", "A statement that was just recorded is not in the log.")
    if not logged.effective:
        _forget(written)
        raise refusal(logged, _WHO, what)
    return receipt.index


def _forget(written: Iterable[Path]) -> None:
    for file in written:
        file.unlink(missing_ok=True)
