"""JSON of model files: configurations, tokenizers, headers. Strict about what two readers could see differently.

Unlike signed JSON (`core.canonical`) these files may hold NaN and Infinity, which Python writes into configurations.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, TypeGuard

from lockflight.core.findings import Verdict
from lockflight.formats.boosters import check_large_xgboost, check_xgboost
from lockflight.formats.chat.rendered import check_rendered
from lockflight.formats.chat.template import MAX_TEMPLATES, check_template
from lockflight.formats.nesting import too_deep
from lockflight.formats.render.meter import Meter
from lockflight.formats.report import Issue, Issues, shown
from lockflight.formats.settings.backbones import BACKBONES, check_backbone
from lockflight.formats.settings.largejson import Broken, TooMuch, is_large, read_large
from lockflight.formats.settings.patterns import MODULES, check_adapter, check_regex, is_adapter_pattern
from lockflight.formats.settings.targets import ADAPTER_KEYS, check_adapter_paths, harmful, leaves
from lockflight.formats.settings.tokenizers import SIZES, STEPS, check_tokenizer

if TYPE_CHECKING:
    from lockflight.core.canonical import JsonObject, JsonValue
    from lockflight.core.source import ByteSource

#: What is read, and what of that is held at once: tokenizers of large vocabularies take about half of it.
MAX_BYTES = 512 * 1024 * 1024
_MAX_HELD = 64 * 1024 * 1024
_MAX_NODES = 20_000_000
#: Texts of a document that look like templates and are read as such, in characters.
_MAX_TEMPLATES = 4 * 1024 * 1024

#: Files and keys of which a rule reads everything; none is large.
_READ_WHOLE = frozenset({"model_index.json", "modules.json", "router_config.json"})
_BESIDE = frozenset({"_diffusers_version", "peft_type", "base_model_name_or_path", "auto_mapping"})
#: Keys at the top that say what the document is.
_NOTED = frozenset(
    {
        "Model",
        "learner",
        "types",
        "structure",
        "class_name",
        "config",
        "graph",
        "irVersion",
        "ir_version",
        "opsetImport",
        "opset_import",
    }
)
#: What does not end is taken to the end of the file, so that nobody looks for its end again from within.
_COMMENT = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|//[^\n]*|(/\*.*?)(?:\*/|\Z)', re.DOTALL)
_LAST_COMMA = re.compile(rb'("(?:[^"\\]|\\.)*+(?:"|\\?\Z))|,\s*+([\]}])', re.DOTALL)

_JSONPICKLE = frozenset({"py/object", "py/reduce", "py/function", "py/type", "py/newargs", "py/repr"})

#: Libraries whose own classes the parts of a pipeline, and the bases of an adapter, are.
_LIBRARIES = frozenset(
    {"diffusers", "transformers", "timm", "peft", "onnxruntime", "optimum", "sentence_transformers"}
)

_MEGATRON = frozenset({"megatron", "megatron.core"})
#: What the file modules.json names where the library wrote it, under the names of its versions.
_SENTENCE_CLASSES = re.compile(
    r"sentence_transformers(?:\.[A-Za-z_]+){1,4}?\."
    r"(?:Asym|BoW|CLIPModel|CNN|Dense|Dropout|LSTM|LayerNorm|LogitScore|MLMTransformer|MultiVectorMask|Normalize|Pooling"
    r"|HierarchicalTokenPooling|Router|SparseAutoEncoder|SparseStaticEmbedding|SpladePooling"
    r"|StaticEmbedding|Transformer|WeightedLayerPooling|WordEmbeddings|WordWeights)"
)
#: Functions and tokenizers that the parts of such a model name.
_PARTS = re.compile(
    r"torch\.nn(?:\.modules\.(?:activation|linear))?\.[A-Z][A-Za-z0-9]+"
    r"|sentence_transformers(?:\.[a-z_]+){1,4}?(?:\.(?:Whitespace|Word|Phrase|Transformers)Tokenizer\w*){1,2}"
)
#: Keys under which some framework has the name of what it calls; only what no model is built of is said of these.
_NOUNS = ("class", "cls", "function", "func", "fn", "factory", "callable", "target", "constructor")
_CALLED = re.compile(rf"(?:\A|_)(?:{'|'.join(_NOUNS)})(?:_name|_path)?\Z")
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")


class BadJson(Exception):
    """The bytes are not JSON that all readers see alike; the message says why. Never leaves `formats`."""


class NotJson(BadJson):
    """The bytes are no JSON at all."""


def parse_json(data: bytes) -> JsonValue:
    """Parse UTF-8 JSON without duplicate keys.

    Raises:
        BadJson: it is not.
    """

    def pairs(items: list[tuple[str, JsonValue]]) -> JsonObject:
        found = dict(items)
        if len(found) != len(items):
            raise BadJson("a key stands twice in one object")
        return found

    if too_deep(data):
        raise BadJson("it is nested too deeply")
    try:
        value: JsonValue = json.loads(data.decode("utf-8-sig"), object_pairs_hook=pairs)
    except RecursionError:
        raise BadJson("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise BadJson("it is not UTF-8") from None
    except ValueError:
        # Without the words of the library, which differ between its versions.
        raise NotJson("it is not JSON") from None
    return value


def _large(source: ByteSource, base: str) -> JsonValue:
    """What the rules need of a document that is too large to be held.

    Raises:
        Broken: it cannot be read.
        TooMuch: the rules need all of it, or much.
    """
    value = read_large(source, _watched, _NOTED, _WORDS)
    whole = isinstance(value, dict) and (
        "_diffusers_version" in value
        or {"class_name", "config"} <= value.keys()
        or {"types", "structure"} <= value.keys()
    )
    if whole or base in _READ_WHOLE:
        raise TooMuch
    return value


def _watched(key: str) -> bool:
    return (
        key in _KEYS
        or key in _BESIDE
        or key in ADAPTER_KEYS
        or is_adapter_pattern(key)
        or key in STEPS
        or key in SIZES
        or key in BACKBONES
        or key.startswith("x-regex")
        or key.endswith("chat_template")
        or _CALLED.search(key) is not None
    )


def _without_comments(data: bytes) -> JsonValue:
    """The document; settings of tools for people have comments and commas at the end, which change nothing of it.

    Raises:
        BadJson: it is no JSON even so.
    """
    try:
        return parse_json(data)
    except NotJson:
        if b"//" not in data and b"/*" not in data and _LAST_COMMA.search(data) is None:
            raise
        plain = _COMMENT.sub(_without, data)
        return parse_json(_LAST_COMMA.sub(lambda m: m.group(1) or m.group(2), plain))


def _without(found: re.Match[bytes]) -> bytes:
    """A text stays, a comment goes, and one that does not end stays an error."""
    kept = found.group().startswith(b'"') or (found[1] is not None and found.end() == found.end(1))
    return found.group() if kept else b" "


def check_json(source: ByteSource) -> tuple[Issue, ...]:
    """What a JSON file beside a model makes its loader do: remote code, templates, pickled objects."""
    return read_json(source)[1]


def read_json(source: ByteSource) -> tuple[JsonValue, tuple[Issue, ...]]:
    """The document (None where it cannot be read), and what `check_json` says about it."""
    if source.size > MAX_BYTES:
        message = f"The file is larger than the {MAX_BYTES >> 20} MiB of JSON that are read."
        return None, (Issue("json:budget", Verdict.UNKNOWN, message),)
    # A document of more is read in parts; the rules that need all of its bytes do without it.
    data = source.read_at(0, source.size) if source.size <= _MAX_HELD else None
    base = source.name.rsplit("/", 1)[-1].lower()
    try:
        large = data is None or is_large(data)
        value = _large(source, base) if data is None or large else _without_comments(data)
        boosted = isinstance(value, dict) and not value.keys().isdisjoint({"Model", "learner"})
        if boosted and data is None:
            raise TooMuch
    except TooMuch:
        message = "The JSON holds more than is read of a document of its size."
        return None, (Issue("json:budget", Verdict.UNKNOWN, message),)
    except (BadJson, Broken) as error:
        return None, (Issue("json:broken", Verdict.UNKNOWN, f"The JSON cannot be judged: {error}."),)
    issues = Issues()
    if boosted and data is not None and isinstance(value, dict):
        issues.extend(check_large_xgboost(data) if large else check_xgboost(value))
    if isinstance(value, dict) and base == "model_index.json":
        _diffusers(value, issues)
    if base == "modules.json":
        _modules(value, issues)
    if base == "adapter_config.json" and isinstance(value, dict) and "peft_type" not in value:
        _adapter(value, issues)
    routed = base == "router_config.json" or (isinstance(value, dict) and "structure" in value)
    if routed and isinstance(value, dict):
        kinds = value.get("types")
        _modules([{"type": name} for name in _strings(kinds)], issues)
    if isinstance(value, dict):
        check_tokenizer(value, issues)
    _walk(value, issues)
    return value, issues.frozen()


def _walk(root: JsonValue, issues: Issues) -> None:
    stack: list[JsonValue] = [root]
    judged: set[str] = set()
    others: list[str] = []
    meter = Meter()
    seen = 0
    while stack:
        value = stack.pop()
        seen += 1
        if isinstance(value, list):
            # Vocabularies are long lists and objects of plain values: only containers are looked into.
            stack.extend(item for item in value if isinstance(item, (list, dict)))
            others += [item for item in value if _looks_rendered(item)]
        elif isinstance(value, dict):
            for key, inner in value.items():
                if key in _KEYS:
                    _KEYS[key](key, inner, issues)
                elif key.endswith("chat_template"):
                    judged.update(_templates(key, inner, issues, meter))
                    if len(judged) > MAX_TEMPLATES:
                        message = "The JSON has more chat templates than are read."
                        issues.add(Issue("json:budget", Verdict.UNKNOWN, message, subject="chat templates"))
                        return
                elif _looks_rendered(inner):
                    others.append(inner)
                elif isinstance(inner, str):
                    _text(key, inner, issues)
                if isinstance(inner, (list, dict)):
                    stack.append(inner)
            if "_diffusers_version" in value:
                _diffusers(value, issues)
            if "peft_type" in value:
                _adapter(value, issues)
            check_backbone(value, issues)
        if seen > _MAX_NODES:
            issues.add(
                Issue(
                    "json:budget",
                    Verdict.UNKNOWN,
                    f"The JSON has more than the {_MAX_NODES:,} objects that are read.",
                )
            )
            return
    _rendered([text for text in others if text not in judged], issues)


def _text(key: str, value: str, issues: Issues) -> None:
    """A text under a key that only some part of it makes one that a rule looks at."""
    if key.startswith("x-regex"):
        check_regex(key, value, issues, python=True)
    elif "." in value and _CALLED.search(key):
        _called(key, value, issues)


def _looks_rendered(value: JsonValue) -> TypeGuard[str]:
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def _rendered(values: list[str], issues: Issues) -> None:
    """Texts that somebody may render: what is no template, or a harmless one, is none of our business."""
    left = _MAX_TEMPLATES
    for text in values:
        left -= len(text)
        if left < 0:
            message = "The JSON has more texts with marks of templates than are read."
            issues.add(Issue("json:budget", Verdict.UNKNOWN, message, subject="templates"))
            return
        issues.extend(check_rendered(text))


def _auto_map(key: str, value: JsonValue, issues: Issues) -> None:
    del key
    for target in _strings(value):
        if "--" in target:
            message = f"Its auto_map makes the loader fetch and run code from elsewhere: {shown(target)}."
            issues.add(Issue("config:remote-code", Verdict.UNKNOWN, message, subject=target))
        else:
            message = f"Its auto_map makes the loader run code that lies beside it: {shown(target)}."
            issues.add(Issue("config:local-code", Verdict.REVIEW, message, subject=target))


def _strings(value: JsonValue) -> list[str]:
    """The texts in a value, in the order of the document."""
    found: list[str] = []
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            found.append(item)
        elif isinstance(item, list):
            stack.extend(reversed(item))
        elif isinstance(item, dict):
            stack.extend(reversed(item.values()))
    return found


def _trust(key: str, value: JsonValue, issues: Issues) -> None:
    if value not in (None, False, [], {}, ""):
        message = f"It sets {key}, which lets a loader run code that comes with the model."
        issues.add(Issue("config:trust-remote-code", Verdict.REVIEW, message, subject=key))


def _target(key: str, value: JsonValue, issues: Issues) -> None:
    if isinstance(value, str):
        verdict = Verdict.MALICIOUS if harmful(value) else Verdict.REVIEW
        message = f"Its {key} names something for the loader to import and call: {shown(value)}."
        issues.add(Issue("config:target", verdict, message, subject=value))


def _called(key: str, value: str, issues: Issues) -> None:
    if _DOTTED.fullmatch(value) and harmful(value):
        _target(key, value, issues)


def _part(key: str, value: JsonValue, issues: Issues) -> None:
    """What sentence-transformers imports and calls where the name has a dot; other libraries have names without."""
    for name in _strings(value):
        if "." in name and _PARTS.fullmatch(name) is None:
            _imports(key, name, issues)


def _files(key: str, value: JsonValue, issues: Issues) -> None:
    """An index of shards: the name of the file in which each tensor lies."""
    for path in _strings(value):
        if leaves(path):
            message = f"Its {key} leads out of the model's folder: {shown(path)}."
            issues.add(Issue("config:path", Verdict.MALICIOUS, message, subject=path))


def _modules(value: JsonValue, issues: Issues) -> None:
    """The parts of a model of sentence-transformers, whose classes are looked up beside the model and then anywhere."""
    for part in value if isinstance(value, list) else [value]:
        if not isinstance(part, dict):
            continue
        path, name = part.get("path"), part.get("type")
        if isinstance(path, str) and leaves(path):
            message = f"The path of a module leads out of the model's folder: {shown(path)}."
            issues.add(Issue("config:path", Verdict.MALICIOUS, message, subject=path))
        if isinstance(name, str) and _SENTENCE_CLASSES.fullmatch(name) is None:
            _imports("type of a module", name, issues)


def _imports(what: str, name: str, issues: Issues) -> None:
    """What makes a loader import a module that is none of its own, if not run code from elsewhere."""
    if "--" in name:
        message = f"Its {what} makes the loader fetch and run code from elsewhere: {shown(name)}."
        issues.add(Issue("config:remote-code", Verdict.UNKNOWN, message, subject=name))
    else:
        verdict = Verdict.MALICIOUS if harmful(name) else Verdict.REVIEW
        message = f"Its {what} makes the loader import {shown(name)}."
        issues.add(Issue("config:local-code", verdict, message, subject=name))


def _megatron(key: str, value: JsonValue, issues: Issues) -> None:
    if isinstance(value, str) and value and value not in _MEGATRON:
        _imports(key, value, issues)


def _kernel(key: str, value: JsonValue, issues: Issues) -> None:
    # transformers takes a name with a slash for a repository, and runs the compiled code that lies there.
    for target in _strings(value):
        if "/" in target:
            message = (
                f"Its {key} makes the loader fetch and run compiled code from elsewhere: {shown(target)}."
            )
            issues.add(Issue("config:remote-code", Verdict.UNKNOWN, message, subject=target))


def _diffusers(value: JsonObject, issues: Issues) -> None:
    """A pipeline names the library and class of each part; one that is no library is a file beside it."""
    for key, part in value.items():
        if (
            isinstance(part, list)
            and len(part) == 2
            and isinstance(part[0], str)
            and isinstance(part[1], str)
        ):
            if part[0].split(".", 1)[0] in _LIBRARIES:
                continue
            target = f"{part[0]}.{part[1]}"
            message = (
                f"Its {shown(key)[1:-1]} makes the loader run code that lies beside it: {shown(target)}."
            )
            issues.add(Issue("config:local-code", Verdict.REVIEW, message, subject=target))


def _adapter(value: JsonObject, issues: Issues) -> None:
    """What an adapter of PEFT is for, and where its loader looks for the class of that."""
    base = value.get("base_model_name_or_path")
    if isinstance(base, str) and base:
        message = f"It adapts the model {shown(base)}, which decides as much and is judged by itself."
        issues.add(Issue("config:base-model", Verdict.SAFE, message, subject=base))
    check_adapter_paths(value, issues)
    check_adapter(value, issues)
    mapping = value.get("auto_mapping")
    library = mapping.get("parent_library") if isinstance(mapping, dict) else None
    if isinstance(library, str) and library.split(".", 1)[0] not in _LIBRARIES:
        _imports("auto_mapping", library, issues)


def _regex(key: str, value: JsonValue, issues: Issues) -> None:
    check_regex(key, value, issues, python=False)


def _jsonpickle(key: str, value: JsonValue, issues: Issues) -> None:
    del value
    message = f"It holds the key {key}, by which jsonpickle builds any object."
    issues.add(Issue("json:jsonpickle", Verdict.MALICIOUS, message, subject=key))


def _templates(key: str, value: JsonValue, issues: Issues, meter: Meter) -> list[str]:
    """Judge what a loader takes for chat templates: one text, texts by name, or a list of both; the texts."""
    found: dict[str, JsonValue] = {}
    if isinstance(value, list):
        found = {
            f"{key}[{i}]": item.get("template") for i, item in enumerate(value) if isinstance(item, dict)
        }
    elif isinstance(value, dict):
        found = {f"{key}.{shown(name)[1:-1]}": item for name, item in value.items()}
    else:
        found = {key: value}
    texts = {place: text for place, text in found.items() if isinstance(text, str)}
    for place, text in list(texts.items())[: MAX_TEMPLATES + 1]:
        issues.extend(check_template(text, meter=meter), place)
    return list(texts.values())


_KEYS = {
    "auto_map": _auto_map,
    "trust_remote_code": _trust,
    "custom_pipelines": _trust,
    "_target_": _target,
    "weight_map": _files,
    "Regex": _regex,
    "megatron_core": _megatron,
    "_attn_implementation": _kernel,
    "attn_implementation": _kernel,
    "kernel_mapping": _kernel,
    "activation_function": _part,
    "activation_fn": _part,
    "sbert_ce_default_activation_function": _part,
    "tokenizer_class": _part,
    "_data_files": _files,
    **dict.fromkeys(_JSONPICKLE, _jsonpickle),
}

#: Keys that are watched and look like words of a vocabulary.
_WORDS = frozenset(
    b'"%s"' % key.encode()
    for key in {*_KEYS, *_BESIDE, *ADAPTER_KEYS, *MODULES, *STEPS, *SIZES, *BACKBONES, *_NOUNS}
    if not {"_", "-", "/"} & set(key)
)
