"""What a file is, by its content; its name only decides between kinds of text.

The result goes into the signed release statement, so it must be a function of the bytes and the name alone. It is
a label, no verdict: it says what a file looks like to the loader that its first bytes call for.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from lockflight.core.records import dataclass
from lockflight.formats import media
from lockflight.formats.archive.inflate import compression_of, inflate_head
from lockflight.formats.nesting import too_deep
from lockflight.formats.pickle.allow import AllowList
from lockflight.formats.pickle.records import Budget
from lockflight.formats.pickle.vm import Machine
from lockflight.formats.plaintext import CONTROLS

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockflight.core.source import ByteSource
    from lockflight.formats.pickle.streams import Streams

#: How much of the start of a file is looked at.
HEAD = 64 * 1024
_PICKLE_OPCODES = 256
_MARKED_OPCODES = 12
_UNKNOWN_SIZE = 1 << 62
_NOTHING = AllowList.empty()

_MAGICS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x93NUMPY", media.NPY),
    (0, b"GGUF", media.GGUF),
    (0, b"lmgg", media.GGML),
    (0, b"fmgg", media.GGML),
    (0, b"tjgg", media.GGML),
    (0, b"\x89HDF\r\n\x1a\n", media.HDF5),
    (4, b"TFL3", media.TFLITE),
    (4, b"ET12", media.EXECUTORCH),
    (0, b"7z\xbc\xaf\x27\x1c", media.SEVEN_ZIP),
    (0, b"Rar!\x1a\x07", media.RAR),
    (0, b"\x28\xb5\x2f\xfd", media.ZSTD),
    (0, b"\x04\x22\x4d\x18", media.LZ4),
    (0, b"PAR1", media.PARQUET),
    (0, b"ARROW1\0\0", media.ARROW),
    (0, b"SQLite format 3\0", media.SQLITE),
    (0, b"%PDF-", media.PDF),
    (0, b"\x89PNG\r\n\x1a\n", media.PNG),
    (0, b"\xff\xd8\xff", media.JPEG),
    (0, b"GIF8", media.GIF),
    (8, b"WEBP", media.WEBP),
    (0, b"\0asm", media.WASM),
    (0, b"\x7fELF", media.ELF),
    (0, b"\xcf\xfa\xed\xfe", media.MACH_O),
    (0, b"\xce\xfa\xed\xfe", media.MACH_O),
    (257, b"ustar", media.TAR),
)

_MAGIC_INSIDE = tuple(one for one in _MAGICS if one[0])
_MAGIC_BY_BYTE = {
    byte: tuple(one for one in _MAGICS if one[0] or one[1][0] == byte)
    for byte in {magic[0] for offset, magic, _ in _MAGICS if not offset}
}

_COMPRESSED = {
    "gzip": media.GZIP,
    "bzip2": media.BZIP2,
    "xz": media.XZ,
    "lzma": media.LZMA,
    "zlib": media.OCTETS,
}

_OPENVINO = re.compile(r'<net\s[^>]*version="[0-9]+"')
_SHEBANGS = (("python", media.PYTHON), ("node", media.JAVASCRIPT), ("sh", media.SHELL))


def sniff(source: ByteSource, begin: Callable[[], Streams] | None = None) -> str:
    """The media type of a file, a name of `media.MEDIA_TYPES`.

    Reads at most `HEAD` bytes of the start, and of a zip archive its directory.

    Args:
        source: the file.
        begin: runs the first stream of the file as a pickle, for who needs that in any case; the answer is the same.
    """
    head = source.read_at(0, HEAD)
    if not head:
        return media.EMPTY
    for offset, magic, kind in _MAGIC_BY_BYTE.get(head[0], _MAGIC_INSIDE):
        if head.startswith(magic, offset):
            return kind
    if head[:2] == b"MZ" and head.find(b"PE\0\0", 64, 4096) >= 0:
        return media.PE
    if head[:4] in {b"PK\x03\x04", b"PK\x05\x06"}:
        from lockflight.formats.archive.zip import member_names

        return zip_kind(member_names(source))
    if is_safetensors(source, head):
        return media.SAFETENSORS
    return (
        _compressed(head)
        or _pickle(head, source.size, begin)
        or _protobuf(source, head)
        or _text(source, head)
    )


def zip_kind(names: frozenset[str]) -> str:
    """What a zip archive with these members is."""
    bases = {name.rsplit("/", 1)[-1] for name in names}
    if bases & {"archive_format", "serialized_exported_program.json"}:
        return media.TORCH_EXPORT
    if "data.pkl" in bases:
        return media.TORCHSCRIPT if "constants.pkl" in bases else media.TORCH_ZIP
    if "schema.json" in names:
        return media.SKOPS
    if "config.json" in names and ("model.weights.h5" in names or "metadata.json" in names):
        return media.KERAS
    if names and all(name.endswith(".npy") for name in names):
        return media.NPZ
    return media.ZIP


def is_safetensors(source: ByteSource, head: bytes) -> bool:
    """Whether the first bytes are the length of a JSON header that fits into the file."""
    length = int.from_bytes(head[:8], "little")
    if len(head) < 10 or not 2 <= length <= 100_000_000 or 8 + length > source.size or head[8:9] != b"{":
        return False
    return source.read_at(8 + length - 1, 1) in {b"}", b" "}


def is_pickle(head: bytes, size: int) -> bool:
    """Whether the first bytes of a file of `size` bytes run as a pickle: to STOP, or for as long as is tried here."""
    if not head:
        return False
    marked = head[0] == 0x80 and len(head) > 1 and 2 <= head[1] <= 5
    wanted = _MARKED_OPCODES if marked else _PICKLE_OPCODES
    machine = Machine(_Head(head, size), _NOTHING, Budget(opcodes=wanted))
    outcome = machine.run(0)
    if outcome.stopped:
        # Without the mark of its protocol a stream of few opcodes is as likely a text.
        return marked or bool(machine.found) or (outcome.opcodes > 3 and outcome.end == size)
    if outcome.budget:
        return marked or outcome.opcodes >= wanted or bool(machine.found)
    return marked and outcome.opcodes > 2 and bool(machine.found)


@dataclass(frozen=True, slots=True)
class _Head:
    """The start of a longer file, of which nothing else can be read."""

    data: bytes
    size: int
    name: str = "<head>"

    def read_at(self, offset: int, n: int) -> bytes:
        return self.data[offset : offset + n]


def _compressed(head: bytes) -> str:
    kind = compression_of(head)
    if not kind:
        return ""
    inner = inflate_head(head, kind, HEAD)
    if inner and is_pickle(inner, len(inner) if len(inner) < HEAD else _UNKNOWN_SIZE):
        return media.COMPRESSED_PICKLES[kind]
    if kind == "zlib" or (kind == "lzma" and not inner):
        return ""
    return _COMPRESSED[kind]


def _runs(file: Streams, head: bytes) -> bool:
    """Whether `is_pickle` would say yes, as far as the whole stream shows it."""
    if not file.first.stopped or file.first_array >= 0:
        return False
    marked = head[0] == 0x80 and len(head) > 1 and 2 <= head[1] <= 5
    many = file.first.opcodes > _PICKLE_OPCODES
    return (
        marked or many or bool(file.found) or (file.first.opcodes > 3 and file.first.end == file.source.size)
    )


def _pickle(head: bytes, size: int, begin: Callable[[], Streams] | None) -> str:
    if not (begin is not None and _runs(begin(), head)) and not is_pickle(head, size):
        return ""
    from lockflight.formats.pickle.streams import TORCH_MAGIC

    # torch.save before 1.6 starts with a pickle of one number.
    if head[2:14] == b"\x8a\x0a" + TORCH_MAGIC.to_bytes(10, "little"):
        return media.TORCH_LEGACY
    return media.PICKLE


def _protobuf(source: ByteSource, head: bytes) -> str:
    base = source.name.rsplit("/", 1)[-1].lower()
    if base == "saved_model.pb" and head[0] == 0x08:
        return media.SAVED_MODEL
    if base.endswith(".mlmodel") and head[0] == 0x08:
        return media.COREML
    if base.endswith(".onnx") and head[0] in {0x08, 0x12, 0x3A}:
        return media.ONNX
    # ir_version, then the producer's name: the order in which every exporter writes an ONNX model.
    if head[0] == 0x08 and head[1:2] <= b"\x20" and head[2:3] == b"\x12" and head[4:8].isalnum():
        return media.ONNX
    if head[0] != 0x0A:
        return ""
    from lockflight.formats.graphs.protobuf import looks_like_sentencepiece

    if looks_like_sentencepiece(head):
        return media.SENTENCEPIECE
    from lockflight.formats.graphs.tensorflow import looks_like_graph

    return media.TENSORFLOW_GRAPH if looks_like_graph(head) else ""


def _text(source: ByteSource, head: bytes) -> str:
    text = text_of(head, whole=len(head) == source.size)
    if text is None:
        return media.OCTETS
    start = text.lstrip("\ufeff \t\r\n")
    if start[:5] in {"<?xml", "<net "} and _OPENVINO.search(start[:2000]):
        return media.OPENVINO
    named = media.TEXT_SUFFIXES.get(media.suffix_of(source.name), "")
    if named in {media.JSON, media.NOTEBOOK, media.JSON_LINES}:
        opening = "{" if named == media.NOTEBOOK else '{["-0123456789tfn'
        return named if start[:1] and start[0] in opening else media.TEXT
    if named:
        return named
    return _text_by_content(start, whole=len(head) == source.size)


def _text_by_content(start: str, *, whole: bool) -> str:
    if start.startswith("#!"):
        first = start.split("\n", 1)[0]
        return next((kind for word, kind in _SHEBANGS if word in first), media.TEXT)
    lowered = start[:32].lower()
    if lowered.startswith(("<!doctype html", "<html")):
        return media.HTML
    if lowered.startswith("<?xml"):
        return media.XML
    if start[:1] in {"{", "["} and whole:
        if too_deep(start.encode()):
            return media.TEXT
        try:
            json.loads(start)
        except ValueError:
            return media.TEXT
        return media.JSON
    return media.TEXT


def text_of(data: bytes, *, whole: bool) -> str | None:
    """The text of UTF-8 bytes without control characters, or None; a cut character at the end is let go."""
    for cut in range(1 if whole else 4):
        try:
            text = data[: len(data) - cut].decode("utf-8")
        except UnicodeDecodeError:
            continue
        return None if CONTROLS.intersection(data) else text
    return None
