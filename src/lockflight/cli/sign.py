"""`lockflight sign`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.common import folder_of, quoted, release_json, release_line
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, short
from lockflight.cli.token import token_from, token_option

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.cli.style import Style


def sign_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `sign`."""
    parser.add_argument("folder", metavar="DIR", help="the workspace, with lockflight.toml")
    parser.add_argument("--out", required=True, metavar="PACKAGE", help="the folder to make; outside of DIR")
    token_option(parser)


def sign(args: argparse.Namespace, run: Run) -> Reply:
    """Pack a workspace and sign the package."""
    from lockflight.app.sign import sign as sign_folder

    signed = sign_folder(
        run.home,
        run.realm,
        folder_of(args.folder),
        Path(args.out),
        actor=run.actor,
        token=token_from(args.oidc_token),
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
    }

    def human(style: Style) -> Iterable[str]:
        yield f"{style.yes} signed {release_line(signed.release, style)}"
        yield f"  by {clean(signed.signer)} with the key {short(signed.keyid)}"
        yield f"  package {clean(str(signed.package))}, entry {signed.index} in the log of {run.realm}"
        yield f"  next: lockflight verify {clean(quoted(args.out))}"

    return Reply("sign/v1", result, human)
