from __future__ import annotations

import gzip
import json
import lzma
import pickle
import struct
import zlib

import pytest

from lockflight.formats import media
from lockflight.formats.sniff import HEAD, sniff, text_of, zip_kind
from tests.formats.files import archive, gguf, mutants, npy, safetensors, source
from tests.formats.pickle.test_joblib import stream
from tests.formats.pickle.test_streams import legacy
from tests.formats.pickles import HOSTILE
from tests.formats.test_protobuf import MODEL

BIG = pickle.dumps({"x": b"y" * 200_000}, 4)

CASES = [
    (b"", "a", media.EMPTY),
    *((pickle.dumps({"a": [1]}, p), "a", media.PICKLE) for p in range(6)),
    (BIG, "a", media.PICKLE),
    (pickle.dumps(list(range(100_000)), 0), "a", media.PICKLE),
    (stream(), "a", media.PICKLE),
    (legacy(), "m.pt", media.TORCH_LEGACY),
    (gzip.compress(BIG), "a.txt", media.PICKLE_GZIP),
    (zlib.compress(BIG), "a", media.PICKLE_ZLIB),
    (lzma.compress(BIG), "a", media.PICKLE_XZ),
    (lzma.compress(BIG, lzma.FORMAT_ALONE), "a", media.PICKLE_LZMA),
    (gzip.compress(b"hello"), "a.gz", media.GZIP),
    (b"\x78\x9cnot really", "a", media.OCTETS),
    (b"]\x00\x00", "a", media.OCTETS),
    (archive({"m/data.pkl": b"N.", "m/version": b"3"}), "m.bin", media.TORCH_ZIP),
    (archive({"m/data.pkl": b"N.", "m/constants.pkl": b"N."}), "m.pt", media.TORCHSCRIPT),
    (archive({"m/archive_format": b"pt2", "m/models/model.json": b"{}"}), "m.pt2", media.TORCH_EXPORT),
    (archive({"schema.json": b"{}"}), "m", media.SKOPS),
    (archive({"config.json": b"{}", "model.weights.h5": b""}), "m", media.KERAS),
    (archive({"a.npy": npy()}), "m", media.NPZ),
    (archive({"a.txt": b"x"}), "m", media.ZIP),
    (b"PK\x03\x04 nothing more", "m", media.ZIP),
    (npy(), "a", media.NPY),
    (safetensors(), "a", media.SAFETENSORS),
    (gguf(), "a", media.GGUF),
    (b"lmgg" + bytes(20), "a", media.GGML),
    (b"\x89HDF\r\n\x1a\n" + bytes(20), "a", media.HDF5),
    (b"\x1c\0\0\0TFL3", "a", media.TFLITE),
    (b"\x1c\0\0\0ET12", "a", media.EXECUTORCH),
    (b"\x08\x05\x12\x10", "x/Model.mlmodel", media.COREML),
    (b'<?xml version="1.0"?>\n<net name="m" version="11">', "a.xml", media.OPENVINO),
    (b'<?xml version="1.0"?>\n<network/>', "a.xml", media.XML),
    (b"\x0a\x0b\x0a\x01x\x12\x06MatMul", "a", media.TENSORFLOW_GRAPH),
    (b"\x08\x07\x12\x07pytorch" + bytes(20), "a", media.ONNX),
    (b"\x08\x01" + bytes(20), "x/saved_model.pb", media.SAVED_MODEL),
    (MODEL, "tokenizer.model", media.SENTENCEPIECE),
    (b"7z\xbc\xaf\x27\x1c", "a", media.SEVEN_ZIP),
    (bytes(257) + b"ustar\x0000", "a.nemo", media.TAR),
    (b"\x7fELF" + bytes(9), "a.txt", media.ELF),
    (b"MZ" + bytes(70) + b"PE\0\0", "a", media.PE),
    (b"MZ is a text", "a", media.TEXT),
    (b"RIFF\0\0\0\0WEBP", "a", media.WEBP),
    (b'{"a": 1}', "a.json", media.JSON),
    (b"words", "a.json", media.TEXT),
    (b'{"a": 1}', "a", media.JSON),
    (b"{oops", "a", media.TEXT),
    (b'{"cells": []}', "a.ipynb", media.NOTEBOOK),
    (b'{"a": 1}\n{"a": 2}\n', "a.jsonl", media.JSON_LINES),
    (b"[a]\nb = 1\n", "a.toml", media.TOML),
    (b"a: 1\n", "a.yml", media.YAML),
    (b"# hello\n", "a.md", media.MARKDOWN),
    (b"a,b\n1,2\n", "a.csv", media.CSV),
    (b"import os\n", "a.py", media.PYTHON),
    (b"#!/usr/bin/env python3\n", "a", media.PYTHON),
    (b"#!/bin/sh\n", "a", media.SHELL),
    (b"<!DOCTYPE html>", "a", media.HTML),
    (b"<?xml version='1.0'?>", "a", media.XML),
    (b"{{ messages }}", "a.jinja", media.JINJA),
    (b"plain words\n", "LICENSE", media.TEXT),
    ("ümlaut".encode() * 20_000, "a", media.TEXT),
    (b"\xff\xfe\x00", "a.txt", media.OCTETS),
    (b"a\0b", "a.txt", media.OCTETS),
]


@pytest.mark.parametrize(("data", "name", "kind"), CASES, ids=range(len(CASES)))
def test_a_file_is_what_its_bytes_say(data, name, kind):
    assert sniff(source(data, name)) == kind


@pytest.mark.parametrize(
    "text",
    [
        "I like it.\n",
        "Some words.\n",
        "Various things\nand more.\n",
        "class A:\n    pass\n",
        "N.",
        "1.5,2.5\n",
        "(see below).\n",
        "Long story.\n",
        "Pandas.\n",
        "]).\n",
        "{}",
        "a.b.c.",
        "import x\n",
        "jam.\n",
        "Q.",
        "# T.\n",
    ],
)
def test_a_text_is_no_pickle(text):
    assert sniff(source(text.encode(), "notes.txt")) == media.TEXT


def test_hostile_pickles_are_seen_as_pickles():
    missed = [name for name, data in HOSTILE.items() if sniff(source(data, "x.txt")) != media.PICKLE]
    # Streams that break off, or whose frames do; the check of models tries to run every file as a pickle.
    assert set(missed) <= {"nested frames", "before damage", "before the end", "extension", "persistent id"}


def test_only_the_start_is_read():
    class Counting:
        name, size = "x", 10**12
        asked = 0

        def read_at(self, offset, n):
            self.asked += n
            return (b"plain text " * HEAD)[:n]

    counting = Counting()
    assert sniff(counting) == media.TEXT
    assert counting.asked < 4 * HEAD


def test_no_archive_is_a_plain_zip():
    assert zip_kind(frozenset()) == media.ZIP


def test_text_with_a_cut_character():
    assert text_of("aö".encode()[:-1], whole=False) == "a"
    assert text_of("aö".encode()[:-1], whole=True) is None


def test_any_bytes_have_a_kind():
    seeds = [data for data, _, _ in CASES if data and len(data) < 3000]
    for data in mutants(
        seeds, 2000, 9, (b"PK\3\4", b"\x80\x04", struct.pack("<Q", 30), json.dumps({"a": 1}).encode())
    ):
        assert sniff(source(data, "x")) in media.MEDIA_TYPES
