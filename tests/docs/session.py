"""Console blocks of the documentation, run as a reader would type them.

    ```console
    $ lockflight verify package        a command; further lines of it start with `> `
    ✗ …                                what it prints, both streams
    (exit code 12)                     how it ends, unless with 0
    ```

In what is expected, `…` stands for anything within a line, and a line of its own `…` for any number of lines. Spaces
between columns count as one, so that a longer word elsewhere in a table changes nothing.
All blocks of a page run in one shell, in order.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
EXIT = re.compile(r"\(exit code (\d+)\)")
ANY = "…"
#: A command that hangs must not hang the tests; nothing takes nearly as long.
PATIENCE = 900


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a page with what it should do."""

    line: int
    command: str
    expected: tuple[str, ...]
    exit_code: int


def fences(text: str, language: str) -> list[tuple[int, list[str]]]:
    """(number of the first line, lines) of every fenced block of a language."""
    found: list[tuple[int, list[str]]] = []
    inside: list[str] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if inside is not None and line.rstrip() == "```":
            inside = None
        elif inside is not None:
            inside.append(line)
        elif line.startswith("```"):
            inside = []
            if line[3:].strip() == language:
                found.append((number + 1, inside))
    return found


def steps(text: str) -> list[Step]:
    """The commands of a page's console blocks."""
    found = []
    for first, lines in fences(text, "console"):
        starts = [i for i, line in enumerate(lines) if line.startswith("$ ")]
        assert starts[:1] == [0], f"line {first}: a console block starts with a command"
        for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
            command, rest = [lines[start][2:]], lines[start + 1 : end]
            while rest and (rest[0].startswith("> ") or rest[0] == ">"):
                command.append(rest.pop(0)[2:])
            while rest and not rest[-1].strip():
                rest.pop()
            ends = EXIT.fullmatch(rest[-1]) if rest else None
            if ends:
                rest.pop()
            code = int(ends[1]) if ends else 0
            found.append(Step(first + start, "\n".join(command), tuple(x.rstrip() for x in rest), code))
    return found


def tools(folder: Path, **more: Path) -> Path:
    """A folder with the commands that a reader has: `lockflight`, `python3`, and more interpreters' modules."""
    folder.mkdir()
    scripts = {
        "lockflight": f"PYTHONPATH='{ROOT / 'src'}' exec '{sys.executable}' -m lockflight.cli.main",
        "python3": f"exec '{sys.executable}'",
    }
    scripts |= {name: f"exec '{python}' -m {name}" for name, python in more.items()}
    for name, start in scripts.items():
        path = folder / name
        path.write_text(f'#!/bin/sh\n{start} "$@"\n', encoding="utf-8")
        path.chmod(0o755)
    return folder


def run(page: Path, folder: Path, bin_folder: Path, before: str = "") -> list[str]:
    """Run a page's commands in a folder; every difference between what it shows and what happens.

    Args:
        page: the page.
        folder: where the reader is; its subfolder `person` is the reader's home.
        bin_folder: from `tools`.
        before: shell commands that earlier pages asked for.
    """
    asked = steps(page.read_text(encoding="utf-8"))
    assert asked, f"{page.name} has no console block"
    (folder / "person").mkdir(exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOCKFLIGHT_")}
    environment["HOME"] = str(folder / "person")
    environment["PATH"] = f"{bin_folder}:{environment['PATH']}"
    script = [before]
    for i, step in enumerate(asked):
        script += [f"printf '\\001{i}\\n'", f"{{ {step.command}\n}} 2>&1", "printf '\\002%d\\n' $?"]
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert not done.stderr, done.stderr
    differences = []
    for i, step in enumerate(asked):
        printed = re.search(rf"\x01{i}\n(.*?)\x02(\d+)\n", done.stdout, re.DOTALL)
        assert printed, f"{page.name}:{step.line}: the shell did not come to: {step.command}"
        got = [line.rstrip() for line in printed[1].rstrip("\n").split("\n")] if printed[1].strip() else []
        code = int(printed[2])
        if code != step.exit_code or not matches(step.expected, tuple(got)):
            differences.append(
                f"{page.relative_to(ROOT)}:{step.line}: $ {step.command}\n"
                + "".join(
                    f"    expected  {line}\n" for line in [*step.expected, f"(exit code {step.exit_code})"]
                )
                + "".join(f"    got       {line}\n" for line in [*got, f"(exit code {code})"])
            )
    return differences


def matches(expected: tuple[str, ...], got: tuple[str, ...]) -> bool:
    """Whether the lines that were printed are those that were expected."""

    @cache
    def from_(i: int, j: int) -> bool:
        if i == len(expected):
            return j == len(got)
        if expected[i].strip() == ANY:
            return from_(i + 1, j) or (j < len(got) and from_(i, j + 1))
        return j < len(got) and same(expected[i], got[j]) and from_(i + 1, j + 1)

    return from_(0, 0)


def same(expected: str, got: str) -> bool:
    """Whether one line is what was expected."""
    expected, got = (re.sub(r"(?<=\S) +", " ", line) for line in (expected, got))
    return re.fullmatch(".*".join(map(re.escape, expected.split(ANY))), got) is not None
