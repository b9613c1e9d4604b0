"""Folders of verified copies for libraries that open files themselves: of this user alone, read-only, short-lived."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.deploy.reading import copy_to, open_asset
from lockflight.deploy.refusals import no_room

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockflight.core.release.release import Asset
    from lockflight.infra.files import Folder

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class PrivateCopies:
    """The copies of one loaded package; `remove` takes all of them away."""

    def __init__(self) -> None:
        self._made: list[Path] = []

    def make(self, folder: Folder, assets: Sequence[Asset], top: str) -> Path:
        """A new folder (0500) with the assets (0400), their names without `top`; nothing stays where one is refused.

        Raises:
            VerificationFailed: LF7510, LF7512.
            EnvironmentProblem: LF1008 a file cannot be read, LF7533 a copy cannot be written.
        """
        try:
            made = Path(tempfile.mkdtemp(prefix="lockflight-"))
        except OSError as error:
            raise no_room(top or "the package", error) from error
        self._made.append(made)
        try:
            for asset in assets:
                _copy(folder, asset, made / asset.name.removeprefix(top))
            for below in (made, *(path for path in made.rglob("*") if path.is_dir())):
                below.chmod(0o500)
        except OSError as error:
            _remove(made)
            raise no_room(top or "the package", error) from error
        except BaseException:
            _remove(made)
            raise
        return made

    def remove(self) -> None:
        """Take every copy away; what is gone already is no error."""
        while self._made:
            _remove(self._made.pop())


def _copy(folder: Folder, asset: Asset, target: Path) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    source = open_asset(folder, asset)
    try:
        fd = os.open(target, _NEW, 0o600)
        try:
            copy_to(source, asset, fd)
            os.fchmod(fd, 0o400)
        finally:
            os.close(fd)
    finally:
        source.close()


def _remove(made: Path) -> None:
    for folder, _, _ in os.walk(made):
        Path(folder).chmod(0o700)
    shutil.rmtree(made, ignore_errors=True)
