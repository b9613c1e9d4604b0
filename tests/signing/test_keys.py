"""Key files: whole or not at all, private, and never replaced."""

from __future__ import annotations

import os
import pickle
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from lockflight.core.verify.crypto.keys import load_pem
from lockflight.errors import (
    ConflictError,
    EnvironmentProblem,
    InvalidInput,
    LockflightError,
    NotFound,
    UsageError,
)
from lockflight.signing import keys
from lockflight.signing.keys import ALGORITHMS, FileSigner, generate, load, save
from tests.signed import signer

PKCS8 = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def refusal(kind, call, *args, **kwargs):
    with pytest.raises(LockflightError) as caught:
        call(*args, **kwargs)
    assert type(caught.value) is kind
    return caught.value


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("passphrase", [None, b"correct horse"])
def test_a_key_survives_the_trip(tmp_path, algorithm, passphrase):
    made = generate(algorithm)
    public = save(made, tmp_path / "person.pem", passphrase=passphrase)
    loaded = load(tmp_path / "person.pem", passphrase)
    assert loaded.public_der == made.public_der
    assert loaded.keyid == made.keyid
    assert load_pem(public.read_bytes()) == made.public_key
    assert made.public_key.verify(b"m", loaded.sign(b"m"))
    assert public.name == "person.pem.pub"


def test_files_have_the_right_modes_whatever_the_umask(tmp_path):
    before = os.umask(0o777)
    try:
        public = save(signer(), tmp_path / "k")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "k").stat().st_mode) == 0o600
    assert stat.S_IMODE(public.stat().st_mode) == 0o644
    assert sorted(p.name for p in tmp_path.iterdir()) == ["k", "k.pub"]


def test_a_stock_library_reads_the_file(tmp_path):
    save(signer(), tmp_path / "k")
    key = load_pem_private_key((tmp_path / "k").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)


def test_other_kinds_are_not_made(tmp_path):
    error = refusal(UsageError, generate, "rsa")
    assert error.code == "LF7010"
    assert "ecdsa-p256" in error.hint


def test_a_signer_keeps_its_secret():
    assert repr(signer()) == f"FileSigner(ecdsa-p256, {signer().keyid[:16]})"
    with pytest.raises(TypeError):
        pickle.dumps(signer())


@pytest.mark.parametrize("taken", ["k", "k.pub"])
def test_nothing_is_replaced(tmp_path, taken):
    (tmp_path / taken).write_text("mine")
    assert refusal(ConflictError, save, signer(), tmp_path / "k").code == "LF7007"
    assert [p.name for p in tmp_path.iterdir()] == [taken]
    assert (tmp_path / taken).read_text() == "mine"


def test_a_dangling_link_is_not_written_through(tmp_path):
    (tmp_path / "k").symlink_to(tmp_path / "elsewhere")
    assert refusal(ConflictError, save, signer(), tmp_path / "k").code == "LF7007"
    assert not (tmp_path / "elsewhere").exists()


def test_of_two_that_race_one_wins(tmp_path):
    for attempt in range(20):
        path = tmp_path / f"k{attempt}"
        made = [signer(number=n) for n in range(2)]

        def attempt_save(one, path=path):
            try:
                keys._create(path, one.private_pem(), 0o600)
            except ConflictError:
                return None
            return one.keyid

        with ThreadPoolExecutor(2) as pool:
            results = [r for r in pool.map(attempt_save, made) if r]
        assert results == [load(path).keyid]


def test_a_half_written_key_is_never_seen(tmp_path, monkeypatch):
    def fail(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    error = refusal(EnvironmentProblem, save, signer(), tmp_path / "k")
    assert error.code == "LF7008"
    assert "No space left" in error.message
    assert list(tmp_path.iterdir()) == []


def test_a_private_key_that_fails_takes_its_public_key_along(tmp_path, monkeypatch):
    real = keys._create

    def fail(path, data, mode):
        if mode == 0o600:
            raise KeyboardInterrupt
        real(path, data, mode)

    monkeypatch.setattr(keys, "_create", fail)
    with pytest.raises(KeyboardInterrupt):
        save(signer(), tmp_path / "k")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("taken", [False, True])
def test_a_file_system_without_hard_links_serves_too(tmp_path, monkeypatch, taken):
    def no_links(_source, _target):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    if taken:
        (tmp_path / "k").write_text("mine")
        error = refusal(ConflictError, keys._create, tmp_path / "k", b"x", 0o600)
        assert error.code == "LF7007"
        assert (tmp_path / "k").read_text() == "mine"
    else:
        save(signer(), tmp_path / "k")
        assert load(tmp_path / "k").keyid == signer().keyid
    assert len(list(tmp_path.iterdir())) == (1 if taken else 2)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    error = refusal(EnvironmentProblem, save, signer(), tmp_path / "no" / "k")
    assert error.code == "LF7008"
    assert "No such file or directory" in error.message


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o644])
def test_a_key_that_others_can_use_is_refused_with_the_fix(tmp_path, mode):
    path = tmp_path / "k"
    save(signer(), path)
    path.chmod(mode)
    error = refusal(EnvironmentProblem, load, path)
    assert error.code == "LF7006"
    assert f"{mode:04o}" in error.message
    assert f"chmod 600 {path}" in error.hint
    path.chmod(0o400)
    assert load(path).keyid == signer().keyid


def test_a_key_of_another_user_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "k"
    save(signer(), path)
    mine = os.geteuid() or 1000
    if not os.geteuid():
        os.chown(path, 4321, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    error = refusal(EnvironmentProblem, load, path)
    assert error.code == "LF7006"
    assert "another user" in error.message


def test_no_file_is_not_found(tmp_path):
    assert refusal(NotFound, load, tmp_path / "k").code == "LF7009"


def test_what_is_no_file_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert refusal(InvalidInput, load, tmp_path / "pipe").code == "LF7004"
    (tmp_path / "folder").mkdir()
    assert refusal(InvalidInput, load, tmp_path / "folder").code == "LF7004"
    (tmp_path / "loop").symlink_to("loop")
    assert refusal(EnvironmentProblem, load, tmp_path / "loop").code == "LF7008"


def test_an_error_while_reading_is_named(tmp_path, monkeypatch):
    def fail(_handle, _n):
        raise OSError(5, "Input/output error")

    save(signer(), tmp_path / "k")
    monkeypatch.setattr(os, "read", fail)
    error = refusal(EnvironmentProblem, load, tmp_path / "k")
    assert (error.code, "Input/output error" in error.message) == ("LF7008", True)


def put(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"x" * 20_000,
        signer().public_key.pem.encode(),
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    ],
    ids=["empty", "text", "long", "public", "junk"],
)
def test_what_is_no_private_key_is_refused(tmp_path, data):
    assert refusal(InvalidInput, load, put(tmp_path / "k", data)).code == "LF7004"


@pytest.mark.parametrize("kind", ["rsa", "curve"])
def test_other_kinds_are_not_read(tmp_path, kind):
    key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256K1())
    error = refusal(InvalidInput, load, put(tmp_path / "k", key.private_bytes(*PKCS8)))
    assert error.code == "LF7010"


def test_a_passphrase_must_be_given_right(tmp_path):
    save(signer(), tmp_path / "k", passphrase=b"right")
    missing = refusal(UsageError, load, tmp_path / "k")
    assert (missing.code, "none was given" in missing.message) == ("LF7005", True)
    wrong = refusal(UsageError, load, tmp_path / "k", b"wrong")
    assert (wrong.code, "does not open" in wrong.message) == ("LF7005", True)
    save(signer(), tmp_path / "plain")
    extra = refusal(UsageError, load, tmp_path / "plain", b"right")
    assert (extra.code, "has no passphrase" in extra.message) == ("LF7005", True)
    for error in (missing, wrong, extra):
        assert "right" not in error.message + error.hint


def test_a_signer_is_what_the_port_asks_for():
    one = signer("ed25519")
    assert isinstance(one, FileSigner)
    assert one.public_der == one.public_key.der
    assert len(one.sign(b"m")) == 64
