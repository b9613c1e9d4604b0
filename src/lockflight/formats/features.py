"""Feature references: which features a model reads, from where, in what form (feature views, as Feast calls them).

A document is one view, or `{"views": [...]}`. A view names its features with their types and the source with the digest
of what was read from it; `entities` are the keys by which rows are found. Further fields are the author's own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lockflight.core.records import dataclass
from lockflight.core.shape import array, obj, text
from lockflight.formats.plaintext import hidden
from lockflight.formats.settings.jsontext import BadJson, parse_json

if TYPE_CHECKING:
    from lockflight.core.canonical import JsonObject, JsonValue
    from lockflight.core.source import ByteSource

MAX_BYTES = 4 * 1024 * 1024
MAX_VIEWS = 1_000
#: Of all views together.
MAX_FEATURES = 100_000
MAX_TEXT = 1_000

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_TYPE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_<>\[\], ]{0,63}", re.ASCII)


class BadFeatures(Exception):
    """The document is no feature reference; the message says why. Never leaves `formats` and `scan`."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature: its name and type, such as `float64` or `Array<int64>`."""

    name: str
    dtype: str


@dataclass(frozen=True, slots=True)
class FeatureView:
    """Features that are read together.

    Attributes:
        name: its name; empty where the document is one view without a name.
        features: at least one.
        entities: keys by which rows are found; may be empty.
        uri: where the rows are from.
        digest: `sha256:` and 64 hex digits of what was read.
    """

    name: str
    features: tuple[Feature, ...]
    entities: tuple[str, ...]
    uri: str
    digest: str


def read_features(source: ByteSource) -> tuple[FeatureView, ...]:
    """Read a feature reference.

    Raises:
        BadFeatures: it is none, or says less than its schema and its digest.
    """
    if source.size > MAX_BYTES:
        raise BadFeatures(f"it is longer than {MAX_BYTES} bytes")
    try:
        raw = obj(parse_json(source.read_at(0, source.size)))
        views = (
            tuple(_view(obj(one)) for one in _limited(raw["views"], MAX_VIEWS))
            if "views" in raw
            else (_view(raw),)
        )
    except BadJson as error:
        raise BadFeatures(str(error)) from error
    except KeyError as error:
        raise BadFeatures(f"{error.args[0]!r} is missing") from error
    except (TypeError, ValueError) as error:
        raise BadFeatures(str(error)) from error
    if not views or sum(len(view.features) for view in views) > MAX_FEATURES:
        raise BadFeatures(f"it has no view, or more than {MAX_FEATURES} features")
    if len({view.name for view in views}) != len(views):
        raise BadFeatures("two of its views have one name")
    return views


def _view(raw: JsonObject) -> FeatureView:
    features = tuple(_feature(obj(one)) for one in _limited(raw["features"], MAX_FEATURES))
    if not features:
        raise ValueError("a view has no features")
    if len({feature.name for feature in features}) != len(features):
        raise ValueError("two features of a view have one name")
    source = obj(raw["source"])
    digest = text(source["digest"])
    if not _DIGEST.fullmatch(digest):
        raise ValueError("a digest of a source is not sha256: and 64 lower-case hex digits")
    return FeatureView(
        name=_short(raw.get("name", "")),
        features=features,
        entities=tuple(_word(one) for one in _limited(raw.get("entities", []), MAX_VIEWS)),
        uri=_word(source["uri"]),
        digest=digest,
    )


def _feature(raw: JsonObject) -> Feature:
    dtype = text(raw["dtype"])
    if not _TYPE.fullmatch(dtype):
        raise ValueError("a feature has no plain word as its type")
    return Feature(_word(raw["name"]), dtype)


def _limited(value: JsonValue, limit: int) -> list[JsonValue]:
    items = array(value)
    if len(items) > limit:
        raise ValueError(f"a list has more than {limit} items")
    return items


def _word(value: JsonValue) -> str:
    word = _short(value)
    if not word:
        raise ValueError("a name or address is empty")
    return word


def _short(value: JsonValue) -> str:
    word = text(value)
    if len(word) > MAX_TEXT or hidden(word):
        raise ValueError("a text is too long, or holds hidden characters")
    return word
