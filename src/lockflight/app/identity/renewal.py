"""Before they end: the certificates of a realm's authorities, and its trust statement."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lockflight.app.identity.authority import ISSUING, STAMPING, Founded, no_authority
from lockflight.app.realm import clock
from lockflight.app.realm.realm import open_realm
from lockflight.app.realm.rootkey import replace_trust, root_signer
from lockflight.core.attest.trust import root_digest
from lockflight.core.records import dataclass
from lockflight.core.times import unix
from lockflight.core.verify.crypto.certificate import load_certificate
from lockflight.core.verify.crypto.keys import P256
from lockflight.core.verify.realmroot import trust_root
from lockflight.errors import UsageError, VerificationFailed
from lockflight.signing.certificates import make_intermediate, make_stamper
from lockflight.signing.keys import generate, save
from lockflight.signing.uris import open_file, silent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lockflight.app.realm.realm import Realm
    from lockflight.core.verify.crypto.certificate import Certificate
    from lockflight.signing.keys import FileSigner
    from lockflight.signing.uris import Ask


def renew(
    home: Path,
    realm_name: str,
    *,
    root_key: str = "",
    ask: Ask = silent,
    roots: Path | None = None,
    time: bool = False,
) -> Founded:
    """Give the issuing authority a new key and certificate; what older ones have issued stays valid.

    Args:
        home: folder of realms.
        realm_name: the realm.
        root_key: URI of the realm's root key; empty for the one in the home.
        ask: for the passphrases of that key and of the authorities' root keys.
        roots: folder of the authorities' root keys; None for the home.
        time: give the time-stamp authority a new key and certificate too; its stamps stay valid likewise.

    Raises:
        EnvironmentProblem: LF7451 the realm has no authority.
        NotFound: LF7009 the root key of an authority is not there.
        VerificationFailed: LF7433 it is not the key of the realm's root certificate.
        LockflightError: as `root_signer` and `replace_trust`.
    """
    realm = open_realm(home, realm_name)
    trust = realm.state.trust
    held = trust.authorities
    if not held.issuers:
        raise no_authority(realm, known=False)
    signer = root_signer(realm, root_key, ask)
    now = max(clock.now(), realm.view.timestamp)
    place = roots if roots is not None else realm.folder / "keys"
    made: dict[str, FileSigner] = {}

    def below(
        name: str, chain: tuple[bytes, ...], what: str, make: Callable[..., Certificate]
    ) -> tuple[Certificate, Certificate]:
        root = load_certificate(chain[-1])
        above = _root_of(place / f"{name}-root.pem", root, ask)
        made[name] = generate(P256)
        return make(above, root, made[name].public_der, f"{trust.name} {what}", now), root

    issuing, root = below(ISSUING, held.issuers[-1], "signing", make_intermediate)
    named = replace(held, issuers=(*held.issuers, (issuing.der, root.der)))
    stamper = load_certificate(held.stampers[-1][0])
    if time:
        stamper, time_root = below(STAMPING, held.stampers[-1], "time", make_stamper)
        named = replace(named, stampers=(*held.stampers, (stamper.der, time_root.der)))
    changed = replace(trust, authorities=named, prev=root_digest(trust.statement().payload()))
    trust_root(changed)
    written = _keep(realm, made)
    index = replace_trust(realm, changed, signer, "renew the authorities", written=written)
    return Founded(issuing, root, stamper, index, ())


def _root_of(path: Path, root: Certificate, ask: Ask) -> FileSigner:
    found = open_file(path, ask)
    if found.public_der != root.public_der:
        raise VerificationFailed(
            "LF7433",
            f"{path} is not the key of the realm's root certificate {root.subject}.",
            hint="--roots DIR names the folder that `ca init --roots-out` wrote",
        )
    return found


def _keep(realm: Realm, made: dict[str, FileSigner]) -> list[Path]:
    written: list[Path] = []
    try:
        for name, key in made.items():
            path = realm.folder / "keys" / f"{name}-{key.keyid[:16]}.pem"
            written += [save(key, path), path]
    except BaseException:
        for file in written:
            file.unlink(missing_ok=True)
        raise
    return written


@dataclass(frozen=True, slots=True)
class Prolonged:
    """A realm's trust with another end.

    Attributes:
        index: of the trust statement in the log.
        before, until: RFC 3339 Z from which nothing new counts; empty for never.
    """

    index: int
    before: str
    until: str


def prolong(
    home: Path, realm_name: str, until: str, *, now: int, root_key: str = "", ask: Ask = silent
) -> Prolonged:
    """Say until when the realm's trust holds; after that nothing new counts before the root key renews it.

    Args:
        home: folder of realms.
        realm_name: the realm.
        until: RFC 3339 Z; empty for never.
        now: Unix seconds.
        root_key: URI of the realm's root key; empty for the one in the home.
        ask: for its passphrase.

    Raises:
        UsageError: LF0138 a time that is past.
        LockflightError: as `root_signer` and `replace_trust`.
    """
    realm = open_realm(home, realm_name)
    trust = realm.state.trust
    if until and unix(until) <= max(now, realm.view.timestamp):
        raise UsageError(
            "LF0138",
            f"{until} is past: from then on nothing new would count in the realm {realm.name!r}.",
            hint="lockflight freeze stops what moves in; --until takes a later time",
        )
    signer = root_signer(realm, root_key, ask)
    changed = replace(trust, expires=until, prev=root_digest(trust.statement().payload()))
    index = replace_trust(realm, changed, signer, "renew the realm's trust")
    return Prolonged(index, trust.expires, until)
