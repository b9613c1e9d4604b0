"""`lockflight sign`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.common import (
    certificate_json,
    folder_of,
    memory_option,
    quoted,
    release_json,
    release_line,
    say_reused,
)
from lockflight.cli.identity.token import token_of, token_option
from lockflight.cli.passphrase import asker, passphrase_arguments
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, short
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
    parser.add_argument(
        "--key",
        metavar="URI",
        help="sign with this key under a certificate of your own authority, in no realm",
    )
    parser.add_argument(
        "--certificate-chain",
        metavar="FILE",
        help="certificates in PEM for --key: its own first, then those above it",
    )
    passphrase_arguments(parser, "that key")
    token_option(parser)


def sign(args: argparse.Namespace, run: Run) -> Reply:
    """Pack a workspace and sign the package."""
    from lockflight.app.release.sign import sign as sign_folder

    if args.key is not None or args.certificate_chain is not None:
        return _certified(args, run)
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


def _certified(args: argparse.Namespace, run: Run) -> Reply:
    from lockflight.app.release.certified import sign_certified

    if args.key is None or args.certificate_chain is None or args.own_key or args.oidc or args.oidc_token:
        raise UsageError(
            "LF0107",
            "--key and --certificate-chain go together, and without --own-key, --oidc and --oidc-token.",
            hint="lockflight sign DIR --out PACKAGE --key file:KEY --certificate-chain FILE",
        )
    done = sign_certified(
        run.home,
        run.realm,
        folder_of(args.folder),
        Path(args.out),
        key=args.key,
        chain=Path(args.certificate_chain),
        ask=asker(args),
        now=run.now,
        progress=run.progress(),
    )
    result = {
        "release": release_json(done.release),
        "package": str(done.package),
        "keyid": done.keyid,
        "certificate": certificate_json(done.certificate),
        "stamped": done.stamped,
    }

    def human(style: Style) -> Iterable[str]:
        yield f"{style.yes} signed {release_line(done.release, style)}"
        yield f"  under the certificate {clean(done.certificate.subject)}, key {short(done.keyid)}"
        yield f"  package {clean(str(done.package))}, in no log: no realm knows it, and none promotes it"
        if not done.stamped:
            yield f"  {style.look} nobody has proven when: strict verifiers refuse it (LF7425), --compat asks the clock"
        compat = "" if done.stamped else " --compat"
        yield f"  next: lockflight verify {clean(quoted(args.out))} --certificate-chain ROOTS{compat}"

    return Reply("sign-certificate/v1", result, human)
