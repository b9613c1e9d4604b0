from __future__ import annotations

import pytest

from lockflight.core.findings import Verdict
from lockflight.formats import plaintext
from lockflight.formats.plaintext import check_text, check_yaml, hidden
from tests.formats.files import rules, source, verdict


def test_text_is_read_to_its_end(monkeypatch):
    monkeypatch.setattr(plaintext, "_CHUNK", 5)
    assert check_text(source("häuser\n\ttabs ▁und 中文\r\n".encode())) == ()
    assert verdict(check_text(source(b"abcdefgh\xff"))) is Verdict.UNKNOWN
    assert verdict(check_text(source("abcdö".encode()[:-1]))) is Verdict.UNKNOWN
    assert check_text(source(b"abcdefghijk\0"))[0].offset == 10


@pytest.mark.parametrize(
    "line",
    [
        "a: !!python/object/apply:os.system ['true']",
        "a: !!python/name:os.system",
        "a: !python/x y",
        "a: !<tag:yaml.org,2002:python/object/new:os.system> x",
        "%TAG ! tag:yaml.org,2002:python/\n---\na: !object x",
    ],
)
def test_tags_that_build_objects(line):
    assert verdict(check_yaml(source(line.encode()))) is Verdict.MALICIOUS


def test_targets_of_frameworks():
    issues = check_yaml(source(b"model:\n  _target_: nemo.Model\n  other: 1\n"))
    assert rules(issues) == {"config:target"}
    assert issues[0].subject == "nemo.Model"


def test_ordinary_yaml():
    assert (
        check_yaml(source(b"# about python\nlibrary: scikit-learn\nscript: 'python x.py'\nlist: [1, 2]\n"))
        == ()
    )


def test_the_size_is_budgeted(monkeypatch):
    monkeypatch.setattr(plaintext, "MAX_YAML", 3)
    assert rules(check_yaml(source(b"a: 1"))) == {"json:budget"}


def test_characters_that_are_not_seen():
    for char in "\x00\x1f\x7f\x85\xa0\xad\u200b\u2028\u202e\u3000\ue000\ufeff\ufffe\U000e0041\U0010ffff":
        assert hidden(f"a{char}b"), ascii(char)
    for seen in ("a b", "weights/é.bin", "模型", "ключ", "\U0001f600", "\U0001fae9"):
        assert not hidden(seen), seen
