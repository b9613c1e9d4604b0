"""The abuse list: models signed with a real key by somebody who knows what other verifiers overlook.

Each case is a folder with its signature, what we say in both profiles, and how the stock verifier is asked about it.
`docs/explanation/attacks-on-model-signatures.md` tells the list to people.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.signed import signer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILES = {"config.json": b"{}", "weights.bin": bytes(range(40))}
#: What `model_signing sign` leaves out without being asked, and says so.
IGNORED = [".git", ".gitattributes", ".github", ".gitignore", "model.sig"]
PIECE = 16
BLAKE2B = "blake2b"


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def statement(resources: list[tuple[str, str]], *, hash_type: str = "sha256", **more: object) -> dict:
    """An OMS statement over (name, digest) as given; `more` changes its serialization."""
    root = hashlib.sha256(b"".join(bytes.fromhex(digest) for _, digest in resources)).hexdigest()
    algorithm = more.pop("algorithm", hash_type)
    serialization = {
        "method": "files",
        "hash_type": hash_type,
        "allow_symlinks": False,
        "ignore_paths": IGNORED,
    }
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "model", "digest": {"sha256": root}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "serialization": serialization | more,
            "resources": [{"name": n, "algorithm": algorithm, "digest": d} for n, d in resources],
        },
    }


def listed(files: dict[str, bytes]) -> list[tuple[str, str]]:
    return [(name, sha256(body)) for name, body in sorted(files.items(), key=lambda one: one[0].split("/"))]


def pieces(files: dict[str, bytes], **more: object) -> dict:
    rows = [
        (f"{name}:{at}:{min(at + PIECE, len(body))}", sha256(body[at : at + PIECE]))
        for name, body in sorted(files.items(), key=lambda one: one[0].split("/"))
        for at in range(0, len(body), PIECE)
    ]
    return statement(rows, method="shards", **more)


def sealed(raw: dict | bytes, *, material: dict | None = None, key=None, signatures: int = 1) -> bytes:
    """A bundle around a statement, signed for real; further signatures are junk."""
    key = key or signer()
    payload = raw if isinstance(raw, bytes) else json.dumps(raw, indent=2).encode()
    from lockflight.core.attest.dsse import PAYLOAD_TYPE, pae
    from lockflight.core.verify.bundle import MEDIA_TYPE, pem_hint

    own = {"sig": base64.b64encode(key.sign(pae(PAYLOAD_TYPE, payload))).decode(), "keyid": ""}
    junk = {"sig": base64.b64encode(b"junk").decode(), "keyid": ""}
    material = material or {"publicKey": {"hint": pem_hint(key.public_key)}}
    return json.dumps(
        {
            "mediaType": MEDIA_TYPE,
            "verificationMaterial": {**material, "tlogEntries": []},
            "dsseEnvelope": {
                "payload": base64.b64encode(payload).decode(),
                "payloadType": PAYLOAD_TYPE,
                "signatures": [own, *[junk] * (signatures - 1)],
            },
        }
    ).encode()


def chained(key, chain: list[bytes], stamper=None, at: int = 0, raw: dict | None = None) -> bytes:
    """A bundle of the method `certificate` over `FILES`, leaf first, with a time stamp where there is a stamper."""
    material = {"x509CertificateChain": {"certificates": [{"rawBytes": _b64(der)} for der in chain]}}
    document = json.loads(sealed(raw or statement(listed(FILES)), material=material, key=key))
    if stamper is not None:
        signature = base64.b64decode(document["dsseEnvelope"]["signatures"][0]["sig"])
        stamp = stamper.stamp(signature, at or int(time.time()))
        stamps = {"rfc3161Timestamps": [{"signedTimestamp": _b64(stamp)}]}
        document["verificationMaterial"]["timestampVerificationData"] = stamps
    return json.dumps(document).encode()


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, body in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)


@dataclass(frozen=True)
class Case:
    """One entry of the list.

    Attributes:
        make: fills the model's folder and returns the bundle, which lies outside of it.
        strict, compat: the code with which each profile refuses; empty where it accepts.
        relaxed: what compat names, where it accepts.
        stock: whether model_signing 1.1.1 accepts.
        ask: how it is asked: `plain`, or with a hashing configuration of its own.
        file: the model is this file of the folder.
    """

    make: Callable[[Path], bytes]
    strict: str
    compat: str
    stock: bool
    relaxed: frozenset[str] = field(default_factory=frozenset)
    ask: str = "plain"
    file: str = ""


def _a(folder: Path) -> bytes:
    write(folder, FILES)
    rows = [(name, hashlib.blake2b(body).hexdigest()) for name, body in FILES.items()]
    return sealed(statement(rows, hash_type=BLAKE2B))


def _b(folder: Path) -> bytes:
    write(folder, FILES)
    return sealed(pieces(FILES, shard_size=float(PIECE), algorithm=f"sha256-sharded-{PIECE}"))


def _c(folder: Path) -> bytes:
    write(folder, FILES)
    return sealed(pieces(FILES, shard_size=PIECE))


def _d(folder: Path) -> bytes:
    files = {**FILES, "step:7.bin": b"seven"}
    write(folder, files)
    return sealed(pieces(files, shard_size=PIECE))


def _e(folder: Path) -> bytes:
    bundle = _b(folder)
    write(folder, {"__init__.py": b""})
    return bundle


def _f(folder: Path) -> bytes:
    outside = folder.parent / "outside"
    write(outside, {"code.py": b"tampered with after signing"})
    write(folder, FILES)
    (folder / "linked").symlink_to(outside, target_is_directory=True)
    return sealed(statement(listed(FILES), allow_symlinks=True))


def _g(folder: Path) -> bytes:
    write(
        folder, {**FILES, ".git/hooks/post-checkout": b"#!/bin/sh\n", ".github/workflows/x.yml": b"on: push"}
    )
    return sealed(statement(listed(FILES)))


def _h(folder: Path) -> bytes:
    write(folder, {**FILES, "model.sig/evil.py": b"import os"})
    return sealed(statement(listed(FILES)))


def _i(folder: Path) -> bytes:
    folder.mkdir(exist_ok=True)
    return sealed(statement([]))


def _j(folder: Path) -> bytes:
    write(folder, {"weights.bin": FILES["weights.bin"]})
    return sealed(statement([(".", sha256(FILES["weights.bin"]))]))


def _l(folder: Path) -> bytes:
    write(folder, {"config.json": FILES["weights.bin"], "weights.bin": FILES["config.json"]})
    return sealed(statement(listed(FILES)))


def _m(folder: Path) -> bytes:
    files = {"a/b": b"1", "a-b/c": b"2", "a.b": b"3"}
    write(folder, files)
    assert [name for name, _ in listed(files)] == ["a/b", "a-b/c", "a.b"] != sorted(files)
    return sealed(statement(listed(files)))


def _n(folder: Path) -> bytes:
    write(folder, FILES)
    (folder / "empty").mkdir()
    (folder / "config.json").chmod(0o755)
    return sealed(statement(listed(FILES)))


def _o(folder: Path) -> bytes:
    write(folder, FILES)
    with open(os.fsencode(folder) + b"/bad\xff.bin", "wb") as stream:  # noqa: PTH123 - paths of pathlib are text
        stream.write(b"?")
    return sealed(statement(listed(FILES)))


def _p(folder: Path) -> bytes:
    write(folder, FILES)
    raw = statement(listed(FILES))
    raw["predicate"]["approved"] = True
    return sealed(raw)


def _q(folder: Path) -> bytes:
    evil = {**FILES, "weights.bin": b"evil"}
    write(folder, evil)
    return sealed(statement([*listed(FILES), ("weights.bin", sha256(b"evil"))]))


def _r_order(folder: Path) -> bytes:
    write(folder, FILES)
    return sealed(statement(listed(FILES)[::-1]))


def _r_capitals(folder: Path) -> bytes:
    write(folder, FILES)
    return sealed(statement([(name, digest.upper()) for name, digest in listed(FILES)]))


def _r_dot(folder: Path) -> bytes:
    write(folder, FILES)
    return sealed(statement([(f"./{name}", digest) for name, digest in listed(FILES)]))


def _s(folder: Path) -> bytes:
    write(folder.parent, {"secret.txt": b"secret"})
    write(folder, FILES)
    return sealed(statement([("../secret.txt", sha256(b"secret")), *listed(FILES)]))


def _t(folder: Path) -> bytes:
    write(folder, FILES)
    return sealed(statement(listed(FILES)), signatures=2)


def _u(folder: Path) -> bytes:
    write(folder, FILES)
    text = json.dumps(statement(listed(FILES)))
    twice = text.replace(
        '"predicateType":', '"predicateType": "https://example.com/harmless", "predicateType":'
    )
    return sealed(twice.encode())


def _v(folder: Path) -> bytes:
    write(folder, {**FILES, "evil.py": b"import os"})
    return sealed(statement(listed(FILES), ignore_paths=[*IGNORED, "evil.py"]))


CASES = {
    "a-blake2b": Case(_a, "LF7154", "", stock=False, relaxed=frozenset({BLAKE2B})),
    "b-decimal-pieces": Case(
        _b, "LF7155", "", stock=False, relaxed=frozenset({"pieces", "decimals", "piece-names"})
    ),
    "c-pieces-of-the-specification": Case(_c, "LF7155", "", stock=False, relaxed=frozenset({"pieces"})),
    "d-colon": Case(_d, "LF7155", "", stock=False, relaxed=frozenset({"pieces", "colon-names"})),
    "e-empty-file": Case(
        _e,
        "LF7155",
        "",
        stock=True,
        relaxed=frozenset({"pieces", "decimals", "piece-names", "empty-files"}),
        ask="pieces",
    ),
    "f-linked-folder": Case(_f, "LF7156", "LF7305", stock=True, ask="links"),
    "g-git-hooks": Case(_g, "LF7307", "", stock=True, relaxed=frozenset({"unsigned-files"})),
    "h-folder-named-as-the-signature": Case(_h, "LF7308", "LF7308", stock=True),
    "i-empty-model": Case(_i, "LF7157", "LF7157", stock=True),
    "j-single-file": Case(
        _j, "LF7151", "", stock=True, relaxed=frozenset({"unnamed-file"}), file="weights.bin"
    ),
    "l-names-swapped": Case(_l, "LF7301", "LF7301", stock=False),
    "m-order-by-path": Case(_m, "", "", stock=True),
    "n-mode-and-empty-folder": Case(_n, "", "", stock=True),
    "o-no-utf-8": Case(_o, "LF7303", "LF7303", stock=False),
    "p-more-in-the-predicate": Case(_p, "LF7150", "LF7150", stock=True),
    "q-listed-twice": Case(_q, "LF7158", "LF7158", stock=True),
    "r-order": Case(_r_order, "LF7152", "LF7152", stock=True),
    "r-capitals": Case(_r_capitals, "LF7159", "LF7159", stock=True),
    "r-dot": Case(_r_dot, "LF7151", "LF7151", stock=True),
    "s-outside": Case(_s, "LF7151", "LF7151", stock=True, ask="listed"),
    "t-second-signature": Case(_t, "LF7121", "LF7121", stock=True),
    "u-key-twice": Case(_u, "LF7102", "LF7102", stock=True),
    "v-left-out-by-the-signer": Case(_v, "LF7309", "", stock=True, relaxed=frozenset({"unsigned-files"})),
}
