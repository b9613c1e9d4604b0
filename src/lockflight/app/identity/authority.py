"""A realm's own certificate authority, certificate log and time-stamp authority: made, shown, and asked.

All of it works in this process, without a network. Each has a key of its own; the two root keys sign once and can be
taken away. Whoever holds every key in one home separates no duties, which `ca show` says.
"""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from lockflight.app.realm import clock
from lockflight.app.realm.realm import open_realm
from lockflight.app.realm.rootkey import replace_trust, root_signer
from lockflight.app.realm.speak import must_be_effective
from lockflight.core.attest.issuance import Issuance
from lockflight.core.attest.trust import Authorities, Duty, root_digest
from lockflight.core.records import dataclass
from lockflight.core.verify.crypto.certificate import Identity, load_certificate
from lockflight.core.verify.crypto.keys import P256, P384, load_der
from lockflight.core.verify.realmroot import identity_uri, issuer_of, trust_root
from lockflight.errors import ConflictError, EnvironmentProblem, PolicyDenied, VerificationFailed
from lockflight.signing.certificates import (
    CertificateAuthority,
    make_intermediate,
    make_root,
    make_stamper,
)
from lockflight.signing.keys import FileSigner, generate, load, save
from lockflight.signing.stamper import Stamper
from lockflight.signing.uris import silent
from lockflight.store.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from lockflight.app.realm.realm import Realm
    from lockflight.core.attest.trust import RealmKey
    from lockflight.core.verify.crypto.certificate import Certificate
    from lockflight.signing.uris import Ask

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
    root_key: str = "",
    ask: Ask = silent,
    passphrase: bytes | None = None,
    out: Path | None = None,
) -> Founded:
    """Give a realm its authorities: keys, certificates, and the trust statement that names them.

    Args:
        home: folder of realms.
        realm_name: the realm.
        root_key: URI of the realm's root key; empty for the one in the home.
        ask: for the passphrase of that key.
        passphrase: protects the root keys in `out`; None for none.
        out: folder for the root keys of the authorities, to be taken offline; None for the home.

    Raises:
        ConflictError: LF7450 the realm has authorities, LF7007 a key file is in the way.
        EnvironmentProblem: LF7008 a folder cannot be written.
        LockflightError: as `root_signer` and `replace_trust`.
    """
    realm = open_realm(home, realm_name)
    trust = realm.state.trust
    if trust.authorities != Authorities():
        raise ConflictError(
            "LF7450",
            f"The realm {realm.name!r} has a certificate authority already.",
            hint="lockflight ca renew gives it a new certificate; lockflight ca show shows it",
        )
    signer = root_signer(realm, root_key, ask)
    now = max(clock.now(), realm.view.timestamp)
    keys = realm.folder / "keys"
    place = out if out is not None else keys
    if out is not None:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
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
    except BaseException:
        for file in written:
            file.unlink(missing_ok=True)
        raise
    index = replace_trust(realm, changed, signer, "name the authorities", written=written)
    roots = tuple(place / f"{name}.pem" for name in ROOTS)
    return Founded(issuing, ca_root, stamper, index, roots)


@dataclass(frozen=True, slots=True)
class ShortLived:
    """A key that speaks for somebody for ten minutes; it is never written anywhere.

    Attributes:
        signer: the key.
        certificate: who it speaks for.
        principal, name: pseudonym and name of that person or machine.
        identity, issuer: what the certificate calls them, and who proved it.
    """

    signer: FileSigner
    certificate: Certificate
    principal: str
    name: str
    identity: str
    issuer: str


def has_authority(realm: Realm) -> bool:
    """Whether this home can issue certificates and time stamps of the realm."""
    wanted = (ISSUING, CERTIFICATE_LOG, STAMPING)
    return bool(realm.state.trust.authorities.issuers) and all(_files(realm, n) for n in wanted)


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
    trust = realm.state.trust
    uri = identity_uri(trust, person.principal)
    return ShortLived(signer, certificate, person.principal, person.name, uri, issuer_of(trust))


def issue_to(
    home: Path, realm_name: str, folder: Path, lend: Callable[[Realm], ShortLived]
) -> tuple[ShortLived, Path]:
    """A short-lived key and certificate as files, for tools that want them so.

    Args:
        home: folder of realms.
        realm_name: the realm.
        folder: new, private; `key.pem`, `certificate.pem` and `chain.pem` (the authorities above, root last).
        lend: gives the key; called once, when the folder is there.

    Raises:
        ConflictError: LF7007 the folder exists.
        EnvironmentProblem: LF7008 it cannot be written; as `lend`.
    """
    realm = open_realm(home, realm_name)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        raise ConflictError(
            "LF7007",
            f"{str(folder)!r} exists already; a key is never replaced in place.",
            hint="Choose another name.",
        ) from None
    except OSError as error:
        raise EnvironmentProblem(
            "LF7008",
            f"The folder {str(folder)!r} cannot be made: {error.strerror}.",
            hint=f"ls -ld {folder.parent}",
        ) from error
    try:
        lent = lend(realm)
    except BaseException:
        folder.rmdir()
        raise
    save(lent.signer, folder / "key.pem")
    above = realm.state.trust.authorities.issuers[-1]
    replace_file(folder / "certificate.pem", pem(lent.certificate.der))
    replace_file(folder / "chain.pem", b"".join(pem(der) for der in above))
    return lent, folder


def pem(der: bytes) -> bytes:
    """A certificate as PEM text."""
    body = base64.b64encode(der).decode()
    lines = [body[i : i + 64] for i in range(0, len(body), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""]).encode()


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
        EnvironmentProblem: LF7451; LF5043 the home does not hold the producer key that puts it on record.
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
    return issue_on_record(realm, authority, principal, public_der)


def issue_on_record(
    realm: Realm,
    authority: CertificateAuthority,
    principal: str,
    public_der: bytes,
    notes: Iterable[tuple[int, str]] = (),
) -> Certificate:
    """A certificate for who has proven to be a principal; callers see to that.

    Args:
        realm: whose authority.
        authority: as `authority_of` says.
        principal: pseudonym of whom it speaks for.
        public_der: the new key.
        notes: as `CertificateAuthority.issue`.

    Raises:
        EnvironmentProblem: LF5043 the home does not hold the producer key that puts it on record.
    """
    producer = realm.signer(Duty.PRODUCER)
    now = max(clock.now(), realm.view.timestamp)
    identity = Identity(identity_uri(realm.state.trust, principal), "uri", issuer_of(realm.state.trust))
    certificate = authority.issue(public_der, identity, now, notes)
    # On record before it is handed out: a certificate that the log has not shown counts for nothing.
    fact = Issuance(certificate.der, principal, realm.state.root)
    receipt = realm.append([(fact.statement(), producer)])[0]
    must_be_effective(realm, receipt.envelope)
    return certificate


def _verifies(key: RealmKey, words: bytes, signature: bytes) -> bool:
    return _holds(key.der, words, signature)


def _holds(public_der: bytes, words: bytes, signature: bytes) -> bool:
    try:
        return load_der(public_der).verify(words, signature)
    except VerificationFailed:
        return False


@dataclass(frozen=True, slots=True)
class Held:
    """A certificate of a realm.

    Attributes:
        what: `issues`, `issuing root`, `time` or `time root`.
        certificate: it.
        here: whether this home holds its key.
    """

    what: str
    certificate: Certificate
    here: bool


@dataclass(frozen=True, slots=True)
class Looked:
    """A realm's authorities as a home sees them.

    Attributes:
        issuer: the URL under which the realm proves identities.
        certificates: newest first.
        separation: in a sentence, what the place of the keys means.
    """

    issuer: str
    certificates: tuple[Held, ...]
    separation: str


def look(home: Path, realm_name: str) -> Looked:
    """The authorities of a realm.

    Raises:
        NotFound: LF4510 no such realm.
    """
    realm = open_realm(home, realm_name)
    trust = realm.state.trust
    here = {load(p).public_der for p in (realm.folder / "keys").glob("*.pem")}
    rows: dict[str, Held] = {}
    for chains, names in (
        (trust.authorities.issuers, ("issues", "issuing root")),
        (trust.authorities.stampers, ("time", "time root")),
    ):
        for chain in reversed(chains):
            for place, der in enumerate(chain):
                one = load_certificate(der)
                what = names[min(place, 1)]
                rows.setdefault(one.digest, Held(what, one, one.public_der in here))
    every = bool(rows) and all(row.here for row in rows.values())
    held = {row.what for row in rows.values() if row.here}
    if every:
        said = "All keys are in this home: who has it can issue, and can say when. Take the root keys off."
    elif held >= {"issues", "time"}:
        said = "The keys that issue and that say when are in this home: one process separates no duties."
    elif held & {"issues", "time"}:
        said = "The keys that issue and that say when are in different places."
    else:
        said = "Neither the key that issues nor the one that says when is in this home."
    return Looked(issuer_of(trust), tuple(rows.values()), said if rows else "")


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
    raise no_authority(realm, known=bool(chains))


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
    raise no_authority(realm, known=bool(chains))


def _key(realm: Realm, name: str, *publics: bytes) -> FileSigner | None:
    """The private key of that name, if this home holds it and it belongs to one of the public keys."""
    for path in _files(realm, name):
        signer = load(path)
        if signer.public_der in publics:
            return signer
    return None


def _files(realm: Realm, name: str) -> list[Path]:
    """Key files of that name, of renewals too; a root's are none of them."""
    found = sorted((realm.folder / "keys").glob(f"{name}*.pem"))
    return [path for path in found if not path.name.startswith(f"{name}-root")]


def no_authority(realm: Realm, *, known: bool) -> EnvironmentProblem:
    """LF7451: nothing here issues certificates or time stamps of the realm."""
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
