"""The verify path stays light: what it must never import."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "sqlalchemy",
    "yaml",
    "asyncio",
    "cryptography.x509",
    "rich",
    "sqlite3",
    "subprocess",
    "socket",
    "logging",
)
MODULES = (
    "bundle",
    "envelope",
    "foreign",
    "package",
    *("crypto.ed25519", "crypto.keys"),
    *("log.leaf", "log.note", "log.proofs"),
)

# The key is parsed and used, since what is imported late counts too.
SCRIPT = """
import importlib, sys
for name in {modules}:
    importlib.import_module("lockflight.core.verify." + name)
from lockflight.core.verify.crypto.keys import load_der
key = load_der(bytes.fromhex("{der}"))
assert not key.verify(b"m", b"s")
print(*sorted(sys.modules))
"""


@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "ed25519"])
def test_the_verify_path_imports_nothing_heavy(project_root, algorithm):
    from tests.signed import signer

    script = SCRIPT.format(modules=MODULES, der=signer(algorithm).public_der.hex())
    result = subprocess.run(
        [
            sys.executable,
            "-I",
            "-c",
            f"import sys; sys.path.insert(0, {str(project_root / 'src')!r})\n{script}",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(result.stdout.split())
    assert "lockflight.core.verify.bundle" in loaded
    assert not loaded & set(HEAVY)
    # ECDSA needs more of the library; a path of Ed25519 alone (notes, statements) does without.
    assert ("cryptography.hazmat.primitives.asymmetric.ec" in loaded) is (algorithm != "ed25519")
