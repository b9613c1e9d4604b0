"""The HTTP side of a witness: two addresses, small requests, few threads, nothing else."""

from __future__ import annotations

import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final

from lockflight.core.verify.log.submission import MAX_REQUEST_BYTES, SIZE_TYPE, Refused
from lockflight.errors import LockflightError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from lockflight.log.witness import Witness

#: A client that is slower than this is let go.
TIMEOUT_SECONDS: Final = 20
MAX_CONNECTIONS: Final = 64
_MONITORED = re.compile(r"/([0-9a-f]{64})/checkpoint", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,9}", re.ASCII)
_TEXT = "text/plain; charset=utf-8"


class WitnessServer(ThreadingHTTPServer):
    """Serves `POST /add-checkpoint` and `GET /<SHA-256 of origin>/checkpoint` for a witness.

    Args:
        address: host and port; port 0 for any.
        witness: who answers.
        say: is told one line per request that was refused or failed.

    Raises:
        OSError: the address cannot be used.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], witness: Witness, say: Callable[[str], None]) -> None:
        self.witness = witness
        self.say = say
        self._room = threading.BoundedSemaphore(MAX_CONNECTIONS)
        super().__init__(address, _Handler)

    def process_request(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Start a thread, or turn the client away where too many are being served."""
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Serve one client and make room for the next."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """A client that went away is no news; anything else is said, in one line."""
        error = sys.exception()
        if not isinstance(error, ConnectionError | TimeoutError):
            self.say(f"a request failed: {error!r}")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "lockflight-witness"
    sys_version = ""
    timeout = TIMEOUT_SECONDS
    server: WitnessServer

    def do_POST(self) -> None:
        """`add-checkpoint`."""
        body = self._body()
        if body is None:
            return
        if self.path != "/add-checkpoint":
            self._answer(404, "There is nothing here.\n")
            return
        self._guarded(lambda: self._answer(200, self.server.witness.add_checkpoint(body)))

    def do_GET(self) -> None:
        """The newest cosigned checkpoint of a log."""
        found = _MONITORED.fullmatch(self.path)
        self._guarded(lambda: self._newest(found[1] if found else ""))

    def _newest(self, origin_hash: str) -> None:
        note = self.server.witness.checkpoint(origin_hash)
        if note is None:
            self._answer(404, "There is nothing here.\n")
        else:
            self._answer(200, note)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Refused as refused:
            kind = SIZE_TYPE if refused.status == 409 else _TEXT
            self.server.say(f"refused: {refused.status} {refused.body.strip()}")
            self._answer(refused.status, refused.body.rstrip("\n") + "\n", kind)
        except LockflightError as error:
            self.server.say(f"error {error}")
            self._answer(503, "The witness cannot answer now.\n")

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not _DIGITS.fullmatch(length):
            self._close(411, "A request names its length.\n")
        elif int(length) > MAX_REQUEST_BYTES:
            self._close(413, "The request is too long.\n")
        else:
            data = self.rfile.read(int(length))
            if len(data) == int(length):
                return data
            self.close_connection = True
        return None

    def _close(self, status: int, body: str) -> None:
        # What was not read would be taken for the next request.
        self.close_connection = True
        self._answer(status, body)

    def _answer(self, status: int, body: str, kind: str = _TEXT) -> None:
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Requests are told by `say`, in words of ours: what a client sends is not for a terminal."""
