"""From the root digest of a realm to the trust statement in force: statements that a document brings along. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lockflight.core.attest import statement as st
from lockflight.core.attest.dsse import decode
from lockflight.core.attest.trust import READER, Duty, Trust, follows, parse_trust, root_digest
from lockflight.core.verify.crypto.keys import PublicKey, load_der
from lockflight.core.verify.envelope import open_envelope
from lockflight.core.verify.log.leaf import check_form
from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

#: More than any realm has.
MAX_TRUST: Final = 1_000


def trust_in_force(envelopes: Sequence[bytes], root: str, *, what: str) -> Trust:
    """The last of a realm's trust statements, each of which must follow from the one before.

    Args:
        envelopes: oldest first; the first is the realm's root.
        root: its SHA-256 (hex), as the verifier knows it.
        what: the document that brings them, for messages.

    Raises:
        VerificationFailed: LF7191 another realm, or statements that do not follow each other; LF7120 to LF7123,
            LF7130, LF7165 an envelope; LF7233 they need a newer reader.
    """
    trust: Trust | None = None
    key: PublicKey | None = None
    for data in envelopes:
        envelope = decode(data, what="trust statement")
        try:
            found = parse_trust(st.parse(envelope.payload))
        except (KeyError, TypeError, ValueError) as error:
            raise VerificationFailed("LF7191", f"A trust statement does not read: {error}.") from error
        if trust is None:
            if root_digest(envelope.payload) != root:
                raise VerificationFailed(
                    "LF7191",
                    f"The {what} is of the realm with the root sha256:{root_digest(envelope.payload)[:16]}…, "
                    f"not of sha256:{root[:16]}….",
                    hint="Ask who gave it to you which realm it is from.",
                )
        elif fault := follows(trust, found):
            raise VerificationFailed("LF7191", f"The trust statements do not follow each other: {fault}.")
        if found.reader > READER:
            raise VerificationFailed(
                "LF7233",
                f"The realm {found.name!r} needs a reader of version {found.reader}; this Lockflight has version "
                f"{READER}.",
                hint="pip install --upgrade lockflight",
            )
        signer = key or load_der(found.key(Duty.ROOT).der)
        open_envelope(envelope, signer, what="trust statement")
        check_form(envelope, signer)
        trust, key = found, load_der(found.key(Duty.ROOT).der)
    if trust is None:
        raise VerificationFailed("LF7191", f"The {what} has no trust statement.")
    return trust
