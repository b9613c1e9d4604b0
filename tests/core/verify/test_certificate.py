"""Certificates: who may issue, for what, when; and what is refused with which code."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.verify.crypto import der
from lockflight.core.verify.crypto.certificate import (
    CODE_SIGNING,
    ISSUER_V1,
    TIME_STAMPING,
    Identity,
    check_leaf,
    check_path,
    identity_of,
    load_certificate,
    load_pem_certificates,
)
from lockflight.errors import VerificationFailed
from tests.signed import mutate
from tests.sovereign import ALICE, sovereign

NOW = 1_790_000_000
USAGES = [
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
]


def usage(*named):
    return x509.KeyUsage(**{one: one in named for one in USAGES})


def name(common):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def made(key, subject, issuer, issuer_key, *extensions, begins=NOW - 100, ends=NOW + 100, digest=None):
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(datetime.fromtimestamp(begins, tz=UTC))
        .not_valid_after(datetime.fromtimestamp(ends, tz=UTC))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return load_certificate(builder.sign(issuer_key, digest or hashes.SHA256()).public_bytes(Encoding.DER))


KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
CA = (x509.BasicConstraints(ca=True, path_length=None), True), (usage("key_cert_sign"), True)
LEAF = (
    (usage("digital_signature"), True),
    (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False),
    (x509.SubjectAlternativeName([x509.RFC822Name("a@example.org")]), True),
)


def root(*extensions, key=KEY, **options):
    return made(key, name("root"), name("root"), key, *(extensions or CA), **options)


def leaf(*extensions, issuer="root", issuer_key=KEY, **options):
    return made(OTHER, x509.Name([]), name(issuer), issuer_key, *(extensions or LEAF), **options)


def code(function, *arguments):
    with pytest.raises(VerificationFailed) as caught:
        function(*arguments)
    return caught.value.code


def test_a_leaf_under_its_root():
    check_leaf(leaf(), CODE_SIGNING)
    assert len(check_path(leaf(), (), [root()], NOW)) == 2
    assert identity_of(leaf()) == Identity("a@example.org", "email", "")


def test_ours_names_person_and_realm():
    realm = sovereign()
    issued = realm.authority.issue(realm.stamper.signer.public_der, ALICE, realm.now)
    assert identity_of(issued) == ALICE
    path = check_path(issued, [realm.authority.certificate], [realm.root], realm.now)
    assert len(path) == 3
    assert issued.ends - issued.begins == 600


@pytest.mark.parametrize(("at", "fine"), [(-101, False), (-100, True), (100, True), (101, False)])
def test_both_ends_of_the_validity_count(at, fine):
    if fine:
        check_path(leaf(), (), [root(begins=NOW - 999, ends=NOW + 999)], NOW + at)
    else:
        assert code(check_path, leaf(), (), [root(begins=NOW - 999, ends=NOW + 999)], NOW + at) == "LF7402"


def test_an_expired_root_is_refused():
    assert code(check_path, leaf(ends=NOW + 500), (), [root()], NOW + 200) == "LF7402"


REFUSED = {
    "another root": ("LF7401", leaf(), lambda: root(key=OTHER)),
    "signed by somebody else": ("LF7401", leaf(issuer_key=OTHER), root),
    "a root that is none": (
        "LF7405",
        leaf(),
        lambda: root(
            (x509.BasicConstraints(ca=False, path_length=None), True), (usage("key_cert_sign"), True)
        ),
    ),
    "a root without constraints": ("LF7405", leaf(), lambda: root((usage("key_cert_sign"), True))),
    "a root that may not sign certificates": (
        "LF7405",
        leaf(),
        lambda: root(CA[0], (usage("digital_signature"), True)),
    ),
    "a root with name constraints": (
        "LF7405",
        leaf(),
        lambda: root(*CA, (x509.NameConstraints([x509.RFC822Name("example.org")], None), True)),
    ),
    "a root with a strange critical extension": (
        "LF7405",
        leaf(),
        lambda: root(*CA, (x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)),
    ),
}


@pytest.mark.parametrize(("wanted", "child", "above"), REFUSED.values(), ids=REFUSED)
def test_paths_that_prove_nothing(wanted, child, above):
    assert code(check_path, child, (), [above()], NOW) == wanted


def test_a_path_longer_than_its_authority_allows():
    middle = ec.generate_private_key(ec.SECP256R1())
    between = made(middle, name("middle"), name("root"), KEY, *CA)
    short = root((x509.BasicConstraints(ca=True, path_length=0), True), (usage("key_cert_sign"), True))
    child = leaf(issuer="middle", issuer_key=middle)
    assert len(check_path(child, [between], [root()], NOW)) == 3
    assert code(check_path, child, [between], [short], NOW) == "LF7405"


def test_a_weak_rsa_authority_is_none():
    weak = rsa.generate_private_key(65537, 1024)
    assert code(check_path, leaf(issuer_key=weak), (), [root(key=weak)], NOW) == "LF7401"


WRONG_USE = {
    "an authority": (*LEAF, (x509.BasicConstraints(ca=True, path_length=None), True)),
    "no usage": LEAF[1:],
    "signs certificates too": ((usage("digital_signature", "key_cert_sign"), True), *LEAF[1:]),
    "no extended usage": (LEAF[0], LEAF[2]),
    "for servers": (LEAF[0], (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False), LEAF[2]),
    "a strange critical extension": (
        *LEAF,
        (x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True),
    ),
}


@pytest.mark.parametrize("extensions", WRONG_USE.values(), ids=WRONG_USE)
def test_leaves_for_something_else(extensions):
    assert code(check_leaf, leaf(*extensions), CODE_SIGNING) == "LF7403"


@pytest.mark.parametrize("critical", [False, True])
def test_time_stamps_need_a_certificate_for_them_alone(critical):
    stamping = ExtendedKeyUsageOID.TIME_STAMPING
    alone = leaf(LEAF[0], (x509.ExtendedKeyUsage([stamping]), critical), LEAF[2])
    both = leaf(LEAF[0], (x509.ExtendedKeyUsage([stamping, ExtendedKeyUsageOID.CODE_SIGNING]), critical))
    if critical:
        check_leaf(alone, TIME_STAMPING)
    else:
        assert code(check_leaf, alone, TIME_STAMPING) == "LF7403"
    assert code(check_leaf, both, TIME_STAMPING) == "LF7403"


NAMES = {
    "none": (),
    "two": (x509.RFC822Name("a@example.org"), x509.RFC822Name("b@example.org")),
    "of a machine": (x509.DNSName("example.org"),),
}


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_identities_are_one_and_clear(names):
    extension = [(x509.SubjectAlternativeName(names), True)] if names else []
    assert code(identity_of, leaf(*LEAF[:2], *extension)) == "LF7404"


def test_two_issuers_of_one_identity():
    one = x509.UnrecognizedExtension(ObjectIdentifier(ISSUER_V1), b"https://one.example")
    two = x509.UnrecognizedExtension(
        ObjectIdentifier("1.3.6.1.4.1.57264.1.8"), b"\x0c\x13https://two.example"
    )
    assert code(identity_of, leaf(*LEAF, (one, False), (two, False))) == "LF7404"


@given(st.data())
def test_changed_bytes_are_refused_or_prove_nothing(data):
    child, above = leaf(), root()
    changed = mutate(child.der, data.draw)
    if changed == child.der:
        return
    with pytest.raises(VerificationFailed):
        check_path(load_certificate(changed), (), [above], NOW)


def test_long_certificates_are_not_read():
    assert code(load_certificate, b"\x30" * 20_000) == "LF7400"


def rewritten(*, serial=None, parameters=False, signed_parameters=False):
    """A certificate with another serial number or with parameters beside ECDSA; the signature does not cover it."""
    body, algorithm, signature = der.read(sovereign().root.der).children()
    fields = [one.raw for one in body.children()]
    if serial is not None:
        fields[1] = serial
    null = der.tlv(der.NULL)
    if signed_parameters:
        fields[2] = der.sequence(*[one.raw for one in body.children()[2].children()], null)
    outer = der.sequence(*[one.raw for one in algorithm.children()], null) if parameters else algorithm.raw
    return der.sequence(der.sequence(*fields), outer, signature.raw)


@pytest.mark.parametrize(
    "changes",
    [
        {"serial": der.integer(0)},
        {"serial": der.integer(-5)},
        {"serial": der.tlv(der.INTEGER, b"\x00\x05")},
        {"serial": der.tlv(der.INTEGER)},
        {"parameters": True},
        {"signed_parameters": True},
    ],
)
def test_what_the_library_only_warns_of_is_refused(changes):
    assert load_certificate(rewritten(serial=der.integer(5)))
    with pytest.raises(VerificationFailed) as caught:
        load_certificate(rewritten(**changes))
    assert caught.value.code == "LF7400"


@pytest.mark.parametrize("version", [-1, 0, 1, 3, 5, 300])
def test_a_certificate_of_another_version_is_refused(version):
    body, algorithm, signature = der.read(sovereign().root.der).children()
    fields = [one.raw for one in body.children()]
    fields[0] = der.tlv(der.context(0), der.integer(version))
    with pytest.raises(VerificationFailed) as caught:
        load_certificate(der.sequence(der.sequence(*fields), algorithm.raw, signature.raw))
    assert caught.value.code == "LF7400"


@pytest.mark.parametrize("place", [3, 5])
@pytest.mark.parametrize(
    "name",
    [
        der.sequence(der.tlv(13)),
        der.sequence(der.set_of()),
        der.integer(1),
        der.tlv(der.SEQUENCE, b"\x31\x05"),
    ],
)
def test_a_name_that_does_not_read_is_refused_at_once(place, name):
    """The library would look at it when it is asked for."""
    body, algorithm, signature = der.read(sovereign().root.der).children()
    fields = [one.raw for one in body.children()]
    fields[place] = name
    with pytest.raises(VerificationFailed) as caught:
        load_certificate(der.sequence(der.sequence(*fields), algorithm.raw, signature.raw))
    assert caught.value.code == "LF7400"


@pytest.mark.parametrize("fields", [0, 1, 2, 3])
def test_a_certificate_of_few_fields_is_refused(fields):
    body, algorithm, signature = der.read(sovereign().root.der).children()
    short = der.sequence(*[one.raw for one in body.children()[:fields]])
    for whole in (
        der.sequence(short, algorithm.raw, signature.raw),
        der.sequence(short, der.sequence()),
        short,
    ):
        with pytest.raises(VerificationFailed) as caught:
            load_certificate(whole)
        assert caught.value.code == "LF7400"


def test_pem_is_read_whole_or_refused():
    first, second = (sovereign(n).root.x509.public_bytes(Encoding.PEM) for n in (0, 1))
    text = b"subject: a root\r\n" + first.replace(b"\n", b"\r\n") + b"# the next\n" + second
    assert [one.der for one in load_pem_certificates(text)] == [sovereign(n).root.der for n in (0, 1)]
    for broken in (
        b"",
        b"no certificate",
        first + second.replace(b"END", b"EMD"),
        first + second[:200],
        first.replace(b"M", b"!", 1) + second,
        first.replace(b"=", b"", 1)[:-30] + b"-----END CERTIFICATE-----" if b"=" in first else first[:300],
    ):
        with pytest.raises(VerificationFailed) as caught:
            load_pem_certificates(broken)
        assert caught.value.code == "LF7400"
