from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockflight.core.attest.check import PPM, Status
from lockflight.core.words import Role
from lockflight.scan import _hidden, _text
from lockflight.scan.text_integrity import READ, TextIntegrityCheck
from tests.detect.test_invisible import HIDDEN_TEXT
from tests.scan.subjects import judge


def run(files):
    return judge(TextIntegrityCheck(), files, view="behaviour")


def test_hidden_instructions_in_a_prompt_are_found():
    result = run({"system.md": (Role.SYSTEM_PROMPT, f"You help.\nBe kind.{HIDDEN_TEXT}\n".encode())})
    (finding,) = result.findings
    assert (finding.code, finding.rule, finding.location.line) == ("LF2530", "text:tag", 2)
    assert f"at least {len(HIDDEN_TEXT)}" in finding.message
    assert result.summary["high"] == 1
    assert result.status is Status.COMPLETE


@pytest.mark.parametrize("role", sorted(READ))
def test_each_role_is_read(role):
    assert run({"a.txt": (role, "a\u202eb".encode())}).summary["high"] == 1


@pytest.mark.parametrize("role", [Role.TOKENIZER, Role.MODEL_WEIGHTS, Role.CODE])
def test_other_roles_are_left_to_other_checks(role):
    result = run({"a.txt": (role, "a\u202eb".encode())})
    assert (result.findings, result.summary["texts"]) == ((), 0)


def test_escapes_are_seen_where_a_reader_replaces_them():
    manifest = json.dumps({"description": f"Adds numbers.{HIDDEN_TEXT}"}).encode()
    assert run({"t.json": (Role.TOOL_MANIFEST, manifest)}).summary["high"] == 1
    assert run({"t.txt": (Role.SYSTEM_PROMPT, manifest)}).summary["high"] == 0


def test_policies_may_name_the_characters_that_they_refuse():
    policy = b'{"refuse": "[\\u200b\\u202e]"}'
    assert run({"p.json": (Role.GUARD_POLICY, policy)}).findings == ()
    assert run({"p.json": (Role.GUARD_POLICY, "a\u202eb".encode())}).findings != ()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_other_encodings_are_read(encoding):
    assert run({"p.txt": (Role.SYSTEM_PROMPT, "a\n\u202eb".encode(encoding))}).findings[0].location.line == 2


def test_a_prompt_that_is_no_text_is_a_finding_and_no_coverage():
    result = run({"p.txt": (Role.SYSTEM_PROMPT, b"\0\1"), "q.txt": (Role.PROMPT_TEMPLATE, b"ok")})
    assert [f.code for f in result.findings] == ["LF2531"]
    assert result.coverage_ppm == PPM // 2
    picture = run({"k.png": (Role.KNOWLEDGE_BASE, b"\0\1")})
    assert (picture.findings, picture.coverage_ppm) == ((), PPM)


def test_languages_that_need_joiners_pass():
    text = "می‌خواهم 👩‍👩‍👧 שלום \u2067abc\u2069\n".encode() * 50
    assert run({"k.md": (Role.KNOWLEDGE_BASE, text)}).findings == ()


def test_windows_end_where_lines_end(monkeypatch):
    text = ("שלום \u2067abc\u2069 می‌خواهم\n" * 40 + "x\u202ey\n").encode()
    for size in (64, 100, 1000):
        monkeypatch.setattr(_text.windows, "__kwdefaults__", {"size": size, "overlap": 0})
        (finding,) = run({"k.md": (Role.KNOWLEDGE_BASE, text)}).findings
        assert (finding.rule, finding.location.line) == ("text:bidi", 41)


def test_each_kind_has_words():
    assert set(_hidden._WHAT) == set(_hidden.Hidden)


@settings(max_examples=40)
@given(st.binary(max_size=400), st.sampled_from(["a.txt", "a.json"]), st.sampled_from(list(Role)))
def test_any_bytes_give_a_result(data, name, role):
    result = run({name: (role, data)})
    assert result.status is Status.COMPLETE
    assert 0 <= result.coverage_ppm <= PPM
