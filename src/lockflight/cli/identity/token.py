"""`--oidc-token`: commands of jobs that act by an identity token."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.arguments import choice
from lockflight.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from lockflight.cli.reply import Run

VARIABLE = "LOCKFLIGHT_OIDC_TOKEN_FILE"


def token_option(parser: argparse.ArgumentParser) -> None:
    """`--oidc-token` and `--oidc`: who acts is whom an identity token speaks for."""
    parser.add_argument(
        "--oidc-token",
        metavar="FILE",
        help="act as the machine that this identity token of a trusted issuer speaks for; - reads standard input "
        "(default: the file that LOCKFLIGHT_OIDC_TOKEN_FILE names)",
    )
    parser.add_argument(
        "--oidc",
        type=choice("LF0106", "source of tokens", ["github"]),
        metavar="github",
        help="ask GitHub for the token of this job (needs `permissions: {id-token: write}`)",
    )


def token_of(args: argparse.Namespace, run: Run) -> bytes:
    """The token that a command was given, or that GitHub gives this job; empty for none.

    Raises:
        UsageError: LF0107 both; LF4655 it cannot be read.
        EnvironmentProblem: LF4657, LF5060 to LF5065 GitHub gives none.
    """
    if args.oidc is None:
        return token_from(args.oidc_token)
    if args.oidc_token is not None:
        raise UsageError(
            "LF0107", "--oidc asks for a token, and --oidc-token has one.", hint="Leave one out."
        )
    from lockflight.app.identity.githubtoken import github_token
    from lockflight.app.realm.view import open_view

    return github_token(open_view(run.home, run.realm).state, offline=run.offline)


def token_from(word: str | None) -> bytes:
    """The token in a file; empty for none. Its text is never an argument, which every process can read.

    Args:
        word: a file, `-` for standard input, or None for the file that `LOCKFLIGHT_OIDC_TOKEN_FILE` names.

    Raises:
        UsageError: LF4655 it cannot be read.
    """
    from lockflight.core.verify.crypto.jwt import MAX_BYTES

    longest = MAX_BYTES + 3  # one more than is read, and a line end
    word = word if word is not None else os.environ.get(VARIABLE, "")
    if not word:
        return b""
    try:
        if word == "-":
            data = sys.stdin.buffer.read(longest)
        else:
            with Path(word).open("rb") as stream:
                data = stream.read(longest)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "its name is not usable"
        # A token that was given in place of a file must not come back in a message.
        named = f" {word!r}" if len(word) <= 200 and word.count(".") < 2 else ""
        raise UsageError(
            "LF4655",
            f"The file of the token{named} cannot be read: {why}.",
            hint="--oidc-token FILE, or - for stdin",
        ) from error
    if not data.strip():
        raise UsageError(
            "LF4655", "The file of the token is empty.", hint="--oidc-token FILE, or - for stdin"
        )
    return data
