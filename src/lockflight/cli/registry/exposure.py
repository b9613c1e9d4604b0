"""Candidates of slots: `expose` and `hold`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.registry.promote import moved_reply, slot_arguments

if TYPE_CHECKING:
    import argparse

    from lockflight.cli.reply import Reply, Run


def expose_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `expose`."""
    slot_arguments(parser)
    parser.add_argument(
        "--exposure",
        required=True,
        metavar="PERCENT",
        help="part of the traffic; 100%% makes it the current release",
    )


def expose(args: argparse.Namespace, run: Run) -> Reply:
    """Give the candidate of a slot more of the traffic, or all."""
    from lockflight.app.registry.exposure import expose as more
    from lockflight.app.registry.exposure import points

    exposure = points(args.exposure)
    done = more(
        run.home,
        run.realm,
        project=args.project,
        environment=args.env,
        exposure=exposure,
        actor=run.actor,
        now=run.now,
    )
    return moved_reply(done, run)


def hold_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `hold`."""
    slot_arguments(parser)
    parser.add_argument(
        "--exposure", default="0%", metavar="PERCENT", help="what it keeps (default: nothing)"
    )


def hold(args: argparse.Namespace, run: Run) -> Reply:
    """Keep the candidate of a slot back, at once and without a decision."""
    from lockflight.app.registry.exposure import hold as less
    from lockflight.app.registry.exposure import points

    done = less(
        run.home,
        run.realm,
        project=args.project,
        environment=args.env,
        exposure=points(args.exposure),
        actor=run.actor,
    )
    return moved_reply(done, run)
