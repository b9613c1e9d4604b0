"""Foreign tools: which there are, and whether this home holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.records import dataclass
from lockflight.core.text.suggest import did_you_mean
from lockflight.errors import NotFound
from lockflight.infra.tools import TOOLS, installed, pinned_version
from lockflight.infra.tools import install as install_tool

if TYPE_CHECKING:
    from pathlib import Path

    from lockflight.infra.tools import ToolEnvironment


@dataclass(frozen=True, slots=True)
class ToolStatus:
    """One tool that Lockflight can install.

    Attributes:
        name, version, title, licence: what it is.
        digest: of its installed environment; empty where it is not installed.
        executable: what starts it; empty as `digest`.
    """

    name: str
    version: str
    title: str
    licence: str
    digest: str = ""
    executable: str = ""


def tools(home: Path) -> list[ToolStatus]:
    """Every tool, in the order of their names."""
    return [_status(name, installed(home, name)) for name in sorted(TOOLS)]


def install(home: Path, name: str, *, wheels: Path | None = None, offline: bool = False) -> ToolStatus:
    """Install a tool from its hashed lock.

    Raises:
        NotFound: LF5011 there is no such tool.
        EnvironmentProblem: LF5012 to LF5017.
    """
    if name not in TOOLS:
        known = ", ".join(sorted(TOOLS))
        raise NotFound(
            "LF5011",
            f"There is no tool {name!r}; known are {known}.",
            hint=did_you_mean(name, TOOLS, otherwise="lockflight tools list"),
        )
    return _status(name, install_tool(home, name, wheels=wheels, offline=offline))


def _status(name: str, found: ToolEnvironment | None) -> ToolStatus:
    spec = TOOLS[name]
    return ToolStatus(
        name=name,
        version=pinned_version(name),
        title=spec.title,
        licence=spec.licence,
        digest=found.digest if found is not None else "",
        executable=str(found.executable) if found is not None else "",
    )
