"""What one bundle demands that another one does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.canonical import dumps
from lockflight.core.records import dataclass
from lockflight.core.shape import array, natural, obj, text
from lockflight.policy.bundle import RULE_META

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lockflight.core.canonical import JsonObject, JsonValue
    from lockflight.policy.bundle import Bundle

REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs.

    Attributes:
        what: `rule`, `demanded` (rules that must have a result), `evidence`, `data`, `engines`, `module` or `fixture`.
        name: of what differs: a rule code, `environment/kind/tier/check`, a path into the data or to a file.
        before, after: as canonical JSON; empty where it is not there. For files, the SHA-256 of the content.
    """

    what: str
    name: str
    before: str
    after: str


def changes(before: Bundle, after: Bundle) -> tuple[Change, ...]:
    """Everything in which two bundles differ, in a fixed order."""
    pairs: tuple[tuple[str, Mapping[str, JsonValue], Mapping[str, JsonValue]], ...] = (
        ("rule", before.rules, after.rules),
        ("demanded", dict.fromkeys(before.required_rules, True), dict.fromkeys(after.required_rules, True)),
        ("evidence", dict(_evidence(before.data)), dict(_evidence(after.data))),
        ("data", dict(_data(before.data)), dict(_data(after.data))),
        ("engines", dict(before.engines), dict(after.engines)),
        ("module", _files(before, ".rego"), _files(after, ".rego")),
        ("fixture", _files(before, ".json"), _files(after, ".json")),
    )
    return tuple(
        Change(what, name, _words(old.get(name)), _words(new.get(name)))
        for what, old, new in pairs
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    )


def _evidence(data: JsonObject) -> Iterator[tuple[str, int]]:
    for environment, kinds in obj(data.get(REQUIRED, {})).items():
        for kind, tiers in obj(kinds).items():
            for tier, items in obj(tiers).items():
                for item in map(obj, array(items)):
                    yield f"{environment}/{kind}/{tier}/{text(item['check'])}", natural(item["max_age_s"])


def _data(data: JsonObject) -> Iterator[tuple[str, JsonValue]]:
    for key, value in data.items():
        if key not in {REQUIRED, RULE_META}:
            yield from _leaves(key, value)


def _leaves(path: str, value: JsonValue) -> Iterator[tuple[str, JsonValue]]:
    if not isinstance(value, dict) or not value:
        yield path, value
        return
    for key, below in value.items():
        yield from _leaves(f"{path}.{key}", below)


def _files(bundle: Bundle, suffix: str) -> Mapping[str, str]:
    return {
        path: digest
        for path, digest in bundle.files.items()
        if path.endswith(suffix) and not path.endswith("data.json")
    }


def _words(value: JsonValue) -> str:
    return "" if value is None else dumps(value).decode("utf-8")
