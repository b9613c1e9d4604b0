"""Where bundles come from: a folder, or one archive."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lockflight.errors import NotFound
from lockflight.policy.archive import archive_files
from lockflight.policy.bundle import Bundle, folder_files, read_bundle

if TYPE_CHECKING:
    from pathlib import Path


#: A path has one slash where an address has two.
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:/", re.IGNORECASE | re.ASCII)


def files_at(path: Path) -> dict[str, bytes]:
    """The files of a bundle, by their paths in it.

    Raises:
        NotFound: LF1009 there is nothing of that name.
        EnvironmentProblem: LF4005 it holds what no bundle holds, or too much; LF5xxx it cannot be read.
        InvalidInput: it is a link or no regular file.
    """
    if path.is_file():
        return archive_files(path)
    if not path.is_dir() and not path.is_symlink():
        address = _SCHEME.match(str(path)) is not None
        raise NotFound(
            "LF1009",
            f"{path} is an address; this verb reads a folder or an archive."
            if address
            else f"There is no policy bundle {path}.",
            hint="Fetch the archive first; show, test and adopt read addresses themselves."
            if address
            else "Name a folder or a .tar.gz of a bundle, or a pack: lockflight policy show --pack strict",
        )
    return folder_files(path)


def read_path(path: Path) -> Bundle:
    """The bundle in a folder or archive.

    Raises:
        NotFound, InvalidInput: as `files_at`.
        EnvironmentProblem: LF4005 to LF4007 it is no bundle; LF5xxx it cannot be read.
    """
    return read_bundle(files_at(path))
