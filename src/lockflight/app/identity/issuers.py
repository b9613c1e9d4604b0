"""Issuers of identity tokens that a realm trusts: proposing one with its keys and rules, and taking one back."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockflight.app.identity.principals import find
from lockflight.app.realm.realm import open_realm
from lockflight.app.realm.speak import Said, say
from lockflight.core.attest.trust import Duty
from lockflight.core.state.issuers import IssuerKind, Rule, TrustedIssuer, check_issuer, check_url, rule_fault
from lockflight.core.text.suggest import did_you_mean
from lockflight.core.verify.crypto.jwks import read_jwks
from lockflight.core.verify.crypto.jwt import MAX_LIFE_S
from lockflight.errors import InvalidInput, NotFound, PolicyDenied, UsageError
from lockflight.store.files import read_file

if TYPE_CHECKING:
    from pathlib import Path

    from lockflight.app.realm.realm import Realm
    from lockflight.app.realm.view import RealmView
    from lockflight.core.state.state import Proposal

MAX_FILE_BYTES = 256 * 1024
_FIELDS = frozenset({"url", "kind", "audience", "life-seconds", "rule"})
_REALMS = "lockflight realm init NAME --member you=author --member colleague=approver"


@dataclass(frozen=True, slots=True)
class Told:
    """A rule as people read it: the machine's name and pseudonym, and the claims."""

    name: str
    principal: str
    claims: tuple[tuple[str, str], ...]


def read_issuer(view: RealmView, path: Path, keys: Path) -> TrustedIssuer:
    """An issuer as a file describes it, with the keys of another file.

    Args:
        view: the realm; rules name its machines.
        path: TOML or JSON: `url`, `kind`, `audience`, `life-seconds` and tables `rule` of `machine` and `claims`.
        keys: the issuer's key set (JWKS).

    Raises:
        UsageError: LF4656 a file does not read.
        InvalidInput: LF4650 the keys cannot be pinned, LF4651 a rule that others could meet, or for no machine.
        NotFound: LF4605 nobody of that name.
    """
    raw = _table(path)
    pinned = read_jwks(_bytes(keys))
    try:
        kind = IssuerKind(str(raw.get("kind", "")))
    except ValueError:
        known = [one.value for one in IssuerKind]
        raise _wrong(path, f"`kind` is one of {', '.join(known)}") from None
    life, audience, rows = raw.get("life-seconds", MAX_LIFE_S), raw.get("audience"), raw.get("rule")
    if type(life) is not int or not isinstance(audience, str) or not isinstance(rows, list) or not rows:
        raise _wrong(
            path, "`audience` is a text, `life-seconds` a whole number, and there is at least one [[rule]]"
        )
    rules = []
    for row in rows:
        rule = _rule(view, path, row)
        fault = rule_fault(kind, rule)
        if fault:
            raise InvalidInput(
                "LF4651",
                f"{path}: {fault}.",
                hint="The how-to page on signing in CI lists the claims of each kind of issuer.",
            )
        rules.append(rule)
    try:
        url = check_url(str(raw.get("url", "")))
        head = view.state.issuer_heads.get(url, "")
        issuer = TrustedIssuer(
            url, kind, audience, life, pinned, tuple(rules), removed=False, prev=head, realm=view.state.root
        )
        check_issuer(issuer)
    except ValueError as error:
        raise _wrong(path, str(error)) from error
    return issuer


def _table(path: Path) -> dict[str, object]:
    data = _bytes(path)
    try:
        body = json.loads(data) if path.suffix == ".json" else tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise _wrong(path, str(error)) from error
    if not isinstance(body, dict) or set(body) - _FIELDS:
        raise _wrong(path, f"it holds something else than {', '.join(sorted(_FIELDS))}")
    return body


def _bytes(path: Path) -> bytes:
    try:
        data = read_file(path, MAX_FILE_BYTES)
    except (OSError, ValueError) as error:
        raise _wrong(path, str(error)) from error
    if data is None:
        raise _wrong(path, "it is not there")
    return data


def _rule(view: RealmView, path: Path, row: object) -> Rule:
    claims = row.get("claims") if isinstance(row, dict) else None
    machine = row.get("machine") if isinstance(row, dict) else None
    if (
        not isinstance(row, dict)
        or set(row) != {"machine", "claims"}
        or not isinstance(machine, str)
        or not isinstance(claims, dict)
        or not all(isinstance(value, str) for value in claims.values())
    ):
        raise _wrong(
            path, "a rule has `machine`, a name, and a table `claims` of texts; numbers are texts in tokens"
        )
    key = find(view, machine)
    if key.duty is not Duty.PRODUCER or not key.owner:
        raise InvalidInput(
            "LF4651",
            f"{path}: {machine} is no machine that somebody answers for; tokens of jobs never act for people.",
            hint=f"lockflight identity add NAME --machine --no-key --owner {machine} --role builder",
        )
    return Rule(key.principal, tuple(sorted(claims.items())))


def _wrong(path: Path, why: str) -> UsageError:
    return UsageError(
        "LF4656",
        f"{path} does not describe an issuer: {why}.",
        hint="The how-to page on signing in CI has one for each kind.",
    )


def add(home: Path, realm_name: str, path: Path, keys: Path, *, actor: str) -> tuple[Said, TrustedIssuer]:
    """Propose that tokens of an issuer count; nothing changes until another person consents.

    What was said of the same issuer before is replaced as a whole.

    Raises:
        UsageError, InvalidInput, NotFound: as `read_issuer`.
        PolicyDenied: LF4601 a personal realm; LF4602 who proposes may not.
    """
    realm = _team(home, realm_name)
    person = realm.actor(actor)
    issuer = read_issuer(realm.view, path, keys)
    return say(realm, person, issuer.statement(), f"trust the issuer {issuer.url}"), issuer


def remove(home: Path, realm_name: str, url: str, *, actor: str) -> tuple[Said, TrustedIssuer]:
    """Take an issuer back at once; one person does that.

    Raises:
        NotFound: LF4654 it is not trusted.
        PolicyDenied: LF4601 a personal realm; LF4602 who asks may not revoke.
    """
    realm = _team(home, realm_name)
    person = realm.actor(actor)
    known = realm.state.issuers
    if url not in known:
        raise NotFound(
            "LF4654",
            f"The realm {realm.name!r} trusts no issuer {url[:120]!r}.",
            hint=did_you_mean(url, known, otherwise=f"Trusted: {', '.join(known) or 'none'}."),
        )
    gone = TrustedIssuer(
        url,
        kind=None,
        audience="",
        life_s=0,
        keys=(),
        rules=(),
        removed=True,
        prev=realm.state.issuer_heads[url],
        realm=realm.state.root,
    )
    return say(realm, person, gone.statement(), f"take the issuer {url} back"), gone


def listed(home: Path, realm_name: str) -> tuple[RealmView, list[TrustedIssuer], list[Proposal]]:
    """The issuers that a realm trusts, by address, and those that wait for a second person.

    Raises:
        NotFound, EnvironmentProblem, VerificationFailed: as `open_view`.
    """
    from lockflight.app.identity.proposals import waiting
    from lockflight.app.realm.clock import now

    realm = open_realm(home, realm_name)
    pending = [p for p in waiting(realm.state, now()) if isinstance(p.fact, TrustedIssuer)]
    return realm.view, [realm.state.issuers[url] for url in sorted(realm.state.issuers)], pending


def told(view: RealmView, issuer: TrustedIssuer) -> list[Told]:
    """Its rules as people read them."""
    return [Told(view.name_of(rule.principal), rule.principal, rule.claims) for rule in issuer.rules]


def _team(home: Path, realm_name: str) -> Realm:
    realm = open_realm(home, realm_name)
    if realm.personal:
        raise PolicyDenied(
            "LF4601", "A personal realm has one person and no machines, so no token acts in it.", hint=_REALMS
        )
    return realm
