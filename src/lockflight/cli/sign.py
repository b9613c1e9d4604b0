"""`lockflight sign`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.common import (
    folder_of,
    memory_option,
    quoted,
    release_json,
    release_line,
    say_reused,
)
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, short
from lockflight.cli.token import token_of, token_option
from lockflight.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.cli.style import Style


def sign_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `sign`."""
    parser.add_argument("folder", metavar="DIR", help="the workspace, with lockflight.toml")
    parser.add_argument("--out", required=True, metavar="PACKAGE", help="the folder to make; outside of DIR")
    parser.add_argument(
        "--own-key",
        action="store_true",
        help="sign with the person's own key, also where the realm could lend one for ten minutes",
    )
    memory_option(parser)
    token_option(parser)


def sign(args: argparse.Namespace, run: Run) -> Reply:
    """Pack a workspace and sign the package."""
    from lockflight.app.sign import sign as sign_folder

    token = token_of(args, run)
    if token and args.own_key:
        raise UsageError(
            "LF0107",
            "A token speaks for a machine without a key; --own-key is for people.",
            hint="Leave --own-key, or --oidc-token and LOCKFLIGHT_OIDC_TOKEN_FILE, out.",
        )
    signed = sign_folder(
        run.home,
        run.realm,
        folder_of(args.folder),
        Path(args.out),
        actor=run.actor,
        own_key=args.own_key,
        token=token,
        remember=not args.no_cache,
        progress=run.progress(),
    )
    result = {
        "release": release_json(signed.release),
        "package": str(signed.package),
        "realm": run.realm,
        "envelope": signed.envelope,
        "index": signed.index,
        "person": signed.signer,
        "principal": signed.principal,
        "keyid": signed.keyid,
        "identity": signed.identity or None,
        "reused": signed.reused.to_json(),
    }
    say_reused(signed.reused, run, what="read once, to be copied")

    def human(style: Style) -> Iterable[str]:
        yield f"{style.yes} signed {release_line(signed.release, style)}"
        if signed.identity:
            yield f"  by {clean(signed.signer)}, under a certificate of ten minutes: {clean(signed.identity)}"
        else:
            yield f"  by {clean(signed.signer)} with the key {short(signed.keyid)}"
        yield f"  package {clean(str(signed.package))}, entry {signed.index} in the log of {run.realm}"
        yield f"  next: lockflight verify {clean(quoted(args.out))}"

    return Reply("sign/v1", result, human)
