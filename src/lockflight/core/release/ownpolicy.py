"""A release's own policy: which of its assets are the bundle, and their digest. Pure.

The bundle is part of the release: a folder of it, or one archive. Its digest is made from the digests of these assets,
so whoever reads the signed statement of a release knows it without the bytes.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from lockflight.core.canonical import dumps
from lockflight.core.shape import hex64, obj, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lockflight.core.canonical import JsonObject, JsonValue

ARCHIVE = ".tar.gz"
#: A plain relative path: no `.` or `..` alone, no empty part, nothing that a pattern or a shell would read.
PLACE_PATTERN = r"^(?!.*(?:^|/)\.{1,2}(?:/|$))[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*$"
MAX_PLACE = 255


def is_place(word: str) -> bool:
    """Whether a word may say where the bundle lies."""
    return len(word) <= MAX_PLACE and re.fullmatch(PLACE_PATTERN, word, re.ASCII) is not None


def inside(place: str, name: str) -> bool:
    """Whether an asset belongs to the bundle of that place."""
    return name == place if place.endswith(ARCHIVE) else name.startswith(f"{place}/")


def files_digest(files: Mapping[str, str]) -> str:
    """SHA-256 (hex) of some files from the SHA-256 (hex) of each by path."""
    return hashlib.sha256(dumps([[path, files[path]] for path in sorted(files)])).hexdigest()


def own_digest(place: str, assets: Iterable[tuple[str, str]]) -> str:
    """Digest of the bundle: of its files by their paths in it, or of the archive; empty where there is none.

    Args:
        place: folder or archive.
        assets: name and SHA-256 (hex) of every asset of the release.
    """
    files = {name: sha256 for name, sha256 in assets if inside(place, name)}
    if place.endswith(ARCHIVE):
        return files.get(place, "")
    return files_digest({name.removeprefix(f"{place}/"): files[name] for name in files}) if files else ""


def own_json(place: str, digest: str) -> JsonObject:
    """How statements and facts name an own policy."""
    return {"bundle": place, "sha256": digest}


def own_from_json(raw: JsonValue) -> tuple[str, str]:
    """Place and digest.

    Raises:
        TypeError, ValueError: another shape.
    """
    value = obj(raw)
    if set(value) != {"bundle", "sha256"}:
        raise ValueError("another form than {bundle, sha256}")
    place = text(value["bundle"])
    if not is_place(place):
        raise ValueError("bundle: no place in a release")
    return place, hex64(value["sha256"])


def own_in_facts(facts: JsonObject) -> str:
    """Digest of the own policy of the release that facts are about; empty where it has none.

    Raises:
        KeyError, TypeError, ValueError: another shape, or a digest that is not that of its assets.
    """
    release = obj(facts["release"])
    if "policy" not in release:
        return ""
    place, digest = own_from_json(release["policy"])
    rows = release["assets"]
    assets = [(text(obj(a)["name"]), text(obj(a)["digest"])) for a in rows] if isinstance(rows, list) else []
    if own_digest(place, assets) != digest:
        raise ValueError("release.policy: not the digest of its assets")
    return digest
