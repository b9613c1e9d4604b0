"""Decisions again: `policy replay` and `policy capsule`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, count, short
from lockflight.errors import NotFound, UsageError, VerificationFailed

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.gate.replay import Replay
    from lockflight.cli.style import Style

#: What can be an index in the log, or the start of a digest; anything else is meant as a file.
_ENTRY = re.compile(r"(sha256:)?[0-9a-fA-F]+")
_DECISION = "index of the decision in the log, or the start of its envelope's digest"


def capsule_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `policy capsule`."""
    parser.add_argument("decision", metavar="DECISION", help=_DECISION)
    parser.add_argument("--out", required=True, metavar="FILE", help="a new file")


def capsule(args: argparse.Namespace, run: Run) -> Reply:
    """Write all that a decision was made from into one file."""
    from lockflight.app.gate.replay import capsule_of
    from lockflight.app.realm.asof import view_at

    view = view_at(run.home, run.realm, run.as_of)
    found = capsule_of(view, args.decision)
    body = found.encode()
    out = Path(args.out)
    try:
        with out.open("xb") as file:
            file.write(body)
    except FileExistsError:
        raise UsageError(
            "LF0131", f"{args.out} exists already.", hint="Choose a new file with --out."
        ) from None
    result = {"file": str(out), "size": len(body), "root": f"sha256:{view.state.root}"}

    def human(style: Style) -> Iterable[str]:
        yield f"{style.yes} wrote {clean(args.out)}, {len(body)} bytes: facts, policy, trust and the proof from the log"
        yield f"  anybody can replay it: lockflight policy replay {clean(args.out)} --root sha256:{view.state.root}"

    return Reply("capsule-file/v1", result, human)


def replay_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `policy replay`."""
    parser.add_argument("decision", metavar="DECISION|FILE", help=f"{_DECISION}; or a capsule")
    parser.add_argument("--root", default="", metavar="sha256:…", help="root digest of a capsule's realm")


def replay(args: argparse.Namespace, run: Run) -> Reply:
    """Check where a decision comes from, and decide again."""
    from lockflight.app.gate.replay import replay as again

    path = Path(args.decision)
    if path.is_file():
        done = _from_file(path, args.root, run)
    elif args.root:
        raise NotFound("LF0117", f"{args.decision} is no file, so --root has no capsule to be about.")
    elif path.exists() or not _ENTRY.fullmatch(args.decision):
        what = "is no file" if path.exists() else "is not there"
        raise NotFound(
            "LF0117",
            f"The capsule {args.decision} {what}, and no entry of a log has that name.",
            hint="Name a capsule file, or a decision: lockflight evidence list --all --type decision",
        )
    else:
        from lockflight.app.gate.replay import capsule_of
        from lockflight.app.realm.view import open_view
        from lockflight.core.state.state import FoldEntry

        entries: list[FoldEntry] = []
        view = open_view(run.home, run.realm, verified=entries)
        done = again(capsule_of(view, args.decision), view.state.root, entries=entries)
    stored = done.opened.stored
    result = {
        "same": done.same,
        "decision": done.opened.envelope,
        "realm": done.opened.trust.name,
        "release": {"digest": f"sha256:{stored.release}", "name": stored.name},
        "environment": stored.environment,
        "allowed": stored.allow,
        "decided_at": stored.time_verified,
        "policy": stored.policy,
        "own_policy": stored.own_digest or None,
        "basis": stored.basis,
        "output": stored.output_digest,
        "engines": [
            {
                "name": r.engine,
                "version": r.version,
                "sha256": r.sha256,
                "judged_then": r.judged_then,
                "output": r.output or None,
                "problem": r.problem or None,
            }
            for r in done.reruns
        ],
        "not_asked": [{"name": n, "version": v, "sha256": digest} for n, v, digest in done.not_asked],
        "differences": None if done.differences is None else list(done.differences),
    }
    error = None if done.same else _another(done)
    return Reply(
        "replay/v1", result, lambda style: _lines(done, style), 0 if error is None else error.exit_code, error
    )


def _from_file(path: Path, root: str, run: Run) -> Replay:
    from lockflight.app.gate.replay import entries_here
    from lockflight.app.gate.replay import replay as again
    from lockflight.core.gate.capsule import MAX_BYTES, parse_capsule

    digest = root.lower().removeprefix("sha256:")
    if len(digest) != 64:
        raise UsageError(
            "LF0124",
            "A capsule is believed only under the root digest of its realm.",
            hint=f"lockflight policy replay {path} --root sha256:… (published by who decided)",
        )
    with path.open("rb") as file:
        body = file.read(MAX_BYTES + 1)
    capsule = parse_capsule(body)
    return again(capsule, digest, entries=entries_here(run.home, digest, capsule))


def _another(done: Replay) -> VerificationFailed:
    stored = done.opened.stored
    why = [f"{r.engine}: {r.problem}" for r in done.reruns if r.problem]
    why += [f"the log says otherwise about {place}" for place in done.differences or ()]
    return VerificationFailed(
        "LF7195",
        f"The decision about {stored.name} for {stored.environment} does not come out again: {'; '.join(why)}.",
        hint="lockflight log verify; then compare versions of Lockflight and of the engines",
        details={"problems": why},
    )


def _lines(done: Replay, style: Style) -> Iterable[str]:
    stored = done.opened.stored
    verdict = "ALLOWED" if stored.allow else "DENIED"
    yield f"{style.bold(clean(stored.name))} for {stored.environment}: {verdict} at {stored.time_verified}"
    yield f"  {style.yes} signed by the gate of {clean(done.opened.trust.name)}, and in its log"
    yield f"  {style.yes} facts {short(stored.input_digest)} and policy {short(stored.policy)} are those that it names"
    if stored.own is not None:
        yield f"  {style.yes} the release's own policy {short(stored.own.digest)} is the one that its facts name"
    if done.differences is not None:
        places = ", ".join(done.differences)
        yield (
            f"  {style.no} the log says otherwise about {clean(places)}"
            if places
            else f"  {style.yes} the log of that time says the same"
        )
    for run in done.reruns:
        then = "the same library as then" if run.judged_then else "another library than then"
        mark = style.no if run.problem else style.yes
        said = run.problem or f"output {short(run.output)}, bit for bit"
        yield f"  {mark} {run.engine} {run.version} ({then}): {clean(said)}"
    for name, version, _ in done.not_asked:
        yield (
            f"  {style.look} {clean(name)} {clean(version)} judged then and is not here now: not asked"
            " (lockflight doctor says how to get it)"
        )
    judged = len(stored.engines)
    yield f"  replayed by {judged - len(done.not_asked)} of {count(judged, 'engine')} that judged then"
