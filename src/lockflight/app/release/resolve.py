"""From what a person types (the start of a digest, a package) to the digest of a thing in a realm."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.core.attest.acts import Registration, Scope
from lockflight.core.attest.trust import Grant, Trust
from lockflight.core.release.release import parse_release
from lockflight.errors import LockflightError, NotFound, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockflight.core.attest.trust import RealmKey
    from lockflight.core.release.release import Release
    from lockflight.core.state.state import Record, State

SHORTEST = 8
_PREFIX = re.compile(r"[0-9a-f]{1,64}", re.ASCII)
_FULL = 64


def known(state: State, scope: Scope) -> dict[str, str]:
    """Every digest of a scope that the realm has seen, with its name."""
    if scope is Scope.KEY:
        return {keyid: key.principal or key.duty.value for keyid, (key, _) in keys_ever(state).items()}
    names: dict[str, str] = {}
    for records in state.registrations.values():
        for record in records:
            if isinstance(record.fact, Registration):
                names[record.fact.release] = f"{record.fact.name} {record.fact.version}"
    if scope is Scope.RELEASE:
        return names
    return {asset.sha256: asset.name for release in signed(state) for asset in release.assets}


def keys_ever(state: State) -> dict[str, tuple[RealmKey, Record]]:
    """Every key that the realm knew or was asked to know, by id, with the entry that named it first.

    A key that was replaced can still be stolen, and what it signed can still be taken back.
    """
    found: dict[str, tuple[RealmKey, Record]] = {}
    for record in state.records:
        fact = record.fact
        if not record.effective:
            continue
        if isinstance(fact, Trust):
            named = fact.keys
        elif isinstance(fact, Grant) and not fact.withdrawn:
            named = (fact.key,)
        else:
            continue
        for key in named:
            found[key.keyid] = (key, found[key.keyid][1] if key.keyid in found else record)
    return found


def signed(state: State) -> list[Release]:
    """Every release whose signature is in the log, read back from it.

    Another tool's statement is left out: its files are known by their full digest only.
    """
    return [release for digest in state.signatures if (release := signed_as(state, digest)) is not None]


def signed_as(state: State, digest: str) -> Release | None:
    """The release of a digest, read back from its logged signature; None where there is none, or it does not read."""
    record = next(iter(state.signatures.get(digest, [])), None)
    if record is None or record.statement is None:
        return None
    try:
        release = parse_release(record.statement.payload())
    except LockflightError:
        return None
    return release if release.digest == digest else None


def digest_of(word: str, names: Mapping[str, str], what: str) -> tuple[str, str]:
    """The digest that starts with `word`, and its name; a full digest need not be known.

    Raises:
        UsageError: LF0119 not the start of a digest, or of several.
        NotFound: LF4524 nothing starts with it.
    """
    prefix = word.lower().removeprefix("sha256:")
    if not _PREFIX.fullmatch(prefix) or len(prefix) < SHORTEST:
        raise UsageError(
            "LF0119",
            f"{word!r} is not the digest of a {what}: at least {SHORTEST} hexadecimal digits of it are needed.",
            hint="lockflight log show prints digests.",
        )
    found = [digest for digest in names if digest.startswith(prefix)]
    if len(found) == 1:
        return found[0], names[found[0]]
    if len(found) > 1:
        some = ", ".join(f"{digest[: len(prefix) + 4]}… ({names[digest]})" for digest in sorted(found)[:5])
        raise UsageError(
            "LF0119", f"{word!r} is the start of {len(found)} digests: {some}.", hint="Type more of it."
        )
    if len(prefix) == _FULL:
        return prefix, prefix[:16]
    raise NotFound(
        "LF4524",
        f"Nothing in the realm's log is a {what} whose digest starts with {prefix}.",
        hint="lockflight log show prints digests; a full digest of 64 digits need not be known.",
    )


def release_of(word: str, state: State) -> tuple[str, str]:
    """The digest of a release and its name, from a package's folder or from the start of its digest.

    Raises:
        UsageError, NotFound: as `digest_of`.
        VerificationFailed: the folder holds no signed release.
    """
    folder = Path(word)
    if folder.is_dir():
        from lockflight.app.release.verify import signed_release

        release = signed_release(folder)
        return release.digest, f"{release.name} {release.version}"
    return digest_of(word, known(state, Scope.RELEASE), "release")


def entry_of(word: str, state: State) -> Record:
    """The log entry whose envelope digest starts with `word`, or of that index.

    Raises:
        UsageError, NotFound: as `digest_of`; NotFound LF4524 also for an index beyond the log.
    """
    if word.isascii() and word.isdecimal() and len(word) < SHORTEST:
        index = int(word)
        if index >= len(state.records):
            raise NotFound(
                "LF4524",
                f"The log has no entry {index}: it ends with {len(state.records) - 1}.",
                hint="lockflight log show",
            )
        return state.records[index]
    digest, _ = digest_of(word, {d: r.name for d, r in state.by_digest.items()}, "log entry")
    if digest not in state.by_digest:
        raise NotFound("LF4524", f"The realm's log holds no entry {digest[:16]}.", hint="lockflight log show")
    return state.by_digest[digest]
