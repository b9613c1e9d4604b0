"""A folder opened for looking at: a workspace by its manifest, a package strictly and compared with its signature."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from lockflight.app.files.describe import describe, describe_guess
from lockflight.app.release.verify import signed_release
from lockflight.core.release.release import MANIFEST_NAME, SIGNATURE_NAME
from lockflight.errors import VerificationFailed
from lockflight.infra.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lockflight.app.files.describe import Described
    from lockflight.infra.progress import Progress


@contextmanager
def opened(folder: Path, *, guess: bool = False, progress: Progress = SILENT) -> Iterator[Described]:
    """Describe a workspace or a package.

    A folder with a signature is a package: nothing in it is skipped, and it must be the release that the signature
    names. Who signed is not asked; that is `verify`.

    Args:
        folder: which.
        guess: guess the roles where there is no manifest.
        progress: told about the bytes that are hashed.

    Raises:
        NotFound, InvalidInput, EnvironmentProblem: as `describe`.
        VerificationFailed: LF7336 the package is not the release that its signature names.
    """
    package = (folder / SIGNATURE_NAME).is_file()
    if guess and not package and not (folder / MANIFEST_NAME).is_file():
        described = describe_guess(folder, progress=progress)
    else:
        described = describe(folder, progress=progress, package=package)
    with described:
        if package:
            named = signed_release(folder)
            if named.digest != described.release.digest:
                raise VerificationFailed(
                    "LF7336",
                    f"The files in {folder.name} are the release {described.release.digest[:16]}, "
                    f"but {SIGNATURE_NAME} beside them names {named.name} {named.version} ({named.digest[:16]}).",
                    hint=f"lockflight verify {folder} says which file differs.",
                )
        yield described
