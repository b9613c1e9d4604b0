"""Running `lockflight` in this process, as a terminal would: two streams, an exit code, and nothing else."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
import shlex
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jsonschema

from lockflight.cli.main import main
from lockflight.cli.table import COMMANDS

SCHEMAS = Path(__file__).resolve().parents[2] / "src" / "lockflight" / "_data" / "schemas"


@dataclass(frozen=True)
class Done:
    """What a command did."""

    code: int
    out: str
    err: str

    def json(self):
        return json.loads(self.out)


def run(*words, stdin=b"", cwd=None, **environ):
    """Run one command; `words` are shell words, or one string of them."""
    argv = shlex.split(words[0]) if len(words) == 1 else [str(word) for word in words]
    out, err = _Stream(), _Stream()
    source = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
    before = dict(os.environ)
    with contextlib.ExitStack() as stack:
        if cwd is not None:
            stack.enter_context(contextlib.chdir(cwd))
        os.environ.update(environ)
        stack.callback(_restore, before)
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        stack.enter_context(_RedirectStdin(source))
        code = main(argv)
    done = Done(code, out.text(), err.text())
    if "--json" in argv[: argv.index("--") if "--" in argv else None]:
        check_reply(done)
    return done


def _restore(environ):
    os.environ.clear()
    os.environ.update(environ)


class _Stream(io.TextIOWrapper):
    def __init__(self):
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    def text(self):
        self.flush()
        return self.buffer.getvalue().decode("utf-8")


class _RedirectStdin(contextlib._RedirectStream):
    _stream = "stdin"


def every_command():
    """Name as typed -> (target, help, exit codes)."""
    found = {}
    for name, entry in COMMANDS.items():
        if len(entry) == 3:
            found[name] = entry
        else:
            found |= {f"{name} {verb}": one for verb, one in entry[1].items()}
    return found


@cache
def validator(name):
    """The schema of that name, with every object closed: what is printed and not described fails."""
    schema = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(_closed(schema))


def _closed(node):
    if isinstance(node, list):
        return [_closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: _closed(value) for key, value in copy.copy(node).items()}
    if "properties" in node and "additionalProperties" not in node:
        node["additionalProperties"] = False
    return node


def check_reply(done):
    """Whether standard output is exactly one envelope whose result has the form that it names."""
    body = done.json()
    validator("reply").validate(body)
    assert body["ok"] == (done.code == 0), done
    assert (body["error"] is None) == (done.code == 0), done
    if body["result"] is not None:
        name = body["schema"].removeprefix("https://lockflight.dev/schema/").removesuffix("/v1")
        validator(name).validate(body["result"])
