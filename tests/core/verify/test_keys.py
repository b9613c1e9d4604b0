"""Public keys: one form, four kinds, and a code for each refusal."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, mldsa, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.verify.crypto import keys
from lockflight.core.verify.crypto.keys import ED25519, P256, P384, P521, from_ed25519, load_der, load_pem
from lockflight.errors import VerificationFailed
from lockflight.signing.keys import ALGORITHMS
from tests.signed import mutate, signer

SPKI = PublicFormat.SubjectPublicKeyInfo
N_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def code_of(call, *args):
    with pytest.raises(VerificationFailed) as caught:
        call(*args)
    return caught.value.code


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_reads_back_from_every_form(algorithm):
    der = signer(algorithm).public_der
    key = load_der(der)
    assert key.algorithm == algorithm
    assert key == load_pem(key.pem) == load_pem(key.pem.encode())
    theirs = load_der_public_key(der)
    assert key.pem.encode() == theirs.public_bytes(Encoding.PEM, SPKI)
    assert key == load_pem("\n  " + key.pem.replace("\n", "\r\n") + "\n")


@pytest.mark.parametrize(
    ("algorithm", "details", "raw"),
    [
        (P256, "PKIX_ECDSA_P256_SHA_256", 64),
        (P384, "PKIX_ECDSA_P384_SHA_384", 96),
        (P521, "PKIX_ECDSA_P521_SHA_512", 132),
        (ED25519, "PKIX_ED25519", 32),
    ],
)
def test_a_key_is_named_as_the_log_names_it(algorithm, details, raw):
    key = signer(algorithm).public_key
    assert key.key_details == details
    assert len(key.raw) == raw


def test_raw_ed25519_keys_are_read():
    key = signer(ED25519).public_key
    assert from_ed25519(key.raw) == key
    assert code_of(from_ed25519, b"short") == "LF7001"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_verifies_its_own_signatures_only(algorithm):
    one, two = signer(algorithm), signer(algorithm, 1)
    signature = one.sign(b"m")
    assert one.public_key.verify(b"m", signature)
    assert not one.public_key.verify(b"n", signature)
    assert not two.public_key.verify(b"m", signature)
    assert not one.public_key.verify(b"m", b"")


@pytest.mark.parametrize("algorithm", [P256, P384, P521])
def test_each_curve_has_its_hash(algorithm):
    one = signer(algorithm)
    own = {P256: hashes.SHA256, P384: hashes.SHA384, P521: hashes.SHA512}[algorithm]
    for digest in (hashes.SHA256, hashes.SHA384, hashes.SHA512):
        signature = one._key.sign(b"m", ec.ECDSA(digest()))
        assert one.public_key.verify(b"m", signature) is (digest is own)


@given(st.data())
def test_changed_ecdsa_signatures_are_refused(data):
    one = signer(P256)
    signature = one.sign(b"m")
    changed = mutate(signature, data.draw)
    if changed != signature:
        assert not one.public_key.verify(b"m", changed)


def test_ecdsa_signatures_are_strict_der():
    one = signer(P256)
    r, s = decode_dss_signature(one.sign(b"m"))
    good = encode_dss_signature(r, s)
    assert one.public_key.verify(b"m", good)
    # Long form of a length below 128, trailing bytes, and a leading zero that is not needed (X.690 §10.1,
    # §8.3.2).
    assert not one.public_key.verify(b"m", good[:1] + b"\x81" + good[1:])
    assert not one.public_key.verify(b"m", good + b"\x00")
    padded = b"\x02" + bytes([good[3] + 1]) + b"\x00" + good[4:]
    assert not one.public_key.verify(b"m", b"\x30" + bytes([len(padded)]) + padded)
    for r_, s_ in ((0, s), (r, 0), (r, N_P256), (r + N_P256, s)):
        assert not one.public_key.verify(b"m", encode_dss_signature(r_, s_))


OTHERS = {
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
    "DSA": lambda: dsa.generate_private_key(1024),
    "Ed448": ed448.Ed448PrivateKey.generate,
    "X25519": x25519.X25519PrivateKey.generate,
    "ML-DSA-44": mldsa.MLDSA44PrivateKey.generate,
    "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()),
    "brainpool": lambda: ec.generate_private_key(ec.BrainpoolP256R1()),
}


@pytest.mark.parametrize("make", OTHERS.values(), ids=OTHERS)
def test_other_kinds_are_refused(make):
    assert code_of(load_der, make().public_key().public_bytes(Encoding.DER, SPKI)) == "LF7002"


def test_a_compressed_point_is_refused_since_it_would_be_a_second_id():
    public = signer(P256)._key.public_key()
    point = public.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    der = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200") + point
    assert load_der_public_key(der).public_numbers() == public.public_numbers()
    assert code_of(load_der, der) == "LF7002"


@pytest.mark.parametrize("algorithm", [P256, P384, P521])
def test_a_point_off_the_curve_is_refused(algorithm):
    der = bytearray(signer(algorithm).public_der)
    der[-1] ^= 1
    assert code_of(load_der, bytes(der)) == "LF7003"


def test_a_point_of_low_order_is_refused():
    assert code_of(from_ed25519, (1).to_bytes(32, "little")) == "LF7003"
    assert code_of(from_ed25519, b"\xff" * 32) == "LF7003"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_is_no_key_is_refused(algorithm):
    der = signer(algorithm).public_der
    for wrong in (der[:-1], der + b"\x00", b"\x30" + der):
        assert code_of(load_der, wrong) in {"LF7001", "LF7002"}
    assert code_of(load_der, b"") == "LF7001"


PEM = signer(P256).public_key.pem


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        b"\xff\xfe",
        PEM + PEM,
        "note\n" + PEM,
        PEM.replace("PUBLIC KEY", "PRIVATE KEY"),
        PEM.replace("PUBLIC KEY", "CERTIFICATE"),
        PEM.replace("\n", ""),
        PEM.replace("A", "!", 1),
        PEM.replace("=", ""),
        "-----BEGIN PUBLIC KEY-----\nA\n-----END PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\n\n-----END PUBLIC KEY-----\n",
        " " * 5000 + PEM,
    ],
)
def test_what_is_no_pem_is_refused(text):
    assert code_of(load_pem, text) == "LF7001"


@given(st.data())
def test_changed_keys_are_refused_or_other_keys(data):
    algorithm = data.draw(st.sampled_from(ALGORITHMS))
    key = signer(algorithm).public_key
    for load, original in ((load_der, key.der), (load_pem, key.pem.encode())):
        changed = mutate(original, data.draw)
        try:
            other = load(changed)
        except VerificationFailed:
            continue
        # White space around PEM aside, other bytes are another key.
        assert (other == key) == (other.der == key.der)
        assert load is load_pem or changed == original or other != key


def test_an_unknown_algorithm_has_no_curve():
    with pytest.raises(ValueError):
        keys._ecdsa(signer(ED25519).public_der)
