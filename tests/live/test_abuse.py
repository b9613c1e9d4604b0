"""The abuse list, put to the stock verifier: what it accepts of what we refuse, and refuses of what we read."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.abuse import CASES, PIECE
from tests.security.test_model_signatures import expired
from tests.signed import signer

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.live

#: As somebody asks who has read its documentation; the command has no options for these.
LIBRARY = """\
import sys
from model_signing import hashing, verifying
ask, key, signature, model = sys.argv[1:]
config = verifying.Config().use_elliptic_key_verifier(public_key=key)
own = hashing.Config()
if ask == "pieces":
    own.use_shard_serialization(shard_size={piece})
else:
    own.use_file_serialization(allow_symlinks=True).set_allow_symlinks(True)
config.set_hashing_config(own).verify(model, signature)
print("Verification succeeded")
"""


def stock(python: Path, ask: str, place: Path, model: Path) -> tuple[bool, str]:
    """Whether model_signing 1.1.1 accepts the model in `place`, and what it says."""
    key, signature = place / "key.pem", place / "their.sig"
    if ask in {"pieces", "links"}:
        words = ["-c", LIBRARY.format(piece=PIECE), ask, key, signature, model]
    else:
        words = ["-m", "model_signing", "verify", "key", "--public_key", key, "--signature", signature]
        words += ["--ignore_unsigned_files"] if ask == "listed" else []
        words.append(model)
    done = subprocess.run([str(w) for w in (python, *words)], capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", CASES)
def test_what_the_stock_verifier_says(tmp_path: Path, peers_python: Path, name: str) -> None:
    case, folder = CASES[name], tmp_path / "model"
    folder.mkdir()
    (tmp_path / "their.sig").write_bytes(case.make(folder))
    (tmp_path / "key.pem").write_text(signer().public_key.pem)
    accepted, output = stock(peers_python, case.ask, tmp_path, folder / case.file if case.file else folder)
    assert accepted is case.stock, output


def test_the_stock_verifier_takes_a_certificate_that_had_ended(tmp_path: Path, peers_python: Path) -> None:
    expired(tmp_path, stamped=False)
    words = ["verify", "certificate", "--certificate_chain", tmp_path / "roots.pem"]
    words += ["--signature", tmp_path / "their.sig", tmp_path / "model"]
    done = subprocess.run(
        [peers_python, "-m", "model_signing", *map(str, words)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
