from __future__ import annotations

import pytest

from lockflight.core.source import BytesSource
from lockflight.formats.graphs.textual import check_graph_text
from tests.corpus.loose import HONEST, LOOSE


def rules(data):
    return {issue.rule for issue in check_graph_text(BytesSource(data, "a.pbtxt"))}


@pytest.mark.parametrize("name", [n for n in LOOSE if n.endswith(".pbtxt")])
def test_a_graph_is_not_judged(name):
    assert rules(LOOSE[name][0]) == {"file:unsupported"}


@pytest.mark.parametrize("name", [n for n in HONEST if n.endswith(".pbtxt")])
def test_settings_and_labels_are_no_graphs(name):
    assert rules(HONEST[name]) == set()


@pytest.mark.parametrize(
    "data",
    [b"", b"item { ", b"item }", b'item { name: "', b"item { } node { }", b"func.func @main()", b"# item\n"],
)
def test_what_is_neither_is_not_judged(data):
    assert rules(data) == {"file:unsupported"}


def test_what_is_no_text():
    assert rules(b"item { \0 }") == {"file:text"}
