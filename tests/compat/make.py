"""Writes `bundles/`: one small model, signed by every release of `model-signing` on PyPI that can sign it.

    python3 tests/compat/make.py [FOLDER_FOR_ENVIRONMENTS]

Each release is installed into an environment of its own, with the versions of its dependencies that it ran with when it
was new. The keys are made anew and thrown away: what is kept is what signed, and what is needed to verify it. Run it
with the project's own Python (`.venv/bin/python`), which has `cryptography`.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HERE = Path(__file__).resolve().parent
BUNDLES, MODEL = HERE / "bundles", HERE / "model"
VERSIONS = ("0.1.0", "0.1.1", "0.2.0", "0.3.0", "0.3.1", "1.0.0", "1.0.1", "1.1.0", "1.1.1")
#: Releases before 1.1 import modules that newer releases of sigstore do not bring along.
OLD_SIGSTORE = "sigstore==3.6.5"
#: Certificates of tests must not end while somebody still runs the tests.
YEARS = 75
#: A tree in which the order by code point differs from that by the parts of the path, and an empty file.
FILES = {
    "a/b": b"one\n",
    "a-b/c": b"two\n",
    "a.b": b"",
    "weights.bin": bytes(range(40)),
}

#: Runs inside of an environment; prints what was signed.
SIGN = """
import json, pathlib, sys
out, model, keys = map(pathlib.Path, sys.argv[1:4])
done, failed = [], {}

def attempt(name, action):
    try:
        action(out / name)
        done.append(name)
    except Exception as error:
        failed[name] = f"{type(error).__name__}: {error}"[:200]

def old():
    from model_signing import api
    from model_signing.signature import key, pki
    from model_signing.signing import in_toto, in_toto_signature

    def sign(signer, path, folder=model):
        config = api.HashingConfig()
        # All its threads share one hash state, so with several of them it signs wrong digests now and then.
        config._serializer._max_workers = 1
        manifest = config.hash(folder)
        payload = in_toto.DigestsIntotoPayload.from_manifest(manifest)
        in_toto_signature.IntotoSigner(signer).sign(payload).write(path)

    for curve in ("p256", "p384"):
        attempt(f"key-{curve}.sig", lambda p: sign(key.ECKeySigner.from_path(str(keys / f"{curve}.pem")), p))
    attempt("one-file.sig", lambda p: sign(key.ECKeySigner.from_path(str(keys / "p256.pem")), p, model / "weights.bin"))
    chain = [str(keys / "p256.pem"), str(keys / "leaf.crt"), [str(keys / "issuing.crt")]]
    attempt("certificate.sig", lambda p: sign(pki.PKISigner.from_path(*chain), p))

def new():
    from model_signing import hashing, signing

    def sign(path, hasher=None, folder=model, **how):
        # Its constructor readies keyless signing, which fetches trust roots in releases before 1.1.
        config = signing.Config.__new__(signing.Config)
        config._hashing_config = hashing.Config()
        if hasher is not None:
            config.set_hashing_config(hasher)
        if "signing_certificate" in how:
            config.use_certificate_signer(**how)
        else:
            config.use_elliptic_key_signer(**how)
        config.sign(folder, path)

    one = {"private_key": keys / "p256.pem"}
    for curve in ("p256", "p384"):
        attempt(f"key-{curve}.sig", lambda p: sign(p, private_key=keys / f"{curve}.pem"))
    attempt("one-file.sig", lambda p: sign(p, folder=model / "weights.bin", **one))
    attempt("certificate.sig", lambda p: sign(
        p, signing_certificate=keys / "leaf.crt", certificate_chain=[keys / "issuing.crt"], **one))
    def shards(hash_name):
        return hashing.Config().use_shard_serialization(hashing_algorithm=hash_name, shard_size=16)
    def files(hash_name):
        return hashing.Config().use_file_serialization(hashing_algorithm=hash_name)
    attempt("shards.sig", lambda p: sign(p, shards("sha256"), **one))
    attempt("shards-blake2b.sig", lambda p: sign(p, shards("blake2"), **one))
    attempt("blake2b.sig", lambda p: sign(p, files("blake2"), **one))
    attempt("blake3.sig", lambda p: sign(p, files("blake3"), **one))

import importlib.util
(old if importlib.util.find_spec("model_signing.api") else new)()
print(json.dumps({"signed": done, "not signed": failed}))
"""


def make_keys(folder: Path) -> None:
    """Two keys, and a chain of certificates over the first; roots and public keys are kept beside the bundles."""
    keys = {"p256": ec.generate_private_key(ec.SECP256R1()), "p384": ec.generate_private_key(ec.SECP384R1())}
    for name, key in keys.items():
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / f"{name}.pem").write_bytes(private)
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (BUNDLES / f"{name}.pub.pem").write_bytes(public)
    root, issuing = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP256R1())
    certificates = {
        "root": certificate("compat root", root.public_key(), "compat root", root, ca=True),
        "issuing": certificate("compat issuing", issuing.public_key(), "compat root", root, ca=True),
        "leaf": certificate("compat signer", keys["p256"].public_key(), "compat issuing", issuing, ca=False),
    }
    for name, one in certificates.items():
        (folder / f"{name}.crt").write_bytes(one.public_bytes(Encoding.PEM))
    shutil.copyfile(folder / "root.crt", BUNDLES / "root.pem")


def certificate(
    name: str,
    public: ec.EllipticCurvePublicKey,
    issuer: str,
    key: ec.EllipticCurvePrivateKey,
    *,
    ca: bool,
) -> x509.Certificate:
    """A certificate of an authority, or one for code signing."""
    begins = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + dt.timedelta(days=365 * YEARS))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not ca,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=ca,
                crl_sign=ca,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    if not ca:
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False
        )
    return builder.sign(key, hashes.SHA256())


def environment(folder: Path, version: str) -> tuple[Path, str]:
    """The Python of an environment with that release, and why there is none."""
    python = folder / version / "bin" / "python"
    wanted = [f"model-signing=={version}", "pyOpenSSL"]
    if tuple(map(int, version.split("."))) < (1, 1, 0):
        wanted.append(OLD_SIGSTORE)
    if not python.exists():
        venv.create(folder / version, with_pip=True)
    done = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", *wanted], capture_output=True, text=True, check=False
    )
    return python, "" if done.returncode == 0 else done.stderr.strip()[-300:]


def main() -> None:
    """Write model, public keys, bundles and a list of what could not be made."""
    for folder in (BUNDLES, MODEL):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    for name, body in FILES.items():
        (MODEL / name).parent.mkdir(exist_ok=True)
        (MODEL / name).write_bytes(body)
    report: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as keys, tempfile.TemporaryDirectory() as other:
        make_keys(Path(keys))
        place = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(other)
        for version in VERSIONS:
            python, trouble = environment(place, version)
            if not trouble:
                (BUNDLES / version).mkdir()
                words = [python, "-c", SIGN, BUNDLES / version, MODEL, keys]
                done = subprocess.run([str(w) for w in words], capture_output=True, text=True, check=False)
                if done.returncode == 0:
                    report[version] = json.loads(done.stdout.strip().splitlines()[-1])
                    continue
                shutil.rmtree(BUNDLES / version)
                trouble = done.stderr.strip().splitlines()[-1]
            report[version] = {"not installed": trouble}
    (BUNDLES / "report.json").write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
