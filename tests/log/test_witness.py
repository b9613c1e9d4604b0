"""A witness: it cosigns what continues, over HTTP as the specification says, and it never forgets."""

from __future__ import annotations

import hashlib
import http.client
import json
import shutil
import socket
import threading
from urllib.parse import urlsplit

import pytest

from lockflight.core.verify.log.note import KIND_COSIGNATURE, NoteKey, check_signature, parse_note
from lockflight.core.verify.log.submission import MAX_REQUEST_BYTES, Refused
from lockflight.errors import ConflictError, EnvironmentProblem, NotFound
from lockflight.infra.posting import post
from lockflight.log.witness import Witness
from lockflight.signing.keys import generate
from lockflight.store.witnessed import WitnessFolder, create
from tests.log.making import ORIGIN, START, Clock, items, opened
from tests.log.witnessing import LOG_VKEY, NAME, SIGNER, made, request, serving
from tests.store.making import refused


@pytest.fixture
def log(home):
    writer = opened(home)
    writer.append(items(4))
    yield writer
    writer.close()


@pytest.fixture
def witness(tmp_path):
    return made(tmp_path / "witness")


def status(witness, body):
    with pytest.raises(Refused) as caught:
        witness.add_checkpoint(body)
    return caught.value.status, caught.value.body


def test_it_cosigns_the_checkpoint(home, log, witness):
    line = witness.add_checkpoint(request(home, 0))
    assert line.startswith(f"\u2014 {NAME} ")
    key = NoteKey(NAME, KIND_COSIGNATURE, SIGNER.public_key.raw)
    assert check_signature(parse_note(log.checkpoint() + line), key) == START
    kept = witness.logs()[ORIGIN]
    assert (kept.size, kept.time) == (4, START)
    assert check_signature(parse_note(kept.note), key) == START
    assert check_signature(parse_note(kept.note), LOG_VKEY) == 0
    assert len(parse_note(kept.note).signatures) == 2, "what it did not verify, it does not hand on"


def test_it_follows_the_log_and_nothing_else(home, log, witness):
    witness.add_checkpoint(request(home, 0))
    first = log.checkpoint()
    log.append(items(3, 4))
    assert status(witness, request(home, 0)) == (409, "4\n")
    assert status(witness, request(home, 3)) == (409, "4\n")
    witness.add_checkpoint(request(home, 4))
    assert status(witness, request(home, 4, first)) == (409, "7\n")
    assert witness.add_checkpoint(request(home, 7)), "the same once more, with a new time"


def test_a_log_that_was_put_back_is_refused(home, log, witness, tmp_path):
    """The operator restores yesterday's database and appends to it: another history of the same name."""
    log.close()
    shutil.copytree(home, tmp_path / "yesterday")
    writer = opened(home)
    writer.append(items(3, 4))
    witness.add_checkpoint(request(home, 0))
    writer.close()
    restored = tmp_path / "yesterday"
    shutil.rmtree(restored / "pins")
    writer = opened(restored)
    assert status(witness, request(restored, 4)) == (409, "7\n")
    writer.append(items(5, 100))
    assert status(witness, request(restored, 7))[0] == 422
    assert witness.logs()[ORIGIN].size == 7
    writer.close()


def test_its_clock_does_not_go_back(home, log, tmp_path):
    clock = Clock()
    witness = made(tmp_path / "witness", clock=clock)
    witness.add_checkpoint(request(home, 0))
    clock.now -= 200
    witness.add_checkpoint(request(home, 4))
    assert witness.logs()[ORIGIN].time == START
    clock.now -= 200
    refused(EnvironmentProblem, "LF5032", lambda: witness.add_checkpoint(request(home, 4)))


def test_a_key_of_another_kind_is_refused(tmp_path):
    state = create(tmp_path / "witness", NAME)
    refused(EnvironmentProblem, "LF5037", lambda: Witness(state, generate(), Clock()))


def test_nothing_is_cosigned_that_is_not_kept(home, log, witness, monkeypatch):
    def full(*args, **kwargs):
        raise EnvironmentProblem("LF5054", "full")

    monkeypatch.setattr(WitnessFolder, "_write", full)
    refused(EnvironmentProblem, "LF5054", lambda: witness.add_checkpoint(request(home, 0)))


def test_a_witness_that_forgot_does_not_start_anew(home, log, tmp_path):
    folder = tmp_path / "witness"
    witness = made(folder)
    witness.add_checkpoint(request(home, 0))
    refused(ConflictError, "LF5055", lambda: create(folder, NAME))
    state = folder / "state.json"
    good = state.read_bytes()
    state.unlink()
    refused(EnvironmentProblem, "LF5054", lambda: witness.add_checkpoint(request(home, 4)))
    refused(NotFound, "LF5053", lambda: WitnessFolder(folder))
    for bad in (b"", b"{}", good[:-9], good.replace(b'"4"', b'"-4"'), good.replace(b'"size"', b'"sice"')):
        state.write_bytes(bad)
        refused(EnvironmentProblem, "LF5054", lambda: witness.add_checkpoint(request(home, 4)))
    table = json.loads(good)
    table["logs"][0]["keys"] = []
    state.write_text(json.dumps(table))
    refused(EnvironmentProblem, "LF5054", lambda: witness.add_checkpoint(request(home, 4)))
    state.write_bytes(good)
    assert witness.add_checkpoint(request(home, 4))


def test_more_logs_are_watched_and_nothing_is_forgotten(home, log, tmp_path):
    witness = made(tmp_path / "witness")
    witness.add_checkpoint(request(home, 0))
    other = NoteKey("log.example/other", LOG_VKEY.kind, LOG_VKEY.key)
    WitnessFolder(tmp_path / "witness").watch([other, LOG_VKEY])
    logs = witness.logs()
    assert (logs[ORIGIN].size, logs["log.example/other"].size) == (4, 0)
    assert logs[ORIGIN].keys == (LOG_VKEY.vkey,)


# Over HTTP.


def call(url, method, path, body=None, headers=()):
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    try:
        connection.request(method, path, body, dict(headers))
        reply = connection.getresponse()
        return reply.status, reply.headers["Content-Type"], reply.read().decode()
    finally:
        connection.close()


@pytest.mark.enable_socket
def test_the_answers_over_http(home, log, witness):
    said = []
    with serving(witness, said) as url:
        known = hashlib.sha256(ORIGIN.encode()).hexdigest()
        assert call(url, "GET", f"/{known}/checkpoint")[0] == 404
        code, kind, body = call(url, "POST", "/add-checkpoint", request(home, 0))
        assert (code, kind) == (200, "text/plain; charset=utf-8")
        assert body.startswith(f"\u2014 {NAME} ")
        assert body.endswith("\n")
        assert call(url, "POST", "/add-checkpoint", request(home, 0)) == (409, "text/x.tlog.size", "4\n")
        assert call(url, "POST", "/add-checkpoint", b"old 4\n")[0] == 400
        other = request(home, 4).replace(ORIGIN.encode(), b"log.example/other")
        assert call(url, "POST", "/add-checkpoint", other)[0] == 404
        forged = request(home, 4).replace(b"\n4\n", b"\n5\n")
        assert call(url, "POST", "/add-checkpoint", forged)[0] == 403
        wrong = request(home, 4).replace(b"old 4\n", b"old 4\n" + b"A" * 43 + b"=\n")
        assert call(url, "POST", "/add-checkpoint", wrong)[0] == 422
        assert call(url, "POST", "/other", b"")[0] == 404
        assert call(url, "GET", "/add-checkpoint")[0] == 404
        assert call(url, "GET", "/../state.json")[0] == 404
        assert call(url, "PUT", "/add-checkpoint", b"x")[0] == 501
        code, _, note = call(url, "GET", f"/{known}/checkpoint")
        assert (code, note) == (200, witness.logs()[ORIGIN].note)
        assert call(url, "POST", "/add-checkpoint", headers=[("Transfer-Encoding", "chunked")])[0] == 411
        assert call(url, "POST", "/add-checkpoint", headers=[("Content-Length", "99999999")])[0] == 413
        assert call(url, "POST", "/add-checkpoint", b"x" * MAX_REQUEST_BYTES)[0] == 400
        assert call(url, "POST", "/add-checkpoint", headers=[("Content-Length", "-5")])[0] == 411
    assert "refused: 409 4" in said
    assert not [line for line in said if "failed" in line]


@pytest.mark.enable_socket
def test_a_connection_is_kept(home, log, witness):
    with serving(witness) as url:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
        for expected in (200, 409, 409):
            connection.request("POST", "/add-checkpoint", request(home, 0))
            reply = connection.getresponse()
            reply.read()
            assert reply.status == expected
        connection.close()


@pytest.mark.enable_socket
def test_a_witness_that_cannot_keep_anything_says_503(home, log, witness, tmp_path):
    (tmp_path / "witness" / "state.json").write_bytes(b"")
    said = []
    with serving(witness, said) as url:
        assert call(url, "POST", "/add-checkpoint", request(home, 0))[0] == 503
    assert "LF5054" in said[0]


@pytest.mark.enable_socket
def test_a_client_that_leaves_in_the_middle_is_no_news(home, log, witness):
    said = []
    with serving(witness, said) as url:
        parts = urlsplit(url)
        for data in (
            b"",
            b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 50\r\n\r\nold",
            b"\x16\x03\x01\x00",
        ):
            with socket.create_connection((parts.hostname, parts.port)) as client:
                client.sendall(data)
        assert call(url, "POST", "/add-checkpoint", request(home, 0))[0] == 200
    assert not [line for line in said if "failed" in line]


@pytest.mark.enable_socket
def test_requests_at_the_same_time_never_fork_the_witness(home, log, witness):
    """Many at once, of sizes that all start from what the witness knows: one of them wins, no size goes back."""
    notes = [log.checkpoint()]
    for start in (4, 5, 6, 7):
        log.append(items(1, start))
        notes.append(log.checkpoint())
    found = []
    with serving(witness) as url:

        def submit(note):
            for old in (0, 4, 5, 6, 7, 8):
                reply = post(f"{url}/add-checkpoint", request(home, old, note), max_bytes=9999, offline=False)
                found.append((int(note.split("\n")[1]), reply.status))

        threads = [threading.Thread(target=submit, args=(note,)) for note in notes * 2]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {code for _, code in found} <= {200, 400, 409}
    assert witness.logs()[ORIGIN].size >= 4
    assert [code for _, code in found].count(200) >= 1


@pytest.mark.enable_socket
def test_the_client_says_what_is_wrong(home, log, witness):
    refused(EnvironmentProblem, "LF5056", lambda: post("http://127.0.0.1:1/", b"", max_bytes=9, offline=True))
    refused(
        EnvironmentProblem, "LF5056", lambda: post("http://127.0.0.1:1/", b"", max_bytes=9, offline=False)
    )
    with serving(witness) as url:
        long = lambda: post(f"{url}/other", b"x", max_bytes=3, offline=False)  # noqa: E731
        refused(EnvironmentProblem, "LF5056", long)
