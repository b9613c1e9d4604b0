"""`verify` stays light: no database library, no certificates, no policy engine, no YAML, no thread pool."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from lockflight.app.release.sign import sign

if TYPE_CHECKING:
    from pathlib import Path

    from lockflight.app.realm.realm import Realm

HEAVY = (
    "sqlalchemy",
    "cryptography.x509",
    "regorus",
    "yaml",
    "rich",
    "asyncio",
    "concurrent.futures",
    "kingfisher_sdk",
    "lockflight.scan",
    "lockflight.formats",
    "lockflight.policy",
    "lockflight.app.files.describe",
)
#: The release has tables, whose rows are computed again.
NEEDED = {
    "lockflight.formats",
    *(f"lockflight.formats.rows{module}" for module in ("", ".lines", ".tables")),
}
SCRIPT = """
import json, sys
from lockflight.cli.main import main
code = main(sys.argv[1:])
sys.stderr.write(json.dumps({"code": code, "modules": sorted(sys.modules)}))
"""


def test_verify_loads_none_of_the_heavy_modules(
    home: Path, realm: Realm, workspace: Path, tmp_path: Path
) -> None:
    package = sign(home, realm.name, workspace, tmp_path / "package", actor="alice").package
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "verify", package, "--realm", realm.name],
        capture_output=True,
        text=True,
        check=False,
    )
    seen = json.loads(done.stderr.splitlines()[-1])
    assert seen["code"] == 0, done.stdout
    assert "lockflight.app.release.verify" in seen["modules"]
    assert [m for m in seen["modules"] if m.startswith(HEAVY) and m not in NEEDED] == []
