"""A check's subject on its way into a child process: JSON and descriptors."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from lockflight.core.attest.check import Grain, Subject
from lockflight.core.release.release import Asset, parse_release
from lockflight.core.shape import array, hex64, natural, obj, text
from lockflight.core.words import Role

if TYPE_CHECKING:
    from lockflight.core.canonical import JsonObject


def subject_to_json(subject: Subject) -> JsonObject:
    """Everything about a subject but the bytes of its assets."""
    release = subject.release
    return {
        "grain": subject.grain.value,
        "name": subject.name,
        "digest": subject.digest,
        "assets": [
            {
                "name": a.name,
                "role": a.role.value,
                "size": a.size,
                "sha256": a.sha256,
                "blake3": a.blake3,
                "media_type": a.media_type,
            }
            for a in subject.assets
        ],
        "release": None if release is None else base64.b64encode(release.payload).decode("ascii"),
    }


def subject_from_json(raw: JsonObject) -> Subject:
    """The subject again; at grain release the release is read from its canonical statement.

    Raises:
        KeyError, TypeError, ValueError, VerificationFailed: it is not what `subject_to_json` wrote.
    """
    payload = raw["release"]
    return Subject(
        grain=Grain(text(raw["grain"])),
        name=text(raw["name"]),
        digest=hex64(raw["digest"]),
        assets=tuple(_asset(obj(item)) for item in array(raw["assets"])),
        release=None if payload is None else parse_release(base64.b64decode(text(payload), validate=True)),
    )


def _asset(raw: JsonObject) -> Asset:
    return Asset(
        name=text(raw["name"]),
        role=Role(text(raw["role"])),
        size=natural(raw["size"]),
        sha256=hex64(raw["sha256"]),
        blake3=hex64(raw["blake3"]),
        media_type=text(raw["media_type"]),
    )
