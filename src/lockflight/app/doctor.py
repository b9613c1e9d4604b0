"""What works on this machine: each part tried, each fault with what mends it."""

from __future__ import annotations

import os
import stat
import sys
from enum import StrEnum
from typing import TYPE_CHECKING

import lockflight
from lockflight.core.records import dataclass
from lockflight.core.times import age, rfc3339
from lockflight.errors import LockflightError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: A clock this far behind the log would judge evidence as younger than it is.
MOST_BEHIND = 300
OLDEST_PYTHON = (3, 11)


class Health(StrEnum):
    """How a part is."""

    OK = "ok"
    NOTE = "note"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Part:
    """One part that was tried.

    Attributes:
        name: of the part.
        health: ok, worth a note, or a fault that keeps commands from working.
        said: what was found.
        code: of the error, where there is one.
        fix: what mends it.
    """

    name: str
    health: Health
    said: str
    code: str = ""
    fix: str = ""


def doctor(home: Path, *, settings: Callable[[], bool], now: int) -> list[Part]:
    """Try every part that commands rest on.

    Args:
        home: the home folder.
        settings: reads all settings and says whether no socket may be opened.
        now: Unix seconds.
    """
    offline = True
    try:
        offline = settings()
        read = Part("settings", Health.OK, "readable, and nobody else can write them")
    except LockflightError as error:
        read = Part("settings", Health.FAULT, error.message, error.code, error.hint)
    return [
        _python(),
        read,
        *_home(home),
        *_realms(home, now),
        *_engines(),
        *_checks(),
        *_tools(home),
        Part(
            "network",
            Health.NOTE if offline else Health.OK,
            "offline: no socket is opened" if offline else "allowed",
        ),
    ]


def _python() -> Part:
    said = f"lockflight {lockflight.__version__}, Python {'.'.join(map(str, sys.version_info[:3]))} on {sys.platform}"
    if sys.version_info < OLDEST_PYTHON:
        return Part("python", Health.FAULT, said, fix="Install Python 3.11 or newer.")
    return Part("python", Health.OK, said)


def _home(home: Path) -> Iterator[Part]:
    if not home.exists():
        parent = next(p for p in home.parents if p.exists())
        if os.access(parent, os.W_OK | os.X_OK):
            yield Part("home", Health.OK, f"{home} will be made on first use")
        else:
            fix = "Set LOCKFLIGHT_HOME to a folder of yours."
            yield Part(
                "home", Health.FAULT, f"{home} cannot be made: {parent} is not yours to write", "LF5044", fix
            )
        return
    info = home.stat()
    if not home.is_dir() or not os.access(home, os.W_OK | os.X_OK):
        fix = "Set LOCKFLIGHT_HOME to a folder of yours."
        yield Part("home", Health.FAULT, f"{home} cannot be written", "LF5044", fix)
    elif stat.S_IMODE(info.st_mode) & 0o022:
        yield Part("home", Health.FAULT, f"{home} may be written by other users", fix=f"chmod 700 {home}")
    else:
        yield Part("home", Health.OK, str(home))
    for key in sorted(home.glob("realms/*/keys/*.pem")):
        mode = stat.S_IMODE(key.stat().st_mode)
        if mode & 0o077:
            yield Part("keys", Health.FAULT, f"{key} has the mode {mode:04o}", "LF7006", f"chmod 600 {key}")


def _realms(home: Path, now: int) -> Iterator[Part]:
    from lockflight.app.realm.view import open_view
    from lockflight.store.log.address import has_log

    folders = sorted(f.name for f in (home / "realms").glob("[!.]*") if has_log(f))
    for name in folders:
        try:
            view = open_view(home, name)
        except LockflightError as error:
            yield Part(f"realm {name}", Health.FAULT, error.message, error.code, error.hint)
            continue
        said = (
            f"{view.state.trust.kind.value}, {view.size} entries verified, newest {rfc3339(view.timestamp)}"
        )
        if view.timestamp - now > MOST_BEHIND:
            yield Part(
                f"realm {name}",
                Health.FAULT,
                f"this machine's clock is {age(view.timestamp - now)} behind the log",
                "LF5032",
                "Set the clock: timedatectl set-ntp true",
            )
        elif view.state.ineffective:
            number = len(view.state.ineffective)
            yield Part(
                f"realm {name}",
                Health.NOTE,
                f"{said}; {number} without effect",
                fix="lockflight log show --all",
            )
        else:
            yield Part(f"realm {name}", Health.OK, said)
    if not folders:
        yield Part("realms", Health.NOTE, "none yet; the first `lockflight check` makes a personal one")


def _engines() -> Iterator[Part]:
    from lockflight.policy.bundle import baseline
    from lockflight.policy.engines.opa import INSTALL
    from lockflight.policy.engines.pool import Engines
    from lockflight.policy.gate import PolicyGate

    engines = Engines()
    try:
        for name, engine in (("policy", engines.regorus), ("policy on opa", engines.opa)):
            if engine is None:
                said = "OPA is not installed: one engine judges where two could have to agree (optional)"
                yield Part(name, Health.NOTE, said, "LF4021", INSTALL)
                continue
            try:
                bundle = baseline()
                gate = PolicyGate(bundle, engine)
                gate.prove()
                known = gate.engines[0]
            except LockflightError as error:
                yield Part(name, Health.FAULT, error.message, error.code, error.hint)
                continue
            said = f"{bundle.name} {bundle.version} bites on {known['name']} {known['version']}"
            yield Part(name, Health.OK, said)
    finally:
        engines.close()


def _checks() -> Iterator[Part]:
    from lockflight.scan.table import CHECKS, load

    works = []
    for name in CHECKS:
        try:
            works.append(load(name).info.name)
        except LockflightError as error:
            yield Part(f"check {name}", Health.FAULT, error.message, error.code, error.hint)
        except ImportError as error:
            yield Part(
                f"check {name}", Health.FAULT, f"it does not load: {error}", fix="Install Lockflight again."
            )
    yield Part("checks", Health.OK, ", ".join(works))


def _tools(home: Path) -> Iterator[Part]:
    from lockflight.app.tools import tools

    for tool in tools(home):
        if tool.digest:
            yield Part(f"tool {tool.name}", Health.OK, f"{tool.version} installed")
        else:
            fix = f"lockflight tools install {tool.name}"
            yield Part(
                f"tool {tool.name}", Health.NOTE, f"{tool.version} is not installed (optional)", "LF5010", fix
            )
