"""Short patterns for labelled files, none of which matches a file of another label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from lockflight.core.records import dataclass
from lockflight.core.text.globs import escape
from lockflight.core.words import Role

#: From how many files of one label a folder becomes `folder/**`, or an extension `*.ext`.
FOLDER_FROM = 2
SUFFIX_FROM = 3
#: The same for labels under which a future file must not slip in unseen.
RARELY_FROM = 25

_LISTED = frozenset({Role.OTHER.value, Role.LICENCE.value})


@dataclass(slots=True)
class _Node:
    files: dict[str, str] = field(default_factory=dict)
    folders: dict[str, _Node] = field(default_factory=dict)
    labels: set[str] = field(default_factory=set)
    count: int = 0


def patterns(labels: Mapping[str, str]) -> dict[str, list[str]]:
    """Patterns by label, in code point order of what they name.

    Args:
        labels: every candidate's name to its label; labels with a line feed are exclusions with their reason.
    """
    top = _Node()
    for name, label in sorted(labels.items()):
        *folders, base = name.split("/")
        node = top
        for folder in folders:
            node.labels.add(label)
            node.count += 1
            node = node.folders.setdefault(folder, _Node())
        node.labels.add(label)
        node.count += 1
        node.files[base] = label
    result: dict[str, list[str]] = {}
    _emit(top, "", result)
    return {label: sorted(globs) for label, globs in result.items()}


def _emit(node: _Node, prefix: str, result: dict[str, list[str]]) -> None:
    only = next(iter(node.labels)) if len(node.labels) == 1 else ""
    if prefix and only and node.count >= (RARELY_FROM if _listed(only) else FOLDER_FROM):
        result.setdefault(only, []).append(f"{prefix}**")
        return
    by_suffix: dict[str, dict[str, str]] = {}
    for base, label in node.files.items():
        by_suffix.setdefault(extension(base), {})[base] = label
    for suffix, files in by_suffix.items():
        found = set(files.values())
        label = next(iter(found))
        if suffix and len(found) == 1 and len(files) >= (RARELY_FROM if _listed(label) else SUFFIX_FROM):
            # A longer extension would match too: `*.gz` and `*.tar.gz` are kept apart by the last dot only.
            result.setdefault(label, []).append(f"{prefix}*{writable(suffix)}")
        else:
            for base, own in files.items():
                result.setdefault(own, []).append(prefix + writable(base))
    for folder, below in node.folders.items():
        _emit(below, f"{prefix}{writable(folder)}/", result)


def _listed(label: str) -> bool:
    return label in _LISTED or "\n" in label


def extension(base: str) -> str:
    """The last extension of a base name with its dot; empty for names that only start with one."""
    dot = base.rfind(".")
    return base[dot:] if dot > 0 else ""


def writable(part: str) -> str:
    """A pattern for one part of a name; `?` for characters that no pattern may hold."""
    return "".join("?" if _unwritable(c) else escape(c) for c in part)


def _unwritable(char: str) -> bool:
    code = ord(char)
    return char == "\\" or code < 0x20 or code == 0x7F or 0xD800 <= code <= 0xDFFF
