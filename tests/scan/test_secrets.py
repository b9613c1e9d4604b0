from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockflight.core.attest.check import PPM, Status
from lockflight.core.source import BytesSource
from lockflight.core.words import VIEWS, Role
from lockflight.scan import _text, secrets
from lockflight.scan._secret_engine import SecretEngine
from lockflight.scan.secrets import Coverage, SecretsCheck, look_for_secrets
from tests.formats.test_notebook import cell, notebook
from tests.scan.subjects import asset, judge
from tests.scan.test__secret_engine import ALNUM, KEYS, OPENAI, token

LINE = f"OPENAI_API_KEY={OPENAI}\n".encode()


def run(files, **options):
    return judge(SecretsCheck(), files, **options)


def test_a_secret_is_found_and_not_repeated():
    result = run({".env": (Role.OTHER, b"A=1\n" + LINE)})
    (finding,) = result.findings
    assert (finding.code, finding.rule) == ("LF2500", "kingfisher:betterleaks.openai-api-key")
    assert (finding.asset, finding.location.line) == (".env", 2)
    assert "AML.T0055" in finding.ids
    assert finding.message == f"This looks like an openai api key: {OPENAI[:4]}… ({len(OPENAI)} characters)."
    assert OPENAI[:8] not in json.dumps(result.to_json())
    assert result.summary["high"] == 1
    assert result.status is Status.COMPLETE


def test_a_fingerprint_says_nothing_about_the_secret():
    one = run({"a.env": (Role.OTHER, LINE)}).findings[0]
    other = f"sk-{token(20, ALNUM)}T3BlbkFJ{token(20, ALNUM)}"
    two = run({"a.env": (Role.OTHER, f"OPENAI_API_KEY={other}\n".encode())}).findings[0]
    assert one.fingerprint == two.fingerprint


def test_two_secrets_have_two_fingerprints():
    text = (
        b"\n".join(f"{KEYS[k]}".encode() for k in ("github", "openai"))
        + b"\n"
        + KEYS["github"][::-1].encode()
    )
    twice = KEYS["openai"].encode() + b"\n" + f"sk-{token(20)}T3BlbkFJ{token(20)}".encode()
    findings = run({"a.txt": (Role.CODE, text + b"\n" + twice)}).findings
    assert len({f.fingerprint for f in findings}) == len(findings) >= 3


def test_notebooks_are_read_cell_by_cell_with_outputs_and_metadata():
    book = notebook(
        cell(f"key = '{OPENAI}'"),
        cell("print(token)", [{"output_type": "stream", "text": ["ok\n", f"{KEYS['github']}\n"]}]),
        metadata={"hidden": KEYS["gitlab"]},
    )
    findings = run({"n.ipynb": (Role.CODE, json.dumps(book, indent=1).encode())}).findings
    assert {(f.location.member, f.rule.rpartition(".")[2]) for f in findings} == {
        ("cell 1", "openai-api-key"),
        ("cell 2 output", "github-pat"),
        ("", "gitlab-pat"),
    }


def test_a_broken_notebook_is_still_text():
    result = run({"n.ipynb": (Role.CODE, b'{"cells": [' + LINE)})
    assert len(result.findings) == 1
    assert result.coverage_ppm == PPM


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_other_encodings_are_read(encoding):
    data = ("prompt\n" + LINE.decode()).encode(encoding)
    (finding,) = run({"p.txt": (Role.SYSTEM_PROMPT, data)}, view="behaviour").findings
    assert finding.location.line == 2


def test_binary_assets_are_skipped_and_text_roles_are_not():
    binary = b"\0\1\2" + LINE
    skipped = run({"m.bin": (Role.MODEL_WEIGHTS, binary), "p.png": (Role.CODE, binary)})
    assert skipped.findings == ()
    assert skipped.coverage_ppm == PPM
    assert skipped.summary["skipped"] == 2
    read = run({"prompt.txt": (Role.SYSTEM_PROMPT, binary)})
    assert {f.code for f in read.findings} == {"LF2500", "LF2501"}
    assert read.coverage_ppm == 0


def test_data_are_searched_for_tokens_and_not_for_names():
    rows = f'{{"text": "my api_key = \\"{token(32)}\\""}}\n'.encode() * 3
    assert run({"d.jsonl": (Role.DATASET, rows)}, view="data").findings == ()
    assert run({"d.jsonl": (Role.CODE, rows)}).findings != ()
    (finding,) = run(
        {"d.csv": (Role.DATASET, b"id,text\n1," + KEYS["github"].encode() + b"\n")}, view="data"
    ).findings
    assert finding.location.line == 2


def test_windows_lose_nothing_and_tell_nothing_twice(monkeypatch):
    keys = [KEYS[name].encode() for name in ("github", "gitlab", "groq", "openai", "anthropic", "xai")]
    data = b"".join(b"%s\n%s\n" % (b"x y " * (17 * n), key) for n, key in enumerate(keys * 3))
    whole = look(data)
    assert [line for _, line, _ in whole] == list(range(2, 37, 2))
    monkeypatch.setattr(secrets, "OVERLAP", 600)
    for size in (300, 601, 900, 1777, 5000):
        monkeypatch.setattr(_text.windows, "__kwdefaults__", {"size": size, "overlap": 600})
        assert look(data) == whole


def look(data):
    coverage = Coverage()
    look_for_secrets(asset("a.txt", data), BytesSource(data, "a.txt"), SecretEngine(), coverage)
    return [(f.rule, f.location.line, f.message) for f in coverage.findings]


def test_every_role_is_read_by_this_check_or_by_the_one_for_documents():
    from lockflight.scan.documents import DocumentsCheck

    read = set().union(*(VIEWS[view] for view in SecretsCheck.info.views)) | DocumentsCheck.info.reads
    assert read == set(Role)


@settings(max_examples=40)
@given(st.binary(max_size=2000), st.sampled_from(["a.txt", "n.ipynb", "b.json"]), st.sampled_from(list(Role)))
def test_any_bytes_give_a_result(data, name, role):
    result = run({name: (role, data)})
    assert result.status is Status.COMPLETE
    assert 0 <= result.coverage_ppm <= PPM
