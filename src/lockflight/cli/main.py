"""Entry point: from `argv` to an exit code.

`--help` and `--version` are answered from the table; argparse and the command's module are imported only when a
command runs. Every failure has one form, in words or as JSON; a traceback is a bug.
"""

from __future__ import annotations

import sys

from lockflight.cli.sections import SECTIONS
from lockflight.cli.table import COMMANDS, EXAMPLES, EXIT_CODES

TYPE_CHECKING = False  # `typing` costs a fifth of the start
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lockflight.cli.nouns import Command

CANNOT_WORK = 4
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if sys.stdout is None or sys.stderr is None:
        _open_closed_streams()
    try:
        code = _dispatch(words)
        sys.stdout.flush()
    except KeyboardInterrupt:
        sys.stderr.write("\nlockflight: interrupted\n")
        return INTERRUPTED
    except BrokenPipeError:
        sys.stdout = None  # the reader of a help page has gone; nothing is left to flush
        return 0
    except OSError as error:
        sys.stderr.write(f"lockflight: standard output cannot be written: {error.strerror}\n")
        sys.stdout = None  # as above
        return CANNOT_WORK
    return code


def _open_closed_streams() -> None:
    """A closed standard output is one that cannot be written, as on a full disk; of errors only the code counts."""
    import os

    if sys.stdout is None:
        # Held open for reading only: what is written fails, and no other file gets its number.
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w", encoding="utf-8")
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - until the end


def _dispatch(words: list[str]) -> int:
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    if not words or words[0] in {"-h", "--help"}:
        _print_help()
        return 0
    if words[0] in {"-V", "--version"}:
        from lockflight import __version__

        sys.stdout.write(f"lockflight {__version__}\n")
        return 0
    from lockflight.cli.run import execute, usage_error

    name, rest = words[0], words[1:]
    if name not in COMMANDS:
        return usage_error(name, COMMANDS, words)
    entry = COMMANDS[name]
    if len(entry) == 3:
        return execute(name, entry, rest)
    title, verbs = entry
    if not rest or rest[0] in {"-h", "--help"}:
        _print_noun(name, title, verbs)
        return 0 if rest else 2
    if rest[0] not in verbs:
        return usage_error(rest[0], verbs, words, noun=name)
    return execute(f"{name} {rest[0]}", verbs[rest[0]], rest[1:])


def _print_help() -> None:
    lines = [
        "usage: lockflight COMMAND [options]",
        "",
        "No model, prompt, dataset or agent reaches an environment unless signed evidence says that it may.",
    ]
    for title, names in SECTIONS:
        lines += ["", f"{title}:"]
        for name in names:
            entry = COMMANDS[name]
            if len(entry) == 3:
                lines.append(f"  {name:<10} {entry[1]}")
            else:
                lines.append(f"  {name:<10} {entry[0]}: {', '.join(entry[1])}")
    lines += ["", "Examples:"]
    lines += [f"  {command:<36} {what}" for command, what in EXAMPLES]
    lines += ["", "Every command takes --json, --quiet, --offline, --home DIR, --realm NAME, --as NAME."]
    lines += ["", "Exit codes:"]
    lines += [f"  {code:>3}  {meaning}" for code, meaning in EXIT_CODES]
    sys.stdout.write("\n".join(lines) + "\n")


def _print_noun(name: str, title: str, verbs: Mapping[str, Command]) -> None:
    lines = [f"usage: lockflight {name} VERB [options]", "", f"{title[0].upper()}{title[1:]}.", ""]
    lines += [f"  {verb:<10} {entry[1]}" for verb, entry in verbs.items()]
    lines += ["", f"lockflight {name} VERB --help shows the options of one verb."]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
