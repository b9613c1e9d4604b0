"""`lockflight scan`: judge files at once, without a manifest and without a realm. Nothing is recorded.

What a file is, is read from its bytes. Model formats, archives and unrecognised bytes go to the check `models`,
texts to `secrets` and `text-integrity`, Python to `code`. What no check reads is named as not analysed, never safe.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from dataclasses import field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.app.files.guess import guess_name
from lockflight.app.files.hidden import hidden_models
from lockflight.core.attest.check import PPM, CheckResult, Grain, Status, Subject
from lockflight.core.canonical import dumps
from lockflight.core.findings import Severity, Verdict, worst
from lockflight.core.records import dataclass
from lockflight.core.release.release import Asset
from lockflight.core.text.names import readable_name
from lockflight.core.text.suggest import did_you_mean
from lockflight.core.words import Role
from lockflight.engine.local import CheckJob, Idle, cache_folder, map_checks
from lockflight.errors import InvalidInput, LockflightError, NotFound, UsageError
from lockflight.formats import media
from lockflight.formats.media import CODE_TYPES
from lockflight.formats.pickle.overlay import Overlay
from lockflight.formats.sniff import sniff
from lockflight.infra.files import FdSource, FileKind, Folder
from lockflight.infra.hashing import hash_source
from lockflight.infra.progress import SILENT
from lockflight.scan.declared import APART_FROM_CODE, DATA_ROLES, OTHER_LANGUAGES
from lockflight.scan.table import CHECKS, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import BinaryIO

    from lockflight.core.findings import Finding
    from lockflight.core.text.globs import Glob
    from lockflight.infra.progress import Progress

STDIN = "-"
STDIN_NAME = "stdin"
MAX_STDIN_BYTES = 16 * 1024**3
_PART = 1024 * 1024
#: Files that are open at the same time.
_BATCH = 128

#: Checks that `scan` can run: those that judge one file alone.
SCANS = ("models", "secrets", "text-integrity", "code", "data")
_TEXTS = frozenset({media.JSON, media.JSON_LINES, media.TOML, media.YAML, media.XML, media.NOTEBOOK})
#: Archives, and bytes that nothing is known of: a loader may make a model of them.
_CONTAINERS = frozenset(
    {media.OCTETS, media.ZIP, media.GZIP, media.BZIP2, media.XZ, media.LZMA, media.ZSTD, media.LZ4, media.TAR}
    | {media.SEVEN_ZIP, media.RAR}
)
#: Where odd characters are ordinary: vocabularies and tables of other people's words.
_ANY_CHARACTER = frozenset({Role.TOKENIZER, Role.DATASET, Role.EVAL_SET, Role.RETRIEVAL_INDEX})
_SERIOUS = frozenset({Severity.CRITICAL, Severity.HIGH})


@dataclass(frozen=True, slots=True)
class FileReport:
    """What was found out about one file.

    Attributes:
        name: as it was named or found, readable (see `core.names.readable_name`).
        size: bytes.
        sha256: 64 hex digits; empty for what cannot be read.
        media_type, title: what its bytes say that it is.
        verdict: None when it was not analysed.
        reason: why it was not analysed.
        checks: names of the checks that judged it.
        findings: what they found.
    """

    name: str
    size: int
    sha256: str
    media_type: str
    title: str
    verdict: Verdict | None
    reason: str = ""
    checks: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class ScanOutcome:
    """What `scan` found.

    Attributes:
        files: in the order in which they were named.
        skipped: version control data, caches and virtual environments, of which only models were looked at.
        excluded: names that the caller left out.
        overlay: names that were let through beside the shipped allow-list.
    """

    files: tuple[FileReport, ...]
    skipped: tuple[str, ...]
    excluded: tuple[str, ...]
    overlay: Overlay = field(default_factory=Overlay)


@dataclass(slots=True)
class _Open:
    name: str
    source: FdSource
    asset: Asset


def scan(
    paths: Sequence[str],
    *,
    checks: Sequence[str] = (),
    exclude: Sequence[Glob] = (),
    overlay: Overlay | None = None,
    stdin: BinaryIO | None = None,
    workers: int = 0,
    progress: Progress = SILENT,
    say: Callable[[str], None] | None = None,
) -> ScanOutcome:
    """Judge files and folders.

    Args:
        paths: files, folders, or `-` for `stdin`.
        checks: only these of `SCANS`; empty for all.
        exclude: names below a folder that are left out, and listed.
        overlay: names that pickles may use beside the shipped ones, as a policy would add them.
        stdin: what `-` stands for.
        workers: check processes; 0 for one per processor.
        progress: told about the jobs.
        say: told why the first run takes longer.

    Raises:
        UsageError: LF0120 unknown check.
        NotFound: LF0117 a path is not there, LF0203 there is no file in all of it.
        EnvironmentProblem: LF5050 no check process can be started.
    """
    chosen = tuple(checks) or SCANS
    for name in chosen:
        if name not in SCANS:
            otherwise = f"Checks that judge single files: {', '.join(SCANS)}."
            raise UsageError(
                "LF0120",
                f"`scan` has no check {name!r}.",
                hint=did_you_mean(name, SCANS, otherwise=otherwise),
            )
    told = dumps(overlay.to_json()).decode() if overlay is not None and overlay.added else ""
    skipped: list[str] = []
    excluded: list[str] = []
    files: list[FileReport] = []
    with ExitStack() as stack:
        idle = stack.enter_context(Idle())
        openers = list(_walk(paths, stack, stdin, exclude, skipped, excluded))
        progress.begin("scanning", len(openers))
        for at in range(0, len(openers), _BATCH):
            batch = [opener() for opener in openers[at : at + _BATCH]]
            files += _judge(batch, chosen, told, workers, idle, progress, say)
        progress.end()
    if not files:
        raise NotFound("LF0203", "There is no file to scan.", hint="lockflight scan FILE_OR_FOLDER")
    return ScanOutcome(tuple(files), tuple(skipped), tuple(excluded), overlay or Overlay())


def _walk(
    paths: Iterable[str],
    stack: ExitStack,
    stdin: BinaryIO | None,
    exclude: Sequence[Glob],
    skipped: list[str],
    excluded: list[str],
) -> Iterator[Callable[[], _Open | FileReport]]:
    """What opens each file, in order; only so many are open at a time."""

    def leaves_out(name: str) -> bool:
        return any(glob.matches(name) for glob in exclude)

    for word in paths:
        path = Path(word)
        if word == STDIN and stdin is not None:
            yield partial(_stdin, stdin)
        elif path.is_dir():
            folder = stack.enter_context(Folder(path))
            listing = folder.listing(skip=True)
            prefix = "" if word in {".", "./"} else word.rstrip("/") + "/"
            skipped += [readable_name(prefix + name) for name in listing.skipped]
            for entry in listing.entries:
                shown = readable_name(prefix + entry.name)
                if leaves_out(entry.name):
                    excluded.append(shown)
                elif entry.kind is not FileKind.FILE:
                    what = "a link" if entry.kind is FileKind.SYMLINK else "no regular file"
                    yield partial(_unread, shown, f"it is {what}, which is not followed")
                else:
                    yield partial(_opened, folder, entry.name, shown)
            for name, problem in hidden_models(folder, listing.skipped, leaves_out):
                shown = readable_name(prefix + name)
                if problem:
                    yield partial(_unread, shown, problem)
                else:
                    yield partial(_opened, folder, name, shown)
        elif path.is_file():
            yield partial(_alone, path.resolve(), readable_name(word))
        else:
            what = "is no file or folder" if os.path.lexists(path) else "is not there"
            raise NotFound("LF0117", f"{word} {what}.", hint="Name files, folders, or - for standard input.")


def _unread(name: str, reason: str) -> FileReport:
    return FileReport(name, 0, "", "", "", None, reason)


def _alone(path: Path, shown: str) -> _Open | FileReport:
    with Folder(path.parent) as folder:
        return _opened(folder, path.name, shown)


def _opened(folder: Folder, name: str, shown: str) -> _Open | FileReport:
    try:
        source = folder.open(name)
    except LockflightError as error:
        return _unread(shown, error.message.rstrip("."))
    return _hashed(source, shown)


def _hashed(source: FdSource, shown: str) -> _Open | FileReport:
    try:
        digests = hash_source(source)
        kind = sniff(source)
    except LockflightError as error:
        source.close()
        return _unread(shown, error.message.rstrip("."))
    role = guess_name(shown).role or Role.OTHER
    return _Open(shown, source, Asset(shown, role, source.size, digests.sha256, digests.blake3, kind))


def _stdin(stream: BinaryIO) -> _Open | FileReport:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - its descriptor outlives this function
    with file:
        size = 0
        while part := stream.read(_PART):
            size += len(part)
            if size > MAX_STDIN_BYTES:
                raise InvalidInput(
                    "LF0109", f"Standard input is longer than {MAX_STDIN_BYTES} bytes.", hint="Name a file."
                )
            file.write(part)
        file.flush()
        fd = os.dup(file.fileno())
    return _hashed(FdSource(fd, STDIN_NAME, os.fstat(fd)), STDIN_NAME)


def _judge(
    batch: Sequence[_Open | FileReport],
    checks: Sequence[str],
    told: str,
    workers: int,
    idle: Idle,
    progress: Progress,
    say: Callable[[str], None] | None,
) -> list[FileReport]:
    opened = [item for item in batch if isinstance(item, _Open)]
    try:
        jobs: list[CheckJob] = []
        owners: list[int] = []
        for i, item in enumerate(batch):
            if isinstance(item, _Open):
                for job in _jobs(item, checks, told):
                    jobs.append(job)
                    owners.append(i)
        results: dict[int, list[tuple[str, CheckResult]]] = {}
        if say is not None and any(job.check == "secrets" for job in jobs) and not has_rules_cache():
            say("first run: compiling rules for secrets, a few seconds")
        found = map_checks(jobs, workers=workers or min(8, os.cpu_count() or 1), idle=idle)
        done = 0
        for owner, outcome in zip(owners, found, strict=True):
            # Results come in the order of the files.
            progress.advance(owner - done)
            done = owner
            results.setdefault(owner, []).append((outcome.job.check, outcome.result))
        progress.advance(len(batch) - done)
        for item in opened:
            item.source.check()
        return [
            _report(item, results.get(i, []), checks) if isinstance(item, _Open) else item
            for i, item in enumerate(batch)
        ]
    finally:
        for item in opened:
            item.source.close()


def has_rules_cache() -> bool:
    """Whether compiled rules of an earlier run are there."""
    try:
        return any((cache_folder() / "kingfisher").iterdir())
    except OSError:
        return False


def is_text(media_type: str) -> bool:
    """Whether what `sniff` said is text."""
    return media_type.startswith("text/") or media_type in _TEXTS


def _jobs(item: _Open, checks: Sequence[str], told: str) -> Iterator[CheckJob]:
    asset = item.asset
    for name in checks:
        seen = _as_seen(name, asset)
        if seen is not None:
            subject = Subject(
                Grain.ASSET if name == "models" else Grain.VIEW, asset.name, asset.sha256, (seen,)
            )
            data = told if name == "models" else ""
            yield CheckJob(name, CHECKS[name], subject, {seen.name: item.source.fileno()}, data=data)


def _as_seen(check: str, asset: Asset) -> Asset | None:
    """The asset with the role under which a check reads it; None if the check has nothing to say about it."""
    text = is_text(asset.media_type)
    if check == "models":
        # A text is judged whatever its role, as it is in an archive: nobody has said yet what a loader makes of it.
        if load(check).info.selects(asset):
            return asset
        judged = asset.media_type in _CONTAINERS or (text and asset.media_type not in CODE_TYPES)
        return replace(asset, role=Role.MODEL_WEIGHTS) if judged else None
    if check == "secrets":
        return asset if text else None
    if check == "text-integrity":
        return replace(asset, role=Role.KNOWLEDGE_BASE) if text and asset.role not in _ANY_CHARACTER else None
    if check == "data":
        if text and asset.media_type == media.HTML and asset.role not in DATA_ROLES:
            return replace(asset, role=Role.KNOWLEDGE_BASE)  # a page may hide what a model would read
        return asset if text and asset.role in DATA_ROLES else None
    python = asset.media_type in {media.PYTHON, media.NOTEBOOK} or media.suffix_of(asset.name) == ".ipynb"
    return replace(asset, role=Role.CODE) if (text and python) or asset.media_type == media.ZIP else None


def _report(item: _Open, results: Sequence[tuple[str, CheckResult]], asked: Sequence[str]) -> FileReport:
    asset = item.asset
    title = (
        media.MEDIA_TYPES[asset.media_type].title
        if asset.media_type in media.MEDIA_TYPES
        else asset.media_type
    )
    looked = any(check == "code" and _judged_all(result) for check, result in results)
    findings = tuple(
        f for _, result in results for f in result.findings if not (looked and f.rule == "file:code")
    )
    # What a budget cut short has a verdict all the same; what crashed has none.
    verdicts = [_verdict(check, result, code=looked) for check, result in results if _spoke(check, result)]
    reasons = [
        f"{check}: {result.reason}" for check, result in results if result.status is not Status.COMPLETE
    ]
    reasons += [
        f"{check}: only {result.coverage_ppm * 100 // PPM} % of it could be judged"
        for check, result in results
        if result.status is Status.COMPLETE and result.coverage_ppm != PPM and check != "models"
    ]
    if "code" in asked and asset.size and _other_language(asset):
        reasons.append("no check judges code of its language")
    if not results:
        if asset.size:
            reasons.append(f"{title}: none of the checks reads it")
        else:
            verdicts.append(Verdict.SAFE)
    verdict = worst(verdicts) if verdicts else None
    if reasons and verdict is Verdict.SAFE:
        verdict = None
    return FileReport(
        name=item.name,
        size=asset.size,
        sha256=asset.sha256,
        media_type=asset.media_type,
        title=title,
        verdict=verdict,
        reason="; ".join(reasons),
        checks=tuple(check for check, _ in results),
        findings=findings,
    )


def _spoke(check: str, result: CheckResult) -> bool:
    return result.status is Status.COMPLETE or (check == "models" and bool(result.summary))


def _other_language(asset: Asset) -> bool:
    text = is_text(asset.media_type)
    named = media.suffix_of(asset.name) in OTHER_LANGUAGES
    return asset.media_type in {media.SHELL, media.JAVASCRIPT} or (text and named)


def _judged_all(result: CheckResult) -> bool:
    """Whether the check `code` judged every piece of code that there is."""
    unseen = result.summary.get("unknown", 0) + result.summary.get("other_languages", 0)
    return result.status is Status.COMPLETE and result.coverage_ppm == PPM and not unseen


def _verdict(check: str, result: CheckResult, *, code: bool) -> Verdict:
    serious = any(f.severity in _SERIOUS for f in result.findings)
    if check != "models":
        return Verdict.REVIEW if serious else Verdict.SAFE
    counts = result.summary
    if code and APART_FROM_CODE in counts:
        return tuple(Verdict)[counts[APART_FROM_CODE]]
    said: list[Verdict] = [v for v in Verdict if v is not Verdict.SAFE and counts.get(v.value, 0)]
    if not said and (not counts.get("safe", 0) or result.coverage_ppm != PPM):
        said = [Verdict.UNKNOWN]
    if not said and serious:
        said = [Verdict.REVIEW]
    return worst(said)
