"""Sentences that speak to a model and not to a reader.

Signals, not proof: a text about prompt injection quotes such sentences, and an attack can be phrased in another way.
They weigh much where a text is hidden from people, and little where it is in plain sight. Taxonomy: OWASP LLM01:2025,
MITRE ATLAS AML.T0051.001.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lockflight.core.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Words that most of the patterns need; what has none of them is not searched.
_HINTS: Final = re.compile(
    r"instruct|prompt|tell|not|never|ignor|disregard|forget|overrid|pretend|reveal|mention|respond|reply|answer"
    r"|you are|you must|assistant|system|developer|<\||\[inst|###|send|forward|e-?mail|http|tool|function"
    r"|anweisung|ignorier|instruccion|ignora|ignorez|consigne|指示|命令|忽略|игнорир|инструкц",
    re.IGNORECASE,
)
#: Up to four words.
_GAP: Final = r"[\W_]+(?:\w+[\W_]+){0,4}?"
_OVERRIDES: Final = (
    rf"\b(?:ignore|disregard|forget|override|bypass|do not follow|don't follow)\b{_GAP}"
    r"(?:instructions?|prompts?|rules|guidelines|directions|context|constraints|polic(?:y|ies)|training"
    r"|(?:said|told) before)\b"
)
_OTHER_OVERRIDES: Final = (
    rf"(?:ignorier\w*|vergiss|missachte){_GAP}(?:anweisung|instruktion|regel)\w*"
    rf"|(?:ignor[ae]|olvida|descarta){_GAP}(?:instrucci|istruzion|instruç)\w*"
    rf"|(?:ignore[zr]|oubli\w+){_GAP}(?:instructions?|consignes?)"
    rf"|忽略.{{0,8}}(?:指示|指令|说明|提示)|(?:игнорируй|забудь)\w*{_GAP}инструкц\w*"
)
_SECRECY: Final = (
    r"\b(?:do not|don't|never|without)\b[\W_]+"
    r"(?:tell\w*|mention\w*|reveal\w*|inform\w*|show\w*|disclos\w*|notify\w*)[\W_]+"
    r"(?:\w+[\W_]+){0,3}?(?:users?|humans?|anyone|this|them)\b"
)
_REVEAL: Final = (
    rf"\b(?:reveal|print|output|repeat|show|leak|disclose){_GAP}"
    r"(?:(?:system|hidden|initial|your) prompt|your instructions|api keys?|credentials|secrets?)\b"
)
_ADDRESS: Final = (
    r"\b(?:new|updated|real|hidden|important|additional|secret)"
    r" (?:instructions?|system prompt|directives?)\s*[:=]"
    r"|\b(?:attention|note to|message (?:for|to)|instructions? for) (?:the )?"
    r"(?:ai|llms?|assistant|model|language model|chatbot|agent|gpt|claude|gemini)\b"
)
_TURN: Final = (
    r"<\|?(?:im_start|im_end|system|start_header_id|eot_id|begin_of_text|assistant)\|?>|\[/?INST\]|<</?SYS>>"
    r"|^\s*#{2,}\s*(?:system|instruction|assistant|user)\b|^\s*(?:system|assistant)\s*:\s"
)
_EXFILTRATION: Final = (
    r"\b(?:send|forward|post|upload|e-?mail|append|exfiltrate|transmit)\b"
    r"[^.\n]{0,80}?(?:https?://|\w@\w|webhook|attacker)"
)
_ACTION: Final = (
    r"\b(?:call|invoke|use|run|execute)\b[\W_]+(?:the[\W_]+)?[`'\"]?\w{2,40}[`'\"]?[\W_]+"
    r"(?:tool|function|plugin)\b[^.\n]{0,60}?\b(?:with|to|and)\b"
)
_ANSWER: Final = (
    r"\b(?:always|only|just|must|instead)[,\s]+"
    r"(?:respond|reply|answer|say|recommend|output|rate|conclude|return)\b"
)
_ROLE: Final = (
    r"(?<!\w)(?:you are now|from now on,? you|act as (?:if you|an? )|pretend (?:to be|that you)"
    r"|enter \w+ mode)\b"
)
_PATTERNS: Final = tuple(
    (name, re.compile(pattern, re.IGNORECASE))
    for name, pattern in (
        ("override", _OVERRIDES),
        ("override", _OTHER_OVERRIDES),
        ("role", _ROLE),
        ("secrecy", _SECRECY),
        ("reveal", _REVEAL),
        ("address", _ADDRESS),
        ("turn", _TURN),
        ("exfiltration", _EXFILTRATION),
        ("action", _ACTION),
        ("answer", _ANSWER),
    )
)

#: How serious a signal is by itself in text that people can see.
STRONG: Final = frozenset({"override", "secrecy", "reveal", "turn"})


@dataclass(frozen=True, slots=True)
class Signal:
    """A sentence, or a part of one, that speaks to a model.

    Attributes:
        kind: what it wants: override, role, secrecy, reveal, address, turn, exfiltration, action, answer.
        offset: index of its first character.
    """

    kind: str
    offset: int


def find_instructions(text: str, *, start: int = 0) -> Iterator[Signal]:
    """Signals in a text, of each kind the first in each part of the pattern list.

    Args:
        text: at most some kilobytes at a time; the patterns look at a few words, not at pages.
        start: added to every offset.
    """
    if _HINTS.search(text) is None:
        return
    seen = set()
    for kind, pattern in _PATTERNS:
        if kind not in seen and (found := pattern.search(text)) is not None:
            seen.add(kind)
            yield Signal(kind, start + found.start())
