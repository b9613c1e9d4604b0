"""Where passphrases of keys come from: a file descriptor, a variable, a terminal; never the command line."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from lockflight.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from lockflight.signing.uris import Ask

VARIABLE: Final = "LOCKFLIGHT_PASSPHRASE"
MAX_BYTES: Final = 1024


def passphrase_arguments(
    parser: argparse.ArgumentParser, what: str = "the key", prefix: str = "", *, new: bool = False
) -> None:
    """Options that say where a passphrase comes from.

    Args:
        parser: takes them.
        what: the key, in words.
        prefix: of the options, where a command takes two passphrases.
        new: the key is to be made; then nobody is asked unless something says so.
    """
    default = VARIABLE if new else f"{VARIABLE}, then a terminal"
    parser.add_argument(
        f"--{prefix}passphrase-env",
        metavar="NAME",
        help=f"environment variable with the passphrase of {what} (default: {default})",
    )
    parser.add_argument(
        f"--{prefix}passphrase-fd",
        type=int,
        metavar="N",
        help=f"file descriptor from which the passphrase of {what} is read, one line",
    )


def root_arguments(parser: argparse.ArgumentParser) -> None:
    """The realm's root key, and its passphrase."""
    parser.add_argument(
        "--root-key",
        default="",
        metavar="URI",
        help="the realm's root key, where it is kept outside of the home: file:PATH, or a path",
    )
    passphrase_arguments(parser, "the root key")


def asker(args: argparse.Namespace) -> Ask:
    """What answers when a protected key is opened: each descriptor is read once, each key asked for once."""
    given: list[bytes | None] = []
    told: dict[str, bytes | None] = {}

    def ask(name: str) -> bytes | None:
        if not given:
            given.append(given_passphrase(args))
        if given[0] is not None:
            return given[0]
        if name not in told:
            told[name] = _typed(f"Passphrase of {name}: ")
        return told[name]

    return ask


def new_passphrase(args: argparse.Namespace, prefix: str = "", *, ask: bool = False) -> bytes | None:
    """The passphrase of a key that is to be made; None for none.

    Args:
        args: with the options of `passphrase_arguments`.
        prefix: of these options.
        ask: whether to ask for one, twice, where no option and no variable gives one.

    Raises:
        UsageError: LF0137 it cannot be read, it was typed differently, or there is no terminal to ask on.
    """
    found = given_passphrase(args, prefix.replace("-", "_"))
    if found is not None or not ask:
        return found
    first = _typed("Passphrase of the new key: ")
    if first is None:
        raise UsageError(
            "LF0137",
            "The new key needs a passphrase, and there is no terminal to ask on.",
            hint=f"--{prefix}passphrase-env NAME or --{prefix}passphrase-fd N",
        )
    if first != _typed("The same again: "):
        raise UsageError("LF0137", "The two passphrases differ, so no key was made.", hint="Try again.")
    return first


def given_passphrase(args: argparse.Namespace, prefix: str = "") -> bytes | None:
    """What the options or the variable give, without asking anybody.

    Raises:
        UsageError: LF0137 it cannot be read.
    """
    number = getattr(args, f"{prefix}passphrase_fd", None)
    name = getattr(args, f"{prefix}passphrase_env", None)
    if number is not None and name is not None:
        raise UsageError("LF0137", "Two places are named for one passphrase.", hint="Name one of them.")
    if number is not None:
        return _checked(_read(number), f"the file descriptor {number}")
    if name is not None:
        return _checked(os.environ.get(name, "").encode(errors="surrogateescape"), f"the variable {name}")
    return os.environ.get(VARIABLE, "").encode(errors="surrogateescape") or None


def _read(number: int) -> bytes:
    data = b""
    try:
        while b"\n" not in data and len(data) <= MAX_BYTES:
            part = os.read(number, MAX_BYTES + 1)
            if not part:
                break
            data += part
    except (OSError, OverflowError) as error:
        raise UsageError(
            "LF0137",
            f"The passphrase cannot be read from the file descriptor {number}: {error}.",
            hint=f"lockflight … --passphrase-fd {max(number, 3)} {max(number, 3)}<FILE",
        ) from error
    return data.split(b"\n", 1)[0].removesuffix(b"\r")


def _checked(found: bytes, where: str) -> bytes:
    if not found or len(found) > MAX_BYTES:
        raise UsageError(
            "LF0137",
            f"There is no passphrase in {where}, or it is longer than {MAX_BYTES} bytes.",
            hint="Write it there in one line.",
        )
    return found


def _typed(prompt: str) -> bytes | None:
    """What is typed on the controlling terminal, unseen; None where there is none, or nothing was typed."""
    import getpass

    if not sys.stdin.isatty():
        return None
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return None  # getpass would read standard input, and show what is typed
    return getpass.getpass(prompt).encode(errors="surrogateescape") or None
