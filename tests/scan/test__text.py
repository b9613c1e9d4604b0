from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.findings import Finding, Severity
from lockflight.core.source import BytesSource
from lockflight.core.words import Role
from lockflight.scan._text import MAX_FINDINGS, capped, expects_text, sniff_encoding, suffix, windows
from tests.scan.subjects import asset


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"plain", "utf-8"),
        (b"", "utf-8"),
        ("grün".encode(), "utf-8"),
        ("gr\xfcn and the rest of a long line".encode("latin-1"), "utf-8"),
        ("a".encode("utf-16"), "utf-16"),
        ("a".encode("utf-32"), "utf-32"),
        (b"\xef\xbb\xbfa", "utf-8-sig"),
        (b"a\0b", None),
        (bytes(range(128, 256)), None),
    ],
)
def test_text_is_told_from_binary(data, encoding):
    assert sniff_encoding(BytesSource(data)) == encoding


@given(
    st.text(max_size=300),
    st.integers(1, 50),
    st.integers(0, 40),
    st.sampled_from(["utf-8", "utf-16", "utf-32"]),
)
def test_windows_cover_the_text_and_know_their_place(text, size, overlap, encoding):
    data = text.encode(encoding, "surrogatepass") if encoding != "utf-8" else text.encode("utf-8", "replace")
    whole = text.encode("utf-8", "replace")
    joined = b""
    for window in windows(BytesSource(data), encoding, size=size, overlap=overlap):
        assert joined[window.offset :] == window.body[: len(joined) - window.offset]
        assert window.line == 1 + whole.count(b"\n", 0, window.offset)
        joined = joined[: window.offset] + window.body
    assert window.last
    assert joined == whole


@pytest.mark.parametrize(
    ("name", "role", "text"),
    [
        ("p.txt", Role.SYSTEM_PROMPT, True),
        ("a.png", Role.DOCUMENTATION, False),
        ("m.bin", Role.MODEL_WEIGHTS, False),
        ("d.csv", Role.DATASET, False),
    ],
)
def test_roles_promise_text(name, role, text):
    assert expects_text(asset(name, b"", role)) is text


def test_suffixes_are_lower_case():
    assert (suffix("a/B.IPYNB"), suffix("a.b/c"), suffix(".env")) == (".ipynb", "", "")


def test_the_worst_findings_are_kept():
    found = [Finding("LF2500", "r", Severity.LOW, "a", "m", salt=str(i)) for i in range(MAX_FINDINGS)]
    worst = Finding("LF2500", "r", Severity.CRITICAL, "z", "m")
    kept = capped([*found, worst], code="LF2509", rule="more")
    assert kept[0] == worst
    assert len(kept) == MAX_FINDINGS + 1
    assert kept[-1].message.startswith("There are 1 more findings")
    assert len(capped(found, code="LF2509", rule="more")) == MAX_FINDINGS
