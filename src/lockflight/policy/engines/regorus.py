"""The regorus engine, in a child process: its library never sees our keys, nor we its crashes."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.errors import EnvironmentProblem
from lockflight.infra.installed import installed_version
from lockflight.infra.proc import MIB, Limits
from lockflight.policy.engines.library import MAX_OUTPUT, Library, LibraryEngine

if TYPE_CHECKING:
    from collections.abc import Mapping

DISTRIBUTION = "gordon-to-regorus"
#: Installs a module of the same name from an older code base.
RIVAL = "celine-regorus"

#: Budgets of one decision: facts of 16 MiB take about a second.
LIMITS = Limits(cpu_s=20, memory_bytes=1024 * MIB, wall_s=30.0, output_bytes=MAX_OUTPUT, file_bytes=MIB)

_INSTALL = f"python3 -m pip install {DISTRIBUTION}"


class RegorusEngine(LibraryEngine):
    """Rego by the regorus library (PyPI: gordon-to-regorus)."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        super().__init__(LIBRARY, limits)


def _installed() -> Mapping[str, str]:
    version = installed_version(DISTRIBUTION)
    if version is None:
        raise EnvironmentProblem(
            "LF4001", f"The policy engine is not installed: there is no {DISTRIBUTION}.", hint=_INSTALL
        )
    if installed_version(RIVAL) is not None:
        raise EnvironmentProblem(
            "LF4002",
            f"Both {DISTRIBUTION} and {RIVAL} are installed; they overwrite each other's module `regorus`.",
            hint=f"python3 -m pip uninstall {RIVAL} && {_INSTALL} --force-reinstall",
        )
    spec = importlib.util.find_spec("regorus")
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    found = sorted(p for f in folders for p in Path(f).iterdir() if p.suffix in {".so", ".pyd", ".dylib"})
    if len(found) != 1:
        raise EnvironmentProblem(
            "LF4001",
            f"The policy engine {DISTRIBUTION} {version} is damaged: it has {len(found)} libraries instead of one.",
            hint=f"{_INSTALL} --force-reinstall",
        )
    with found[0].open("rb") as file:
        return {"version": version, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


LIBRARY = Library(
    name="regorus",
    target="lockflight.policy.engines._regorus:evaluate",
    install=_INSTALL,
    limits=LIMITS,
    find=_installed,
)
