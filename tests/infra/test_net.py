"""The HTTP client against a real HTTPS server: what it fetches, and all that it does not."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.errors import LockflightError, UsageError
from lockflight.infra.net import Budget, fetch, parse
from tests.https import https

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

    from tests.https import Server

pytestmark = pytest.mark.enable_socket

BUDGET = Budget(100_000, wall_s=20)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with https(tmp_path / "tls") as running:
        running.files["/a.tar.gz"] = b"x" * 70_000
        yield running


def refused(code: str, url: str, budget: Budget = BUDGET, **options: object) -> LockflightError:
    with pytest.raises(LockflightError) as caught:
        fetch(url, budget, **options)  # type: ignore[arg-type]
    assert caught.value.code == code, caught.value
    return caught.value


def test_it_fetches(server: Server) -> None:
    assert fetch(server.url("/a.tar.gz"), BUDGET, ca=server.ca) == b"x" * 70_000
    assert fetch(server.url("/a.tar.gz"), Budget(70_000), ca=server.ca) == b"x" * 70_000
    server.files["/empty"] = b""
    assert fetch(server.url("/empty"), BUDGET, ca=server.ca) == b""
    server.files["/b?c=d"] = b"query"
    assert fetch(server.url("/b?c=d"), BUDGET, ca=server.ca) == b"query"


def test_nothing_of_the_machine_is_sent(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys.log"))
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    fetch(server.url("/a.tar.gz"), BUDGET, ca=server.ca)
    [(_, headers)] = server.asked
    assert set(headers) == {"Host", "Accept", "Accept-Encoding", "User-Agent"}
    assert headers["User-Agent"] == "lockflight"
    assert not (tmp_path / "keys.log").exists()


def test_the_system_trusts_no_authority_of_ours(server: Server) -> None:
    assert "certificate" in refused("LF5061", server.url("/a.tar.gz")).message
    assert server.asked == []


def test_an_authority_of_somebody_else(server: Server, tmp_path: Path) -> None:
    with https(tmp_path / "other") as other:
        refused("LF5061", server.url("/a.tar.gz"), ca=other.ca)
    assert server.asked == []


def test_a_certificate_for_another_host(tmp_path: Path) -> None:
    with https(tmp_path / "tls", host="127.0.0.9") as server:
        refused("LF5061", server.url("/a.tar.gz"), ca=server.ca)


def test_a_certificate_that_has_expired(tmp_path: Path) -> None:
    with https(tmp_path / "tls", days=-1) as server:
        refused("LF5061", server.url("/a.tar.gz"), ca=server.ca)


@pytest.mark.parametrize("body", [b"", b"no certificate", None])
def test_a_file_without_authorities(server: Server, tmp_path: Path, body: bytes | None) -> None:
    path = tmp_path / "x.pem"
    if body is not None:
        path.write_bytes(body)
    refused("LF0185", server.url("/a.tar.gz"), ca=path)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/a",
        "HTTP://127.0.0.1/a",
        "ftp://127.0.0.1/a",
        "file:///etc/passwd",
        "https://",
        "https:///a",
        "https://127.0.0.1",
        "https://me@127.0.0.1/a",
        "https://me:secret@127.0.0.1/a",
        "https://127.0.0.1/a#b",
        "https://127.0.0.1/a b",
        "https://127.0.0.1/a\r\nX: y",
        "https://127.0.0.1/a\tb",
        "https://127.0.0.1:99999/a",
        "https://127.0.0.1:0/a",
        "https://[::1/a",
        "https://exämple/a",
        "https://127.0.0.1/" + "a" * 3000,
    ],
)
def test_addresses_that_are_not_fetched(url: str) -> None:
    assert "secret" not in refused("LF0183", url).hint


@given(st.text(max_size=80))
def test_any_text_is_an_address_or_is_not(text: str) -> None:
    for url in (text, "https://h/" + text, "https://" + text):
        try:
            parts = parse(url)
        except UsageError:
            continue
        assert parts.scheme == "https"
        assert parts.hostname
        assert parts.username is None
        assert url.isascii()


def test_what_is_too_large(server: Server) -> None:
    refused("LF5063", server.url("/a.tar.gz"), Budget(69_999), ca=server.ca)

    def unannounced(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        for _ in range(1000):
            request.wfile.write(b"x" * 10_000)

    server.answers["/endless"] = unannounced
    refused("LF5063", server.url("/endless"), ca=server.ca)

    def boasting(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(10**15))
        request.end_headers()

    server.answers["/boast"] = boasting
    refused("LF5063", server.url("/boast"), ca=server.ca)


def test_what_ends_early_or_is_packed(server: Server) -> None:
    def short(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "100")
        request.end_headers()
        request.wfile.write(b"x" * 99)

    server.answers["/short"] = short
    refused("LF5060", server.url("/short"), ca=server.ca)

    def packed(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Encoding", "gzip")
        request.send_header("Content-Length", "1")
        request.end_headers()
        request.wfile.write(b"x")

    server.answers["/packed"] = packed
    refused("LF5060", server.url("/packed"), ca=server.ca)
    refused("LF5060", server.url("/nothing"), ca=server.ca)

    def nonsense(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"\x00\x01\x02 hello\r\n\r\n")

    server.answers["/nonsense"] = nonsense
    refused("LF5060", server.url("/nonsense"), ca=server.ca)


@pytest.mark.parametrize("part", ["body", "headers", "silence"])
def test_a_slow_server(server: Server, part: str) -> None:
    """A byte now and then keeps no connection open for longer than was said."""

    def drip(request: BaseHTTPRequestHandler) -> None:
        if part == "body":
            request.send_response(200)
            request.end_headers()
        elif part == "headers":
            request.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        while not request.stopping.wait(0.05):  # type: ignore[attr-defined]
            if part != "silence":
                request.wfile.write(b"x")
                request.wfile.flush()

    server.answers["/slow"] = drip
    refused("LF5064", server.url("/slow"), Budget(1000, wall_s=0.6), ca=server.ca)


def test_a_server_that_says_nothing_at_all() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        refused("LF5064", f"https://127.0.0.1:{port}/a", Budget(1000, wall_s=0.5))


def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    refused("LF5060", f"https://127.0.0.1:{port}/a")


def test_redirects_on_the_same_host(server: Server) -> None:
    server.redirect("/1", "/2")
    server.redirect("/2", server.url("/3"))
    server.redirect("/3", "a.tar.gz")
    assert fetch(server.url("/1"), BUDGET, ca=server.ca) == b"x" * 70_000
    server.redirect("/0", "/1")
    assert "more than" in refused("LF5062", server.url("/0"), ca=server.ca).message
    server.redirect("/loop", "/loop")
    refused("LF5062", server.url("/loop"), ca=server.ca)


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{port}/a.tar.gz",
        "https://localhost:{port}/a.tar.gz",
        "https://127.0.0.1:1/a.tar.gz",
        "https://127.0.0.1/a.tar.gz",
        "//evil.example/a.tar.gz",
        "https://me:secret@127.0.0.1:{port}/a.tar.gz",
        "file:///etc/passwd",
        "/a.tar.gz#sha256=00",
        "",
    ],
)
def test_redirects_elsewhere(server: Server, location: str) -> None:
    server.redirect("/1", location.format(port=server.port))
    refused("LF5062", server.url("/1"), ca=server.ca)
    assert {path for path, _ in server.asked} == {"/1"}


@pytest.mark.disable_socket
def test_offline_opens_no_socket() -> None:
    refused("LF5065", "https://127.0.0.1:1/a", offline=True)
