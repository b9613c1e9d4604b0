"""Names that a policy adds to the allow-list: for one file or for all, with a reason and an end.

A name that is not listed makes a model `malicious`, and no waiver of a finding changes that: what may be loaded is
decided where it is judged. So an exception is an addition to the list. It stands in the policy, `allow_list/data.json`
of the bundle, so that its digest is part of the policy's, and takes effect as the policy does:

    {"schema": "lockflight-overlay/1",
     "shipped": ["sha256:.."],                 the shipped lists that the policy knows; optional
     "names": [{"module", "name", "use", "arguments", "asset", "reason", "ticket", "until"}]}

`use` and `arguments` are those of an allow-list (`arguments` optional), `asset` the SHA-256 of the one file that the
name is for (optional), `until` RFC 3339 Z. Modules of the standard library are never added: what they offer to an
attacker has been looked at, and what is not listed of them is not listed on purpose.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from lockflight.core.canonical import JsonObject, dumps
from lockflight.core.records import dataclass
from lockflight.core.shape import array, obj, text, texts
from lockflight.core.times import rfc3339, unix
from lockflight.errors import InvalidInput
from lockflight.formats.pickle.allow import KINDS, AllowList, Entry

if TYPE_CHECKING:
    from collections.abc import Collection

SCHEMA = "lockflight-overlay/1"
MAX_NAMES = 10_000

_KEYS = frozenset({"module", "name", "use", "arguments", "asset", "reason", "ticket", "until"})
_NEEDED = frozenset({"module", "name", "use", "reason", "until"})
_PART = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Added:
    """One name that a policy adds.

    Attributes:
        module, name: of the global, as a stream of protocol 4 writes them.
        entry: how it may be used.
        reason, ticket: why, for people; the ticket may be empty.
        until: Unix seconds from which it is no longer listed.
        asset: SHA-256 of the only file that it is for; empty for every file.
    """

    module: str
    name: str
    entry: Entry
    reason: str
    until: int
    asset: str = ""
    ticket: str = ""

    @property
    def label(self) -> str:
        """Module and name with a dot."""
        return f"{self.module}.{self.name}"

    def to_json(self) -> JsonObject:
        """Its row of the document."""
        return {
            "module": self.module,
            "name": self.name,
            "use": self.entry.kind,
            "reason": self.reason,
            "until": rfc3339(self.until),
            **{
                key: value
                for key, value in (
                    ("arguments", self.entry.arguments),
                    ("asset", self.asset),
                    ("ticket", self.ticket),
                )
                if value
            },
        }


@dataclass(frozen=True, slots=True)
class Overlay:
    """What a policy adds to the shipped list.

    Attributes:
        added: the names.
        shipped: digests (64 hex digits) of the shipped lists that it may be added to; empty for any.
    """

    added: tuple[Added, ...] = ()
    shipped: frozenset[str] = frozenset()

    def at(self, now: int) -> Overlay:
        """What of it is in force at a time (Unix seconds)."""
        return replace(self, added=tuple(a for a in self.added if now < a.until))

    def to_json(self) -> JsonObject:
        """The document again."""
        return {
            "schema": SCHEMA,
            "shipped": [f"sha256:{digest}" for digest in sorted(self.shipped)],
            "names": [added.to_json() for added in self.added],
        }

    @property
    def digest(self) -> str:
        """SHA-256 of the names, 64 hex digits; empty if there are none. Reasons and ends decide nothing."""
        if not self.added:
            return ""
        rows = sorted((a.module, a.name, a.entry.kind, a.entry.arguments, a.asset) for a in self.added)
        return hashlib.sha256(dumps([list(row) for row in rows])).hexdigest()

    def over(self, allow: AllowList, asset: str) -> AllowList:
        """The list for one file, with a digest that says what was added to which list.

        Args:
            allow: the shipped list. What it says of a name stands; an overlay adds and changes nothing.
            asset: SHA-256 of the file, 64 hex digits.
        """
        if not self.added:
            return allow
        mine = {(a.module, a.name): a.entry for a in self.added if a.asset in {"", asset}}
        digest = hashlib.sha256(dumps([allow.digest, self.digest])).hexdigest()
        return replace(allow, entries={**mine, **allow.entries}, digest=digest)


def parse_overlay(document: JsonObject, *, arguments: Collection[str], never: Collection[str]) -> Overlay:
    """Read an overlay.

    Args:
        document: as in the head of this module.
        arguments: the names of argument rules that exist.
        never: first parts of modules that may not be added to: the standard library.

    Raises:
        InvalidInput: LF2302 it is no overlay, or adds what must not be added.
    """
    at = "it"
    try:
        if document["schema"] != SCHEMA:
            raise ValueError(f"its schema is not {SCHEMA}")
        _keys(document, {"schema", "names"}, {"schema", "names", "shipped"})
        shipped = frozenset(_digest(d) for d in texts(document.get("shipped", [])))
        rows = array(document["names"])
        if len(rows) > MAX_NAMES:
            raise ValueError(f"it adds more than {MAX_NAMES} names")
        added: dict[tuple[str, str, str], Added] = {}
        for number, row in enumerate(rows, 1):
            at = f"its name {number}"
            one = _added(obj(row), arguments, never)
            if added.setdefault((one.module, one.name, one.asset), one) is not one:
                raise ValueError(f"{one.label} is added twice for the same file")
    except KeyError as error:
        raise _wrong(at, f"lacks {error.args[0]!r}") from error
    except (TypeError, ValueError) as error:
        raise _wrong(at, f"does not read: {error}") from error
    return Overlay(tuple(added.values()), shipped)


def _added(row: JsonObject, arguments: Collection[str], never: Collection[str]) -> Added:
    _keys(row, _NEEDED, _KEYS)
    fields = {key: text(value) for key, value in row.items()}
    module, name = fields["module"], fields["name"]
    for part in (module, name):
        if not _PART.fullmatch(part) or not part.isascii():
            raise ValueError(f"{part[:80]!r} is no name of Python")
    if module.split(".")[0] in never:
        raise ValueError(f"{module}.{name} is of the standard library, to which nothing is added")
    if fields["use"] not in KINDS:
        raise ValueError(f"the use of {module}.{name} is one of {', '.join(sorted(KINDS))}")
    rule = fields.get("arguments", "")
    if rule and rule not in arguments:
        raise ValueError(f"there is no argument rule {rule[:80]!r}")
    if rule and fields["use"] != "callable":
        raise ValueError(f"{module}.{name} is not called, so it has no argument rule")
    if not fields["reason"].strip():
        raise ValueError(f"{module}.{name} is added without a reason")
    asset = fields.get("asset", "")
    if asset:
        asset = _digest(asset)
    return Added(
        module=module,
        name=name,
        # Whoever adds a function knows what it does to those that are handed it.
        entry=Entry(fields["use"], rule, inert=fields["use"] == "value"),
        reason=fields["reason"],
        until=unix(fields["until"]),
        asset=asset,
        ticket=fields.get("ticket", ""),
    )


def _keys(row: JsonObject, needed: Collection[str], known: Collection[str]) -> None:
    for key in sorted(set(needed) - set(row)):
        raise KeyError(key)
    for key in sorted(set(row) - set(known)):
        raise ValueError(f"it says {key[:80]!r}, which means nothing")


def _digest(word: str) -> str:
    digest = word.removeprefix("sha256:")
    if not _SHA256.fullmatch(digest):
        raise ValueError(f"{word[:80]!r} is no SHA-256")
    return digest


def _wrong(at: str, why: str) -> InvalidInput:
    return InvalidInput(
        "LF2302",
        f"The allow-list of the policy cannot be used: {at} {why}.",
        hint="docs/how-to/extend-the-allow-list.md shows one.",
    )
