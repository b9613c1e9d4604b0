"""Whom a verifier of sigstore bundles trusts: certificate authorities, certificate logs, logs, time-stamp authorities.

Reads and writes `TrustedRoot` and `ClientTrustConfig` of sigstore's protobuf-specs, so that stock tools and this one
share a file. The file is the operator's: whoever can change it decides what verifies.
"""

from __future__ import annotations

import base64
import re
from datetime import datetime
from typing import TYPE_CHECKING, Final

from lockflight.core.attest.dsse import b64
from lockflight.core.canonical import loads_object
from lockflight.core.records import dataclass
from lockflight.core.shape import array, obj, text
from lockflight.core.times import rfc3339
from lockflight.core.verify.crypto.certificate import Certificate, load_certificate
from lockflight.core.verify.crypto.keys import PublicKey, load_der
from lockflight.core.verify.crypto.timestamp import Authority
from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockflight.core.canonical import JsonObject, JsonValue

ROOT_TYPE: Final = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
_ROOT_TYPES: Final = {ROOT_TYPE, "application/vnd.dev.sigstore.trustedroot.v0.2+json"}
CONFIG_TYPE: Final = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"
SIGNING_TYPE: Final = "application/vnd.dev.sigstore.signingconfig.v0.2+json"
MAX_BYTES = 4 * 1024 * 1024
MAX_VALUES = 20_000
#: Open-ended: the end of what four digits of a year can say.
FOR_EVER: Final = 253_402_300_799

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,9})?Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class LogKey:
    """A log of entries or of certificates.

    Attributes:
        url: where it says that it is; for our own logs `https://` and the origin.
        key: its public key.
        log_id: by which entries name it (32 bytes).
        begins, ends: when it is trusted, Unix seconds, both included.
    """

    url: str
    key: PublicKey
    log_id: bytes
    begins: int
    ends: int = FOR_EVER


@dataclass(frozen=True, slots=True)
class Issuer:
    """A certificate authority.

    Attributes:
        url: where it says that it is.
        certificates: its chain, the one that issues leaves first, the root last.
        begins, ends: when it is trusted, Unix seconds, both included.
    """

    url: str
    certificates: tuple[Certificate, ...]
    begins: int
    ends: int = FOR_EVER


@dataclass(frozen=True, slots=True)
class TrustRoot:
    """All that a verifier trusts.

    Attributes:
        logs: logs of entries.
        issuers: certificate authorities.
        certificate_logs: logs whose promises in certificates count.
        stampers: time-stamp authorities.
    """

    logs: tuple[LogKey, ...] = ()
    issuers: tuple[Issuer, ...] = ()
    certificate_logs: tuple[LogKey, ...] = ()
    stampers: tuple[Authority, ...] = ()

    def to_json(self) -> JsonObject:
        """`TrustedRoot`, ProtoJSON."""
        return {
            "mediaType": ROOT_TYPE,
            "tlogs": [_log(one) for one in self.logs],
            "certificateAuthorities": [
                _authority(one.url, one.certificates, one.begins, one.ends) for one in self.issuers
            ],
            "ctlogs": [_log(one) for one in self.certificate_logs],
            "timestampAuthorities": [
                _authority("", one.certificates, one.begins, one.ends) for one in self.stampers
            ],
        }

    def to_config(self, *, ca: str = "", log: str = "", stamper: str = "", operator: str = "") -> JsonObject:
        """`ClientTrustConfig`: this root with the services that sign under it.

        Args:
            ca: URL of the certificate authority; empty where there is none to ask.
            log: URL of the log.
            stamper: URL of the time-stamp authority.
            operator: who runs them.
        """
        services = {"caUrls": ca, "rekorTlogUrls": log, "tsaUrls": stamper}
        begins = min([one.begins for one in self.logs] + [one.begins for one in self.issuers], default=0)
        signing: JsonObject = {"mediaType": SIGNING_TYPE}
        for name, url in services.items():
            version = 2 if name == "rekorTlogUrls" else 1
            row: JsonObject = {
                "url": url,
                "majorApiVersion": version,
                "operator": operator,
                "validFor": {"start": rfc3339(begins)},
            }
            signing[name] = [row] if url else []
        signing["oidcUrls"] = []
        signing["rekorTlogConfig"] = {"selector": "ANY"}
        signing["tsaConfig"] = {"selector": "ANY"}
        return {"mediaType": CONFIG_TYPE, "trustedRoot": self.to_json(), "signingConfig": signing}


def read_trust_root(data: bytes) -> TrustRoot:
    """Read a `TrustedRoot`, or the one inside of a `ClientTrustConfig`.

    A key of a kind that is not read here is left out: nothing verifies under it.

    Raises:
        VerificationFailed: LF7101 to LF7103 (JSON), LF7430 it does not read, LF7400 a certificate does not.
    """
    raw = loads_object(data, what="trust root", max_bytes=MAX_BYTES, max_values=MAX_VALUES)
    try:
        if raw.get("mediaType") == CONFIG_TYPE:
            raw = obj(raw["trustedRoot"])
        if text(raw["mediaType"]) not in _ROOT_TYPES:
            raise ValueError(f"its type is {text(raw['mediaType'])[:80]!r}")
        return TrustRoot(
            logs=tuple(_logs(raw.get("tlogs", []))),
            issuers=tuple(
                Issuer(text(one.get("uri", "")), *_chain(one)) for one in _rows(raw, "certificateAuthorities")
            ),
            certificate_logs=tuple(_logs(raw.get("ctlogs", []))),
            stampers=tuple(Authority(*_chain(one)) for one in _rows(raw, "timestampAuthorities")),
        )
    except (KeyError, TypeError, ValueError) as error:
        why = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise VerificationFailed(
            "LF7430",
            f"The trust root does not read: {why}.",
            hint="lockflight trust export writes one for a realm",
        ) from error


def _rows(raw: JsonObject, name: str) -> list[JsonObject]:
    return [obj(one) for one in array(raw.get(name, []))]


def _logs(value: JsonValue) -> Iterable[LogKey]:
    for item in array(value):
        row = obj(item)
        public = obj(row["publicKey"])
        try:
            key = load_der(b64(public["rawBytes"]))
        except VerificationFailed:
            continue
        begins, ends = _span(public["validFor"])
        yield LogKey(text(row.get("baseUrl", "")), key, b64(obj(row["logId"])["keyId"]), begins, ends)


def _chain(row: JsonObject) -> tuple[tuple[Certificate, ...], int, int]:
    certificates = array(obj(row["certChain"])["certificates"])
    begins, ends = _span(row["validFor"])
    if not certificates:
        raise ValueError("an authority has no certificate")
    return tuple(load_certificate(b64(obj(one)["rawBytes"])) for one in certificates), begins, ends


def _span(value: JsonValue) -> tuple[int, int]:
    span = obj(value)
    return _time(span["start"]), _time(span["end"]) if span.get("end") is not None else FOR_EVER


def _time(value: JsonValue) -> int:
    found = _TIME.fullmatch(text(value))
    if found is None:
        raise ValueError(f"{text(value)[:40]!r} is no time")
    return int(datetime.fromisoformat(found[1] + "+00:00").timestamp())


def _log(one: LogKey) -> JsonObject:
    return {
        "baseUrl": one.url,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {
            "rawBytes": _b64(one.key.der),
            "keyDetails": one.key.key_details,
            "validFor": _valid(one.begins, one.ends),
        },
        "logId": {"keyId": _b64(one.log_id)},
    }


def _authority(url: str, certificates: Iterable[Certificate], begins: int, ends: int) -> JsonObject:
    chain = list(certificates)
    return {
        "subject": {"organization": "", "commonName": chain[0].subject.removeprefix("CN=")},
        "uri": url,
        "certChain": {"certificates": [{"rawBytes": _b64(one.der)} for one in chain]},
        "validFor": _valid(begins, ends),
    }


def _valid(begins: int, ends: int) -> JsonObject:
    return {"start": rfc3339(begins), **({"end": rfc3339(ends)} if ends != FOR_EVER else {})}


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
