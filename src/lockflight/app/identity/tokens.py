"""Certificates for identity tokens of trusted issuers: a job in CI signs without a key of its own.

The issuers, their keys and their rules are what the log says. A token is verified offline, speaks for one machine of
the realm, and is worth one certificate. It is never written anywhere, and only its digest is remembered.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockflight.app.identity.authority import ShortLived, authority_of, issue_on_record, issue_to
from lockflight.app.realm import clock
from lockflight.core.attest.trust import Duty
from lockflight.core.state.issuers import WITH_ID, matching, notes, proposed_change
from lockflight.core.verify.crypto.jwt import SKEW_S, Token, read_token, verify_token
from lockflight.core.verify.crypto.keys import P256, load_der
from lockflight.core.verify.realmroot import identity_uri, issuer_of
from lockflight.errors import PolicyDenied, VerificationFailed
from lockflight.signing.keys import generate
from lockflight.store.tokens import TokenMemory

if TYPE_CHECKING:
    from pathlib import Path

    from lockflight.app.realm.realm import Realm
    from lockflight.core.attest.trust import RealmKey
    from lockflight.core.state.issuers import TrustedIssuer
    from lockflight.core.verify.crypto.certificate import Certificate


@dataclass(frozen=True, slots=True)
class Bearer:
    """For whom a verified token speaks.

    Attributes:
        machine: the grant that its certificate lends.
        name: of that machine.
        token: what was verified.
        issuer: whose it is.
    """

    machine: RealmKey
    name: str
    token: Token
    issuer: TrustedIssuer


def bearer(realm: Realm, data: bytes, actor: str = "") -> Bearer:
    """For whom a token speaks; nothing is issued or remembered.

    Args:
        realm: whose issuers count.
        data: the token.
        actor: name or pseudonym that it must speak for; empty for whomever it does.

    Raises:
        VerificationFailed: LF4631 to LF4643 the token.
        PolicyDenied: LF4644 it meets no rule, LF4645 rules of several machines, LF4646 it is of a change that is only
            proposed, LF4652 it speaks for somebody else, LF4653 the machine holds no grant now.
    """
    now = max(clock.now(), realm.view.timestamp)
    said = read_token(data)
    issuer = realm.state.issuers.get(said.issuer)
    if issuer is None:
        raise VerificationFailed(
            "LF4639",
            f"The realm {realm.name!r} trusts no issuer {said.issuer[:120]!r}.",
            hint="lockflight identity issuer list",
        )
    token = verify_token(
        said,
        issuer.keys,
        issuer=issuer.url,
        audience=issuer.audience,
        now=now,
        life_s=issuer.life_s,
        need_jti=issuer.kind in WITH_ID,
    )
    principal = _principal(issuer, token)
    machine = realm.state.machine(principal)
    if machine is None or machine.expired(now):
        raise PolicyDenied(
            "LF4653",
            f"The token speaks for {realm.view.name_of(principal)}, which holds no grant now.",
            hint="lockflight identity list --all",
        )
    name = realm.view.name_of(principal)
    if actor and actor not in {name, principal}:
        raise PolicyDenied(
            "LF4652",
            f"The token speaks for {name}, and {actor!r} was to act.",
            hint="Leave --as (and LOCKFLIGHT_AS) out: the token says who acts.",
        )
    return Bearer(machine, name, token, issuer)


def _principal(issuer: TrustedIssuer, token: Token) -> str:
    why = proposed_change(issuer, token.claims)
    if why:
        raise PolicyDenied(
            "LF4646",
            f"The token is of a job for a change that nobody has taken in yet: {why}.",
            hint="Sign after the merge, in a job of the protected branch.",
        )
    found = {rule.principal for rule in matching(issuer, token.claims)}
    if not found:
        raise PolicyDenied(
            "LF4644",
            f"No rule for {issuer.url} lets this token act.",
            hint="lockflight identity issuer list shows the claims of each rule; each must be equal",
        )
    if len(found) > 1:
        raise PolicyDenied(
            "LF4645",
            f"The token meets rules of {len(found)} machines, so it is not clear who acts.",
            hint="Give one of the rules a claim more: lockflight identity issuer list",
        )
    return found.pop()


def request_words(realm: Realm, data: bytes, public_der: bytes) -> bytes:
    """What the new key signs to show that its holder is who brings the token."""
    lines = (
        "lockflight certificate request v1 token",
        realm.state.root,
        hashlib.sha256(data.strip()).hexdigest(),
        public_der.hex(),
    )
    return "\n".join(lines).encode()


def issue_for_token(
    realm: Realm, data: bytes, public_der: bytes, *, holder: bytes, actor: str = ""
) -> tuple[Certificate, Bearer]:
    """A certificate of ten minutes for whom a token speaks; the token is used up before it is made.

    Args:
        realm: whose authority.
        data: the token.
        public_der: the new key.
        holder: signature of the new key over `request_words`.
        actor: as in `bearer`.

    Raises:
        EnvironmentProblem: LF7451 no authority here, LF5043 no producer key; LF4648, LF4649 the memory of tokens.
        VerificationFailed, PolicyDenied: as `bearer`; LF7452 the holder's signature, LF4647 the token was used before.
    """
    authority = authority_of(realm)
    realm.signer(Duty.PRODUCER)  # seen to before the token is used up
    found = bearer(realm, data, actor)
    if not _holds(public_der, request_words(realm, data, public_der), holder):
        raise PolicyDenied(
            "LF7452",
            "The request for a certificate is not signed by the new key, so its holder may be somebody else.",
            hint="Sign the request with the key that the certificate is for.",
        )
    now = max(clock.now(), realm.view.timestamp)
    TokenMemory(realm.folder).take(found.token.once, found.token.expires + SKEW_S, now)
    said = notes(found.issuer, found.token.claims)
    return issue_on_record(realm, authority, found.machine.principal, public_der, said), found


def _holds(public_der: bytes, words: bytes, signature: bytes) -> bool:
    try:
        return load_der(public_der).verify(words, signature)
    except VerificationFailed:
        return False


def lent_for_token(realm: Realm, data: bytes, actor: str = "") -> ShortLived:
    """A key for one signature by the machine that a token speaks for.

    Raises:
        EnvironmentProblem, VerificationFailed, PolicyDenied: as `issue_for_token`.
    """
    signer = generate(P256)
    holder = signer.sign(request_words(realm, data, signer.public_der))
    certificate, found = issue_for_token(realm, data, signer.public_der, holder=holder, actor=actor)
    trust = realm.state.trust
    principal = found.machine.principal
    return ShortLived(
        signer, certificate, principal, found.name, identity_uri(trust, principal), issuer_of(trust)
    )


def issue_to_bearer(
    home: Path, realm_name: str, folder: Path, data: bytes, *, actor: str = ""
) -> tuple[ShortLived, Path]:
    """A short-lived key and certificate as files, for whom a token speaks.

    Raises:
        ConflictError: LF7007 the folder exists.
        EnvironmentProblem: LF7008 it cannot be written; as `issue_for_token`.
        VerificationFailed, PolicyDenied: as `issue_for_token`.
    """
    return issue_to(home, realm_name, folder, lambda realm: lent_for_token(realm, data, actor))


def need_builder(found: Bearer) -> None:
    """See that a machine may sign a release.

    Raises:
        PolicyDenied: LF4602 it is no builder.
    """
    if "builder" not in found.machine.roles:
        raise PolicyDenied(
            "LF4602",
            f"{found.name} cannot sign a release (roles: {', '.join(found.machine.roles) or 'none'}); "
            "a machine needs the role builder.",
            hint=f"lockflight identity grant {found.name} --role builder",
        )
