"""Where a realm's log lies: in its folder, or at the address of a database that `store.toml` in it names."""

from __future__ import annotations

import json
import stat
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from lockflight.errors import EnvironmentProblem
from lockflight.store.files import read_file, replace_file
from lockflight.store.log.layout import ADDRESS, DATABASE

if TYPE_CHECKING:
    from pathlib import Path

MAX_ADDRESS_BYTES = 16 * 1024
SCHEMES: Final = frozenset({"postgresql", "postgres"})
#: What may follow `?`: where the server is and how it proves who it is. What changes how it works is set by us.
OPTIONS: Final = frozenset(
    {
        "application_name",
        "connect_timeout",
        "host",
        "passfile",
        "port",
        "sslcert",
        "sslkey",
        "sslmode",
        "sslrootcert",
        "target_session_attrs",
    }
)

#: What is shown of an address that may have its password anywhere.
UNREADABLE: Final = "an address that does not read"
#: Whether the caller forbids sockets (`--offline`).
OFFLINE: Final[ContextVar[bool]] = ContextVar("OFFLINE", default=False)


def has_log(folder: Path) -> bool:
    """Whether a realm's folder holds a log or says where it is."""
    return (folder / DATABASE).is_file() or (folder / ADDRESS).is_file()


def shown(url: str) -> str:
    """An address for people, whatever it is: without password, and of its options only where the server is."""
    try:
        parts = urlsplit(url)
        user, port = parts.username, parts.port
    except ValueError:
        return UNREADABLE
    if parts.scheme not in SCHEMES:
        return UNREADABLE
    place = (f"{user}@" if user else "") + (parts.hostname or "") + (f":{port}" if port else "")
    where = [value for name, value in parse_qsl(parts.query) if name == "host"] if not parts.hostname else []
    host = f"?host={where[0]}" if where else ""
    return f"{parts.scheme}://{place}{parts.path}{host}"


def fault(url: str) -> str:
    """What is wrong with an address, in words that quote nothing of it; empty when nothing is."""
    try:
        parts = urlsplit(url)
        _ = parts.port
        options = [
            name
            for name, _ in parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        ]
    except ValueError:
        return "it does not read as a URL"
    if parts.scheme not in SCHEMES:
        return "it does not begin with postgresql://"
    if not unquote(parts.path.removeprefix("/")) or "/" in parts.path.removeprefix("/"):
        return "it names no database after the host"
    unknown = set(options) - OPTIONS
    if unknown or len(set(options)) != len(options) or parts.fragment:
        return f"of options it takes, once each, {', '.join(sorted(OPTIONS))}"
    return ""


def write_address(folder: Path, url: str) -> None:
    """Say in a realm's folder where its log is (0600: the address may hold a password).

    Raises:
        OSError: it cannot be written.
    """
    # Of what `fault` lets through, JSON and TOML write strings the same way.
    replace_file(folder / ADDRESS, f"url = {json.dumps(url)}\n".encode())


def read_address(folder: Path) -> str:
    """The address of a realm's log; empty when the log is in the folder itself.

    Raises:
        EnvironmentProblem: LF5048 it cannot be used, LF5049 the caller forbids sockets.
    """
    import tomllib

    path, url = folder / ADDRESS, ""
    try:
        data = read_file(path, MAX_ADDRESS_BYTES)
        if data is None:
            return ""
        if (folder / DATABASE).exists():
            raise ValueError(f"there is a {DATABASE} beside it, and which of them is the log is not guessed")
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise ValueError("other users may read or write it")
        table = tomllib.loads(data.decode("utf-8"))
        if set(table) != {"url"} or not isinstance(table["url"], str):
            raise ValueError("it holds something else than url")
        url = table["url"]
        why = fault(url)
    except tomllib.TOMLDecodeError:
        why = "it is not TOML"
    except OSError as error:
        why = f"{error.strerror}"
    except ValueError as error:
        why = str(error)
    if why:
        raise EnvironmentProblem(
            "LF5048",
            f"{path}, which says where the realm's log is, cannot be used: {why}.",
            hint=f'chmod 600 {path}; it holds one line: url = "postgresql://USER@HOST/DATABASE"',
        )
    if OFFLINE.get():
        raise EnvironmentProblem(
            "LF5049",
            f"--offline opens no socket, and the realm's log is at {shown(url)}.",
            hint="Run the command without --offline; lockflight config show --origin says who asks for it.",
        )
    return url
