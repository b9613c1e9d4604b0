"""Transcripts: what people type and what they read, word for word.

    # a comment
    $ lockflight status          a command
    > a line on standard output
    ! a line on standard error
    = 10                         its exit code, where it is not 0
    % flip package/model.bin     what a person does to the files meanwhile: see ACTS

Digests, times, keys and folders differ each time and stand as <digest>, <time> and so on. With the environment
variable PYTEST_UPDATE_TRANSCRIPTS set, the files are written again: read the difference before it is committed.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from lockflight.app.demo import make_workspace
from tests.cli.world import World

FOLDER = Path(__file__).parent / "transcripts"
TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"
PATTERNS = (
    (re.compile(TIME), "<time>"),
    (re.compile(r"\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}(?![A-Za-z0-9+/])"), "+<key>"),
    (re.compile(r"\bp-[0-9a-f]{16}\b"), "<person>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<digest>"),
    (re.compile(r"\b[0-9a-f]{16}\b"), "<id>"),
    (re.compile(r"\b[0-9a-f]{12}\b"), "<short>"),
    (re.compile(r"\b[0-9]+ seconds?\b( old|  ?\(demanded)"), r"<age>\1"),
    (re.compile(r"MFkw[A-Za-z0-9+/]+=*"), "<key>"),
)


def write(world, name, *words):
    path = world.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(" ".join(words) + "\n", encoding="utf-8")


def edit(world, name, old, new):
    path = world.folder / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


ACTS = {
    "workspace": lambda world, name: make_workspace(world.folder / name),
    "rm": lambda world, name: (world.folder / name).unlink(),
    "flip": lambda world, name, offset="-3": world.flip(name, int(offset)),
    "write": write,
    "edit": edit,
}


def act(world, line):
    name, *words = shlex.split(line)
    ACTS[name](world, *words)


def spoken(world, text):
    text = text.replace(str(world.folder), "{folder}")
    for pattern, word in PATTERNS:
        text = pattern.sub(word, text)
    return text


def play(world, script):
    """The transcript as it happens now: comments and commands of the script, output of today."""
    lines = []
    environ = {}
    for line in script.splitlines():
        if line[:2] in {"> ", "! ", "= "} or line in {">", "!"}:
            continue
        lines.append(line)
        if line.startswith("% set "):
            key, _, value = line.removeprefix("% set ").partition("=")
            environ[key] = value.replace("{folder}", str(world.folder))
        elif line.startswith("% "):
            act(world, line.removeprefix("% "))
        elif line.startswith("$ lockflight "):
            done = world.run(line.removeprefix("$ lockflight "), **environ)
            lines += [f"> {x}".rstrip() for x in spoken(world, done.out).splitlines()]
            lines += [f"! {x}".rstrip() for x in spoken(world, done.err).splitlines()]
            lines += [f"= {done.code}"] if done.code else []
        else:
            assert line.startswith("#") or not line, f"what is {line!r}?"
    return "\n".join(lines) + "\n"


@pytest.fixture
def stage(request, tmp_path):
    """A world that is built already for scripts that begin with `# world`, else an empty folder."""

    def make(script):
        if script.startswith("# world"):
            return request.getfixturevalue("world")
        (tmp_path / "empty" / "home").mkdir(parents=True, mode=0o700)
        return World(tmp_path / "empty")

    return make


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_transcript(path, stage):
    script = path.read_text(encoding="utf-8")
    heard = play(stage(script), script)
    if os.environ.get("PYTEST_UPDATE_TRANSCRIPTS"):
        path.write_text(heard, encoding="utf-8")
    assert heard == script


def test_there_are_transcripts():
    assert len(list(FOLDER.glob("*.txt"))) >= 5
