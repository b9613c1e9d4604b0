"""What releases of `model-signing` have written since 0.1.0 is read: strictly where it is strict, else in compat.

`make.py` beside this file made the bundles with the releases themselves.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from lockflight.app.release.foreign import Asked, verify_model
from lockflight.errors import VerificationFailed

HERE = Path(__file__).resolve().parent
BUNDLES, MODEL = HERE / "bundles", HERE / "model"
#: Within the certificates' time, whenever the tests run.
NOW = 1_900_000_000

#: What compat has to let pass, by release and bundle.
_OLDEST = {
    "key-p256.sig": {"raw-key", "old-encoding", "old-predicate"},
    "key-p384.sig": {"raw-key", "old-encoding", "old-predicate"},
    "one-file.sig": {"raw-key", "old-encoding", "old-predicate", "unnamed-file"},
    "certificate.sig": {"no-trusted-time", "old-encoding", "old-predicate"},
}
_PIECES = {"pieces", "piece-names", "decimals", "empty-files"}
_OLD = {
    "key-p256.sig": {"raw-key"},
    "key-p384.sig": {"raw-key"},
    "one-file.sig": {"raw-key", "unnamed-file"},
    "certificate.sig": {"no-trusted-time"},
    "shards.sig": {"raw-key"} | _PIECES,
    "shards-blake2b.sig": {"raw-key", "blake2b"} | _PIECES,
    "blake2b.sig": {"raw-key", "blake2b"},
}
_NEW = {name: relaxed - {"raw-key"} for name, relaxed in _OLD.items()} | {"blake3.sig": set()}
EXPECTED = {
    "0.1.0": _OLDEST,
    "0.1.1": _OLDEST,
    "0.2.0": _OLDEST,
    # These two cannot sign under a certificate: a name in their source is misspelt.
    "0.3.0": {name: relaxed for name, relaxed in _OLD.items() if name != "certificate.sig"},
    "0.3.1": {name: relaxed for name, relaxed in _OLD.items() if name != "certificate.sig"},
    "1.0.0": _OLD,
    "1.0.1": _OLD,
    "1.1.0": _NEW,
    "1.1.1": _NEW,
}
CASES = [(version, name) for version, bundles in EXPECTED.items() for name in bundles]


def asked(name: str, *, compat: bool) -> Asked:
    if name == "certificate.sig":
        return Asked(roots=BUNDLES / "root.pem", compat=compat)
    key = "p384.pub.pem" if name == "key-p384.sig" else "p256.pub.pem"
    return Asked(key=BUNDLES / key, compat=compat)


def judged(version: str, name: str, home: Path, *, compat: bool, model: Path = MODEL):
    package = model / "weights.bin" if name == "one-file.sig" else model
    return verify_model(
        package,
        asked(name, compat=compat),
        home=home,
        realm_name="personal",
        now=NOW,
        signature=BUNDLES / version / name,
    )


def test_everything_that_was_made_is_tested() -> None:
    report = json.loads((BUNDLES / "report.json").read_text())
    assert {version: set(row["signed"]) for version, row in report.items()} == {
        version: set(bundles) for version, bundles in EXPECTED.items()
    }


@pytest.mark.parametrize(("version", "name"), CASES, ids=["/".join(case) for case in CASES])
def test_compat_reads_it_and_says_what_was_relaxed(version: str, name: str, tmp_path: Path) -> None:
    model = judged(version, name, tmp_path, compat=True)
    assert {one.name for one in model.relaxations} == EXPECTED[version][name]
    assert model.manifest.maker.method == ("certificate" if name == "certificate.sig" else "key")
    assert model.left_out == (("a.b",) if "shards" in name else ())


@pytest.mark.parametrize(("version", "name"), CASES, ids=["/".join(case) for case in CASES])
def test_strict_takes_only_what_needs_no_relaxation(version: str, name: str, tmp_path: Path) -> None:
    if not EXPECTED[version][name]:
        assert judged(version, name, tmp_path, compat=False).relaxations == ()
        return
    with pytest.raises(VerificationFailed) as caught:
        judged(version, name, tmp_path, compat=False)
    assert caught.value.details.get("relaxation", "no-trusted-time") in EXPECTED[version][name]
    assert caught.value.code in {"LF7150", "LF7151", "LF7154", "LF7155", "LF7166", "LF7167", "LF7425"}


@pytest.mark.parametrize(("version", "name"), CASES, ids=["/".join(case) for case in CASES])
def test_compat_sees_a_changed_byte(version: str, name: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    for path in MODEL.rglob("*"):
        if path.is_file():
            copy = folder / path.relative_to(MODEL)
            copy.parent.mkdir(parents=True, exist_ok=True)
            body = bytearray(path.read_bytes())
            if path.name == "weights.bin":
                body[20] ^= 1
            copy.write_bytes(bytes(body))
    with pytest.raises(VerificationFailed) as caught:
        judged(version, name, tmp_path, compat=True, model=folder)
    assert caught.value.code == "LF7301"


@pytest.mark.parametrize("version", ["0.2.0", "1.1.1"])
def test_the_old_encoding_counts_for_the_old_statement_alone(version: str, tmp_path: Path) -> None:
    """A signature of 0.2 over its encoding of a new statement would be a second way to sign new statements."""
    from lockflight.core.verify.crypto.keys import load_pem
    from lockflight.core.verify.foreign import Mode
    from lockflight.core.verify.maker import old_pae, verify_foreign
    from tests.signed import signer

    raw = json.loads((BUNDLES / version / "key-p256.sig").read_bytes())
    payload = base64.b64decode(raw["dsseEnvelope"]["payload"])
    raw["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(signer().sign(old_pae(payload))).decode()
    raw["verificationMaterial"]["publicKey"] = {"hint": ""}
    data = json.dumps(raw).encode()
    if version == "0.2.0":
        assert verify_foreign(data, signer().public_key, mode=Mode.COMPAT).resources
        return
    with pytest.raises(VerificationFailed) as caught:
        verify_foreign(data, signer().public_key, mode=Mode.COMPAT)
    assert caught.value.code == "LF7150"
    assert load_pem((BUNDLES / "p256.pub.pem").read_text())
