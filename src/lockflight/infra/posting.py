"""Asking a service: one request, one bounded reply, no redirects, no proxies, no cookies.

Files are fetched by `infra.net`. Witnesses may be asked without TLS: what they say is signed, and checked as such.
"""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from lockflight.errors import EnvironmentProblem, UsageError

if TYPE_CHECKING:
    from urllib.parse import SplitResult

TIMEOUT_SECONDS: Final = 20
_PRINTABLE = frozenset(map(chr, range(0x21, 0x7F)))


@dataclass(frozen=True, slots=True)
class Response:
    """Status, content type and body of a reply."""

    status: int
    kind: str
    body: bytes


def post(
    url: str, body: bytes, *, max_bytes: int, offline: bool, timeout: float = TIMEOUT_SECONDS
) -> Response:
    """Send a request and read its reply.

    Args:
        url: `http://` or `https://`, without user, query or fragment; certificates are checked.
        body: what to send.
        max_bytes: the longest reply that is read.
        offline: whether sockets are forbidden.
        timeout: seconds for each step.

    Raises:
        UsageError: LF0167 not such an address.
        EnvironmentProblem: LF5056 it is forbidden, cannot be reached, or answers too much.
    """
    parts = checked(url)
    if offline:
        raise EnvironmentProblem(
            "LF5056",
            f"--offline opens no socket, so {url} is not asked.",
            hint="Run the command without --offline; lockflight config show --origin says who asks for it.",
        )
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout)
    try:
        connection.request("POST", parts.path or "/", body, {"Content-Type": "text/plain; charset=utf-8"})
        reply = connection.getresponse()
        data = reply.read(max_bytes + 1)
        if len(data) > max_bytes:
            raise _unreachable(url, f"its reply is longer than {max_bytes} bytes")
        return Response(reply.status, reply.headers.get_content_type(), data)
    except OSError as error:
        raise _unreachable(url, error.strerror or str(error) or type(error).__name__) from error
    except http.client.HTTPException as error:
        raise _unreachable(url, f"what answers there does not speak HTTP ({type(error).__name__})") from error
    finally:
        connection.close()


def checked(url: str) -> SplitResult:
    """The parts of an address.

    Raises:
        UsageError: LF0167 not an address that is used here.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.username or parts.password or parts.query or parts.fragment or set(url) - _PRINTABLE:
        raise UsageError(
            "LF0167",
            f"{url[:120]!r} is not an address of a service.",
            hint="It has the form https://HOST/PATH, without user, query or fragment.",
        )
    return parts


def _unreachable(url: str, why: str) -> EnvironmentProblem:
    return EnvironmentProblem(
        "LF5056",
        f"{url} cannot be asked: {why}.",
        hint="See that it runs, and that this machine may reach it.",
    )
