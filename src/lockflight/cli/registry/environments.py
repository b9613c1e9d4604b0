"""`realm environments`: the ladder with its quorums, and proposals to change it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.common import said_json
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, short, table
from lockflight.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from lockflight.app.registry.environments import Wishes
    from lockflight.cli.style import Style
    from lockflight.core.attest.trust import Environment


def environments_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `realm environments`."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="the realm (default: the one in force)")
    group = parser.add_argument_group("a proposal, to which another person consents")
    group.add_argument("--set", metavar="FILE", help="all environments, from a TOML or JSON file")
    for option, form, text in (
        ("quorum", "ENV=ROLE:N[,ROLE:N]", "whose yes it takes; `none` for nobody's"),
        ("requesters", "ENV=ROLE[,ROLE]", "who may move releases there; `any` for everybody"),
        ("factor", "ENV=FACTOR", "the weakest with which an approval counts: key, key+totp, webauthn"),
        ("step-up", "ENV=TIME", "how old the proof of presence of an approval may be: 2m to 24h; `none`"),
    ):
        group.add_argument(f"--{option}", action="append", default=[], metavar=form, help=text)
    group.add_argument(
        "--small-team",
        action="append",
        default=[],
        metavar="ENV",
        help="an author's own approval counts there after a day; every decision then says so",
    )
    group.add_argument(
        "--people", action="append", default=[], metavar="ENV", help="the end of that: authors never approve"
    )


def environments(args: argparse.Namespace, run: Run) -> Reply:
    """The ladder with its quorums, or a proposal to change it."""
    from lockflight.app.registry.environments import Wishes

    wishes = Wishes(
        quorum=_table("quorum", args.quorum),
        requesters=_table("requesters", args.requesters),
        factor=_table("factor", args.factor),
        step_up=_table("step-up", args.step_up),
        mode=dict.fromkeys(args.small_team, "small-team") | dict.fromkeys(args.people, "people"),
    )
    name = args.name or run.realm
    if wishes or args.set is not None:
        return _propose(args, run, name, wishes)
    from lockflight.app.realm.asof import view_at

    view = view_at(run.home, name, run.as_of)
    ladder = view.state.ladder
    result = {"realm": name, "environments": [_json(step) for step in ladder], "proposal": None}
    return Reply("environments/v1", result, lambda style: _lines(ladder, style))


def _table(option: str, words: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not name.strip() or not equals or not value.strip() or name.strip() in found:
            raise UsageError(
                "LF0127",
                f"--{option} {word!r} is not ENVIRONMENT=VALUE, or names an environment twice.",
                hint="lockflight realm environments --help",
            )
        found[name.strip()] = value.strip()
    return found


def _propose(args: argparse.Namespace, run: Run, name: str, wishes: Wishes) -> Reply:
    from lockflight.app.registry.environments import propose

    if run.as_of is not None:
        raise UsageError(
            "LF0127", "What is proposed is proposed now, not --as-of then.", hint="Leave it out."
        )
    file = Path(args.set) if args.set is not None else None
    said, fact = propose(run.home, name, wishes=wishes, file=file, actor=run.actor)
    result = {
        "realm": name,
        "environments": [_json(step) for step in fact.ladder],
        "proposal": {"effective": False, **said_json(said)},
    }

    def human(style: Style) -> Iterable[str]:
        yield f"{style.look} proposed by {clean(said.name)}, entry {said.index} in the log of {name}:"
        yield from _lines(fact.ladder, style)
        yield "  nothing has changed yet: it waits for a second person"
        yield f"  next: lockflight review {short(said.envelope)} --as NAME   (not {clean(said.name)})"

    return Reply("environments/v1", result, human)


def _json(step: Environment) -> dict[str, object]:
    return {
        "name": step.name,
        "after": step.after or None,
        "quorum": {seat.role: seat.count for seat in step.quorum},
        "requesters": [*step.requesters],
        "factor": step.factor,
        "mode": step.mode.value,
        "rollback_days": step.rollback_s // 86_400,
        "step_up_seconds": step.step_up_s,
    }


def _lines(ladder: Sequence[Environment], style: Style) -> Iterable[str]:
    from lockflight.core.attest.quorum import spell
    from lockflight.core.attest.trust import Mode
    from lockflight.core.times import exact

    rows = []
    for step in ladder:
        small = f"  {style.look} small team" if step.mode is Mode.SMALL_TEAM else ""
        shown = f", shown within {exact(step.step_up_s)}" if step.step_up_s else ""
        rows.append(
            [
                style.bold(step.name),
                f"after {step.after}" if step.after else "",
                f"approved by {spell({seat.role: seat.count for seat in step.quorum}) or 'nobody'}",
                f"moved by {' or '.join(step.requesters) or 'anybody'}",
                f"factor {step.factor}{shown}, back within {step.rollback_s // 86_400} days{small}",
            ]
        )
    yield from table(rows)
