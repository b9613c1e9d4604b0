"""Signers by key URI: `file:` today, and a clear refusal of every scheme that nobody has built.

`open_signer` is the one way from what a person types to something that signs. A scheme is one function in `_OPENERS`
that returns a `core.ports.Signer`; `tests/signing/contract.py` says what such a signer must do.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import unquote

from lockflight.core.verify.crypto.keys import MAX_PEM_BYTES, PublicKey, load_der, load_pem
from lockflight.errors import NotFound, UsageError, VerificationFailed
from lockflight.signing.keys import PUBLIC_SUFFIX, FileSigner, is_encrypted, load

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockflight.core.ports import Signer

#: Gives the passphrase of a protected key, which it is told by name; None where there is none to be had.
Ask: TypeAlias = "Callable[[str], bytes | None]"

#: RFC 3986 §3.1; one letter alone is no scheme that keys have.
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(.*)", re.ASCII | re.DOTALL)
_POSSIBLE: Final = (
    "file:PATH, or a path; protect the file with a passphrase, and keep it on a medium of its own"
)


def silent(_: str) -> bytes | None:
    """Nobody to ask."""
    return None


def open_signer(uri: str, ask: Ask = silent) -> Signer:
    """What signs with the key that a URI names.

    Args:
        uri: `file:PATH` (RFC 8089, with %-escapes), or a plain path.
        ask: called with the name of the key if it is protected, and only then.

    Raises:
        UsageError: LF0136 no such scheme here, or not a URI of it; LF7005 the passphrase.
        NotFound, InvalidInput, EnvironmentProblem: LF7004 to LF7010 the file, as `signing.keys.load`.
    """
    scheme, rest = _split(uri)
    opener = _OPENERS.get(scheme)
    if opener is None:
        raise UsageError(
            "LF0136",
            f"Keys of the kind {scheme + ':'!r} cannot be used by this version.",
            hint=f"Possible: {_POSSIBLE}.",
        )
    return opener(rest, ask)


def open_file(path: Path, ask: Ask = silent) -> FileSigner:
    """The signer over a key file.

    Raises:
        As `open_signer`.
    """
    return load(path, ask(str(path)) if is_encrypted(path) else None)


def public_of(uri: str, ask: Ask = silent) -> PublicKey:
    """The public key of what a URI names: from a public key file, the `.pub` beside it, or else from the key itself.

    What a `.pub` says is believed, as its file is: nothing is signed by it.

    Raises:
        As `open_signer`.
    """
    scheme, rest = _split(uri)
    if scheme == "file":
        path = _path(rest)
        for public in (path, path.with_name(path.name + PUBLIC_SUFFIX)):
            found = _public(public)
            if found is not None:
                return found
        return open_file(path, ask).public_key
    return load_der(open_signer(uri, ask).public_der)


def _public(path: Path) -> PublicKey | None:
    try:
        with path.open("rb") as stream:
            return load_pem(stream.read(MAX_PEM_BYTES + 1))
    except (OSError, VerificationFailed):
        return None


def _split(uri: str) -> tuple[str, str]:
    """Scheme and what follows; a word without a scheme is a path, in which nothing is escaped."""
    found = _SCHEME.fullmatch(uri)
    if found is None:
        path = uri.replace("%", "%25")
        return "file", f"//{path}" if path.startswith("/") else path
    return found[1].lower(), found[2]


def _path(rest: str) -> Path:
    """The path in what follows `file:`."""
    where = rest
    if where.startswith("//"):
        host, slash, path = where[2:].partition("/")
        if host.lower() not in {"", "localhost"}:
            raise UsageError(
                "LF0136", f"The key URI names another machine ({host!r}).", hint="file:PATH of this machine"
            )
        where = slash + path
    where = unquote(where, errors="surrogateescape")
    if not where or "\0" in where:
        raise UsageError("LF0136", "The key URI names no file.", hint=f"Possible: {_POSSIBLE}.")
    return Path(where)


def _file(rest: str, ask: Ask) -> Signer:
    path = _path(rest)
    if path.is_dir():
        raise NotFound("LF7009", f"{str(path)!r} is a folder, not a key file.", hint="Name the file in it.")
    return open_file(path, ask)


_OPENERS: Final[dict[str, Callable[[str, Ask], Signer]]] = {"file": _file}
