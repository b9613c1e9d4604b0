"""Names of assets: relative POSIX paths that mean the same file on every system.

Refused before any disk access: absolute paths, `.` and `..` parts, backslashes and drive letters, NUL and control
characters, non-UTF-8 bytes, names that collide by case or Unicode normal form, duplicates, git's own files.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from lockflight.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_NAME_BYTES = 1024
MAX_PART_BYTES = 255

#: Control and format characters (bidirectional ones among them) and line separators: a name must show what it is.
_HIDDEN = frozenset({"Cc", "Cf", "Zl", "Zp"})

#: Never part of a package: stock verifiers ignore changes below these names.
GIT_NAMES = frozenset({".git", ".gitignore", ".gitattributes", ".github"})

_RESERVED_WINDOWS = frozenset({"con", "prn", "aux", "nul"}) | {
    f"{d}{i}" for d in ("com", "lpt") for i in range(1, 10)
}

#: Names about which nothing is in doubt, as nearly all are; every rule of `check_name` holds for them.
_PART = (
    r"(?!(?:con|prn|aux|nul|(?:com|lpt)[1-9])(?:[./]|\Z))"
    r"[a-z0-9_-](?:[a-z0-9._+-]{0,200}[a-z0-9_+-])?"
)
_PLAIN = re.compile(rf"(?!.{{{MAX_NAME_BYTES}}}.)(?:{_PART}/)*{_PART}", re.ASCII | re.IGNORECASE)


def check_name(name: str) -> None:
    """Refuse a name that could leave the folder, hide, or mean two things.

    Raises:
        InvalidInput: LF1010 empty or too long, LF1011 absolute, LF1012 `.`/`..`/empty part, LF1013 hidden
            character, colon, backslash or a name that Windows reserves, LF1014 not UTF-8, LF1015 git's own files.
    """
    if not _PLAIN.fullmatch(name):
        _check_fully(name)


def _check_fully(name: str) -> None:
    try:
        encoded = name.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidInput(
            "LF1014",
            f"The name {name!a} is not valid UTF-8.",
            hint="Rename the file, or exclude it in lockflight.toml.",
        ) from None
    if not name or len(encoded) > MAX_NAME_BYTES:
        raise InvalidInput(
            "LF1010", f"The name {name[:80]!r} is empty or longer than {MAX_NAME_BYTES} bytes."
        )
    if name.startswith("/") or (len(name) > 1 and name[1] == ":" and name[0].isalpha()):
        raise InvalidInput(
            "LF1011",
            f"The name {name!r} is absolute.",
            hint="Names are relative to the folder of lockflight.toml.",
        )
    if any(c in "\\:" or unicodedata.category(c) in _HIDDEN for c in name):
        raise InvalidInput(
            "LF1013",
            f"The name {name!a} holds a hidden character, a colon or a backslash.",
            hint="Rename the file.",
        )
    for part in name.split("/"):
        _check_part(name, part)


def _check_part(name: str, part: str) -> None:
    if part in {"", ".", ".."}:
        raise InvalidInput(
            "LF1012",
            f"The name {name!r} has the part {part!r}, which could leave the folder.",
            hint="Use a plain relative path.",
        )
    if len(part.encode("utf-8")) > MAX_PART_BYTES:
        raise InvalidInput(
            "LF1010", f"A part of the name {name[:80]!r} is longer than {MAX_PART_BYTES} bytes."
        )
    if part.rstrip(" .") != part or part.split(".", maxsplit=1)[0].casefold() in _RESERVED_WINDOWS:
        raise InvalidInput(
            "LF1013",
            f"The name {name!r} ends in a dot or space or is reserved on Windows, so it means another file there.",
            hint="Rename the file.",
        )
    if part.casefold() in GIT_NAMES:
        raise InvalidInput(
            "LF1015",
            f"The name {name!r} lies in git's own files, which are never in a package: other verifiers skip them.",
            hint="Remove the rule that names it.",
        )


def readable_name(name: str) -> str:
    r"""A file's name as text that can be written anywhere: a byte that is no UTF-8 stands as `\udcff`."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def fold_name(name: str) -> str:
    """The form under which two names collide on some system (NFC of the case-folded NFKD-free name)."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def check_names(names: Iterable[str]) -> None:
    """Check every name and that no two of them can be one file, and that no name is a folder of another.

    Raises:
        InvalidInput: as `check_name`; LF1016 duplicate, LF1017 collision by case or Unicode form, LF1018 a name
            that is also the folder of another.
    """
    seen: dict[str, str] = {}
    folders: dict[str, str] = {}
    listed = list(names)
    for name in listed:
        check_name(name)
        key = fold_name(name)
        other = seen.get(key)
        if other == name:
            raise InvalidInput(
                "LF1016", f"The name {name!r} is listed twice.", hint="Name each file in one place."
            )
        if other is not None:
            raise InvalidInput(
                "LF1017",
                f"The names {other!r} and {name!r} differ only by case or Unicode form: one file on some systems.",
                hint="Rename one of them.",
            )
        seen[key] = name
        folder = key.rpartition("/")[0]
        while folder and folder not in folders:
            folders[folder] = name
            folder = folder.rpartition("/")[0]
    for key, name in seen.items():
        if key in folders:
            raise InvalidInput(
                "LF1018",
                f"{name!r} is a file and also the folder of {folders[key]!r}.",
                hint="Rename one of them.",
            )
