"""Slots of environments: `promote`, `rollback`, `retire`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.common import folder_of
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, short

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.promote import Moved
    from lockflight.cli.style import Style

_VERBS = {"promote": "now holds", "rollback": "holds again", "retire": "no longer holds"}


def promote_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `promote`."""
    parser.add_argument("package", metavar="PACKAGE", help="the signed package (a folder)")
    parser.add_argument("--to", required=True, metavar="ENVIRONMENT", help="where to")


def promote(args: argparse.Namespace, run: Run) -> Reply:
    """Move a verified package into an environment."""
    from lockflight.app.promote import promote as move

    folder = folder_of(args.package)
    return _moved(move(run.home, run.realm, folder, environment=args.to, actor=run.actor, now=run.now), run)


def rollback_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `rollback`."""
    _slot_arguments(parser)
    parser.add_argument(
        "--to", default="", metavar="VERSION", help="version or start of a digest (default: the one before)"
    )


def rollback(args: argparse.Namespace, run: Run) -> Reply:
    """Put back a release that the slot held before."""
    from lockflight.app.promote import rollback as back

    done = back(
        run.home,
        run.realm,
        project=args.project,
        environment=args.env,
        to=args.to,
        actor=run.actor,
        now=run.now,
    )
    return _moved(done, run)


def retire_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `retire`."""
    _slot_arguments(parser)


def retire(args: argparse.Namespace, run: Run) -> Reply:
    """Empty a slot."""
    from lockflight.app.promote import retire as empty

    done = empty(run.home, run.realm, project=args.project, environment=args.env, actor=run.actor)
    return _moved(done, run)


def _slot_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--project", required=True, metavar="NAME", help="whose slot: the release's name")
    parser.add_argument("--env", required=True, metavar="ENVIRONMENT", help="whose slot")


def _moved(moved: Moved, run: Run) -> Reply:
    act = moved.promotion
    result = {
        "action": act.action.value,
        "project": act.project,
        "environment": act.environment,
        "slot": act.slot,
        "release": {"digest": f"sha256:{act.release}", "name": act.name, "version": act.version},
        "exposure": act.exposure,
        "decision": act.decision or None,
        "approvals": list(act.approvals),
        "requester": act.requester,
        "envelope": moved.envelope,
        "index": moved.index,
        "separation": None if moved.judgement is None else moved.judgement.admission.separation,
    }

    def human(style: Style) -> Iterable[str]:
        what = f"{clean(act.name)} {clean(act.version)}"
        verb = "holds already" if moved.again else _VERBS[act.action.value]
        yield (
            f"{style.yes} {style.bold(act.environment)} {verb} {style.bold(what)}"
            f"  sha256:{short(act.release)}"
        )
        yield f"  entry {moved.index} in the log of {run.realm}"
        if act.decision:
            yield f"  allowed by the decision {short(act.decision)}"
        if act.approvals:
            yield f"  approved by {', '.join(short(a) for a in act.approvals)}"
        if moved.judgement is not None and moved.judgement.admission.separation == "none":
            yield f"  {style.look} separation: none (a personal realm; this counts for development only)"

    return Reply("promotion/v1", result, human)
