"""`lockflight scan`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from lockflight.cli.lines.scanlines import badness, scan_lines, serious, severity_rank
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import count, json_text
from lockflight.errors import EvidenceMissing, LockflightError, PolicyDenied, UsageError

if TYPE_CHECKING:
    import argparse

    from lockflight.app.explain import Entry
    from lockflight.app.files.scan import ScanOutcome


def scan_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `scan`."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="files, folders, or - for standard input")
    parser.add_argument(
        "--check",
        action="append",
        default=[],
        metavar="NAME",
        help="only models, secrets, text-integrity, code, data; repeatable",
    )
    parser.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="GLOB",
        help="leave these names below a folder out; repeatable",
    )
    parser.add_argument(
        "--allow",
        metavar="FILE",
        help="let pickles use the names of this allow_list/data.json too, to try it before a policy adopts it",
    )
    parser.add_argument(
        "--sarif", action="store_true", help="print SARIF 2.1.0; the exit code stays the same"
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="say of each kind of finding what it means and which attack it is, as `lockflight explain` does",
    )
    parser.add_argument("--verbose", "-v", action="store_true", help="every file and every finding")
    parser.add_argument(
        "--workers", type=int, metavar="N", help="check processes (default: one per processor)"
    )


def scan(args: argparse.Namespace, run: Run) -> Reply:
    """Judge files at once."""
    from lockflight.app.files.scan import scan as judge
    from lockflight.app.policy.allowing import tried
    from lockflight.core.text.globs import parse_glob

    if args.sarif and run.json:
        raise UsageError(
            "LF0107", "--sarif and --json both want standard output.", hint="lockflight scan --help"
        )
    if args.workers is not None and not 0 < args.workers <= 64:
        raise UsageError(
            "LF0108",
            f"The number of workers is {args.workers}; it must be 1 to 64.",
            hint="Use --workers 4, or leave it out for one per processor.",
        )
    outcome = judge(
        args.paths,
        checks=args.check,
        exclude=[parse_glob(text) for text in args.exclude],
        overlay=tried(args.allow) if args.allow else None,
        stdin=sys.stdin.buffer if sys.stdin is not None else None,
        workers=args.workers or 0,
        progress=run.progress(),
        say=run.say if sys.stderr.isatty() else None,
    )
    code, error = _error(outcome)
    told = _told(outcome) if args.explain else {}
    raw = _sarif(outcome) if args.sarif else None
    return Reply(
        "scan/v1",
        {
            **_result(outcome),
            **({"explanations": {c: asdict(e) for c, e in told.items()}} if args.explain else {}),
        },
        lambda style: scan_lines(outcome, style, verbose=args.verbose, told=told),
        code,
        error,
        raw,
    )


def _error(outcome: ScanOutcome) -> tuple[int, LockflightError | None]:
    bad = sorted((f for f in outcome.files if serious(f)), key=badness)
    unread = [f for f in outcome.files if f.verdict is None or f.reason]
    if bad:
        first = bad[0]
        word = first.verdict.value if first.verdict is not None else "not analysed"
        more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
        ranked = sorted(first.findings, key=severity_rank)
        hint = next((f.fix for f in ranked if f.fix), "Do not load it.")
        return 10, PolicyDenied(
            "LF0210",
            f"{count(len(bad), 'file is', 'files are')} not safe: {first.name} ({word}){more}.",
            hint=hint,
        )
    if unread:
        first = unread[0]
        return 11, EvidenceMissing(
            "LF0211",
            f"{count(len(unread), 'file was', 'files were')} not analysed, so nothing is known about"
            f" {'it' if len(unread) == 1 else 'them'}: {first.name} ({first.reason}).",
            hint="Leave out what nobody loads with --exclude GLOB.",
        )
    return 0, None


def _result(outcome: ScanOutcome) -> dict[str, object]:
    verdicts = [f.verdict.value if f.verdict is not None else "not-analysed" for f in outcome.files]
    names = ("safe", "review", "unknown", "malicious", "not-analysed")
    return {
        "files": [
            {
                "name": f.name,
                "size": f.size,
                "sha256": f.sha256 or None,
                "media_type": f.media_type or None,
                "verdict": f.verdict.value if f.verdict is not None else None,
                "reason": f.reason or None,
                "checks": list(f.checks),
                "findings": [finding.to_json() for finding in f.findings],
            }
            for f in outcome.files
        ],
        "counts": {name: verdicts.count(name) for name in names},
        "skipped": list(outcome.skipped),
        "excluded": list(outcome.excluded),
        "overlay": outcome.overlay.digest or None,
    }


def _told(outcome: ScanOutcome) -> dict[str, Entry]:
    """What the codes of the findings mean."""
    from lockflight.app.explain import entries

    known = entries("2")
    codes = {finding.code for file in outcome.files for finding in file.findings}
    return {code: known[code] for code in sorted(codes & set(known))}


def _sarif(outcome: ScanOutcome) -> bytes:
    import lockflight
    from lockflight.app.explain import entries
    from lockflight.core.sarif import RuleText, Unread, sarif

    rules = {code: RuleText(e.title, e.why, e.fix) for code, e in entries("2").items()}
    document = sarif(
        [finding for file in outcome.files for finding in file.findings],
        version=lockflight.__version__,
        rules=rules,
        unread=[Unread(f.name, f.reason) for f in outcome.files if f.reason],
    )
    return json_text(document).encode()
