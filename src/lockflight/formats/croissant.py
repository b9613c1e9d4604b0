"""Croissant 1.0 and 1.1 (MLCommons): what a description of data says, read strictly as a subset of JSON-LD.

No context is fetched and none is applied: types and keys are those of the published context, spelt `cr:…`, `sc:…` or as
whole addresses. A description that needs another reading is refused rather than read in part.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lockflight.core.records import dataclass
from lockflight.core.release.datacard import UNKNOWN, DataCard
from lockflight.core.release.spdx import LICENCES
from lockflight.core.text.names import check_names
from lockflight.errors import InvalidInput
from lockflight.formats.report import shown
from lockflight.formats.settings.jsontext import BadJson, parse_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lockflight.core.canonical import JsonObject, JsonValue
    from lockflight.core.release.release import Asset
    from lockflight.core.release.rows import RowIndex

NAME: Final = "croissant.json"
VERSIONS: Final = ("http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/1.1")
RAI: Final = "http://mlcommons.org/croissant/RAI/1.0"
SPDX: Final = "https://spdx.org/licenses/"
MAX_BYTES: Final = 16 * 1024 * 1024
#: Files, sets of files, record sets and fields of one description.
MAX_NODES: Final = 20_000
MAX_DEPTH: Final = 8
_PREFIXES: Final = {"cr": "http://mlcommons.org/croissant/", "sc": "https://schema.org/"}
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class FileObject:
    """A file that a description names.

    Attributes:
        id: its `@id`.
        path: where it lies, relative to the description; empty for a member of an archive.
        sha256: 64 hex digits.
        encoding: its media type.
    """

    id: str
    path: str
    sha256: str
    encoding: str


@dataclass(frozen=True, slots=True)
class Croissant:
    """A description that holds together.

    Attributes:
        name: of the data.
        version: of Croissant: `1.0` or `1.1`.
        licence: SPDX identifier, the address as it stands, or `unknown`.
        files: in order.
        records: names of record sets, each with its number of fields.
    """

    name: str
    version: str
    licence: str
    files: tuple[FileObject, ...]
    records: tuple[tuple[str, int], ...]


class BadCroissant(ValueError):
    """What is wrong with a description, in words. Never leaves `formats` and `app`."""


def parse_croissant(data: bytes) -> Croissant:
    """Read a description strictly.

    Raises:
        BadCroissant: it is no Croissant, names a file outside its folder or without SHA-256, or refers to something
            that is not there.
    """
    if len(data) > MAX_BYTES:
        raise BadCroissant(f"it is larger than {MAX_BYTES >> 20} MiB")
    try:
        raw = parse_json(data)
    except BadJson as error:
        raise BadCroissant(str(error)) from None
    return _Reader(_object(raw, "the description")).read()


class _Reader:
    def __init__(self, raw: JsonObject) -> None:
        self._raw = raw
        self._ids: dict[str, str] = {}
        self._files: list[FileObject] = []
        self._wanted: list[tuple[str, str, str]] = []
        self._nodes = 0

    def read(self) -> Croissant:
        raw = self._raw
        _typed(raw, "sc", "Dataset", "the description")
        version = _version(_texts(raw.get("conformsTo"), "conformsTo"))
        for node in _list(raw.get("distribution", [])):
            self._distribution(_object(node, "a distribution"))
        records = tuple(
            self._records(_object(node, "a record set")) for node in _list(raw.get("recordSet", []))
        )
        for owner, wanted, kind in self._wanted:
            if self._ids.get(wanted, "").partition(" ")[0] not in kind.split("|"):
                raise BadCroissant(f"{owner} refers to {shown(wanted)}, and there is no such {kind}")
        return Croissant(
            _text(raw, "name", "the description"), version, _licence(raw), tuple(self._files), records
        )

    def _distribution(self, node: JsonObject) -> None:
        where = f"the distribution {shown(str(node.get('@id', '')))}"
        inside = node.get("containedIn")
        if _is_a(node, "cr", "FileSet"):
            self._name(node, "FileSet")
            if inside is None or not _texts(node.get("includes"), f"`includes` of {where}"):
                raise BadCroissant(f"{where} does not say what it includes, or where from")
            self._refer(where, inside, "FileObject|FileSet")
            return
        _typed(node, "cr", "FileObject", where)
        self._name(node, "FileObject")
        sha256 = node.get("sha256")
        if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
            raise BadCroissant(
                f"{where} has no sha256 of 64 lower-case hex digits, so nothing tells a changed file"
            )
        path = ""
        if inside is not None:
            self._refer(where, inside, "FileObject|FileSet")
        else:
            path = _inside(_text(node, "contentUrl", where), where)
        encodings = _texts(node.get("encodingFormat"), f"`encodingFormat` of {where}")
        if not encodings:
            raise BadCroissant(f"{where} has no encodingFormat")
        self._files.append(FileObject(str(node["@id"]), path, sha256, encodings[0]))

    def _records(self, node: JsonObject) -> tuple[str, int]:
        where = f"the record set {shown(str(node.get('@id', '')))}"
        _typed(node, "cr", "RecordSet", where)
        self._name(node, "RecordSet")
        fields = 0
        for field in self._fields(_list(node.get("field", [])), where, 0):
            fields += 1
            self._field(field, where)
        if "key" in node:
            self._refer(where, node["key"], "Field")
        if not fields and not _list(node.get("data", [])):
            raise BadCroissant(f"{where} has no field")
        return str(node.get("name", node["@id"])), fields

    def _fields(self, nodes: Iterable[JsonValue], where: str, depth: int) -> Iterator[JsonObject]:
        if depth > MAX_DEPTH:
            raise BadCroissant(f"{where} is nested too deeply")
        for node in nodes:
            field = _object(node, f"a field of {where}")
            yield field
            yield from self._fields(_list(field.get("subField", [])), where, depth + 1)

    def _field(self, node: JsonObject, owner: str) -> None:
        where = f"the field {shown(str(node.get('@id', '')))}"
        _typed(node, "cr", "Field", f"{where} of {owner}")
        self._name(node, "Field")
        _texts(node.get("dataType"), f"`dataType` of {where}")
        for key in ("source", "references"):
            if key not in node:
                continue
            for item in _list(node[key]):
                said = _object(item, f"`{key}` of {where}")
                kinds = {
                    "fileObject": "FileObject",
                    "fileSet": "FileSet",
                    "field": "Field",
                    "recordSet": "RecordSet",
                }
                named = [part for part in kinds if part in said]
                for part in named:
                    self._refer(where, said[part], kinds[part])
                if not named and "@id" not in said:
                    raise BadCroissant(f"`{key}` of {where} names neither file nor field")
                if "@id" in said:
                    self._refer(where, {"@id": said["@id"]}, "|".join(kinds.values()))

    def _name(self, node: JsonObject, kind: str) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise BadCroissant(f"it has more than {MAX_NODES} parts")
        found = node.get("@id")
        if not isinstance(found, str) or not found:
            raise BadCroissant(f"a {kind} has no @id")
        if found in self._ids:
            raise BadCroissant(f"the @id {shown(found)} stands twice")
        self._ids[found] = kind

    def _refer(self, owner: str, value: JsonValue, kind: str) -> None:
        for item in _list(value):
            wanted = _object(item, f"a reference of {owner}").get("@id")
            if not isinstance(wanted, str):
                raise BadCroissant(f"{owner} refers to something without @id")
            self._wanted.append((owner, wanted, kind))


def _inside(url: str, where: str) -> str:
    """A path that stays in the folder, as names of assets do."""
    path = url.removeprefix("./")
    try:
        check_names([path])
    except InvalidInput as error:
        raise BadCroissant(
            f"{where} names {shown(url)}, which does not stay in the folder: {error.message}"
        ) from None
    if ":" in path.partition("/")[0] or "%" in path:
        raise BadCroissant(f"{where} names {shown(url)}, which is an address and not a file of the folder")
    return path


def _version(said: list[str]) -> str:
    versions = [one for one in said if one in VERSIONS]
    if len(versions) != 1 or set(said) - {*VERSIONS, RAI}:
        raise BadCroissant(f"conformsTo must name one of {', '.join(VERSIONS)}, and beside it {RAI} alone")
    return versions[0].rpartition("/")[2]


def _licence(raw: JsonObject) -> str:
    """One licence; several, or none, are not one that is known."""
    found = [
        one.get("url", one.get("@id")) if isinstance(one, dict) else one
        for one in _list(raw.get("license", []))
    ]
    if len(found) != 1 or not isinstance(found[0], str) or not found[0]:
        return "unknown"
    identifier = found[0].removeprefix(SPDX).removesuffix(".html").rstrip("/")
    return identifier if identifier in LICENCES else found[0][:500]


def _is_a(node: JsonObject, prefix: str, name: str) -> bool:
    types = _list(node.get("@type", []))
    return f"{prefix}:{name}" in types or _PREFIXES[prefix] + name in types


def _typed(node: JsonObject, prefix: str, name: str, where: str) -> None:
    if not _is_a(node, prefix, name):
        raise BadCroissant(f"{where} is no {prefix}:{name}")


def _object(value: JsonValue, where: str) -> JsonObject:
    if not isinstance(value, dict):
        raise BadCroissant(f"{where} is no object")
    return value


def _list(value: JsonValue) -> list[JsonValue]:
    """JSON-LD writes a list of one without brackets."""
    return value if isinstance(value, list) else [value]


def _text(node: JsonObject, key: str, where: str) -> str:
    value = node.get(key)
    if not isinstance(value, str) or not value.strip():
        raise BadCroissant(f"{where} has no {key}")
    return value


def _texts(value: JsonValue, where: str) -> list[str]:
    found = [] if value is None else _list(value)
    texts = [one for one in found if isinstance(one, str) and one]
    if len(texts) != len(found):
        raise BadCroissant(f"{where} is no text")
    return texts


#: The published context of Croissant 1.0 with the terms of RAI 1.0: readers compare it word for word.
CONTEXT: Final[JsonObject] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
#: What is said about data -> its term.
_RAI_TERMS: Final = {
    "source": "rai:dataCollection",
    "purpose": "rai:dataUseCases",
    "limits": "rai:dataLimitations",
}


def croissant_of(name: str, assets: Iterable[Asset]) -> JsonObject:
    """The description of files of data: each with its SHA-256, tables with their columns, and what is said of them.

    Args:
        name: of the data.
        assets: the files, in order.
    """
    files = list(assets)
    cards = [asset.data or DataCard() for asset in files]
    found: JsonObject = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": name,
        "conformsTo": [VERSIONS[0], RAI],
        "distribution": [_file_object(asset) for asset in files],
        "recordSet": [_record_set(a, a.rows) for a in files if a.rows is not None and a.rows.head.columns],
    }
    licences = {card.licence for card in cards}
    if len(licences) == 1 and (only := licences.pop()) not in {"", UNKNOWN}:
        found["license"] = SPDX + only if only in LICENCES else only
    for key, term in _RAI_TERMS.items():
        said = sorted({getattr(card, key) for card in cards} - {""})
        if said:
            found[term] = said[0] if len(said) == 1 else list(said)
    days = sorted({day for card in cards for day in (card.collected_from, card.collected_until) if day})
    if days:
        found["rai:dataCollectionTimeframe"] = list(dict.fromkeys((days[0], days[-1])))
    people = {card.personal_data or UNKNOWN for card in cards}
    answer = "yes" if "yes" in people else UNKNOWN if UNKNOWN in people else "no"
    found["rai:personalSensitiveInformation"] = f"Personal data: {answer}."
    return found


def _file_object(asset: Asset) -> JsonObject:
    return {
        "@type": "cr:FileObject",
        "@id": asset.name,
        "name": asset.name,
        "contentUrl": asset.name,
        "contentSize": f"{asset.size} B",
        "encodingFormat": _ENCODINGS.get("." + asset.name.rpartition(".")[2].lower(), asset.media_type),
        "sha256": asset.sha256,
    }


_ENCODINGS: Final = {
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".tab": "text/tab-separated-values",
    ".jsonl": "application/jsonlines",
    ".ndjson": "application/jsonlines",
    ".parquet": "application/x-parquet",
}


def _record_set(asset: Asset, rows: RowIndex) -> JsonObject:
    fields: list[JsonValue] = [
        {
            "@type": "cr:Field",
            "@id": f"{asset.name}/rows/{column}",
            "name": column,
            "dataType": "sc:Text",
            "source": {"fileObject": {"@id": asset.name}, "extract": {"column": column}},
        }
        for column in rows.head.columns
    ]
    return {
        "@type": "cr:RecordSet",
        "@id": f"{asset.name}/rows",
        "name": f"{asset.name}/rows",
        "field": fields,
    }
