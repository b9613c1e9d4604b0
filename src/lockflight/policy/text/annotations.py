"""Rule metadata: the `# METADATA` comments of Rego modules, read when a bundle is built and when it is loaded.

regorus has no `rego.metadata.*`, so the metadata is data: `rule_meta/data.json`, which must say what the comments say.
The form is OPA's annotations with our fields under `custom`.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from lockflight.core.findings import Severity
from lockflight.core.gate.ruling import InBasis
from lockflight.core.times import unix
from lockflight.errors import EnvironmentProblem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lockflight.core.canonical import JsonObject

MAX_BLOCK_BYTES = 16_384
EFFECTS = ("deny", "warn")

_TEXTS = ("rule", "severity", "effect", "basis", "failure_msg", "solution")
_LISTS = ("collections", "controls")
_OTHERS = ("code", "waivable", "effective_on")

#: The form of a control's id by framework. `x-NAME` stands for a catalogue of the author's own.
CONTROLS = {
    "atlas": r"AML\.(TA|T|M)[0-9]{4}(\.[0-9]{3})?",
    "eu-ai-act": r"Art\.[0-9]{1,3}(\([0-9]{1,2}\))*|Annex\.[IVX]{1,5}",
    "gdpr": r"Art\.[0-9]{1,2}(\([0-9]{1,2}\))*",
    "hipaa": r"16[0-4]\.[0-9]{3}(\([a-z0-9]{1,3}\))*",
    "iso27001": r"A\.[5-8]\.[0-9]{1,2}",
    "iso42001": r"A\.([2-9]|10)\.[0-9](\.[0-9]{1,2})?",
    "nist-ai-rmf": r"(GOVERN|MAP|MEASURE|MANAGE)-[1-6]\.[0-9]{1,2}",
    "pci-dss": r"[0-9]{1,2}\.[0-9]{1,2}(\.[0-9]{1,2}){0,2}",
    "soc2": r"(CC[1-9]|A1|C1|PI1|P[1-8])\.[0-9]{1,2}",
}
_OWN = re.compile(r"x-[a-z0-9-]{1,40}:\S{1,80}")


def rule_metadata(modules: Mapping[str, str]) -> JsonObject:
    """Rule code to what its block says.

    That is {title, description, rule, severity, effect, basis, failure_msg, solution, collections, controls, waivable}
    and, for a rule that only warns until a day, effective_on. Blocks without `custom.code` (about packages, say) are
    left out.

    Raises:
        EnvironmentProblem: LF4007 a block does not read, or two describe one code.
    """
    result: JsonObject = {}
    for path, source in sorted(modules.items()):
        for line, block in _blocks(source):
            where = f"{path}:{line}"
            raw = _yaml(block, where)
            custom = raw.get("custom", {})
            if not isinstance(custom, dict) or "code" not in custom:
                continue
            code = _word(custom, "code", where)
            if code in result:
                raise _problem(where, f"the code {code} is described twice")
            result[code] = _entry(raw, custom, where)
    return dict(sorted(result.items()))


def rule_metadata_file(modules: Mapping[str, str]) -> bytes:
    """The bytes of `rule_meta/data.json`, as authors of bundles commit them."""
    return (json.dumps(rule_metadata(modules), indent=2, ensure_ascii=False) + "\n").encode("utf-8")


def _blocks(source: str) -> Iterator[tuple[int, str]]:
    block: list[str] | None = None
    start = 0
    for number, line in enumerate([*source.splitlines(), ""], start=1):
        if block is not None and line.startswith("#"):
            block.append(line[1:].removeprefix(" "))
        elif block is not None:
            yield start, "\n".join(block)
            block = None
        elif line.rstrip() == "# METADATA":
            block, start = [], number


def _yaml(block: str, where: str) -> dict[str, Any]:
    import yaml

    if len(block.encode("utf-8", errors="surrogatepass")) > MAX_BLOCK_BYTES:
        raise _problem(where, f"the block is longer than {MAX_BLOCK_BYTES} bytes")
    # The same loader in C where PyYAML has it: every verdict waits for these blocks.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        for event in yaml.parse(block, Loader=loader):
            # An alias names one node many times, which is how small documents become huge ones.
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
                raise _problem(where, "anchors and aliases are not read")
        value = yaml.load(block, Loader=loader)  # noqa: S506 - one of the two safe ones
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _problem(where, f"it is not YAML: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(value, dict):
        raise _problem(where, "it is not a mapping")
    return value


def _entry(raw: dict[str, Any], custom: dict[str, Any], where: str) -> JsonObject:
    unknown = sorted(set(custom).difference(_TEXTS, _LISTS, _OTHERS), key=str)
    if unknown:
        raise _problem(where, f"custom.{unknown[0]} is unknown")
    entry: JsonObject = {key: _word(raw, key, where) for key in ("title", "description")}
    entry.update({key: _word(custom, key, where) for key in _TEXTS})
    for key in _LISTS:
        items = custom.get(key, [])
        if not isinstance(items, list) or not all(isinstance(item, str) and item for item in items):
            raise _problem(where, f"custom.{key} is not a list of texts")
        entry[key] = list(items)
    for control in custom.get("controls", []):
        _control(control, where)
    if not isinstance(custom.get("waivable"), bool):
        raise _problem(where, "waivable is missing or neither true nor false")
    entry["waivable"] = custom["waivable"]
    if "effective_on" in custom:
        entry["effective_on"] = _instant(custom["effective_on"], where)
    _one_of(entry, "severity", [s.value for s in Severity], where)
    _one_of(entry, "effect", list(EFFECTS), where)
    _one_of(entry, "basis", [b.value for b in InBasis], where)
    if entry["effect"] == "deny" and entry["basis"] == InBasis.NONE:
        raise _problem(where, "a rule that denies belongs to the basis of approvals")
    return entry


def _word(raw: dict[str, Any], key: str, where: str) -> str:
    value = raw.get(key)
    if not isinstance(value, str) or not value.strip():
        raise _problem(where, f"{key} is missing or not a text")
    return value.strip()


def _instant(value: object, where: str) -> str:
    # YAML reads a bare date or time as an object of its own; only a text says which zone was meant.
    try:
        unix(value if isinstance(value, str) else "")
    except ValueError:
        raise _problem(
            where, f'effective_on is {value!s}, not a text such as "2027-01-31T00:00:00Z"'
        ) from None
    return str(value)


def _control(control: str, where: str) -> None:
    framework, _, name = control.partition(":")
    form = CONTROLS.get(framework)
    if not (re.fullmatch(form, name) if form is not None else _OWN.fullmatch(control)):
        raise _problem(
            where,
            f"the control {control!r} has no form that is known ({', '.join(sorted(CONTROLS))}, or x-NAME:ID)",
        )


def _one_of(entry: JsonObject, key: str, allowed: list[str], where: str) -> None:
    if entry[key] not in allowed:
        raise _problem(where, f"{key} is {entry[key]!r}, not one of {', '.join(allowed)}")


def _problem(where: str, what: str) -> EnvironmentProblem:
    return EnvironmentProblem(
        "LF4007",
        f"The rule metadata at {where} cannot be used: {what}.",
        hint="lockflight policy lint BUNDLE",
    )
