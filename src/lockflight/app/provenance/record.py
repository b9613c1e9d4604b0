"""`lockflight record`: run one step and sign what went in, what came out, and who is behind it.

Materials are hashed before the command, products after it, and a product counts only if the command wrote it. A
command that fails leaves no record. The log never forgets, so a command line that holds a secret is refused, and
e-mail addresses of authors become pseudonyms of the realm, or a count.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import lockflight
from lockflight.app.provenance import git
from lockflight.app.provenance.inputs import LOCK_FILES, Seen, declared, files_of, hashed, identity, unchanged
from lockflight.app.realm.realm import Realm, open_realm
from lockflight.app.realm.settings import PERSONAL
from lockflight.core.attest.provenance import Authors, Build, Material, Origin, Run
from lockflight.core.attest.statement import SubjectRef
from lockflight.core.facts.factprov import provenance_of
from lockflight.core.records import dataclass
from lockflight.core.release.manifest import parse_manifest
from lockflight.core.release.release import MANIFEST_NAME
from lockflight.core.times import rfc3339
from lockflight.core.words import INTAKE
from lockflight.detect.secrets import find_secrets
from lockflight.errors import EnvironmentProblem, InvalidInput, LockflightError, UsageError
from lockflight.infra import machine
from lockflight.infra.command import run_attached
from lockflight.infra.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from lockflight.core.ports import Receipt
    from lockflight.infra.progress import Progress

#: The digest's name for commits of SHA-1 and of SHA-256 repositories alike.
GIT_COMMIT = "gitCommit"
STEP = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
#: Tokens that say what they are by their first characters.
_TOKENS = re.compile(
    r"\b(?:gh[pousr]_[A-Za-z0-9]{30}|github_pat_\w{30}|glpat-[\w-]{20}|hf_[A-Za-z]{30}|AKIA[A-Z0-9]{16}"
    r"|xox[abp]-[\w-]{20}|sk-[\w-]{32}|eyJ[\w-]{16,}\.eyJ[\w-]{16,})"
)
#: What CI systems say about a job, without the names of people; claims, until a token proves them.
_CI = {
    "github": (
        "GITHUB_ACTIONS",
        (
            "GITHUB_REPOSITORY",
            "GITHUB_REPOSITORY_ID",
            "GITHUB_WORKFLOW_REF",
            "GITHUB_WORKFLOW_SHA",
            "GITHUB_REF",
            "GITHUB_SHA",
            "GITHUB_EVENT_NAME",
            "GITHUB_RUN_ID",
            "GITHUB_RUN_ATTEMPT",
            "RUNNER_ENVIRONMENT",
        ),
    ),
    "gitlab": (
        "GITLAB_CI",
        (
            "CI_PROJECT_ID",
            "CI_PROJECT_PATH",
            "CI_COMMIT_REF_NAME",
            "CI_COMMIT_SHA",
            "CI_PIPELINE_ID",
            "CI_PIPELINE_SOURCE",
            "CI_JOB_ID",
            "CI_RUNNER_ID",
        ),
    ),
}
MAX_CLAIM = 500


@dataclass(frozen=True, slots=True)
class Step:
    """What the caller wants to run.

    Attributes:
        name: of the step.
        command: program and arguments.
        workspace: where it runs.
        materials: paths, or `URI@sha256:DIGEST`.
        products: paths in the workspace.
        parameters: declared (name, value) pairs.
    """

    name: str
    command: tuple[str, ...]
    workspace: Path
    materials: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was recorded.

    Attributes:
        build: the record.
        receipt: its place in the log.
        realm: name of the realm that holds it.
        local: it stayed in the personal realm, although another one was asked.
        left_out: files of product folders that the command did not write.
        changed: files that differ from the commit and are neither materials nor products.
    """

    build: Build
    receipt: Receipt
    realm: str
    local: bool
    left_out: tuple[str, ...]
    changed: tuple[str, ...]


def record(
    home: Path,
    realm_name: str,
    step: Step,
    *,
    team: bool,
    actor: str,
    clock: Callable[[], int],
    environ: Mapping[str, str] = os.environ,
    stdout_to_stderr: bool = False,
    progress: Progress = SILENT,
) -> Recorded:
    """Hash the materials, run the command, hash the products, sign, append.

    Args:
        home: the home folder.
        realm_name: the realm that is asked.
        step: what to run.
        team: put the record into a team realm; else it stays in the personal one.
        actor: name of the person or machine that runs it; empty for the only person, or a CI job. A machine signs
            with its own key, and counts as its owner.
        clock: Unix seconds.
        environ: where a CI job says what it is.
        stdout_to_stderr: keep standard output for our own result.
        progress: told about the bytes that are hashed.

    Raises:
        UsageError: LF1046 an option is not of its form, LF1047 the command line holds a secret, LF0112 nobody of
            that name.
        NotFound: LF1043 a material or product is not there.
        InvalidInput: LF1044 a material changed, LF1045 the command did not write a product, LF1003, LF1048.
        EnvironmentProblem: LF1041 the command failed, LF1042 it cannot be started; nothing is recorded.
        PolicyDenied: LF4604 the machine's key expired, before the step or while it ran.
        VerificationFailed: LF72xx the realm's log is not what it must be.
    """
    workspace = Path(os.path.normpath(step.workspace.absolute()))
    _check(step, workspace)
    asked = open_realm(home, realm_name)
    local = not asked.personal and not team
    target = open_realm(home, PERSONAL) if local else asked
    target.producer("" if local else actor)  # before the work, not after it
    builder = _builder(asked, actor, environ)
    pinned = [material for word in step.materials if (material := declared(word)) is not None]
    read = hashed(workspace, _material_files(step, workspace), progress=progress)
    before = _products_before(step, workspace)
    source = _source(workspace, read, before)
    authors, since = _authors(asked, step.name, workspace, source.commit, builder)
    hardware = machine.summary()
    started = clock()
    code = run_attached(step.command, cwd=workspace, stdout_to_stderr=stdout_to_stderr)
    if code:
        raise EnvironmentProblem(
            "LF1041",
            f"The command {step.command[0]!r} of the step {step.name!r} ended with exit code {code}; "
            "nothing is recorded.",
            hint="Mend the step and run it again.",
            details={"step": step.name, "exit_code": code},
        )
    finished = max(started, clock())
    unchanged(workspace, read)
    products, left_out = _products_after(step, workspace, before, progress)
    build = Build(
        step=step.name,
        command=tuple(_portable(word, workspace) for word in step.command),
        parameters=tuple(sorted(step.parameters)),
        products=tuple(SubjectRef(seen.name, seen.sha256) for seen in products),
        materials=(*(_material(seen) for seen in read), *pinned, *source.materials),
        run=Run(
            builder=f"https://lockflight.dev/builder/{target.state.trust.origin}",
            versions=(("lockflight", lockflight.__version__),),
            invocation=f"urn:lockflight:run:{secrets.token_hex(16)}",
            started=rfc3339(started),
            finished=rfc3339(finished),
            authors=authors,
            ci=claims(environ),
        ),
        dirty=source.dirty,
        since=since,
        hardware=hardware,
    )
    receipt = target.append([(build.statement(), target.producer("" if local else actor))])[0]
    return Recorded(build, receipt, target.name, local, tuple(left_out), source.changed)


def _check(step: Step, workspace: Path) -> None:
    if not STEP.fullmatch(step.name):
        raise UsageError(
            "LF1046",
            f"{step.name!r} is no name of a step: lower-case letters, digits, `.`, `_` and `-`, at most 64.",
            hint="--step train",
        )
    if not step.products:
        raise UsageError(
            "LF1046", "No product is named.", hint="--product PATH, once for each file or folder."
        )
    for word in step.products:
        path = Path(os.path.normpath(workspace / word))
        if not path.is_relative_to(workspace) or path == workspace:
            raise UsageError(
                "LF1046",
                f"--product {word!r} lies outside of the workspace, or is all of it.",
                hint="Name files or folders in the workspace (--workspace DIR, else the current folder).",
            )
    words = [*step.command, *(f"{name}={value}" for name, value in step.parameters), *step.materials]
    for word in words:
        if _TOKENS.search(word) or next(find_secrets(word.encode("utf-8", "replace")), None) is not None:
            raise UsageError(
                "LF1047",
                "A word of the command line looks like a secret, and the log would keep it for ever.",
                hint="Hand the secret over in an environment variable or a file.",
            )
        try:
            word.encode()
        except UnicodeEncodeError as error:
            raise UsageError(
                "LF1046", f"{word!a} is not UTF-8, so it cannot be recorded.", hint="Rename it."
            ) from error


def _material_files(step: Step, workspace: Path) -> list[Path]:
    """Named materials, files that the command names, and lock files at the top of the workspace."""
    found: list[Path] = []
    for word in step.materials:
        if declared(word) is None:
            found += files_of(workspace, word, option="--material")
    products = [Path(os.path.normpath(workspace / word)) for word in step.products]
    for word in (*step.command[1:], *sorted(LOCK_FILES)):
        path = Path(os.path.normpath(workspace / word))
        inside = path.is_relative_to(workspace) and not any(path.is_relative_to(p) for p in products)
        if word and inside and path.is_file() and not path.is_symlink():
            found.append(path)
    return found


def _products_before(step: Step, workspace: Path) -> dict[Path, object]:
    """Identity of every file that stands where a product will be."""
    return {
        path: identity(path)
        for word in step.products
        if (workspace / word).exists()
        for path in files_of(workspace, word, option="--product")
    }


def _products_after(
    step: Step, workspace: Path, before: Mapping[Path, object], progress: Progress
) -> tuple[list[Seen], list[str]]:
    """What the command wrote; what it left as it was is no product of it."""
    written: list[Path] = []
    left_out: list[str] = []
    for word in step.products:
        paths = list(files_of(workspace, word, option="--product"))
        fresh = {path for path in paths if identity(path) != before.get(path)}
        if not fresh:
            raise InvalidInput(
                "LF1045",
                f"The command of the step {step.name!r} did not write {word!r}, so it is no product of it.",
                hint="Name what the step makes, or remove it before the step runs.",
            )
        written += [path for path in paths if path in fresh]
        left_out += [path.relative_to(workspace).as_posix() for path in paths if path not in fresh]
    return hashed(workspace, written, progress=progress), left_out


def _material(seen: Seen) -> Material:
    return Material(seen.name, digests=(("sha256", seen.sha256),), read=True)


@dataclass(frozen=True, slots=True)
class _Source:
    commit: git.Commit | None = None
    materials: tuple[Material, ...] = ()
    dirty: bool = False
    changed: tuple[str, ...] = ()


def _source(workspace: Path, read: Iterable[Seen], products: Iterable[Path]) -> _Source:
    """The commit as a material; dirty when a file differs from it that is neither a material nor a product."""
    commit = git.look(workspace)
    if commit is None:
        return _Source()
    known = {os.path.realpath(path) for path in (*(seen.path for seen in read), *products)}
    changed = [path for path in commit.changed or () if os.path.realpath(path) not in known]
    return _Source(
        commit,
        (Material("source", commit.uri, ((GIT_COMMIT, commit.commit),), read=True),),
        dirty=commit.changed is None or bool(changed),
        changed=tuple(os.path.relpath(path, commit.top) for path in changed),
    )


@dataclass(frozen=True, slots=True)
class _Builder:
    principal: str
    unknown: bool


def _builder(asked: Realm, actor: str, environ: Mapping[str, str]) -> _Builder:
    """Who runs the step: a person or machine of the realm, a CI job (nobody), or somebody whom nobody has named."""
    robot = asked.machine(actor) if actor else None
    if robot is not None:
        return _Builder(robot.principal, unknown=False)
    try:
        return _Builder(asked.actor(actor).principal, unknown=False)
    except UsageError:
        if actor:
            raise
        return _Builder("", unknown=not claims(environ))


def _authors(
    asked: Realm, step: str, workspace: Path, commit: git.Commit | None, builder: _Builder
) -> tuple[Authors, str]:
    """The builder and the authors of the range, as pseudonyms; and where the range starts."""
    principals = {builder.principal} - {""}
    unknown = int(builder.unknown)
    if commit is None:
        return Authors(tuple(sorted(principals)), unknown, complete=True), ""
    since = _last_commit(asked, step, workspace)
    if since and not git.is_ancestor(workspace, since):
        since = ""
    found = git.history(workspace, since=since)
    by_address = addresses(asked)
    principals |= {by_address[address] for address in found.addresses if address in by_address}
    unknown += sum(address not in by_address for address in found.addresses)
    return Authors(tuple(sorted(principals)), unknown, complete=found.complete and not commit.shallow), since


def _last_commit(asked: Realm, step: str, workspace: Path) -> str:
    """The commit from which this step made the release that the last environment of the ladder held last.

    Only what others have approved closes a range: a release that an author signed or brought to `development` alone
    must not hide who wrote it.
    """
    try:
        name = parse_manifest((workspace / MANIFEST_NAME).read_bytes()).name
    except (OSError, LockflightError):
        return ""
    state = asked.state
    steps = [environment for environment in state.environments if environment != INTAKE]
    past = state.slot(name, steps[-1]).history
    if not past:
        return ""
    records = [r for digest in state.contents(past[-1][1].release) for r in state.provenance.get(digest, [])]
    for entry in sorted(records, key=lambda r: -r.index):
        fact = provenance_of(entry)
        commits = [dict(m.digests).get(GIT_COMMIT, "") for m in fact.materials]
        if fact.origin is Origin.RECORD and fact.step == step and not fact.build.dirty:  # type: ignore[union-attr]
            return next((commit for commit in commits if commit), "")
    return ""


def addresses(realm: Realm) -> dict[str, str]:
    """Lower-case e-mail address to pseudonym, from the erasable profiles of the realm's people."""
    found: dict[str, str] = {}
    for principal, key in realm.state.people().items():
        emails = realm.blob(key.profile).get("emails", []) if key.profile else []
        for email in emails if isinstance(emails, list) else []:
            found[str(email).strip().lower()] = principal
    return found


def claims(environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What the environment of a CI job says about it, sorted; empty elsewhere."""
    for provider, (sign, names) in _CI.items():
        if environ.get(sign, "").lower() == "true":
            said = {name.lower(): environ[name][:MAX_CLAIM] for name in names if environ.get(name)}
            return tuple(sorted({"provider": provider, **said}.items()))
    return ()


def _portable(word: str, workspace: Path) -> str:
    """A word of the command without the folder that it ran in and the home of who ran it."""
    word = word.replace(str(workspace), ".")
    own = str(Path.home())
    return word.replace(own, "~") if len(own) > 1 else word
