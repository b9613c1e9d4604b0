"""Ask the assistant: `python -m app.ask "How long can I return a lock?"`.

`--env production` runs only a package that production holds, and verifies each file when it is loaded; without it the
files are believed as they lie in the folder. `--json` prints one JSON object; `--lines` answers JSON lines
`{"id", "question"}` from standard input, for evaluations.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from app import config, retrieve
from app.answer import Answer, Assistant, Mode, Prompts
from app.embedding import Embedder
from app.files import Files, opened
from app.model import LocalModel
from app.refusals import Refusals
from app.tools import ORDER, ToolCall, Tools, order_passage

if TYPE_CHECKING:
    from collections.abc import Sequence

NO_ORDER = "I cannot find this order. Please check the number: it stands in the confirmation."


class Desk:
    """The assistant and its tools, ready to answer."""

    def __init__(self, files: Files, tickets: Path) -> None:
        settings = config.load(files)
        embedder = Embedder(files, settings.retrieval.embedding_model)
        self._assistant = Assistant(
            settings.retrieval,
            embedder,
            retrieve.load(files, settings.retrieval.index),
            LocalModel(settings.generation, files),
            Refusals(files.text("policies/refusals.yaml"), embedder),
            Prompts.read(files),
        )
        self._tools = Tools(files.text("tools/manifest.json"), files.text("data/orders.json"), tickets)

    def ask(self, question: str, *, ticket: bool = False) -> tuple[Answer, list[ToolCall]]:
        """Answer `question`; an order number in it is looked up, and `ticket` opens one when there is no answer."""
        calls: list[ToolCall] = []
        number = ORDER.search(question)
        if number is None:
            answer = self._assistant.answer(question)
        elif call := self._tools.lookup_order(number.group()):
            calls.append(call)
            answer = self._assistant.answer(question, [order_passage(call)])
        else:
            answer = Answer(question, NO_ORDER, Mode.UNKNOWN)
        if ticket and answer.mode is Mode.UNKNOWN:
            calls.append(self._tools.create_ticket(question))
        return answer, calls


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m app.ask", description="Ask the support assistant of Corrow."
    )
    parser.add_argument("question", nargs="?", help="what you want to know")
    parser.add_argument("--json", action="store_true", help="print the answer as one JSON object")
    parser.add_argument(
        "--lines", action="store_true", help='answer JSON lines {"id", "question"} from standard input'
    )
    parser.add_argument("--ticket", action="store_true", help="open a ticket when there is no answer")
    parser.add_argument(
        "--tickets",
        type=Path,
        default=Path("tickets.jsonl"),
        help="the list of tickets (default: %(default)s)",
    )
    parser.add_argument("--env", metavar="NAME", help="load verified files of a release that NAME holds")
    options = parser.parse_args(arguments)
    if (options.question is None) != options.lines:
        parser.error("give either a question or --lines")
    with ExitStack() as stack:
        try:
            desk = Desk(stack.enter_context(opened(options.env)), options.tickets)
        except OSError as error:
            parser.error(f"{error}; run this in a folder that prepare.py made, or in a package")
        return _serve(desk, options)


def _serve(desk: Desk, options: argparse.Namespace) -> int:
    if options.lines:
        for line in sys.stdin:
            item = json.loads(line)
            answer, calls = desk.ask(str(item["question"]))
            print(
                json.dumps({"id": item.get("id"), **_record(answer, calls)}, ensure_ascii=False), flush=True
            )
        return 0
    answer, calls = desk.ask(options.question, ticket=options.ticket)
    print(json.dumps(_record(answer, calls), ensure_ascii=False) if options.json else _text(answer, calls))
    return 0


def _record(answer: Answer, calls: Sequence[ToolCall]) -> dict[str, object]:
    return {**asdict(answer), "tool_calls": [asdict(call) for call in calls]}


def _text(answer: Answer, calls: Sequence[ToolCall]) -> str:
    lines = [answer.text]
    lines += [f"  [{c.number}] {c.title} ({c.source})" for c in answer.citations]
    lines += [f"  ticket {call.result['ticket']}" for call in calls if call.name == "create_ticket"]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
