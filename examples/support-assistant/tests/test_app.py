"""The assistant as a whole, with its real models: run in a prepared folder."""
# ruff: noqa: D103, S101

from __future__ import annotations

import json
from pathlib import Path

import pytest
from app import config, passages, retrieve
from app.answer import Mode
from app.ask import Desk, main
from app.embedding import Embedder
from app.files import Workspace
from app.text import support
from app.tools import ToolRefusedError, Tools

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(Workspace(ROOT), tmp_path_factory.mktemp("state") / "tickets.jsonl")


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    files = Workspace(ROOT)
    return Embedder(files, config.load(files).retrieval.embedding_model)


def test_related_texts_are_nearer_than_unrelated_ones(embedder: Embedder) -> None:
    cat, kitten, budget = embedder.embed(
        ["A cat sleeps.", "The kitten is dozing.", "The budget grew by a tenth."]
    )
    assert cat @ kitten > 0.5
    assert cat @ budget < 0.2


def test_the_index_holds_every_section_of_the_knowledge_base() -> None:
    files = Workspace(ROOT)
    assert (
        len(retrieve.load(files, config.load(files).retrieval.index))
        == len(passages.read_pages(ROOT / "kb"))
        > 54
    )


def test_the_eval_set_reaches_the_figures_of_the_model_card(desk: Desk) -> None:
    right = declined = answerable = 0
    items = [json.loads(line) for line in (ROOT / "evals" / "questions.jsonl").read_text().splitlines()]
    for item in items:
        answer, _ = desk.ask(item["question"])
        if item["answerable"]:
            answerable += 1
            right += all(fact.lower() in answer.text.lower() for fact in item["facts"])
        else:
            declined += answer.mode in {Mode.UNKNOWN, Mode.REFUSED}
    assert right >= 50
    assert declined == len(items) - answerable == 16


def test_an_answer_cites_the_page_that_it_comes_from(desk: Desk) -> None:
    answer, calls = desk.ask("What does the Arc 16 cost?")
    assert "79 euros" in answer.text
    assert "[1]" in answer.text
    assert [citation.source for citation in answer.citations] == ["kb/lock-arc.md"]
    assert calls == []


def test_an_order_is_looked_up_and_cited(desk: Desk) -> None:
    answer, calls = desk.ask("Where is my order CO-10482?")
    assert "sent on 2026-03-02" in answer.text
    assert answer.citations[0].source == "tool:lookup_order"
    assert calls[0].arguments == {"order": "CO-10482"}


def test_a_question_without_an_answer_becomes_a_ticket(desk: Desk) -> None:
    answer, calls = desk.ask("Do you sell motorcycle helmets?", ticket=True)
    assert answer.mode is Mode.UNKNOWN
    assert calls[0].result == {"ticket": "T-000001"}


@pytest.mark.parametrize(
    ("claim", "supported"),
    [
        ("A full inspection costs 89 euros and a small inspection 39 euros.", True),
        ("A full inspection costs 39 euros.", False),
        ("A full inspection is not 89 euros, a small inspection 39 euros.", False),
    ],
)
def test_a_claim_needs_the_same_numbers_and_no_other_denial(claim: str, *, supported: bool) -> None:
    source = "A small inspection costs 39 euros and a full inspection 89 euros."
    assert (support(claim, "Workshop prices", source) >= 0.8) is supported


def test_tools_take_only_what_the_manifest_allows(tmp_path: Path) -> None:
    files = Workspace(ROOT)
    tickets = tmp_path / "tickets.jsonl"
    tools = Tools(files.text("tools/manifest.json"), files.text("data/orders.json"), tickets)
    with pytest.raises(ToolRefusedError):
        tools.lookup_order("CO-10482; drop table orders")
    with pytest.raises(ToolRefusedError):
        tools.create_ticket("x" * 201)
    assert not (tmp_path / "tickets.jsonl").exists()


def test_the_command_line_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json", "How long is a gift card valid?"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert "4 years" in record["text"]
    assert record["citations"][0]["source"] == "kb/gift-cards.md"
