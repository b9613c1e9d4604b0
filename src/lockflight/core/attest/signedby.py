"""How the signature of something taken in was verified, as an intake records it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.records import dataclass
from lockflight.core.shape import hex64, obj, text, texts
from lockflight.core.times import unix

if TYPE_CHECKING:
    from lockflight.core.canonical import JsonObject, JsonValue

MODES = ("strict", "compat")
METHODS = ("key", "certificate", "identity")
MAX_TEXT = 8_192
MAX_RELAXATIONS = 100


@dataclass(frozen=True, slots=True)
class MakerSignature:
    """A maker's signature that was verified.

    Attributes:
        mode: `strict` or `compat`.
        method: `key`, `certificate` or `identity`.
        identity, issuer: the name that signed and who proved it; empty for the other methods.
        certificate: SHA-256 (hex) of the signer's certificate; empty where a key stands for itself.
        signed_at: proven time of the signature, RFC 3339 Z; empty where nobody proved one.
        relaxations: what strict would have refused, by name; empty in strict.
    """

    mode: str
    method: str
    identity: str = ""
    issuer: str = ""
    certificate: str = ""
    signed_at: str = ""
    relaxations: tuple[str, ...] = ()

    def to_json(self) -> JsonObject:
        """As it stands in the statement."""
        return {
            "mode": self.mode,
            "method": self.method,
            "identity": self.identity,
            "issuer": self.issuer,
            "certificate": self.certificate,
            "signedAt": self.signed_at,
            "relaxations": list(self.relaxations),
        }


def read_signed_by(value: JsonValue) -> MakerSignature:
    """Read what `MakerSignature.to_json` wrote.

    Raises:
        KeyError, TypeError, ValueError: another shape or over a budget.
    """
    raw = obj(value)
    certificate, signed_at = text(raw["certificate"]), text(raw["signedAt"])
    found = MakerSignature(
        mode=text(raw["mode"]),
        method=text(raw["method"]),
        identity=text(raw["identity"]),
        issuer=text(raw["issuer"]),
        certificate=hex64(certificate) if certificate else "",
        signed_at=signed_at,
        relaxations=texts(raw["relaxations"]),
    )
    if found.mode not in MODES or found.method not in METHODS:
        raise ValueError("a signature of an unknown mode or method")
    if len(found.relaxations) > MAX_RELAXATIONS or (found.relaxations and found.mode == "strict"):
        raise ValueError("relaxations that its mode does not know")
    if max(len(found.identity), len(found.issuer)) > MAX_TEXT:
        raise ValueError(f"a text of more than {MAX_TEXT} characters")
    if signed_at:
        unix(signed_at)
    return found
