"""The tools of the assistant: what they may be called with is said by `tools/manifest.json` and checked here."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.passages import Passage

ORDER = re.compile(r"\bCO-[0-9]{5}\b")


class ToolRefusedError(ValueError):
    """A call that the manifest does not allow; nothing has happened."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that was made and what came back."""

    name: str
    arguments: dict[str, str]
    result: dict[str, str]


class Tools:
    """Runs the tools that the manifest (JSON) names, with the arguments that it allows."""

    def __init__(self, manifest: str, orders: str, tickets: Path) -> None:
        document = json.loads(manifest)
        self._schemas = {
            tool["name"]: (tool["inputSchema"], tool["outputSchema"]) for tool in document["tools"]
        }
        self._orders = {order["order"]: order for order in json.loads(orders)}
        self._tickets = tickets

    def lookup_order(self, order: str) -> ToolCall | None:
        """The state of an order, or None when there is no such order."""
        arguments = self._allowed("lookup_order", {"order": order})
        found = self._orders.get(order)
        return self._made("lookup_order", arguments, found) if found else None

    def create_ticket(self, subject: str, *, lockout: bool = False) -> ToolCall:
        """Open a ticket: one line of JSON at the end of the list of tickets."""
        arguments = {"subject": subject, "urgency": "lockout" if lockout else "normal"}
        self._allowed("create_ticket", arguments)
        self._tickets.parent.mkdir(parents=True, exist_ok=True)
        with self._tickets.open("a+", encoding="utf-8") as lines:
            lines.seek(0)
            ticket = f"T-{sum(1 for _ in lines) + 1:06d}"
            lines.write(json.dumps({"ticket": ticket, **arguments}, ensure_ascii=False) + "\n")
        return self._made("create_ticket", arguments, {"ticket": ticket})

    def _allowed(self, name: str, arguments: dict[str, str]) -> dict[str, str]:
        if name not in self._schemas:
            raise ToolRefusedError(f"the manifest has no tool {name!r}")
        check(arguments, self._schemas[name][0], name)
        return arguments

    def _made(self, name: str, arguments: dict[str, str], result: dict[str, str]) -> ToolCall:
        check(result, self._schemas[name][1], f"result of {name}")
        return ToolCall(name, arguments, result)


def check(values: dict[str, str], schema: dict[str, Any], where: str) -> None:
    """Check `values` against the part of JSON Schema that the manifest uses: an object of texts.

    Raises:
        ToolRefusedError: a value is missing, unknown or outside its limits.
    """
    known: dict[str, dict[str, Any]] = schema["properties"]
    if missing := set(schema["required"]) - values.keys():
        raise ToolRefusedError(f"{where}: {min(missing)!r} is missing")
    for name, value in values.items():
        if name not in known:
            raise ToolRefusedError(f"{where}: there is no {name!r}")
        rule = known[name]
        long_enough = rule.get("minLength", 0) <= len(value) <= rule.get("maxLength", 1000)
        in_form = re.search(rule.get("pattern", ""), value) is not None
        if not (long_enough and in_form and value in rule.get("enum", [value])):
            raise ToolRefusedError(f"{where}: {name!r} is not as the manifest demands")


def order_passage(call: ToolCall) -> Passage:
    """An order as a passage, so that the answer can cite it."""
    order, item, state, date = (call.result[key] for key in ("order", "item", "state", "date"))
    return Passage(
        f"tool:{call.name}", f"Order {order}", f"Your order {order} ({item}) was {state} on {date}."
    )
