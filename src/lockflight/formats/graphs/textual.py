"""Graphs written as text (protocol buffers in text form), told from the settings that are written in the same way.

A graph as text says the same as its binary form, and no part of it is judged here: it is `unknown`. Triton's settings
and the label maps of detectors have no operators; what stands at the top of theirs is listed, and nothing else is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lockflight.core.findings import Verdict
from lockflight.formats.plaintext import check_text
from lockflight.formats.report import Issue

if TYPE_CHECKING:
    from lockflight.core.source import ByteSource

MAX_BYTES: Final = 4 * 1024 * 1024
#: Comments and texts; what is left of the file are names, numbers and brackets.
_TEXTS: Final = re.compile(rb"#[^\n]*|\"(?:[^\"\\\n]|\\.)*+(\"?)|'(?:[^'\\\n]|\\.)*+('?)")
_TOKEN: Final = re.compile(rb"[A-Za-z_][\w.]*|[\[{<>}\]\"']")
#: Fields of Triton's model configuration that name no library, file or interpreter, and of label maps.
_PLAIN: Final = frozenset(
    b"name platform max_batch_size input output batch_input batch_output instance_group dynamic_batching"
    b" sequence_batching version_policy ensemble_scheduling response_cache model_transaction_policy item"
    b" optimization".split()
)
#: Backends that run a model file, which is judged by itself; others bring code of their own.
_BACKEND: Final = re.compile(
    rb"^[^\S\n]*backend\s*:\s*[\"'](?:onnxruntime|tensorrt|openvino|tensorflow|pytorch|tensorrtllm)[\"']",
    re.MULTILINE,
)


def check_graph_text(source: ByteSource) -> tuple[Issue, ...]:
    """Nothing for settings of listed fields; a graph, and what is neither, is unknown."""
    found = check_text(source)
    if found:
        return found
    if source.size <= MAX_BYTES and _only_plain(source.read_at(0, source.size)):
        return ()
    message = "The file is a graph that is written as text, which this version does not judge."
    return (Issue("file:unsupported", Verdict.UNKNOWN, message, subject="graph"),)


def _only_plain(data: bytes) -> bool:
    plain = _PLAIN | {b"backend"} if _BACKEND.search(data) and data.count(b"backend") == 1 else _PLAIN
    depth, seen = 0, 0
    text = _TEXTS.sub(lambda m: m.group() if b"" in {m[1], m[2]} else b" ", data)
    for token in _TOKEN.finditer(text):
        word = token.group()
        if word in b"{<[":
            depth += 1
        elif word in b"}>]":
            depth -= 1
        elif word in b"\"'" or depth < 0:
            return False  # a quote that does not end: readers differ on what is inside
        elif depth == 0:
            following = text[token.end() : token.end() + 200].lstrip()[:1]
            if following in {b":", b"{", b"<"} or seen == 0:
                if word not in plain:
                    return False
                seen += 1
    return depth == 0 and seen > 0
