"""What the rules of the model parsers mean to people: code, severity, identifiers, and what to do."""

from __future__ import annotations

from lockflight.core.canonical import MAX_INT
from lockflight.core.findings import Finding, Location, Severity, Verdict
from lockflight.core.records import dataclass
from lockflight.formats.report import Issue

_SUPPLY = "AML.T0010"
_UNSAFE = "AML.T0011.000"
_PICKLE = (_SUPPLY, _UNSAFE, "CWE-502")
_CONFLICT = (_SUPPLY, "CWE-436")
_DAMAGE = (_SUPPLY, "CWE-1284")
_BOMB = (_SUPPLY, "CWE-409")
_TEMPLATE = (_SUPPLY, _UNSAFE, "CWE-1336", "CVE-2024-34359", "CVE-2026-5760")
_CODE = (_SUPPLY, _UNSAFE, "CWE-829")

_BACKDOOR = (_SUPPLY, "AML.T0018", "AML.T0051")
_READ = "Read what the template does there, compare it with the author's, and waive this."
_RUNS_CODE = (_SUPPLY, _UNSAFE, "CWE-502", "CWE-94")
_VOCABULARY = (_SUPPLY, "CWE-73", "CWE-918", "CVE-2025-12058")

_DROP = "Do not load this file. Get the model from its author again, as safetensors, GGUF or skops where there is one."
_UNUSUAL = "Do not load this file. If it is yours, set the attribute after it is loaded, or save the model with skops."
_AGAIN = "Get the file again and compare its digest with the author's; write it again if it is yours."
_SAFER = (
    "Save the model in a format that holds data only (safetensors, GGUF), or review the finding and waive it."
)
_SPLIT = "Unpack or split the file, so that each part is below the budget, and list the parts as assets."

_SMALLER = "Save the weights as safetensors, or split what it holds over several files, each of them below the budget."
_TORCH_AGAIN = "Export the program again with a current torch, or deliver the weights as safetensors."
_EXPORT = "Export the model again with a current exporter."
_OPERATORS = "Export the model with operators that are known, or review the library that brings these."
_LAMBDA = "Do not load this file. Ask its author for the model with a layer of Keras, or a class in the release's code."
_CUSTOM = "Put its code into the release with the role code, and build the model with layers that Keras has."
_PLAIN_HDF5 = "Write the file again with h5py and plain arrays, or save the weights as safetensors."
_TOKENIZER = "Get the tokenizer from the model's author again."
_FREEZE = "Freeze the graph, so that weights and tables are part of it; or review this and waive it."
_LOADED = "List that code with the role code, so that the code checks judge it, and waive this."


@dataclass(frozen=True, slots=True)
class Rule:
    """What a rule of a parser means.

    `severity` is None where it follows from the verdict.
    """

    code: str
    fix: str
    ids: tuple[str, ...]
    severity: Severity | None = None


_CRITICAL = Severity.CRITICAL

RULES: dict[str, Rule] = {
    "pickle:global": Rule("LF2100", _DROP, _PICKLE),
    "pickle:dotted-global": Rule("LF2101", _DROP, _PICKLE, _CRITICAL),
    "pickle:computed-name": Rule("LF2102", _DROP, _PICKLE, _CRITICAL),
    "pickle:computed-call": Rule("LF2103", _DROP, _PICKLE, _CRITICAL),
    "pickle:extension": Rule("LF2104", _DROP, _PICKLE),
    "pickle:persistent-id": Rule("LF2105", _DROP, _PICKLE),
    "pickle:changes-global": Rule("LF2106", _DROP, _PICKLE, _CRITICAL),
    "pickle:use": Rule("LF2107", _DROP, _PICKLE),
    "pickle:attribute": Rule("LF2107", _UNUSUAL, _PICKLE),
    "pickle:arguments": Rule("LF2108", _DROP, _PICKLE, _CRITICAL),
    "pickle:frame": Rule("LF2109", _DROP, _PICKLE),
    "pickle:trailing": Rule("LF2110", _AGAIN, _PICKLE),
    "pickle:outside-file": Rule("LF2111", _DROP, (*_PICKLE, "CWE-22")),
    "pickle:buffer": Rule("LF2112", _SAFER, _PICKLE),
    "pickle:memo": Rule("LF2113", _DROP, (*_PICKLE, "CWE-789")),
    "pickle:nested": Rule("LF2114", _DROP, _PICKLE),
    "pickle:joblib": Rule("LF2115", _DROP, _PICKLE, _CRITICAL),
    "pickle:dtype": Rule("LF2116", _DROP, (*_PICKLE, "CWE-843"), _CRITICAL),
    "pickle:state": Rule("LF2117", _DROP, _PICKLE, _CRITICAL),
    "pickle:broken": Rule("LF2118", _AGAIN, _PICKLE),
    "pickle:budget": Rule("LF2119", _SMALLER, _PICKLE),
    "zip:mismatch": Rule("LF2120", _AGAIN, _CONFLICT),
    "zip:hidden": Rule("LF2121", _AGAIN, _CONFLICT),
    "zip:gap": Rule("LF2121", _AGAIN, _CONFLICT),
    "zip:duplicate": Rule("LF2122", _AGAIN, _CONFLICT),
    "zip:overlap": Rule("LF2123", _AGAIN, _CONFLICT),
    "zip:prefix": Rule("LF2124", _AGAIN, _CONFLICT),
    "zip:trailing": Rule("LF2125", _AGAIN, _CONFLICT),
    "zip:two-ends": Rule("LF2126", _AGAIN, _CONFLICT),
    "zip:path": Rule("LF2127", _DROP, (_SUPPLY, "CWE-22")),
    "zip:link": Rule("LF2128", _DROP, (_SUPPLY, "CWE-59")),
    "zip:encrypted": Rule("LF2129", "Decrypt the archive and list its members as assets.", _CONFLICT),
    "zip:header": Rule("LF2130", _AGAIN, _CONFLICT),
    "zip:directory": Rule("LF2130", _AGAIN, _CONFLICT),
    "zip:broken": Rule("LF2131", _AGAIN, _DAMAGE),
    "zip:budget": Rule("LF2132", _SPLIT, _BOMB),
    "zip:content": Rule("LF2133", _AGAIN, _CONFLICT),
    "torch:member": Rule(
        "LF2140", "Save the checkpoint again with torch.save, or review the member and waive it.", _PICKLE
    ),
    "torch:roots": Rule("LF2141", _AGAIN, _CONFLICT),
    "torch:storage": Rule("LF2142", _AGAIN, _DAMAGE),
    "torch:script": Rule("LF2143", _TORCH_AGAIN, _CODE),
    "torch:program": Rule("LF2143", _TORCH_AGAIN, _DAMAGE),
    "torch:compiled": Rule("LF2143", "Deliver the model as it was before it was compiled.", _CODE),
    "torch:operator": Rule("LF2144", _OPERATORS, _CODE),
    "torch:reaches": Rule("LF2145", _DROP, (*_CODE, "CWE-73"), _CRITICAL),
    "torch:class": Rule("LF2146", _OPERATORS, _CODE),
    "torch:budget": Rule("LF2147", _SPLIT, _BOMB),
    "torch:lookup": Rule("LF2148", _DROP, (*_RUNS_CODE, "CWE-470"), _CRITICAL),
    "torch:tree": Rule("LF2148", _DROP, (*_RUNS_CODE, "CWE-470")),
    "torch:expression": Rule("LF2149", _DROP, (*_RUNS_CODE, "CWE-95"), _CRITICAL),
    "compressed:corrupt": Rule("LF2150", _AGAIN, _DAMAGE),
    "compressed:bomb": Rule("LF2151", _DROP, _BOMB, Severity.HIGH),
    "compressed:trailing": Rule("LF2152", _AGAIN, _CONFLICT),
    "compressed:budget": Rule("LF2153", _SPLIT, _BOMB),
    "safetensors:broken": Rule("LF2160", _AGAIN, _DAMAGE),
    "safetensors:tensor": Rule("LF2160", _AGAIN, _DAMAGE),
    "safetensors:duplicate": Rule("LF2161", _AGAIN, _CONFLICT),
    "safetensors:hole": Rule("LF2162", _AGAIN, _CONFLICT),
    "safetensors:overlap": Rule("LF2162", _AGAIN, _CONFLICT),
    "safetensors:trailing": Rule("LF2162", _AGAIN, _CONFLICT),
    "safetensors:budget": Rule("LF2163", _SPLIT, _BOMB),
    "gguf:broken": Rule("LF2170", _AGAIN, _DAMAGE),
    "gguf:version": Rule("LF2170", "Convert the model to GGUF version 3.", _DAMAGE),
    "gguf:type": Rule("LF2170", "Convert the model to a ggml type that is known.", _DAMAGE),
    "gguf:counts": Rule("LF2171", _DROP, (_SUPPLY, "CWE-190", "CWE-1284"), Severity.HIGH),
    "gguf:duplicate": Rule("LF2172", _AGAIN, _CONFLICT),
    "gguf:overlap": Rule("LF2173", _AGAIN, _CONFLICT),
    "gguf:hole": Rule("LF2173", _AGAIN, _CONFLICT),
    "gguf:trailing": Rule("LF2173", _AGAIN, _CONFLICT),
    "gguf:budget": Rule("LF2174", _SPLIT, _BOMB),
    "npy:broken": Rule("LF2180", _AGAIN, _DAMAGE),
    "npy:trailing": Rule("LF2181", _AGAIN, _CONFLICT),
    "npz:sparse": Rule(
        "LF2182", "Save the matrix again with scipy.sparse.save_npz.", (_SUPPLY, "CWE-129", "CWE-787")
    ),
    "npz:budget": Rule("LF2182", _SPLIT, _BOMB),
    "npy:counts": Rule("LF2183", "Save the array again.", (_SUPPLY, "CWE-789")),
    "skops:global": Rule("LF2190", _DROP, (*_PICKLE, "CVE-2025-54412", "CVE-2025-54413")),
    "skops:method": Rule("LF2191", _SAFER, (*_PICKLE, "CVE-2025-54412")),
    "skops:broken": Rule("LF2192", _AGAIN, _DAMAGE),
    "skops:node": Rule("LF2192", _AGAIN, _DAMAGE),
    "skops:budget": Rule("LF2193", _SPLIT, _BOMB),
    "skops:member": Rule(
        "LF2194", "Dump the model again with skops.io, or review the member and waive it.", _PICKLE
    ),
    "config:remote-code": Rule(
        "LF2200",
        "Put the code into the release with the role code, and name it without a repository.",
        _CODE,
        Severity.HIGH,
    ),
    "config:local-code": Rule(
        "LF2201",
        "List that code with the role code, so that the code checks judge it, and waive this.",
        _CODE,
    ),
    "config:trust-remote-code": Rule("LF2202", "Remove the key, or review the code and waive this.", _CODE),
    "config:target": Rule("LF2203", "Remove the key, or review what it names and waive this.", _CODE),
    "config:base-model": Rule(
        "LF2208", "List the base as a reference with its digest, so that nobody can exchange it.", (_SUPPLY,)
    ),
    "config:outside": Rule(
        "LF2238",
        "Write null, or put what it names into the folder and name it from there.",
        (_SUPPLY, "CWE-73"),
    ),
    "config:pattern": Rule(
        "LF2239",
        "Write it without repetitions inside each other, or read it and waive this.",
        (_SUPPLY, "CWE-1333"),
    ),
    "tokenizer:growth": Rule("LF2241", _TOKENIZER, (_SUPPLY, "CWE-409")),
    "tokenizer:size": Rule("LF2241", _TOKENIZER, (_SUPPLY, "CWE-789")),
    "config:path": Rule("LF2237", _DROP, (_SUPPLY, "CWE-22", "CWE-73")),
    "xml:entity": Rule("LF2209", _DROP, (_SUPPLY, "CWE-611")),
    "xml:expansion": Rule("LF2209", "Write the document without entities.", (_SUPPLY, "CWE-776")),
    "xml:encoding": Rule("LF2209", "Write the document as UTF-8.", (_SUPPLY, "CWE-436")),
    "xml:doctype": Rule("LF2209", "Take the line with DOCTYPE out.", (_SUPPLY, "CWE-611")),
    "json:jsonpickle": Rule("LF2204", _DROP, _PICKLE),
    "json:broken": Rule("LF2205", "Write the file again with one JSON document and unique keys.", _DAMAGE),
    "json:budget": Rule("LF2206", _SPLIT, _BOMB),
    "yaml:tag": Rule("LF2207", "Remove the tag; configuration needs no Python objects.", _PICKLE),
    "template:private": Rule("LF2210", _DROP, _TEMPLATE, _CRITICAL),
    "template:attr": Rule("LF2211", _DROP, _TEMPLATE, _CRITICAL),
    "template:dunder": Rule("LF2212", _DROP, _TEMPLATE, _CRITICAL),
    "template:root": Rule("LF2213", _DROP, _TEMPLATE, _CRITICAL),
    "template:computed-item": Rule("LF2214", "Name the item by a literal.", _TEMPLATE),
    "template:format": Rule("LF2215", "Join texts with ~ instead.", _TEMPLATE),
    "template:named": Rule("LF2216", "Name the filter or test by a literal that Jinja has.", _TEMPLATE),
    "template:filter": Rule("LF2217", "Use only filters that Jinja itself has.", _TEMPLATE),
    "template:test": Rule("LF2217", "Use only tests that Jinja itself has.", _TEMPLATE),
    "template:function": Rule("LF2217", "Use only functions that every loader has.", _TEMPLATE),
    "template:method": Rule("LF2217", "Use only methods of texts, lists and objects.", _TEMPLATE),
    "template:computed-call": Rule("LF2217", "Call functions by their name.", _TEMPLATE),
    "template:variable": Rule("LF2218", "Check who defines the variable, and waive this.", _TEMPLATE),
    "template:map-attribute": Rule(
        "LF2219", "Loop over the objects instead, or review and waive this.", _TEMPLATE
    ),
    "template:repeat": Rule("LF2220", "Use a smaller number.", (_SUPPLY, "CWE-400")),
    "template:invisible": Rule("LF2221", "Remove the invisible characters.", (_SUPPLY, "AML.T0068")),
    "template:conditional-text": Rule("LF2222", _READ, _BACKDOOR),
    "template:unheard": Rule("LF2222", _READ, _BACKDOOR),
    "template:syntax": Rule(
        "LF2223", "Write the template with the statements of chat templates only.", _TEMPLATE
    ),
    "template:drops": Rule("LF2225", _READ, _BACKDOOR),
    "template:altered": Rule("LF2225", _READ, _BACKDOOR),
    "template:message-key": Rule("LF2226", "Find out who sets the key, and waive this.", _BACKDOOR),
    "template:address": Rule("LF2227", _READ, _BACKDOOR),
    "template:override": Rule("LF2227", _READ, _BACKDOOR),
    "template:system-moved": Rule("LF2228", _READ, _BACKDOOR),
    "template:system-dropped": Rule("LF2228", _READ, _BACKDOOR),
    "template:tool-as-system": Rule("LF2228", _READ, _BACKDOOR),
    "template:unfollowed": Rule("LF2229", "Write the template more simply.", _BACKDOOR),
    "template:budget": Rule("LF2229", "Write it more simply, or use the author's.", (_SUPPLY, "CWE-400")),
    "template:unread": Rule("LF2224", _AGAIN, _TEMPLATE),
    "file:polyglot": Rule("LF2230", _DROP, (_SUPPLY, "CWE-436", "AML.T0015")),
    "file:mismatch": Rule(
        "LF2231", "Name the file by what it is, or get the right one.", (_SUPPLY, "CWE-436", "AML.T0015")
    ),
    "file:unsupported": Rule(
        "LF2232",
        "Convert the model to a format that is judged (safetensors, GGUF, skops), or give the file its right role.",
        (_SUPPLY, _UNSAFE),
    ),
    "file:code": Rule(
        "LF2233",
        "Take it out of its archive, and give it the role code, so that the code checks judge it.",
        _CODE,
    ),
    "file:text": Rule("LF2234", "Write the file as plain UTF-8 text, or name it by what it is.", (_SUPPLY,)),
    "file:nesting": Rule("LF2235", _SPLIT, _BOMB),
    "file:many-issues": Rule("LF2236", "Mend the issues that are listed and scan again.", (_SUPPLY,)),
    "sentencepiece:broken": Rule("LF2240", _AGAIN, _DAMAGE),
    "sentencepiece:field": Rule("LF2240", _AGAIN, _DAMAGE),
    "onnx:broken": Rule("LF2250", _AGAIN, _DAMAGE),
    "onnx:field": Rule("LF2250", _EXPORT, _DAMAGE),
    "onnx:twice": Rule("LF2250", _EXPORT, _CONFLICT),
    "onnx:tensor": Rule("LF2250", _EXPORT, _DAMAGE),
    "onnx:version": Rule("LF2250", _EXPORT, _DAMAGE),
    "onnx:budget": Rule("LF2251", _SPLIT, _BOMB),
    "onnx:external-path": Rule("LF2252", _DROP, (_SUPPLY, "CWE-22", "CVE-2022-25882", "CVE-2024-27318")),
    "onnx:external-key": Rule("LF2253", _EXPORT, (_SUPPLY, "CWE-915")),
    "onnx:external": Rule("LF2254", "List that file as an asset with the role model-weights.", (_SUPPLY,)),
    "onnx:operator": Rule("LF2255", _OPERATORS, _CODE),
    "onnx:python": Rule("LF2256", _DROP, _CODE, _CRITICAL),
    "onnx:compiled": Rule("LF2257", "Deliver the model as it was before it was compiled.", _CODE),
    "onnx:function": Rule("LF2258", "Give the function a domain of its own.", _CONFLICT),
    "onnx:size": Rule("LF2279", _DROP, (_SUPPLY, "CWE-789")),
    "onnx:recursion": Rule("LF2259", _DROP, (_SUPPLY, "CWE-674")),
    "keras:lambda": Rule(
        "LF2260", _LAMBDA, (*_RUNS_CODE, "CVE-2024-3660", "CVE-2025-9905", "CVE-2025-9906"), _CRITICAL
    ),
    "keras:module": Rule("LF2261", _DROP, (*_RUNS_CODE, "CVE-2025-1550"), _CRITICAL),
    "keras:unsafe-switch": Rule("LF2262", _DROP, (*_RUNS_CODE, "CVE-2025-9906"), _CRITICAL),
    "keras:fetch": Rule("LF2263", _DROP, (*_RUNS_CODE, "CVE-2025-8747", "CVE-2025-12060"), _CRITICAL),
    "keras:torch": Rule("LF2264", _DROP, (*_PICKLE, "CVE-2025-49655"), _CRITICAL),
    "keras:path": Rule("LF2265", "Save the model again with its vocabulary inside.", _VOCABULARY),
    "keras:custom": Rule("LF2266", _CUSTOM, (*_CODE, "CVE-2025-1550")),
    "keras:function": Rule("LF2266", _CUSTOM, _CODE),
    "keras:class": Rule("LF2267", _CUSTOM, _CODE),
    "keras:member": Rule(
        "LF2268", "Save the model again with Keras, or review the member and waive it.", _CODE
    ),
    "keras:broken": Rule("LF2269", _AGAIN, _DAMAGE),
    "keras:size": Rule("LF2279", _DROP, (_SUPPLY, "CWE-789")),
    "keras:budget": Rule("LF2270", _SPLIT, _BOMB),
    "hdf5:external": Rule("LF2271", _DROP, (_SUPPLY, "CWE-73", "CVE-2026-1669")),
    "hdf5:link": Rule("LF2272", "Write the file again with plain links.", (_SUPPLY, "CWE-73")),
    "hdf5:filter": Rule("LF2273", "Write the file again with gzip or without compression.", _CODE),
    "hdf5:size": Rule("LF2274", _AGAIN, (_SUPPLY, "CWE-789", "CVE-2026-0897")),
    "hdf5:type": Rule("LF2275", _PLAIN_HDF5, (_SUPPLY,)),
    "hdf5:unread": Rule("LF2275", _PLAIN_HDF5, (_SUPPLY,)),
    "hdf5:pytables": Rule("LF2276", "Store the table as Parquet.", _PICKLE),
    "hdf5:broken": Rule("LF2277", _AGAIN, _DAMAGE),
    "hdf5:budget": Rule("LF2278", _SPLIT, _BOMB),
    "tensorflow:write": Rule("LF2280", _DROP, (*_CODE, "CWE-73"), _CRITICAL),
    "tensorflow:read": Rule("LF2281", _DROP, (*_CODE, "CWE-73")),
    "tensorflow:python": Rule("LF2282", _DROP, _CODE, _CRITICAL),
    "tensorflow:native": Rule("LF2283", _DROP, _CODE, _CRITICAL),
    "tensorflow:network": Rule("LF2284", _DROP, _CODE),
    "tensorflow:path": Rule("LF2285", _DROP, (*_CODE, "CWE-73")),
    "tensorflow:saver": Rule("LF2286", _FREEZE, _CODE),
    "tensorflow:table": Rule("LF2286", _FREEZE, _CODE),
    "tensorflow:operator": Rule("LF2287", _OPERATORS, _CODE),
    "tensorflow:keras": Rule("LF2288", "Export the model with model.export, or save it as .keras.", _CODE),
    "tensorflow:broken": Rule("LF2289", _AGAIN, _DAMAGE),
    "tensorflow:field": Rule("LF2289", _AGAIN, _DAMAGE),
    "tensorflow:twice": Rule("LF2289", _AGAIN, _CONFLICT),
    "tensorflow:version": Rule("LF2289", _AGAIN, _DAMAGE),
    "tensorflow:hidden-text": Rule("LF2289", _FREEZE, _DAMAGE),
    "tensorflow:budget": Rule("LF2290", _SPLIT, _BOMB),
    "trees:index": Rule("LF2296", _DROP, (_SUPPLY, _UNSAFE, "CWE-129", "CWE-125", "CWE-835"), _CRITICAL),
    "trees:broken": Rule("LF2297", "Save the model again with its library.", _DAMAGE),
    "trees:budget": Rule("LF2298", _SPLIT, _BOMB),
    "mlmodel:path": Rule("LF2291", _DROP, (_SUPPLY, "CWE-22")),
    "mlmodel:outside": Rule(
        "LF2238", "Log the model again with its weights (save_pretrained=True).", (_SUPPLY, "CWE-829")
    ),
    "mlmodel:loader": Rule("LF2292", _LOADED, _CODE),
    "mlmodel:code": Rule("LF2292", _LOADED, _CODE),
    "mlmodel:pickle": Rule("LF2293", "List that file as an asset, so that it is judged.", _PICKLE),
    "mlmodel:broken": Rule("LF2294", "Log the model again with MLflow.", _DAMAGE),
    "mlmodel:budget": Rule("LF2295", _SPLIT, _BOMB),
}

_BY_VERDICT = {
    Verdict.MALICIOUS: Severity.HIGH,
    Verdict.UNKNOWN: Severity.MEDIUM,
    Verdict.REVIEW: Severity.MEDIUM,
    Verdict.SAFE: Severity.INFO,
}

#: Only for the severity: what runs programs or code, or talks to the network. The verdict asks the allow-list alone.
_RUNS = frozenset(
    [
        "os",
        "posix",
        "nt",
        "subprocess",
        "sys",
        "runpy",
        "pty",
        "commands",
        "popen2",
        "importlib",
        "imp",
        "pkgutil",
        "builtins",
        "__builtin__",
        "code",
        "codeop",
        "types",
        "marshal",
        "ctypes",
        "_ctypes",
        "socket",
        "ssl",
        "asyncio",
        "urllib",
        "requests",
        "http",
        "ftplib",
        "smtplib",
        "telnetlib",
        "webbrowser",
        "shutil",
        "tempfile",
        "multiprocessing",
        "threading",
        "_thread",
        "signal",
        "timeit",
        "cProfile",
        "profile",
        "pdb",
        "bdb",
        "trace",
        "doctest",
        "distutils",
        "setuptools",
        "pip",
        "ensurepip",
        "venv",
        "operator",
        "functools",
        "pickle",
        "_pickle",
        "dill",
        "cloudpickle",
        "shelve",
        "dbm",
        "sqlite3",
        "logging",
        "_posixsubprocess",
        "platform",
        "site",
        "zipimport",
        "zipapp",
        "compileall",
        "py_compile",
    ]
)


def finding_of(issue: Issue, asset: str) -> Finding:
    """The finding that an issue becomes."""
    rule = RULES[issue.rule]
    severity = rule.severity or _BY_VERDICT[issue.verdict]
    if issue.rule in {"pickle:global", "skops:global"} and issue.subject.split(".")[0] in _RUNS:
        severity = Severity.CRITICAL
    return Finding(
        code=rule.code,
        rule=issue.rule,
        severity=severity,
        asset=asset,
        message=issue.message,
        fix=rule.fix,
        # A hostile file names places beyond every file, which no reader of signed JSON takes.
        location=Location(member=issue.member, offset=issue.offset if issue.offset <= MAX_INT else -1),
        ids=rule.ids,
        salt=issue.subject,
    )
