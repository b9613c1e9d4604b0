"""Small files of each model format, put together byte by byte, and ways to spoil them."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
import zlib

from lockflight.core.findings import Verdict
from lockflight.core.source import BytesSource


def source(data, name="model.bin"):
    return BytesSource(data, name)


def verdict(issues):
    return max((i.verdict for i in issues), key=lambda v: v.rank, default=Verdict.SAFE)


def rules(issues):
    return {issue.rule for issue in issues}


def mutants(seeds, count, number, words=()):
    """Reproducible damage: flipped bits, bytes cut out, doubled, spliced, and numbers blown up."""
    chance = random.Random(number)
    for _ in range(count):
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.choice((1, 1, 2, 4))):
            at = chance.randrange(len(data) + 1)
            kind = chance.randrange(6)
            if kind == 0 and at < len(data):
                data[at] ^= 1 << chance.randrange(8)
            elif kind == 1:
                del data[at : at + chance.choice((1, 2, 8, 40))]
            elif kind == 2:
                data[at : at + 8] = struct.pack(
                    "<Q", chance.choice((0, 1, 255, 1 << 31, 1 << 60, (1 << 64) - 1))
                )
            elif kind == 3 and words:
                data[at:at] = chance.choice(words)
            elif kind == 4:
                other = chance.choice(seeds)
                start = chance.randrange(len(other) + 1)
                data[at:at] = other[start : start + chance.randrange(1, 60)]
            elif at < len(data):
                data[at] = chance.randrange(256)
        yield bytes(data)


# -- safetensors --


def safetensors(header=None, body=None, *, raw=None):
    if raw is None:
        header = {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}} if header is None else header
        raw = json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + (bytes(8) if body is None else body)


# -- GGUF --


def text(value):
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def pair(key, kind, value):
    return text(key) + struct.pack("<I", kind) + value


def tensor(name, shape, kind=0, offset=0):
    return (
        text(name)
        + struct.pack("<I", len(shape))
        + b"".join(struct.pack("<Q", n) for n in shape)
        + struct.pack("<IQ", kind, offset)
    )


def gguf(pairs=None, tensors=None, body=None, *, version=3, n_pairs=None, n_tensors=None):
    pairs = [pair("general.name", 8, text("x"))] if pairs is None else pairs
    tensors = [tensor("t", (8,))] if tensors is None else tensors
    head = b"GGUF" + struct.pack(
        "<IQQ",
        version,
        len(tensors) if n_tensors is None else n_tensors,
        len(pairs) if n_pairs is None else n_pairs,
    )
    head += b"".join(pairs) + b"".join(tensors)
    return head + bytes(-len(head) % 32) + (bytes(32) if body is None else body)


# -- NPY --


def npy(header="{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }", body=None, version=(1, 0)):
    raw = header.encode() + b"\n"
    length = struct.pack("<H", len(raw)) if version == (1, 0) else struct.pack("<I", len(raw))
    return b"\x93NUMPY" + bytes(version) + length + raw + (bytes(24) if body is None else body)


# -- zip --


def archive(members, *, method=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        for name, data in members.items() if isinstance(members, dict) else members:
            made.writestr(zipfile.ZipInfo(name), data, method)
    return out.getvalue()


def local(name, data, *, flags=0, method=0, crc=None, size=None, packed=None, extra=b""):
    raw = name.encode()
    crc = zlib.crc32(data) if crc is None else crc
    packed = len(data) if packed is None else packed
    size = len(data) if size is None else size
    head = struct.pack(
        "<4sHHHHHIIIHH", b"PK\3\4", 20, flags, method, 0, 0, crc, packed, size, len(raw), len(extra)
    )
    return head + raw + extra + data


def central(
    name, data, offset, *, flags=0, method=0, crc=None, size=None, packed=None, attributes=0, extra=b""
):
    raw = name.encode()
    crc = zlib.crc32(data) if crc is None else crc
    packed = len(data) if packed is None else packed
    size = len(data) if size is None else size
    head = struct.pack(
        "<4sHHHHHHIIIHHHHHII",
        b"PK\1\2",
        0x314,
        20,
        flags,
        method,
        0,
        0,
        crc,
        packed,
        size,
        len(raw),
        len(extra),
        0,
        0,
        0,
        attributes,
        offset,
    )
    return head + raw + extra


def ending(count, size, offset, comment=b""):
    return struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, count, count, size, offset, len(comment)) + comment


def assembled(locals_, centrals, *, before=b"", between=b"", comment=b"", count=None):
    body = before + b"".join(locals_) + between
    directory = b"".join(centrals)
    return (
        body
        + directory
        + ending(len(centrals) if count is None else count, len(directory), len(body), comment)
    )
