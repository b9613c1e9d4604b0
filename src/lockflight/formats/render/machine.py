"""Runs a template with a talk, statement by statement."""

from __future__ import annotations

from lockflight.formats.jinja.node import Node
from lockflight.formats.render import lists
from lockflight.formats.render.evaluator import Evaluator
from lockflight.formats.render.meter import MAX_WRITTEN
from lockflight.formats.render.questions import derived
from lockflight.formats.render.values import (
    MAX_PIECES,
    Loop,
    Lost,
    Macro,
    Namespace,
    Raised,
    joined,
    pieces,
    unknown,
)


class Machine(Evaluator):
    """One run."""

    # -- statements --

    def run(self, body: Node) -> str:
        """Run the parts of a body; `break` or `continue` where one of them asks for it."""
        for node in body.children:
            signal = self.statement(node)
            if signal:
                return signal
        return ""

    def statement(self, node: Node) -> str:
        """Run one statement; what touched the one before it does not touch it."""
        self.deeper()
        self.met.add(id(node))
        before, self.touched = self.touched, False
        signal = self.stated(node)
        self.touched = self.touched or before
        self.depth -= 1
        return signal

    def stated(self, node: Node) -> str:
        """Run one statement by its kind."""
        if node.kind == "data":
            self.emit(node.value)
        elif node.kind == "output":
            self.emit(self.value(node.children[0]))
        elif node.kind == "body":
            return self.run(node)
        elif node.kind == "if":
            return self.condition(node)
        elif node.kind == "for":
            self.loop(node)
        elif node.kind == "set":
            self.assign(node.children[0], *self.watched(node.children[1]))
        elif node.kind == "setblock":
            self.block(node)
        elif node.kind == "macro":
            self.scopes[-1][node.value] = (Macro(node, node.children[2], list(self.scopes)), False)
        elif node.kind == "callblock":
            call, body = node.children
            self.scopes.append({"caller": (Macro(None, body, list(self.scopes)), False)})
            self.emit(self.value(call))
            self.scopes.pop()
        elif node.kind == "filterblock":
            self.emit(self.filtered(node.children[0], self.captured(node.children[1])))
        elif node.kind == "do":
            self.value(node.children[0])
        elif node.kind == "jump":
            return node.value
        else:
            raise Lost(f"a statement {node.kind}")
        return ""

    def emit(self, value: object) -> None:
        """Write a value out."""
        self.meter.read(value)
        found = pieces(value)
        size = sum(len(piece if isinstance(piece, str) else piece.carried) for piece in found)
        self.meter.step(size >> 3)
        self.written += size
        if self.written > MAX_WRITTEN or len(self.out) + len(found) > MAX_PIECES:
            raise Lost("it writes very much")
        self.out += found

    def watched(self, node: Node) -> tuple[object, bool]:
        """A value, and whether unknown words had a say in it."""
        before, self.touched = self.touched, False
        value = self.value(node)
        touched, self.touched = self.touched, self.touched or before
        return value, touched or self.control > 0

    def condition(self, node: Node) -> str:
        """`if`, with what is set inside remembered as touched where unknown words decided."""
        before, self.touched = self.touched, False
        taken = self.truth(node.children[0])
        touched, self.touched = self.touched, before
        self.control += touched
        # What stands behind `elif` is another `if`, not a body.
        signal = self.statement(node.children[1] if taken else node.children[2])
        self.control -= touched
        return signal

    def loop(self, node: Node) -> None:
        """`for`."""
        targets, iterated, wanted, body, other = node.children
        before, self.touched = self.touched, False
        items = self.items(iterated, self.value(iterated))
        touched, self.touched = self.touched, before
        self.control += touched
        self.scopes.append({})
        if wanted.kind != "const":
            kept = []
            for item in items:
                self.meter.step()
                self.assign(targets, item, touched=False)
                if self.truth(wanted):
                    kept.append(item)
            items = kept
        state = Loop(items)
        for position, item in enumerate(items):
            self.meter.step()
            state.position = position
            self.scopes[-1] = {"loop": (state, False)}
            self.assign(targets, item, touched=False)
            if self.run(body) == "break":
                break
        self.scopes.pop()
        if not items:
            self.run(other)
        self.control -= touched

    def assign(self, targets: Node, value: object, touched: bool) -> None:  # noqa: FBT001 - follows its value
        """`set` and the variables of a loop."""
        if targets.kind == "tuple" and len(targets.children) > 1:
            sym = unknown(value)
            if isinstance(value, (list, tuple)) and len(value) == len(targets.children):
                parts = list(value)
            elif sym is not None:
                parts = [derived(sym, kind="any")] * len(targets.children)
            elif isinstance(value, (str, dict)):
                raise Lost("it takes a text or mapping apart")
            else:
                raise Raised
            for target, part in zip(targets.children, parts, strict=True):
                self.assign(target, part, touched)
            return
        (target,) = targets.children if targets.kind == "tuple" else (targets,)
        if target.kind == "name":
            self.scopes[-1][target.value] = (value, touched)
            return
        owner = self.value(target.children[0])
        if not isinstance(owner, Namespace):
            raise Raised
        owner.values[target.value] = (value, touched)

    def block(self, node: Node) -> None:
        """`set` with a body."""
        targets, body, filters = node.children
        before, self.touched = self.touched, False
        value: object = self.captured(body)
        if filters is not targets:
            value = self.filtered(filters, value, until=targets)
        touched, self.touched = self.touched, before
        self.assign(targets, value, touched or self.control > 0)

    def captured(self, body: Node) -> object:
        """What a body writes, as a value."""
        outer, self.out = self.out, []
        try:
            self.run(body)
            return joined(self.out)
        finally:
            self.out = outer

    def filtered(self, node: Node, value: object, until: Node | None = None) -> object:
        """A value behind the filters of a block."""
        if node.kind != "filter" or node is until:
            return value
        inner = self.filtered(node.children[0], value, until)
        return lists.filtered(self, node, inner, *self.arguments(node.children[1:]))
