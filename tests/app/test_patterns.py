from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lockflight.app.files.patterns import RARELY_FROM, extension, patterns, writable
from lockflight.core.text.globs import parse_glob


def test_a_folder_of_one_kind_is_one_pattern():
    assert patterns({"kb/a.md": "kb", "kb/sub/b.md": "kb", "x": "code"}) == {"kb": ["kb/**"], "code": ["x"]}


def test_one_file_is_named():
    assert patterns({"prompts/system.md": "p"}) == {"p": ["prompts/system.md"]}


def test_the_top_is_never_taken_whole():
    labels = {f"f{i}.py": "code" for i in range(9)}
    assert patterns(labels) == {"code": ["*.py"]}
    assert patterns({"a": "code", "b": "code", "c": "code"}) == {"code": ["a", "b", "c"]}


def test_mixed_folders_fall_back_to_extensions_and_names():
    labels = {"d/a.csv": "data", "d/b.csv": "data", "d/c.csv": "data", "d/x.py": "code", "d/y.py": "code"}
    assert patterns(labels) == {"data": ["d/*.csv"], "code": ["d/x.py", "d/y.py"]}
    labels = {"d/a.json": "data", "d/b.json": "code", "d/c.json": "data", "d/e.json": "data"}
    assert patterns(labels) == {"data": ["d/a.json", "d/c.json", "d/e.json"], "code": ["d/b.json"]}


def test_what_nobody_knows_is_listed_by_name():
    few = {f"d/{i}.x": "other" for i in range(5)}
    assert patterns(few) == {"other": sorted(few)}
    out = {f"d/{i}.x": "exclude\nwhy" for i in range(5)}
    assert patterns(out) == {"exclude\nwhy": sorted(out)}
    assert patterns({f"d/{i}.x": "other" for i in range(RARELY_FROM)}) == {"other": ["d/**"]}


def test_special_characters():
    assert patterns({"a*b": "code", "d[1]/x": "code"}) == {"code": ["a[*]b", "d[[]1]/x"]}
    assert writable("a\\b\n\udcff") == "a?b??"
    assert (extension("a.tar.gz"), extension(".env"), extension("a")) == (".gz", "", "")


PARTS = st.text(alphabet="ab.*[?é", min_size=1, max_size=4).filter(lambda p: p not in {".", ".."})
NAMES = st.lists(PARTS, min_size=1, max_size=3).map("/".join)
LABELS = st.sampled_from(["code", "dataset", "other", "licence", "exclude\nreason"])


def files_only(labels):
    folders = {"/".join(n.split("/")[:i]) for n in labels for i in range(1, n.count("/") + 1)}
    return {name: label for name, label in labels.items() if name not in folders}


@given(st.dictionaries(NAMES, LABELS, max_size=40).map(files_only))
def test_patterns_match_their_own_files_and_no_others(labels):
    found = patterns(labels)
    matched = {}
    for label, globs in found.items():
        for glob in map(parse_glob, globs):
            hits = {name for name in labels if glob.matches(name)}
            assert hits
            for name in hits:
                assert matched.setdefault(name, label) == label
    assert matched == labels
