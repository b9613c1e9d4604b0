"""Secrets in text: the Kingfisher rules in process, plus the patterns of `detect.secrets`.

Nothing is validated and no socket is opened: Kingfisher's scanner is offline by construction, and its validator is
never imported. Comments that would silence it (`kingfisher:ignore` and the like) are not honoured.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from bisect import bisect_left
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Any

from lockflight.core.attest.check import Tool
from lockflight.core.findings import Confidence, Severity
from lockflight.core.records import dataclass
from lockflight.detect.secrets import find_secrets, is_placeholder
from lockflight.errors import EnvironmentProblem

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Names a private folder for the compiled rules; the library reads it.
CACHE_VARIABLE = "KF_RULE_CACHE_DIR"
_DISTRIBUTION = "kingfisher-secret-scanner"
#: Rules whose shape is that of many other tokens; a rule with a name of its own wins over them.
_VAGUE = frozenset({"kingfisher:betterleaks.kimi-api-key", "own:named-secret"})
_ESCAPE = re.compile(rb"\\([nrtbf\"'/])")
_PLAIN = {b"n": b" \n", b"r": b" \r", b"t": b" \t"}
_SEVERITIES = {
    "kingfisher:betterleaks.jwt": Severity.MEDIUM,
    "kingfisher:betterleaks.jwt-base64": Severity.MEDIUM,
    "kingfisher:betterleaks.generic-credential-uri": Severity.MEDIUM,
}
_RANKS = {Confidence.HIGH: 0, Confidence.MEDIUM: 1, Confidence.LOW: 2}


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret that was found; `value` stays in memory and goes into no finding.

    Attributes:
        rule: `kingfisher:` and the foreign rule's id, or `own:` and that of `detect.secrets`.
        title: what it is.
        value: the secret.
        start: byte offset in the text.
        severity: how bad.
        confidence: how sure.
    """

    rule: str
    title: str
    value: bytes
    start: int
    severity: Severity
    confidence: Confidence


class SecretEngine:
    """The compiled rules, shared within a process.

    Raises:
        EnvironmentProblem: LF5018 the scanner cannot be loaded.
    """

    def __init__(self) -> None:
        self._scanner = _scanner()

    def find(self, text: bytes, *, named: bool = True) -> list[Secret]:
        """The secrets of a UTF-8 text in order, each once.

        Args:
            text: the text, or a window of it.
            named: also look at values by the names that they are assigned to (see `detect.secrets`).
        """
        found = [*self._look(text, named=named)]
        if b"\\" in text:
            # Escapes of JSON and of string literals glue letters to a token: `\nsk-…` starts with an n.
            plain = _ESCAPE.sub(lambda m: _PLAIN.get(m[1], b" " + m[1]), text)
            if plain != text:
                found += self._look(plain, named=named)
        return _one_per_place(found)

    def _look(self, text: bytes, *, named: bool) -> Iterator[Secret]:
        for item in self._scanner.scan(text):
            if item.visible:
                yield _secret(item)
        for hit in find_secrets(text, named=named):
            value = text[hit.start : hit.end]
            yield Secret(f"own:{hit.rule}", hit.title, value, hit.start, hit.severity, hit.confidence)


def secret_tool(version: str) -> Tool:
    """What looks: our version with Kingfisher's, and the digest of its rules.

    Raises:
        EnvironmentProblem: LF5018 the scanner cannot be loaded.
    """
    return Tool("lockflight-secrets", f"{version}+kingfisher{_version()}", _rules_digest())


def _secret(item: Any) -> Secret:  # noqa: ANN401 - a native object of the library
    rule = f"kingfisher:{item.rule_id}"
    value = item.secret.encode("utf-8", "replace")
    confidence = Confidence(item.confidence)
    severity = _SEVERITIES.get(rule, Severity.HIGH)
    if confidence is Confidence.LOW:
        severity = Severity.MEDIUM
    if is_placeholder(value):
        severity = Severity.LOW
    return Secret(rule, _title(item.rule_id), value, int(item.location["start_offset"]), severity, confidence)


def _title(rule_id: str) -> str:
    words = re.sub(r"\.\d+$", "", rule_id.rpartition("/")[2].removeprefix("betterleaks.")).replace("-", " ")
    return f"{'an' if words[:1] in 'aeiou' else 'a'} {words}"


def _one_per_place(found: list[Secret]) -> list[Secret]:
    """Of several rules that overlap, the surest and most specific one; in order of place."""
    ranked = sorted(
        found,
        key=lambda s: (s.rule in _VAGUE, _RANKS[s.confidence], s.rule.startswith("own:"), s.rule, s.start),
    )
    kept: dict[int, Secret] = {}
    starts: list[int] = []
    for secret in ranked:
        at = bisect_left(starts, secret.start)
        before = kept[starts[at - 1]] if at else None
        if before is not None and before.start + len(before.value) > secret.start:
            continue
        if at < len(starts) and starts[at] < secret.start + max(1, len(secret.value)):
            continue
        starts.insert(at, secret.start)
        kept[secret.start] = secret
    return [kept[start] for start in starts]


@cache
def _scanner() -> Any:  # noqa: ANN401 - a class of the library
    try:
        from kingfisher_sdk import DetectionPolicy, Rules, Scanner
    except ImportError as error:
        raise EnvironmentProblem(
            "LF5018",
            f"The secret scanner cannot be loaded: {error}.",
            hint=f"pip install {_DISTRIBUTION}",
        ) from error
    # Context filters would hide what a comment or markup around a secret says about it: off.
    policy = DetectionPolicy(inline_ignores=False, markup_context=False)
    # Compiling takes seconds. The library's cache on disk is used only where whoever started this process named a
    # folder for it: what it holds decides what is found.
    rules = Rules(confidence="low", cache=CACHE_VARIABLE in os.environ)
    return Scanner(rules, policy=policy)


@cache
def _rules_digest() -> str:
    """SHA-256 over the definitions of the loaded rules, in order of id."""
    rules = _scanner().rules
    definitions = [rules.detail(name) for name in sorted(str(rule["id"]) for rule in rules.metadata())]
    return hashlib.sha256(json.dumps(definitions, sort_keys=True).encode()).hexdigest()


def _version() -> str:
    return metadata.version(_DISTRIBUTION)
