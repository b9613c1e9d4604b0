"""What a verifier trusts: a realm's own keys and authorities, or those of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.app.realm.view import open_view
from lockflight.core.verify.public.trustroot import MAX_BYTES, read_trust_root
from lockflight.core.verify.realmroot import trust_root
from lockflight.errors import NotFound

if TYPE_CHECKING:
    from pathlib import Path

    from lockflight.core.verify.public.trustroot import TrustRoot


def trust_of(home: Path, realm_name: str, file: Path | None) -> TrustRoot:
    """The trust root of a realm, or of a file.

    Args:
        home: folder of realms.
        realm_name: the realm.
        file: `TrustedRoot` or `ClientTrustConfig`; None for the realm's.

    Raises:
        NotFound: LF4510 no such realm, LF7432 no such file.
        VerificationFailed: LF7430 the file does not read, LF7431 two duties share a key; LF72xx the realm's log.
    """
    if file is None:
        return trust_root(open_view(home, realm_name).state.trust)
    try:
        with file.open("rb") as stream:
            return read_trust_root(stream.read(MAX_BYTES + 1))
    except OSError as error:
        raise NotFound(
            "LF7432",
            f"The trust root {file} cannot be read: {error.strerror}.",
            hint="lockflight trust export --out FILE writes one for a realm",
        ) from error
