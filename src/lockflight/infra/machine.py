"""A small summary of the machine: enough to compare two runs, too little to name a host."""

from __future__ import annotations

import os
import platform
import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.errors import EnvironmentProblem
from lockflight.infra.command import run_command
from lockflight.infra.proc import MIB, Limits

if TYPE_CHECKING:
    from lockflight.core.canonical import JsonObject, JsonValue

MAX_NAME = 80
MAX_KINDS = 16


def summary() -> JsonObject:
    """Processors, memory in MiB, architecture, system, and accelerators by kind."""
    return {
        "cpus": os.cpu_count() or 0,
        "memory_mib": _memory() // MIB,
        "machine": platform.machine()[:MAX_NAME],
        "system": platform.system()[:MAX_NAME],
        "accelerators": accelerators(),
    }


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 0


def accelerators(program: str = "nvidia-smi") -> list[JsonValue]:
    """Kinds of accelerators with their number; none where the driver's own tool is not there or fails."""
    found = shutil.which(program)
    if found is None:
        return []
    argv = [str(Path(found).resolve()), "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = run_command(argv, limits=Limits(cpu_s=10, wall_s=20.0, output_bytes=MIB), env={"LC_ALL": "C"})
    except EnvironmentProblem:
        return []
    if done.returncode or done.kind is not None:
        return []
    lines = done.stdout.decode("utf-8", errors="replace").splitlines()
    kinds = Counter(line.strip()[:MAX_NAME] for line in lines if line.strip())
    return [{"name": name, "count": count} for name, count in sorted(kinds.items())[:MAX_KINDS]]
