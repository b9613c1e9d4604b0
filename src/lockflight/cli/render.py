"""How a reply or an error looks: one JSON envelope, or words; the result on stdout, the rest on stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockflight.cli.reply import Reply, Run
    from lockflight.errors import LockflightError

DOCS = "https://lockflight.dev/docs/errors#"
SCHEMAS = "https://lockflight.dev/schema/"


def answer(reply: Reply, run: Run) -> int:
    """Print a reply; its exit code, which a reader that has gone away cannot change."""
    try:
        if run.json:
            _envelope(reply.exit_code == 0, reply.schema, reply.result, reply.error, run.now)
        elif reply.raw is not None:
            sys.stdout.flush()
            sys.stdout.buffer.write(reply.raw)
        else:
            from lockflight.cli.style import Style, defused

            for line in reply.human(Style.for_stream(sys.stdout)):
                sys.stdout.write(defused(line) + "\n")
        for line in reply.marks:
            (sys.stderr if run.json or reply.raw is not None else sys.stdout).write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        forget_stdout()
        return reply.exit_code
    if reply.error is not None and not run.json:
        error_lines(reply.error)
    return reply.exit_code


def forget_stdout() -> None:
    """Whoever read standard output has gone; nothing may be flushed at exit."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def fail(error: LockflightError, *, as_json: bool) -> int:
    """Print an error; its exit code."""
    if as_json:
        from lockflight.app.realm.clock import now

        try:
            _envelope(ok=False, schema="", result=None, error=error, now=now())
            sys.stdout.flush()
        except BrokenPipeError:
            forget_stdout()
    else:
        error_lines(error)
    return error.exit_code


def _envelope(ok: bool, schema: str, result: object, error: LockflightError | None, now: int) -> None:  # noqa: FBT001 - named as in the envelope
    from lockflight.cli.style import json_text
    from lockflight.core.times import rfc3339

    body = {
        "schema": SCHEMAS + (schema or "reply/v1"),
        "ok": ok,
        "result": result,
        "error": None if error is None else error_json(error),
        "as_of": rfc3339(now),
    }
    sys.stdout.write(json_text(body))


def mark(lines: Iterable[str], *, as_json: bool) -> None:
    """Lines for the CI system about an error, which a reader that has gone away cannot hide."""
    stream = sys.stderr if as_json else sys.stdout
    try:
        for line in lines:
            stream.write(line + "\n")
        stream.flush()
    except BrokenPipeError:
        forget_stdout()


def error_json(error: LockflightError) -> dict[str, object]:
    """The error part of the envelope."""
    return {
        "code": error.code,
        "kind": error.kind,
        "message": error.message,
        "hint": error.hint,
        "docs": DOCS + error.code.lower(),
        "details": {key: value for key, value in error.details.items() if key != "usage"},
    }


def error_lines(error: LockflightError) -> None:
    """An error for people."""
    from lockflight.cli.style import Style, clean, defused

    style = Style.for_stream(sys.stderr)
    usage = error.details.get("usage")
    if isinstance(usage, str):
        sys.stderr.write(defused(usage))
    message = f"{style.bad('error')} {style.bold(error.code)}: {clean(error.message)}"
    sys.stderr.write(defused(message) + "\n")
    for line in filter(None, error.hint.split("\n")):
        sys.stderr.write(defused(f"  {style.dim('next:')} {clean(line)}") + "\n")
    if error.exit_code != 2:
        sys.stderr.write(f"  {style.dim(f'more: lockflight explain {error.code}')}\n")
