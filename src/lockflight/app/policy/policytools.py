"""Tools for authors of policies: start a bundle, lint it, mutate it, pack it, compare it."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.app.policy.allowing import added_by, document, with_names
from lockflight.app.policy.inspect import shared_modules
from lockflight.app.policy.ownpolicy import NOT_ITS_FAULT
from lockflight.app.policy.policysource import is_address, policy_at
from lockflight.app.realm.realm import Realm
from lockflight.core.records import dataclass
from lockflight.core.state.policysig import SUFFIX as SIGNATURE_SUFFIX
from lockflight.core.state.policysig import SignedBundle
from lockflight.errors import EnvironmentProblem, LockflightError, PolicyDenied, UsageError
from lockflight.policy.archive import SUFFIX, archive_bytes, packed
from lockflight.policy.bundle import BITE, RULE_META, Bundle, folder_files, read_bundle
from lockflight.policy.difference import Change, changes
from lockflight.policy.engines.pool import Engines
from lockflight.policy.gate import PolicyGate
from lockflight.policy.mutation import Trial, all_mutants, trials
from lockflight.policy.scaffold import new_bundle
from lockflight.policy.shipped import pack, pack_files
from lockflight.policy.sources import files_at, read_path
from lockflight.policy.text.annotations import rule_metadata_file
from lockflight.policy.text.names import TEST_SUFFIX
from lockflight.signing.oms import make_bundle, sign_statement

if TYPE_CHECKING:
    from lockflight.app.policy.policysource import Trust
    from lockflight.infra.progress import Progress

#: What is wrong with a bundle that does not read: layout, lint, metadata.
_UNREADABLE = frozenset({"LF4005", "LF4006", "LF4007"})
#: How a pack is named where a folder or archive could stand.
PACK = "pack:"


def files_of(place: str) -> dict[str, bytes]:
    """The files of a bundle.

    Args:
        place: a folder, an archive, or `pack:NAME`.

    Raises:
        NotFound, InvalidInput, EnvironmentProblem: as `policy.sources.files_at` and `policy.shipped.pack_files`.
    """
    return pack_files(place.removeprefix(PACK)) if place.startswith(PACK) else files_at(Path(place))


def bundle_of(place: str) -> Bundle:
    """The bundle of a folder, an archive, or `pack:NAME`.

    Raises:
        NotFound, InvalidInput, EnvironmentProblem: as `files_of`; LF4005 to LF4007 it is no bundle.
    """
    return pack(place.removeprefix(PACK)) if place.startswith(PACK) else read_path(Path(place))


def create(name: str, out: Path, start: str = "") -> Bundle:
    """Write a new bundle into a folder that is not there yet, or empty.

    Args:
        name: of the bundle.
        out: the folder.
        start: a shipped pack, whose rules it keeps; empty for a rule of its own alone.

    Raises:
        NotFound: LF4024 there is no such pack.
        UsageError: LF0180 the name has another form; LF0181 the folder holds something.
        EnvironmentProblem: LF0905 it cannot be written.
    """
    files = new_bundle(name, start)
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise UsageError(
                "LF0181", f"{out} is not an empty folder.", hint="Name a folder that is not there yet."
            )
        for path, body in files.items():
            target = out / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                file.write(body)
    except OSError as error:
        raise _unwritable(out, error) from error
    return read_bundle(files)


@dataclass(frozen=True, slots=True)
class Linted:
    """What the lint says.

    Attributes:
        name: of the bundle, if it reads so far.
        issues: why it may not judge; empty when it may.
        written: whether rule_meta/data.json was written anew.
    """

    name: str
    issues: tuple[str, ...]
    written: bool = False


def lint(place: str, *, write: bool = False) -> Linted:
    """Everything that keeps a bundle from judging: how it is built, and what it says of its fixtures.

    Args:
        place: as in `files_of`.
        write: first write rule_meta/data.json from the `# METADATA` comments; for a folder only.

    Raises:
        UsageError: LF0107 `write` and no folder.
        NotFound, InvalidInput: there is no such bundle.
        EnvironmentProblem: LF0905 it cannot be written; LF4001, LF4002, LF4021, LF5xxx the machine cannot try it.
    """
    written = False
    try:
        written = write and _write_metadata(place)
        bundle = read_bundle(files_of(place))
    except EnvironmentProblem as error:
        if error.code not in _UNREADABLE:
            raise
        return Linted("", _told(error), written)
    return Linted(bundle.name, issues_of(bundle), written)


def issues_of(bundle: Bundle) -> tuple[str, ...]:
    """Why a bundle that reads may not judge: it is loaded by every engine that is here, and tries its fixtures.

    Raises:
        EnvironmentProblem: LF4001, LF4002, LF4021, LF5xxx the machine cannot try it.
    """
    missing = sorted(set(bundle.rules).difference(bundle.bites))
    if missing:
        return tuple(
            f"the rule {code} has no fixture bite/{code}.json that proves its bite" for code in missing
        )
    engines = Engines()
    found: dict[str, None] = {}
    try:
        added_by(bundle)
        for engine in engines.installed:
            bites = PolicyGate(bundle, engine).bites()
            found.update(dict.fromkeys(f"{BITE}{name}.json: {why}" for name, why in bites.items() if why))
    except LockflightError as error:
        if error.code in NOT_ITS_FAULT or error.code.startswith("LF5"):
            raise
        return (*found, *_told(error))
    finally:
        engines.close()
    return tuple(found)


def _told(error: LockflightError) -> tuple[str, ...]:
    """The lines of an error about a bundle."""
    listed = error.details.get("issues")
    if isinstance(listed, list):
        return tuple(str(issue) for issue in listed)
    more = " Write it with --write." if "expected" in error.details else ""
    return (f"{error.message}{more} ({error.code})",)


def _write_metadata(place: str) -> bool:
    folder = Path(place)
    if place.startswith(PACK) or not folder.is_dir():
        raise UsageError(
            "LF0107",
            "Only in a folder can rule_meta/data.json be written.",
            hint="lockflight policy lint FOLDER --write",
        )
    files = folder_files(folder)
    modules = {
        path: body.decode("utf-8", errors="replace")
        for path, body in files.items()
        if path.endswith(".rego") and not path.endswith(TEST_SUFFIX)
    }
    name = f"{RULE_META}/data.json"
    body = rule_metadata_file(modules)
    if files.get(name) == body:
        return False
    (folder / RULE_META).mkdir(exist_ok=True)
    write_file(folder / name, body)
    return True


def archive(place: str, out: Path, allow: str = "") -> Bundle:
    """Write a bundle as one archive.

    Args:
        place: as in `files_of`.
        out: the archive.
        allow: a file with names that it adds to the allow-list from now on, instead of those that it adds already.

    Raises:
        InvalidInput: LF2302 the names do not read.
        UsageError: LF0182 the file's name does not end in .tar.gz.
        PolicyDenied: LF0213 it may not judge.
        NotFound, InvalidInput, EnvironmentProblem: as `bundle_of`; LF0905 it cannot be written.
    """
    if not out.name.endswith(SUFFIX):
        raise UsageError(
            "LF0182",
            f"{out.name} does not end in {SUFFIX}.",
            hint=f"Name it {out.name.partition('.')[0]}{SUFFIX}.",
        )
    files = files_of(place)
    bundle = read_bundle(files)
    if allow:
        files = with_names(files, document(allow))
        bundle = read_bundle(files)
    added_by(bundle)
    may_judge(issues_of(bundle), place)
    write_file(out, packed(files))
    return bundle


def may_judge(issues: tuple[str, ...], place: str) -> None:
    """See that nothing keeps a bundle from judging.

    Raises:
        PolicyDenied: LF0213 something does; `details["issues"]` lists it.
    """
    if issues:
        more = f" (and {len(issues) - 1} more)" if len(issues) > 1 else ""
        raise PolicyDenied(
            "LF0213",
            f"The policy may not judge: {issues[0].rstrip('.')}{more}.",
            hint=f"Mend that, and see with: lockflight policy lint {place}",
            details={"issues": list(issues)},
        )


def sign_archive(home: Path, realm_name: str, actor: str, out: Path, bundle: Bundle) -> tuple[Path, str]:
    """Sign a written archive with a person's key; the signature lies beside it. Nothing is logged.

    Returns:
        Where the signature is, and the id of the key.

    Raises:
        UsageError: LF0111, LF0112 who signs.
        EnvironmentProblem: LF0905 it cannot be written, LF50xx the realm or the key.
    """
    person = Realm(home, realm_name).actor(actor)
    archive = hashlib.sha256(archive_bytes(out)).hexdigest()
    said = SignedBundle(bundle.name, bundle.version, bundle.digest, archive)
    envelope = sign_statement(said.statement(), person.signer)
    place = out.with_name(out.name + SIGNATURE_SUFFIX)
    write_file(place, make_bundle(envelope, person.signer.public_key.pem))
    return place, person.signer.keyid


def difference(before: str, after: str, trust: Trust) -> tuple[Bundle, Bundle, tuple[Change, ...]]:
    """Two bundles, and all in which they differ.

    Args:
        before: as in `files_of`, or an address.
        after: the same.
        trust: what can vouch for archives and addresses; folders and packs are read as they are.

    Raises:
        NotFound, InvalidInput, EnvironmentProblem: as `bundle_of`.
        UsageError, VerificationFailed: as `app.policysource.policy_at`.
    """
    old, new = (
        policy_at(place, trust).bundle
        if is_address(place) or (trust.key is not None and Path(place).is_file())
        else bundle_of(place)
        for place in (before, after)
    )
    return old, new, changes(old, new)


@dataclass(frozen=True, slots=True)
class Mutated:
    """How much of what could go wrong in a bundle its lint, fixtures and tests notice.

    Attributes:
        trials: one for each mutant that was tried.
        shared: modules left out, since they are the same as in the shipped packs and tested there.
    """

    trials: tuple[Trial, ...]
    shared: tuple[str, ...]

    @property
    def survivors(self) -> list[Trial]:
        """Wrongs that nobody noticed."""
        return [trial for trial in self.trials if not trial.noticed]

    @property
    def score_ppm(self) -> int:
        """Share of the mutants that were noticed, in parts per million."""
        return 1_000_000 * (len(self.trials) - len(self.survivors)) // max(1, len(self.trials))


def mutate(bundle: Bundle, progress: Progress, *, every: int = 1) -> Mutated:
    """Try the mutants of a bundle.

    Args:
        bundle: the bundle as it is.
        progress: where to tell how far it is.
        every: 1 for all of them, 10 for each tenth, and so on.

    Raises:
        EnvironmentProblem: LF4001, LF4002 there is no engine.
    """
    shared = shared_modules(bundle)
    chosen = [mutant for mutant in all_mutants(bundle) if mutant.path not in shared][::every]
    engines = Engines()
    done: list[Trial] = []
    try:
        progress.begin("mutants", len(chosen))
        for trial in trials(bundle, chosen, engines.regorus):
            done.append(trial)
            progress.advance(1)
    finally:
        progress.end()
        engines.close()
    return Mutated(tuple(done), shared)


def write_file(path: Path, body: bytes) -> None:
    """Write a file as a whole, so that no half of it is ever seen.

    Raises:
        EnvironmentProblem: LF0905 the system refuses.
    """
    temporary = ""
    try:
        number, temporary = tempfile.mkstemp(prefix=".lockflight-", dir=path.parent)
        with os.fdopen(number, "wb") as file:
            file.write(body)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> EnvironmentProblem:
    return EnvironmentProblem(
        "LF0905", f"{path} cannot be written: {error.strerror}.", hint="Name a place in a folder of your own."
    )
