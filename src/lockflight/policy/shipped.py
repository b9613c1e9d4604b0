"""The packs that ship with Lockflight, and how one is put together from folders so that no rule is written twice.

A pack's `.manifest` may name folders under `metadata.includes`: other packs, or parts, which hold a few rules with
their fixtures and are no bundle of their own. What comes later is laid over what came before:

    .manifest        roots and required rules are joined; what else it says replaces
    data.json        a JSON Merge Patch on what is there, the same for rule_meta/data.json
    bite/base.json   a list is a JSON Patch on the facts that are there
    bite/*.json      replace
    everything else  may be there only once

The result is a bundle like any other: complete, with a digest over its own files, to be written out and compared.
Bundles of users include nothing, so that their digest depends on nothing but themselves.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

from lockflight.core.canonical import loads_strict
from lockflight.core.shape import array, obj, text, texts
from lockflight.errors import NotFound
from lockflight.policy.bundle import BASE, BITE, MANIFEST, SHIPPED, Bundle, read_bundle, resource_files
from lockflight.policy.patch import merged, patched

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from lockflight.core.canonical import JsonObject, JsonValue

#: Name to what it is for.
PACKS: Mapping[str, str] = {
    "baseline": "What every release must meet.",
    "strict": "Recorded provenance, whole separation of duties, few waivers, fresh evidence, two engines everywhere.",
    "high-risk": "High-risk AI systems under the EU AI Act: papers, data and provenance, whatever tier is claimed.",
    "llm-app": "Applications on language models: prompts, rules and tests are kept, hosted models are dated.",
    "agent": "Agents: as llm-app, with guard policy, tool manifest and pinned tool servers.",
}


#: What `laid_over` calls the folder below: no name that a bundle may have.
_BELOW = "below/"


def pack(name: str, known: Collection[str] = ()) -> Bundle:
    """A shipped pack.

    Args:
        name: of the pack.
        known: as in `read_bundle`.

    Raises:
        NotFound: LF4024 there is none of that name.
        EnvironmentProblem: LF4005 to LF4007 the installation is damaged.
    """
    return _pack(name, frozenset(known))


@cache
def _pack(name: str, known: frozenset[str]) -> Bundle:
    return read_bundle(pack_files(name), known)


def pack_files(name: str) -> dict[str, bytes]:
    """The files of a shipped pack as a complete bundle.

    Raises:
        NotFound: LF4024 there is none of that name.
    """
    if name not in PACKS:
        raise NotFound(
            "LF4024",
            f"There is no pack {name!r}; known are {', '.join(PACKS)}.",
            hint="lockflight policy show --help",
        )
    return compose(name, _folder)


def compose(name: str, folder: Callable[[str], Mapping[str, bytes]]) -> dict[str, bytes]:
    """A bundle from its own folder and those that it includes, each taken once.

    Args:
        name: of the folder.
        folder: name to the folder's files by path.

    Raises:
        ValueError, KeyError, TypeError: folders do not fit together.
    """
    order = _order(name, folder)
    if order == [name]:
        return dict(folder(name))
    files: dict[str, bytes] = {}
    for part in order:
        for path, body in folder(part).items():
            files[path] = _joined(path, files[path], body) if path in files else _first(path, body)
    return files


def laid_over(name: str, above: Mapping[str, bytes], below: Mapping[str, bytes]) -> dict[str, bytes]:
    """A bundle of its own: the files of one folder over those of another, as packs are put together.

    Raises:
        ValueError, KeyError, TypeError: they do not fit together.
    """
    own = obj(_json(above[MANIFEST]))
    meta: JsonObject = {**obj(own["metadata"]), "includes": [_BELOW]}
    own["metadata"] = meta
    parts = {name: {**above, MANIFEST: as_json(own)}, _BELOW: below}
    return compose(name, parts.__getitem__)


def _order(name: str, folder: Callable[[str], Mapping[str, bytes]]) -> list[str]:
    """Included folders first, each once."""
    found: dict[str, None] = {}
    meta = obj(obj(_json(folder(name)[MANIFEST]))["metadata"])
    for part in texts(meta.get("includes", [])):
        found.update(dict.fromkeys(_order(part, folder)))
    return [*found, name]


def _first(path: str, body: bytes) -> bytes:
    return as_json(_manifest({}, obj(_json(body)))) if path == MANIFEST else body


def _joined(path: str, below: bytes, above: bytes) -> bytes:
    if path == MANIFEST:
        return as_json(_manifest(obj(_json(below)), obj(_json(above))))
    if path == "data.json" or path.endswith("/data.json"):
        return as_json(merged(_json(below), _json(above)))
    if path == BASE:
        document, change = _json(below), array(_json(above))
        if isinstance(document, list):
            return as_json([*document, *change])
        return as_json(patched(obj(document), change))
    if path.startswith(BITE):
        return above
    raise ValueError(f"{path} is written twice")


def _manifest(below: JsonObject, above: JsonObject) -> JsonObject:
    result = obj(merged(below, above))
    meta = obj(result["metadata"])
    meta.pop("includes", None)
    old = obj(below.get("metadata", {}))
    meta["required_rules"] = [*sorted({*_words(old, "required_rules"), *_words(meta, "required_rules")})]
    result["roots"] = [*sorted({*_words(below, "roots"), *_words(above, "roots")})]
    return result


def _words(place: JsonObject, key: str) -> list[str]:
    return [text(word) for word in array(place.get(key, []))]


def _json(body: bytes) -> JsonValue:
    return loads_strict(body, what="pack", max_bytes=len(body))


def as_json(value: JsonValue) -> bytes:
    """JSON for people, as the files of bundles are written."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


@cache
def _folder(name: str) -> Mapping[str, bytes]:
    return dict(resource_files(SHIPPED.joinpath(*name.split("/"))))
