"""skops archives: a zip of arrays and a `schema.json` that names every class and function to build a model from.

What a node declares and what its content makes the loader reach are two things (CVE-2025-54412, CVE-2025-54413), so
both are checked against the allow-list that pickles are checked against.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.findings import Verdict
from lockflight.formats.report import Issue, Issues, shown
from lockflight.formats.settings.jsontext import BadJson, parse_json

if TYPE_CHECKING:
    from lockflight.core.canonical import JsonObject, JsonValue
    from lockflight.core.source import ByteSource
    from lockflight.formats.pickle.allow import AllowList

MAX_SCHEMA = 64 * 1024 * 1024

#: Loaders of skops 0.1 to 0.16; each builds from the keys that it knows.
_LOADERS = frozenset(
    [
        "BytearrayNode",
        "BytesNode",
        "CachedNode",
        "ConstructorFromReduceNode",
        "DTypeNode",
        "DefaultDictNode",
        "DictNode",
        "FunctionNode",
        "JsonNode",
        "ListNode",
        "LossNode",
        "MaskedArrayNode",
        "MethodNode",
        "NdArrayNode",
        "ObjectNode",
        "OperatorFuncNode",
        "PartialNode",
        "QuantileForestNode",
        "RandomGeneratorNode",
        "RandomStateNode",
        "SGDNode",
        "SetNode",
        "SliceNode",
        "SparseMatrixNode",
        "TreeNode",
        "TupleNode",
        "TypeNode",
        "ZoneInfoNode",
        "_DictWithDeprecatedKeysNode",
    ]
)


def check_schema(source: ByteSource, allow: AllowList) -> tuple[Issue, ...]:
    """Check every node of a `schema.json`."""
    if source.size > MAX_SCHEMA:
        return (
            Issue(
                "skops:budget",
                Verdict.UNKNOWN,
                f"The schema is larger than the {MAX_SCHEMA >> 20} MiB that are read.",
            ),
        )
    try:
        root = parse_json(source.read_at(0, source.size))
    except BadJson as error:
        return (Issue("skops:broken", Verdict.UNKNOWN, f"The schema cannot be judged: {error}."),)
    if not isinstance(root, dict) or "__loader__" not in root:
        return (Issue("skops:broken", Verdict.UNKNOWN, "The schema is no skops node."),)
    issues = Issues()
    stack: list[JsonValue] = [root]
    while stack:
        value = stack.pop()
        if isinstance(value, list):
            stack.extend(value)
        elif isinstance(value, dict):
            if "__loader__" in value:
                _node(value, allow, issues)
            stack.extend(value.values())
    return issues.frozen()


def _node(node: JsonObject, allow: AllowList, issues: Issues) -> None:
    loader, module, name = node["__loader__"], node.get("__module__"), node.get("__class__")
    if loader == "CachedNode":
        return
    if not isinstance(loader, str) or not isinstance(module, str) or not isinstance(name, str):
        issues.add(Issue("skops:broken", Verdict.UNKNOWN, "A node does not name what it builds."))
        return
    if loader not in _LOADERS:
        message = f"The node {shown(loader)} is not one that is understood here."
        issues.add(Issue("skops:node", Verdict.UNKNOWN, message, subject=shown(loader, 200)))
    if loader == "MethodNode":
        _method(node, module, name, issues)
    elif loader == "OperatorFuncNode":
        if (module, name) != ("operator", "itemgetter"):
            _refuse(
                issues, module, name, "builds a function of the operator module that reaches any attribute"
            )
        return
    elif loader == "FunctionNode":
        _function(node, allow, issues)
    if not _free(allow, module, name):
        _refuse(issues, module, name, "names something that is not on the allow-list")


def _free(allow: AllowList, module: str, name: str) -> bool:
    """Whether a name is listed; what is listed for pickles under a rule that cannot be asked here is not."""
    entry = allow.get(module, name)
    return entry is not None and not entry.state and entry.arguments != "attribute"


def _refuse(issues: Issues, module: str, name: str, why: str) -> None:
    label = f"{module}.{name}"
    message = f"A node {why}: {shown(label)[1:-1]}."
    issues.add(Issue("skops:global", Verdict.MALICIOUS, message, subject=shown(label, 200)[1:-1]))


def _method(node: JsonObject, module: str, name: str, issues: Issues) -> None:
    content = node.get("content")
    method = content.get("func") if isinstance(content, dict) else None
    owner = content.get("obj") if isinstance(content, dict) else None
    declared = isinstance(owner, dict) and (owner.get("__module__"), owner.get("__class__")) == (module, name)
    if not isinstance(method, str) or not declared or method.startswith("_"):
        _refuse(issues, module, str(name), "takes a method of something else than it declares")
        return
    message = f"A node hands out the method {shown(method)} of an object."
    issues.add(Issue("skops:method", Verdict.REVIEW, message, subject=f"{module}.{name}.{method}"))


def _function(node: JsonObject, allow: AllowList, issues: Issues) -> None:
    """Protocols 0 and 1 kept the function in the content, beside the name that was shown."""
    content = node.get("content")
    if content is None:
        return
    if not isinstance(content, dict):
        issues.add(Issue("skops:broken", Verdict.UNKNOWN, "A function node has a content that is no object."))
        return
    module, name = content.get("module_path"), content.get("function")
    if not isinstance(module, str) or not isinstance(name, str) or not _free(allow, module, name):
        _refuse(issues, str(module), str(name), "imports something that is not on the allow-list")
