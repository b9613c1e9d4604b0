"""What runs beside the regorus library, in a child process: load, evaluate, and say plainly what went wrong."""

from __future__ import annotations

import json
import re
from typing import Any

from lockflight.policy import canary

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

_proven = False


def evaluate(request: bytes, _fds: list[int]) -> bytes:
    """Answer `{modules, data, rules, documents}` with `{values}`: per document a list, one JSON text per rule.

    On failure the answer is `{failure: {kind, message}}`; kinds are refused, policy, undefined, evaluation.
    """
    import regorus

    asked = json.loads(request)
    refusal = _refusal(regorus)
    if refusal:
        return _failure("refused", refusal)
    engine = regorus.Engine()
    try:
        for path, source in sorted(asked["modules"].items()):
            engine.add_policy(path, source)
        engine.add_data_json(json.dumps(asked["data"]))
    except Exception as error:  # noqa: BLE001 - the library raises RuntimeError and friends for every fault
        return _failure("policy", plain(error))
    values: list[list[str]] = []
    for document in asked["documents"]:
        fresh = engine.clone()
        fresh.set_input_json(document)
        row = []
        for rule in asked["rules"]:
            try:
                text = fresh.eval_rule_as_json(rule)
            except Exception as error:  # noqa: BLE001 - as above
                return _rule_failure(rule, plain(error))
            if text == UNDEFINED:
                return _failure("undefined", f"the rule {rule} is undefined")
            row.append(text)
        values.append(row)
    return json.dumps({"values": values}).encode()


def _rule_failure(rule: str, words: str) -> bytes:
    if "not a valid rule path" in words:
        return _failure("undefined", f"the rule {rule} is undefined: the bundle does not define it")
    fault = any(sign in words for sign in _POLICY_FAULTS)
    return _failure("policy" if fault else "evaluation", words)


def _refusal(regorus: Any) -> str:  # noqa: ANN401 - the library has no types
    global _proven  # noqa: PLW0603 - once per child, whatever is asked later
    if _proven:
        return ""
    engine = regorus.Engine()
    try:
        for path, source in canary.modules().items():
            engine.add_policy(path, source)
    except Exception as error:  # noqa: BLE001 - as above
        return f"it does not load the canary: {plain(error)}"

    def value(rule: str) -> object:
        fresh = engine.clone()
        fresh.set_input_json("{}")
        return json.loads(fresh.eval_rule_as_json(rule))

    refusal = canary.refusal(value)
    _proven = not refusal
    return refusal


def plain(error: Exception) -> str:
    """`file:line: what`, without the library's code frame and backtrace."""
    text = str(error).split("Stack backtrace", 1)[0].strip()
    place, words = _PLACE.search(text), _WORDS.search(text)
    what = words[1] if words else next((line for line in text.splitlines() if line.strip()), "unknown error")
    what = what.strip().rstrip(".:")
    return f"{place[1]}:{place[2]}: {what}" if place else what


def _failure(kind: str, message: str) -> bytes:
    return json.dumps({"failure": {"kind": kind, "message": message[:2000]}}).encode()
