"""One-time codes against the vectors of RFC 4226 and RFC 6238."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.identity.totp import PERIOD_S, hotp, matching, read, spelled, step_of, uri

SECRET = b"12345678901234567890"

#: RFC 4226, appendix D.
HOTP = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]
#: RFC 6238, appendix B: time, SHA-1, SHA-256, SHA-512.
TOTP = [
    (59, "94287082", "46119246", "90693936"),
    (1111111109, "07081804", "68084774", "25091201"),
    (1111111111, "14050471", "67062674", "99943326"),
    (1234567890, "89005924", "91819424", "93441116"),
    (2000000000, "69279037", "90698825", "38618901"),
    (20000000000, "65353130", "77737706", "47863826"),
]


@pytest.mark.parametrize(("counter", "code"), [*enumerate(HOTP)])
def test_hotp_of_the_rfc(counter: int, code: str) -> None:
    assert hotp(SECRET, counter) == code


@pytest.mark.parametrize(("now", "sha1", "sha256", "sha512"), TOTP)
def test_totp_of_the_rfc(now: int, sha1: str, sha256: str, sha512: str) -> None:
    for algorithm, code, size in (("sha1", sha1, 20), ("sha256", sha256, 32), ("sha512", sha512, 64)):
        secret = (SECRET * 4)[:size]
        assert hotp(secret, step_of(now), digits=8, algorithm=algorithm) == code


def test_a_code_counts_once_and_for_a_step_around() -> None:
    now = 1_780_000_010
    step = step_of(now)
    code = hotp(SECRET, step)
    assert matching(SECRET, code, now, after=-1) == step
    assert matching(SECRET, code, now, after=step) is None, "used"
    assert matching(SECRET, code, now + PERIOD_S, after=-1) == step
    assert matching(SECRET, code, now - PERIOD_S, after=-1) == step
    assert matching(SECRET, code, now + 2 * PERIOD_S, after=-1) is None, "too old"
    assert matching(SECRET, code, now - 2 * PERIOD_S, after=-1) is None, "from the future"


def test_an_older_code_does_not_count_after_a_newer_one() -> None:
    now = 1_780_000_010
    assert matching(SECRET, hotp(SECRET, step_of(now) - 1), now, after=step_of(now)) is None


@pytest.mark.parametrize("code", ["", "12345", "1234567", "١٢٣٤٥٦", "abcdef", "\udc80", " 755224"])
def test_what_is_no_code(code: str) -> None:
    assert matching(SECRET, code, 10, after=-1) is None


@given(st.binary(min_size=16, max_size=64))
def test_a_secret_comes_back(secret: bytes) -> None:
    assert read(spelled(secret)) == secret


@pytest.mark.parametrize("word", ["", "AAAA", "1", "not base 32", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"])
def test_what_is_no_secret(word: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        read(word)


@given(st.text(min_size=1, max_size=40).filter(lambda s: s.isprintable()), st.text(max_size=20))
def test_a_name_cannot_change_the_uri(account: str, issuer: str) -> None:
    try:
        account.encode()
        issuer.encode()
    except UnicodeEncodeError:
        return
    parts = urlsplit(uri(SECRET, issuer=issuer, account=account))
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert unquote(parts.path[1:].partition(":")[2]) == account
    asked = parse_qs(parts.query)
    assert asked["secret"] == [spelled(SECRET)]
    assert len(asked["digits"]) == 1
