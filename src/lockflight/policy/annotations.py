"""Rule metadata: the `# METADATA` comments of Rego modules, read when a bundle is built and when it is loaded.

regorus has no `rego.metadata.*`, so the metadata is data: `rule_meta/data.json`, which must say what the comments say.
The form is OPA's annotations with our fields under `custom`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lockflight.core.findings import Severity
from lockflight.core.ruling import InBasis
from lockflight.errors import EnvironmentProblem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lockflight.core.canonical import JsonObject

MAX_BLOCK_BYTES = 16_384
EFFECTS = ("deny", "warn")

_TEXTS = ("rule", "severity", "effect", "basis", "failure_msg", "solution")
_LISTS = ("collections", "controls")


def rule_metadata(modules: Mapping[str, str]) -> JsonObject:
    """Rule code to `{title, description, rule, severity, effect, basis, failure_msg, solution, collections, controls}`.

    Blocks without `custom.code` (about packages, say) are left out.

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
    try:
        for event in yaml.parse(block, Loader=yaml.SafeLoader):
            # An alias names one node many times, which is how small documents become huge ones.
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
                raise _problem(where, "anchors and aliases are not read")
        value = yaml.load(block, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _problem(where, f"it is not YAML: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(value, dict):
        raise _problem(where, "it is not a mapping")
    return value


def _entry(raw: dict[str, Any], custom: dict[str, Any], where: str) -> JsonObject:
    unknown = sorted(set(custom).difference(_TEXTS, _LISTS, {"code"}), key=str)
    if unknown:
        raise _problem(where, f"custom.{unknown[0]} is unknown")
    entry: JsonObject = {key: _word(raw, key, where) for key in ("title", "description")}
    entry.update({key: _word(custom, key, where) for key in _TEXTS})
    for key in _LISTS:
        items = custom.get(key, [])
        if not isinstance(items, list) or not all(isinstance(item, str) and item for item in items):
            raise _problem(where, f"custom.{key} is not a list of texts")
        entry[key] = list(items)
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


def _one_of(entry: JsonObject, key: str, allowed: list[str], where: str) -> None:
    if entry[key] not in allowed:
        raise _problem(where, f"{key} is {entry[key]!r}, not one of {', '.join(allowed)}")


def _problem(where: str, what: str) -> EnvironmentProblem:
    return EnvironmentProblem(
        "LF4007",
        f"The rule metadata at {where} cannot be used: {what}.",
        hint="lockflight policy test BUNDLE",
    )
