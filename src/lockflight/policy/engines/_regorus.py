"""The regorus library, in its child process."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lockflight.policy.engines._serve import Failure, Server

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: How the library spells "undefined" in JSON.
UNDEFINED = '"<undefined>"'

_PLACE = re.compile(r"--> ([^\s:]+):(\d+):\d+")
_WORDS = re.compile(r"^error: (.*)$", re.MULTILINE)
# Found while a rule is evaluated, but the policy's own fault whatever the facts are.
_POLICY_FAULTS = (
    "recursion detected",
    "could not find function",
    "unsafe",
    "conflicts with rule",
    "use of undefined",
)


class _Policy:
    def __init__(self, engine: Any) -> None:  # noqa: ANN401 - the library has no types
        self._engine = engine

    def values(self, document: str, rules: Sequence[str]) -> list[str]:
        fresh = self._engine.clone()
        try:
            if document:
                fresh.set_input_json(document)
        except Exception as error:
            raise Failure("evaluation", plain(error)) from error
        return [_value(fresh, rule) for rule in rules]

    def close(self) -> None:
        del self._engine


def _value(engine: Any, rule: str) -> str:  # noqa: ANN401 - the library has no types
    try:
        text: str = engine.eval_rule_as_json(rule)
    except Exception as error:
        words = plain(error)
        if "not a valid rule path" in words:
            raise Failure(
                "undefined", f"the rule {rule} is undefined: the bundle does not define it"
            ) from error
        fault = any(sign in words for sign in _POLICY_FAULTS)
        raise Failure("policy" if fault else "evaluation", words) from error
    if text == UNDEFINED:
        raise Failure("undefined", f"the rule {rule} is undefined")
    return text


def _load(modules: Mapping[str, str], data: str) -> _Policy:
    import regorus

    engine = regorus.Engine()
    try:
        for path, source in sorted(modules.items()):
            engine.add_policy(path, source)
        engine.add_data_json(data)
    except Exception as error:
        raise Failure("policy", plain(error)) from error
    return _Policy(engine)


def plain(error: Exception) -> str:
    """`file:line: what`, without the library's code frame and backtrace."""
    text = str(error).split("Stack backtrace", 1)[0].strip()
    place, words = _PLACE.search(text), _WORDS.search(text)
    what = words[1] if words else next((line for line in text.splitlines() if line.strip()), "unknown error")
    what = what.strip().rstrip(".:")
    return f"{place[1]}:{place[2]}: {what}" if place else what


_server = Server(_load)


def evaluate(request: bytes, _fds: list[int]) -> bytes:
    """See `_serve.Server.answer`."""
    return _server.answer(request)
