"""`dataset croissant`: a description of data for other tools, made from a workspace, checked against its files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lockflight.app.files.describe import describe
from lockflight.app.log.cosign import read_in, write_out
from lockflight.core.records import dataclass
from lockflight.core.release.datacard import DATA_ROLES
from lockflight.errors import InvalidInput, LockflightError, NotFound, VerificationFailed
from lockflight.formats.croissant import MAX_BYTES, NAME, BadCroissant, croissant_of, parse_croissant
from lockflight.infra.files import Folder
from lockflight.infra.hashing import sha256_source
from lockflight.infra.progress import SILENT

if TYPE_CHECKING:
    from pathlib import Path

    from lockflight.formats.croissant import Croissant
    from lockflight.infra.progress import Progress


@dataclass(frozen=True, slots=True)
class Described:
    """A description that holds, and whose files are those that it names.

    Attributes:
        path: of the description.
        croissant: what it says.
        checked: how many files were hashed and compared; members of archives are not.
    """

    path: Path
    croissant: Croissant
    checked: int


def write_croissant(folder: Path, *, progress: Progress = SILENT) -> Described:
    """Describe the data of a workspace in its `croissant.json`, and check that.

    Raises:
        NotFound: LF1034 the workspace has no data; as `describe`.
        InvalidInput: as `describe`.
        EnvironmentProblem: LF5052 it cannot be written.
    """
    with describe(folder, progress=progress) as described:
        assets = [asset for asset in described.release.assets if asset.role in DATA_ROLES]
        if not assets:
            raise NotFound(
                "LF1034",
                f"Nothing in {folder} has a role of data.",
                hint="Give files the role dataset, eval-set or knowledge-base in lockflight.toml.",
            )
        found = croissant_of(described.release.name, assets)
        described.recheck()
    write_out(folder / NAME, json.dumps(found, indent=2, ensure_ascii=False).encode() + b"\n")
    return check_croissant(folder, progress=progress)


def check_croissant(path: Path, *, progress: Progress = SILENT) -> Described:
    """Check a description, and each file that it names by its SHA-256.

    Args:
        path: the description, or the folder in which it lies as `croissant.json`.
        progress: told about bytes.

    Raises:
        NotFound: LF5035 there is none.
        InvalidInput: LF1028 it does not hold together.
        VerificationFailed: LF7351 a file is missing, or is not the one that it names.
    """
    place = path / NAME if path.is_dir() else path
    if path.is_dir() and not place.exists():
        raise NotFound(
            "LF5035",
            f"There is no file {place}.",
            hint=f"lockflight dataset croissant {path} --write makes one from lockflight.toml.",
        )
    try:
        found = parse_croissant(read_in(place, MAX_BYTES))
    except BadCroissant as error:
        raise InvalidInput(
            "LF1028",
            f"{place} is no description that can be relied on: {error}.",
            hint="lockflight dataset croissant FOLDER --write makes one from lockflight.toml.",
        ) from None
    checked = 0
    with Folder(place.parent) as folder:
        progress.begin("hashing", sum(_size(folder, one.path) for one in found.files if one.path))
        try:
            for one in found.files:
                if one.path:
                    progress.advance(_compare(folder, one.path, one.sha256))
                    checked += 1
        finally:
            progress.end()
    return Described(place, found, checked)


def _size(folder: Folder, name: str) -> int:
    try:
        return folder.size(name)
    except (LockflightError, OSError):
        return 0


def _compare(folder: Folder, name: str, sha256: str) -> int:
    try:
        source = folder.open(name)
    except LockflightError as error:
        raise _other(name, error.message) from None
    try:
        if sha256_source(source) != sha256:
            raise _other(name, "its sha256 is another")
        return source.size
    finally:
        source.close()


def _other(name: str, why: str) -> VerificationFailed:
    return VerificationFailed(
        "LF7351",
        f"{name!a} is not the file that the description names: {why.rstrip('.')}.",
        hint="Get the data again, or describe them again: lockflight dataset croissant FOLDER --write",
    )
