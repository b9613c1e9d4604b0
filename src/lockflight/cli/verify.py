"""`lockflight verify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.common import demand_options, demands_of, folder_of, release_json, release_line, time_json
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, count, short
from lockflight.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.cli.style import Style


def verify_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `verify`."""
    parser.add_argument("package", metavar="PACKAGE", help="the signed package (a folder)")
    parser.add_argument(
        "--key", metavar="FILE", help="check against this public key (PEM) alone, without a realm or log"
    )
    parser.add_argument("--env", metavar="ENVIRONMENT", help="the environment must hold it now")
    demand_options(parser, "--witness-policy")


def verify(args: argparse.Namespace, run: Run) -> Reply:
    """Check a package: signature, trust, log, every file."""
    package = folder_of(args.package)
    if args.key is not None:
        if run.as_of is not None or any((args.env, args.witness_policy, args.max_age)):
            raise UsageError(
                "LF0118",
                "--key checks the signature alone, so --env, --as-of, --witness-policy and --max-age say nothing "
                "there.",
                hint="Leave --key out to check against the realm.",
            )
        return _with_key(package, Path(args.key), run)
    from lockflight.app.verify import verify_package

    done = verify_package(
        run.home,
        run.realm,
        package,
        environment=args.env or "",
        as_of=run.as_of,
        demands=demands_of(args, run),
        progress=run.progress(),
    )
    result = {
        "release": release_json(done.release),
        "files": len(done.release.assets),
        "realm": done.realm,
        "envelope": done.envelope,
        "index": done.index,
        "logged_at": time_json(done.logged_at),
        "person": done.signer,
        "principal": done.principal,
        "keyid": None,
        "environments": list(done.environments),
        "simulated": done.simulated,
        "witnesses": list(done.witnesses),
    }

    def human(style: Style) -> Iterable[str]:
        if done.simulated:
            yield f"{style.no} {style.bold(f'{done.realm} IS A SIMULATOR')}: nobody real said yes; never deploy it"
        yield f"{style.yes} verified {release_line(done.release, style)}"
        yield f"  signed by {clean(done.signer)}, entry {done.index} of {done.realm}, {time_json(done.logged_at)}"
        yield f"  {count(len(done.release.assets), 'file')}, each exactly as signed; nothing extra"
        if done.witnesses:
            yield f"  witnessed by {clean(', '.join(done.witnesses))}"
        yield f"  held by: {', '.join(done.environments) or 'no environment'}"

    return Reply("verify/v1", result, human)


def _with_key(package: Path, key_path: Path, run: Run) -> Reply:
    from lockflight.app.verify import verify_with_key

    manifest, key = verify_with_key(package, key_path, progress=run.progress())
    result: dict[str, object] = {
        "release": None,
        "files": len(manifest.resources),
        "realm": None,
        "envelope": None,
        "index": None,
        "logged_at": None,
        "person": None,
        "principal": None,
        "keyid": key.keyid,
        "environments": [],
        "simulated": False,
        "witnesses": [],
    }

    def human(style: Style) -> Iterable[str]:
        yield f"{style.yes} verified {clean(manifest.name or str(package))} with the key {short(key.keyid)}"
        yield f"  {count(len(manifest.resources), 'file')}, each exactly as signed; nothing extra"
        yield f"  {style.look} no realm was asked: who holds this key, and whether it was revoked, is not known here"

    return Reply("verify/v1", result, human)
