"""What git says about a workspace: commit, what is not committed, and who wrote the commits of a range.

Git runs as a child under budgets, without network, hooks and file system monitors. Names and e-mail addresses are
claims of whoever made a commit; the addresses stay in memory.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.core.records import dataclass
from lockflight.errors import EnvironmentProblem
from lockflight.infra.command import run_command
from lockflight.infra.proc import MIB, Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_COMMITS = 20_000
_LIMITS = Limits(cpu_s=60, memory_bytes=4096 * MIB, wall_s=60.0, output_bytes=16 * MIB)
_SAFE = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.quotePath=false")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.ASCII)
#: `Co-authored-by: A Name <address>`, as several hosts write it.
_ADDRESS = re.compile(r"<([^<>\s]{1,320})>")
_SCP = re.compile(r"(?:[^@/\s]+@)?([A-Za-z0-9.-]+):(?!//)(\S+)")
_URL = re.compile(r"(https?|ssh|git)://(?:[^@/\s]*@)?([^@\s]+)")


@dataclass(frozen=True, slots=True)
class Commit:
    """The commit that a workspace is checked out at.

    Attributes:
        commit: its id, 40 or 64 hex digits.
        uri: `git+https://…` of the remote `origin`, without credentials; empty where there is none.
        changed: absolute paths of files that differ from the commit or are not in it; None when git did not say.
        shallow: the history was cut off.
        top: the repository's folder.
    """

    commit: str
    uri: str
    changed: tuple[Path, ...] | None
    shallow: bool
    top: Path


@dataclass(frozen=True, slots=True)
class History:
    """Who wrote and committed: lower-case addresses, and whether all commits of the range were read."""

    addresses: frozenset[str]
    complete: bool


def look(folder: Path) -> Commit | None:
    """The commit of a workspace; None without git, outside of a repository, and before its first commit."""
    head = _git(folder, "rev-parse", "--verify", "HEAD")
    top = _git(folder, "rev-parse", "--show-toplevel")
    if head is None or top is None or not _COMMIT.fullmatch(head.strip()):
        return None
    root = Path(top.rstrip("\n"))
    remote = (_git(folder, "config", "--get", "remote.origin.url") or "").strip()
    status = _git(folder, "status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames")
    return Commit(
        commit=head.strip(),
        uri=public_uri(remote),
        changed=None if status is None else tuple(root / entry[3:] for entry in status.split("\0") if entry),
        shallow=(_git(folder, "rev-parse", "--is-shallow-repository") or "").strip() != "false",
        top=root,
    )


def history(folder: Path, *, since: str = "") -> History:
    """Authors, committers and co-authors of `HEAD`'s history.

    Args:
        folder: the workspace.
        since: a commit whose own history is left out, where it is part of `HEAD`'s; else nothing is.
    """
    span = ["HEAD"]
    if _COMMIT.fullmatch(since) and is_ancestor(folder, since):
        span.append(f"^{since}")
    form = "--format=%x00%ae%n%ce%n%(trailers:key=Co-authored-by,valueonly)"
    text = _git(folder, "log", f"--max-count={MAX_COMMITS + 1}", form, *span, "--")
    if text is None:
        return History(frozenset(), complete=False)
    commits = text.split("\0")[1:]
    found: set[str] = set()
    for commit in commits[:MAX_COMMITS]:
        author, committer, *trailers = [line.strip().lower() for line in commit.splitlines()] + ["", ""]
        found |= {author, committer}
        for line in trailers:
            found.update(_ADDRESS.findall(line))
    return History(frozenset(found - {""}), complete=len(commits) <= MAX_COMMITS)


def is_ancestor(folder: Path, commit: str) -> bool:
    """Whether a commit is part of the history of `HEAD`."""
    return _git(folder, "merge-base", "--is-ancestor", commit, "HEAD") is not None


def public_uri(remote: str) -> str:
    """A remote's address as a URI without credentials; empty for a folder and for what has no such form."""
    if match := _URL.fullmatch(remote):
        return f"git+{match[1]}://{match[2]}"
    if match := _SCP.fullmatch(remote):
        return f"git+ssh://{match[1]}/{match[2].lstrip('/')}"
    return ""


def _git(folder: Path, *words: str) -> str | None:
    """Standard output of a git command; None when it failed or is not there."""
    program = shutil.which("git")
    if program is None:
        return None
    argv: Sequence[str] = (str(Path(program).absolute()), *_SAFE, *words)
    env = {"LC_ALL": "C.UTF-8", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
    if "HOME" in os.environ:  # the user's own configuration says whose folders may be trusted
        env["HOME"] = os.environ["HOME"]
    try:
        done = run_command(argv, limits=_LIMITS, env=env, cwd=str(folder))
    except EnvironmentProblem:
        return None
    if done.returncode or done.kind is not None:
        return None
    return done.stdout.decode("utf-8", errors="replace")
