from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.source import BytesSource
from lockflight.errors import InvalidInput
from lockflight.formats.notebook import Notebook, NotebookBudget, parse_notebook


def cell(source="x = 1\n", outputs=(), kind="code"):
    body = {"cell_type": kind, "metadata": {}, "source": source}
    if kind == "code":
        body |= {"execution_count": 1, "outputs": list(outputs)}
    return body


def notebook(*cells, **fields):
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells), **fields}


def parse(document, **budget):
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return parse_notebook(BytesSource(data, "n.ipynb"), NotebookBudget(**budget))


def code_of(document, **budget):
    with pytest.raises(InvalidInput) as caught:
        parse(document, **budget)
    return caught.value.code


def test_cells_and_outputs_are_read():
    found = parse(
        notebook(
            cell(
                ["import os\n", "os.getcwd()"],
                [{"output_type": "stream", "name": "stdout", "text": ["a\n", "b"]}],
            ),
            cell("# Title", kind="markdown"),
            cell(
                "show()",
                [
                    {
                        "output_type": "display_data",
                        "metadata": {},
                        "data": {
                            "image/png": "aGk=",
                            "text/html": ["<b>", "x</b>"],
                            "application/json": {"k": [1.5]},
                        },
                    },
                    {
                        "output_type": "error",
                        "ename": "E",
                        "evalue": "why",
                        "traceback": ["line 1", "line 2"],
                    },
                ],
            ),
        )
    )
    assert isinstance(found, Notebook)
    assert (found.version, found.language) == (4, "python")
    assert [(c.index, c.kind, c.source) for c in found.cells] == [
        (1, "code", "import os\nos.getcwd()"),
        (2, "markdown", "# Title"),
        (3, "code", "show()"),
    ]
    assert [o.text for o in found.cells[0].outputs] == ["a\nb"]
    assert [(o.media_type, o.text) for o in found.cells[2].outputs] == [
        ("text/html", "<b>x</b>"),
        ("application/json", '{"k": [1.5]}'),
        ("text/x-traceback", "E\nwhy\nline 1\nline 2"),
    ]


def test_the_old_format_is_read():
    found = parse(
        {
            "nbformat": 3,
            "metadata": {},
            "worksheets": [
                {
                    "cells": [
                        {
                            "cell_type": "code",
                            "input": ["print 1"],
                            "outputs": [{"output_type": "pyout", "text": ["1"], "html": "<i>1</i>"}],
                        },
                        {"cell_type": "heading", "level": 1, "source": "H"},
                    ]
                },
                {"cells": []},
            ],
        }
    )
    assert [(c.kind, c.source) for c in found.cells] == [("code", "print 1"), ("heading", "H")]
    assert [o.text for o in found.cells[0].outputs] == ["1", "<i>1</i>"]


@pytest.mark.parametrize(
    ("metadata", "language"),
    [
        ({}, "python"),
        ({"language_info": {"name": "R"}}, "r"),
        ({"kernelspec": {"language": "julia"}}, "julia"),
        ({"language_info": {"name": "python"}, "kernelspec": {"language": "julia"}}, "python"),
        ({"language_info": {"name": 3}}, "python"),
    ],
)
def test_the_language_is_named(metadata, language):
    assert parse(notebook(metadata=metadata)).language == language


def test_a_cell_with_two_texts_gives_both():
    found = parse(notebook({"cell_type": "code", "source": "a", "input": "b", "outputs": []}))
    assert found.cells[0].source == "a\nb"


def test_nan_and_a_byte_order_mark_are_let_through():
    data = json.dumps(
        notebook(
            cell("x", [{"output_type": "display_data", "data": {"application/json": {"y": float("nan")}}}])
        )
    )
    assert b"NaN" in data.encode()
    assert parse(b"\xef\xbb\xbf" + data.encode()).cells[0].outputs[0].text == '{"y": null}'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff\xfe{}",
        b'{"nbformat": 4, "cells": [], "cells": []}',
        b"[" * 100_000 + b"]" * 100_000,
        b'{"nbformat": ' + b"4" * 5000 + b', "cells": []}',
    ],
)
def test_what_is_no_strict_json_is_refused(data):
    assert code_of(data) == "LF2040"


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"nbformat": 2, "cells": []},
        {"nbformat": "4", "cells": []},
        {"nbformat": 4},
        notebook(cells={}),
        notebook(1),
        notebook({"source": "x"}),
        notebook({"cell_type": "evil", "source": "x"}),
        notebook({"cell_type": ["code"], "source": "x"}),
        notebook({"cell_type": "code"}),
        notebook({"cell_type": "code", "source": 1}),
        notebook({"cell_type": "code", "source": ["a", 1]}),
        notebook(cell(outputs=[1])),
        notebook({**cell(), "outputs": {}}),
        notebook(cell(outputs=[{"data": []}])),
        notebook(cell(outputs=[{"traceback": "x"}])),
        notebook(metadata=[]),
        {"nbformat": 3, "worksheets": [[]]},
    ],
)
def test_what_has_another_shape_is_refused(document):
    assert code_of(document) == "LF2041"


@pytest.mark.parametrize(
    ("document", "budget"),
    [
        (notebook(cell()), {"max_bytes": 10}),
        (notebook(cell(), cell()), {"max_cells": 1}),
        (notebook(cell(outputs=[{"text": "a"}]), cell(outputs=[{"text": "b"}])), {"max_outputs": 1}),
    ],
)
def test_budgets_hold(document, budget):
    assert code_of(document, **budget) == "LF2042"


REFUSED = {"LF2040", "LF2041", "LF2042"}


def read_or_refused(document):
    """The notebook, or None where it is refused with one of the codes."""
    try:
        return parse(document)
    except InvalidInput as error:
        if error.code not in REFUSED:
            raise
        return None


def test_a_deep_output_crashes_nothing():
    deep = json.dumps(notebook(cell(outputs=[{"data": {"application/json": "DEEP"}}])))
    for depth in (10, 600, 100_000):
        found = read_or_refused(deep.replace('"DEEP"', "[" * depth + "]" * depth).encode())
        assert found is None or found.cells[0].outputs[0].text == "[" * depth + "]" * depth


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.text(max_size=5)
    | st.sampled_from(["code", "markdown"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "cells",
                    "nbformat",
                    "cell_type",
                    "source",
                    "outputs",
                    "data",
                    "text",
                    "metadata",
                    "traceback",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(json_values)
def test_any_json_is_a_notebook_or_refused(value):
    found = read_or_refused({"nbformat": 4, **value} if isinstance(value, dict) else value)
    assert found is None or all(isinstance(c.source, str) for c in found.cells)


SEED = json.dumps(notebook(cell("a = 1", [{"text": "t"}]), cell("# b", kind="markdown"))).encode()


@given(st.integers(0, len(SEED) - 1), st.integers(0, 20), st.binary(max_size=8))
def test_mutated_bytes_are_a_notebook_or_refused(place, cut, put):
    found = read_or_refused(SEED[:place] + put + SEED[place + cut :])
    assert found is None or found.version in {3, 4}
