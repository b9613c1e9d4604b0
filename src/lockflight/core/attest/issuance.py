"""Certificates that a realm's authority has issued, each on record before it is handed out. Pure.

The promise in a certificate (RFC 6962) says that a log will show it. Here the realm's own log does, and a signature
under a certificate that the log has not shown before counts for nothing: nobody is vouched for in secret.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from lockflight.core.attest import statement as st
from lockflight.core.attest.dsse import b64
from lockflight.core.records import dataclass
from lockflight.core.shape import text

if TYPE_CHECKING:
    from lockflight.core.canonical import JsonObject


@dataclass(frozen=True, slots=True)
class Issuance:
    """What a `certificate/v1` statement says.

    Attributes:
        certificate: DER.
        principal: pseudonym of whom it speaks for.
        realm: root digest of the realm.
    """

    certificate: bytes
    principal: str
    realm: str

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the certificate."""
        return hashlib.sha256(self.certificate).hexdigest()

    def statement(self) -> st.Statement:
        """The statement to sign with the realm's producer key."""
        predicate: JsonObject = {
            "certificate": base64.b64encode(self.certificate).decode(),
            "principal": self.principal,
            "realm": self.realm,
        }
        return st.Statement(st.CERTIFICATE, (st.SubjectRef(self.principal, self.digest),), predicate)


def parse_issuance(statement: st.Statement) -> Issuance:
    """Read a `certificate/v1` predicate.

    Raises:
        KeyError, TypeError, ValueError: the predicate has another shape, or the subject is another certificate.
    """
    raw = statement.predicate
    found = Issuance(b64(raw["certificate"]), text(raw["principal"]), text(raw["realm"]))
    if found.statement() != statement:
        raise ValueError("unknown fields, or a subject that is another certificate")
    return found
