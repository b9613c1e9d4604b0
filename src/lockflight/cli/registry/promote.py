"""Slots of environments: `promote`, `rollback`, `retire`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.common import demand_options, demands_of, folder_of
from lockflight.cli.lines.people import SEPARATION
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, short
from lockflight.core.attest.acts import FULL_EXPOSURE, Action

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.registry.promote import Moved
    from lockflight.cli.style import Style

_VERBS = {
    "promote": "now holds",
    "expose": "now holds",
    "rollback": "holds again",
    "retire": "no longer holds",
}


def promote_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `promote`."""
    parser.add_argument("package", metavar="PACKAGE", help="the signed package (a folder)")
    parser.add_argument("--to", required=True, metavar="ENVIRONMENT", help="where to")
    parser.add_argument(
        "--exposure", default="100%", metavar="PERCENT", help="as a candidate with this part of the traffic"
    )
    parser.add_argument(
        "--break-glass", default="", metavar="DIGEST", help="a break-glass that stands for the approvals"
    )
    demand_options(parser, "--witness-policy")


def promote(args: argparse.Namespace, run: Run) -> Reply:
    """Move a verified package into an environment."""
    from lockflight.app.identity.proposals import find
    from lockflight.app.realm.realm import open_realm
    from lockflight.app.registry.exposure import points
    from lockflight.app.registry.promote import promote as move

    exposure = points(args.exposure)
    folder = folder_of(args.package)
    word = args.break_glass
    done = move(
        run.home,
        run.realm,
        folder,
        environment=args.to,
        actor=run.actor,
        now=run.now,
        exposure=exposure,
        break_glass=find(open_realm(run.home, run.realm).state, word) if word else "",
        demands=demands_of(args, run),
    )
    return moved_reply(done, run)


def rollback_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `rollback`."""
    slot_arguments(parser)
    parser.add_argument(
        "--to", default="", metavar="VERSION", help="version or start of a digest (default: the one before)"
    )


def rollback(args: argparse.Namespace, run: Run) -> Reply:
    """Put back a release that the slot held before."""
    from lockflight.app.registry.promote import rollback as back

    done = back(
        run.home,
        run.realm,
        project=args.project,
        environment=args.env,
        to=args.to,
        actor=run.actor,
        now=run.now,
    )
    return moved_reply(done, run)


def retire_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `retire`."""
    slot_arguments(parser)


def retire(args: argparse.Namespace, run: Run) -> Reply:
    """Empty a slot."""
    from lockflight.app.registry.promote import retire as empty

    done = empty(run.home, run.realm, project=args.project, environment=args.env, actor=run.actor)
    return moved_reply(done, run)


def slot_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that name a slot."""
    parser.add_argument("--project", required=True, metavar="NAME", help="whose slot: the release's name")
    parser.add_argument("--env", required=True, metavar="ENVIRONMENT", help="whose slot")


def moved_reply(moved: Moved, run: Run) -> Reply:
    """A change of a slot."""
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
        "break_glass": act.break_glass or None,
        "separation": None if moved.judgement is None else moved.judgement.admission.separation,
    }

    def human(style: Style) -> Iterable[str]:
        what = f"{clean(act.name)} {clean(act.version)}"
        verb = _verb(moved)
        yield (
            f"{style.yes} {style.bold(act.environment)} {verb} {style.bold(what)}"
            f"  sha256:{short(act.release)}"
        )
        yield f"  entry {moved.index} in the log of {run.realm}"
        if act.decision:
            yield f"  allowed by the decision {short(act.decision)}"
        if act.break_glass:
            yield f"  {style.look} on the break-glass {short(act.break_glass)}; nothing else moves until its review:"
            yield f"  next: lockflight review {short(act.break_glass)} --close, by a person who took no part"
        if act.approvals:
            yield f"  approved by {', '.join(short(a) for a in act.approvals)}"
        if moved.judgement is not None and moved.judgement.admission.separation in SEPARATION:
            yield f"  {style.look} {SEPARATION[moved.judgement.admission.separation]}"

    return Reply("promotion/v1", result, human)


def _verb(moved: Moved) -> str:
    act = moved.promotion
    if act.action is Action.RETIRE or (act.exposure == FULL_EXPOSURE and not moved.again):
        return _VERBS[act.action.value]
    if act.exposure == FULL_EXPOSURE:
        return "holds already"
    word = "gives already" if moved.again else "gives"
    return f"{word} {act.exposure / 100:g}% to the candidate"
