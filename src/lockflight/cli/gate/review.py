"""The second person's word: `review`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.common import said_json
from lockflight.cli.lines.losses import dropped, drops_json, loss_lines
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, short
from lockflight.core.text.persons import with_names
from lockflight.errors import PolicyDenied

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.realm.view import RealmView
    from lockflight.cli.style import Style
    from lockflight.core.state.state import Proposal

_WORDS = {"consent": "consented to", "reject": "rejected", "close": "reviewed and closed"}


def review_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `review`."""
    parser.add_argument(
        "digest",
        nargs="?",
        metavar="DIGEST",
        help="of the proposal or break-glass; its start is enough (without it: list what waits)",
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--reject", action="store_true", help="say no instead of yes")
    group.add_argument("--close", action="store_true", help="close a break-glass that was used")
    group.add_argument(
        "--drop",
        action="store_true",
        help="consent although the policy no longer asks what the one in force asks",
    )
    parser.add_argument("--note", default="", metavar="TEXT", help="kept beside the log and erasable")


def review(args: argparse.Namespace, run: Run) -> Reply:
    """Consent to what another person proposed, reject it, or close a break-glass."""
    if args.digest is None:
        return _waiting(run)
    from lockflight.app.identity.proposals import review as say
    from lockflight.core.attest.changes import Verdict

    verdict = Verdict.REJECT if args.reject else Verdict.CLOSE if args.close else Verdict.CONSENT
    try:
        said, proposal, lost = say(
            run.home,
            run.realm,
            args.digest,
            verdict=verdict,
            note=args.note,
            actor=run.actor,
            drop=args.drop,
        )
    except PolicyDenied as error:
        return dropped(error)
    result = {
        "proposal": proposal.digest,
        "kind": proposal.kind,
        "verdict": verdict.value,
        "proposer": proposal.proposer or None,
        "drops": drops_json(lost),
        **said_json(said),
    }

    def human(style: Style) -> Iterable[str]:
        mark = style.no if verdict is Verdict.REJECT else style.yes
        yield f"{mark} {clean(said.name)} {_WORDS[verdict.value]} the {proposal.kind} {short(proposal.digest)}"
        yield from loss_lines(lost, style)
        yield f"  entry {said.index} in the log of {run.realm}; effective now"

    return Reply("review/v1", result, human)


def proposal_rows(view: RealmView, found: Iterable[Proposal]) -> list[dict[str, object]]:
    """What waits for a second person."""
    from lockflight.app.identity.proposals import describe
    from lockflight.core.times import rfc3339

    return [
        {
            "proposal": p.digest,
            "kind": p.kind,
            "what": describe(view, p),
            "proposer": view.name_of(p.proposer) if p.proposer else "root",
            "since": rfc3339(p.logged_at),
        }
        for p in found
    ]


def void_rows(view: RealmView, found: Iterable[tuple[Proposal, str]]) -> list[dict[str, object]]:
    """What nobody can consent to any more, with the reason."""
    return [
        {**row, "reason": with_names(why, view.names())}
        for p, why in found
        for row in proposal_rows(view, [p])
    ]


def void_lines(rows: Iterable[dict[str, object]], style: Style) -> Iterable[str]:
    """The same for people."""
    for row in rows:
        yield f"{style.no} {short(str(row['proposal']))}  {row['kind']}: {clean(str(row['what']))}"
        yield f"    void: {clean(str(row['reason']))}; proposed by {clean(str(row['proposer']))}, {row['since']}"


def _waiting(run: Run) -> Reply:
    from lockflight.app.identity.proposals import listed
    from lockflight.app.policy.losses import of_proposal

    view, found, dead = listed(run.home, run.realm, as_of=run.as_of, now=run.now)
    lost = [of_proposal(view.folder, view.state, p.fact) for p in found]
    rows = [
        {**row, "drops": drops_json(each)} for row, each in zip(proposal_rows(view, found), lost, strict=True)
    ]
    void = void_rows(view, dead)

    def human(style: Style) -> Iterable[str]:
        if not rows:
            yield f"Nothing waits for a second person in {run.realm}."
        for row, each in zip(rows, lost, strict=True):
            yield f"{style.look} {short(str(row['proposal']))}  {row['kind']}: {clean(str(row['what']))}"
            yield f"    proposed by {clean(str(row['proposer']))}, {row['since']}"
            yield from loss_lines(each, style)
        yield from void_lines(void, style)
        if rows:
            first = str(rows[0]["proposal"])
            yield f"  next: lockflight review {short(first)} --as NAME   (somebody else than who proposed it)"

    return Reply("proposals/v1", {"waiting": rows, "void": void}, human)
