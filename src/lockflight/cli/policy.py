"""`policy show` and `policy test`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, count, short, table
from lockflight.errors import PolicyDenied

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.cli.style import Style
    from lockflight.policy.bundle import Bundle


def show_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `policy show`."""
    _bundle_argument(parser)
    parser.add_argument("--env", metavar="ENVIRONMENT", help="only what this environment demands")


def _bundle_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "bundle", nargs="?", metavar="BUNDLE", help="folder of a bundle (default: the shipped one)"
    )


def _bundle_json(bundle: Bundle) -> dict[str, object]:
    return {
        "name": bundle.name,
        "version": bundle.version,
        "digest": bundle.digest,
        "entrypoint": bundle.entrypoint,
    }


def show(args: argparse.Namespace, run: Run) -> Reply:
    """Rules and required evidence of a policy."""
    from lockflight.app.policy import bundle_of, demands, rules
    from lockflight.core.times import age

    bundle = bundle_of(Path(args.bundle) if args.bundle is not None else None)
    found = rules(bundle)
    wanted = [d for d in demands(bundle) if args.env in {None, d.environment}]
    result = {
        "bundle": _bundle_json(bundle),
        "rules": [
            {
                "code": r.code,
                "rule": r.name,
                "title": r.title,
                "severity": r.severity,
                "effect": r.effect,
                "solution": r.solution,
                "controls": list(r.controls),
                "demanded": r.demanded,
            }
            for r in found
        ],
        "required": [
            {
                "environment": d.environment,
                "kind": d.kind,
                "tier": d.tier,
                "check": d.check,
                "max_age_s": d.max_age_s,
            }
            for d in wanted
        ],
    }

    def human(style: Style) -> Iterable[str]:
        yield f"policy {style.bold(bundle.name)} {bundle.version}  sha256:{short(bundle.digest)}"
        yield ""
        yield from table([[style.bold(r.code), r.effect, r.severity, clean(r.title)] for r in found])
        yield ""
        yield "Evidence that is demanded, and how old it may be:"
        rows = []
        for d in wanted:
            which = "every release" if (d.kind, d.tier) == ("*", "*") else f"kind {d.kind}, tier {d.tier}"
            rows.append([f"  {d.environment}", d.check, age(d.max_age_s), which])
        yield from table(rows)

    return Reply("policy/v1", result, human)


def test_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `policy test`."""
    _bundle_argument(parser)


def test(args: argparse.Namespace, run: Run) -> Reply:
    """Run the tests of a policy bundle."""
    from lockflight.app.policy import bundle_of
    from lockflight.app.policy import test as try_it

    bundle = bundle_of(Path(args.bundle) if args.bundle is not None else None)
    done = try_it(bundle)
    failed = [t for t in done if t.passed is False]
    result = {
        "bundle": _bundle_json(bundle),
        "tests": [{"name": t.name, "passed": t.passed, "detail": t.detail or None} for t in done],
    }
    error = None
    if failed:
        error = PolicyDenied(
            "LF0212",
            f"{count(len(failed), 'test')} of the policy {bundle.name} {bundle.version} failed: {failed[0].name}.",
            hint=failed[0].detail,
        )

    def human(style: Style) -> Iterable[str]:
        for test in done:
            mark = style.look if test.passed is None else style.yes if test.passed else style.no
            yield f"{mark} {clean(test.name)}" + (f"  {clean(test.detail)}" if test.detail else "")
        yield f"{len(done) - len(failed)} of {count(len(done), 'test')} passed"

    return Reply("policy-test/v1", result, human, 10 if failed else 0, error)
