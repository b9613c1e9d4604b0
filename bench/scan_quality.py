"""What the scan lets pass and what it stops, beside every other scanner that installs.

Hostile: `tests/corpus/hostile.py`, built from public advisories; all of them must be stopped. Benign:
`bench/_benign.py`, what libraries really write and ship; at least 99.5 % must be positively safe, and none malicious.
And what is not ours: the files that modelaudit tests itself with, under the labels of `tests/live/modelaudit.toml`.

For each tool both rates are printed: who flags everything stops everything, and who looks at nothing passes everything.
A file without a verdict counts as stopped where it is hostile, and not as safe where it is benign.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench._common import ROOT, Claim, arguments, at_most, finish, peer_python

#: Libraries that make the benign files.
MAKERS = ("scikit-learn==1.9.1", "pandas==3.0.5", "skops==0.16.0", "safetensors==0.8.0", "joblib==1.6.0")
PEERS = {
    "picklescan": ("picklescan==1.0.5",),
    "fickling": ("fickling==0.1.12", "typing_extensions"),
    "modelscan": ("modelscan==0.8.8",),
    "modelaudit": ("modelaudit==0.2.54",),
}
TIMEOUT_S = 3600


def judged(python: Path | str, tool: str, folder: Path) -> dict[str, str]:
    """What a tool says of every file."""
    command = [str(python), str(ROOT / "bench" / "_scanners.py"), tool, str(folder)]
    path = str(ROOT / "src") if tool == "lockflight" else ""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT_S,
        env={"PYTHONPATH": path, "PATH": ""},
    )
    said: dict[str, str] = json.loads(done.stdout.strip().splitlines()[-1])
    return said


def row(tool: str, hostile: dict[str, str], benign: dict[str, str]) -> str:
    """A tool's line of the table."""
    bad, good = Counter(hostile.values()), Counter(benign.values())
    # What Lockflight reviews does not pass its gate; what others only remark upon passes theirs.
    stopped = (bad["flag"] + bad["error"] + (bad["review"] if tool == "lockflight" else 0)) / len(hostile)
    return (
        f"{tool:11} hostile: {stopped:7.2%} stopped ({dict(sorted(bad.items()))}); "
        f"benign: {good['clean'] / len(benign):7.2%} safe ({dict(sorted(good.items()))})"
    )


def others(folder: Path) -> tuple[Path, Path] | None:
    """Hostile and harmless files of modelaudit's source archive; None where it was not fetched."""
    archives = sorted((ROOT / ".venv-peers-fixtures").glob("modelaudit-*.tar.gz"))
    if not archives:
        print("modelaudit's own files are not here: python3 dev.py setup --peers")
        return None
    labels = tomllib.loads((ROOT / "tests" / "live" / "modelaudit.toml").read_text(encoding="utf-8"))["files"]
    with tarfile.open(archives[0]) as archive:
        for member in archive:
            name = member.name.partition("/tests/assets/")[2]
            content = archive.extractfile(member) if member.isfile() and name in labels else None
            if content is not None:
                path = folder / labels[name]["label"] / name
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("wb") as out:
                    shutil.copyfileobj(content, out)
    return folder / "malicious", folder / "benign"


def main() -> int:
    """Make the files, ask everybody, report ours."""
    quick = arguments(__doc__).quick
    maker = peer_python("benign", *MAKERS)
    if maker is None:
        return finish(
            Claim("hostile files stopped", 0, ">= 1", "", holds=False, cause="no maker of benign files")
        )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write = [sys.executable, "-m", "tests.corpus.hostile", str(folder / "hostile")]
        subprocess.run(write, check=True, capture_output=True, cwd=ROOT)
        made = [str(maker), str(ROOT / "bench" / "_benign.py"), str(folder / "benign")]
        subprocess.run(made, check=True, capture_output=True)
        bad = judged(sys.executable, "lockflight", folder / "hostile" / "files")
        good = judged(sys.executable, "lockflight", folder / "benign")
        print(row("lockflight", bad, good))
        theirs = others(folder / "theirs")
        held = {"lockflight": [judged(sys.executable, "lockflight", each) for each in theirs or ()]}
        for word in ("error", "review", "flag"):
            names = [one for one, said in good.items() if said == word]
            print(f"  benign and {word}: {len(names)} {names[:12]}")
        for tool, pinned in PEERS.items():
            if quick and tool != "picklescan":
                continue
            python = peer_python(tool, *pinned)
            if python is not None:
                print(
                    row(
                        tool,
                        judged(python, tool, folder / "hostile" / "files"),
                        judged(python, tool, folder / "benign"),
                    )
                )
                held[tool] = [judged(python, tool, each) for each in theirs or ()]
    if theirs:
        print("the files that modelaudit tests itself with:")
        for tool, said in held.items():
            print(row(tool, *said))
    safe = sum(said == "clean" for said in good.values())
    passed = [said == "clean" for said in held["lockflight"][0].values()] if theirs else []
    return finish(
        at_most(
            f"of {len(passed)} hostile files of modelaudit, those that pass",
            sum(passed),
            0,
            "none",
            unit="files",
        ),
        at_most(
            f"of {len(bad)} hostile files, those that pass",
            sum(said == "clean" for said in bad.values()),
            0,
            "none",
            unit="files",
        ),
        at_most(
            f"of {len(good)} benign files, the share not positively safe",
            1 - safe / len(good),
            0.005,
            "none",
            unit="",
        ),
        at_most(
            "benign files called malicious",
            sum(said == "flag" for said in good.values()),
            0,
            "none",
            unit="files",
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
