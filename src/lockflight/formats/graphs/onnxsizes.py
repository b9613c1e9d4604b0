"""What the constants of an ONNX graph are made into before anything is put in.

onnxruntime computes what follows from constants alone when the model is loaded: one number that is joined to itself
forty times takes more memory than there is. Sizes here are lower bounds, of what is seen without computing it; they
grow by the names that graphs use, in the order in which these stand.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Bytes of an element, about; and what constants may come to whatever the file has.
_WIDTH: Final = 4
MAX_ASKED: Final = 4 * 1024**3
_RATIO: Final = 1000
#: As a multiple of the weights that the model says it has, here or in another file.
_COPIES: Final = 16
_MAX_NODES: Final = 500_000
_MAX_VALUES: Final = 256
_MOST: Final = 1 << 62

_SAME: Final = frozenset(
    [
        "Identity", "Cast", "Reshape", "Unsqueeze", "Squeeze", "Flatten", "Transpose", "Neg", "Abs", "Exp", "Log",
        "Sqrt", "Relu", "Sigmoid", "Tanh", "Floor", "Ceil", "Not", "Sign", "Reciprocal", "Erf", "Sin", "Cos", "Round",
    ]
)  # fmt: skip
_WIDER: Final = frozenset(
    ["Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Sum", "Mean", "Where", "And", "Or", "Equal"]
)


class _Known(NamedTuple):
    """A tensor: how many elements it has at least, and these where they are few whole numbers."""

    elements: int
    values: tuple[int, ...] | None = None


class Sizes:
    """Takes the tensors and nodes of a model in the order of the file."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._nodes: list[tuple[str, Sequence[str], Sequence[str]]] = []
        self._weights = 0

    def tensor(self, name: str, count: int, values: tuple[int, ...] | None) -> None:
        """An initializer, or the constant of a node by the node's output."""
        self._weights += count * _WIDTH
        found = self._known.get(name)
        if found is None or count < found.elements:
            self._known[name] = _Known(count, values if values is not None and len(values) == count else None)

    def node(self, op: str, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        """A node of any graph; only of those whose sizes follow from their inputs more is kept."""
        if outputs and len(self._nodes) < _MAX_NODES and (op in _SAME or op in _WIDER or op in _MADE):
            self._nodes.append((op, inputs, outputs))

    def asked(self, size: int) -> int:
        """Bytes of the largest thing that constants are made into, where a file of `size` bytes does not explain it."""
        limit = max(MAX_ASKED, _RATIO * size, _COPIES * self._weights)
        for op, inputs, outputs in self._nodes:
            found = self._result(op, [self._known.get(name) for name in inputs])
            if found is None:
                continue
            if found.elements * _WIDTH > limit:
                return found.elements * _WIDTH
            self._known[outputs[0]] = found
        return 0

    def _result(self, op: str, inputs: Sequence[_Known | None]) -> _Known | None:
        first = inputs[0] if inputs else None
        second = inputs[1] if len(inputs) > 1 else None
        if op in _SAME:
            return _Known(first.elements, first.values if op in _UNCHANGED else None) if first else None
        if op in _WIDER:
            return _wider(op, inputs)
        if op == "Concat":
            return _joined(inputs)
        if op == "ConstantOfShape" and first is not None and first.values is not None:
            return _Known(_product(first.values))
        if op == "Expand" and second is not None and second.values is not None:
            return _Known(_product(second.values))
        if op == "Tile" and first is not None and second is not None and second.values is not None:
            return _Known(min(first.elements * _product(second.values), _MOST))
        if op == "OneHot" and first is not None and second is not None and second.values:
            return _Known(min(first.elements * max(second.values[0], 0), _MOST))
        return _range(inputs) if op == "Range" else None


_UNCHANGED: Final = frozenset(["Identity", "Cast", "Reshape", "Unsqueeze", "Squeeze", "Flatten"])
_MADE: Final = frozenset(["Concat", "ConstantOfShape", "Expand", "Tile", "OneHot", "Range"])


def _product(values: tuple[int, ...]) -> int:
    return 0 if any(value < 0 for value in values) else min(prod(values), _MOST)


def _joined(inputs: Sequence[_Known | None]) -> _Known:
    known = [one for one in inputs if one is not None]
    count = min(sum(one.elements for one in known), _MOST)
    lists = [one.values for one in inputs if one is not None and one.values is not None]
    if len(lists) < len(inputs) or count > _MAX_VALUES:
        return _Known(count)
    return _Known(count, tuple(value for values in lists for value in values))


def _wider(op: str, inputs: Sequence[_Known | None]) -> _Known | None:
    known = [one for one in inputs if one is not None]
    if not known or any(one.elements == 0 for one in known):
        return None
    count = max(one.elements for one in known)
    lists = [one.values for one in known if one.values is not None]
    if op in {"Add", "Mul"} and len(lists) == len(inputs) == 2 and {len(one) for one in lists} <= {1, count}:
        left, right = (one * (count // len(one)) for one in lists)
        pairs = zip(left, right, strict=True)
        values = tuple(a + b if op == "Add" else a * b for a, b in pairs)
        return _Known(count, values if all(abs(value) < _MOST for value in values) else None)
    return _Known(count)


def _range(inputs: Sequence[_Known | None]) -> _Known | None:
    numbers = [one.values[0] for one in inputs if one is not None and one.values]
    if len(numbers) != 3 or numbers[2] == 0:
        return None
    start, end, step = numbers
    return _Known(min(max((end - start) // step, 0), _MOST))
