"""Jupyter notebooks (nbformat 3 and 4): cells and their textual outputs, read strictly and within budgets.

The format is described by the nbformat project's JSON schemas. Duplicate keys are refused, since two readers could
see two notebooks; NaN, which Jupyter writes into outputs, is read as null. Nothing is executed or rendered.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lockflight.core.records import dataclass
from lockflight.errors import InvalidInput

if TYPE_CHECKING:
    from lockflight.core.source import ByteSource

_TEXT_TYPES = ("text/", "application/json", "application/javascript", "application/vnd.", "image/svg+xml")
# nbformat 3 kept outputs by short names beside the other fields of an output.
_V3_TEXT = ("text", "html", "svg", "latex", "javascript", "json")
_KINDS = frozenset({"code", "markdown", "raw", "heading"})


@dataclass(frozen=True, slots=True)
class NotebookBudget:
    """Limits of one notebook, in bytes, cells and outputs per notebook."""

    max_bytes: int = 64 * 1024 * 1024
    max_cells: int = 20_000
    max_outputs: int = 200_000


@dataclass(frozen=True, slots=True)
class Output:
    """The text of one output: a stream, an error's traceback or one textual form of a display."""

    media_type: str
    text: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Attributes:
        index: 1-based position in the notebook.
        kind: `code`, `markdown`, `raw` or (nbformat 3) `heading`.
        source: its text.
        outputs: the textual outputs of a code cell, in order.
    """

    index: int
    kind: str
    source: str
    outputs: tuple[Output, ...] = ()


@dataclass(frozen=True, slots=True)
class Notebook:
    """A notebook.

    Attributes:
        version: nbformat's major version, 3 or 4.
        language: language of its code cells, lower case; `python` where none is named.
        cells: its cells in order.
    """

    version: int
    language: str
    cells: tuple[Cell, ...]


DEFAULT_BUDGET = NotebookBudget()


def parse_notebook(source: ByteSource, budget: NotebookBudget = DEFAULT_BUDGET) -> Notebook:
    """Read a notebook.

    Raises:
        InvalidInput: LF2040 no strict JSON, LF2041 no notebook of version 3 or 4, LF2042 over budget.
    """
    if source.size > budget.max_bytes:
        raise InvalidInput(
            "LF2042",
            f"The notebook {source.name!r} has {source.size} bytes; at most {budget.max_bytes} are read.",
            hint="Clear its outputs: jupyter nbconvert --clear-output --inplace NOTEBOOK",
        )
    document = _load(source.read_at(0, source.size), source.name)
    try:
        return _Reader(source.name, budget).notebook(document)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(
            "LF2041",
            f"{source.name!r} is not a Jupyter notebook of version 3 or 4: {error!s}.",
            hint="Open and save it with Jupyter, or give it another name.",
        ) from error


def _load(data: bytes, name: str) -> Any:  # noqa: ANN401 - the shape is what the reader finds out
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(items)
        if len(result) != len(items):
            raise ValueError("a key occurs twice in one object")
        return result

    try:
        return json.loads(data.decode("utf-8-sig"), object_pairs_hook=pairs, parse_constant=lambda _: None)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InvalidInput(
            "LF2040",
            f"The notebook {name!r} is not strict JSON: {why}.",
            hint="Open and save it with Jupyter.",
        ) from error


class _Reader:
    """Reads the known places of a parsed notebook; anything of a wrong type there is an error."""

    def __init__(self, name: str, budget: NotebookBudget) -> None:
        self._name = name
        self._budget = budget
        self._outputs = 0

    def notebook(self, document: Any) -> Notebook:  # noqa: ANN401
        document = _mapping(document, "the document")
        version = document.get("nbformat")
        if version == 4:
            raw_cells = _list(document["cells"], "cells")
        elif version == 3:
            raw_cells = []
            for worksheet in _list(document["worksheets"], "worksheets"):
                raw_cells += _list(_mapping(worksheet, "a worksheet").get("cells", []), "cells")
        else:
            raise ValueError("nbformat is neither 3 nor 4")
        if len(raw_cells) > self._budget.max_cells:
            raise self._over_budget(f"more than {self._budget.max_cells} cells")
        cells = tuple(self._cell(index, cell) for index, cell in enumerate(raw_cells, 1))
        return Notebook(int(version), _language(document), cells)

    def _cell(self, index: int, raw: Any) -> Cell:  # noqa: ANN401
        cell = _mapping(raw, f"cell {index}")
        kind = cell["cell_type"]
        if kind not in _KINDS:
            raise ValueError(f"cell {index} has an unknown type")
        # nbformat 3 calls the text of a code cell `input`; a reader of either version takes what is there.
        sources = [
            _text(cell[key], f"the {key} of cell {index}") for key in ("source", "input") if key in cell
        ]
        if not sources:
            raise ValueError(f"cell {index} has no source")
        outputs: list[Output] = []
        for output in _list(cell.get("outputs", []), f"the outputs of cell {index}"):
            outputs += self._output(index, _mapping(output, f"an output of cell {index}"))
        return Cell(index, kind, "\n".join(sources), tuple(outputs))

    def _output(self, index: int, output: dict[str, Any]) -> list[Output]:
        what = f"an output of cell {index}"
        self._outputs += 1
        if self._outputs > self._budget.max_outputs:
            raise self._over_budget(f"more than {self._budget.max_outputs} outputs")
        found = [
            Output("text/plain" if key == "text" else f"text/{key}", _any_text(output[key], what))
            for key in _V3_TEXT
            if key in output
        ]
        for media_type, body in _mapping(output.get("data", {}), what).items():
            if media_type.startswith(_TEXT_TYPES) or media_type.endswith(("+json", "+xml")):
                found.append(Output(media_type, _any_text(body, what)))
        lines = [_text(output.get(key, ""), what) for key in ("ename", "evalue")]
        trace = "\n".join([*lines, *(_text(line, what) for line in _list(output.get("traceback", []), what))])
        if trace.strip():
            found.append(Output("text/x-traceback", trace))
        return found

    def _over_budget(self, why: str) -> InvalidInput:
        return InvalidInput(
            "LF2042",
            f"The notebook {self._name!r} has {why}.",
            hint="Split it, or clear its outputs: jupyter nbconvert --clear-output --inplace NOTEBOOK",
        )


def _language(document: dict[str, Any]) -> str:
    metadata = _mapping(document.get("metadata", {}), "the metadata")
    for section, key in (("language_info", "name"), ("kernelspec", "language")):
        name = _mapping(metadata.get(section, {}), section).get(key)
        if isinstance(name, str) and name:
            return name.lower()
    return "python"


def _mapping(value: Any, what: str) -> dict[str, Any]:  # noqa: ANN401
    if not isinstance(value, dict):
        raise TypeError(f"{what} is not an object")
    return value


def _list(value: Any, what: str) -> list[Any]:  # noqa: ANN401
    if not isinstance(value, list):
        raise TypeError(f"{what} is not a list")
    return value


def _text(value: Any, what: str) -> str:  # noqa: ANN401
    """A string, or a list of strings that Jupyter joins without a separator."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    if not isinstance(value, str):
        raise TypeError(f"{what} is not text")
    return value


def _any_text(value: Any, what: str) -> str:  # noqa: ANN401
    """Text, or the JSON of whatever else an output holds."""
    if isinstance(value, str) or (isinstance(value, list) and all(isinstance(line, str) for line in value)):
        return _text(value, what)
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError as error:
        raise ValueError(f"{what} is nested too deeply") from error
