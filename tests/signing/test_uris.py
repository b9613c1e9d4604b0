"""Signers by key URI: which words name a key, who is asked for a passphrase, and what is refused."""

from __future__ import annotations

import pytest

from lockflight.errors import LockflightError
from lockflight.signing.keys import ALGORITHMS, generate, save
from lockflight.signing.uris import open_signer, public_of
from tests.signing.contract import SignerContract


def refusal(call, *args):
    with pytest.raises(LockflightError) as caught:
        call(*args)
    return caught.value


class TestFile(SignerContract):
    """Key files, open ones and protected ones, of every kind."""

    @pytest.fixture(
        params=[(algorithm, word) for algorithm in ALGORITHMS for word in (None, b"old barges")],
        ids=lambda pair: f"{pair[0]}-{'protected' if pair[1] else 'open'}",
    )
    def signer(self, request, tmp_path):
        algorithm, word = request.param
        save(generate(algorithm), tmp_path / "k.pem", passphrase=word)
        return open_signer(f"file:{tmp_path / 'k.pem'}", lambda _: word)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("k.pem", "{folder}/k.pem"),
        ("k.pem", "file:{folder}/k.pem"),
        ("k.pem", "FILE://{folder}/k.pem"),
        ("k.pem", "file://localhost{folder}/k.pem"),
        ("k.pem", "k.pem"),
        ("k.pem", "file:k.pem"),
        ("a b.pem", "file:a%20b.pem"),
        ("50%25.pem", "50%25.pem"),
        ("a:b.pem", "./a:b.pem"),
        ("a:b.pem", "file:a:b.pem"),
    ],
)
def test_words_that_name_a_file(tmp_path, monkeypatch, name, word):
    made = generate()
    save(made, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    word = word.format(folder=tmp_path)
    assert open_signer(word).keyid == made.keyid
    assert public_of(word).keyid == made.keyid


@pytest.mark.parametrize(
    "word",
    [
        "awskms:alias/root",
        "awskms:///arn:aws:kms:eu-central-1:111122223333:key/0",
        "gcpkms://projects/p",
        "azurekms://vault",
        "hashivault://root",
        "pkcs11:token=root;object=k",
        "agent:root",
        "k8s://ns/secret",
        "https://example.com/k.pem",
        "file://elsewhere/k.pem",
        "file:",
        "file://",
        "file:%00",
        "",
    ],
)
def test_words_that_name_nothing_that_can_be_used(word):
    error = refusal(open_signer, word)
    assert error.code == "LF0136"
    assert "file:" in error.hint
    assert refusal(public_of, word).code == "LF0136"


def test_only_protected_keys_are_asked_for(tmp_path):
    save(generate(), tmp_path / "open.pem")
    save(generate(), tmp_path / "shut.pem", passphrase=b"fog")
    asked = []

    def ask(name):
        asked.append(name)
        return b"fog"

    open_signer(str(tmp_path / "open.pem"), ask)
    assert asked == []
    open_signer(str(tmp_path / "shut.pem"), ask)
    assert asked == [str(tmp_path / "shut.pem")]


@pytest.mark.parametrize("word", [b"mist", None])
def test_a_wrong_passphrase_and_none(tmp_path, word):
    save(generate(), tmp_path / "k.pem", passphrase=b"fog")
    error = refusal(open_signer, str(tmp_path / "k.pem"), lambda _: word)
    assert error.code == "LF7005"
    assert "fog" not in str(error)


def test_files_that_others_can_read_are_refused_before_anybody_is_asked(tmp_path):
    save(generate(), tmp_path / "k.pem", passphrase=b"fog")
    (tmp_path / "k.pem").chmod(0o640)
    assert refusal(open_signer, str(tmp_path / "k.pem"), pytest.fail).code == "LF7006"


def test_what_is_no_key_file(tmp_path):
    (tmp_path / "k.pem").write_text("hello")
    (tmp_path / "k.pem").chmod(0o600)
    assert refusal(open_signer, str(tmp_path / "k.pem")).code == "LF7004"
    assert refusal(open_signer, str(tmp_path)).code == "LF7009"
    assert refusal(open_signer, str(tmp_path / "nothing.pem")).code == "LF7009"


def test_the_public_half_needs_no_passphrase(tmp_path):
    made = generate()
    public = save(made, tmp_path / "k.pem", passphrase=b"fog")
    assert public_of(str(tmp_path / "k.pem"), pytest.fail).keyid == made.keyid
    assert public_of(str(public), pytest.fail).keyid == made.keyid
    public.unlink()
    assert public_of(str(tmp_path / "k.pem"), lambda _: b"fog").keyid == made.keyid
    assert refusal(public_of, str(tmp_path / "k.pem"), lambda _: b"mist").code == "LF7005"
