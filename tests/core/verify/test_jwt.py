"""Identity tokens: each way to get one wrong has its code, and no bytes at all crash the reader."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from lockflight.core.verify.crypto import base64url
from lockflight.core.verify.crypto.jwks import read_jwks
from lockflight.core.verify.crypto.jwt import MAX_BYTES, Token, read_token, verify_token
from lockflight.errors import VerificationFailed
from tests.tokens import AUDIENCE, MAKERS, Maker, jwk, sealed

NOW = 1_780_000_000


def check(maker: Maker, data: bytes, **more: int) -> Token:
    keys = read_jwks(json.dumps(maker.keys()).encode())
    return verify_token(read_token(data), keys, issuer=maker.url, audience=AUDIENCE, now=NOW, **more)


@pytest.mark.parametrize("maker", MAKERS.values(), ids=list(MAKERS))
def test_a_good_token_says_who_and_until_when(maker: Maker) -> None:
    token = check(maker, maker.token(NOW))
    assert (token.issuer, token.subject) == (maker.url, maker.claims["sub"])
    assert (token.issued, token.expires) == (NOW - 5, NOW + 295)


@pytest.mark.parametrize(
    "algorithm", ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA"]
)
def test_each_algorithm(algorithm: str) -> None:
    maker = MAKERS["oidc"]
    signer = algorithm if algorithm[0] == "E" else "rsa"
    keys = read_jwks(
        json.dumps({"keys": [jwk(signer, "k1", alg=algorithm, use="sig", key_ops=["verify"])]}).encode()
    )
    data = sealed(signer, {"alg": algorithm, "kid": "k1"}, maker.good(NOW))
    token = verify_token(read_token(data), keys, issuer=maker.url, audience=AUDIENCE, now=NOW)
    assert token.subject == maker.claims["sub"]


@pytest.mark.parametrize(("named", "used"), [("RS256", "PS256"), ("PS256", "RS256"), ("RS256", "RS512")])
def test_a_key_that_names_its_algorithm_has_no_other(named: str, used: str) -> None:
    maker = MAKERS["github"]
    keys = read_jwks(json.dumps({"keys": [jwk("rsa", "k1", alg=named)]}).encode())
    with pytest.raises(VerificationFailed) as info:
        verify_token(
            read_token(sealed("rsa", {"alg": used, "kid": "k1"}, maker.good(NOW))),
            keys,
            issuer=maker.url,
            audience=AUDIENCE,
            now=NOW,
        )
    assert info.value.code == "LF4635"


@pytest.mark.parametrize(
    ("at", "code"), [(NOW + 294 + 61, ""), (NOW + 295 + 60, "LF4641"), (NOW - 65, ""), (NOW - 66, "LF4642")]
)
def test_the_edges_of_time(at: int, code: str) -> None:
    maker = MAKERS["github"]
    keys = read_jwks(json.dumps(maker.keys()).encode())
    token = read_token(maker.token(NOW))
    if not code:
        verify_token(token, keys, issuer=maker.url, audience=AUDIENCE, now=at - 1 if at > NOW else at)
        return
    with pytest.raises(VerificationFailed) as info:
        verify_token(token, keys, issuer=maker.url, audience=AUDIENCE, now=at)
    assert info.value.code == code


def test_a_realm_may_ask_for_a_shorter_life_and_never_for_a_longer() -> None:
    maker = MAKERS["github"]
    assert check(maker, maker.token(NOW), life_s=300)
    with pytest.raises(VerificationFailed) as info:
        check(maker, maker.token(NOW), life_s=299)
    assert info.value.code == "LF4643"
    with pytest.raises(VerificationFailed) as info:
        check(maker, maker.token(NOW, exp=NOW + 3600), life_s=10**9)
    assert info.value.code == "LF4643"


def test_a_token_without_an_id_is_known_by_what_is_signed() -> None:
    """Everybody can turn one ECDSA signature into another; it stays the same token."""
    maker = MAKERS["spiffe"]
    data = maker.token(NOW)
    head, _, mark = data.decode().rpartition(".")
    raw = base64url.decode(mark)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    other = raw[:32] + (order - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    twin = f"{head}.{base64url.encode(other)}".encode()
    assert twin != data
    assert check(maker, twin).once == check(maker, data).once
    assert check(maker, maker.token(NOW)).once != check(maker, data).once


def test_an_id_is_of_its_issuer() -> None:
    one, two = MAKERS["github"], MAKERS["gitlab"]
    ours, theirs = (check(maker, maker.token(NOW, jti="7")).once for maker in (one, two))
    assert ours != theirs
    assert check(one, one.token(NOW, jti="7", run_id="8")).once == ours


def refused(data: bytes) -> str:
    try:
        read_token(data)
    except VerificationFailed as error:
        return error.code
    return ""


@given(some.binary(max_size=400))
def test_no_bytes_crash_the_reader(data: bytes) -> None:
    assert refused(data).startswith("LF46")


_JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=8),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
_HEADERS = some.dictionaries(some.sampled_from(["alg", "kid", "typ", "x5t", "jwk", "crit", "x"]), _JSON)
_CLAIMS = some.dictionaries(some.sampled_from(["iss", "sub", "aud", "exp", "iat", "nbf", "jti", "x"]), _JSON)


@given(_HEADERS, _CLAIMS, some.binary(max_size=70))
def test_no_json_crashes_the_reader_or_the_verifier(header: dict, claims: dict, mark: bytes) -> None:
    maker = MAKERS["spiffe"]
    keys = read_jwks(json.dumps(maker.keys()).encode())
    pieces = [json.dumps(header).encode(), json.dumps(claims).encode(), mark]

    def read() -> None:
        token = read_token(b".".join(base64url.encode(one).encode() for one in pieces))
        verify_token(token, keys, issuer=token.issuer, audience=AUDIENCE, now=NOW)

    with pytest.raises(VerificationFailed) as info:
        read()
    assert info.value.code.startswith("LF46")


@settings(max_examples=300)
@given(some.data())
def test_a_changed_token_never_verifies(data: some.DataObject) -> None:
    maker = MAKERS["oidc"]
    whole = bytearray(maker.token(NOW))
    place = data.draw(some.integers(0, len(whole) - 1))
    letter = data.draw(some.integers(0, 255).filter(lambda n: n != whole[place]))
    whole[place] = letter
    with pytest.raises(VerificationFailed) as info:
        check(maker, bytes(whole))
    assert info.value.code.startswith("LF46")


@given(some.binary(max_size=100))
def test_base64url_reads_what_it_writes_and_nothing_else(data: bytes) -> None:
    word = base64url.encode(data)
    assert base64url.decode(word) == data
    assert "=" not in word
    for bad in (word + "=", word + "A" * ((1 - len(word)) % 4), word + "\n", f"{word}+"):
        if bad != word:
            with pytest.raises(ValueError, match="base64url"):
                base64url.decode(bad)


def test_size_is_bounded() -> None:
    assert refused(b"A" * (MAX_BYTES + 1)) == "LF4631"
    maker = MAKERS["oidc"]
    long = maker.token(NOW, x="y" * 11_000)
    assert len(long) < MAX_BYTES
    assert not refused(long)
