"""Answers a question from the knowledge base, and shows only what a source supports.

The language model is small and often wrong. So it is given the sentence that fits the question best, and each sentence
of its draft stays only when a sentence of the sources says the same (`app.text.support`). When nothing stays, the
source is quoted instead; when no source fits, the assistant says that it does not know.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from app.text import content, overlap, sentences, support

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.config import RetrievalConfig
    from app.embedding import Embedder
    from app.files import Files
    from app.model import Writer
    from app.passages import Passage
    from app.refusals import Refusals
    from app.retrieve import Index

UNKNOWN = "I do not know: the knowledge base has no answer to this. I can open a ticket for a colleague."

#: What a sentence gains when it holds every content word of the question: "used" and "unused" embed alike.
_WORD_BONUS = 0.3
#: A second sentence of the same passage is quoted too when its score is this near to the best.
_QUOTE_MARGIN = 0.1
_QUOTED_SENTENCES = 2


class Mode(StrEnum):
    """How an answer came about."""

    WRITTEN = "written"
    QUOTED = "quoted"
    UNKNOWN = "unknown"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Citation:
    """The source behind `[number]` in an answer."""

    number: int
    source: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the customer sees."""

    question: str
    text: str
    mode: Mode
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence of a passage, the place where it stands, and how well it fits the question."""

    passage: Passage
    position: int
    sentence: str
    score: float


@dataclass(frozen=True, slots=True)
class Prompts:
    """The instruction of the model and the template of a question (`{sources}`, `{question}`)."""

    system: str
    template: str

    @classmethod
    def read(cls, files: Files) -> Prompts:
        """Read `prompts/system.md` and `prompts/answer.md`."""
        return cls(*(files.text(f"prompts/{name}.md").strip() for name in ("system", "answer")))


class Assistant:
    """Joins retrieval, the language model and the check of its drafts."""

    def __init__(
        self,
        settings: RetrievalConfig,
        embedder: Embedder,
        index: Index,
        writer: Writer,
        refusals: Refusals,
        prompts: Prompts,
    ) -> None:
        self._settings = settings
        self._embedder = embedder
        self._index = index
        self._writer = writer
        self._refusals = refusals
        self._prompts = prompts

    def answer(self, question: str, given: Sequence[Passage] = ()) -> Answer:
        """Answer `question`, from the `given` passages (results of tools) or else from the knowledge base."""
        vector = self._embedder.embed([question])[0]
        hits = self._index.search(vector, self._settings.top_k)
        refusal = self._refusals.match(vector, rival=hits[0].score)
        if refusal is not None:
            return Answer(question, refusal, Mode.REFUSED)
        found = [hit.passage for hit in hits if hit.score >= self._settings.min_score]
        ranked = self._rank(question, given or found)
        if not ranked:
            return Answer(question, UNKNOWN, Mode.UNKNOWN)
        best = ranked[0]
        source = f"{best.passage.title}: {best.sentence}"
        draft = self._writer.write(
            self._prompts.system, self._prompts.template.format(sources=source, question=question)
        )
        if written := self._supported(draft, best):
            return _cited(question, written, best.passage, Mode.WRITTEN)
        return _cited(question, _quote(ranked), best.passage, Mode.QUOTED)

    def _rank(self, question: str, passages: Sequence[Passage]) -> list[Evidence]:
        places = [(p, i, s) for p in passages for i, s in enumerate(sentences(p.text))]
        if not places:
            return []
        titled = [f"{passage.title}: {sentence}" for passage, _, sentence in places]
        vectors = self._embedder.embed([question, *titled])
        cosines = (vectors[1:] @ vectors[0]).tolist()
        wanted = content(question)
        scores = [c + _WORD_BONUS * overlap(wanted, content(t)) for c, t in zip(cosines, titled, strict=True)]
        ranked = [Evidence(*place, score) for place, score in zip(places, scores, strict=True)]
        return sorted(ranked, key=lambda evidence: -evidence.score)

    def _supported(self, draft: str, best: Evidence) -> list[str]:
        least = self._settings.min_support
        kept = [s for s in sentences(draft) if support(s, best.passage.title, best.sentence) >= least]
        return list(dict.fromkeys(kept))


def _quote(ranked: Sequence[Evidence]) -> list[str]:
    best = ranked[0]
    near = [
        evidence
        for evidence in ranked
        if evidence.passage == best.passage and evidence.score >= best.score - _QUOTE_MARGIN
    ]
    return [e.sentence for e in sorted(near[:_QUOTED_SENTENCES], key=lambda evidence: evidence.position)]


def _cited(question: str, lines: Sequence[str], passage: Passage, mode: Mode) -> Answer:
    citation = Citation(1, passage.source, passage.title, passage.text)
    return Answer(question, " ".join(f"{line} [1]" for line in lines), mode, (citation,))
