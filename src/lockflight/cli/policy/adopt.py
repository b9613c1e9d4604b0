"""Which policy judges: `policy adopt` and `policy dry-run`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.common import said_json
from lockflight.cli.lines.losses import dropped, drops_json, loss_lines
from lockflight.cli.policy.policy import origin_arguments, trust_of
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, count, short, table
from lockflight.errors import PolicyDenied, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.policy.dryrun import Tried
    from lockflight.cli.style import Style
    from lockflight.policy.bundle import Bundle


def adopt_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `policy adopt`."""
    _bundle_arguments(parser)
    origin_arguments(parser)
    parser.add_argument(
        "--env",
        action="append",
        default=[],
        metavar="ENVIRONMENT",
        help="where it judges; repeat it for several (default: everywhere)",
    )
    parser.add_argument(
        "--drop",
        action="store_true",
        help="adopt it although it no longer asks what the policy in force asks",
    )


def _bundle_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", nargs="?", metavar="BUNDLE", help="folder or .tar.gz of a policy bundle")
    parser.add_argument("--pack", metavar="NAME", help="instead: a pack that ships with Lockflight")


def _bundle(args: argparse.Namespace) -> Bundle:
    from lockflight.policy.shipped import pack
    from lockflight.policy.sources import read_path

    if (args.bundle is None) == (args.pack is None):
        raise UsageError(
            "LF0107", "Name either a bundle or --pack.", hint="lockflight policy adopt --pack strict"
        )
    return pack(args.pack) if args.pack is not None else read_path(Path(args.bundle))


def _vouched(args: argparse.Namespace, run: Run) -> tuple[Bundle, str]:
    """The bundle, and the id of the key that signed it; a signature that lies beside an archive must hold."""
    from dataclasses import replace

    from lockflight.app.policy.adopt import people_of
    from lockflight.app.policy.policysource import policy_at

    if args.pack is not None or args.bundle is None:
        if args.key is not None or args.signature is not None:
            raise UsageError(
                "LF0107", "A pack is part of the installation: nobody signs it.", hint="Leave --key out."
            )
        return _bundle(args), ""
    trust = trust_of(args, run)
    if trust.key is None:
        trust = replace(trust, people=people_of(run.home, run.realm))
    found = policy_at(args.bundle, trust)
    return found.bundle, found.signed_by


def adopt(args: argparse.Namespace, run: Run) -> Reply:
    """Propose that a policy judges from now on."""
    from lockflight.app.policy.adopt import adopt as propose

    bundle, signed_by = _vouched(args, run)
    try:
        said, adoption, waits, lost = propose(
            run.home,
            run.realm,
            bundle,
            environments=tuple(args.env),
            actor=run.actor,
            signed_by=signed_by,
            drop=args.drop,
        )
    except PolicyDenied as error:
        return dropped(error)
    result = {
        "policy": {"name": bundle.name, "version": bundle.version, "digest": bundle.digest},
        "environments": list(adoption.environments),
        "signed_by": signed_by or None,
        "waits": waits,
        "drops": drops_json(lost),
        **said_json(said),
    }

    def human(style: Style) -> Iterable[str]:
        where = ", ".join(adoption.environments) or "every environment"
        what = f"{style.bold(clean(bundle.name))} {clean(bundle.version)}  sha256:{short(bundle.digest)}"
        if waits:
            yield f"{style.look} {clean(said.name)} proposes that {what} judges {where}"
            yield "  nothing has changed yet: it waits for a second person"
            yield f"  next: lockflight review {short(said.envelope)} --as NAME"
        if signed_by:
            yield f"  signed by the key {short(signed_by)}"
        if not waits:
            yield f"{style.yes} {what} judges {where} from now on"
        yield from loss_lines(lost, style)

    return Reply("adoption/v1", result, human)


def dry_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `policy dry-run`."""
    _bundle_arguments(parser)


def dry_run(args: argparse.Namespace, run: Run) -> Reply:
    """What a policy would have said of everything that was decided so far."""
    from lockflight.app.policy.dryrun import dry_run as attempt
    from lockflight.app.policy.losses import falls_away
    from lockflight.app.realm.asof import view_at

    bundle = _bundle(args)
    view = view_at(run.home, run.realm, run.as_of)
    tried = attempt(view, bundle)
    lost = falls_away(view.folder, view.state, bundle)
    changed = [t for t in tried if t.blocked or t.let_in]
    result = {
        "policy": {"name": bundle.name, "version": bundle.version, "digest": bundle.digest},
        "decisions": len(tried),
        "not_kept": sum(t.again is None for t in tried),
        "would_block": sum(t.blocked for t in tried),
        "would_allow": sum(t.let_in for t in tried),
        "changed": [_row(t) for t in changed],
        "drops": drops_json(lost),
    }

    def human(style: Style) -> Iterable[str]:
        yield f"{count(len(tried), 'decision')} tried with {clean(bundle.name)} {clean(bundle.version)}"
        yield f"  would have blocked {result['would_block']}, and allowed {result['would_allow']} that were denied"
        if result["not_kept"]:
            yield f"  {style.look} of {result['not_kept']} the facts were not kept"
        yield from table(
            [
                [
                    style.no if t.blocked else style.yes,
                    clean(t.stored.name),
                    t.stored.environment,
                    short(t.stored.release),
                    ", ".join(sorted({v.code for v in t.again.violations})) if t.again is not None else "",
                ]
                for t in changed
            ]
        )
        yield from loss_lines(lost, style)

    return Reply("dry-run/v1", result, human)


def _row(tried: Tried) -> dict[str, object]:
    again = tried.again
    return {
        "index": tried.index,
        "name": tried.stored.name,
        "release": f"sha256:{tried.stored.release}",
        "environment": tried.stored.environment,
        "allowed": tried.stored.allow,
        "would_allow": again is not None and again.allow,
        "violations": sorted({v.code for v in again.violations}) if again is not None else [],
    }
