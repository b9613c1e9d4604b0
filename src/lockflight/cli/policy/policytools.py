"""`policy new`, `lint`, `mutate`, `bundle` and `diff`: for authors of policies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.common import quoted
from lockflight.cli.policy.policy import (
    bundle_arguments,
    bundle_json,
    named_bundle,
    origin_arguments,
    trust_of,
)
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, count, short, table
from lockflight.errors import PolicyDenied

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.cli.style import Style

_PLACE = "folder or .tar.gz of a bundle, or pack:NAME"


def new_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `policy new`."""
    parser.add_argument("name", metavar="NAME", help="name of the policy: small letters, digits and dashes")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write, new or empty")
    parser.add_argument(
        "--from",
        dest="start",
        default="",
        metavar="PACK",
        help="keep the rules of this shipped pack and add to them: for a policy that the realm adopts "
        "(default: own rules alone, for a policy that travels with a release)",
    )


def new(args: argparse.Namespace, run: Run) -> Reply:
    """Start a policy of your own."""
    from lockflight.app.policy.policytools import create

    bundle = create(args.name, Path(args.out), args.start)
    found = sorted(bundle.rules)
    own = [code for code in found if not code.startswith("LF")]
    result = {"bundle": bundle_json(bundle), "folder": args.out, "rules": found, "from": args.start or None}

    def human(style: Style) -> Iterable[str]:
        yield f"policy {style.bold(bundle.name)} {bundle.version}, {count(len(own), 'rule')}: {', '.join(own)}"
        if args.start:
            yield f"and the {count(len(found) - len(own), 'rule')} of {clean(args.start)}"
        yield f"Next: lockflight policy test {clean(args.out)}"

    return Reply("policy-new/v1", result, human)


def lint_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `policy lint`."""
    parser.add_argument("bundle", metavar="BUNDLE", help=_PLACE)
    parser.add_argument(
        "--write", action="store_true", help="first write rule_meta/data.json from the # METADATA comments"
    )


def lint(args: argparse.Namespace, run: Run) -> Reply:
    """Why a policy may not judge, line by line."""
    from lockflight.app.policy.policytools import lint as look

    found = look(args.bundle, write=args.write)
    result = {"bundle": found.name or None, "issues": list(found.issues), "written": found.written}
    error = None
    if found.issues:
        error = PolicyDenied(
            "LF0213",
            f"The policy may not judge: {count(len(found.issues), 'issue')}.",
            hint=f"Mend each of them, then: lockflight policy test {quoted(args.bundle)}",
            details={"issues": list(found.issues)},
        )

    def human(style: Style) -> Iterable[str]:
        for issue in found.issues:
            yield f"{style.no} {clean(issue)}"
        if not found.issues:
            yield f"{style.yes} {clean(found.name)} may judge"

    return Reply("policy-lint/v1", result, human, 10 if found.issues else 0, error)


def mutate_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `policy mutate`."""
    bundle_arguments(parser)
    parser.add_argument("--every", type=_positive, default=1, metavar="N", help="try each Nth mutant only")
    parser.add_argument(
        "--min", type=_positive, default=0, metavar="PERCENT", help="fail when fewer mutants are noticed"
    )


def _positive(word: str) -> int:
    value = int(word)
    if value < 1:
        raise ValueError(word)
    return value


def mutate(args: argparse.Namespace, run: Run) -> Reply:
    """Do small wrongs to a policy and see which its tests notice."""
    from lockflight.app.policy.policytools import mutate as try_them

    bundle = named_bundle(args)
    done = try_them(bundle, run.progress(), every=args.every)
    score, tried = done.score_ppm, len(done.trials)
    result = {
        "bundle": bundle_json(bundle),
        "tried": tried,
        "noticed_ppm": score,
        "survivors": [
            {"module": t.mutant.path, "line": t.mutant.line, "what": t.mutant.what} for t in done.survivors
        ],
        "shared": list(done.shared),
    }
    low = score < args.min * 10_000
    error = None
    if low:
        error = PolicyDenied(
            "LF0214",
            f"The tests of the policy {bundle.name} notice {score // 10_000} % of the mutants, not {args.min} %.",
            hint="Add a fixture bite/CODE.WORD.json or a Rego test for each survivor.",
        )

    def human(style: Style) -> Iterable[str]:
        for trial in done.survivors:
            yield f"{style.no} {clean(str(trial.mutant))}"
        if done.shared:
            yield f"left out, since they are those of the shipped packs: {', '.join(done.shared)}"
        yield f"{tried - len(done.survivors)} of {count(tried, 'mutant')} noticed ({score // 10_000} %)"

    return Reply("policy-mutate/v1", result, human, 10 if low else 0, error)


def pack_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `policy bundle`."""
    parser.add_argument("bundle", metavar="BUNDLE", help=_PLACE)
    parser.add_argument("--out", required=True, metavar="FILE.tar.gz", help="file to write")
    parser.add_argument(
        "--allow",
        metavar="FILE",
        default="",
        help="names that pickles may use beside the shipped allow-list, as the policy's allow_list/data.json",
    )
    parser.add_argument(
        "--sign",
        action="store_true",
        help="also sign it as a person of the realm, into FILE.tar.gz.sigstore.json",
    )


def pack(args: argparse.Namespace, run: Run) -> Reply:
    """Write a policy as one file."""
    from lockflight.app.policy.policytools import archive, sign_archive

    bundle = archive(args.bundle, Path(args.out), args.allow)
    signature = key = ""
    if args.sign:
        place, key = sign_archive(run.home, run.realm, run.actor, Path(args.out), bundle)
        signature = str(place)
    result = {
        "bundle": bundle_json(bundle),
        "file": args.out,
        "files": len(bundle.files),
        "signature": signature or None,
        "signed_by": key or None,
    }

    def human(style: Style) -> Iterable[str]:
        yield f"policy {style.bold(bundle.name)} {bundle.version}, {count(len(bundle.files), 'file')}"
        yield f"sha256:{bundle.digest}"
        yield f"wrote {clean(args.out)}"
        if signature:
            yield f"wrote {clean(signature)}, signed with the key {short(key)}"

    return Reply("policy-bundle/v1", result, human)


def diff_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `policy diff`."""
    parser.add_argument("before", metavar="BEFORE", help=_PLACE)
    parser.add_argument("after", metavar="AFTER", help=f"{_PLACE}, or https://…#sha256=…")
    origin_arguments(parser, signature=False)


def diff(args: argparse.Namespace, run: Run) -> Reply:
    """What one policy demands that another one does not."""
    from lockflight.app.policy.policytools import difference

    before, after, changes = difference(args.before, args.after, trust_of(args, run))
    result = {
        "before": bundle_json(before),
        "after": bundle_json(after),
        "changes": [
            {"what": c.what, "name": c.name, "before": c.before or None, "after": c.after or None}
            for c in changes
        ],
    }

    def human(style: Style) -> Iterable[str]:
        yield f"{before.name} {before.version} sha256:{short(before.digest)}"
        yield f"{after.name} {after.version} sha256:{short(after.digest)}"
        shown = [c for c in changes if c.what != "fixture"]
        yield from table(
            [
                [f"  {_sign(c.before, c.after)}", c.what, clean(c.name), *_values(c.what, c.before, c.after)]
                for c in shown
            ]
        )
        if len(shown) < len(changes):
            yield f"{count(len(changes) - len(shown), 'fixture')} besides (--json lists them)"
        yield "no difference" if not changes else count(len(changes), "difference")

    return Reply("policy-diff/v1", result, human)


def _sign(before: str, after: str) -> str:
    return "+" if not before else "-" if not after else "~"


def _values(what: str, before: str, after: str) -> list[str]:
    if what in {"module", "demanded"}:
        return [""]
    if what == "rule":
        return [clean(str(json.loads(after or before)["title"]))]
    return [f"{before or 'nothing'} -> {after or 'nothing'}"]
