"""Own patterns for secrets that general scanners leave out: LLM providers and assignments by name.

Pure and bounded: each pattern has a literal that must occur before it is tried, and no pattern can backtrack more
than a constant per character. Shapes follow the providers' public documentation of their key formats.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING

from lockflight.core.findings import Confidence, Severity
from lockflight.core.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class SecretHit:
    """A secret in a text; hold it no longer than it takes to mask it.

    Attributes:
        rule: the pattern's id, such as `langfuse-secret-key`.
        title: what it is, for the message.
        start: byte offset of the secret.
        end: byte offset past it.
        severity: how bad when it is live.
        confidence: how sure.
    """

    rule: str
    title: str
    start: int
    end: int
    severity: Severity
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class _Pattern:
    rule: str
    title: str
    literal: bytes
    regex: re.Pattern[bytes]
    severity: Severity = Severity.HIGH
    confidence: Confidence = Confidence.HIGH


def _named(names: str, value: str) -> re.Pattern[bytes]:
    """`NAME = value` in any of the usual notations; group `secret` is the value."""
    return re.compile(
        rf"(?i:{names})[\"'\]]{{0,2}}[ \t]{{0,4}}(?:=>|:=|[=:])[ \t]{{0,4}}[\"']?(?P<secret>{value})".encode()
    )


_KEY = r"_?(?:API)?_?(?:KEY|TOKEN|SECRET)"
_PATTERNS = (
    _Pattern(
        "openai-api-key",
        "an OpenAI API key",
        b"T3BlbkFJ",
        re.compile(rb"\b(?P<secret>sk-[A-Za-z0-9_-]{20,100}T3BlbkFJ[A-Za-z0-9_-]{20,100})"),
    ),
    _Pattern(
        "langsmith-api-key",
        "a LangSmith API key",
        b"lsv2_",
        re.compile(rb"\b(?P<secret>lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10})\b"),
    ),
    _Pattern(
        "langfuse-secret-key",
        "a Langfuse secret key",
        b"sk-lf-",
        re.compile(rb"\b(?P<secret>sk-lf-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\b"),
    ),
    _Pattern(
        "tavily-api-key",
        "a Tavily API key",
        b"tvly-",
        re.compile(rb"\b(?P<secret>tvly-(?:dev-|prod-)?[A-Za-z0-9]{20,64})(?![A-Za-z0-9])"),
    ),
    _Pattern(
        "fireworks-api-key",
        "a Fireworks AI API key",
        b"fw_",
        re.compile(rb"\b(?P<secret>fw_(?=[A-Za-z]{0,23}[0-9])[A-Za-z0-9]{22,24})\b"),
        confidence=Confidence.MEDIUM,
    ),
    _Pattern(
        "anyscale-api-key",
        "an Anyscale API key",
        b"esecret_",
        re.compile(rb"\b(?P<secret>esecret_[A-Za-z0-9]{20,40})\b"),
    ),
    _Pattern(
        "xai-api-key", "an xAI API key", b"xai-", re.compile(rb"\b(?P<secret>xai-[A-Za-z0-9]{70,90})\b")
    ),
    _Pattern(
        "elevenlabs-api-key",
        "an ElevenLabs API key",
        b"sk_",
        re.compile(rb"\b(?P<secret>sk_[0-9a-f]{48})\b"),
    ),
    _Pattern(
        "telegram-bot-token",
        "a Telegram bot token",
        b":AA",
        re.compile(rb"(?<![0-9A-Za-z])(?P<secret>[0-9]{8,10}:AA[A-Za-z0-9_-]{33})(?![A-Za-z0-9_-])"),
    ),
    _Pattern(
        "azure-openai-api-key",
        "an Azure AI key",
        b"ZURE",
        _named(
            rf"AZURE_?(?:OPENAI|COGNITIVE|AI|SEARCH)[A-Z_]{{0,24}}{_KEY}",
            r"(?:[0-9a-f]{32}|[A-Za-z0-9]{52,84})\b",
        ),
    ),
    _Pattern(
        "azure-storage-account-key",
        "an Azure storage account key",
        b"AccountKey",
        re.compile(rb"AccountKey[\"']?[ \t]{0,4}[=:][ \t]{0,4}[\"']?(?P<secret>[A-Za-z0-9+/]{86}==)"),
    ),
    _Pattern(
        "togetherai-api-key",
        "a Together AI API key",
        b"OGETHER",
        _named(rf"TOGETHER(?:_?AI)?{_KEY}", r"[0-9a-f]{64}\b"),
    ),
    _Pattern(
        "assemblyai-api-key",
        "an AssemblyAI API key",
        b"SSEMBLY",
        _named(rf"ASSEMBLY_?AI{_KEY}", r"[0-9a-f]{32}\b"),
    ),
    _Pattern("ai21-api-key", "an AI21 API key", b"AI21", _named(rf"AI21{_KEY}", r"[A-Za-z0-9]{32}\b")),
    _Pattern(
        "comet-api-key", "a Comet API key", b"COMET", _named(rf"COMET(?:_?ML)?{_KEY}", r"[A-Za-z0-9]{25}\b")
    ),
    _Pattern(
        "aws-secret-access-key",
        "an AWS secret access key",
        b"ecret",
        _named(r"aws_?secret_?(?:access_?)?key", r"[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])"),
    ),
    _Pattern(
        "authorization-header",
        "credentials in an Authorization header",
        b"uthorization",
        _named("authorization", r"(?:Bearer|Basic|Token)[ \t]{1,4}[A-Za-z0-9._~+/=-]{20,2000}"),
        severity=Severity.MEDIUM,
        confidence=Confidence.MEDIUM,
    ),
)

# A name that promises a secret, up to the value that is assigned to it; quotes may be escaped, as inside JSON.
_SECRET_NAME = re.compile(
    rb"(?i:api_?-?key|secret|token|passwd|password|credential|private_?-?key|access_?-?key|auth_?-?key)"
    rb"(?P<rest>[A-Za-z0-9_.-]{0,24})[\\\"'\]]{0,3}[ \t]{0,4}(?:=>|:=|[=:])[ \t]{0,4}"
    rb"(?P<quote>\\?[\"'])?(?P<secret>[A-Za-z0-9+/=_\-.~!@#$%^&*]{12,200})(?P<after>\\?.?)"
)
# Names that end so hold no secret but talk about one.
_TALKS_ABOUT = re.compile(
    rb"(?i)(?:name|names|id|ids|url|uri|path|file|env|var|type|types|field|key_?id|length|len|size|count|class|cls"
    rb"|format|pattern|regex|prefix|suffix|header|param|index|hash|digest|policy|provider|limit|izer|ized|s_per_.*)$"
)
_PLACEHOLDER = re.compile(
    rb"(?i)example|placeholder|change_?-?me|your|dummy|sample|redact|replace|insert|fake|mock|todo|xxxx|\*\*\*"
    rb"|\.\.\.|1234567|abcdef|undefined|lorem"
)
_WORDS = re.compile(rb"(?i)test|secret|password|none|null")
_LOOKS_LIKE_CODE = re.compile(rb"^[A-Za-z_][\w.]*[.(]|^[./~$%@#]|://|^[A-Za-z]+(?:[_-][A-Za-z]+)*$")
_HEX = re.compile(rb"^[0-9a-fA-F]+$")


def entropy(data: bytes) -> float:
    """Shannon entropy in bits per byte; 0 for no bytes."""
    total = len(data)
    return -sum(n / total * math.log2(n / total) for n in Counter(data).values())


def find_secrets(data: bytes, *, named: bool = True) -> Iterator[SecretHit]:
    """Find secrets in UTF-8 bytes, in order of pattern.

    Args:
        data: the text, or a part of it.
        named: also report values that look random and are assigned to a name that promises a secret; not for prose
            and tables, where names and values stand side by side by chance.
    """
    for pattern in _PATTERNS:
        if pattern.literal not in data and pattern.literal.lower() not in data:
            continue
        for match in pattern.regex.finditer(data):
            start, end = match.span("secret")
            if not is_placeholder(data[start:end]):
                yield SecretHit(pattern.rule, pattern.title, start, end, pattern.severity, pattern.confidence)
    if named:
        yield from _named_secrets(data)


def is_placeholder(secret: bytes) -> bool:
    """Whether a value is plainly there to be replaced: `your-key-here`, `xxxxxxxx`, few different characters."""
    return len(set(secret)) < 6 or _PLACEHOLDER.search(secret) is not None


def _named_secrets(data: bytes) -> Iterator[SecretHit]:
    for match in _SECRET_NAME.finditer(data):
        value = match["secret"]
        if _TALKS_ABOUT.search(match["rest"]) or not _random_looking(value):
            continue
        quoted = match["quote"] is not None and match["after"] == match["quote"]
        if not quoted and not _whole_line(data, match):
            continue
        start, end = match.span("secret")
        yield SecretHit(
            "named-secret",
            "a value that looks random, assigned to a name that promises a secret",
            start,
            end,
            Severity.MEDIUM,
            Confidence.MEDIUM,
        )


def _random_looking(value: bytes) -> bool:
    if is_placeholder(value) or _WORDS.search(value) or _LOOKS_LIKE_CODE.search(value):
        return False
    if not any(48 <= byte <= 57 for byte in value) or value.isdigit():
        return False
    return entropy(value) >= (2.8 if _HEX.match(value) else 3.2)


def _whole_line(data: bytes, match: re.Match[bytes]) -> bool:
    """Without quotes only `NAME=value` and `name: value` on a line of their own count."""
    if match["quote"] or match["after"] not in {b"", b"\r", b"\\n", b"\\r"}:
        return False
    line_start = data.rfind(b"\n", max(0, match.start() - 60), match.start()) + 1
    before = data[line_start : match.start()] if line_start or match.start() < 60 else b" not a name"
    return re.fullmatch(rb"[ \t-]{0,20}(?:export )?[\"']?[A-Za-z0-9_.-]{0,40}", before) is not None
