"""When two engines do not settle on one ruling: what each said, kept with the denial. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from lockflight.core.findings import Severity
from lockflight.core.gate.ruling import MAX_TEXT, Ruling, Violation, parse_ruling
from lockflight.core.records import dataclass
from lockflight.core.shape import hex64, obj, text
from lockflight.errors import LockflightError, PolicyDenied

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockflight.core.canonical import JsonObject, JsonValue

#: How much of an engine's error a decision keeps, in characters.
KEPT = 4_000


@dataclass(frozen=True, slots=True)
class Said:
    """What one engine said about facts on which the other one said something else.

    Attributes:
        engine: its name.
        sha256: digest (hex) of its output as `written` writes it; empty where it gave none.
        error: why it gave none: a code and a sentence; empty where it gave one.
        output: the output, as `written` writes it; empty where it gave none, and where only the digest is known.
        policy: digest (hex) of the policy that was asked; empty before it is known.
    """

    engine: str
    sha256: str = ""
    error: str = ""
    output: bytes = b""
    policy: str = ""

    def to_json(self) -> JsonObject:
        """The form in decisions; the output itself is kept beside them, by its digest."""
        return {"engine": self.engine, "sha256": self.sha256, "error": self.error, "policy": self.policy}


def said(engine: str, answer: object) -> Said:
    """What an engine answered, an output or an error."""
    if isinstance(answer, LockflightError):
        return Said(engine, error=str(answer)[:KEPT])
    output = written(answer)
    return Said(engine, hashlib.sha256(output).hexdigest(), output=output)


def said_from_json(raw: JsonValue) -> Said:
    """Read `Said.to_json` back.

    Raises:
        KeyError, TypeError, ValueError: another shape.
    """
    row = obj(raw)
    digest, error = text(row["sha256"]), text(row["error"])
    if (
        set(row) != {"engine", "sha256", "error", "policy"}
        or bool(digest) == bool(error)
        or len(error) > KEPT
    ):
        raise ValueError("an engine says either an output or an error")
    return Said(text(row["engine"]), hex64(digest) if digest else "", error, policy=hex64(row["policy"]))


def canonical(output: JsonObject) -> JsonValue:
    """An output without what engines may choose: the order of sets. What is not a ruling stays as it is."""
    try:
        return parse_ruling(output).to_json()
    except (KeyError, TypeError, ValueError):
        return output


def written(output: object) -> bytes:
    """An output as bytes; also one that canonical JSON has no form for, with decimals or broken texts."""
    words = json.dumps(output, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return words.encode("utf-8", errors="surrogatepass")


class Unsettled(PolicyDenied):
    """Two engines gave no ruling that both stand for.

    Args:
        code, message, hint, details: as in `LockflightError`.
        answers: what each engine said.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str = "",
        details: Mapping[str, object] | None = None,
        answers: tuple[Said, ...] = (),
    ) -> None:
        super().__init__(code, message, hint=hint, details=details)
        self.answers = answers

    def about(self, policy: str) -> Unsettled:
        """The same, with the digest of the policy that was asked."""
        answers = tuple(replace(one, policy=policy) for one in self.answers)
        return Unsettled(self.code, self.message, hint=self.hint, details=self.details, answers=answers)

    def ruling(self) -> Ruling:
        """The gate's own ruling where no engine's stands: a denial."""
        violation = Violation(
            code=self.code,
            rule="engines-agree",
            term="",
            severity=Severity.CRITICAL,
            value=" and ".join(f"{one.engine}: {one.sha256 or 'no answer'}" for one in self.answers),
            threshold="one ruling",
            msg=self.message[:MAX_TEXT],
            solution=f"The policy bundle needs mending: {self.hint}",
        )
        return Ruling(
            allow=False,
            violations=(violation,),
            warnings=(),
            waived=(),
            rules=(),
            evaluated=(),
            skipped=(),
        )
