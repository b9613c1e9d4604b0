from __future__ import annotations

from lockflight.core.findings import Verdict
from lockflight.formats import plaintext
from lockflight.formats.plaintext import check_text, hidden
from tests.formats.files import source, verdict


def test_text_is_read_to_its_end(monkeypatch):
    monkeypatch.setattr(plaintext, "_CHUNK", 5)
    assert check_text(source("häuser\n\ttabs ▁und 中文\r\n".encode())) == ()
    assert verdict(check_text(source(b"abcdefgh\xff"))) is Verdict.UNKNOWN
    assert verdict(check_text(source("abcdö".encode()[:-1]))) is Verdict.UNKNOWN
    assert check_text(source(b"abcdefghijk\0"))[0].offset == 10


def test_characters_that_are_not_seen():
    for char in "\x00\x1f\x7f\x85\xa0\xad\u200b\u2028\u202e\u3000\ue000\ufeff\ufffe\U000e0041\U0010ffff":
        assert hidden(f"a{char}b"), ascii(char)
    for seen in ("a b", "weights/é.bin", "模型", "ключ", "\U0001f600", "\U0001fae9"):
        assert not hidden(seen), seen
