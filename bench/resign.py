"""Describing a workspace again after its README changed reads the README, and not the model.

Against ourselves with `--no-cache`, on 200 files of 1 MiB and a README, each time in a process of its own; the digest
of the release is asserted equal before anything is counted. Bytes are those that the kernel says the process read,
less what the same command reads for a folder of the README alone (interpreter and modules are read, too). Costs are
processor time, user and system. `release create` reads no large file; `sign` reads each once, because a package is a
copy, and hashes the copy on the way.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench._common import Claim, Cost, arguments, at_most, child, finish, interleaved
from lockflight.infra.files import Folder
from lockflight.store.hashcache import LOCAL, SETTLED, file_system

FILES, SIZE = 200, 1024 * 1024
READ_GOAL, CPU_GOAL, SIGN_GOAL = 0.01, 0.5, 0.9
#: Runs a command line in this interpreter, and says what the kernel counted.
RUN = """
import pathlib, sys
from lockflight.cli.main import main
code = main(sys.argv[1:])
told = pathlib.Path("/proc/self/io").read_text().split("rchar:")[1].split()[0]
sys.stderr.write("\\nrchar " + told + "\\n")
raise SystemExit(code)
"""
MANIFEST = """\
[release]
name = "large"
version = "1.0.0"
kind = "dataset"
tier = "minimal"

[[assets]]
role = "dataset"
files = ["data/*"]

[[assets]]
role = "documentation"
files = ["README.md"]
"""


def main() -> int:
    """Measure and report."""
    quick = arguments(__doc__).quick
    with tempfile.TemporaryDirectory() as scratch:
        return finish(*measured(Path(scratch), 2 if quick else 7))


def measured(scratch: Path, rounds: int) -> list[Claim]:
    """The claims; none can be made where the folder lies on a file system on which nothing is remembered."""
    with Folder(scratch) as folder:
        kind = file_system(folder.fileno())
    if kind not in LOCAL:
        raise SystemExit(
            f"nothing is remembered on a file system of the kind {kind!r}: set TMPDIR to a local folder"
        )
    work, small = workspace(scratch / "work", FILES), workspace(scratch / "small", 1, size=10)
    os.environ["LOCKFLIGHT_HOME"] = str(scratch / "home")
    time.sleep(2 * SETTLED / 1e9)  # what was written a moment ago is not remembered
    again = partial(edited, work, "release", "create", work)
    full = partial(again, "--no-cache")
    again()
    base = told(edited(small, "release", "create", small).output)[1]
    for _ in range(2):
        sides = [told(one(readme="same").output) for one in (again, full)]
        if sides[0][0] != sides[1][0]:
            raise RuntimeError(f"another digest than that of a full read: {sides}")
    (_, few), (_, many) = sides
    costs = interleaved(
        {
            "again": again,
            "full": full,
            "sign": partial(signed, work, scratch / "package"),
            "sign in full": partial(signed, work, scratch / "package", "--no-cache"),
        },
        rounds,
    )
    print(f"{FILES} files of {SIZE} bytes: {few - base} bytes read again, {many - base} in full")
    print("CPU seconds: " + ", ".join(f"{name} {cost.cpu:.2f}" for name, cost in costs.items()))
    peer = "the same with --no-cache"
    return [
        at_most("bytes read after a README change", max(0, few - base) / (many - base), READ_GOAL, peer),
        at_most("CPU of release create then", costs["again"].cpu / costs["full"].cpu, CPU_GOAL, peer),
        at_most("CPU of sign then", costs["sign"].cpu / costs["sign in full"].cpu, SIGN_GOAL, peer),
    ]


def edited(folder: Path, *words: str | Path, readme: str = "") -> Cost:
    """A command line, after the README was written: with other words than before, or with these."""
    readme = readme or f"# Large {time.time_ns()}"
    (folder / "README.md").write_text(readme, encoding="utf-8")
    return child([sys.executable, "-c", RUN, *words, "--json"])


def signed(work: Path, package: Path, *more: str) -> Cost:
    """A signature, into a new package."""
    shutil.rmtree(package, ignore_errors=True)
    return edited(work, "sign", work, "--out", package, *more)


def told(output: str) -> tuple[str, int]:
    """Digest of the release, and bytes that the process read."""
    reply, _, read = output.rpartition("rchar ")
    found = json.loads(reply[reply.index("{") :])["result"]
    return found["digest"], int(read)


def workspace(folder: Path, count: int, *, size: int = SIZE) -> Path:
    """A dataset of random files."""
    (folder / "data").mkdir(parents=True)
    for number in range(count):
        (folder / "data" / f"{number:03}.bin").write_bytes(os.urandom(size))
    (folder / "README.md").write_text("# Large\n", encoding="utf-8")
    (folder / "lockflight.toml").write_text(MANIFEST, encoding="utf-8")
    return folder


if __name__ == "__main__":
    raise SystemExit(main())
