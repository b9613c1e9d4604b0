"""Names and paths that a configuration gives its loader: which of them can only be meant to do harm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lockflight.core.findings import Verdict
from lockflight.formats.report import Issue, Issues, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockflight.core.canonical import JsonObject, JsonValue

#: Files that PEFT opens by itself, as torch.load does, or writes anew where there is none.
_ADAPTER_FILES: Final = frozenset({"cache_file", "covariance_file", "prompt_tuning_init_state_dict_path"})
#: What it loads models and tokenizers by: a path of the machine where it was trained is ordinary there.
_ADAPTER_BASES: Final = frozenset({"base_model_name_or_path", "tokenizer_name_or_path"})
#: Keys of an adapter's configuration of which `check_adapter_paths` reads everything.
ADAPTER_KEYS: Final = _ADAPTER_FILES | _ADAPTER_BASES | {"adapters"}

#: Modules of Python that run programs and code, or reach files and machines; no model is built of their parts.
_HARM: Final = frozenset(
    [
        "os",
        "posix",
        "nt",
        "ntpath",
        "posixpath",
        "subprocess",
        "_posixsubprocess",
        "builtins",
        "__builtin__",
        "__main__",
        "pty",
        "runpy",
        "importlib",
        "imp",
        "pkgutil",
        "code",
        "codeop",
        "commands",
        "popen2",
        "shutil",
        "socket",
        "ctypes",
        "marshal",
        "pickle",
        "_pickle",
        "cloudpickle",
        "dill",
        "joblib",
        "pdb",
        "bdb",
        "timeit",
        "cProfile",
        "profile",
        "trace",
        "webbrowser",
        "platform",
        "multiprocessing",
        "_thread",
        "tempfile",
        "urllib",
        "http",
        "ftplib",
        "smtplib",
        "telnetlib",
        "xmlrpc",
        "asyncio",
        "sys",
        "site",
        "pip",
        "setuptools",
        "distutils",
        "venv",
        "ensurepip",
        "pydoc",
        "doctest",
        "antigravity",
        "signal",
        "resource",
        "fcntl",
        "mmap",
        "zipimport",
        "zipfile",
        "tarfile",
    ]
)


def harmful(name: str) -> bool:
    """Whether what a dotted name imports and calls has no place in a configuration, such as `os.system`."""
    parts = name.replace("/", ".").split(".")
    return parts[0] in _HARM or any(part.startswith("__") for part in parts)


def leaves(path: str) -> bool:
    """Whether a path, read on any system, leads out of the folder that it is taken in."""
    plain = path.replace("\\", "/")
    return plain.startswith(("/", "~")) or ".." in plain.split("/") or ":" in plain or "\0" in plain


def elsewhere(path: str) -> bool:
    """Whether a path names another machine: an address, or a share of Windows that is opened like a file."""
    plain = path.replace("\\", "/")
    return plain.startswith("//") or "://" in plain


def check_adapter_paths(value: JsonObject, issues: Issues) -> None:
    """What the configuration of an adapter has PEFT open beside the adapter's own weights."""
    stack: list[tuple[str, JsonValue]] = list(value.items())
    while stack:
        key, inner = stack.pop()
        if key in ADAPTER_KEYS:
            for path in _texts(inner):
                _opened(key, path, issues)
        elif isinstance(inner, dict):
            stack.extend(inner.items())
        elif isinstance(inner, list):
            stack.extend((key, item) for item in inner if isinstance(item, (list, dict)))


def _texts(value: JsonValue) -> Iterator[str]:
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, dict):
            stack.extend(item.values())


def _opened(key: str, path: str, issues: Issues) -> None:
    base = key in _ADAPTER_BASES
    if not (elsewhere(path) if base else leaves(path)):
        return
    share = elsewhere(path) and "://" not in path
    climbs = elsewhere(path) or ".." in path.replace("\\", "/").split("/")
    worst = share if base else climbs
    where = "on another machine" if elsewhere(path) else "outside the model's folder"
    message = f"Its {key} makes the loader open what lies {where}: {shown(path)}."
    verdict = Verdict.MALICIOUS if worst else Verdict.UNKNOWN
    issues.add(Issue("config:outside", verdict, message, subject=path))
