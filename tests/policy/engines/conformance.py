"""OPA's own conformance cases, asked of our engines: one child per engine for all of them."""

from __future__ import annotations

import json
import re
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockflight.errors import LockflightError
from lockflight.policy.engines.dual import DualEngine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CASES = 2067
#: What the case wants was changed between versions of OPA; both engines say the newer.
CHANGED = "reachable_paths/cycle_1022_3"

ROWS = "data.conformance.rows"

_PLAIN = re.compile(r"(data(?:\.[A-Za-z_][A-Za-z0-9_]*)*) = ([a-z]+)")


@dataclass(frozen=True, slots=True)
class Case:
    """One case: modules, data and an input, a rule to ask for, and what is wanted of it.

    Attributes:
        note: its name; some names occur twice.
        modules, data, document: what is loaded and given; an empty document leaves `input` undefined.
        asked: module whose rule `ROWS` holds the query's rows.
        query: the query itself.
        rule: what a plain query asks for; empty for others.
        name: the variable that a plain query binds.
        rows: wanted bindings, each a mapping; None where an error is wanted.
        error: wanted code of the error.
        unordered: whether arrays in the bindings may come in any order.
    """

    note: str
    modules: dict[str, str]
    data: dict
    document: bytes
    asked: str
    query: str
    rule: str
    name: str
    rows: list | None
    error: str
    unordered: bool

    def as_query(self) -> dict:
        """What an engine needs that is asked by query; `with` is for rules, so such queries stand in one."""
        replaced = " with input as " in self.query
        return {
            "modules": {**self.modules, "case/query.rego": self.asked} if replaced else self.modules,
            "data": self.data,
            "document": self.document.decode(),
            "query": f"{ROWS} = rows" if replaced else self.query,
        }


@dataclass
class Heard:
    """What came of one case: rows or an error."""

    rows: list | None = None
    error: LockflightError | None = None


def read_cases(archive: Path) -> Iterator[Case]:
    """Every case, in the order of the archive."""
    with zipfile.ZipFile(archive) as files:
        for name in files.namelist():
            if name.endswith(".json"):
                for raw in json.loads(files.read(name))["cases"]:
                    yield _case(raw)


def _case(raw: dict) -> Case:
    document = json.dumps(raw["input"]).encode() if "input" in raw else b""
    term = raw.get("input_term")
    query = raw["query"].strip()
    plain = _PLAIN.fullmatch(query)
    names = (raw.get("want_result") or [{}])[0]
    row = ", ".join(f'"{name}": {name}' for name in names)
    given = f" with input as {term}" if term is not None else ""
    wants_error = "want_error_code" in raw or "want_error" in raw
    return Case(
        note=raw["note"],
        modules={f"case/m{i}.rego": text for i, text in enumerate(raw.get("modules") or [])},
        data=raw.get("data") or {},
        document=document,
        asked=f"package conformance\n\nrows := [{{{row}}} | {query}{given}]\n",
        query=f"{query}{given}",
        rule=plain[1] if plain else "",
        name=plain[2] if plain else "",
        rows=None if wants_error else raw.get("want_result") or [],
        error=raw.get("want_error_code", ""),
        unordered=bool(raw.get("sort_bindings")),
    )


class Hearing:
    """An engine that remembers what it said last."""

    def __init__(self, engine) -> None:
        self._engine = engine
        self.said: str | None = None
        self.error: LockflightError | None = None

    @property
    def identities(self):
        return self._engine.identities

    def rules(self, modules, data, rules, document):
        self.said = self.error = None
        try:
            answer = self._engine.rules(modules, data, rules, document)
        except LockflightError as error:
            self.error = error
            raise
        self.said = answer[rules[0]]
        return answer


def ask(dual: DualEngine, one: Hearing, two: Hearing, case: Case) -> tuple[Heard, Heard, Heard]:
    """What both engines and the pair of them say."""
    modules = {**case.modules, "case/query.rego": case.asked}
    said = _listen(lambda: dual.rules(modules, case.data, [ROWS], case.document)[ROWS])
    answers = [(one.said, one.error), (two.said, two.error), said]
    if case.rule and any(error is not None and "recurs" in error.message for _, error in answers):
        # The case looks at all of `data`, where the module that asks would find itself.
        said = _listen(lambda: dual.rules(case.modules, case.data, [case.rule], case.document)[case.rule])
        answers = [(one.said, one.error), (two.said, two.error), said]
        return tuple(_plain(case, *answer) for answer in answers)
    return tuple(Heard(json.loads(text) if text is not None else None, error) for text, error in answers)


def _listen(question: Callable[[], str]) -> tuple[str | None, LockflightError | None]:
    try:
        return question(), None
    except LockflightError as error:
        return None, error


def _plain(case: Case, text: str | None, error: LockflightError | None) -> Heard:
    if text is not None:
        return Heard(rows=[{case.name: json.loads(text)}])
    return Heard(rows=[]) if error is not None and error.code == "LF4010" else Heard(error=error)


def right(case: Case, said: Heard) -> bool:
    """Equal rows, or the wanted error."""
    if case.rows is None:
        return said.error is not None and case.error in said.error.message
    return said.rows is not None and equal(_ordered(case, said.rows), _ordered(case, case.rows))


def silent(case: Case, said: Heard) -> bool:
    """An answer that is not the wanted one, without an error that would tell of it."""
    return said.error is None and not right(case, said)


def equal(one: object, two: object) -> bool:
    """Equality of JSON values; 1 and 1.0 are one number, true is none."""
    if isinstance(one, bool) or isinstance(two, bool):
        return one is two
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(equal(one[k], two[k]) for k in one)
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(equal, one, two))
    return one == two


def _ordered(case: Case, value: object, depth: int = 0) -> object:
    """Rows have no order; the arrays in them have none where the case says so."""
    if isinstance(value, dict):
        return {key: _ordered(case, item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        items = [_ordered(case, item, depth + 1) for item in value]
        return sorted(items, key=_key) if case.unordered or depth == 0 else items
    return value


def _key(value: object) -> str:
    return json.dumps(value, sort_keys=True)
