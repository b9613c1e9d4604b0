from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lockflight.policy.text.tokens import Kind, tokens

SOURCE = """package a.b # trailing
# METADATA
import data.x as y

r := "a # no comment \\" /" if input.z["k"].w == `raw
/ 1.5`
f(n) := n + 10
"""


def test_tokens_of_a_module():
    found = [(t.kind, t.text, t.line, t.first) for t in tokens(SOURCE) if t.kind is not Kind.OPERATOR]
    assert found == [
        (Kind.PATH, "package", 1, True),
        (Kind.PATH, "a.b", 1, False),
        (Kind.PATH, "import", 3, True),
        (Kind.PATH, "data.x", 3, False),
        (Kind.PATH, "as", 3, False),
        (Kind.PATH, "y", 3, False),
        (Kind.PATH, "r", 5, True),
        (Kind.STRING, '"a # no comment \\" /"', 5, False),
        (Kind.PATH, "if", 5, False),
        (Kind.PATH, "input.z", 5, False),
        (Kind.STRING, '"k"', 5, False),
        (Kind.PATH, "w", 5, False),
        (Kind.RAW, "`raw\n/ 1.5`", 5, False),
        (Kind.PATH, "f", 7, True),
        (Kind.PATH, "n", 7, False),
        (Kind.PATH, "n", 7, False),
        (Kind.NUMBER, "10", 7, False),
    ]


@given(st.text())
def test_every_visible_character_belongs_to_a_token_or_a_comment(source):
    whole = "".join(t.text for t in tokens(source))
    bare = [c for c in source if c not in " \t\r\n"]
    assert len([c for c in whole if c not in " \t\r\n"]) <= len(bare)
    if "#" not in source:
        assert [c for c in whole if c not in " \t\r\n"] == bare
