"""Does what a template says of its own depend on what is said to it?

Each talk is rendered once as it is, and again for every place where the template asks about unknown words, with the
other answer. What the template says of its own (its words, without marks such as `<|user|>`) has to be the same in
both, and so have the parts of the conversation that come through. What cannot be followed is `unknown`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lockflight.core.findings import Verdict
from lockflight.core.records import dataclass
from lockflight.formats.render.evaluator import Choice
from lockflight.formats.render.machine import Machine
from lockflight.formats.render.meter import Meter, Spent
from lockflight.formats.render.questions import MARKS, PART, SAME, TYPE, WHOLE, WORDS
from lockflight.formats.render.speech import PLAIN, Pair, neighbours
from lockflight.formats.render.talk import KEYS, MAX_RARE, Talk, rare_talks, talks
from lockflight.formats.render.unheard import Unheard
from lockflight.formats.render.values import (
    CONTENT,
    COUNT,
    DATE,
    FOREIGN,
    SETTING,
    TOOL,
    Lost,
    Piece,
    Raised,
    Sym,
)
from lockflight.formats.report import Issue, Issues, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lockflight.formats.jinja.node import Node

#: Runs of one talk.
_MAX_RUNS: Final = 300

_TOKENS: Final = re.compile(f"{MARKS.pattern}|{WORDS.pattern}")
_ADDRESS: Final = re.compile(r"https?://|\bwww\.", re.IGNORECASE)
_OVERRIDE: Final = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b[^.\n]{0,40}\b(?:previous|above|prior|earlier|system|instructions?|rules?)\b",
    re.IGNORECASE,
)
#: Differences in words that are none: a single word, such as the name of a speaker that is put or not.
_FEW: Final = 3

#: Questions whose answer is a number of times.
_HOW_OFTEN: Final = frozenset({"loop", "pieces", "range", "slice", "repeat", "turn", "turns"})

#: Who speaks in the talks of which one is longer.
_SAID: Final = {
    "two": ("user", "assistant", "user"),
    "long": ("user", "assistant") * 3 + ("user",),
    "system": ("system", "user"),
    "system long": ("system", *("user", "assistant") * 3, "user"),
}
#: Talks that say no more than others, and which those are.
_ALIKE: Final = {
    "one": ("two", "long"),
    "two": ("one", "system"),
    "answered": ("two",),
    "parts": ("system", "two"),
    "rich": ("system long",),
    "tools": ("one tool",),
    "one tool": ("tools",),
    "system": ("system long",),
}
#: Whose words have to come through as they are; those of the assistant are shortened by many.
_SPEAKERS: Final = ("user", "system")
#: Words of the tools that the talks bring.
_TOOL_WORDS: Final = frozenset({"place", "days", "object", "string", "integer"})
_WHOSE: Final = {
    CONTENT: "on what is said",
    TOOL: "on what a tool is called or says",
    DATE: "on the day",
    FOREIGN: "on a key that no loader sets",
    COUNT: "on the number of turns",
}
#: Options for which families say something behind the words of the user: how an answer has to be cited.
_SAID_FOR: Final = ("setting citation_mode",)
#: Words of a made-up part that is written out as it is.
_PART_WORDS: Final = frozenset({"^", "$", "type", "text", "url"})
#: Pairs of words that a template may say in all.
_MAX_SAID: Final = 100_000

#: What is said of a template that uses its budget up.
SPENT: Final = Issue(
    "template:budget",
    Verdict.UNKNOWN,
    "The chat template takes more work or memory than any template needs, so that it is not followed to its end.",
)

Words = frozenset[Pair]


@dataclass(frozen=True, slots=True)
class Run:
    """What one rendering said.

    Attributes:
        words: pairs of neighbouring words of the template's own.
        counts: how often each of them is said.
        marks: the marks among its words.
        sources: what came through of the conversation, in order.
        chosen: what was decided on the way.
        written: everything, unknown parts as NUL.
        parts: everything as it was put out.
    """

    words: Words
    counts: dict[Pair, int]
    marks: frozenset[str]
    sources: tuple[str, ...]
    chosen: dict[str, Choice]
    written: str
    parts: tuple[Piece, ...]


def check_drift(root: Node, meter: Meter | None = None) -> tuple[Issue, ...]:
    """What a template does with a conversation that it should not.

    Args:
        root: the template's tree.
        meter: what it may cost; a whole budget where none is given.
    """
    return _Drift(root, meter or Meter()).run()


def _nodes(root: Node) -> Iterator[Node]:
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(node.children))


def _compared(root: Node, meter: Meter, word: str) -> set[str]:
    """Texts that are compared with something's role or type."""
    found = set()
    for node in _nodes(root):
        if node.kind not in {"compare", "test"}:
            continue
        parts = []
        for part in _nodes(node):
            meter.step()
            parts.append(part)
        asked = any(
            part.value == word or part.value.endswith(word) for part in parts if part.kind != "string"
        )
        if asked or any(part.value == word for part in parts if part.kind == "string"):
            found |= {part.value for part in parts if part.kind == "string" and 0 < len(part.value) < 40}
    return found - {word}


@dataclass(frozen=True, slots=True)
class _Branch:
    """Questions that wait for their other answers: what was forced, what was forced in the last run that was heard."""

    forced: dict[str, int]
    heard: dict[str, int] | None
    others: list[tuple[str, Choice, int]]


def _others(chosen: dict[str, Choice], seen: set[tuple[str, int]]) -> list[tuple[str, Choice, int]]:
    found: list[tuple[str, Choice, int]] = []
    for key, choice in chosen.items():
        found += [
            (key, choice, other)
            for other in range(choice.count)
            if other != choice.taken and (key, other) not in seen
        ]
        if len(found) > 2 * _MAX_RUNS:
            break  # more than are tried
    return found


class _Drift:
    def __init__(self, root: Node, meter: Meter) -> None:
        self.root = root
        self.meter = meter
        self.sites: dict[int, int] = {}
        for node in _nodes(root):
            self.sites.setdefault(id(node), len(self.sites))
        self.met: set[int] = set()
        self.issues = Issues()
        self.lost = ""
        self.spent = False
        self.said: set[Pair] = set()
        self.every: set[Pair] = set()
        self.trying = False
        self.heard = False

    def run(self) -> tuple[Issue, ...]:
        plain: dict[str, Run] = {}
        try:
            roles = _compared(self.root, self.meter, "role")
            for talk in talks(roles):
                # What is said for roles that nobody else has is not what the template says anyway.
                self.trying = talk.name == "roles"
                first = self.render(talk, {})
                if first is not None:
                    if talk.name in _SAID or talk.name in _ALIKE:
                        plain[talk.name] = first
                    self.judge(talk, first, plain=True)
                    self.header(talk, first)
                self.explore(talk, first)
            self.rare(roles)
        except Spent:
            self.issues.add(SPENT)
            self.spent = True
        if self.spent:
            pass
        elif self.lost:
            message = f"What the template says cannot be followed: {self.lost}."
            self.issues.add(Issue("template:unfollowed", Verdict.UNKNOWN, message))
        elif not self.heard and any(node.kind == "output" for node in _nodes(self.root)):
            message = "What the template says cannot be followed: it ends every conversation with an error."
            self.issues.add(Issue("template:unfollowed", Verdict.UNKNOWN, message))
        self.turns(plain)
        if not (self.spent or self.lost):
            self.unheard()
        return self.issues.frozen()

    def unheard(self) -> None:
        """Whether everything was heard that the template may say."""
        try:
            found = Unheard(self.root, self.met, self.every, self.meter).find()
        except Spent:
            self.issues.add(SPENT)
            return
        if found is not None:
            message = f"The template has {found[1]} words of its own that no conversation here comes to"
            self.add("unheard", f"{message} (line {found[0]}).")

    def add(self, rule: str, message: str, subject: str = "") -> None:
        self.issues.add(Issue(f"template:{rule}", Verdict.REVIEW, message, subject=subject))

    # -- runs --

    def render(self, talk: Talk, forced: dict[str, int]) -> Run | None:
        """One run; None where it ends with an error."""
        return self._run(talk, forced)[0]

    def _run(self, talk: Talk, forced: dict[str, int]) -> tuple[Run | None, dict[str, Choice]]:
        machine = Machine(self.sites, talk, forced, self.meter, self.met)
        try:
            machine.run(self.root)
        except Raised:
            return None, machine.chosen
        except Lost as error:
            self.lost = self.lost or str(error) or "it does something unknown"
            return None, machine.chosen
        except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError):
            # Values that do not go together in a way that nobody thought of: nothing is known, so it is not safe.
            self.lost = self.lost or "it mixes values that do not go together"
            return None, machine.chosen
        self.heard = True
        run = _heard(machine)
        self.every |= run.words
        if not self.trying:
            self.said |= run.words
        if len(self.every) > _MAX_SAID:
            self.lost = self.lost or "it says very much"
            self.said.clear()
            self.every.clear()
        return run, machine.chosen

    def explore(self, talk: Talk, first: Run | None) -> None:
        """Render a talk with every other answer, one at a time, and with all of them."""
        seen: set[tuple[str, int]] = set()
        chosen = first.chosen if first is not None else self._run(talk, {})[1]
        # Runs are large: a waiting question knows how to repeat the one that it is compared with.
        queue = [_Branch({}, None if first is None else {}, _others(chosen, seen))]
        runs = 0
        while queue:
            branch = queue.pop(0)
            parent = first if branch.heard == {} else None
            for key, choice, other in branch.others:
                if (key, other) in seen:
                    continue
                seen.add((key, other))
                runs += 1
                if runs > _MAX_RUNS:
                    self.lost = self.lost or "it asks about the conversation in too many places"
                    return
                changed = {**branch.forced, key: other}
                child, asked = self._run(talk, changed)
                if child is not None:
                    if parent is None and branch.heard is not None:
                        parent = self.render(talk, branch.heard)
                    if parent is not None:
                        self.weigh(key, parent, child, choice)
                    self.judge(talk, child)
                others = _others(asked, seen)
                if others:
                    queue.append(_Branch(changed, branch.heard if child is None else changed, others))
        self.together(talk, first)

    def together(self, talk: Talk, first: Run | None) -> None:
        """Two answers at once, for what waits for both."""
        if first is None:
            return
        asked = [
            (k, c)
            for k, c in first.chosen.items()
            if c.kind != SETTING and c.asks != "truth" and c.count == 2
        ]
        if len(asked) > 10:
            asked = asked[:10]
        for i, (key, choice) in enumerate(asked):
            for other, with_it in asked[:i]:
                child = self.render(talk, {key: 1 - choice.taken, other: 1 - with_it.taken})
                if child is not None:
                    self.compare(first, child, choice)

    def rare(self, roles: set[str]) -> None:
        """Talks with roles, types of parts and keys that only this template asks for."""
        types = _compared(self.root, self.meter, "type")
        if max(len(roles), len(types)) > MAX_RARE:
            self.lost = self.lost or "it asks for very many roles or types"
            return
        names = {node.value for node in _nodes(self.root) if node.kind in {"attr", "string"}}
        self.trying = True
        tried: set[str] = set()
        for talk in rare_talks(roles, types, names):
            first = None if talk.name in tried else self.render(talk, {})
            if first is None:
                continue
            tried.add(talk.name)
            known = {word.lower() for word in WORDS.findall(talk.name)} | _PART_WORDS
            if len([pair for pair in first.words - self.said if not known.issuperset(pair)]) >= _FEW:
                message = f"What the template says of its own depends on {shown(talk.name)[1:-1]}."
                self.add("conditional-text", message, talk.name)
            self.judge(talk, first)
            self.explore(talk, first)

    # -- judgement --

    def weigh(self, key: str, one: Run, other: Run, choice: Choice) -> None:
        """Whether two runs that differ in one answer may say what they say."""
        if choice.kind != SETTING:
            self.compare(one, other, choice)
        elif not key.startswith(_SAID_FOR) and len(_behind(one) ^ _behind(other)) >= _FEW:
            message = "What the template says behind the words of the user depends on an option of the caller"
            self.add("conditional-text", f"{message} (line {choice.line}).", SETTING)

    def header(self, talk: Talk, run: Run) -> None:
        """Whether what a tool says stands where the system speaks."""
        if talk.name != "called":
            return
        system, tool = _before(run, "system 0"), _before(run, "tool 3")
        others = [_before(run, source) for source in ("user 1", "assistant 4", "user 5")]
        for count in range(1, min(4, len(system) + 1)):
            # The fewest marks and words that only the system has before it.
            turn = system[-count:]
            if all(turn != other[-count:] for other in others):
                if turn == tool[-count:]:
                    self.add(
                        "tool-as-system", "The template puts what a tool says into a turn of the system."
                    )
                return

    def compare(self, one: Run, other: Run, choice: Choice) -> None:
        """Whether two runs that differ in one answer say the same."""
        where = f" (line {choice.line})"
        if choice.asks in {"truth", "loop", TYPE}:
            return  # whether there is anything at all, and of which kind it is
        if choice.kind == TOOL and choice.asks == SAME:
            return  # whether two names or ids are the same
        known = {word.lower() for word in WORDS.findall(choice.about)} | {"^", "$"}
        often = choice.kind != COUNT and choice.asks not in _HOW_OFTEN
        differ = sum(size for pair, size in _differing(one, other, often=often) if not known.issuperset(pair))
        if differ >= _FEW or len(one.marks ^ other.marks) > 6:
            message = f"What the template says of its own depends {_WHOSE[choice.kind]}{where}."
            self.add("conditional-text", message, choice.kind)
        heard = choice.asks not in {"loop", "pieces", "slice"} and choice.kind in {CONTENT, COUNT, DATE}
        if heard and _spoken(one.sources) != _spoken(other.sources):
            message = f"Which parts of the conversation come through depends {_WHOSE[choice.kind]}{where}."
            self.add("drops", message, choice.kind)

    def judge(self, talk: Talk, run: Run, *, plain: bool = False) -> None:
        """What one run shows by itself."""
        for part in run.parts:
            if (
                isinstance(part, Sym)
                and part.changed not in {*WHOLE, PART}
                and part.source.startswith(_SPEAKERS)
            ):
                self.add("altered", f"The template alters what is said ({part.changed}).", part.changed)
            if isinstance(part, Sym) and part.carried and len(_own(part.carried)) > 1:
                self.add("altered", "The template mixes a text of its own into what is said.", "carried")
            if isinstance(part, Sym) and part.kind == FOREIGN:
                self.add("message-key", f"The template writes out {part.source} of a message.", part.source)
        if _ADDRESS.search(run.written):
            self.add("address", "The template writes an address of the web into the conversation.")
        if _OVERRIDE.search(run.written):
            self.add("override", "The template tells the model to disregard what it was told.")
        users = [i for i, source in enumerate(run.sources) if source.startswith("user")]
        systems = [i for i, source in enumerate(run.sources) if source.startswith("system")]
        if talk.name.startswith("system") and plain:
            if users and systems and systems[0] > users[-1]:
                self.add("system-moved", "The template puts the system prompt behind what the user says.")
            if users and not systems and len(run.words) > 8:
                self.add(
                    "system-dropped", "The template says something of its own instead of the system prompt."
                )

    def alike(self, plain: dict[str, Run]) -> None:
        """Whether talks of another shape hear words that no plain one hears."""
        for name, others in _ALIKE.items():
            if name in plain and all(other in plain for other in others):
                heard = frozenset().union(*(plain[other].words for other in others))
                extra = [pair for pair in plain[name].words - heard if not PLAIN.issuperset(pair)]
                if len(extra) >= _FEW:
                    message = f"What the template says of its own depends {_WHOSE[COUNT]} or their form."
                    self.add("conditional-text", message, name)

    def turns(self, plain: dict[str, Run]) -> None:
        """Whether longer talks hear other words."""
        self.alike(plain)
        for short, long in (("two", "long"), ("system", "system long")):
            if short not in plain or long not in plain:
                continue
            one, other = plain[short], plain[long]
            extra = (one.words ^ other.words) if short == "two" else (one.words - other.words)
            if len(extra) >= _FEW:
                self.add(
                    "conditional-text", f"What the template says of its own depends {_WHOSE[COUNT]}.", COUNT
                )
            heard = [len({x for x in run.sources if x.startswith("user")}) for run in (one, other)]
            everybody = (
                len([x for x in _SAID[short] if x == "user"]),
                len([x for x in _SAID[long] if x == "user"]),
            )
            lost = {"system 0"} & set(one.sources) - set(other.sources)
            if lost or (heard[0] == everybody[0] and heard[1] < everybody[1]):
                message = "Which parts of the conversation come through depends on the number of turns."
                self.add("drops", message, COUNT)


def _differing(one: Run, other: Run, *, often: bool) -> Iterator[tuple[Pair, int]]:
    """Pairs of words that one run says and the other does not, or says more often, and by how much."""
    if not often:
        yield from ((pair, 1) for pair in one.words ^ other.words)
        return
    for pair in {pair for pair, _ in one.counts.items() ^ other.counts.items()}:
        yield pair, abs(one.counts.get(pair, 0) - other.counts.get(pair, 0))


def _before(run: Run, source: str) -> list[str]:
    """Marks and words between what is said by somebody and what is said before; none where it is not said."""
    known = ""
    for part in run.parts:
        if isinstance(part, str):
            known += part
        elif part.source == source:
            return _TOKENS.findall(known)
        else:
            known = ""
    return []


def _behind(run: Run) -> Words:
    """The words of the template's own behind the first words of the user."""
    for i, part in enumerate(run.parts):
        if isinstance(part, Sym) and part.source.startswith("user"):
            return frozenset(neighbours(_written(run.parts[i:])))
    return frozenset()


def _own(text: str) -> list[str]:
    """The words of a text that do not come from the talks themselves."""
    return [
        word for word in WORDS.findall(MARKS.sub(" ", text)) if word not in KEYS and word not in _TOOL_WORDS
    ]


def _spoken(sources: tuple[str, ...]) -> frozenset[str]:
    return frozenset(source for source in sources if source.startswith(_SPEAKERS))


def _heard(machine: Machine) -> Run:
    written = _written(machine.out)
    marks = frozenset(MARKS.findall(written))
    sources = tuple(
        part.source for part in machine.out if isinstance(part, Sym) and part.kind in {CONTENT, TOOL}
    )
    counts = neighbours(written)
    return Run(frozenset(counts), counts, marks, sources, machine.chosen, written, tuple(machine.out))


def _written(parts: Iterable[Piece]) -> str:
    return "".join(part if isinstance(part, str) else "\0" + part.carried for part in parts)
