"""A realm's own certificate authority, certificate log and time-stamp authority: made, shown, and asked.

All of it works in this process, without a network. Each has a key of its own; the two root keys sign once and can be
taken away. Whoever holds every key in one home separates no duties, which `ca show` says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from lockflight.app import clock
from lockflight.app.realm import open_realm
from lockflight.app.speak import must_be_effective
from lockflight.core.trust import Authorities, Duty, root_digest
from lockflight.core.verify.certificate import Identity, load_certificate
from lockflight.core.verify.realmroot import identity_uri, issuer_of, trust_root
from lockflight.errors import ConflictError, EnvironmentProblem, PolicyDenied, VerificationFailed
from lockflight.signing.certificates import (
    CertificateAuthority,
    make_intermediate,
    make_root,
    make_stamper,
)
from lockflight.signing.keys import P256, P384, FileSigner, generate, load, save
from lockflight.signing.oms import sign_statement
from lockflight.signing.stamper import Stamper

if TYPE_CHECKING:
    from pathlib import Path

    from lockflight.app.realm import Realm
    from lockflight.core.trust import RealmKey
    from lockflight.core.verify.certificate import Certificate

ISSUING: Final = "ca"
CERTIFICATE_LOG: Final = "ct"
STAMPING: Final = "tsa"
#: Key files of the two roots; they sign the certificates of the others and nothing else.
ROOTS: Final = ("ca-root", "tsa-root")


@dataclass(frozen=True, slots=True)
class Founded:
    """A realm's new authorities.

    Attributes:
        issuing, root: the authority that issues leaves, and the root above it.
        stamper: certificate of the time-stamp authority.
        index: of the trust statement that names them.
        roots: files of the two root keys.
    """

    issuing: Certificate
    root: Certificate
    stamper: Certificate
    index: int
    roots: tuple[Path, ...]


def found(
    home: Path,
    realm_name: str,
    *,
    root_key: Path | None = None,
    passphrase: bytes | None = None,
    out: Path | None = None,
) -> Founded:
    """Give a realm its authorities: keys, certificates, and the trust statement that names them.

    Args:
        home: folder of realms.
        realm_name: the realm.
        root_key: file of the realm's root key; None for the one in the home.
        passphrase: of that file.
        out: folder for the root keys of the authorities, to be taken offline; None for the home.

    Raises:
        ConflictError: LF7450 the realm has authorities, LF7007 a key file is in the way.
        EnvironmentProblem: LF5043 the realm's root key is not here; LF7008 a folder cannot be written.
    """
    realm = open_realm(home, realm_name)
    trust = realm.state.trust
    if trust.authorities != Authorities():
        raise ConflictError(
            "LF7450",
            f"The realm {realm.name!r} has a certificate authority already.",
            hint="lockflight ca renew gives it a new certificate; lockflight ca show shows it",
        )
    signer = load(root_key, passphrase) if root_key is not None else realm.signer(Duty.ROOT)
    now = max(clock.now(), realm.view.timestamp)
    keys = realm.folder / "keys"
    place = out if out is not None else keys
    made = {name: generate(P384) for name in ROOTS}
    made |= {name: generate(P256) for name in (ISSUING, CERTIFICATE_LOG, STAMPING)}
    ca_root = make_root(made["ca-root"], f"{trust.name} signing root", now)
    issuing = make_intermediate(
        made["ca-root"], ca_root, made[ISSUING].public_der, f"{trust.name} signing", now
    )
    tsa_root = make_root(made["tsa-root"], f"{trust.name} time root", now, length=0)
    stamper = make_stamper(made["tsa-root"], tsa_root, made[STAMPING].public_der, f"{trust.name} time", now)
    changed = replace(
        trust,
        authorities=Authorities(
            issuers=((issuing.der, ca_root.der),),
            certificate_logs=(made[CERTIFICATE_LOG].public_der,),
            stampers=((stamper.der, tsa_root.der),),
        ),
        prev=root_digest(trust.statement().payload()),
    )
    trust_root(changed)
    written: list[Path] = []
    try:
        for name, key in made.items():
            path = (place if name in ROOTS else keys) / f"{name}.pem"
            written += [
                path,
                save(key, path, passphrase=passphrase if out is not None and name in ROOTS else None),
            ]
        statement = sign_statement(changed.statement(), signer).encode()
        receipt = realm.append_envelopes([(statement, signer.public_der)])[0]
        must_be_effective(realm, receipt.envelope)
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    roots = tuple(place / f"{name}.pem" for name in ROOTS)
    return Founded(issuing, ca_root, stamper, receipt.index, roots)


@dataclass(frozen=True, slots=True)
class ShortLived:
    """A key that speaks for somebody for ten minutes; it is never written anywhere.

    Attributes:
        signer: the key.
        certificate: who it speaks for.
        principal, name: pseudonym and name of that person or machine.
        roles: theirs.
    """

    signer: FileSigner
    certificate: Certificate
    principal: str
    name: str
    roles: tuple[str, ...]


def has_authority(realm: Realm) -> bool:
    """Whether this home can issue certificates and time stamps of the realm."""
    keys = realm.folder / "keys"
    wanted = (ISSUING, CERTIFICATE_LOG, STAMPING)
    return bool(realm.state.trust.authorities.issuers) and all((keys / f"{n}.pem").is_file() for n in wanted)


def short_lived(realm: Realm, actor: str) -> ShortLived:
    """A key for one signature, vouched for by the realm's authority.

    The person shows who they are with the key of their grant; the new key shows that its holder is there by signing
    the same words. Both are checked as they would be from afar.

    Raises:
        EnvironmentProblem: LF7451 the realm has no authority, or its keys are not here.
        PolicyDenied: LF7452 the proof does not hold, or the grant is no more.
        UsageError: LF0111, LF0112 who acts.
    """
    person = realm.actor(actor)
    signer = generate(P256)
    words = request_words(realm, person.principal, signer.public_der)
    certificate = issue(
        realm,
        person.principal,
        signer.public_der,
        holder=signer.sign(words),
        asker=person.signer.sign(words),
    )
    return ShortLived(signer, certificate, person.principal, person.name, person.roles)


def request_words(realm: Realm, principal: str, public_der: bytes) -> bytes:
    """What both keys of a request sign: the realm, who asks, and the new key."""
    lines = ("lockflight certificate request v1", realm.state.root, principal, public_der.hex())
    return "\n".join(lines).encode()


def issue(realm: Realm, principal: str, public_der: bytes, *, holder: bytes, asker: bytes) -> Certificate:
    """A certificate for a principal of the realm, ten minutes long.

    Args:
        realm: whose authority.
        principal: pseudonym of who asks.
        public_der: the new key.
        holder: signature of the new key over `request_words`: proof that its holder asks.
        asker: signature of the principal's own key over the same.

    Raises:
        EnvironmentProblem: LF7451.
        PolicyDenied: LF7452.
    """
    authority = authority_of(realm)
    now = max(clock.now(), realm.view.timestamp)
    words = request_words(realm, principal, public_der)
    keys = [k for k in realm.state.keys.values() if k.principal == principal and not k.expired(now)]
    if not any(_verifies(key, words, asker) for key in keys) or not _holds(public_der, words, holder):
        raise PolicyDenied(
            "LF7452",
            "The request for a certificate is not signed by a key that holds a grant, or not by the new key.",
            hint="lockflight identity list",
        )
    identity = Identity(identity_uri(realm.state.trust, principal), "uri", issuer_of(realm.state.trust))
    return authority.issue(public_der, identity, now)


def _verifies(key: RealmKey, words: bytes, signature: bytes) -> bool:
    return _holds(key.der, words, signature)


def _holds(public_der: bytes, words: bytes, signature: bytes) -> bool:
    from lockflight.core.verify.keys import load_der

    try:
        return load_der(public_der).verify(words, signature)
    except VerificationFailed:
        return False


def authority_of(realm: Realm) -> CertificateAuthority:
    """The authority that issues leaves.

    Raises:
        EnvironmentProblem: LF7451 the realm has none, its keys are not here, or its certificate ended.
    """
    chains = realm.state.trust.authorities.issuers
    now = clock.now()
    for chain in reversed(chains):
        certificate = load_certificate(chain[0])
        signer = _key(realm, ISSUING, certificate.public_der)
        log = _key(realm, CERTIFICATE_LOG, *realm.state.trust.authorities.certificate_logs)
        if signer is not None and log is not None and certificate.begins <= now <= certificate.ends:
            return CertificateAuthority(certificate, signer, log)
    raise _no_authority(realm, bool(chains))


def stamper_of(realm: Realm) -> Stamper:
    """The time-stamp authority.

    Raises:
        EnvironmentProblem: LF7451 the realm has none, its key is not here, or its certificate ended.
    """
    chains = realm.state.trust.authorities.stampers
    now = clock.now()
    for chain in reversed(chains):
        certificate = load_certificate(chain[0])
        signer = _key(realm, STAMPING, certificate.public_der)
        if signer is not None and certificate.begins <= now <= certificate.ends:
            return Stamper(certificate, signer)
    raise _no_authority(realm, bool(chains))


def _key(realm: Realm, name: str, *publics: bytes) -> FileSigner | None:
    """The private key of that name, if this home holds it and it belongs to one of the public keys."""
    for path in sorted((realm.folder / "keys").glob(f"{name}*.pem")):
        if path.name.startswith(f"{name}-root"):
            continue
        signer = load(path)
        if signer.public_der in publics:
            return signer
    return None


def _no_authority(realm: Realm, known: bool) -> EnvironmentProblem:  # noqa: FBT001 - one caller each way
    if known:
        return EnvironmentProblem(
            "LF7451",
            f"This home does not hold the keys of the realm's certificate authority, or its certificate ended "
            f"({realm.name!r}).",
            hint="lockflight ca show says until when; lockflight ca renew gives it a new one",
        )
    return EnvironmentProblem(
        "LF7451",
        f"The realm {realm.name!r} has no certificate authority.",
        hint="lockflight ca init",
    )
