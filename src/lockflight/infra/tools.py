"""Foreign tools in pinned environments: `HOME/tools/NAME/DIGEST/`, one per lock and Python version.

The locks are package data: every file by hash, no address, so any index, mirror or folder of wheels serves. An
environment is built under another name, tried, and then renamed: it is there whole or not at all. Its digest, over
the lock and the Python version, is what evidence names.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import sys
import tempfile
from importlib import resources
from pathlib import Path

from lockflight.core.records import dataclass
from lockflight.errors import EnvironmentProblem, NotFound
from lockflight.infra.command import CommandOutcome, run_command
from lockflight.infra.proc import MIB, Limits

_RECORD = "tool.json"
_INSTALL_LIMITS = Limits(cpu_s=1800, memory_bytes=8192 * MIB, wall_s=3600.0, file_bytes=8192 * MIB)
# Which index, mirror, proxy and certificates pip uses is the operator's business; the hashes decide what it gets.
_HANDED_ON = (
    "HOME",
    "XDG_CONFIG_HOME",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "TMPDIR",
    "NETRC",
)
_HANDED_ON_PREFIXES = ("PIP_",)
_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy"})
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[A-Za-z0-9.!+_-]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A foreign tool that Lockflight can install.

    Attributes:
        name: its name here and on the index.
        module: what `python -m` runs.
        title: one line for people.
        licence: SPDX identifier.
    """

    name: str
    module: str
    title: str
    licence: str


@dataclass(frozen=True, slots=True)
class ToolEnvironment:
    """An installed tool.

    Attributes:
        name: the tool.
        version: its version.
        digest: SHA-256 hex over its lock and the Python version.
        executable: absolute path of what starts it.
    """

    name: str
    version: str
    digest: str
    executable: Path


TOOLS = {
    spec.name: spec
    for spec in (
        ToolSpec("bandit", "bandit", "Static analysis of Python for common security issues", "Apache-2.0"),
    )
}


def tool_path(home: Path, name: str) -> str:
    """Absolute path of an installed tool's executable.

    Raises:
        NotFound: LF5011 no tool of this name is known.
        EnvironmentProblem: LF5010 it is not installed for this version of Lockflight and Python.
    """
    found = installed(home, name)
    if found is None:
        raise EnvironmentProblem(
            "LF5010",
            f"The tool {name} {pinned_version(name)} is not installed in {home / 'tools'}.",
            hint=f"lockflight tools install {name}",
            details={"tool": name},
        )
    return str(found.executable)


def installed(home: Path, name: str) -> ToolEnvironment | None:
    """The tool's environment for the current lock and Python version, or None.

    Raises:
        NotFound: LF5011 no tool of this name is known.
    """
    expected = _expected(home, name)
    try:
        found = describe(expected.executable)
    except EnvironmentProblem:
        return None
    return found if found == expected else None


def describe(executable: str | Path) -> ToolEnvironment:
    """Name, version and digest of the environment that an executable from `tool_path` belongs to.

    Raises:
        EnvironmentProblem: LF5016 there is no environment, or not a whole one.
    """
    path = Path(executable)
    try:
        record = json.loads((path.parent / _RECORD).read_text(encoding="utf-8"))
        found = ToolEnvironment(str(record["name"]), str(record["version"]), str(record["digest"]), path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        found = None
        why: Exception | None = error
    else:
        why = None
    if (
        found is None
        or not os.access(path, os.X_OK)
        or not (path.parent / "venv" / "bin" / "python").exists()
    ):
        raise EnvironmentProblem(
            "LF5016",
            f"{str(executable)!r} belongs to no whole tool environment.",
            hint=f"lockflight tools install {path.name}",
        ) from why
    return found


def pinned_version(name: str) -> str:
    """The version that the lock pins.

    Raises:
        NotFound: LF5011 no tool of this name is known.
    """
    for pin in _PIN.finditer(_lock(name).decode("utf-8")):
        if pin["name"] == name:
            return pin["version"]
    raise AssertionError(f"the lock of {name} does not pin it")


def environment_digest(name: str) -> str:
    """SHA-256 hex over the tool's lock and this Python's version.

    Raises:
        NotFound: LF5011 no tool of this name is known.
    """
    python = f"{sys.implementation.name} {platform.python_version()}"
    return hashlib.sha256(b"lockflight-tool/v1\0" + python.encode() + b"\0" + _lock(name)).hexdigest()


def install(home: Path, name: str, *, wheels: Path | None = None, offline: bool = False) -> ToolEnvironment:
    """Install a tool, or find that it is installed.

    Args:
        home: the home folder.
        name: the tool.
        wheels: take everything from this folder and open no socket.
        offline: the caller forbids the network.

    Raises:
        NotFound: LF5011 no tool of this name is known.
        EnvironmentProblem: LF5012 pip cannot install it, LF5013 no environment can be made, LF5014 no such folder
            of wheels, LF5015 offline without a folder of wheels, LF5017 the home cannot be written.
    """
    found = installed(home, name)
    if found is not None:
        return found
    if wheels is not None and not wheels.is_dir():
        raise EnvironmentProblem(
            "LF5014",
            f"There is no folder {str(wheels)!r} with the wheels of {name}.",
            hint=f"pip download --only-binary :all: -d DIR {name}=={pinned_version(name)}",
        )
    if wheels is None and offline:
        raise EnvironmentProblem(
            "LF5015",
            f"The tool {name} cannot be downloaded: this run is offline.",
            hint=f"lockflight tools install {name} --from-wheels DIR",
        )
    target = _expected(home, name)
    shelf = target.executable.parent.parent
    try:
        shelf.mkdir(mode=0o700, parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".new-", dir=shelf))
    except OSError as error:
        raise _unwritable(shelf, error) from error
    try:
        _build(work, target, wheels.resolve() if wheels else None)
        return _put(work, target)
    except OSError as error:
        raise _unwritable(shelf, error) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _build(work: Path, target: ToolEnvironment, wheels: Path | None) -> None:
    """Make the whole environment in `work`."""
    name, module = target.name, TOOLS[target.name].module
    _make_venv(work / "venv", name)
    python = str(work / "venv" / "bin" / "python")
    lock = work / "lock.txt"
    lock.write_bytes(_lock(name))
    pip = [
        python,
        "-I",
        "-m",
        "pip",
        "install",
        "--require-hashes",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--no-input",
    ]
    pip += ["--disable-pip-version-check", "--no-warn-script-location", "--quiet", "-r", str(lock)]
    if wheels is not None:
        pip += ["--no-index", "--find-links", str(wheels)]
    done = _run(pip, network=wheels is None)
    if done.returncode != 0 or done.kind is not None:
        raise EnvironmentProblem(
            "LF5012",
            f"pip cannot install {name} {target.version} with the hashes of its lock: {_last_line(done)}.",
            hint="Check the index with `pip config debug`, or pass --from-wheels DIR with the wheels of the lock.",
            details={"log": _tail(done)},
        )
    launcher = work / target.executable.name
    # Relative to itself, so that the environment may be renamed; isolated, so that no folder of the caller counts.
    launcher.write_text(
        f'#!/bin/sh\nexec "${{0%/*}}/venv/bin/python" -I -X utf8 -m {module} "$@"\n', encoding="ascii"
    )
    launcher.chmod(0o700)
    tried = _run([str(launcher), "--version"], network=False)
    if tried.returncode != 0 or tried.kind is not None:
        raise EnvironmentProblem(
            "LF5012",
            f"{name} {target.version} was installed but does not start: {_last_line(tried)}.",
            hint="lockflight doctor",
            details={"log": _tail(tried)},
        )
    record = {"name": name, "version": target.version, "digest": target.digest}
    (work / _RECORD).write_text(json.dumps(record, sort_keys=True) + "\n", encoding="utf-8")


def _make_venv(folder: Path, name: str) -> None:
    made = _run([sys.executable, "-I", "-m", "venv", str(folder)], network=False)
    if made.returncode != 0 or made.kind is not None:
        raise EnvironmentProblem(
            "LF5013",
            f"No environment can be made for {name}: {_last_line(made)}.",
            hint="apt-get install python3-venv, or use a Python with the modules venv and ensurepip.",
            details={"log": _tail(made)},
        )


def _put(work: Path, target: ToolEnvironment) -> ToolEnvironment:
    """Give the environment its name; one that came first wins, a broken one makes room."""
    folder = target.executable.parent
    if folder.exists():
        try:
            return describe(target.executable)
        except EnvironmentProblem:
            folder.rename(work / "broken")
    try:
        work.rename(folder)
    except OSError:
        return describe(target.executable)
    return describe(target.executable)


def _expected(home: Path, name: str) -> ToolEnvironment:
    digest = environment_digest(name)
    folder = home.absolute() / "tools" / name / digest
    return ToolEnvironment(name, pinned_version(name), digest, folder / name)


def _lock(name: str) -> bytes:
    if name not in TOOLS:
        raise NotFound(
            "LF5011",
            f"There is no tool {name!r}; known are {', '.join(sorted(TOOLS))}.",
            hint="lockflight tools list",
        )
    return (resources.files("lockflight") / "_data" / "tools" / f"{name}.txt").read_bytes()


def _run(argv: list[str], *, network: bool) -> CommandOutcome:
    env = {
        key: value
        for key, value in os.environ.items()
        if key in _HANDED_ON or key.startswith(_HANDED_ON_PREFIXES) or key.lower() in _PROXIES
    }
    return run_command(argv, limits=_INSTALL_LIMITS, env=env, network=network)


def _last_line(outcome: CommandOutcome) -> str:
    """The last line that a program wrote, or why it ended."""
    if outcome.kind is not None:
        return outcome.detail
    lines = _tail(outcome).splitlines()
    return lines[-1][:300].rstrip(".") if lines else f"status {outcome.returncode}"


def _tail(outcome: CommandOutcome) -> str:
    """The end of what a program wrote, fit to be shown."""
    text = (outcome.stderr or outcome.stdout)[-4000:].decode("utf-8", errors="replace")
    lines = ("".join(c if c.isprintable() else " " for c in line).strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def _unwritable(folder: Path, error: OSError) -> EnvironmentProblem:
    return EnvironmentProblem(
        "LF5017",
        f"The tool's folder {str(folder)!r} cannot be written: {error.strerror or type(error).__name__}.",
        hint="Check its owner and permissions and the space that is left, or set LOCKFLIGHT_HOME.",
    )
