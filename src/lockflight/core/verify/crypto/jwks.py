"""Keys of token issuers (RFC 7517, 7518, 8037): RSA, EC and Ed25519, public only, one algorithm family for each.

A key is kept in one form: what verifying needs, and nothing that would fetch or bring another key along.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lockflight.core.canonical import loads_object
from lockflight.core.records import dataclass
from lockflight.core.shape import array, obj, text, texts
from lockflight.core.verify.crypto.base64url import decode
from lockflight.core.verify.crypto.keys import P256, P384, P521, PublicKey, from_ed25519, from_point
from lockflight.errors import InvalidInput, LockflightError, VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from lockflight.core.canonical import JsonObject, JsonValue

MAX_BYTES = 256 * 1024
MAX_KEYS = 32
MIN_RSA_BITS, MAX_RSA_BITS = 2048, 8192
#: Smaller ones have been broken by careless verifiers; larger ones only cost time.
MIN_EXPONENT, MAX_EXPONENT = 65_537, 2**32
MAX_KID = 256

RSA: Final = "RSA"
EC: Final = "EC"
OKP: Final = "OKP"

#: Curve as JWKs call it -> algorithm of the key, the one JWS algorithm that fits, bytes of a coordinate.
CURVES: Final = {
    "P-256": (P256, "ES256", 32),
    "P-384": (P384, "ES384", 48),
    "P-521": (P521, "ES512", 66),
}
RSA_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256")
#: Says by whom a key was certified; verifying here rests on the pin alone, so it is left out.
_CERTIFIED: Final = frozenset({"x5c", "x5t", "x5t#S256", "x5u"})
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_FIELDS: Final = {
    RSA: frozenset({"n", "e"}),
    EC: frozenset({"crv", "x", "y"}),
    OKP: frozenset({"crv", "x"}),
}
_COMMON: Final = frozenset({"kty", "kid", "alg", "use", "key_ops"})
#: SPIFFE calls the use of a signing key so.
_USES: Final = ("", "sig", "jwt-svid")
_KID: Final = re.compile(r"[!-~]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Jwk:
    """A public key of an issuer.

    Attributes:
        kid: its name in tokens.
        kty: `RSA`, `EC` or `OKP`.
        algorithm: the one JWS algorithm that the issuer uses it for; empty where it does not say.
        parameters: of the key, base64url as in the document, by name.
    """

    kid: str
    kty: str
    algorithm: str
    parameters: tuple[tuple[str, str], ...]

    @property
    def algorithms(self) -> tuple[str, ...]:
        """Algorithms that a token under this key may name: those of its own type, or the one that it names."""
        held = dict(self.parameters)
        if self.kty == RSA:
            fits: tuple[str, ...] = RSA_ALGORITHMS
        elif self.kty == EC:
            fits = (CURVES[held["crv"]][1],)
        else:
            fits = ("EdDSA",)
        return tuple(one for one in fits if self.algorithm in {"", one})

    def to_json(self) -> JsonObject:
        """The form in statements."""
        plain: JsonObject = {"kty": self.kty, "kid": self.kid, **dict(self.parameters)}
        return {**plain, "alg": self.algorithm} if self.algorithm else plain

    def rsa(self) -> RSAPublicKey:
        """An RSA key.

        Raises:
            VerificationFailed: LF7003 no such key can be.
        """
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

        held = dict(self.parameters)
        n, e = (int.from_bytes(decode(held[name]), "big") for name in ("n", "e"))
        try:
            return RSAPublicNumbers(e, n).public_key()
        except ValueError as error:
            raise VerificationFailed("LF7003", f"The key {self.kid!r} is no sound RSA key.") from error

    def public(self) -> PublicKey:
        """An EC or Ed25519 key.

        Raises:
            VerificationFailed: LF7003 its point is not on the curve, or of low order.
        """
        held = dict(self.parameters)
        if self.kty == OKP:
            return from_ed25519(decode(held["x"]))
        return from_point(CURVES[held["crv"]][0], decode(held["x"]) + decode(held["y"]))

    def check_sound(self) -> None:
        """Read the key itself; what `parse_jwk` checks is only its form.

        Raises:
            VerificationFailed: LF7003.
        """
        if self.kty == RSA:
            self.rsa()
        else:
            self.public()


def parse_jwk(value: JsonValue, *, foreign: bool = False) -> Jwk:
    """Read one key.

    Args:
        value: a JSON Web Key.
        foreign: it comes from an issuer, who may add certificates; these are left out.

    Raises:
        KeyError, TypeError, ValueError: another shape, a private or weak key, or one that is not for signatures.
    """
    raw = obj(value)
    if foreign:
        raw = {key: item for key, item in raw.items() if key not in _CERTIFIED}
    if set(raw) & _PRIVATE:
        raise ValueError("a key is private or shared: only public keys are pinned")
    kty, kid = text(raw["kty"]), text(raw["kid"])
    if kty not in _FIELDS:
        raise ValueError(f"a key is of the type {kty[:20]!r}; only RSA, EC and OKP are used")
    if not _KID.fullmatch(kid) or len(kid) > MAX_KID:
        raise ValueError("a kid is printable ASCII without spaces")
    strange = set(raw) - _COMMON - _FIELDS[kty]
    if strange:
        raise ValueError(f"the key {kid} has the unknown field {min(strange)!r}")
    if text(raw.get("use", "")) not in _USES:
        raise ValueError(f"the key {kid} is not for signatures")
    if "key_ops" in raw and texts(raw["key_ops"]) != ("verify",):
        raise ValueError(f"the key {kid} is not for verifying alone")
    held = tuple((name, text(raw[name])) for name in sorted(_FIELDS[kty]))
    key = Jwk(kid, kty, text(raw["alg"]) if "alg" in raw else "", held)
    _check_form(key, dict(held))
    if not key.algorithms or ("alg" in raw and not key.algorithm):
        raise ValueError(
            f"the key {kid} names the algorithm {key.algorithm[:20]!r}, which does not fit its type"
        )
    return key


def _check_form(key: Jwk, held: dict[str, str]) -> None:
    if key.kty == RSA:
        modulus, exponent = decode(held["n"]), decode(held["e"])
        if modulus[:1] == b"\0" or exponent[:1] == b"\0":
            raise ValueError(f"a number of the key {key.kid} begins with zeros")
        n, e = int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")
        if not MIN_RSA_BITS <= n.bit_length() <= MAX_RSA_BITS or not n & 1:
            raise ValueError(
                f"the key {key.kid} has {n.bit_length()} bits; {MIN_RSA_BITS} to {MAX_RSA_BITS} are used"
            )
        if not MIN_EXPONENT <= e < MAX_EXPONENT or not e & 1:
            raise ValueError(f"the exponent of the key {key.kid} is unsafe")
    elif key.kty == EC:
        if held["crv"] not in CURVES:
            raise ValueError(f"the key {key.kid} is on the curve {held['crv'][:20]!r}, which is not used")
        size = CURVES[held["crv"]][2]
        if len(decode(held["x"])) != size or len(decode(held["y"])) != size:
            raise ValueError(f"the point of the key {key.kid} has another length than its curve's")
    elif held["crv"] != "Ed25519" or len(decode(held["x"])) != 32:
        raise ValueError(f"the key {key.kid} is no Ed25519 key")


def parse_keys(value: JsonValue) -> tuple[Jwk, ...]:
    """Read keys as statements hold them.

    Raises:
        KeyError, TypeError, ValueError: as `parse_jwk`; none, too many, or one kid twice.
    """
    return _distinct([parse_jwk(one) for one in array(value)])


def _distinct(keys: list[Jwk]) -> tuple[Jwk, ...]:
    if not keys or len(keys) > MAX_KEYS:
        raise ValueError(f"there are {len(keys)} keys; 1 to {MAX_KEYS} can be pinned")
    if len({key.kid for key in keys}) != len(keys):
        raise ValueError("two keys have the same kid, so a token could mean either")
    return tuple(keys)


def read_jwks(data: bytes) -> tuple[Jwk, ...]:
    """Read an issuer's own document: its keys for signing tokens, each sound.

    Keys for encryption and keys of X.509 identities (SPIFFE bundles hold both kinds) are left out, and so are
    certificates and hints to the reader that stand beside the keys.

    Raises:
        InvalidInput: LF4650 it does not read, has no such key, or one that must not be pinned.
    """
    try:
        raw = loads_object(data, what="key set", max_bytes=MAX_BYTES, max_depth=6, max_values=5_000)
        strange = set(raw) - {"keys", "spiffe_sequence", "spiffe_refresh_hint"}
        if strange:
            raise ValueError(f"it has the unknown field {min(strange)!r}")
        signing = [one for one in map(obj, array(raw["keys"])) if one.get("use") not in {"enc", "x509-svid"}]
        keys = _distinct([parse_jwk(one, foreign=True) for one in signing])
        for key in keys:
            key.check_sound()
    except LockflightError as error:
        raise _unusable(error.message) from error
    except (KeyError, TypeError, ValueError) as error:
        raise _unusable(f"{error}.") from error
    return keys


def _unusable(why: str) -> InvalidInput:
    return InvalidInput(
        "LF4650",
        f"The issuer's keys cannot be pinned: {why}",
        hint="Get the document that `jwks_uri` in the issuer's /.well-known/openid-configuration names.",
    )


def select(keys: Iterable[Jwk], kid: str) -> Jwk | None:
    """The one key of that name; None where there is none, or more than one."""
    found = [key for key in keys if key.kid == kid]
    return found[0] if len(found) == 1 else None


def plain(key: Jwk) -> str:
    """A key in a few words for people: its kid and type."""
    held = dict(key.parameters)
    size = f"-{8 * len(decode(held['n']))}" if key.kty == RSA else f" {held['crv']}"
    return f"{key.kid} ({key.kty}{size})"
