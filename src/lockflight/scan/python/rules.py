"""The rules of the `code` check as tables: what is called how, why that is bad, what to write instead.

A rule names functions by their full dotted names (`names`), or by the last part of any name (`methods`), and may ask
something of the arguments (`when`). Rules about model output that reaches a sink are in `flow`.
"""

from __future__ import annotations

from lockflight.core.findings import Confidence, Severity
from lockflight.scan.python.rules_load import LOAD_RULES
from lockflight.scan.python.rules_run import RUN_RULES
from lockflight.scan.python.when import Rule

#: Rules about what is no call, by their id.
NODE_RULES = {
    rule.rule: rule
    for rule in (
        Rule(
            "LF2460",
            "tls-unverified-mode",
            Severity.HIGH,
            "{call} switches the verification of the server's certificate off.",
            "Use ssl.create_default_context() as it is.",
            ("CWE-295",),
        ),
        Rule(
            "LF2450",
            "agent-auto-run",
            Severity.HIGH,
            "{call} runs what the model writes without asking anybody.",
            "Run the model's code in a sandbox without network and secrets, or ask before each run.",
            ("CWE-94", "LLM06:2025", "AML.T0053"),
        ),
        Rule(
            "LF2453",
            "safety-block-none",
            Severity.MEDIUM,
            "{call} switches the provider's content filter off.",
            "Keep a threshold, or put a filter of your own behind the model and record it as `safety-policy`.",
            ("CWE-693",),
        ),
        Rule(
            "LF2454",
            "system-prompt-built",
            Severity.LOW,
            "The system message is put together at run time: what is put in speaks with its authority.",
            "Keep the system message fixed, as an asset, and pass what varies in a user message.",
            ("CWE-1427", "LLM01:2025", "AML.T0051"),
            confidence=Confidence.MEDIUM,
        ),
        Rule(
            "LF2455",
            "notebook-shell-built",
            Severity.LOW,
            "A shell line of the notebook holds values that are put in at run time.",
            "Use subprocess.run with a list of arguments.",
            ("CWE-78",),
            confidence=Confidence.MEDIUM,
        ),
        Rule(
            "LF2455",
            "notebook-pipe-to-shell",
            Severity.HIGH,
            "The notebook downloads a script and runs it unseen.",
            "Download it, compare its digest, then run it.",
            ("CWE-494", "LLM03:2025"),
        ),
    )
}


def _by_last() -> dict[str, tuple[Rule, ...]]:
    table: dict[str, list[Rule]] = {}
    for rule in (*LOAD_RULES, *RUN_RULES):
        for last in {name.rpartition(".")[2] for name in rule.names} | rule.methods:
            table.setdefault(last, []).append(rule)
    return {last: tuple(rules) for last, rules in table.items()}


#: The rules by the last part of the names that they match, so that a call meets only few of them.
RULES_BY_LAST = _by_last()
