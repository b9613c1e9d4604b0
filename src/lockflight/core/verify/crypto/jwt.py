"""Identity tokens (RFC 7519 in the compact form of RFC 7515), verified strictly against pinned keys. Pure.

A token says nothing about how it is to be checked: which key and which algorithms count is the pin's to say. Header
fields that would bring a key along, or point to one, refuse the token, and so does all that two readers could read
differently.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from lockflight.core.canonical import dumps, loads_object
from lockflight.core.records import dataclass
from lockflight.core.shape import text
from lockflight.core.verify.crypto import base64url
from lockflight.core.verify.crypto.jwks import EC, RSA, select
from lockflight.errors import LockflightError, VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockflight.core.canonical import JsonObject
    from lockflight.core.verify.crypto.jwks import Jwk

MAX_BYTES = 16 * 1024
MAX_HEADER_BYTES = 1024
MAX_DEPTH = 6
MAX_VALUES = 400
MAX_WORD = 512
#: Clocks differ by less than this, in seconds.
SKEW_S = 60
#: No token lives longer, in seconds, whatever its issuer says; an issuer's statement may say less.
MAX_LIFE_S = 3600
MIN_LIFE_S = 60

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA")
#: Thumbprints of certificates choose nothing here; the kid does.
_HEADER: Final = frozenset({"alg", "kid", "typ", "x5t", "x5t#S256"})
_TYPES: Final = ("JWT", "JOSE", "at+jwt")
_HASHES: Final = {"256": "SHA256", "384": "SHA384", "512": "SHA512"}


@dataclass(frozen=True, slots=True)
class Unverified:
    """A token as read; nothing about it is believed yet.

    Attributes:
        signed: what the signature is over.
        signature: its bytes.
        algorithm, kid: as the header says.
        claims: the payload.
        issuer: who the token says has made it: which pin to look up, and no more.
    """

    signed: bytes
    signature: bytes
    algorithm: str
    kid: str
    claims: JsonObject
    issuer: str


@dataclass(frozen=True, slots=True)
class Token:
    """A token that verifies.

    Attributes:
        issuer, subject: who made it, about whom.
        issued, expires: Unix seconds.
        claims: everything that it says.
        once: hex SHA-256 by which it is known again: of its `jti`, or of all that is signed where it has none.
    """

    issuer: str
    subject: str
    issued: int
    expires: int
    claims: JsonObject
    once: str


def read_token(data: bytes) -> Unverified:
    """Read a token's form.

    Args:
        data: compact serialisation; one line end may follow.

    Raises:
        VerificationFailed: LF4631 not in compact form, LF4632 a header field that is not allowed, LF4633 JSON that is
            not strict, LF4634 an algorithm that is never used, LF4638 no issuer.
    """
    data = data.removesuffix(b"\n").removesuffix(b"\r")
    if len(data) > MAX_BYTES:
        raise _form(f"it is longer than {MAX_BYTES} bytes")
    try:
        parts = data.decode("ascii").split(".")
    except UnicodeDecodeError:
        raise _form("it is not ASCII") from None
    if len(parts) != 3 or not all(parts):
        raise _form(f"it has {len(parts)} parts instead of three, or an empty one")
    if len(parts[0]) > MAX_HEADER_BYTES:
        raise _form("its header is too long")
    try:
        head, payload, signature = map(base64url.decode, parts)
    except ValueError as error:
        raise _form(str(error)) from error
    header = _header(_json(head, "header"))
    claims = _json(payload, "claims")
    signed = data.rpartition(b".")[0]
    return Unverified(signed, signature, header[0], header[1], claims, _word(claims, "iss"))


def _form(why: str) -> VerificationFailed:
    return VerificationFailed(
        "LF4631",
        f"This is no identity token: {why}.",
        hint="The file holds the token alone, as the issuer gave it.",
    )


def _json(data: bytes, what: str) -> JsonObject:
    try:
        return loads_object(data, what=f"token's {what}", max_depth=MAX_DEPTH, max_values=MAX_VALUES)
    except LockflightError as error:
        raise VerificationFailed("LF4633", error.message) from error


def _header(header: JsonObject) -> tuple[str, str]:
    strange = set(header) - _HEADER
    if strange:
        raise VerificationFailed(
            "LF4632",
            f"The token's header has the field {min(strange)[:40]!r}: keys, addresses of keys, extensions and "
            "compression are not taken from a token.",
        )
    algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    if kind not in _TYPES or not all(isinstance(one, str) for one in header.values()):
        raise VerificationFailed(
            "LF4632", "The token's header says that it is no JWT, or holds no plain texts."
        )
    if algorithm not in ALGORITHMS:
        said = str(algorithm)[:20]
        raise VerificationFailed(
            "LF4634",
            f"The token names the algorithm {said!r}; only {', '.join(ALGORITHMS)} are used.",
            hint="A token without a signature, or under a shared secret, proves nothing here.",
        )
    if not kid:
        raise VerificationFailed("LF4636", "The token does not say which key signed it.")
    return text(algorithm), text(kid)


def _word(claims: JsonObject, name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value or len(value) > MAX_WORD:
        raise VerificationFailed("LF4638", f"The token's claim {name!r} is missing, empty or no text.")
    return value


def verify_token(
    token: Unverified,
    keys: Sequence[Jwk],
    *,
    issuer: str,
    audience: str,
    now: int,
    life_s: int = MAX_LIFE_S,
    need_jti: bool = False,
) -> Token:
    """Verify a token.

    Args:
        token: as read.
        keys: those that are pinned for the issuer.
        issuer: who must have made it, exactly.
        audience: for whom it must be, exactly and alone.
        now: Unix seconds.
        life_s: longest life, in seconds; never more than `MAX_LIFE_S` counts.
        need_jti: refuse a token without an id of its own.

    Raises:
        VerificationFailed: LF4635 the algorithm is not the key's, LF4636 no such key, LF4637 the signature, LF4638 a
            claim, LF4639 another issuer, LF4640 another audience, LF4641 expired, LF4642 not valid yet, LF4643 it
            lives too long; LF7003 the pinned key is unsound.
    """
    if token.issuer != issuer:
        raise VerificationFailed("LF4639", f"The token is not from {issuer}.")
    key = select(keys, token.kid)
    if key is None:
        raise VerificationFailed(
            "LF4636",
            f"No key {token.kid[:80]!r} is pinned for {issuer}.",
            hint="If the issuer has new keys: lockflight identity issuer add FILE --jwks FILE",
        )
    if token.algorithm not in key.algorithms:
        raise VerificationFailed(
            "LF4635", f"The token names {token.algorithm}, and the key {key.kid!r} is not for that."
        )
    if not _holds(key, token.algorithm, token.signed, token.signature):
        raise VerificationFailed("LF4637", "The token's signature is not of the issuer's key.")
    _check_audience(token.claims, audience)
    issued, expires = _check_times(token.claims, now, min(life_s, MAX_LIFE_S))
    return Token(
        issuer, _word(token.claims, "sub"), issued, expires, token.claims, _once(token, needed=need_jti)
    )


def _check_audience(claims: JsonObject, audience: str) -> None:
    said = claims.get("aud")
    if said not in (audience, [audience]):
        raise VerificationFailed(
            "LF4640",
            "The token is for somebody else, or not for us alone.",
            hint=f"Ask the issuer for a token with the one audience {audience}",
        )


def _check_times(claims: JsonObject, now: int, life_s: int) -> tuple[int, int]:
    issued, expires = _time(claims, "iat"), _time(claims, "exp")
    begins = _time(claims, "nbf") if "nbf" in claims else issued
    if now >= expires + SKEW_S:
        raise VerificationFailed(
            "LF4641",
            "The token expired.",
            hint="Ask the issuer for a new one just before it is used.",
        )
    if max(issued, begins) > now + SKEW_S:
        raise VerificationFailed(
            "LF4642", "The token is not valid yet.", hint="Compare the clocks: `date -u` here and there."
        )
    if not 0 < expires - issued <= life_s:
        raise VerificationFailed(
            "LF4643",
            f"The token lives {expires - issued} seconds; between 1 and {life_s} are allowed.",
            hint="Ask the issuer for one that lives shorter.",
        )
    return issued, expires


def _time(claims: JsonObject, name: str) -> int:
    value = claims.get(name)
    if type(value) is not int or value < 0:
        raise VerificationFailed(
            "LF4638", f"The token's claim {name!r} is missing, or no whole number of seconds."
        )
    return value


def _once(token: Unverified, *, needed: bool) -> str:
    if "jti" in token.claims or needed:
        known = ["lockflight-token/v1", token.issuer, _word(token.claims, "jti")]
        return hashlib.sha256(dumps(known)).hexdigest()
    # Not of the signature: of ECDSA there is a second one that everybody can compute.
    return hashlib.sha256(b"lockflight-token/v1\0" + token.signed).hexdigest()


def _holds(key: Jwk, algorithm: str, signed: bytes, signature: bytes) -> bool:
    if key.kty == RSA:
        return _rsa(key, algorithm, signed, signature)
    public = key.public()
    if key.kty == EC:
        from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

        half = len(public.raw) // 2
        if len(signature) != 2 * half:
            return False
        r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
        signature = encode_dss_signature(r, s)
    return public.verify(signed, signature)


def _rsa(key: Jwk, algorithm: str, signed: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    public = key.rsa()
    digest: hashes.HashAlgorithm = getattr(hashes, _HASHES[algorithm[2:]])()
    scheme: padding.AsymmetricPadding = padding.PKCS1v15()
    if algorithm.startswith("PS"):
        scheme = padding.PSS(padding.MGF1(digest), digest.digest_size)
    if len(signature) != (public.key_size + 7) // 8:
        return False
    try:
        public.verify(signature, signed, scheme, digest)
    except InvalidSignature:
        return False
    return True
