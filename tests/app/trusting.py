"""A team realm with authorities, machines without keys, and an issuer of tokens of each kind for one of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lockflight.app.identity import authority, issuers
from lockflight.app.identity import principals as identity
from lockflight.app.identity.proposals import review
from lockflight.app.realm.clock import now
from lockflight.app.realm.realm import Member, Realm, create_realm
from lockflight.core.attest.changes import Verdict
from lockflight.core.attest.trust import RealmKind
from tests.tokens import AUDIENCE, MAKERS, Maker

if TYPE_CHECKING:
    from pathlib import Path

REALM = "acme"
MEMBERS = [Member("alice", ("author",)), Member("bob", ("approver",)), Member("carol", ("approver",))]


def consent(home: Path, envelope: str, actor: str = "carol") -> None:
    review(home, REALM, envelope, verdict=Verdict.CONSENT, note="", actor=actor)


def machine(home: Path, name: str, *roles: str) -> None:
    """A machine of alice's without a key, proposed by bob, given by carol."""
    done = identity.add(
        home,
        REALM,
        name,
        roles=roles or ("builder",),
        machine=True,
        no_key=True,
        owner="alice",
        actor="bob",
        now=now(),
    )
    consent(home, done.said.envelope)


def described(
    folder: Path, maker: Maker, *rules: tuple[str, dict[str, str]], **more: object
) -> tuple[Path, Path]:
    """An issuer as files: what describes it, and its keys."""
    file, keys = folder / f"{maker.kind}.json", folder / f"{maker.kind}-jwks.json"
    body = {
        "url": maker.url,
        "kind": maker.kind,
        "audience": AUDIENCE,
        "rule": [{"machine": name, "claims": claims} for name, claims in rules],
        **more,
    }
    file.write_text(json.dumps(body))
    keys.write_text(json.dumps(maker.keys()))
    return file, keys


def trust(
    home: Path, folder: Path, maker: Maker, *rules: tuple[str, dict[str, str]], **more: object
) -> issuers.TrustedIssuer:
    """Let its tokens count, by two people."""
    said, fact = issuers.add(home, REALM, *described(folder, maker, *rules, **more), actor="bob")
    consent(home, said.envelope)
    return fact


def trusting(home: Path, folder: Path) -> Realm:
    """The realm `acme`; the machine `ci-KIND` for each kind of issuer."""
    create_realm(home, REALM, RealmKind.TEAM, MEMBERS)
    authority.found(home, REALM)
    for maker in MAKERS.values():
        machine(home, f"ci-{maker.kind}")
        trust(home, folder, maker, (f"ci-{maker.kind}", maker.rule))
    return Realm(home, REALM)


def small_realm(home: Path, folder: Path) -> None:
    """The realm `acme` with one machine, `ci`, for which tokens of GitHub speak."""
    create_realm(home, REALM, RealmKind.TEAM, MEMBERS)
    authority.found(home, REALM)
    machine(home, "ci")
    maker = MAKERS["github"]
    trust(home, folder, maker, ("ci", maker.rule))
