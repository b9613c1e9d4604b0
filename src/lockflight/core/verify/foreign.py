"""OpenSSF Model Signing v1.0 manifests that other tools signed, such as those of downloaded base models.

What the signer may decide is capped: `ignore_paths` and `allow_symlinks` are reported, and obeyed only as far
as the caller allows. Names, order and digests are as strict as for our own releases.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from lockflight.core.canonical import JsonObject, loads_object
from lockflight.core.names import check_names
from lockflight.core.records import dataclass
from lockflight.core.release import MAX_ASSETS, OMS_PREDICATE, STATEMENT_TYPE
from lockflight.core.shape import array, hex64, obj, text, texts
from lockflight.core.verify.bundle import check_bundle, read_bundle
from lockflight.errors import InvalidInput, VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockflight.core.verify.keys import PublicKey

#: Hashes whose digests can be compared here; stock tools also know blake2b, which none of them verifies.
HASHES: Final = ("sha256", "blake3")
MAX_IGNORES = 1000
MAX_PAYLOAD_BYTES = 48 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ForeignFile:
    """One listed file: its name and its digest (64 hex digits) in the manifest's `hash_type`."""

    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class ForeignManifest:
    """What somebody else's signature covers.

    Attributes:
        name: what the signer calls the model.
        root: SHA-256 (hex) over the raw digests in listed order. It does not cover names: never an identity.
        hash_type: one of `HASHES`.
        resources: in listed order, at least one.
        ignore_paths: what the signer left out.
        allow_symlinks: whether the signer followed links.
        payload_digest: SHA-256 (hex) of the signed payload: the identity of the manifest.
        key: the key that signed.
    """

    name: str
    root: str
    hash_type: str
    resources: tuple[ForeignFile, ...]
    ignore_paths: tuple[str, ...]
    allow_symlinks: bool
    payload_digest: str
    key: PublicKey


def verify_foreign(
    data: bytes, keys: PublicKey | Iterable[PublicKey], *, what: str = "bundle"
) -> ForeignManifest:
    """Verify a bundle of another tool, signed with a key.

    Raises:
        VerificationFailed: as `bundle.read_bundle` and `bundle.check_bundle`; LF7150 not an OMS v1.0
            statement, LF7151 a name that could leave the folder or mean two files, LF7152 resources in no
            known order, LF7153 the subject is not the digest of the resources, LF7154 a method or hash that
            cannot be checked.
    """
    bundle = read_bundle(data, what=what)
    key = check_bundle(bundle, keys, what=what)
    payload = bundle.envelope.payload
    body = loads_object(payload, what=f"statement in the {what}", max_bytes=MAX_PAYLOAD_BYTES)
    try:
        return _manifest(body, hashlib.sha256(payload).hexdigest(), key)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise VerificationFailed(
            "LF7150", f"The statement in the {what} is not of OpenSSF Model Signing v1.0: {reason}."
        ) from error
    except InvalidInput as error:
        raise VerificationFailed("LF7151", error.message, hint=error.hint, details=error.details) from error


def _manifest(body: JsonObject, digest: str, key: PublicKey) -> ForeignManifest:
    _exactly(body, {"_type", "subject", "predicateType", "predicate"})
    if (body["_type"], body["predicateType"]) != (STATEMENT_TYPE, OMS_PREDICATE):
        raise ValueError(f"its predicate is {body['predicateType']!r}")
    subjects = array(body["subject"])
    if len(subjects) != 1:
        raise ValueError("it has not exactly one subject")
    subject = obj(subjects[0])
    _exactly(subject, {"name", "digest"})
    root = obj(subject["digest"])
    _exactly(root, {"sha256"})
    predicate = obj(body["predicate"])
    _exactly(predicate, {"resources", "serialization"})
    serialization = obj(predicate["serialization"])
    hash_type = _hash_type(serialization)
    files = _files(predicate, hash_type)
    ignores = texts(serialization.get("ignore_paths", []))
    if len(ignores) > MAX_IGNORES:
        raise ValueError(f"it ignores more than {MAX_IGNORES} paths")
    allow_symlinks = serialization["allow_symlinks"]
    if not isinstance(allow_symlinks, bool):
        raise TypeError("allow_symlinks is neither true nor false")
    if hashlib.sha256(b"".join(bytes.fromhex(f.digest) for f in files)).hexdigest() != hex64(root["sha256"]):
        raise VerificationFailed(
            "LF7153", "The subject of the signed statement is not the digest of the files that it lists."
        )
    return ForeignManifest(
        name=text(subject["name"]),
        root=hex64(root["sha256"]),
        hash_type=hash_type,
        resources=files,
        ignore_paths=ignores,
        allow_symlinks=allow_symlinks,
        payload_digest=digest,
        key=key,
    )


def _hash_type(serialization: JsonObject) -> str:
    method, hash_type = text(serialization["method"]), text(serialization["hash_type"])
    if method != "files" or hash_type not in HASHES:
        raise VerificationFailed(
            "LF7154",
            f"The signature was made with method {method[:40]!r} and hash {hash_type[:40]!r}; only method "
            f"'files' with "
            f"{' or '.join(HASHES)} can be checked.",
            hint="Ask the signer for a signature with method files and sha256.",
        )
    unknown = set(serialization) - {"method", "hash_type", "allow_symlinks", "ignore_paths"}
    if unknown:
        raise ValueError(f"its serialization has the field {min(unknown)[:80]!r}, which is not known")
    return hash_type


def _files(predicate: JsonObject, hash_type: str) -> tuple[ForeignFile, ...]:
    resources = [obj(r) for r in array(predicate["resources"])]
    if not 0 < len(resources) <= MAX_ASSETS:
        raise ValueError(f"it lists {len(resources)} files; 1 to {MAX_ASSETS} are possible")
    files = []
    for resource in resources:
        _exactly({k: v for k, v in resource.items() if k != "annotations"}, {"name", "algorithm", "digest"})
        if resource["algorithm"] != hash_type:
            raise ValueError("a resource has another algorithm than hash_type says")
        files.append(ForeignFile(text(resource["name"]), hex64(resource["digest"])))
    names = [f.name for f in files]
    check_names(names)
    # The specification sorts by code point, the reference implementation by the parts of the path.
    if names != sorted(names) and names != sorted(names, key=lambda n: n.split("/")):
        raise VerificationFailed(
            "LF7152", "The files in the signed statement are in no order that signers use."
        )
    return tuple(files)


def _exactly(value: JsonObject, fields: set[str]) -> None:
    if set(value) != fields:
        odd = min(set(value) ^ fields)
        raise ValueError(f"the field {odd[:80]!r} is {'not known' if odd in value else 'missing'}")
