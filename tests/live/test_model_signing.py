"""The reference implementation of OpenSSF Model Signing accepts what we sign, and we accept what it signs."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import replace

import pytest
from blake3 import blake3

from lockflight.core.source import BytesSource
from lockflight.core.verify.bundle import verify_bundle
from lockflight.core.verify.crypto.keys import P256, P384, P521
from lockflight.core.verify.maker import verify_foreign
from lockflight.core.verify.package import FoundFile, compare, compare_foreign
from lockflight.errors import VerificationFailed
from lockflight.formats.tensors.tensorindex import tap_for
from lockflight.signing.keys import save
from lockflight.signing.oms import make_bundle, sign_release
from tests.formats.test_tensorindex import TWO, made
from tests.signed import asset, logged, release, signer, write

pytestmark = pytest.mark.live


@pytest.fixture
def stock(peers_python):
    def run(*args):
        done = subprocess.run(
            [peers_python, "-m", "model_signing", *map(str, args)],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    return write(folder)


def found_in(folder):
    return {
        p.relative_to(folder).as_posix(): FoundFile(
            hashlib.sha256(p.read_bytes()).hexdigest(),
            p.stat().st_size,
            "file",
            blake3(p.read_bytes()).hexdigest(),
        )
        for p in folder.rglob("*")
        if p.is_file()
    }


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("algorithm", [P256, P384, P521])
@pytest.mark.parametrize("in_log", [False, True], ids=["plain", "logged"])
def test_stock_accepts_ours_and_refuses_a_flipped_bit(stock, model, tmp_path, algorithm, in_log):
    one = signer(algorithm)
    public = save(one, tmp_path / "key")
    envelope = sign_release(release(), one)
    tlog = logged(envelope, one.public_key) if in_log else None
    signature = model / "model.sig"
    signature.write_bytes(make_bundle(envelope, one.public_key.pem, tlog))
    verify = ("verify", "key", "--public_key", public, "--signature", signature, model)
    code, output = stock(*verify)
    assert code == 0, output
    assert "Verification succeeded" in output
    assert compare(release(), found_in(model)) == []

    flip(model / "weights.safetensors")
    code, output = stock(*verify)
    assert code != 0
    assert "weights.safetensors" in output
    (problem,) = compare(release(), found_in(model))
    assert (problem.code, problem.name) == ("LF7301", "weights.safetensors")


def test_stock_accepts_a_statement_that_lists_tensors(stock, model, tmp_path):
    """What verified load needs is in annotations, which the reference leaves alone."""
    body = made(TWO)
    (model / "weights.safetensors").write_bytes(body)
    tap = tap_for(BytesSource(body))
    tap.update(body)
    weights = replace(asset("weights.safetensors", body), tensors=tap.index())
    assert weights.tensors is not None
    others = [a for a in release().assets if a.name != weights.name]
    ours = replace(release(), assets=(*others, weights), _cache={})
    one = signer()
    public = save(one, tmp_path / "key")
    signature = model / "model.sig"
    signature.write_bytes(make_bundle(sign_release(ours, one), one.public_key.pem, None))
    verify = ("verify", "key", "--public_key", public, "--signature", signature, model)
    code, output = stock(*verify)
    assert code == 0, output
    # `found_in` takes no tensor digests, which a signed index demands.
    (problem,) = compare(verify_bundle(signature.read_bytes(), one.public_key).release, found_in(model))
    assert problem.name == "weights.safetensors"
    flip(model / "weights.safetensors")
    code, output = stock(*verify)
    assert code != 0


def test_stock_refuses_ours_under_another_key(stock, model, tmp_path):
    other = save(signer(number=1), tmp_path / "other")
    signature = tmp_path / "model.sig"
    signature.write_bytes(make_bundle(sign_release(release(), signer()), signer().public_key.pem))
    code, output = stock("verify", "key", "--public_key", other, "--signature", signature, model)
    assert code != 0
    assert "Verification failed" in output


@pytest.mark.parametrize("algorithm", [P256, P384, P521])
def test_we_accept_theirs_and_refuse_a_flipped_bit(stock, model, tmp_path, algorithm):
    one = signer(algorithm)
    save(one, tmp_path / "key")
    signature = tmp_path / "their.sig"
    code, output = stock("sign", "key", "--private_key", tmp_path / "key", "--signature", signature, model)
    assert code == 0, output
    data = signature.read_bytes()
    manifest = verify_foreign(data, one.public_key)
    assert [f.name for f in manifest.resources] == [
        "a/b",
        "a-b/c",
        "a.b",
        "lockflight.toml",
        "weights.safetensors",
    ]
    assert compare_foreign(manifest, found_in(model)) == []

    flip(model / "a" / "b")
    (problem,) = compare_foreign(manifest, found_in(model))
    assert (problem.code, problem.name) == ("LF7301", "a/b")

    with pytest.raises(VerificationFailed) as caught:
        verify_foreign(data, signer(algorithm, 1).public_key)
    assert caught.value.code == "LF7143"
    # A model signature of another tool is no Lockflight release.
    with pytest.raises(VerificationFailed) as caught:
        verify_bundle(data, one.public_key)
    assert caught.value.code == "LF7110"


def test_a_flipped_bit_in_their_signature_is_refused(stock, model, tmp_path):
    save(signer(), tmp_path / "key")
    signature = tmp_path / "their.sig"
    code, output = stock("sign", "key", "--private_key", tmp_path / "key", "--signature", signature, model)
    assert code == 0, output
    original = signature.read_bytes()
    for at in range(0, len(original), max(1, len(original) // 60)):
        changed = bytearray(original)
        changed[at] ^= 1
        try:
            manifest = verify_foreign(bytes(changed), signer().public_key)
        except VerificationFailed:
            continue
        # Only the hint lies outside the signature.
        assert manifest == verify_foreign(original, signer().public_key)


def test_what_their_defaults_leave_unsigned_is_extra_for_us(stock, model, tmp_path):
    save(signer(), tmp_path / "key")
    signature = model / "model.sig"
    code, output = stock("sign", "key", "--private_key", tmp_path / "key", "--signature", signature, model)
    assert code == 0, output
    hook = model / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(parents=True)
    hook.write_text("evil")
    public = tmp_path / "key.pub"
    code, output = stock("verify", "key", "--public_key", public, "--signature", signature, model)
    assert code == 0, output
    manifest = verify_foreign(signature.read_bytes(), signer().public_key)
    (problem,) = compare_foreign(manifest, found_in(model))
    assert (problem.code, problem.name) == ("LF7303", ".git/hooks/post-checkout")
