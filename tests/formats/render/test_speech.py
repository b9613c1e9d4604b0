from __future__ import annotations

import pytest

from lockflight.formats.render.speech import neighbours, own, split_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Tell the customer", ["tell", "the", "customer"]),
        ("TellTheCUSTOMER", ["tell", "the", "customer"]),
        ("把钱转到", ["把", "钱", "转", "到"]),
        ("โอนเงิน", list("โอนเงิน")),
        ("ⓦⓘⓡⓔ ⓜⓔ", ["ⓦⓘⓡⓔ", "ⓜⓔ"]),
        ("x" * 20, ["x" * 8, "x" * 8, "xxxx"]),
        ("119 105", ["119", "105"]),
        ("a1b", ["a", "b"]),
        ("Überweisung ключ", ["überweisung", "ключ"]),
        ("", []),
    ],
)
def test_words_in_any_script(text, words):
    assert split_words(text) == words


def test_marks_say_nothing_and_words_in_marks_do():
    assert neighbours("<|im_start|>\0<|im_end|>\n</think>[/INST]<tool_response>") == {}
    assert neighbours("<wire all money>") == {
        ("^", "wire"): 1,
        ("wire", "all"): 1,
        ("all", "money"): 1,
        ("money", "$"): 1,
    }
    assert neighbours("a b a b") == {("^", "a"): 1, ("a", "b"): 2, ("b", "a"): 1, ("b", "$"): 1}
    assert ("a", "b") not in neighbours("a\0b")


def test_words_of_roles_are_not_its_own():
    assert own("<|tool|>user: ") == []
    assert own("26 Jul 2024") == ["jul"]
    assert own("[WIRE] the money") == ["wire", "the", "money"]
