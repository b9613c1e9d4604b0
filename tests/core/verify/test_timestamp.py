"""Time stamps: ours read, others are refused, each for its reason."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.verify.crypto import der
from lockflight.core.verify.crypto.keys import P256, P384, P521
from lockflight.core.verify.crypto.timestamp import Authority, read_stamp, verify_stamp
from lockflight.errors import VerificationFailed
from lockflight.signing.certificates import make_root, make_stamper
from lockflight.signing.keys import generate
from lockflight.signing.stamper import Stamper
from tests.signed import mutate
from tests.sovereign import sovereign

DATA = b"the signature"


def trusted():
    return sovereign().trust.stampers


def code(data, stamped=DATA, authorities=None):
    with pytest.raises(VerificationFailed) as caught:
        verify_stamp(data, stamped, trusted() if authorities is None else authorities)
    return caught.value.code


def test_a_stamp_tells_when():
    realm = sovereign()
    assert verify_stamp(realm.stamper.stamp(DATA, realm.now), DATA, trusted()) == realm.now * 1000


@pytest.mark.parametrize("algorithm", [P256, P384, P521])
def test_each_kind_of_key_stamps(algorithm):
    root_key, key = generate(P384), generate(algorithm)
    root = make_root(root_key, "time root", 1_790_000_000, length=0)
    own = make_stamper(root_key, root, key.public_der, "time", 1_790_000_000)
    stamp = Stamper(own, key).stamp(DATA, 1_790_000_100)
    authority = Authority((own, root), 1_790_000_000, 1_800_000_000)
    assert verify_stamp(stamp, DATA, [authority]) == 1_790_000_100_000
    # The authority's own certificate comes along, so its root is enough.
    assert verify_stamp(stamp, DATA, [Authority((root,), 0, 1_800_000_000)]) == 1_790_000_100_000


def test_a_nonce_comes_back():
    realm = sovereign()
    answer = realm.stamper.respond(hashlib.sha256(DATA).digest(), realm.now, nonce=2**63)
    assert der.integer(2**63) in read_stamp(answer).info
    assert verify_stamp(answer, DATA, trusted()) == realm.now * 1000


def test_about_something_else():
    assert code(sovereign().stamper.stamp(b"other", sovereign().now)) == "LF7421"


def test_of_a_stranger():
    assert code(sovereign(1).stamper.stamp(DATA, sovereign().now)) == "LF7422"
    assert code(sovereign().stamper.stamp(DATA, sovereign().now), authorities=()) == "LF7422"


def test_signed_by_another_key():
    thief = Stamper(sovereign().stamper.certificate, generate(P256))
    assert code(thief.stamp(DATA, sovereign().now)) == "LF7423"


def test_outside_of_what_is_trusted():
    realm = sovereign()
    (authority,) = trusted()
    stamp = realm.stamper.stamp(DATA, realm.now)
    assert code(stamp, authorities=[replace(authority, ends=realm.now - 1)]) == "LF7424"
    assert verify_stamp(stamp, DATA, [replace(authority, ends=realm.now, begins=realm.now)])
    late = realm.stamper.stamp(DATA, realm.stamper.certificate.ends + 1)
    assert code(late, authorities=[replace(authority, ends=2**40)]) == "LF7402"


def test_a_certificate_for_code_stamps_nothing():
    realm = sovereign()
    forged = Stamper(realm.authority.certificate, realm.authority.signer)
    chain = Authority((realm.authority.certificate, realm.root), 0, 2**40)
    assert code(forged.stamp(DATA, realm.now), authorities=[chain]) == "LF7403"


def test_what_is_no_stamp():
    refused = der.sequence(der.sequence(der.integer(2)))
    for data in (b"", b"\x30\x00", refused, b"\x30" * 70_000, sovereign().root.der):
        assert code(data) == "LF7420"


@given(st.data())
def test_changed_stamps_are_refused(data):
    stamp = sovereign().stamper.stamp(DATA, sovereign().now)
    changed = mutate(stamp, data.draw)
    if changed == stamp:
        return
    try:
        # What no signature covers, such as the certificate that came along, may change; what it says may not.
        assert verify_stamp(changed, DATA, trusted()) == sovereign().now * 1000
    except VerificationFailed:
        return
