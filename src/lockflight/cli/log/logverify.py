"""`log verify`: the log of a realm, a static export of one, or the proof of one entry."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.common import demand_options, demands_of, time_json
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, count
from lockflight.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.log.demands import Demands, Witnessed
    from lockflight.cli.style import Style
    from lockflight.core.state.state import State
    from lockflight.core.verify.log.log import LogReport


def verify_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `log verify`."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--export", metavar="DIR", help="a static export instead of the realm's log")
    what.add_argument("--proof", metavar="FILE", help="the proof of one entry instead of a log")
    parser.add_argument(
        "--envelope", metavar="FILE", help="with --proof: this envelope must be the recorded one"
    )
    parser.add_argument(
        "--root", metavar="DIGEST", help="with --export: the realm's root (default: as this home pinned it)"
    )
    parser.add_argument("--log-key", metavar="VKEY", help="key of the log, where no realm is known")
    parser.add_argument("--clock-key", metavar="VKEY", help="key of its clock")
    demand_options(parser)


def verify(args: argparse.Namespace, run: Run) -> Reply:
    """Recompute everything and compare."""
    demands = demands_of(args, run)
    if args.proof is not None:
        _alone("--proof", args.root)
        return _proof(args, run, demands)
    if args.export is not None:
        _alone("--export", args.envelope)
        return _export(args, run, demands)
    _alone("a realm's log", args.envelope, args.root, args.log_key, args.clock_key)
    from lockflight.app.log.logbook import verify as check

    view, report, seen = check(run.home, run.realm, demands)
    return _reply(view.name, view.state, report, seen)


def _alone(what: str, *others: str | None) -> None:
    if any(others):
        raise UsageError(
            "LF0118",
            f"--envelope goes with --proof, --root with --export, keys with either; {what} takes no such option.",
            hint="lockflight log verify --help",
        )


def _reply(realm: str | None, state: State | None, report: LogReport, seen: Witnessed) -> Reply:
    lost = len(state.ineffective) if state is not None else None
    result = {
        "realm": realm,
        "origin": report.origin,
        "size": report.size,
        "root": report.root.hex(),
        "time": time_json(report.timestamp),
        "checkpoints": report.checkpoints,
        "pending": report.pending,
        "missing": report.missing,
        "indexed": report.indexed,
        "pinned": report.pinned,
        "effective": len(state.records) - len(state.ineffective) if state is not None else None,
        "ineffective": lost,
        "witnessed": seen.point.size if seen.witnesses else None,
        "witnesses": {name: time_json(time) for name, time in sorted(seen.witnesses.items())},
    }

    def human(style: Style) -> Iterable[str]:
        yield f"{style.yes} the log {style.bold(clean(report.origin))} is what its keys signed"
        yield f"  {count(report.size, 'entry', 'entries')}, {count(report.checkpoints, 'checkpoint')} recomputed"
        yield f"  root {report.root.hex()} at {time_json(report.timestamp)}"
        yield f"  continues the {report.pinned} entries that this home had seen"
        if seen.witnesses:
            names = clean(", ".join(sorted(seen.witnesses)))
            yield f"  the first {count(seen.point.size, 'entry', 'entries')} witnessed by {names}"
        if report.missing:
            yield f"  {style.look} {count(report.missing, 'envelope')} erased or not held; the entries are proven"
        if lost:
            number = count(lost, "entry has", "entries have")
            yield f"  {style.look} {number} no effect: lockflight log show"

    return Reply("log-verify/v1", result, human)


def _export(args: argparse.Namespace, run: Run, demands: Demands) -> Reply:
    from lockflight.app.log.demands import identity_of
    from lockflight.app.log.logexport import pinned_root, root_of, verify_export

    log = _keys(args, needed=True)
    if log is not None and args.root:
        raise UsageError(
            "LF0118",
            "--root names the realm, and its root names the keys; both together could contradict each other.",
            hint="Leave --log-key and --clock-key out.",
        )
    folder = Path(args.export)
    if log is not None:
        done = verify_export(run.home, folder, demands, log=identity_of(*log))
    else:
        root = root_of(args.root) if args.root else pinned_root(run.home, run.realm)
        done = verify_export(run.home, folder, demands, root=root)
    return _reply(None, done.state, done.report, done.seen)


def _keys(args: argparse.Namespace, *, needed: bool) -> tuple[str, str] | None:
    if not args.log_key and not args.clock_key:
        return None
    if not args.log_key or (needed and not args.clock_key):
        raise UsageError(
            "LF0118",
            "A log has two keys, and both are needed here: its own and that of its clock.",
            hint="--log-key VKEY --clock-key VKEY: lockflight log show prints them",
        )
    return args.log_key, args.clock_key or ""


def _proof(args: argparse.Namespace, run: Run, demands: Demands) -> Reply:
    from lockflight.app.log.logproof import known_log, verify_proof

    keys = _keys(args, needed=False)
    policy = demands.policy
    alone = keys is not None or (policy is not None and bool(policy.logs))
    done = verify_proof(
        run.home,
        Path(args.proof),
        demands,
        log=None if alone else known_log(run.home, run.realm),
        log_key=keys[0] if keys else "",
        clock_key=keys[1] if keys else "",
        envelope=Path(args.envelope) if args.envelope else None,
    )
    result = {
        "origin": done.origin,
        "index": done.index,
        "size": done.size,
        "root": done.root.hex(),
        "time": time_json(done.time) if done.time else None,
        "witnesses": {name: time_json(time) for name, time in sorted(done.witnesses.items())},
        "signed": done.signed,
        "keyid": done.keyid,
        "envelope": done.envelope or None,
    }

    def human(style: Style) -> Iterable[str]:
        yield f"{style.yes} entry {done.index} is in the log {style.bold(clean(done.origin))}"
        when = f" at {time_json(done.time)}" if done.time else "; when is not known without its clock's key"
        yield f"  under {count(done.size, 'entry', 'entries')}{when}"
        if done.witnesses:
            yield f"  witnessed by {clean(', '.join(sorted(done.witnesses)))}"
        yield f"  it records the signature of the key {done.keyid} over sha256:{done.signed}"
        if done.envelope:
            yield f"  that is the envelope {done.envelope}, and the signature holds"

    return Reply("log-proven/v1", result, human)
