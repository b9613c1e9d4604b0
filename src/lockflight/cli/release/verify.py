"""`lockflight verify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.common import demand_options, demands_of, folder_of, release_json, release_line, time_json
from lockflight.cli.lines.maker import asked_of, maker_arguments, model_json, model_lines, named
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, count
from lockflight.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.cli.style import Style


def verify_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `verify`."""
    parser.add_argument(
        "package", metavar="PACKAGE", help="the signed package or model (a folder; a file of others)"
    )
    maker_arguments(parser, key="check against this public key (PEM) alone, without a realm or log")
    parser.add_argument("--env", metavar="ENVIRONMENT", help="the environment must hold it now")
    demand_options(parser, "--witness-policy")


def verify(args: argparse.Namespace, run: Run) -> Reply:
    """Check a package: signature, trust, log, every file."""
    if options := named(args):
        if run.as_of is not None or any((args.env, args.witness_policy, args.max_age)):
            raise UsageError(
                "LF0118",
                f"{options[0]} checks the signature alone, so --env, --as-of, --witness-policy and --max-age say "
                "nothing there.",
                hint=f"Leave {options[0]} out to check against the realm.",
            )
        path = Path(args.package)
        return _of_others(path if path.is_file() else folder_of(args.package), args, run)
    package = folder_of(args.package)
    from lockflight.app.release.verify import verify_package

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
        "maker": None,
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


def _of_others(package: Path, args: argparse.Namespace, run: Run) -> Reply:
    from lockflight.app.release.foreign import verify_model

    asked = asked_of(args)
    model = verify_model(
        package,
        asked,
        home=run.home,
        realm_name=run.realm,
        now=run.now,
        signature=Path(args.signature) if args.signature is not None else None,
        progress=run.progress(),
    )
    result: dict[str, object] = {
        "release": None,
        "files": len(model.manifest.resources),
        "realm": None,
        "envelope": None,
        "index": None,
        "logged_at": None,
        "person": None,
        "principal": None,
        "keyid": model.manifest.maker.key.keyid,
        "environments": [],
        "simulated": False,
        "maker": model_json(model),
        "witnesses": [],
    }
    name = model.manifest.name or package.name
    return Reply("verify/v1", result, lambda style: model_lines(model, name, style))
