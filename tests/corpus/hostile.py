"""Hostile model files, made here: what public advisories, papers and other scanners' fixtures describe.

    python -m tests.corpus.hostile FOLDER    writes them all

Each payload would run `true` or print a word; nothing here is ever loaded. Bytes are the same on every run.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import struct
import sys
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.corpus.gadgets import GADGETS
from tests.corpus.loose import LOOSE
from tests.corpus.programs import exports, scripts
from tests.formats.files import (
    archive,
    assembled,
    central,
    gguf,
    local,
    npy,
    pair,
    safetensors,
    tensor,
    text,
)
from tests.formats.pickles import CALL, HOSTILE, framed, short, stack_global

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Sample:
    """One hostile file.

    Attributes:
        name: file name, unique.
        data: its bytes.
        family: `pickle` where a pickle in it does the harm, else the format.
        call: the global that a report must name; empty where the harm is none.
    """

    name: str
    data: bytes
    family: str
    call: str = ""


class Run:
    """Pickles to a call that runs `true`."""

    def __reduce__(self) -> tuple[object, ...]:
        return _system, ("true",)


def _system(_: str) -> None:
    raise AssertionError("a fixture was loaded")


_system.__module__, _system.__qualname__, _system.__name__ = "posix", "system", "system"

#: The ordinary payload: a call of `posix.system` between harmless values.
EVIL = b"\x80\x04]\x94(K\x01" + stack_global("posix", "system") + short("true") + b"\x85Re."
SEEN = "posix.system"


# -- gadgets: every name, by every way to a call --


def _by_global(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n(S'true'\ntR.".encode()


def _by_stack(module: str, name: str) -> bytes:
    body = stack_global(module, name) + short("true") + b"\x85R."
    return framed(body)


def _by_inst(module: str, name: str) -> bytes:
    return f"(S'true'\ni{module}\n{name}\n.".encode()


def _by_obj(module: str, name: str) -> bytes:
    return b"(" + f"c{module}\n{name}\n".encode() + b"S'true'\no0N."


def _by_newobj(module: str, name: str) -> bytes:
    return b"\x80\x02" + f"c{module}\n{name}\n".encode() + b"X\x04\x00\x00\x00true\x85\x81."


def _by_memo(module: str, name: str) -> bytes:
    words = short(module) + b"\x94" + short(name) + b"\x94" + b"00h\x00h\x01\x93"
    return b"\x80\x04" + words + short("true") + b"\x85R."


WAYS = (_by_global, _by_stack, _by_inst, _by_obj, _by_newobj, _by_memo)


def gadgets() -> Iterator[Sample]:
    """Each name once, the ways taken in turn; a name with a dot needs STACK_GLOBAL or the memo."""
    for number, (module, name) in enumerate(GADGETS):
        way = WAYS[number % len(WAYS)]
        if "." in name and way not in {_by_stack, _by_memo}:
            way = _by_stack
        stem = f"{module}.{name}".replace("/", "_")
        yield Sample(f"gadget-{way.__name__[4:]}-{stem}.pkl", way(module, name), "pickle", f"{module}.{name}")


# -- pickles that hide what they do --


def tricks() -> Iterator[Sample]:
    """Streams that are hard to follow, and each of them again where scanners stop looking."""
    for label, data in HOSTILE.items():
        stem = label.replace(" ", "-")
        yield Sample(f"trick-{stem}.pkl", data, "pickle")
        yield Sample(f"trick-{stem}.joblib.z", zlib.compress(data), "pickle")
        yield Sample(f"trick-{stem}.npz", archive({"a.npy": _object_array(data)}), "pickle")
    junk = b"N0" * 50_000
    yield Sample("trick-junk-before.pkl", b"\x80\x04" + junk + EVIL[2:], "pickle", SEEN)
    yield Sample("trick-many-memos.pkl", b"\x80\x04" + b"K\x01\x940" * 20_000 + EVIL[2:], "pickle", SEEN)
    yield Sample("trick-deep-lists.pkl", b"\x80\x04" + b"]" * 5_000 + EVIL[2:], "pickle", SEEN)
    nested = stack_global("pickle", "loads") + b"C" + bytes([len(EVIL)]) + EVIL + b"\x85R."
    yield Sample("trick-pickle-in-pickle.pkl", b"\x80\x04" + nested, "pickle", "pickle.loads")
    yield Sample("trick-extra-after-64-zeros.pkl", pickle.dumps(1) + bytes(64) + EVIL, "pickle", SEEN)
    yield Sample("trick-malformed-escape.pkl", b"S'\\xzz'\n0" + CALL + b".", "pickle")
    yield Sample("trick-crlf.pkl", b"cposix\r\nsystem\r\n(S'true'\ntR.", "pickle")
    yield Sample("trick-wrong-protocol.pkl", b"\x80\x09" + EVIL[2:], "pickle")
    yield Sample("trick-two-protocols.pkl", b"\x80\x02\x80\x04" + EVIL[2:], "pickle", SEEN)
    yield Sample("trick-out-of-band.pkl", b"\x80\x05\x97" + EVIL[2:], "pickle")
    yield Sample("trick-memo-of-2-31.pkl", b"\x80\x02Nr\xff\xff\xff\x7f.", "pickle")
    yield Sample("trick-length-of-2-60.pkl", b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60) + b"x.", "pickle")
    for protocol in range(6):
        body = pickle.dumps({"weights": [0.5] * 9}, protocol)[:-1]
        yield Sample(f"trick-appended-call-{protocol}.pkl", body + b"0" + CALL + b".", "pickle", SEEN)


def _object_array(data: bytes) -> bytes:
    return npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", data)


# -- containers --


def _tar(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    return out.getvalue()


def checkpoint(data: bytes, more: dict[str, bytes] | None = None) -> bytes:
    """An archive as torch.save writes it."""
    members = {"m/data.pkl": data, "m/byteorder": b"little", "m/version": b"3\n", **(more or {})}
    return archive(members)


def _legacy(*streams: bytes) -> bytes:
    """The five pickles of torch before 1.6, some replaced."""
    magic = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
    five = [magic, b"\x80\x02M\xe9\x03.", b"\x80\x02}.", b"\x80\x02}.", b"\x80\x02]."]
    for place, stream in zip(range(4, -1, -1), streams, strict=False):
        five[place] = stream or five[place]
    return b"".join(five)


PACKED = {
    "gz": gzip.compress(EVIL, mtime=0),
    "bz2": bz2.compress(EVIL),
    "xz": lzma.compress(EVIL),
    "lzma": lzma.compress(EVIL, format=lzma.FORMAT_ALONE),
    "zlib": zlib.compress(EVIL),
}


def containers() -> Iterator[Sample]:
    """The ordinary payload in everything that a loader opens."""
    for kind, data in PACKED.items():
        for name in (f"packed-{kind}.joblib", f"packed-{kind}.pkl", f"packed-{kind}.bin", f"packed-{kind}"):
            yield Sample(name, data, "pickle", SEEN)
        yield Sample(f"packed-twice-{kind}.joblib", gzip.compress(data, mtime=0), "pickle", SEEN)
        yield Sample(f"packed-trailing-{kind}.joblib", data + b"more", "pickle", SEEN)
        yield Sample(f"packed-cut-{kind}.joblib", data[:-3], "pickle")
    for suffix in ("pt", "pth", "bin", "ckpt", "model", "dat", "p", "pickle", "joblib", "sav", "weights"):
        yield Sample(f"raw.{suffix}", EVIL, "pickle", SEEN)
    yield Sample("raw-without-a-suffix", EVIL, "pickle", SEEN)
    for suffix in ("safetensors", "gguf", "onnx", "npy", "json", "txt", "h5", "keras", "skops", "tflite"):
        yield Sample(f"disguised.{suffix}", EVIL, "pickle")
    yield Sample("torch.pt", checkpoint(EVIL), "pickle", SEEN)
    yield Sample("torch-constants.pt", checkpoint(b"}.", {"m/constants.pkl": EVIL}), "pickle", SEEN)
    yield Sample("torch-extra.pt", checkpoint(b"}.", {"m/extra/notes.pkl": EVIL}), "pickle", SEEN)
    yield Sample("torch-two-roots.pt", checkpoint(b"}.", {"n/data.pkl": EVIL}), "pickle", SEEN)
    yield Sample(
        "torch-zip-inside.pt", checkpoint(b"}.", {"m/extra/a.zip": archive({"b.pkl": EVIL})}), "pickle", SEEN
    )
    yield Sample(
        "torch-code.pt", checkpoint(b"}.", {"m/code/run.py": b"import os\nos.system('true')\n"}), "zip"
    )
    yield Sample(
        "torch-deflated.pt", archive({"m/data.pkl": EVIL}, method=zipfile.ZIP_DEFLATED), "pickle", SEEN
    )
    for place in range(5):
        streams = [b""] * 5
        streams[4 - place] = EVIL
        yield Sample(f"torch-legacy-{place}.pt", _legacy(*streams), "pickle")
    tar = _tar({"model.ckpt": EVIL})
    packed = {
        "plain": tar,
        "gz": gzip.compress(tar, mtime=0),
        "bz2": bz2.compress(tar),
        "xz": lzma.compress(tar),
    }
    for kind, data in packed.items():
        yield Sample(f"archive-{kind}.nemo", data, "tar")
    inside = EVIL
    for depth in range(1, 7):
        inside = archive({f"level{depth}.bin": inside})
        yield Sample(f"zip-in-zip-{depth}.zip", inside, "pickle")
    yield Sample("array.npy", _object_array(EVIL), "pickle", SEEN)
    yield Sample("arrays.npz", archive({"a.npy": npy(), "b.npy": _object_array(EVIL)}), "pickle", SEEN)
    yield Sample("array-then-pickle.npy", npy() + EVIL, "npy")
    yield Sample(
        "safetensors-then-zip.safetensors", safetensors() + archive({"data.pkl": EVIL}), "safetensors"
    )
    yield Sample("gguf-then-zip.gguf", gguf() + archive({"data.pkl": EVIL}), "gguf")
    yield Sample("pickle-then-zip.pt", pickle.dumps({}) + archive({"data.pkl": EVIL}), "zip")
    for family, start in (
        ("7z", b"7z\xbc\xaf\x27\x1c"),
        ("lz4", b"\x04\x22\x4d\x18"),
        ("zstd", b"\x28\xb5\x2f\xfd"),
    ):
        yield Sample(f"packed.{family}", start + EVIL, family)


# -- zip: what one reader sees and another does not --


def zips() -> Iterator[Sample]:
    """Archives whose two lists of members differ, or whose members are not what they say."""
    good, evil = local("a.pkl", b"N."), local("data.pkl", EVIL)
    listed_good, listed_evil = central("a.pkl", b"N.", 0), central("data.pkl", EVIL, 0)
    behind = len(good)
    yield Sample("zip-only-in-locals.pt", assembled([good, evil], [listed_good]), "zip")
    yield Sample("zip-other-name.pt", assembled([evil], [central("notes.txt", EVIL, 0)]), "zip")
    yield Sample(
        "zip-twice.pt",
        assembled(
            [local("a.pkl", EVIL), good],
            [central("a.pkl", EVIL, 0), central("a.pkl", b"N.", len(local("a.pkl", EVIL)))],
        ),
        "zip",
    )
    yield Sample("zip-bad-checksum.pt", assembled([evil], [central("data.pkl", EVIL, 0, crc=7)]), "zip")
    yield Sample(
        "zip-bad-local-checksum.pt", assembled([local("data.pkl", EVIL, crc=7)], [listed_evil]), "zip"
    )
    for bit in (0x1, 0x20, 0x40, 0x800, 0x2000):
        yield Sample(
            f"zip-flag-{bit:x}.pt", assembled([local("data.pkl", EVIL, flags=bit)], [listed_evil]), "zip"
        )
        yield Sample(
            f"zip-central-flag-{bit:x}.pt",
            assembled([evil], [central("data.pkl", EVIL, 0, flags=bit)]),
            "zip",
        )
    for method in (1, 9, 12, 14, 93, 99):
        yield Sample(
            f"zip-method-{method}.pt",
            assembled(
                [local("data.pkl", EVIL, method=method)], [central("data.pkl", EVIL, 0, method=method)]
            ),
            "zip",
        )
    yield Sample("zip-local-method.pt", assembled([local("data.pkl", EVIL, method=8)], [listed_evil]), "zip")
    yield Sample("zip-size.pt", assembled([evil], [central("data.pkl", EVIL, 0, size=4)]), "zip")
    yield Sample("zip-packed-size.pt", assembled([evil], [central("data.pkl", EVIL, 0, packed=4)]), "zip")
    yield Sample("zip-gap.pt", assembled([good], [listed_good], between=evil), "zip")
    yield Sample("zip-prefix.pt", assembled([good], [central("a.pkl", b"N.", 9)], before=b"#!/bin/sh"), "zip")
    yield Sample(
        "zip-pickle-prefix.pt", assembled([good], [central("a.pkl", b"N.", len(EVIL))], before=EVIL), "zip"
    )
    yield Sample(
        "zip-comment.pt", assembled([good], [listed_good], comment=archive({"data.pkl": EVIL})), "zip"
    )
    yield Sample("zip-trailing.pt", assembled([good], [listed_good]) + EVIL, "zip")
    yield Sample(
        "zip-count.pt",
        assembled([good, evil], [listed_good, central("data.pkl", EVIL, behind)], count=1),
        "zip",
    )
    yield Sample("zip-overlap.pt", assembled([evil], [listed_evil, central("b.pkl", EVIL, 0)]), "zip")
    for number, name in enumerate(
        ("../data.pkl", "/data.pkl", "C:\\data.pkl", "a\\..\\data.pkl", "data.pkl\0.txt", "a/../../b.pkl")
    ):
        yield Sample(f"zip-path-{number}.pt", assembled([local(name, EVIL)], [central(name, EVIL, 0)]), "zip")
    link = 0o120777 << 16
    yield Sample(
        "zip-link.pt",
        assembled([local("l", b"/etc/passwd")], [central("l", b"/etc/passwd", 0, attributes=link)]),
        "zip",
    )
    bomb = archive({"data.pkl": bytes(1 << 26)}, method=zipfile.ZIP_DEFLATED)
    yield Sample("zip-bomb.pt", archive([(f"{n}.zip", bomb) for n in range(40)]), "zip")


# -- formats that hold no pickle --


def tensors() -> Iterator[Sample]:
    """Safetensors, GGUF and NPY whose numbers lie."""
    one = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    headers: dict[str, object] = {
        "hole": {"a": {**one, "data_offsets": [4, 12]}},
        "overlap": {"a": one, "b": one},
        "short": {"a": {**one, "data_offsets": [0, 4]}},
        "beyond": {"a": {**one, "shape": [200], "data_offsets": [0, 800]}},
        "negative": {"a": {**one, "shape": [-2]}},
        "overflow": {"a": {**one, "shape": [1 << 62, 1 << 62]}},
        "dtype": {"a": {**one, "dtype": "OBJECT"}},
        "metadata": {"__metadata__": {"a": {"b": "c"}}, "a": one},
        "extra": {"a": {**one, "module": "os"}},
        "reversed": {"a": {**one, "data_offsets": [8, 0]}},
        "text-shape": {"a": {**one, "shape": "2"}},
    }
    for label, header in headers.items():
        yield Sample(f"safetensors-{label}.safetensors", safetensors(header), "safetensors")
    raw = b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    yield Sample("safetensors-twice.safetensors", safetensors(raw=raw), "safetensors")
    yield Sample("safetensors-tail.safetensors", safetensors() + b"tail", "safetensors")
    yield Sample("safetensors-huge.safetensors", struct.pack("<Q", 1 << 40) + b"{}", "safetensors")
    yield Sample("safetensors-no-json.safetensors", safetensors(raw=b"{" * 60), "safetensors")
    for label, fields in {
        "entries": {"n_pairs": 1 << 60},
        "tensors": {"n_tensors": 1 << 60},
        "version": {"version": 99},
    }.items():
        yield Sample(f"gguf-{label}.gguf", gguf(**fields), "gguf")
    yield Sample("gguf-string.gguf", gguf([text("k") + struct.pack("<IQ", 8, 1 << 50)]), "gguf")
    yield Sample("gguf-array.gguf", gguf([text("k") + struct.pack("<IIQ", 9, 8, 1 << 50)]), "gguf")
    yield Sample("gguf-shape.gguf", gguf(tensors=[tensor("t", (1 << 40, 1 << 40))]), "gguf")
    yield Sample("gguf-offset.gguf", gguf(tensors=[tensor("t", (8,), offset=1 << 50)]), "gguf")
    yield Sample("gguf-kind.gguf", gguf(tensors=[tensor("t", (8,), kind=9999)]), "gguf")
    for number, header in enumerate(
        (
            "__import__('os').system('true')",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), 'x': 1, }",
            "{'descr': '<f8', 'fortran_order': 0, 'shape': (3,), }",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (-3,), }",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999,), }",
            "{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (3,), }",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3,)} or 1",
        )
    ):
        yield Sample(f"npy-header-{number}.npy", npy(header), "npy")


#: Templates that leave the sandbox, or say what the user did not.
TEMPLATES = (
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ messages.__class__ }}",
    "{{ cycler.__init__.__globals__.os.popen('true').read() }}",
    "{{ lipsum.__globals__['os'].system('true') }}",
    "{{ self.__init__.__globals__.__builtins__.__import__('os').system('true') }}",
    "{{ messages|attr('__class__') }}",
    "{{ messages|attr('__cl' ~ 'ass__') }}",
    "{{ messages|attr('\\x5f\\x5fclass\\x5f\\x5f') }}",
    "{{ messages['__cl' + 'ass__'] }}",
    "{{ messages|map(attribute='__class__')|list }}",
    "{{ (messages|attr)('__class__') }}",
    "{{ request.application.__globals__ }}",
    "{{ config.items() }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ joiner.__init__.__globals__ }}",
    "{% import 'os' as os %}{{ os.system('true') }}",
    "{% include '/etc/passwd' %}",
    "{% extends messages %}",
    "{% from 'a' import b %}",
    "{% set x = ''.format %}{{ x.__self__ }}",
    "{{ '{0.__class__}'.format(messages) }}",
    "{{ messages|attr('%c%cclass%c%c'|format(95, 95, 95, 95)) }}",
    "{{ messages|selectattr('__class__')|list }}",
    "{{ messages|groupby('__class__') }}",
    "{{ messages|sum(attribute='__class__') }}",
    "{{ range(10000000000)|list }}",
    "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
    "{{ 'a' * 10000000000 }}",
    "{{ get_flashed_messages.__globals__ }}",
    "{{ url_for.__globals__ }}",
)


def templates() -> Iterator[Sample]:
    """Each template as a file, in a tokenizer's configuration and in a GGUF."""
    for number, template in enumerate(TEMPLATES):
        yield Sample(f"template-{number}.jinja", template.encode(), "template")
        config = json.dumps({"tokenizer_class": "T", "chat_template": template}).encode()
        yield Sample(f"template-{number}/tokenizer_config.json", config, "template")
        body = gguf([pair("tokenizer.chat_template", 8, text(template))])
        yield Sample(f"template-{number}.gguf", body, "template")
    several = json.dumps({"chat_template": [{"name": "rag", "template": TEMPLATES[0]}]}).encode()
    yield Sample("template-several/tokenizer_config.json", several, "template")


def skops() -> Iterator[Sample]:
    """Schemas whose nodes call what they like."""

    def node(loader: str, module: str, name: str, **more: object) -> dict[str, object]:
        return {"__class__": name, "__module__": module, "__loader__": loader, "__id__": 1, **more}

    schemas = {
        "function": node(
            "FunctionNode", "builtins", "function", content={"module_path": "os", "function": "system"}
        ),
        "method": node(
            "MethodNode",
            "builtins",
            "method",
            content={"func": "system", "obj": node("ObjectNode", "os", "X")},
        ),
        "operator": node("OperatorFuncNode", "operator", "methodcaller", content={}),
        "object": node("ObjectNode", "subprocess", "Popen", content=None),
        "type": node("TypeNode", "builtins", "eval"),
        "reduce": node("ReduceNode", "os", "system", content={}),
        "unknown": node("AnyNode", "os", "system"),
        "disguised": node(
            "ObjectNode",
            "sklearn.linear_model",
            "LogisticRegression",
            content=node(
                "FunctionNode", "builtins", "function", content={"module_path": "posix", "function": "system"}
            ),
        ),
    }
    for label, schema in schemas.items():
        body = json.dumps({**schema, "protocol": 2, "_skops_version": "0.13"}).encode()
        yield Sample(f"skops-{label}.skops", archive({"schema.json": body}), "skops")


def programs() -> Iterator[Sample]:
    """TorchScript and exported programs that reach out, or make their loader do so."""
    for name, data, rule in (*scripts(), *exports(checkpoint(EVIL))):
        yield Sample(
            name,
            data,
            "pickle" if rule.startswith("pickle:") else "torch",
            SEEN if rule.startswith("pickle:") else "",
        )


def loose() -> Iterator[Sample]:
    """What lies beside a model: each as it is, and in a zip archive."""
    for name, (data, _) in LOOSE.items():
        yield Sample(f"loose/{name}", data, "loose")
        yield Sample(f"loose-{name.replace('/', '-')}.zip", archive({name: data}), "loose")


def samples() -> list[Sample]:
    """Every file, in a fixed order, each name once."""
    found: list[Sample] = []
    for make in (gadgets, tricks, containers, zips, tensors, templates, skops, programs, loose):
        found += make()
    names = [sample.name for sample in found]
    if len(set(names)) != len(names):
        raise AssertionError("two samples have one name")
    return found


def main(folder: Path) -> int:
    """Write every file, and `labels.json` beside them."""
    labels = {}
    for sample in samples():
        path = folder / "files" / sample.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sample.data)
        labels[sample.name] = {"family": sample.family, "call": sample.call}
    (folder / "labels.json").write_text(json.dumps(labels, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{len(labels)} files in {folder / 'files'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
