from __future__ import annotations

import pytest

from lockflight.formats import media


def test_every_constant_is_in_the_table():
    names = {value for key, value in vars(media).items() if key.isupper() and isinstance(value, str)}
    assert names == set(media.MEDIA_TYPES)


def test_model_types():
    assert {
        media.PICKLE,
        media.SAFETENSORS,
        media.GGUF,
        media.NPY,
        *media.COMPRESSED_PICKLES.values(),
    } <= media.MODEL_TYPES
    assert not {media.JSON, media.TEXT, media.ZIP, media.CSV, media.OCTETS} & media.MODEL_TYPES


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("a.TXT", ".txt"),
        ("a/b.tar.gz", ".gz"),
        ("a.zip!b.json", ".json"),
        ("Makefile", ""),
        (".env", ""),
        ("a.b/c", ""),
    ],
)
def test_suffixes(name, suffix):
    assert media.suffix_of(name) == suffix


def test_text_suffixes_name_texts():
    assert media.TEXT_SUFFIXES[".py"] == media.PYTHON
    assert media.TEXT_SUFFIXES[".yml"] == media.YAML
    assert ".pkl" not in media.TEXT_SUFFIXES
