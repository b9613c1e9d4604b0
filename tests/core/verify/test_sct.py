"""Promises in certificates: of the named log, over this certificate, in its own form."""

from __future__ import annotations

import hashlib

import pytest

from lockflight.core.verify.crypto.certificate import load_certificate
from lockflight.core.verify.crypto.keys import P256
from lockflight.core.verify.public.sct import scts_of, verify_scts
from lockflight.errors import VerificationFailed
from lockflight.signing.certificates import CertificateAuthority
from lockflight.signing.keys import generate
from tests.sovereign import ALICE, sovereign

FOR_EVER = 2**40


def issued(authority=None):
    realm = sovereign()
    return (authority or realm.authority).issue(generate(P256).public_der, ALICE, realm.now)


def logs(key=None):
    key = key or sovereign().authority.log.public_key
    return {hashlib.sha256(key.der).digest(): (key, 0, FOR_EVER)}


def code(certificate, known):
    with pytest.raises(VerificationFailed) as caught:
        verify_scts(certificate, sovereign().authority.certificate, known)
    return caught.value.code


def test_a_promise_holds():
    realm = sovereign()
    assert verify_scts(issued(), realm.authority.certificate, logs()).time_ms == realm.now * 1000


def test_no_trusted_log_has_promised():
    assert code(issued(), logs(generate(P256).public_key)) == "LF7411"
    assert code(issued(), {}) == "LF7411"


def test_a_certificate_without_promises():
    assert scts_of(sovereign().root) == ()
    assert code(sovereign().root, logs()) == "LF7411"


def test_a_promise_about_another_certificate():
    realm = sovereign()
    thief = CertificateAuthority(realm.authority.certificate, realm.authority.signer, generate(P256))
    other = issued(thief)
    # The log's name is in the promise; its key is not behind it.
    (log_id,) = logs(thief.log.public_key)
    assert code(other, {log_id: (realm.authority.log.public_key, 0, FOR_EVER)}) == "LF7412"


def test_a_promise_outside_of_the_logs_time():
    ((log_id, (key, _, _)),) = logs().items()
    assert code(issued(), {log_id: (key, 0, sovereign().now - 1)}) == "LF7412"


def test_the_issuer_belongs_to_the_promise():
    with pytest.raises(VerificationFailed) as caught:
        verify_scts(issued(), sovereign().root, logs())
    assert caught.value.code == "LF7412"


@pytest.mark.parametrize("cut", [1, 40, 80])
def test_lists_that_do_not_read(cut):
    body = bytearray(issued().der)
    place = body.find(hashlib.sha256(sovereign().authority.log.public_der).digest())
    assert place > 0
    body[place - 1 - cut % 5] ^= 0x40
    with pytest.raises(VerificationFailed):
        verify_scts(load_certificate(bytes(body)), sovereign().authority.certificate, logs())
