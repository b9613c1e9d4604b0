"""The second factor of a person in this home: enrolling it, and using a code once."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING

from lockflight.app.realm.realm import open_realm
from lockflight.errors import ConflictError, EnvironmentProblem, NotFound, PolicyDenied
from lockflight.identity import totp
from lockflight.store.files import locked, read_file, replace_file

if TYPE_CHECKING:
    from pathlib import Path

    from lockflight.app.realm.realm import Actor, Realm

MAX_BYTES = 4096


def file_of(realm: Realm, principal: str) -> Path:
    """Where the secret of a person lies, beside the key."""
    return realm.folder / "keys" / f"{principal}.totp"


def enrolled(realm: Realm, principal: str) -> bool:
    """Whether a second factor of a person is in this home."""
    return file_of(realm, principal).is_file()


def enrol(home: Path, realm_name: str, *, actor: str, replace: bool) -> tuple[Actor, str, str]:
    """Make a secret for a person; it is shown once.

    Returns:
        The person, the `otpauth:` URI, and the secret as people type it.

    Raises:
        ConflictError: LF4611 there is one already, and `replace` was not asked for.
        EnvironmentProblem: LF4614 it cannot be written.
    """
    realm = open_realm(home, realm_name)
    person = realm.actor(actor)
    path = file_of(realm, person.principal)
    secret = secrets.token_bytes(totp.SECRET_BYTES)
    try:
        with locked(path.with_suffix(".lock"), "the second factor"):
            if path.exists() and not replace:
                raise ConflictError(
                    "LF4611",
                    f"{person.name} has a second factor already; another secret would make that device useless.",
                    hint="lockflight identity totp enrol --replace",
                )
            _write(path, secret, -1)
    except OSError as error:
        raise _unusable(path, error.strerror or "") from error
    uri = totp.uri(secret, issuer=f"Lockflight {realm.name}", account=person.name)
    return person, uri, totp.spelled(secret)


def use(realm: Realm, person: Actor, code: str, now: int) -> int:
    """Take a code, once; it is spent whatever comes of what it was given for.

    Returns:
        When the device began to show it, Unix seconds; never later than now.

    Raises:
        NotFound: LF4612 this home holds no second factor of the person.
        PolicyDenied: LF4613 the code is wrong, too old, or was used.
        EnvironmentProblem: LF4614 the secret cannot be read.
    """
    path = file_of(realm, person.principal)
    if not path.exists():
        raise NotFound(
            "LF4612",
            f"This home holds no second factor of {person.name}.",
            hint=f"lockflight identity totp enrol --as {person.name}",
        )
    try:
        with locked(path.with_suffix(".lock"), "the second factor"):
            secret, last = _read(path)
            step = totp.matching(secret, code.replace(" ", ""), now, after=last)
            if step is None:
                raise PolicyDenied(
                    "LF4613",
                    f"The code of {person.name} is wrong, too old, or was used before.",
                    hint="Wait for the next one; the clocks of both devices must agree within half a minute.",
                )
            _write(path, secret, step)
            return min(step * totp.PERIOD_S, now)
    except OSError as error:
        raise _unusable(path, error.strerror or "") from error


def _write(path: Path, secret: bytes, last: int) -> None:
    replace_file(path, json.dumps({"secret": totp.spelled(secret), "last": last}).encode())


def _read(path: Path) -> tuple[bytes, int]:
    try:
        body = json.loads(read_file(path, MAX_BYTES) or b"")
        last = body["last"]
        if not isinstance(last, int) or isinstance(last, bool):
            raise TypeError("`last` is no number")
        return totp.read(body["secret"]), last
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise _unusable(path, str(error)) from error


def _unusable(path: Path, why: str) -> EnvironmentProblem:
    return EnvironmentProblem(
        "LF4614",
        f"The second factor {path} cannot be used: {why}.",
        hint="lockflight identity totp enrol --replace makes a new one.",
    )
