"""A node of the syntax tree of a Jinja template."""

from __future__ import annotations

from lockflight.core.records import dataclass


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the tree.

    Attributes:
        kind: what it is, such as `name`, `attr`, `item`, `call`, `filter`, `test`, `for`, `if`, `data`.
        value: name, literal or operator.
        children: operands first; see the parser's methods for the order.
        line: where it stands.
    """

    kind: str
    value: str = ""
    children: tuple[Node, ...] = ()
    line: int = 0
