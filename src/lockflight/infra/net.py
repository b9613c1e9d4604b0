"""The only HTTP client: one file over HTTPS, within budgets of bytes and time, and believed by nobody for its name.

Certificates are always checked. Redirects stay on the same host and port. Nothing is read from the environment or the
home: no proxy, no cookie, no password, no key log.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from time import monotonic
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urljoin, urlsplit

from lockflight.core.records import dataclass
from lockflight.errors import EnvironmentProblem, LockflightError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    #: What `getaddrinfo` says: family, kind, protocol, name, address.
    _Address = tuple[int, int, int, str, tuple[object, ...]]

SCHEME: Final = "https://"
MAX_URL = 2_048
MAX_REDIRECTS = 3
#: Seconds for everything: names, connections, redirects, bytes.
WALL_S = 30.0

_CHUNK = 64 * 1024
_OK = 200
_MOVED = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Budget:
    """What one file may cost.

    Attributes:
        max_bytes: the longest body that is read.
        wall_s: seconds until it must be here.
    """

    max_bytes: int
    wall_s: float = WALL_S


def fetch(
    url: str, budget: Budget, *, ca: Path | None = None, offline: bool = False, bearer: str = ""
) -> bytes:
    """The bytes behind an HTTPS address; nothing says yet that they are the right ones.

    Args:
        url: `https://host[:port]/path`, without a fragment.
        budget: bytes and time.
        ca: PEM file of the authorities that count instead of the system's.
        offline: the caller forbids the network.
        bearer: what shows that this caller may have it (RFC 6750); it goes to this address alone, so that no redirect
            is followed then.

    Raises:
        UsageError: LF0183 the address or `bearer` is not of its form; LF0185 the file of authorities cannot be used.
        EnvironmentProblem: LF5060 it cannot be fetched, LF5061 the certificate does not hold, LF5062 a redirect that
            is not followed, LF5063 larger than the budget, LF5064 not here in time, LF5065 offline.
    """
    parts = parse(url)
    context = _context(ca)
    if offline:
        raise EnvironmentProblem(
            "LF5065",
            f"{url} is not fetched: this run is offline.",
            hint="Download it elsewhere and name the file, or run without --offline.",
        )
    if not all("!" <= letter <= "~" for letter in bearer):
        raise UsageError(
            "LF0183", "What would show who asks holds blanks or other than ASCII.", hint="Look at it."
        )
    transfer = _Transfer(url, parts, context, budget, bearer)
    # System calls that look up names know no time limit: they run where nobody waits for them longer than said.
    worker = threading.Thread(target=transfer.run, name="fetch", daemon=True)
    worker.start()
    worker.join(budget.wall_s)
    if worker.is_alive():
        transfer.stop()
        raise _late(url, budget)
    if transfer.error is not None:
        raise transfer.error
    return transfer.body


def parse(url: str) -> SplitResult:
    """The parts of an address that may be fetched.

    Raises:
        UsageError: LF0183 it is not of the form `https://host[:port]/path`.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
        plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= MAX_URL
    except ValueError:
        plain, port, parts = False, None, SplitResult("", "", "", "", "")
    if (
        not plain
        or parts.scheme != "https"
        or not parts.hostname
        or port == 0
        or "@" in parts.netloc
        or parts.fragment
        or not parts.path.startswith("/")
    ):
        raise UsageError(
            "LF0183",
            f"{url[:120]!a} is not fetched: it is not of the form https://HOST/PATH, without a password.",
            hint="Only HTTPS is spoken; download anything else yourself and name the file.",
        )
    return parts


def _context(ca: Path | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificate and host name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if ca is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            "LF0185",
            f"{ca} holds no certificate of an authority in PEM form.",
            hint="--ca FILE names the certificates that count instead of the system's.",
        ) from error
    return context


class _Transfer:
    """One file, fetched in a thread of its own."""

    def __init__(
        self, url: str, parts: SplitResult, context: ssl.SSLContext, budget: Budget, bearer: str = ""
    ) -> None:
        self.url = url
        self._bearer = bearer
        self.body = b""
        self.error: LockflightError | None = None
        self._parts = parts
        self._context = context
        self._budget = budget
        self._deadline = monotonic() + budget.wall_s
        self._socket: socket.socket | None = None

    def run(self) -> None:
        """Fetch; what became of it stands in `body` and `error`."""
        try:
            self.body = self._follow()
        except LockflightError as error:
            self.error = error
        except TimeoutError:
            self.error = _late(self.url, self._budget)
        except ssl.SSLCertVerificationError as error:
            self.error = EnvironmentProblem(
                "LF5061",
                f"The certificate of {self._parts.netloc} does not hold: {error.verify_message}.",
                hint="--ca FILE names the certificate of an authority of your own; the check cannot be left out.",
            )
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.error = _failed(self.url, f"{str(error)[:160] or type(error).__name__}")

    def stop(self) -> None:
        """Let go of the connection; the thread ends by it."""
        held = self._socket
        if held is not None:
            with contextlib.suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)  # wakes whoever reads from it; closing alone does not
            held.close()

    def _follow(self) -> bytes:
        host, port = self._parts.hostname or "", self._parts.port or 443
        # One look-up for the whole transfer: a name that changes its mind in between leads nowhere else.
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        parts = self._parts
        for _ in range(MAX_REDIRECTS + 1):
            found = self._get(addresses, host, port, parts)
            if isinstance(found, bytes):
                return found
            if self._bearer:
                raise _astray(self.url, "who asks is shown to this address alone")
            parts = self._next(parts, found)
        raise _astray(self.url, f"there are more than {MAX_REDIRECTS}")

    def _next(self, parts: SplitResult, location: str) -> SplitResult:
        try:
            there = parse(urljoin(parts.geturl(), location))
        except (UsageError, ValueError):
            raise _astray(self.url, f"it leads to {location[:120]!a}") from None
        if (there.hostname, there.port or 443) != (parts.hostname, parts.port or 443):
            raise _astray(self.url, f"it leads to another host, {there.netloc[:120]!a}")
        return there

    def _get(
        self,
        addresses: Sequence[_Address],
        host: str,
        port: int,
        parts: SplitResult,
    ) -> bytes | str:
        """The body, or where a redirect leads."""
        connection = http.client.HTTPConnection(host, port)
        try:
            connection.sock = self._socket = self._connect(addresses, host)
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            headers = {"Accept-Encoding": "identity", "Accept": "*/*", "User-Agent": "lockflight"}
            if port == 443:
                headers["Host"] = f"[{host}]" if ":" in host else host
            if self._bearer:
                headers["Authorization"] = f"Bearer {self._bearer}"
            connection.request("GET", path, headers=headers)
            with connection.getresponse() as response:
                if response.status in _MOVED:
                    return response.headers.get("Location", "")
                if response.status != _OK:
                    raise _failed(self.url, f"the server answers {response.status}")
                return self._read(response)
        finally:
            connection.close()
            if self._socket is not None:
                self._socket.close()

    def _connect(self, addresses: Sequence[_Address], host: str) -> ssl.SSLSocket:
        problem: OSError = OSError("the name has no address")
        for family, kind, protocol, _, address in addresses:
            plain = socket.socket(family, kind, protocol)
            self._socket = plain
            try:
                plain.settimeout(self._left())
                plain.connect(address)
                return self._context.wrap_socket(plain, server_hostname=host)
            except ssl.SSLError:
                plain.close()
                raise
            except OSError as error:
                plain.close()
                problem = error
        raise problem

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise _failed(self.url, "the server compresses what it sends, unasked")
        expected = response.length
        if expected is not None and expected > self._budget.max_bytes:
            raise _large(self.url, self._budget)
        body = bytearray()
        while True:
            if self._socket is not None:
                self._socket.settimeout(self._left())
            piece = response.read1(_CHUNK)
            if not piece:
                break
            body += piece
            if len(body) > self._budget.max_bytes:
                raise _large(self.url, self._budget)
        if expected is not None and len(body) != expected:
            raise _failed(self.url, f"it ends after {len(body)} of {expected} bytes")
        return bytes(body)

    def _left(self) -> float:
        left = self._deadline - monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def _failed(url: str, why: str) -> EnvironmentProblem:
    return EnvironmentProblem("LF5060", f"{url} cannot be fetched: {why}.", hint="Look at the address.")


def _astray(url: str, why: str) -> EnvironmentProblem:
    return EnvironmentProblem(
        "LF5062",
        f"A redirect of {url} is not followed: {why}.",
        hint="Name the address where the file is; redirects may not leave the host or HTTPS.",
    )


def _large(url: str, budget: Budget) -> EnvironmentProblem:
    return EnvironmentProblem(
        "LF5063",
        f"{url} is larger than the {budget.max_bytes} bytes that are read of it.",
        hint="Look at the address: this is no policy bundle.",
    )


def _late(url: str, budget: Budget) -> EnvironmentProblem:
    return EnvironmentProblem(
        "LF5064",
        f"{url} was not here after {budget.wall_s:g} seconds.",
        hint="Try again, or download it yourself and name the file.",
    )
