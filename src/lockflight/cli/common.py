"""Parts that several commands share: how a release, a person's statement and a time are shown."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.style import clean, count, short
from lockflight.core.facts.holding import still
from lockflight.core.times import rfc3339
from lockflight.errors import NotFound, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.files.describe import Reused
    from lockflight.app.log.demands import Demands
    from lockflight.app.realm.speak import Said
    from lockflight.cli.reply import Run
    from lockflight.cli.style import Style
    from lockflight.core.facts.admit import Admission, Obstacle
    from lockflight.core.facts.holding import Holding
    from lockflight.core.release.release import Release
    from lockflight.core.verify.crypto.certificate import Certificate


def folder_of(word: str) -> Path:
    """A folder that was named on the command line.

    Raises:
        NotFound: LF0117 it is not there, or no folder.
    """
    path = Path(word)
    if not path.is_dir():
        what = "is no folder" if path.exists() else "is not there"
        raise NotFound("LF0117", f"{word} {what}.", hint="Name the folder of the workspace or package.")
    return path


def memory_option(parser: argparse.ArgumentParser) -> None:
    """`--no-cache`: read every byte."""
    parser.add_argument(
        "--no-cache",
        action="store_true",
        help="read every byte, also of large files that cannot have changed since this home hashed them",
    )


def say_reused(reused: Reused, run: Run, *, what: str = "not read again") -> None:
    """Narrate what was spared, if anything was."""
    if reused.files:
        files = count(reused.files, "file")
        run.say(f"{files} of {reused.size} bytes {what}: nothing wrote to them (--no-cache reads all)")


def demand_options(parser: argparse.ArgumentParser, policy: str = "--policy") -> None:
    """`--policy` (or another name) and `--max-age`: what is demanded of the log's checkpoint."""
    parser.add_argument(
        policy,
        dest="witness_policy",
        metavar="FILE",
        help="which witnesses must have cosigned (C2SP tlog-policy)",
    )
    parser.add_argument("--max-age", metavar="AGE", help="the oldest checkpoint that will do, such as 24h")


def demands_of(args: argparse.Namespace, run: Run) -> Demands:
    """What `demand_options` and the settings ask for.

    Raises:
        UsageError: LF0118 an age is asked for together with --as-of; LF0168 not a duration.
        NotFound, InvalidInput: LF5035, LF7227 the policy.
    """
    from lockflight.app.log.demands import demands

    if run.as_of is not None and args.max_age:
        raise UsageError(
            "LF0118",
            "--as-of asks about the past, and --max-age about now.",
            hint="Leave one of them out.",
        )
    max_age = args.max_age or ("" if run.as_of is not None else run.settings["max_checkpoint_age"])
    return demands(args.witness_policy or run.settings["witness_policy"], max_age)


#: What CI systems set in a job that may prove its identity; what the job says then belongs to the team.
CI_IDENTITY = (
    "ACTIONS_ID_TOKEN_REQUEST_URL",
    "CI_JOB_JWT_V2",
    "SIGSTORE_ID_TOKEN",
    "BUILDKITE_AGENT_ACCESS_TOKEN",
)


def record_options(parser: argparse.ArgumentParser, what: str) -> None:
    """`--record` and `--no-record`: whether `what` goes into the team's log."""
    parser.add_argument("--record", action="store_const", const=True, help=f"put {what} into the team realm")
    parser.add_argument(
        "--no-record", dest="record", action="store_const", const=False, help="keep them local"
    )


def for_team(args: argparse.Namespace, run: Run) -> bool:
    """What `record_options` say; by default, whether a CI identity is present."""
    if args.record is not None:
        return bool(args.record)
    return run.settings.flag("record", default=any(os.environ.get(name) for name in CI_IDENTITY))


def quoted(path: str) -> str:
    """A path as a shell reads it; one that begins like an option is no option."""
    return shlex.quote(f"./{path}" if path.startswith("-") else path)


_WORDS = re.compile(r"(?<![A-Za-z./-])(?<!--out )(DIR|PACKAGE)(?![A-Za-z./-])")


def typeable(hint: str, **paths: str) -> str:
    """A hint with the words DIR and PACKAGE replaced by paths that are known here.

    Args:
        hint: such as `lockflight sign DIR --out PACKAGE`; `lockflight check --env X` gets its folder.
        paths: DIR, PACKAGE (never that of `--out`, which is still to be made); what is not given stays as it is.
    """
    if "DIR" in paths:
        hint = re.sub(r"lockflight check (?=--(env|only)\b)", "lockflight check DIR ", hint)
    return _WORDS.sub(lambda m: quoted(paths[m[1]]) if m[1] in paths else m[1], hint)


def time_json(unix: int) -> str | None:
    """A time for `--json`; null where there is none yet."""
    return rfc3339(unix) if unix >= 0 else None


def release_json(release: Release) -> dict[str, object]:
    """What every reply says about its release."""
    return {
        "digest": f"sha256:{release.digest}",
        "name": release.name,
        "version": release.version,
        "kind": release.kind.value,
        "tier": release.tier.value,
        "assets": len(release.assets),
        "size": sum(a.size for a in release.assets),
    }


def release_line(release: Release, style: Style) -> str:
    """One line about a release."""
    name = style.bold(f"{clean(release.name)} {clean(release.version)}")
    assets = count(len(release.assets), "asset")
    return (
        f"{name}  {release.kind.value}, {release.tier.value} risk, {assets}  sha256:{short(release.digest)}"
    )


#: The gate's own denial among the obstacles of an admission: no person can remove it.
_GATE_DENIES = "LF4501"
#: What people do before anything else: sign.
_FIRST = frozenset({"LF4502"})


def left_to_people(admission: Admission, held: Holding | None = None) -> list[Obstacle]:
    """What people still have to do, first things first; about a release that is in, next to nothing."""
    left = (o for o in still(admission.obstacles, held) if o.code != _GATE_DENIES)
    return sorted(left, key=lambda o: o.code not in _FIRST)


def certificate_json(certificate: Certificate) -> dict[str, object]:
    """A certificate as results show it."""
    return {
        "subject": certificate.subject,
        "sha256": certificate.digest,
        "begins": time_json(certificate.begins),
        "ends": time_json(certificate.ends),
    }


def said_json(said: Said) -> dict[str, object]:
    """A statement by a person that is in the log now."""
    return {
        "envelope": said.envelope,
        "index": said.index,
        "person": said.name,
        "principal": said.principal,
    }


def bullets(lines: Iterable[str], indent: str = "  ") -> Iterable[str]:
    """Lines of text from elsewhere, indented and made safe for a terminal."""
    for line in lines:
        yield indent + clean(line)


def own_words(name: str, version: str, digest: str) -> str:
    """That a second policy judged, for people."""
    return (
        f"and the release's own policy {clean(name)} {clean(version)} sha256:{short(digest)}: both must allow"
    )
