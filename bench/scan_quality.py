"""What the scan lets pass and what it stops, beside every other scanner that installs.

Two sets of files. Hostile: `tests/corpus/hostile.py`, built from public advisories; all of them must be stopped.
Benign: `bench/_benign.py`, what libraries really write and ship; at least 99.5 % must be positively safe, and none
malicious. For each tool both rates are printed: who flags everything stops everything, and who looks at nothing passes
everything. A file without a verdict counts as stopped where it is hostile, and not as safe where it is benign.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
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
    safe = sum(said == "clean" for said in good.values())
    return finish(
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
