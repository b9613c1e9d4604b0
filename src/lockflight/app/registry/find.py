"""Which releases contain something, and where these are or were: the first question of an incident.

The answer comes from the signed releases in the log, so it needs no package and no index.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lockflight.app.gate.approvals import may_revoke
from lockflight.app.realm.asof import view_at
from lockflight.app.realm.realm import open_realm
from lockflight.app.realm.speak import Said, must_be_effective
from lockflight.app.release.resolve import SHORTEST, signed
from lockflight.core.attest.acts import Promotion, Revocation, Scope
from lockflight.core.attest.check import base_name
from lockflight.core.records import dataclass
from lockflight.core.text.globs import parse_glob
from lockflight.errors import NotFound, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from lockflight.app.realm.view import RealmView
    from lockflight.core.release.release import Release
    from lockflight.core.state.state import State

_HEX = re.compile(rf"(?:sha256:)?[0-9a-f]{{{SHORTEST},64}}", re.ASCII)
_SPECIAL = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Place:
    """A slot that holds a release, or held it."""

    environment: str
    slot: str
    now: bool
    exposure: int


@dataclass(frozen=True, slots=True)
class Match:
    """Something in a release.

    Attributes:
        digest: SHA-256 of the file, or of the descriptor of what lies outside.
        path: its name in the release.
        role: what it is for.
        release, name, version: in which release.
        places: where that is now or was before.
        revoked: why it, or the release, was taken back; empty if neither was.
    """

    digest: str
    path: str
    role: str
    release: str
    name: str
    version: str
    places: tuple[Place, ...]
    revoked: str


def find(
    home: Path, realm_name: str, query: str, *, as_of: int | None = None
) -> tuple[RealmView, list[Match]]:
    """Everything in the realm's signed releases that a query means.

    Args:
        home: folder of realms.
        realm_name: the realm.
        query: the start of a digest (8 digits at least), a file name, a path in a release, or a pattern of one.
        as_of: Unix seconds of an earlier time; None for now.

    Raises:
        InvalidInput: LF0160 not a pattern.
        NotFound: LF4571 nothing in any release is it.
        EnvironmentProblem, VerificationFailed: as `view_at`.
    """
    wanted = _meaning(query)
    view = view_at(home, realm_name, as_of)
    found = matches(view.state, wanted)
    if not found:
        count = len(view.state.signatures)
        raise NotFound(
            "LF4571",
            f"Nothing in the {count} releases that the realm {realm_name} has seen is {query!r}.",
            hint="Give a digest, a file name, a path or a pattern such as 'data/**'.",
        )
    return view, found


def _meaning(query: str) -> Callable[[str, str], bool]:
    """Whether a digest or a path is meant."""
    if _HEX.fullmatch(query.lower()):
        prefix = query.lower().removeprefix("sha256:")
        return lambda digest, path: digest.startswith(prefix) or query in {path, base_name(path)}
    if _SPECIAL.search(query):
        pattern = parse_glob(query)
        return lambda _, path: pattern.matches(path) or pattern.matches(base_name(path))
    return lambda _, path: query in {path, base_name(path)}


def matches(state: State, wanted: Callable[[str, str], bool]) -> list[Match]:
    """Everything in signed releases that is wanted, by release and path."""
    found = []
    held = _held(state)
    for release in signed(state):
        places = _places(state, release.digest, held.get(release.digest, ()))
        hit = state.revocation([release.digest])
        for path, role, digests in _contents(release):
            named = [digest for digest in digests if wanted(digest, path)]
            if not named:
                continue
            taken = hit or state.revocation(digests)
            found.append(
                Match(
                    digest=named[0],
                    path=path,
                    role=role,
                    release=release.digest,
                    name=release.name,
                    version=release.version,
                    places=places,
                    revoked=taken[0].reason if taken is not None else "",
                )
            )
    return sorted(found, key=lambda m: (m.name, m.version, m.release, m.path))


def _contents(release: Release) -> Iterable[tuple[str, str, tuple[str, ...]]]:
    """Name, role and digests of each file and of each thing outside: what it is pinned to, then its descriptor."""
    for asset in release.assets:
        yield asset.name, asset.role.value, (asset.sha256,)
    for reference in release.references:
        pinned = (reference.digest.removeprefix("sha256:"),) if reference.digest else ()
        yield reference.name, reference.role.value, (*pinned, reference.sha256)


def _held(state: State) -> dict[str, set[tuple[str, str, str]]]:
    """Release to the slots that ever held it, as a candidate too."""
    held: dict[str, set[tuple[str, str, str]]] = {}
    for record in state.records:
        fact = record.fact
        if record.effective and isinstance(fact, Promotion):
            held.setdefault(fact.release, set()).add((fact.project, fact.environment, fact.slot))
    return held


def _places(state: State, release: str, held: Iterable[tuple[str, str, str]]) -> tuple[Place, ...]:
    found = []
    for project, environment, name in held:
        part = state.slot(project, environment, name).exposures.get(release)
        found.append(Place(environment, name, part is not None, part or 0))
    order = {name: i for i, name in enumerate(state.environments)}
    return tuple(sorted(found, key=lambda p: (order.get(p.environment, len(order)), p.slot)))


def assets_of(found: Iterable[Match]) -> dict[str, str]:
    """Digest to one of its names, each once."""
    result: dict[str, str] = {}
    for match in found:
        result.setdefault(match.digest, match.path)
    return result


def revoke_where(
    home: Path, realm_name: str, assets: dict[str, str], *, reason: str, note: str, actor: str, sure: bool
) -> list[Said]:
    """Revoke assets that were found, in one step: all of them or none.

    Args:
        home: folder of realms.
        realm_name: the realm.
        assets: digest to name.
        reason: one of the words for machines.
        note: free text, kept erasable.
        actor: who revokes.
        sure: whether more than one may be revoked.

    Raises:
        UsageError: LF0145 several are meant, and nobody said that all are.
        PolicyDenied: LF4522 the person may not revoke.
    """
    if len(assets) > 1 and not sure:
        raise UsageError(
            "LF0145",
            f"The query means {len(assets)} different assets, and a revocation is never taken back.",
            hint="Add --yes to revoke all of them, or name one.",
            details={"assets": [{"digest": f"sha256:{d}", "name": n} for d, n in assets.items()]},
        )
    realm = open_realm(home, realm_name)
    person = realm.actor(actor)
    may_revoke(realm, person)
    blob = realm.put_blob({"note": note}) if note else ""
    statements = [
        Revocation(Scope.ASSET, digest, name, reason, blob, realm.state.root).statement()
        for digest, name in assets.items()
    ]
    receipts = realm.append([(statement, person.signer) for statement in statements])
    for receipt in receipts:
        must_be_effective(realm, receipt.envelope)
    return [Said(r.envelope, r.index, person.principal, person.name) for r in receipts]
