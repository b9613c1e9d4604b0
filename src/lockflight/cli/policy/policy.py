"""`policy show` and `policy test`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, count, short, table
from lockflight.errors import PolicyDenied, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.policy.inspect import Rule
    from lockflight.app.policy.policysource import Trust
    from lockflight.cli.style import Style
    from lockflight.policy.bundle import Bundle


def show_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `policy show`."""
    bundle_arguments(parser, "the policy of the realm, or the shipped baseline where there is none")
    origin_arguments(parser)
    parser.add_argument(
        "--env",
        metavar="ENVIRONMENT",
        help="only what this environment demands, of the policy that judges there",
    )
    parser.add_argument("--collection", metavar="NAME", help="only the rules of this collection")


def bundle_arguments(parser: argparse.ArgumentParser, default: str = "the shipped baseline") -> None:
    """A bundle, or a pack: for every verb that reads one policy."""
    parser.add_argument(
        "bundle",
        nargs="?",
        metavar="BUNDLE",
        help=f"folder or .tar.gz of a bundle, or https://…#sha256=… of one (default: {default})",
    )
    parser.add_argument("--pack", metavar="NAME", help="instead: a pack that ships with Lockflight")


def origin_arguments(parser: argparse.ArgumentParser, *, signature: bool = True) -> None:
    """What vouches for a policy from elsewhere."""
    parser.add_argument("--key", metavar="PUBLIC.pem", help="demand that this key signed the archive")
    if signature:
        parser.add_argument(
            "--signature",
            metavar="FILE",
            help="its signature (default: beside it, as FILE.tar.gz.sigstore.json)",
        )
    parser.add_argument("--ca", metavar="FILE", help="authorities for https, instead of the system's (PEM)")


def trust_of(args: argparse.Namespace, run: Run) -> Trust:
    """What `origin_arguments` say.

    Raises:
        UsageError: LF0130 the key cannot be used.
    """
    from lockflight.app.policy.policysource import Trust
    from lockflight.app.release.foreign import public_key

    return Trust(
        key=public_key(Path(args.key)) if args.key is not None else None,
        signature=getattr(args, "signature", None) or "",
        ca=Path(args.ca) if args.ca is not None else None,
        offline=run.offline,
    )


def vouched_bundle(args: argparse.Namespace, run: Run) -> Bundle:
    """The bundle that `bundle_arguments` and `origin_arguments` name.

    Raises:
        UsageError, NotFound, EnvironmentProblem: as `named_bundle`; LF0107 something vouches for a pack.
        VerificationFailed: as `app.policysource.policy_at`.
    """
    from lockflight.app.policy.policysource import is_address, policy_at

    asked = args.key is not None or args.signature is not None
    if args.pack is None and args.bundle is not None and (asked or is_address(args.bundle)):
        return policy_at(args.bundle, trust_of(args, run)).bundle
    if asked:
        raise UsageError(
            "LF0107", "A pack is part of the installation: nobody signs it.", hint="Leave --key out."
        )
    return named_bundle(args)


def named_bundle(args: argparse.Namespace) -> Bundle:
    """The bundle that `bundle_arguments` name.

    Raises:
        UsageError: LF0107 both a bundle and a pack are named.
        NotFound, EnvironmentProblem: as `app.policy.bundle_of`.
    """
    from lockflight.app.policy.inspect import bundle_of

    if args.bundle is not None and args.pack is not None:
        raise UsageError(
            "LF0107", "Name either a bundle or --pack.", hint="lockflight policy show --pack strict"
        )
    return bundle_of(Path(args.bundle) if args.bundle is not None else None, args.pack)


def of_workspace(args: argparse.Namespace) -> tuple[str, Bundle] | None:
    """The own policy of the release in a workspace, where the folder that is named is one."""
    from lockflight.app.policy.inspect import own_policy

    return own_policy(Path(args.bundle)) if args.bundle is not None and args.pack is None else None


def bundle_json(bundle: Bundle) -> dict[str, object]:
    """A bundle as results name it."""
    return {
        "name": bundle.name,
        "version": bundle.version,
        "digest": bundle.digest,
        "entrypoint": bundle.entrypoint,
    }


def show(args: argparse.Namespace, run: Run) -> Reply:
    """Rules and required evidence of a policy."""
    from lockflight.app.policy.inspect import demands, in_force, rules
    from lockflight.cli.lines.adopted import adopted_lines, adopted_rows
    from lockflight.core.times import age

    here = None
    if (args.bundle, args.pack, args.key, args.signature) == (None,) * 4:
        here = in_force(run.home, run.realm, args.env or "")
    brought = of_workspace(args)
    release, bundle = (None, here[1]) if here else brought or (None, vouched_bundle(args, run))
    adopted = adopted_rows(here[0]) if here else None
    found = _collected(rules(bundle), args.collection)
    wanted = [d for d in demands(bundle) if args.env in {None, d.environment}]
    result = {
        "bundle": bundle_json(bundle),
        "adopted": adopted,
        "own_policy_of": release,
        "rules": [
            {
                "code": r.code,
                "rule": r.name,
                "title": r.title,
                "severity": r.severity,
                "effect": r.effect,
                "solution": r.solution,
                "controls": list(r.controls),
                "collections": list(r.collections),
                "demanded": r.demanded,
                "waivable": r.waivable,
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
        if here:
            yield f"of the realm {style.bold(clean(here[0].name))}:"
            yield from (f"  {line}" for line in adopted_lines(adopted or [], style))
        if release is not None:
            yield f"the own policy of {clean(release)}; the realm's judges too, and both must allow"
        yield ""
        yield from table([[style.bold(r.code), r.effect, r.severity, clean(r.title)] for r in found])
        yield ""
        yield "Evidence that is demanded, and how old it may be:" if wanted else "It demands no evidence."
        rows = []
        for d in wanted:
            which = "every release" if (d.kind, d.tier) == ("*", "*") else f"kind {d.kind}, tier {d.tier}"
            rows.append([f"  {d.environment}", d.check, age(d.max_age_s), which])
        yield from table(rows)

    return Reply("policy/v1", result, human)


def _collected(found: list[Rule], name: str | None) -> list[Rule]:
    known = sorted({one for rule in found for one in rule.collections})
    if name is not None and name not in known:
        raise UsageError(
            "LF0107",
            f"No rule of this policy is in the collection {name!r}.",
            hint=f"It has: {', '.join(known)}.",
        )
    return [rule for rule in found if name is None or name in rule.collections]


def test_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `policy test`."""
    bundle_arguments(parser)
    origin_arguments(parser)
    parser.add_argument("--junit", metavar="FILE", help="also write the tests as JUnit XML")


def test(args: argparse.Namespace, run: Run) -> Reply:
    """Run the tests of a policy bundle."""
    from lockflight.app.policy.inspect import test as try_it

    bundle = vouched_bundle(args, run)
    done = try_it(bundle)
    failed = [t for t in done.tests if t.passed is False]
    reached = sum(len(c.reached) for c in done.coverage)
    lines = reached + sum(len(c.missed) for c in done.coverage)
    result = {
        "bundle": bundle_json(bundle),
        "tests": [{"name": t.name, "passed": t.passed, "detail": t.detail or None} for t in done.tests],
        "engines": [{"name": name, "version": version} for name, version in done.engines],
        "coverage": [
            {"module": c.path, "reached": len(c.reached), "missed": list(c.missed)} for c in done.coverage
        ],
    }
    if args.junit is not None:
        from lockflight.cli.reports.ci.policyjunit import junit
        from lockflight.cli.reports.write import write

        write(args.junit, junit(bundle.name, done.tests), run)
    error = None
    if failed:
        error = PolicyDenied(
            "LF0212",
            f"{count(len(failed), 'test')} of the policy {bundle.name} {bundle.version} failed: {failed[0].name}.",
            hint=failed[0].detail,
        )

    def human(style: Style) -> Iterable[str]:
        for test in done.tests:
            mark = style.look if test.passed is None else style.yes if test.passed else style.no
            yield f"{mark} {clean(test.name)}" + (f"  {clean(test.detail)}" if test.detail else "")
        engines = " and ".join(f"{name} {version}" for name, version in done.engines)
        yield f"{len(done.tests) - len(failed)} of {count(len(done.tests), 'test')} passed, on {engines}"
        yield f"{reached} of {count(lines, 'line')} reached"
        for covered in done.coverage:
            if covered.missed:
                yield f"  {clean(covered.path)}: not {', '.join(map(str, covered.missed))}"

    return Reply("policy-test/v1", result, human, 10 if failed else 0, error)
