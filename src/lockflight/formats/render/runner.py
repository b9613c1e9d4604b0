"""What operators and filters may ask of the machine that runs a template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from lockflight.formats.jinja.node import Node
    from lockflight.formats.render.meter import Meter
    from lockflight.formats.render.values import Sym


class Turns(Protocol):
    """What a talk says about messages that it does not have."""

    def beyond(self, machine: Runner, node: Node, owner: object, place: int) -> object:
        """One that lies outside."""

    def behind(
        self, machine: Runner, node: Node, owner: str | list[object] | tuple[object, ...], start: int | None
    ) -> object:
        """Those behind one that lies outside."""


class Runner(Protocol):
    """The machine."""

    touched: bool
    control: int
    meter: Meter

    @property
    def turns(self) -> Turns:
        """The talk."""

    def choose(
        self,
        node: Node,
        what: str,
        sym: Sym,
        default: int,
        count: int = 2,
        name: str = "",
        about: str = "",
    ) -> int:
        """Which alternative is taken where a symbol decides."""

    def true(self, node: Node, value: object) -> bool:
        """Whether a value is true."""

    def member(self, node: Node, owner: object, name: object) -> object:
        """What an object has under a name."""

    def items(self, node: Node, value: object) -> list[object]:
        """What a loop goes over."""

    def touch(self, grown: list[object]) -> None:
        """Remember that unknown words had a say in what a list holds."""

    def mapped(self, node: Node, name: str, value: object, args: list[object]) -> object:
        """A value behind a filter that is named by a text."""
