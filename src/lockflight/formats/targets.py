"""Names and paths that a configuration gives its loader: which of them can only be meant to do harm."""

from __future__ import annotations

from typing import Final

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
