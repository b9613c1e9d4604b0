"""A signature costs little to check and little to make.

Against `model_signing` 1.1.1 on the same files. Costs are processor time, user and system, of all threads; of each
side its cheapest round counts, because a busy machine only ever adds. Sides take turns. Speed of the digests alone is
in `hashing.py`.

- A cold `lockflight verify` of a package of five files, where the log, the trust and the people of the realm are
  checked too, takes at most a sixth of `model_signing verify key` of the five, which checks one signature by a key that
  it is given: once under a person's key, when the peer verifies the very same `model.sig`, and once keyless, under a
  certificate of ten minutes with a time stamp, which the peer accepts too (`verify sigstore`, before anything is
  timed).
- 5,000 files of 2 KiB, signed: one process that describes the folder (lists it, takes both digests, gives each file its
  role) and then verifies it takes at most a seventh of one in which the peer hashes the folder (SHA-256) and then
  verifies it. Start and imports are in it on both sides; what is left without them is printed.
- A whole keyless signature by the library, in a process that is warm, takes at most a tenth of a cold `model_signing
  sign key` of the same five files: it opens the realm, describes and copies the files, issues a certificate, puts that,
  the signature and the registration into the log, stamps the signature, and writes the package. Once in a realm in
  which nobody has signed before, and once after 20 signatures, each time in a copy of it. It lies in memory where there
  is a folder for it, so that no disk is measured (its commits are as durable as ever).
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench._common import Claim, Cost, arguments, at_most, child, finish, peer_python
from bench.hashing import PEER, PINNED, SMALL_FILES, small_files
from lockflight.app.identity.authority import found
from lockflight.app.realm.realm import Member, create_realm, open_realm
from lockflight.app.release.sign import Signed, sign
from lockflight.core.attest.trust import RealmKind
from lockflight.core.verify.realmroot import issuer_of

VERIFY_GOAL, SMALL_GOAL, SIGN_GOAL = 1 / 6, 1 / 7, 1 / 10
BEFORE = 20
REALM, PERSON = "bench", "you"
SIGNATURE = "model.sig"
MANIFEST = """\
[release]
name = "files"
version = "1"
kind = "dataset"
tier = "minimal"

[[assets]]
role = "dataset"
files = ["**/*.txt"]
"""
STARTS = (
    "nine tenths are imports, over a quarter of them X.509 of cryptography, which a realm with an authority needs to"
    " read its own log"
)
NAMES = (
    "a fifth is listing, reading and both digests; the rest is Python over each name, on either way: its rules three"
    " times, role and first bytes, and the statement parsed, built again and compared with the folder and the manifest"
)
AGAIN = "the realm is opened each time, and its whole log read and verified"

#: Both print the digests by name, and the CPU seconds until everything was imported.
CPU = """
import json, resource, sys
from pathlib import Path

def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
"""
OURS = (
    CPU
    + """
from lockflight.app.files.describe import describe
from lockflight.app.release.verify import verify_package

start = cpu()
home, realm, package = sys.argv[1:]
with describe(Path(package), package=True) as described:
    release = described.release
verified = verify_package(Path(home), realm, Path(package))
assert verified.release.digest == release.digest
print(json.dumps({"start": start, "digests": {a.name: a.sha256 for a in release.assets}}))
"""
)
THEIRS = (
    CPU
    + """
from model_signing import hashing, verifying

start = cpu()
key, signature, package = (Path(word) for word in sys.argv[1:])

def config():
    return hashing.Config().set_ignored_paths(paths=[signature], ignore_git_paths=False)

manifest = config().hash(package)
verifier = verifying.Config().use_elliptic_key_verifier(public_key=key)
verifier.set_hashing_config(config()).verify(package, signature)
digests = {item.identifier: item.digest.digest_hex for item in manifest.resource_descriptors()}
print(json.dumps({"start": start, "digests": digests}))
"""
)


class Scene:
    """A team realm with an authority, and what one person signs in it.

    Attributes:
        home, kept, aged: the realm's home, a copy from before anything was signed, and one after many signatures.
        five, small: workspaces.
        by_key, keyless, many: packages of the first, under both kinds of signature, and of the second.
        identity, issuer: what the certificates call the person.
    """

    def __init__(self, scratch: Path) -> None:
        self.command = Path(sys.executable).with_name("lockflight")
        self.scratch, self.home, self.kept = scratch, scratch / "home", scratch / "kept"
        self.five, self.small = scratch / "five", scratch / "small"
        self.by_key, self.keyless, self.many = (scratch / name for name in ("by-key", "keyless", "many"))
        os.environ.update(LOCKFLIGHT_HOME=str(self.home), LOCKFLIGHT_REALM=REALM, LOCKFLIGHT_AS=PERSON)
        # As installed: nobody compiles the modules again for each command.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        self.five.mkdir()
        for name in ("a.txt", "b.txt", "c.txt", "d.txt"):
            (self.five / name).write_text(f"{name}\n", encoding="utf-8")
        small_files(self.small)
        for folder in (self.five, self.small):
            (folder / "lockflight.toml").write_text(MANIFEST, encoding="utf-8")
        people = [Member(PERSON, ("author",)), Member("colleague", ("approver",))]
        create_realm(self.home, REALM, RealmKind.TEAM, people)
        found(self.home, REALM)
        shutil.copytree(self.home, self.kept)
        self.aged = scratch / "aged"
        shutil.copytree(self.kept, self.aged)
        for number in range(BEFORE):
            sign(self.aged, REALM, self.five, scratch / f"before-{number}", actor=PERSON)
        own = self._sign(self.five, self.by_key, own_key=True)
        self.identity = self._sign(self.five, self.keyless).identity
        # Five files are verified in the realm as it is here; the many get one of their own, of the same keys.
        self.other = scratch / "other"
        shutil.copytree(self.kept, self.other)
        sign(self.other, REALM, self.small, self.many, actor=PERSON, own_key=True)
        realm = open_realm(self.home, REALM)
        self.issuer = issuer_of(realm.state.trust)
        self.private = realm.folder / "keys" / f"{own.principal}.pem"
        self.public = self.private.with_name(f"{self.private.name}.pub")

    def _sign(self, folder: Path, out: Path, *, own_key: bool = False) -> Signed:
        return sign(self.home, REALM, folder, out, actor=PERSON, own_key=own_key)

    def verify(self, package: Path) -> Cost:
        """A cold `lockflight verify`."""
        return child([self.command, "verify", package])

    def verify_small(self) -> Cost:
        """Our process over the small files."""
        return child([sys.executable, "-c", OURS, self.other, REALM, self.many])

    def sign_warm(self, kept: Path) -> Cost:
        """A keyless signature in this process, in a copy of that home; checked by nobody yet."""
        home, out = self.scratch / "again", self.scratch / "signed"
        for folder in (home, out):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(kept, home)
        before = time.process_time()
        signed = sign(home, REALM, self.five, out, actor=PERSON)
        used = time.process_time() - before
        if not signed.identity:
            raise RuntimeError("the release was not signed under a certificate")
        return Cost(used, 0, "")


class Stock:
    """The peer's command line and library over the same files."""

    def __init__(self, python: Path, scene: Scene) -> None:
        self._python, self._scene = python, scene
        self._command = python.with_name("model_signing")
        self._signature = scene.scratch / "stock.sig"

    def verify_key(self) -> Cost:
        """A cold `verify key` of the five files by the very signature that we verify."""
        package, key = self._scene.by_key, self._scene.public
        words = ["verify", "key", "--public_key", key, "--signature", package / SIGNATURE, package]
        return child([self._command, *words])

    def sign_key(self) -> Cost:
        """A cold `sign key` of the five files."""
        key = self._scene.private
        words = ["sign", "key", "--private_key", key, "--signature", self._signature, self._scene.five]
        return child([self._command, *words])

    def verify_small(self) -> Cost:
        """The peer's process over the small files."""
        package = self._scene.many
        return child([self._python, "-c", THEIRS, self._scene.public, package / SIGNATURE, package])

    def verify_identity(self, package: Path, home: Path) -> None:
        """The peer's verdict of a keyless package of that home's realm, without a network.

        Raises:
            RuntimeError: it refuses it.
        """
        scene, trust = self._scene, self._scene.scratch / "trust.json"
        child([scene.command, "trust", "export", "--home", home, "--out", trust])
        words = ["verify", "sigstore", "--trust_config", trust, "--identity", scene.identity]
        words += ["--identity_provider", scene.issuer, "--signature", package / SIGNATURE, package]
        child([self._command, *words])

    def assert_equal(self) -> None:
        """Both sides say the same of the same files; what differs proves nothing.

        Raises:
            RuntimeError: they do not.
        """
        scene = self._scene
        for package in (scene.by_key, scene.keyless):
            if "verified" not in scene.verify(package).output:
                raise RuntimeError("lockflight verify did not say that the package is verified")
        self.verify_identity(scene.keyless, scene.home)
        if "succeeded" not in self.verify_key().output + self.sign_key().output:
            raise RuntimeError("model_signing did not say that it succeeded")
        for kept in (scene.kept, scene.aged):
            scene.sign_warm(kept)
            self.verify_identity(scene.scratch / "signed", scene.scratch / "again")
        if signed_digests(self._signature) != signed_digests(scene.scratch / "signed" / SIGNATURE):
            raise RuntimeError("the two signatures do not cover the same files")


def signed_digests(signature: Path) -> dict[str, str]:
    """Name to digest of what a bundle covers, as it says."""
    envelope = json.loads(signature.read_bytes())["dsseEnvelope"]
    statement = json.loads(base64.b64decode(envelope["payload"]))
    return {one["name"]: one["digest"] for one in statement["predicate"]["resources"]}


def cheapest(sides: dict[str, Callable[[], Cost]], rounds: int) -> dict[str, Cost]:
    """Of each side its cheapest round; sides in turn, after one round that warms caches up."""
    least: dict[str, Cost] = {}
    for number in range(rounds + 1):
        for name, run in sides.items():
            cost = run()
            if number and (name not in least or cost.cpu < least[name].cpu):
                least[name] = cost
    return least


def small_claim(ours: Cost, theirs: Cost) -> Claim:
    """The line of the small files.

    Raises:
        RuntimeError: the digests differ.
    """
    told = [json.loads(cost.output.splitlines()[-1]) for cost in (ours, theirs)]
    if len(told[0]["digests"]) != SMALL_FILES + 1 or told[0]["digests"] != told[1]["digests"]:
        raise RuntimeError("the digests of the small files differ")
    work = [cost.cpu - one["start"] for cost, one in zip((ours, theirs), told, strict=True)]
    each = [f"{seconds / SMALL_FILES * 1e6:.1f}" for seconds in work]
    print(
        f"small files without start and imports: {each[0]} us of CPU per file, {PEER} {each[1]} us,"
        f" {work[0] / work[1]:.3f} of it"
    )
    return at_most(
        "CPU of describing and verifying 5,000 small files",
        ours.cpu / theirs.cpu,
        SMALL_GOAL,
        f"{PEER}, hash and verify, SHA-256",
        cause=NAMES,
    )


def measure(scene: Scene, stock: Stock, *, quick: bool) -> list[Claim]:
    """All claims."""
    stock.assert_equal()
    cold = cheapest(
        {
            "verify, key": partial(scene.verify, scene.by_key),
            "verify, keyless": partial(scene.verify, scene.keyless),
            "stock verify key": stock.verify_key,
            "sign, warm": partial(scene.sign_warm, scene.kept),
            f"sign, warm, after {BEFORE}": partial(scene.sign_warm, scene.aged),
            "stock sign key": stock.sign_key,
            "bare python": partial(child, [sys.executable, "-c", "pass"]),
        },
        7 if quick else 25,
    )
    many = cheapest({"ours": scene.verify_small, "theirs": stock.verify_small}, 3 if quick else 11)
    print("CPU, ms: " + ", ".join(f"{name} {cost.cpu * 1000:.0f}" for name, cost in cold.items()))
    peer = cold["stock verify key"].cpu
    verifying = [
        at_most(
            f"CPU of a cold lockflight verify, 5 files, {form}",
            cold[f"verify, {form}"].cpu / peer,
            VERIFY_GOAL,
            f"{PEER}, verify key",
            cause=STARTS,
        )
        for form in ("key", "keyless")
    ]
    signing = [
        at_most(
            f"CPU of a whole keyless signature, warm, {when}",
            cold[side].cpu / cold["stock sign key"].cpu,
            SIGN_GOAL,
            f"{PEER}, cold sign key",
            cause=AGAIN,
        )
        for when, side in (
            ("the realm's first", "sign, warm"),
            (f"after {BEFORE}", f"sign, warm, after {BEFORE}"),
        )
    ]
    return [*verifying, small_claim(many["ours"], many["theirs"]), *signing]


def missing() -> list[Claim]:
    """Without the peer nothing is shown."""
    rows = (
        ("CPU of a cold lockflight verify, 5 files", VERIFY_GOAL),
        ("CPU of describing and verifying 5,000 small files", SMALL_GOAL),
        ("CPU of a whole keyless signature, warm", SIGN_GOAL),
    )
    return [
        Claim(claim, 0.0, f"<= {goal:g} x", PEER, holds=False, cause="the peer is missing")
        for claim, goal in rows
    ]


def main() -> int:
    """Measure and report."""
    quick = arguments(__doc__).quick
    python = peer_python("model-signing", *PINNED)
    if python is None:
        return finish(*missing())
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as scratch:
        scene = Scene(Path(scratch))
        return finish(*measure(scene, Stock(python, scene), quick=quick))


if __name__ == "__main__":
    sys.exit(main())
