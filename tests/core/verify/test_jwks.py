"""Key sets of issuers: what is pinned, what is left out, what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lockflight.core.verify.crypto.jwks import parse_keys, plain, read_jwks, select
from lockflight.errors import InvalidInput
from tests.tokens import MAKERS, b64, jwk, key, number


def read(*keys: dict[str, Any], **more: Any) -> list[str]:
    return [one.kid for one in read_jwks(json.dumps({"keys": list(keys), **more}).encode())]


def refused(*keys: Any, **more: Any) -> str:
    with pytest.raises(InvalidInput) as info:
        read(*keys, **more)
    assert info.value.code == "LF4650"
    return info.value.message


@pytest.mark.parametrize("maker", MAKERS.values(), ids=list(MAKERS))
def test_what_is_read_is_kept_in_one_form(maker: Any) -> None:
    keys = read_jwks(json.dumps(maker.keys()).encode())
    assert [one.kid for one in keys] == ["k1", "k2"]
    assert parse_keys([one.to_json() for one in keys]) == keys
    assert select(keys, "k2") is keys[1]
    assert select([*keys, keys[0]], "k1") is None
    assert plain(keys[0]).startswith("k1 (")


def test_certificates_and_other_uses_are_left_out() -> None:
    github = jwk("rsa", "a", alg="RS256", use="sig", x5c=["MIIB"], x5t="AA", **{"x5t#S256": "AA"})
    assert read(github, jwk("rsa", "b", use="enc"), jwk("ES256", "c", use="jwt-svid")) == ["a", "c"]
    svid = {**jwk("ES256", "x"), "use": "x509-svid"}
    del svid["kid"]
    assert read(svid, jwk("ES256", "c"), spiffe_sequence=1, spiffe_refresh_hint=300) == ["c"]
    (one,) = read_jwks(json.dumps({"keys": [github]}).encode())
    assert set(one.to_json()) == {"kty", "kid", "n", "e", "alg"}


def exponent(e: int) -> dict[str, Any]:
    return {**jwk("rsa", "k"), "e": number(e)}


BAD: list[tuple[Any, str]] = [
    (lambda: jwk("rsa-1024", "k"), "1024 bits"),
    (lambda: exponent(1), "exponent"),
    (lambda: exponent(3), "exponent"),
    (lambda: exponent(65_536), "exponent"),
    (lambda: exponent(2**32 + 1), "exponent"),
    (lambda: {**jwk("rsa", "k"), "e": b64(b"\0\1\0\1")}, "zeros"),
    (lambda: {**jwk("rsa", "k"), "n": b64(b"\0" + b"\xff" * 256)}, "zeros"),
    (lambda: {**jwk("rsa", "k"), "n": number(2**2048 - 2)}, "bits"),
    (lambda: {**jwk("rsa", "k"), "n": number(2**9000 + 1)}, "bits"),
    (lambda: {**jwk("rsa", "k"), "n": jwk("rsa", "k")["n"] + "="}, "base64url"),
    (lambda: {**jwk("rsa", "k"), "d": "AQ"}, "public"),
    (lambda: {"kty": "oct", "kid": "k", "k": "AQ"}, "public"),
    (lambda: {"kty": "oct", "kid": "k"}, "type"),
    (lambda: {"kty": "rsa", "kid": "k"}, "type"),
    (lambda: {**jwk("rsa", "k"), "kid": ""}, "kid"),
    (lambda: {**jwk("rsa", "k"), "kid": "a b"}, "kid"),
    (lambda: {**jwk("rsa", "k"), "kid": "x" * 300}, "kid"),
    (lambda: {**jwk("rsa", "k"), "use": "both"}, "signatures"),
    (lambda: {**jwk("rsa", "k"), "key_ops": ["sign", "verify"]}, "verifying"),
    (lambda: {**jwk("rsa", "k"), "key_ops": []}, "verifying"),
    (lambda: {**jwk("rsa", "k"), "alg": "HS256"}, "does not fit"),
    (lambda: {**jwk("rsa", "k"), "alg": "ES256"}, "does not fit"),
    (lambda: {**jwk("rsa", "k"), "alg": "none"}, "does not fit"),
    (lambda: {**jwk("rsa", "k"), "alg": ""}, "does not fit"),
    (lambda: {**jwk("ES256", "k"), "alg": "ES384"}, "does not fit"),
    (lambda: {**jwk("ES256", "k"), "crv": "secp256k1"}, "curve"),
    (lambda: {**jwk("ES256", "k"), "crv": "P-384"}, "length"),
    (lambda: {**jwk("ES256", "k"), "x": b64(bytes(32))}, "sound point"),
    (lambda: {**jwk("EdDSA", "k"), "crv": "Ed448"}, "Ed25519"),
    (lambda: {**jwk("EdDSA", "k"), "x": b64(bytes(32))}, "sound point"),
    (lambda: {**jwk("EdDSA", "k"), "y": "AA"}, "unknown field"),
    (lambda: {**jwk("rsa", "k"), "jku": "https://evil.example"}, "unknown field"),
    (list, "object"),
]


@pytest.mark.parametrize(("bad", "why"), BAD, ids=range(len(BAD)))
def test_what_must_not_be_pinned(bad: Any, why: str) -> None:
    assert why in refused(bad())


def test_a_set_names_each_key_once() -> None:
    assert "same kid" in refused(jwk("rsa", "k"), jwk("ES256", "k"))
    assert "0 keys" in refused()
    assert "0 keys" in refused(jwk("rsa", "k", use="enc"))
    assert "33 keys" in refused(*[jwk("ES256", f"k{i}") for i in range(33)])
    assert "unknown field" in refused(jwk("rsa", "k"), issuer="x")


def test_private_keys_never_come_along() -> None:
    private = key("EdDSA").private_bytes_raw()
    assert "public" in refused({**jwk("EdDSA", "k"), "d": b64(private)})


@given(some.binary(max_size=300))
def test_no_bytes_crash_the_reader(data: bytes) -> None:
    with pytest.raises(InvalidInput) as info:
        read_jwks(data)
    assert info.value.code == "LF4650"


@given(
    some.dictionaries(
        some.sampled_from(["kty", "kid", "n", "e", "crv", "x", "y", "alg", "use", "key_ops"]),
        some.sampled_from(["RSA", "EC", "OKP", "P-256", "Ed25519", "AQAB", "AA", "sig", "k"])
        | some.integers()
        | some.none()
        | some.lists(some.text(max_size=3), max_size=2),
    )
)
def test_no_key_crashes_the_reader(raw: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        read(raw)
