"""Walks through a model file and everything inside it, and asks the parser of each format what it has to say."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, ClassVar

from lockflight.core.findings import Verdict
from lockflight.formats import media
from lockflight.formats.archive.inflate import MAX_OUTPUT, inflate
from lockflight.formats.archive.zip import STORED, Archive, Member, ends_like_zip, read_archive
from lockflight.scan.walk.single import Single, inside

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockflight.core.source import ByteSource
    from lockflight.formats.pickle.allow import AllowList

#: Containers inside each other.
MAX_DEPTH = 4
#: Members whose checksum is computed: storages are larger, and torch does not look at theirs either.
_MAX_CHECKSUM = 64 * 1024 * 1024
_CHUNK = 1024 * 1024

_PICKLES = frozenset({media.PICKLE, media.TORCH_LEGACY, *media.COMPRESSED_PICKLES.values()})
_ZIPS = frozenset(
    {media.ZIP, media.TORCH_ZIP, media.TORCHSCRIPT, media.TORCH_EXPORT, media.SKOPS, media.KERAS, media.NPZ}
)
_PROGRAMS = frozenset({media.ELF, media.MACH_O, media.PE, media.WASM})
_TEXTS = frozenset({media.TEXT, media.MARKDOWN, media.CSV, media.TSV, media.TOML, media.JSON_LINES})
_ANY_TEXT = _TEXTS | media.CODE_TYPES | {media.JSON, media.YAML, media.JINJA, media.XML, media.HTML}

#: Extensions whose loaders unpickle what they are given.
_PICKLE_SUFFIXES = frozenset({*media.PICKLE_SUFFIXES, ".p", ".z", ""})

#: Extensions whose loaders read one format only.
_STRICT: dict[str, frozenset[str]] = {
    ".safetensors": frozenset({media.SAFETENSORS}),
    ".gguf": frozenset({media.GGUF}),
    ".npy": frozenset({media.NPY}),
    ".npz": frozenset({media.NPZ, media.ZIP}),
    ".onnx": frozenset({media.ONNX}),
    ".keras": frozenset({media.KERAS}),
    ".skops": frozenset({media.SKOPS}),
    ".tflite": frozenset({media.TFLITE}),
    **dict.fromkeys((".h5", ".hdf5"), frozenset({media.HDF5})),
    ".pb": frozenset({media.SAVED_MODEL, media.TENSORFLOW_GRAPH}),
    ".json": _ANY_TEXT,
    **dict.fromkeys(
        (".txt", ".md", ".toml", ".yaml", ".yml", ".csv", ".tsv", ".jinja", ".jsonl", ".vocab"), _ANY_TEXT
    ),
    # A stream of opcodes can be written so that it is Python as well.
    **dict.fromkeys((".py", ".pyw", ".pyi", ".pyx"), _ANY_TEXT),
}

#: What exporters call the file in which the tensors of an ONNX model lie.
_TENSOR_NAMES = (".onnx_data", ".onnx.data")

_INFLATERS = {
    **{kind: name for name, kind in media.COMPRESSED_PICKLES.items()},
    media.GZIP: "gzip",
    media.BZIP2: "bzip2",
    media.XZ: "xz",
    media.LZMA: "lzma",
}

#: Lines that Python executes at its start, of files of this name in its folders of packages (`site`).
_STARTUP = re.compile(rb"^(?:\xef\xbb\xbf)?import[ \t]", re.MULTILINE)
_LONGEST_STARTUP = 1024 * 1024

_KERAS_MEMBERS = frozenset({"metadata.json", "model.weights.h5", "model.weights.npz", "model.weights.json"})


class Walker(Single):
    """Judges one asset; collects issues, counts and what was left unjudged."""

    def __init__(self, allow: AllowList, code: Callable[[ByteSource, str, str], bool] | None = None) -> None:
        """Start with nothing.

        Args:
            allow: what pickles and skops schemas may use.
            code: gets each piece of code with its media type and place; whether it is judged there. By default none
                is, so that code is unknown.
        """
        super().__init__(allow)
        self.code = code

    def file(self, source: ByteSource) -> str:
        """Judge a file; its media type."""
        self.limit(source.size)
        kind = self._look(source)
        self._judge(source, kind, "", 0)
        return kind

    # -- dispatch --

    def _judge(self, source: ByteSource, kind: str, member: str, depth: int) -> None:
        if source.size == 0:
            return
        if depth > MAX_DEPTH:
            self.add(
                "file:nesting",
                Verdict.UNKNOWN,
                f"Containers lie more than {MAX_DEPTH} deep inside each other.",
                member,
            )
            self.unjudged += source.size
            return
        suffix = media.suffix_of(source.name)
        if kind == media.TEXT and suffix == ".json":
            kind = media.JSON
        elif kind in {media.OCTETS, *_TEXTS} and suffix in _PICKLE_SUFFIXES and self._unpickles(source):
            kind = media.PICKLE
        handler = self._handler(kind, source.name.rsplit("/", 1)[-1].lower(), suffix)
        if kind in _INFLATERS:
            self._compressed(source, member, depth, _INFLATERS[kind])
        elif handler is not None:
            handler(self, source, member, depth)
            if kind in _ANY_TEXT and kind != media.JSON:
                self.boosters(source, member)
        elif kind in media.CODE_TYPES:
            self._code(source, kind, member)
        else:
            self._unsupported(source, kind, member)
        if suffix == ".pth" and kind in _ANY_TEXT:
            self._startup(source, member)
        self._ambiguity(source, kind, suffix, member)

    def _handler(
        self, kind: str, base: str, suffix: str
    ) -> Callable[[Walker, ByteSource, str, int], None] | None:
        """Who judges a kind of file; of texts and raw bytes, the name says which loader reads them."""
        if kind in _ANY_TEXT and base == "mlmodel":
            return Single.mlmodel
        if kind in _ANY_TEXT and suffix in media.GRAPH_TEXTS:
            return Single.graph_text
        if kind == media.XML and suffix == ".pmml":
            return Walker._pmml
        if kind == media.OCTETS and base.endswith(_TENSOR_NAMES):
            # Bytes of tensors, and nothing else reads them; other readings are tried in any case.
            return Single.nothing
        return self._HANDLERS.get(kind)

    def _unpickles(self, source: ByteSource) -> bool:
        """Whether a file that its loader would unpickle is one: it begins with a protocol, or runs to a STOP."""
        head = source.read_at(0, 2)
        marked = len(head) == 2 and head[0] == 0x80 and 2 <= head[1] <= 5
        return marked or self._begun(source).first.stopped

    def _pmml(self, source: ByteSource, member: str, depth: int) -> None:
        self.markup(source, member, depth)
        # Its functions and models are named by what the loader offers, which is not listed here.
        message = "The file is a model of PMML, which this version does not judge."
        self.add("file:unsupported", Verdict.UNKNOWN, message, member, subject="pmml")
        self.unjudged += source.size

    def _code(self, source: ByteSource, kind: str, member: str) -> None:
        if self.code is None or not self.code(source, kind, member):
            title = media.MEDIA_TYPES[kind].title
            message = f"The file is code ({title}), which this check does not judge."
            self.add("file:code", Verdict.UNKNOWN, message, member)
            self.unjudged += source.size

    def _startup(self, source: ByteSource, member: str) -> None:
        """A text that is no checkpoint but a list of paths, some of which are code."""
        if _STARTUP.search(source.read_at(0, _LONGEST_STARTUP)) or source.size > _LONGEST_STARTUP:
            message = (
                "The file is a text with lines that Python executes where it lies in a folder of packages."
            )
            self.add("file:code", Verdict.UNKNOWN, message, member, subject="startup")
            self.unjudged += source.size

    def _unsupported(self, source: ByteSource, kind: str, member: str) -> None:
        title = media.MEDIA_TYPES[kind].title
        message = f"This version does not judge files of this kind ({title})."
        self.add("file:unsupported", Verdict.UNKNOWN, message, member, subject=kind)
        self.unjudged += source.size

    def _ambiguity(self, source: ByteSource, kind: str, suffix: str, member: str) -> None:
        """What other loaders would make of the same bytes, and whether the name fits them."""
        if kind not in _ZIPS and ends_like_zip(source):
            message = "The file is also a zip archive to readers that begin at its end."
            self.add("file:polyglot", Verdict.MALICIOUS, message, member, subject="zip")
        if kind not in _PICKLES and kind not in _ZIPS:
            aside = self._aside(source, member)
            reachable = aside.stops or kind not in _ANY_TEXT or suffix in _PICKLE_SUFFIXES
            if aside.names and reachable:
                message = f"The file is also a pickle, which imports {aside.names[0]}."
                self.add("file:polyglot", Verdict.MALICIOUS, message, member, subject=aside.names[0])
        fits = _STRICT.get(suffix)
        if fits is not None and kind not in fits:
            title = media.MEDIA_TYPES[kind].title
            loads = kind in _PICKLES or kind in _ZIPS or kind in _PROGRAMS
            message = f"The file is named {suffix} and is something else: {title}."
            self.add(
                "file:mismatch",
                Verdict.MALICIOUS if loads else Verdict.UNKNOWN,
                message,
                member,
                subject=kind,
            )

    # -- pickles --

    def _pickle(self, source: ByteSource, member: str, depth: int) -> None:
        del depth
        self.run_pickle(source, member, torch=False)

    def _compressed(self, source: ByteSource, member: str, depth: int, kind: str) -> None:
        opened = inflate(
            source,
            kind,
            max_output=max(0, min(MAX_OUTPUT, self.inflated)),
            name=_without_suffix(source.name),
        )
        self.inflated -= opened.spent
        if opened.trailing:
            message = f"There are {opened.trailing} bytes behind the compressed data."
            self.add("compressed:trailing", Verdict.MALICIOUS, message, member)
        before = self.unjudged
        if opened.problem:
            message = f"The {kind} data cannot be read to its end ({opened.problem})."
            self.add(f"compressed:{opened.problem}", Verdict.UNKNOWN, message, member)
            self.unjudged += 1
        if opened.source.size:
            self._judge(opened.source, self._look(opened.source), member, depth + 1)
        if self.unjudged > before:
            self.unjudged = before + source.size

    # -- archives --

    def _zip(self, source: ByteSource, member: str, depth: int) -> None:
        from lockflight.formats.tensors.sparse import SparseArrays

        members = self.members(source, member)
        sparse = SparseArrays(found.name for _, found in members)
        for archive, found in members:
            content = self.inner(archive, found, member, depth)
            if content is not None:
                sparse.take(found.name, content)
        self.parsed(sparse.issues(), source, member)

    def members(self, source: ByteSource, member: str) -> list[tuple[Archive, Member]]:
        """The files of an archive; what is wrong with it is kept."""
        archive = read_archive(source)
        self.take(archive.issues, member)
        if not archive.readable:
            self.unjudged += source.size
        return [(archive, found) for found in archive.members if not found.folder]

    def opened(self, archive: Archive, found: Member, member: str) -> ByteSource | None:
        """The content of a member that is going to be parsed."""
        if self.inflated <= 0 and found.method != STORED:
            message = "The archive holds more than is unpacked of a file of its size."
            self.add("compressed:budget", Verdict.UNKNOWN, message, member)
            self.unjudged += found.packed
            return None
        opened = archive.open(found, max_output=max(0, self.inflated))
        self.inflated -= opened.spent
        if opened.problem:
            rule = "zip:content" if opened.problem == "corrupt" else f"compressed:{opened.problem}"
            message = f"The content of the member cannot be read ({opened.problem})."
            self.add(rule, Verdict.UNKNOWN, message, inside(member, found))
            self.unjudged += found.packed
            return opened.source if opened.source.size else None
        if not found.encrypted and found.size <= _MAX_CHECKSUM and _crc(opened.source) != found.crc:
            message = "The checksum of the member is wrong: some readers refuse it, others do not look."
            self.add("zip:content", Verdict.MALICIOUS, message, inside(member, found))
        return opened.source

    def inner(self, archive: Archive, found: Member, member: str, depth: int) -> ByteSource | None:
        """Judge a member by its content; that content, where it can be read."""
        content = self.opened(archive, found, member)
        if content is None:
            return None
        before = self.unjudged
        self._judge(content, self._look(content), inside(member, found), depth + 1)
        self.unjudged = min(self.unjudged, before + found.packed)
        return content

    def _keras(self, source: ByteSource, member: str, depth: int) -> None:
        members = self.members(source, member)
        if "config.json" not in {found.name for _, found in members}:
            message = "The archive has no configuration of a model."
            self.add("keras:broken", Verdict.UNKNOWN, message, member)
            self.unjudged += source.size
        for archive, found in members:
            name = found.name
            if name == "config.json":
                content = self.opened(archive, found, member)
                if content is not None:
                    self.keras_config(content, inside(member, found), source.size)
            elif name not in _KERAS_MEMBERS and not name.startswith("assets/"):
                message = "The member is not one that Keras writes."
                self.add("keras:member", Verdict.REVIEW, message, inside(member, found))
            self.inner(archive, found, member, depth)

    def _torch(self, source: ByteSource, member: str, depth: int) -> None:
        from lockflight.scan.walk.torch import TorchArchive

        TorchArchive(self, source, member, depth).checkpoint()

    def _torchscript(self, source: ByteSource, member: str, depth: int) -> None:
        from lockflight.scan.walk.torch import TorchArchive

        TorchArchive(self, source, member, depth).script()

    def _torch_export(self, source: ByteSource, member: str, depth: int) -> None:
        from lockflight.scan.walk.torch import TorchArchive

        TorchArchive(self, source, member, depth).program()

    def _skops(self, source: ByteSource, member: str, depth: int) -> None:
        from lockflight.formats.skops import check_schema

        for archive, found in self.members(source, member):
            if found.name == "schema.json":
                content = self.opened(archive, found, member)
                if content is not None:
                    self.parsed(check_schema(content, self.allow), content, inside(member, found))
            elif media.suffix_of(found.name) in {".npy", ".npz"} and "/" not in found.name:
                self.inner(archive, found, member, depth)
            elif media.suffix_of(found.name) != ".bin" or "/" in found.name:
                message = "The member is not one that skops writes."
                self.add("skops:member", Verdict.REVIEW, message, inside(member, found))
                self.inner(archive, found, member, depth)

    _HANDLERS: ClassVar[dict[str, Callable[[Walker, ByteSource, str, int], None]]] = {
        media.PICKLE: _pickle,
        media.TORCH_LEGACY: _pickle,
        media.TORCH_ZIP: _torch,
        media.TORCHSCRIPT: _torchscript,
        media.SKOPS: _skops,
        media.KERAS: _keras,
        media.TORCH_EXPORT: _torch_export,
        media.NPZ: _zip,
        media.ZIP: _zip,
        media.NPY: Single.npy,
        media.SAFETENSORS: Single.safetensors,
        media.GGUF: Single.gguf,
        media.ONNX: Single.onnx,
        media.HDF5: Single.hdf5,
        media.SAVED_MODEL: Single.saved_model,
        media.TENSORFLOW_GRAPH: Single.graph,
        media.SENTENCEPIECE: Single.sentencepiece,
        media.JSON: Single.json,
        media.YAML: Single.yaml,
        media.JINJA: Single.jinja,
        **dict.fromkeys((media.XML, media.HTML), Single.markup),
        **dict.fromkeys(_TEXTS, Single.text),
    }


def _without_suffix(name: str) -> str:
    suffix = media.suffix_of(name)
    return name[: -len(suffix)] if suffix in {".gz", ".bz2", ".xz", ".lzma"} else name


def _crc(source: ByteSource) -> int:
    crc, at = 0, 0
    while data := source.read_at(at, _CHUNK):
        crc = zlib.crc32(data, crc)
        at += len(data)
    return crc
