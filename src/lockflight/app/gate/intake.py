"""`lockflight intake`: what others made comes in through the gate of the environment `intake`, or not at all.

A file or folder that was downloaded is described by looking at it (a manifest of its maker is not obeyed), checked,
judged, and only then named by an intake record: exactly those bytes, where they are said to be from, and under which
licence. Nothing is fetched here.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import lockflight
from lockflight.app.files.describe import describe_guess
from lockflight.app.gate.check import run_checks
from lockflight.app.gate.judge import Gate
from lockflight.app.provenance.inputs import has_password
from lockflight.app.realm.realm import open_realm
from lockflight.app.release.foreign import (
    NOBODY,
    Asked,
    check_asked,
    read_signature,
    verify_signature,
    with_digests,
)
from lockflight.core.attest.provenance import Authors, Intake, Run
from lockflight.core.attest.signedby import MakerSignature
from lockflight.core.attest.statement import SubjectRef
from lockflight.core.facts.facts import missing
from lockflight.core.records import dataclass
from lockflight.core.release.release import MANIFEST_NAME, SIGNATURE_NAME
from lockflight.core.times import rfc3339
from lockflight.core.verify.foreign import Mode
from lockflight.core.verify.leftout import judge_files
from lockflight.core.verify.package import MISSING, FoundFile, require_equal
from lockflight.core.words import INTAKE
from lockflight.errors import EvidenceMissing, NotFound, PolicyDenied, UsageError
from lockflight.infra.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockflight.app.files.describe import Described
    from lockflight.app.gate.check import Ran
    from lockflight.app.gate.judge import Judgement
    from lockflight.core.ports import Receipt
    from lockflight.core.release.release import Release
    from lockflight.core.words import Kind
    from lockflight.infra.progress import Progress

MAX_CONTEXT = 2_000
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):", re.ASCII)
_URI = re.compile(r"[a-z][a-z0-9+.-]+:[!-~]+", re.ASCII)
_LICENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+() :/-]{0,199}", re.ASCII)
#: How to get hold of something first, by the scheme of its URI.
_DOWNLOADS = {
    "https": "curl -fLO {uri}",
    "http": "curl -fLO {uri}",
    "hf": "hf download NAME --local-dir FOLDER",
    "s3": "aws s3 cp --recursive {uri} FOLDER",
    "gs": "gcloud storage cp -r {uri} FOLDER",
    "oci": "oras pull REFERENCE -o FOLDER",
    "docker": "oras pull REFERENCE -o FOLDER",
    "git+https": "git clone --depth 1 URL FOLDER",
    "pkg": "pip download --no-deps NAME==VERSION -d FOLDER",
}


@dataclass(frozen=True, slots=True)
class Offer:
    """What wants to come in.

    Attributes:
        what: a path, or a `file:` URI.
        kind: what it is; None to guess.
        origin: where it was downloaded from, as its user says; empty for its own file name.
        licence: SPDX expression, or empty.
        context: how the data was collected, or the model trained; may be empty.
        signature: an OpenSSF Model Signing bundle of its maker; None for the one in the folder.
        maker: who must have signed, and how strictly that is read; nobody where nobody is asked for.
    """

    what: str
    kind: Kind | None = None
    origin: str = ""
    licence: str = ""
    context: str = ""
    signature: Path | None = None
    maker: Asked = NOBODY


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What came in.

    Attributes:
        release: as it was described.
        intake: the record.
        receipt: its place in the log.
        judgement: the gate's verdict, recorded.
        ran: checks that ran now.
        realm: name of the realm.
    """

    release: Release
    intake: Intake
    receipt: Receipt
    judgement: Judgement
    ran: tuple[Ran, ...]
    realm: str


def take_in(
    home: Path,
    realm_name: str,
    offer: Offer,
    *,
    actor: str,
    clock: Callable[[], int],
    workers: int = 0,
    progress: Progress = SILENT,
) -> TakenIn:
    """Describe, verify its maker's signature, check, judge, and record.

    Raises:
        UsageError: LF4580 a URI that is not fetched here, LF4583 an option that is not of its form, LF0111, LF0112
            who acts.
        NotFound: LF0117 there is no such file or folder.
        InvalidInput: LF1xxx it cannot be described.
        PolicyDenied: LF4581 the gate denies it; the decision is in the log all the same.
        EvidenceMissing: LF4582 checks did not finish.
        VerificationFailed: LF71xx, LF73xx its signature, LF72xx the realm's log.
    """
    path = _path(offer.what)
    _check(offer)
    realm = open_realm(home, realm_name)
    producer = realm.producer(actor)
    robot = realm.machine(actor) if actor else None
    person = (robot or realm.actor(actor)).principal
    gate = Gate(realm)
    started = clock()
    with ExitStack() as stack:
        described = stack.enter_context(
            describe_guess(_folder(path, stack), kind=offer.kind, progress=progress)
        )
        release = described.release
        signer, signature = _verified(path, described, offer, home=home, realm=realm.name, now=started)
        required = gate.required(release, INTAKE)
        pairs = missing(release, gate.checks(INTAKE, started), required, realm.state, started)
        ran = run_checks(
            home, realm, described, pairs, now=started, actor=actor, workers=workers, progress=progress
        )
        described.recheck()
        now = max(started, clock())
        judgement = gate.judge(
            release=release,
            environment=INTAKE,
            view=realm.view,
            state=realm.state,
            requester=person,
            now=now,
        )
        judgement = gate.record(realm, release, judgement, now)
        if not judgement.decision.allow:
            raise _refusal(path, judgement)
        intake = Intake(
            uri=offer.origin or f"file:{path.name}",
            kind=release.kind.value,
            licence=offer.licence,
            context=offer.context,
            products=tuple(
                SubjectRef(asset.name, asset.sha256)
                for asset in release.assets
                if asset.name != MANIFEST_NAME
            ),
            decision=judgement.recorded,
            run=Run(
                builder=f"https://lockflight.dev/builder/{realm.state.trust.origin}",
                versions=(("lockflight", lockflight.__version__),),
                invocation=f"urn:lockflight:run:{secrets.token_hex(16)}",
                started=rfc3339(started),
                finished=rfc3339(now),
                authors=Authors((person,), complete=True),
            ),
            signer=signer,
            signature=signature,
        )
        receipt = realm.append([(intake.statement(), producer)])[0]
    return TakenIn(release, intake, receipt, judgement, tuple(ran), realm.name)


def _path(word: str) -> Path:
    found = _SCHEME.match(word)
    if found is not None and not Path(word).exists():
        parts = urlsplit(word)
        if parts.scheme != "file":
            command = _DOWNLOADS.get(parts.scheme, "").format(uri=word)
            raise UsageError(
                "LF4580",
                f"{word!r} is not fetched: what comes in is a file or folder that is here already.",
                hint=(f"{command}, then: " if command else "Download it, then: ")
                + f"lockflight intake PATH --from {word}",
            )
        if parts.netloc not in {"", "localhost"}:
            raise UsageError(
                "LF4580", f"{word!r} names another machine.", hint="file:///absolute/path, or a plain path."
            )
        word = unquote(parts.path)
    path = Path(word)
    if path.is_symlink() or not path.exists():
        raise NotFound(
            "LF0117",
            f"{word} is a symbolic link." if path.is_symlink() else f"{word} is not there.",
            hint="Name the file or folder itself.",
        )
    return path


def _check(offer: Offer) -> None:
    problem = ""
    check_asked(offer.maker)
    if offer.signature is not None and not offer.maker:
        problem = (
            "--signature says nothing without who must have signed (--key, --certificate-chain or --identity)"
        )
    elif offer.origin and (not _URI.fullmatch(offer.origin) or has_password(offer.origin)):
        problem = "--from takes a URI without spaces and passwords"
    elif offer.licence and not _LICENCE.fullmatch(offer.licence):
        problem = "--licence takes an SPDX expression, such as Apache-2.0"
    elif len(offer.context) > MAX_CONTEXT or not all(c.isprintable() or c == "\n" for c in offer.context):
        problem = f"--context takes at most {MAX_CONTEXT} characters of plain text"
    if problem:
        raise UsageError("LF4583", f"{problem[0].upper()}{problem[1:]}.", hint="lockflight intake --help")


def _folder(path: Path, stack: ExitStack) -> Path:
    """The folder itself; for a file, a folder with nothing else in it: the same bytes, linked where that works."""
    if path.is_dir():
        return path
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lockflight-intake-"))) / path.stem
    folder.mkdir()
    try:
        os.link(path, folder / path.name, follow_symlinks=False)
    except OSError:  # another file system, or one that has no links
        shutil.copyfile(path, folder / path.name)
    return folder


def _verified(
    path: Path, described: Described, offer: Offer, *, home: Path, realm: str, now: int
) -> tuple[str, MakerSignature | None]:
    """Check the maker's signature against the very bytes that are judged.

    Rules by which its signer left files out are obeyed in no profile: what comes in was signed, or it stays out.

    Returns:
        The id of the key that signed, or nothing; and how that was verified, unless it was strictly and by key.
    """
    if not offer.maker:
        return "", None
    data = read_signature(offer.signature or path / SIGNATURE_NAME)
    manifest = verify_signature(data, offer.maker, home=home, realm_name=realm, now=now)
    found = {a.name: FoundFile(a.sha256, a.size, blake3=a.blake3) for a in described.release.assets}
    del found[MANIFEST_NAME]
    found = with_digests(manifest, found, described.sources)
    # What is no asset does not come in, so it may be missing here; what comes in must be signed.
    left = {MANIFEST_NAME, *(e.name for e in described.excluded)}
    problems, relaxations = judge_files(manifest, found, obey=False)
    problems = [
        problem
        for problem in problems
        if problem.code != MISSING
        or not (problem.name in left or any(_below(problem.name, s) for s in described.skipped))
    ]
    require_equal(problems, what=f"What is in {path.name}")
    maker = manifest.maker
    if maker.method == "key" and manifest.mode is Mode.STRICT:
        return maker.key.keyid, None
    return maker.key.keyid, MakerSignature(
        mode=manifest.mode.value,
        method=maker.method,
        identity=maker.identity,
        issuer=maker.issuer,
        certificate=maker.certificate,
        signed_at=rfc3339(maker.times_ms[0] // 1000) if maker.times_ms else "",
        relaxations=tuple(one.name for one in relaxations),
    )


def _below(name: str, skipped: str) -> bool:
    return name == skipped or (skipped.endswith("/") and name.startswith(skipped))


def _refusal(path: Path, judgement: Judgement) -> PolicyDenied | EvidenceMissing:
    violations = judgement.decision.violations
    lines = " ".join(f"{v.code} {v.msg}" for v in violations)
    details: dict[str, object] = {
        "violations": [{"code": v.code, "message": v.msg, "fix": v.solution} for v in violations],
        "decision": judgement.recorded,
    }
    if judgement.exit_code == EvidenceMissing.exit_code:
        return EvidenceMissing(
            "LF4582",
            f"{path.name} was not judged to the end, so it does not come in: {lines}",
            hint="lockflight doctor says what is missing; then run intake again.",
            details=details,
        )
    return PolicyDenied(
        "LF4581",
        f"The gate does not let {path.name} in: {lines}",
        hint=f"lockflight scan {path} shows what was found; get another version of it.",
        details=details,
    )
