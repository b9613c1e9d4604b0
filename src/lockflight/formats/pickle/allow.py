"""The allow-list: which globals a pickle may name, how it may use them, and with which arguments.

It is data (`_data/allowlist/*.json`, one file per library), read by whoever may do I/O and handed in as bytes. Names
are exact; there is no pattern and no whole module. What is not listed is refused.

A document is `{"schema": "lockflight-allowlist/1", "library", "versions": [..], "names": {module: {name: use}}}`,
where `use` is a kind or `{"kind": .., "arguments": .., "state": ..}` with one rule or both. `inert` and `answers` are
lists of names that say more, see `Entry`; `attributes` those under which objects hold what can be called.
`moved` maps the names that
Python 2 wrote to those of Python 3, as `[module, name, module, name]`; an empty name stands for every name of a module.

Documents with the schema `lockflight-formats/1` are tables of another format: operators, classes, messages. Their
format reads them; here they are kept, and count in the digest.
"""

from __future__ import annotations

import hashlib
from dataclasses import field, replace
from typing import TYPE_CHECKING

from lockflight.core.canonical import JsonObject, JsonValue, dumps, loads_object
from lockflight.core.records import dataclass
from lockflight.core.shape import array, obj, text, texts
from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

SCHEMA = "lockflight-allowlist/1"
TABLES = "lockflight-formats/1"

#: What a listed name may be used for. Each kind may also be referred to as a value.
KINDS = frozenset(
    {
        "class",  # built without its constructor: NEWOBJ, copyreg._reconstructor
        "callable",  # called by the stream: REDUCE, INST, OBJ; also built as a class
        "value",  # never called by the stream: ufuncs, dtypes, types that parametrise something
    }
)

#: Rules for states: `distribution` is `distributions.told`; `native` is a class whose C code believes its state, and
#: `tuple-N` one whose C code takes N items from a tuple and does not look whether they are there.
STATES = frozenset({"", "distribution", "native", "tuple-3", "tuple-13"})


@dataclass(frozen=True, slots=True)
class Entry:
    """How one listed global may be used; empty for no rule.

    Attributes:
        kind: one of `KINDS`.
        arguments: the rule of `arguments.RULES` for its arguments.
        state: the rule for the state that a stream gives its objects, one of `STATES`.
        inert: whoever calls it gets a plain value and nothing else happens: types of elements, constants.
        answers: objects of it can be called.
    """

    kind: str
    arguments: str = ""
    state: str = ""
    inert: bool = False
    answers: bool = False


@dataclass(frozen=True, slots=True)
class AllowList:
    """Every listed global.

    Attributes:
        entries: by (module, name).
        renames: Python 2 (module, name) to Python 3.
        modules: Python 2 module to Python 3.
        tables: what is allowed in other formats, by format.
        attributes: under which real objects hold what can be called.
        digest: SHA-256 (64 hex digits) of everything that decides; part of each verdict's evidence.
        known: what the machine made of listed names, for the next file.
        spelled: the same by the bytes of the names in a stream.
        calls: calls that no rule says anything about, as `calls` keeps them for the next file.
    """

    entries: Mapping[tuple[str, str], Entry]
    renames: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    modules: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, JsonObject] = field(default_factory=dict)
    attributes: frozenset[str] = frozenset()
    digest: str = ""
    known: dict[tuple[str, str, bool], object] = field(
        init=False, default_factory=dict, compare=False, repr=False
    )
    spelled: dict[tuple[bytes, bytes, bool], tuple[tuple[str, str, bool], Any]] = field(
        init=False, default_factory=dict, compare=False, repr=False
    )
    calls: dict[tuple[object, ...], tuple[Any, Any, int]] = field(
        init=False, default_factory=dict, compare=False, repr=False
    )

    @classmethod
    def empty(cls) -> AllowList:
        """A list that allows nothing."""
        return cls({})

    def get(self, module: str, name: str) -> Entry | None:
        """The entry of a global, or None."""
        return self.entries.get((module, name))

    def python3_name(self, module: str, name: str) -> tuple[str, str]:
        """What CPython's unpickler (`fix_imports`) makes of a name in a stream of protocol 0 to 2."""
        moved = self.renames.get((module, name))
        return moved or (self.modules.get(module, module), name)


def parse_allow_list(documents: Iterable[bytes], argument_rules: frozenset[str]) -> AllowList:
    """Join allow-list documents into one list.

    Args:
        documents: contents of the data files; their order does not matter.
        argument_rules: the names of argument rules that exist.

    Raises:
        VerificationFailed: LF2301 for a document that is not an allow-list or disagrees with another.
    """
    entries: dict[tuple[str, str], Entry] = {}
    renames: dict[tuple[str, str], tuple[str, str]] = {}
    modules: dict[str, str] = {}
    tables: dict[str, JsonObject] = {}
    attributes: set[str] = set()
    digests: list[JsonValue] = []
    for document in documents:
        digests.append(hashlib.sha256(document).hexdigest())
        body = loads_object(document, what="allow-list")
        try:
            texts(body["versions"])
            if body["schema"] == TABLES:
                tables[text(body["format"])] = body
                continue
            if body["schema"] != SCHEMA:
                raise ValueError(f"its schema is not {SCHEMA}")
            inert, answers = (frozenset(texts(body.get(key, []))) for key in ("inert", "answers"))
            attributes.update(texts(body.get("attributes", [])))
            for module, names in obj(body["names"]).items():
                for name, use in obj(names).items():
                    entry, label = _entry(use, argument_rules), f"{module}.{name}"
                    entry = replace(entry, inert=label in inert, answers=label in answers)
                    _put(entries, (module, name), entry)
            for row in array(body.get("moved", [])):
                old_module, old_name, module, name = texts(row)
                if old_name:
                    renames[old_module, old_name] = (module, name)
                else:
                    modules[old_module] = module
        except (KeyError, TypeError, ValueError) as error:
            raise VerificationFailed(
                "LF2301", f"An allow-list document cannot be used: {error}.", hint="Install Lockflight again."
            ) from error
    digest = hashlib.sha256(dumps(sorted(str(d) for d in digests))).hexdigest()
    return AllowList(entries, renames, modules, tables, frozenset(attributes), digest)


def _put(entries: dict[tuple[str, str], Entry], key: tuple[str, str], entry: Entry) -> None:
    if entries.setdefault(key, entry) != entry:
        raise ValueError(f"{'.'.join(key)} is listed twice, differently")


def _entry(use: JsonValue, argument_rules: frozenset[str]) -> Entry:
    if isinstance(use, str):
        entry = Entry(use)
    else:
        body = obj(use)
        entry = Entry(text(body["kind"]), text(body.get("arguments", "")), text(body.get("state", "")))
        if entry.arguments and entry.arguments not in argument_rules:
            raise ValueError(f"there is no argument rule {entry.arguments!r}")
        if entry.state not in STATES:
            raise ValueError(f"there is no rule for states {entry.state!r}")
    if entry.kind not in KINDS:
        raise ValueError(f"there is no kind {entry.kind!r}")
    return entry
