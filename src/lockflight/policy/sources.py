"""Where bundles come from: a folder, or one archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.policy.archive import archive_files
from lockflight.policy.bundle import Bundle, folder_files, read_bundle

if TYPE_CHECKING:
    from pathlib import Path


def files_at(path: Path) -> dict[str, bytes]:
    """The files of a bundle, by their paths in it.

    Raises:
        NotFound: LF1009 there is nothing of that name.
        EnvironmentProblem: LF4005 it holds what no bundle holds, or too much; LF5xxx it cannot be read.
        InvalidInput: it is a link or no regular file.
    """
    return archive_files(path) if path.is_file() else folder_files(path)


def read_path(path: Path) -> Bundle:
    """The bundle in a folder or archive.

    Raises:
        NotFound, InvalidInput: as `files_at`.
        EnvironmentProblem: LF4005 to LF4007 it is no bundle; LF5xxx it cannot be read.
    """
    return read_bundle(files_at(path))
