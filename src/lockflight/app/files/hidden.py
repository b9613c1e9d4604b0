"""Models in the folders that a scan leaves out: version control data, caches, virtual environments.

Nobody looks there, and a configuration may still point a loader there. So what lies in them is looked at as far as its
first bytes or its name say that a loader would take it for a model or for a model's settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.app.files.guess import guess_name
from lockflight.core.words import MODEL_ROLES
from lockflight.errors import LockflightError
from lockflight.formats import media
from lockflight.formats.sniff import sniff
from lockflight.infra.files import FileKind
from lockflight.scan.declared import LOADED_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lockflight.infra.files import Folder

#: What loaders open whatever its name; of texts and unrecognised bytes only the names tell.
_OPENED = media.MODEL_TYPES | {media.ZIP, media.TAR}
#: Files of one folder that are judged although it is left out.
_MOST = 64


def hidden_models(
    folder: Folder, skipped: Sequence[str], excluded: Callable[[str], bool]
) -> Iterator[tuple[str, str]]:
    """Names of files that are left out and look like models, each with why it cannot be judged, or nothing.

    A folder with more of them than `_MOST`, as the libraries in a virtual environment have, stands for all of its own.

    Args:
        folder: what is scanned.
        skipped: the names that its listing left out, folders with a `/` at their end.
        excluded: whether the caller wants to hear nothing of a file.
    """
    if not skipped:
        return
    left = frozenset(skipped)
    try:
        entries = folder.listing(skip=False).entries
    except LockflightError as error:
        for name in skipped:
            yield name, f"it is left out, and cannot be looked through: {error.message.rstrip('.')}"
        return
    found: dict[str, list[str]] = {}
    for entry in entries:
        above = _above(entry.name, left)
        if not above or excluded(entry.name):
            continue
        if entry.kind is FileKind.FILE and _is_model(folder, entry.name):
            found.setdefault(above, []).append(entry.name)
        elif entry.kind is not FileKind.FILE and above == entry.name:
            yield entry.name, "it is a link, which is not followed"
    for above, names in found.items():
        if len(names) > _MOST:
            many = f"{len(names)} files in it look like models"
            yield above, f"it is left out, and {many} (--exclude, or scan it by name)"
        else:
            yield from ((name, "") for name in names)


def _above(name: str, left: frozenset[str]) -> str:
    """Which of the names that were left out it is, or lies in; empty for none."""
    if name in left:
        return name
    at = name.find("/")
    while at >= 0:
        if name[: at + 1] in left:
            return name[: at + 1]
        at = name.find("/", at + 1)
    return ""


def _is_model(folder: Folder, name: str) -> bool:
    base = name.rpartition("/")[2].lower()
    if base in LOADED_NAMES or guess_name(base).role in MODEL_ROLES:
        return True
    try:
        source = folder.open(name)
        try:
            kind = sniff(source)
        finally:
            source.close()
    except LockflightError:
        return True  # whoever opens it for the scan says why it cannot be read
    return kind in _OPENED
