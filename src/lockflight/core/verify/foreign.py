"""OpenSSF Model Signing manifests that other tools signed, such as those of downloaded base models.

Two profiles. `strict` takes what the specification says and our own releases are: whole files, nothing left out, names
and digests in one form. `compat`, which somebody must ask for, also takes what the specification permits or older tools
wrote, and says of each such thing that it was met. What makes two readers see two models is refused in both.

Sources: ossf/model-signing-spec v1.0; sigstore/model-transparency for what its releases wrote.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from lockflight.core.canonical import JsonObject, JsonValue, loads_object
from lockflight.core.records import dataclass
from lockflight.core.release.release import MAX_ASSETS, OMS_PREDICATE, STATEMENT_TYPE
from lockflight.core.shape import array, hex64, obj, text, texts
from lockflight.core.text.names import check_names
from lockflight.core.verify.pieces import MAX_PIECES, Piece, joined, read_piece
from lockflight.errors import InvalidInput, VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockflight.core.verify.crypto.keys import PublicKey

#: Hashes that both profiles read, and the hex digits of each that compat reads.
HASHES: Final = ("sha256", "blake3")
HASH_DIGITS: Final = {"sha256": 64, "blake3": 64, "blake2b": 128}
#: What model_signing 0.2 wrote.
OLD_PREDICATE: Final = "https://model_signing/Digests/v0.1"
MAX_IGNORES = 1000
MAX_PAYLOAD_BYTES = 48 * 1024 * 1024

#: A colon may stand in names of files that were signed in pieces; elsewhere it would start an alternate data stream.
_COLON: Final = "\uf03a"
_DRIVE = re.compile(r"[A-Za-z]:[/\\]")
_HEX = frozenset("0123456789abcdef")
ASK_COMPAT: Final = (
    "--compat reads it all the same, and says so; a new signature with a current tool is better."
)


class Mode(StrEnum):
    """How strictly a signature of another tool is read."""

    STRICT = "strict"
    COMPAT = "compat"


#: Everything that compat may let pass, and how it is told to people.
RELAXATIONS: Final = {
    "old-predicate": "the statement is that of model_signing 0.2, with no digest over all files",
    "old-encoding": "the signature covers the encoding of model_signing 0.2 instead of that of DSSE",
    "old-bundle": "the bundle is of an older version than v0.3",
    "raw-key": "the bundle brings the key along instead of its digest, as before model_signing 1.1",
    "unnamed-file": "the name of the file is not signed",
    "pieces": "files were signed in pieces",
    "piece-names": "the hash of the pieces goes by the name that model_signing 1.1 gives it",
    "decimals": "the size of the pieces is written as a decimal",
    "colon-names": "names of files hold a colon",
    "empty-files": "empty files are not signed",
    "blake2b": "files are named by BLAKE2b",
    "followed-links": "the signer followed links; here every link is refused",
    "more-fields": "the statement says more than is read",
    "unsigned-files": "files were left unsigned by rules of the signer or its tool",
    "unread-entries": "entries of logs or time stamps that came along with a signature by key were not checked",
    "no-trusted-time": "nobody has proven when it was signed; the certificate was judged by the clock of this machine",
    "authority-leaf": "the signer's certificate says that it may issue others",
}


@dataclass(frozen=True, slots=True)
class Relaxation:
    """Something that only compat lets pass, and that was met.

    Attributes:
        name: one of `RELAXATIONS`.
        names: the files that it is about; empty where it is about all.
    """

    name: str
    names: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """What it means, for people."""
        return RELAXATIONS[self.name]


@dataclass(slots=True)
class Reading:
    """One reading of a signature: its profile, and what had to be relaxed so far."""

    mode: Mode = Mode.STRICT
    used: dict[str, Relaxation] = field(default_factory=dict)

    def relax(self, name: str, code: str, message: str) -> None:
        """Let something pass in compat, and remember it.

        Raises:
            VerificationFailed: `code`, in strict.
        """
        if self.mode is Mode.STRICT:
            raise VerificationFailed(code, message, hint=ASK_COMPAT, details={"relaxation": name})
        self.used.setdefault(name, Relaxation(name))


@dataclass(frozen=True, slots=True)
class ForeignFile:
    """One listed file.

    Attributes:
        name: its name.
        digest: in the manifest's `hash_type`, lower-case hex; for a file in pieces that of `pieces.joined`.
        size: bytes, where the signature says so: for files in pieces.
    """

    name: str
    digest: str
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Maker:
    """Who signed.

    Attributes:
        method: `key`, `certificate` or `identity`.
        key: the key that signed.
        certificate: hex SHA-256 of the signer's certificate; empty where a key stands for itself.
        subject: what that certificate calls its holder; may be empty.
        identity, issuer: the name that was asked for, and who proved it; empty for the other methods.
        times_ms: proven times of the signature, Unix milliseconds, earliest first.
        logged: how many entries of trusted logs came along.
    """

    method: str
    key: PublicKey
    certificate: str = ""
    subject: str = ""
    identity: str = ""
    issuer: str = ""
    times_ms: tuple[int, ...] = ()
    logged: int = 0


@dataclass(frozen=True, slots=True)
class ForeignManifest:
    """What somebody else's signature covers.

    Attributes:
        name: what the signer calls the model; empty where it has no name.
        root: SHA-256 (hex) over the raw digests in listed order. It does not cover names: never an identity.
        hash_type: one of `HASH_DIGITS`.
        resources: in listed order, at least one.
        ignore_paths: what the signer left out.
        allow_symlinks: whether the signer followed links.
        payload_digest: SHA-256 (hex) of the signed payload: the identity of the manifest.
        maker: who signed.
        piece: bytes of a piece, where files were signed in pieces; 0 for whole files.
        mode: how it was read.
        relaxations: what had to be relaxed, by name; empty in strict.
    """

    name: str
    root: str
    hash_type: str
    resources: tuple[ForeignFile, ...]
    ignore_paths: tuple[str, ...]
    allow_symlinks: bool
    payload_digest: str
    maker: Maker
    piece: int = 0
    mode: Mode = Mode.STRICT
    relaxations: tuple[Relaxation, ...] = ()

    @property
    def key(self) -> PublicKey:
        """The key that signed."""
        return self.maker.key

    @property
    def plain(self) -> bool:
        """Whether its digests are those that every file gets anyway."""
        return not self.piece and self.hash_type in HASHES


def read_manifest(
    payload: bytes, maker: Maker, reading: Reading, *, what: str = "bundle", old_encoding: bool = False
) -> ForeignManifest:
    """Read the statement of a bundle whose signature holds.

    Args:
        payload: the very bytes that were signed.
        maker: who signed them.
        reading: the profile; what is relaxed is added to it.
        what: name for messages.
        old_encoding: the signature covers the encoding of model_signing 0.2, which counts for its predicate alone.

    Raises:
        VerificationFailed: LF7101 to LF7103 (JSON); LF7150 not an OMS v1.0 statement, LF7151 a name that could leave
            the folder or mean two files, LF7152 resources in no known order, LF7153 the subject is not the digest of
            the resources, LF7154 a hash that is not read, LF7155 pieces, LF7156 the signer followed links, LF7157 an
            empty model, LF7158 a file listed twice, LF7159 a digest not in lower-case hex, LF7166 the statement of an
            old version.
    """
    body = loads_object(payload, what=f"statement in the {what}", max_bytes=MAX_PAYLOAD_BYTES)
    try:
        _exactly(body, {"_type", "subject", "predicateType", "predicate"})
        old = body["predicateType"] == OLD_PREDICATE
        if old_encoding and not old:
            raise ValueError("its signature covers an encoding that was never used for it")
        if body["_type"] != STATEMENT_TYPE or (body["predicateType"] != OMS_PREDICATE and not old):
            raise ValueError(f"its predicate is {body['predicateType']!r}")
        return (_old if old else _manifest)(body, hashlib.sha256(payload).hexdigest(), maker, reading)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise VerificationFailed(
            "LF7150", f"The statement in the {what} is not of OpenSSF Model Signing v1.0: {reason}."
        ) from error
    except InvalidInput as error:
        code = "LF7158" if error.code == "LF1016" else "LF7151"
        raise VerificationFailed(code, error.message, hint=error.hint, details=error.details) from error


def _manifest(body: JsonObject, digest: str, maker: Maker, reading: Reading) -> ForeignManifest:
    subjects = array(body["subject"])
    if len(subjects) != 1:
        raise ValueError("it has not exactly one subject")
    subject = obj(subjects[0])
    _at_least(subject, {"name", "digest"}, reading)
    root = obj(subject["digest"])
    _at_least(root, {"sha256"}, reading)
    predicate = obj(body["predicate"])
    _exactly(predicate, {"resources", "serialization"})
    serialization = obj(predicate["serialization"])
    unknown = set(serialization) - {"method", "hash_type", "allow_symlinks", "ignore_paths", "shard_size"}
    if unknown:
        raise ValueError(f"its serialization has the field {min(unknown)[:80]!r}, which is not known")
    hash_type, piece = _hash_type(serialization, reading), _piece(serialization, reading)
    listed = _listed(array(predicate["resources"]), reading)
    digests = [_digest(resource["digest"], hash_type) for resource in listed]
    names = [text(resource["name"]) for resource in listed]
    _algorithms(listed, hash_type, piece, reading)
    files = _in_pieces(names, digests, piece, reading) if piece else _whole(names, digests, reading)
    ignores = texts(serialization.get("ignore_paths", []))
    if len(ignores) > MAX_IGNORES:
        raise ValueError(f"it ignores more than {MAX_IGNORES} paths")
    allow_symlinks = serialization["allow_symlinks"]
    if not isinstance(allow_symlinks, bool):
        raise TypeError("allow_symlinks is neither true nor false")
    if allow_symlinks:
        reading.relax(
            "followed-links",
            "LF7156",
            "The signer followed symbolic links, and what they lead to can be something else here.",
        )
    if _root(digests) != hex64(root["sha256"]):
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
        maker=maker,
        piece=piece,
        mode=reading.mode,
        relaxations=tuple(reading.used.values()),
    )


def _old(body: JsonObject, digest: str, maker: Maker, reading: Reading) -> ForeignManifest:
    """The statement of model_signing 0.2: every file is a subject, the predicate says nothing."""
    reading.relax("old-predicate", "LF7166", "The statement is that of model_signing 0.2.")
    predicate = obj(body["predicate"])
    _exactly(predicate, {"unused"})
    names, digests = [], []
    for subject in _listed(array(body["subject"]), reading):
        _exactly({k: v for k, v in subject.items() if k != "annotations"}, {"name", "digest"})
        said = obj(subject["digest"])
        _exactly(said, {"sha256"})
        notes = obj(subject.get("annotations", {"actual_hash_algorithm": "file-sha256"}))
        if notes != {"actual_hash_algorithm": "file-sha256"}:
            raise ValueError("a file of it is named by another digest than SHA-256")
        names.append(text(subject["name"]))
        digests.append(_digest(said["sha256"], "sha256"))
    return ForeignManifest(
        name="",
        root=_root(digests),
        hash_type="sha256",
        resources=_whole(names, digests, reading),
        ignore_paths=(),
        allow_symlinks=False,
        payload_digest=digest,
        maker=maker,
        mode=reading.mode,
        relaxations=tuple(reading.used.values()),
    )


def _hash_type(serialization: JsonObject, reading: Reading) -> str:
    hash_type, method = text(serialization["hash_type"]), text(serialization["method"])
    # Before 1.0 the hash of the pieces went by that name here, too.
    plain, marked, _ = hash_type.partition("-sharded-")
    if (
        method == "shards"
        and marked
        and hash_type == f"{plain}-sharded-{_number(serialization['shard_size'])}"
    ):
        reading.relax("piece-names", "LF7155", "The pieces name their hash as model_signing 0.3 does.")
        hash_type = plain
    if method not in {"files", "shards"} or hash_type not in HASH_DIGITS:
        raise VerificationFailed(
            "LF7154",
            f"The signature was made with method {method[:40]!r} and hash {hash_type[:40]!r}, which are not read.",
            hint="Ask the signer for a signature with method files and sha256.",
        )
    if hash_type not in HASHES:
        reading.relax(hash_type, "LF7154", f"Files are named by {hash_type}, which few tools can check.")
    return hash_type


def _piece(serialization: JsonObject, reading: Reading) -> int:
    if serialization["method"] == "files":
        if "shard_size" in serialization:
            raise ValueError("it signs whole files and gives a size of pieces")
        return 0
    reading.relax(
        "pieces",
        "LF7155",
        "Files were signed in pieces (method shards), so empty files could come and go unseen.",
    )
    if isinstance(serialization["shard_size"], float):
        reading.relax("decimals", "LF7155", "The size of the pieces is written as a decimal.")
    return _number(serialization["shard_size"])


def _number(size: JsonValue) -> int:
    if isinstance(size, float) and size.is_integer():
        size = int(size)
    if not isinstance(size, int) or isinstance(size, bool) or size <= 0:
        raise TypeError("the size of its pieces is no whole number above 0")
    return size


def _listed(resources: Sequence[JsonValue], reading: Reading) -> list[JsonObject]:
    if not resources:
        raise VerificationFailed(
            "LF7157",
            "The signature covers no file at all, so it says nothing about the model.",
            hint="Do not use it; ask the producer for a signature over the files.",
        )
    limit = MAX_ASSETS if reading.mode is Mode.STRICT else MAX_PIECES
    if len(resources) > limit:
        raise ValueError(f"it lists {len(resources)} files; 1 to {limit} are possible")
    return [obj(resource) for resource in resources]


def _algorithms(listed: Sequence[JsonObject], hash_type: str, piece: int, reading: Reading) -> None:
    for resource in listed:
        _at_least(
            {k: v for k, v in resource.items() if k != "annotations"},
            {"name", "algorithm", "digest"},
            reading,
        )
        algorithm = resource["algorithm"]
        if piece and algorithm == f"{hash_type}-sharded-{piece}":
            reading.relax("piece-names", "LF7155", "The pieces name their hash as model_signing 1.1 does.")
        elif algorithm != hash_type:
            raise ValueError("a resource has another algorithm than hash_type says")


def _whole(names: list[str], digests: list[str], reading: Reading) -> tuple[ForeignFile, ...]:
    if names == ["."]:
        reading.relax("unnamed-file", "LF7151", "The signature covers one file and does not name it.")
        return (ForeignFile(".", digests[0]),)
    check_names(names)
    _in_order(names, sorted(names, key=lambda n: n.split("/")))
    return tuple(ForeignFile(name, digest) for name, digest in zip(names, digests, strict=True))


def _in_pieces(names: list[str], digests: list[str], piece: int, reading: Reading) -> tuple[ForeignFile, ...]:
    pieces = [read_piece(name, digest) for name, digest in zip(names, digests, strict=True)]
    by_path = sorted(pieces, key=lambda p: (p.name.split("/"), p.start, p.end))
    _in_order(names, [f"{p.name}:{p.start}:{p.end}" for p in by_path])
    files: dict[str, list[Piece]] = {}
    for one in by_path:
        files.setdefault(one.name, []).append(one)
    if len(files) > MAX_ASSETS:
        raise ValueError(f"it lists more than {MAX_ASSETS} files")
    if any(":" in name for name in files):
        reading.relax("colon-names", "LF7155", "Names of files hold a colon.")
    if any(_DRIVE.match(name) for name in files):
        raise ValueError("a name in it is absolute")
    check_names(name.replace(":", _COLON) for name in files)
    return tuple(ForeignFile(name, joined(own, piece), own[-1].end) for name, own in files.items())


def _in_order(names: list[str], by_path: list[str]) -> None:
    # The specification sorts by code point, the reference implementation by the parts of the path.
    if names != by_path and names != sorted(names):
        raise VerificationFailed(
            "LF7152", "The files in the signed statement are in no order that signers use."
        )


def _digest(value: JsonValue, hash_type: str) -> str:
    digits = text(value)
    if len(digits) != HASH_DIGITS[hash_type] or not _HEX.issuperset(digits):
        raise VerificationFailed(
            "LF7159",
            f"A digest in the signed statement is not {HASH_DIGITS[hash_type]} lower-case hex digits.",
            hint="Two readers could disagree about it; ask the signer for a new signature.",
        )
    return digits


def _root(digests: list[str]) -> str:
    return hashlib.sha256(b"".join(bytes.fromhex(digest) for digest in digests)).hexdigest()


def _at_least(value: JsonObject, fields: set[str], reading: Reading) -> None:
    if reading.mode is Mode.STRICT or not fields < set(value):
        _exactly(value, fields)
        return
    reading.relax("more-fields", "LF7150", "It says more than is read.")


def _exactly(value: JsonObject, fields: set[str]) -> None:
    if set(value) != fields:
        odd = min(set(value) ^ fields)
        raise ValueError(f"the field {odd[:80]!r} is {'not known' if odd in value else 'missing'}")
