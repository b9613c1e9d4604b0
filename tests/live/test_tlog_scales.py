"""An independent reader of tiled logs reads our exports, and agrees on roots, entries, proofs and signatures."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from lockflight.app.realm.logs import open_reader
from lockflight.core.verify.log.note import (
    KIND_COSIGNATURE,
    KIND_ED25519,
    NoteKey,
    parse_checkpoint,
    parse_note,
)
from lockflight.store.log.publish import publish
from tests.log.making import CLOCK_KEY, LOG_KEY, ORIGIN, Clock, items, opened
from tests.log.witnessing import NAME, SIGNER, made, request

pytestmark = pytest.mark.live

#: Run by the peer's interpreter; it knows nothing of us.
READ = """
import hashlib, json, sys
from pathlib import Path
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey
from tlog_scales.tlog import Checkpoint
folder, ask = Path(sys.argv[1]), json.loads(sys.argv[2])
reader = TilesReader(LocalBackend(folder))
reader.set_size(ask["size"])
root = reader.calculate_root_hash()
for index in ask["indexes"]:
    proof = reader.get_inclusion_proof(index, ask["size"])
    leaf = hashlib.sha256(b"\\0" + reader.get_entry(index)).digest()
    proof.check(leaf, root)
sub = TilesReader(LocalBackend(folder))
sub.set_size(ask["size"])
for old in ask["olds"]:
    sub.get_consistency_proof(old, ask["size"]).check(sub.mth(0, old), root)
if ask["vkeys"]:
    point = reader.get_checkpoint()
    assert point.root_hash == root
    for vkey in ask["vkeys"]:
        point.verify(Vkey.from_string(vkey))
print(json.dumps({"root": root.hex(), "proofs": len(ask["indexes"]), "olds": len(ask["olds"])}))
"""


@pytest.fixture
def peer(peers_python):
    def read(folder, *, size, indexes=(), olds=(), vkeys=()):
        ask = json.dumps({"size": size, "indexes": [*indexes], "olds": [*olds], "vkeys": [*vkeys]})
        done = subprocess.run(
            [peers_python, "-c", READ, folder, ask], capture_output=True, text=True, check=False
        )
        if "No module named 'tlog_scales'" in done.stderr:
            pytest.fail(
                "tlog-scales is not in .venv-peers: run `python3 dev.py setup --peers`", pytrace=False
            )
        return done.returncode, json.loads(done.stdout) if done.returncode == 0 else done.stderr

    return read


def exported(home, out, note=""):
    reader = open_reader(home / "realm")
    with reader.snapshot():
        publish(
            reader,
            out,
            origin=ORIGIN,
            log_key=LOG_KEY,
            clock_key=CLOCK_KEY,
            note=note or reader.checkpoint(),
        )
    reader.close()


def grown(home, *counts, start=0):
    clock = Clock()
    writer = opened(home, clock=clock)
    for count in counts:
        clock.now += 60
        writer.append(items(count, start))
        start += count
    note = writer.checkpoint()
    writer.close()
    return parse_checkpoint(parse_note(note).text)


def test_roots_entries_and_proofs_agree(home, tmp_path, peer):
    out = tmp_path / "web"
    grown(home, 200)
    exported(home, out)
    point = grown(home, 200, 199, start=200)
    exported(home, out)
    assert point.size == 599
    code, found = peer(
        out, size=599, indexes=[0, 1, 255, 256, 300, 511, 512, 598], olds=[1, 2, 200, 255, 256, 257, 512, 598]
    )
    assert code == 0, found
    assert found == {"root": point.root.hex(), "proofs": 8, "olds": 8}
    spoiled = tmp_path / "spoiled"
    shutil.copytree(out, spoiled)
    body = bytearray((spoiled / "tile/entries/001").read_bytes())
    body[100] ^= 1
    (spoiled / "tile/entries/001").write_bytes(body)
    assert peer(spoiled, size=599, indexes=[256])[0] != 0


def test_signatures_of_log_clock_and_witness_agree(home, tmp_path, peer):
    # Its parser of checkpoints knows no extension lines, which all but a log's first checkpoint have.
    point = grown(home, 5)
    reader = open_reader(home / "realm")
    note = reader.checkpoint()
    reader.close()
    line = made(tmp_path / "witness").add_checkpoint(request(home, 0))
    exported(home, tmp_path / "web", note + line)
    keys = [
        NoteKey(ORIGIN, KIND_ED25519, LOG_KEY),
        NoteKey(f"{ORIGIN}/clock", KIND_COSIGNATURE, CLOCK_KEY),
        NoteKey(NAME, KIND_COSIGNATURE, SIGNER.public_key.raw),
    ]
    code, found = peer(tmp_path / "web", size=5, indexes=range(5), vkeys=[key.vkey for key in keys])
    assert (code, found if code else found["root"]) == (0, point.root.hex())
    stranger = NoteKey(NAME, KIND_COSIGNATURE, CLOCK_KEY)
    assert peer(tmp_path / "web", size=5, vkeys=[stranger.vkey])[0] != 0
