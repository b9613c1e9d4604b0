"""Whether a document is facts v1: checked before any policy sees it, so that no rule meets a missing key.

A rule that reads a key that is not there is undefined, and undefined must never look like "nothing wrong". Unknown
keys are fine: keys are added, never changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.attest.check import Grain, Status
from lockflight.core.findings import Severity
from lockflight.core.release.datacard import CARD_KEYS, PERSONAL
from lockflight.core.release.ownpolicy import own_in_facts
from lockflight.core.shape import array, hex64, integer, natural, obj, text
from lockflight.core.state.waivers import STANDINGS
from lockflight.core.times import unix
from lockflight.core.words import Kind, Role, Tier

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockflight.core.canonical import JsonObject, JsonValue

SCHEMA = "https://lockflight.dev/schema/facts/v1"
WAIVER_KINDS = ("waiver", "break-glass")
WAIVER_SCOPES = ("asset", "release", "project")


def check_facts(facts: JsonObject) -> None:
    """Check the shape of facts v1.

    Raises:
        ValueError: with the place and what is wrong there.
    """
    _at("schema", facts, _equal(SCHEMA))
    _at("now", facts, _time)
    _at("project", facts, text)
    _at("environment", facts, _nonempty)
    _at("realm", facts, _realm)
    _at("release", facts, _release)
    _at("expected", facts, lambda v: _table(v, _expected))
    _at("evidence", facts, lambda v: _table(v, _row))
    _at("rejected", facts, lambda v: _each(v, _rejected))
    _at("provenance", facts, lambda v: _each(v, _provenance))
    _at("dependencies", facts, lambda v: _each(v, _dependency))
    _at("waivers", facts, lambda v: _each(v, _waiver))
    _at("state", facts, _state)


class _Misfit(ValueError):
    def __init__(self, place: str, why: str) -> None:
        super().__init__(f"{place}: {why}")
        self.place = place
        self.why = why


def _inside(key: str, error: TypeError | ValueError) -> _Misfit:
    if isinstance(error, _Misfit):
        return _Misfit(f"{key}.{error.place}", error.why)
    return _Misfit(key, str(error))


def _at(key: str, parent: JsonObject, check: Callable[[JsonValue], object]) -> None:
    if key not in parent:
        raise _Misfit(key, "missing")
    try:
        check(parent[key])
    except (TypeError, ValueError) as error:
        raise _inside(key, error) from error


def _each(value: JsonValue, check: Callable[[JsonValue], object]) -> None:
    for i, item in enumerate(array(value)):
        try:
            check(item)
        except (TypeError, ValueError) as error:
            raise _inside(str(i), error) from error


def _table(value: JsonValue, check: Callable[[JsonValue], object]) -> None:
    table = obj(value)
    for key in table:
        _at(key, table, lambda rows: _each(rows, check))


def _equal(wanted: str) -> Callable[[JsonValue], None]:
    def check(value: JsonValue) -> None:
        if value != wanted:
            raise ValueError(f"{wanted!r} is expected")

    return check


def _one_of(*words: str) -> Callable[[JsonValue], None]:
    def check(value: JsonValue) -> None:
        if text(value) not in words:
            raise ValueError(f"one of {', '.join(words)} is expected")

    return check


def _time(value: JsonValue) -> None:
    unix(text(value))


def _nonempty(value: JsonValue) -> None:
    if not text(value):
        raise ValueError("a text is expected that is not empty")


def _flag(value: JsonValue) -> None:
    if not isinstance(value, bool):
        raise TypeError("true or false is expected")


def _realm(value: JsonValue) -> None:
    realm = obj(value)
    _at("root", realm, hex64)
    _at("checkpoint", realm, text)
    _at("kind", realm, text)


def _release(value: JsonValue) -> None:
    release = obj(value)
    _at("digest", release, hex64)
    _at("name", release, _nonempty)
    _at("version", release, _nonempty)
    _at("kind", release, lambda v: Kind(text(v)))
    _at("tier", release, lambda v: Tier(text(v)))
    _at("assets", release, lambda v: _each(v, _asset))
    _at("references", release, lambda v: _each(v, _reference))
    _at("depends", release, lambda v: _each(v, _depends))
    _at("views", release, obj)
    if "policy" in release:
        _at("policy", release, lambda _: own_in_facts({"release": release}))


def _asset(value: JsonValue) -> None:
    asset = obj(value)
    _at("name", asset, _nonempty)
    _at("role", asset, lambda v: Role(text(v)))
    _at("digest", asset, hex64)
    _at("size", asset, natural)
    _at("provenance", asset, _one_of("recorded", "intake", "unknown"))
    if "rows" in asset:
        _at("rows", asset, _rows)
    if "data" in asset:
        _at("data", asset, _data)


def _rows(value: JsonValue) -> None:
    rows = obj(value)
    _at("form", rows, text)
    _at("rows", rows, natural)
    _at("columns", rows, natural)
    _at("ordered", rows, hex64)
    _at("set", rows, hex64)


def _data(value: JsonValue) -> None:
    said = obj(value)
    for key in CARD_KEYS:
        _at(key, said, text)
    _at("licence_known", said, _flag)
    _at("personal_data", said, _one_of(*PERSONAL))


def _reference(value: JsonValue) -> None:
    reference = obj(value)
    _at("name", reference, _nonempty)
    _at("role", reference, lambda v: Role(text(v)))
    _at("uri", reference, text)
    _at("pinned", reference, _flag)


def _depends(value: JsonValue) -> None:
    depends = obj(value)
    _at("name", depends, _nonempty)
    if "digest" in depends:
        _at("digest", depends, text)


def _expected(value: JsonValue) -> None:
    expected = obj(value)
    _at("grain", expected, lambda v: Grain(text(v)))
    _at("name", expected, text)
    _at("subject", expected, hex64)


def _row(value: JsonValue) -> None:
    row = obj(value)
    _at("digest", row, hex64)
    _at("grain", row, lambda v: Grain(text(v)))
    _at("subject", row, hex64)
    _at("age_s", row, natural)
    _at("status", row, lambda v: Status(text(v)))
    _at("coverage_ppm", row, natural)
    _at("summary", row, _summary)
    _at("findings", row, lambda v: _each(v, _finding))


def _summary(value: JsonValue) -> None:
    summary = obj(value)
    for key in summary:
        _at(key, summary, integer)


def _finding(value: JsonValue) -> None:
    finding = obj(value)
    _at("code", finding, text)
    _at("severity", finding, lambda v: Severity(text(v)))
    _at("asset", finding, text)


def _rejected(value: JsonValue) -> None:
    rejected = obj(value)
    _at("digest", rejected, hex64)
    _at("type", rejected, text)
    _at("code", rejected, text)


def _provenance(value: JsonValue) -> None:
    row = obj(value)
    _at("digest", row, hex64)
    _at("origin", row, _one_of("record", "intake", "foreign"))
    _at("step", row, text)
    _at("builder", row, _nonempty)
    _at("builder_kind", row, _one_of("realm", "foreign"))
    _at("ci_claimed", row, obj)
    _at("signer", row, _nonempty)
    _at("products", row, lambda v: _each(v, hex64))
    _at("materials", row, lambda v: _each(v, _material))
    _at("complete", row, _flag)
    _at("authors", row, _authors)
    _at("licence", row, text)
    _at("let_in", row, _flag)


def _authors(value: JsonValue) -> None:
    authors = obj(value)
    _at("known", authors, natural)
    _at("unknown", authors, natural)
    _at("complete", authors, _flag)


def _material(value: JsonValue) -> None:
    material = obj(value)
    _at("uri", material, text)
    _at("sha256", material, _digest_or_empty)
    _at("pinned", material, _flag)


def _dependency(value: JsonValue) -> None:
    dependency = obj(value)
    _at("release", dependency, hex64)
    _at("decision", dependency, text)


def _waiver(value: JsonValue) -> None:
    waiver = obj(value)
    _at("digest", waiver, hex64)
    _at("rule", waiver, _nonempty)
    _at("term", waiver, text)
    _at("scope", waiver, _scope)
    _at("kind", waiver, _one_of(*WAIVER_KINDS))
    _at("status", waiver, _one_of(*STANDINGS))
    _at("expires", waiver, _time)
    _at("requester", waiver, text)
    _at("approver", waiver, text)
    _at("renewals", waiver, natural)


def _scope(value: JsonValue) -> None:
    scope = obj(value)
    _at("kind", scope, _one_of(*WAIVER_SCOPES))
    _at("digest", scope, _digest_or_empty)
    _at("project", scope, text)
    _at("environment", scope, text)


def _state(value: JsonValue) -> None:
    state = obj(value)
    _at("slots", state, array)
    _at("revoked", state, lambda v: _each(v, _revoked))
    _at("frozen", state, _flag)
    _at("version_owner", state, _digest_or_empty)


def _revoked(value: JsonValue) -> None:
    _at("digest", obj(value), hex64)


def _digest_or_empty(value: JsonValue) -> None:
    if text(value):
        hex64(value)
