"""Names of assets: what is refused, with which code, and what must pass."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.text.names import _PLAIN, _check_fully, check_name, check_names, fold_name
from lockflight.errors import InvalidInput


def code_of(call, *args):
    with pytest.raises(InvalidInput) as caught:
        call(*args)
    return caught.value.code


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", "LF1010"),
        ("a" * 1025, "LF1010"),
        ("é" * 513, "LF1010"),
        ("d/" + "a" * 256, "LF1010"),
        ("/etc/passwd", "LF1011"),
        ("C:x", "LF1011"),
        ("c:/x", "LF1011"),
        (".", "LF1012"),
        ("..", "LF1012"),
        ("../x", "LF1012"),
        ("a/../b", "LF1012"),
        ("./a", "LF1012"),
        ("a//b", "LF1012"),
        ("a/", "LF1012"),
        ("a\x00b", "LF1013"),
        ("a\nb", "LF1013"),
        ("a\x7f", "LF1013"),
        ("a\x85b", "LF1013"),
        ("a\\b", "LF1013"),
        ("a.", "LF1013"),
        ("a /b", "LF1013"),
        ("nul", "LF1013"),
        ("d/CON.txt", "LF1013"),
        ("lpt9.x/y", "LF1013"),
        ("a\udc80", "LF1014"),
        (".git/config", "LF1015"),
        (".Gitignore", "LF1015"),
        ("sub/.gitattributes", "LF1015"),
        (".github/workflows/x.yml", "LF1015"),
    ],
)
def test_a_bad_name_is_refused_with_its_code(name, code):
    assert code_of(check_name, name) == code


@pytest.mark.parametrize(
    "name",
    [
        "lockflight.toml",
        "a/b-c/d_e.f",
        "modèle.bin",
        "模型/权重.safetensors",
        ".hidden",
        "..a",
        "a..b",
        "console.py",
        "com10",
        "a b.txt",
        "a+b@c,d=e",
        "d/" + "a" * 255,
        "gitignore",
    ],
)
def test_a_plain_name_passes(name):
    check_name(name)


@given(st.text(max_size=30))
def test_what_passes_stays_inside_the_folder_on_every_system(name):
    try:
        check_name(name)
    except InvalidInput:
        return
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    assert str(posix) == name
    assert not posix.is_absolute()
    assert not windows.is_absolute()
    assert not windows.drive
    assert ".." not in posix.parts + windows.parts
    assert posix.parts == windows.parts


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["a", "a"], "LF1016"),
        (["a", "A"], "LF1017"),
        (["straße", "STRASSE"], "LF1017"),
        ([unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é")], "LF1017"),
        (["a/b", "a"], "LF1018"),
        (["a", "a/b"], "LF1018"),
        (["A", "a/b/c"], "LF1018"),
        (["x", "../y"], "LF1012"),
    ],
)
def test_names_that_could_be_one_file_are_refused(names, code):
    assert code_of(check_names, names) == code


def test_distinct_names_pass():
    check_names(["a/b", "a/c", "a.b", "ab", "B/a", "b1"])
    check_names(iter([]))


@given(st.lists(st.text(st.sampled_from("aAbBéÉß/."), min_size=1, max_size=6), max_size=6))
def test_names_that_pass_together_never_collide(names):
    try:
        check_names(names)
    except InvalidInput:
        return
    assert len({fold_name(n) for n in names}) == len(names)
    assert len({n.casefold() for n in names}) == len(names)


@pytest.mark.parametrize(
    "name", ["model:0", "a\u202eb.txt", "a\u200bb", "tag\U000e0041", "a\u2028b", "d/x:stream"]
)
def test_a_name_that_hides_something_is_refused(name):
    with pytest.raises(InvalidInput) as caught:
        check_name(name)
    assert caught.value.code == "LF1013"


_WORDS = st.sampled_from(
    [
        "con",
        "NUL",
        "com1",
        "lpt9",
        "aux",
        ".git",
        ".github",
        "a",
        "B-1",
        ".",
        "..",
        " ",
        "\u017f",
        "\u212a",
        "-",
        "+",
        "a" * 90,
    ]
)


@given(st.lists(st.one_of(_WORDS, st.sampled_from(["/", ".", "_"])), max_size=14).map("".join))
def test_what_is_plainly_sound_passes_every_rule(name):
    if _PLAIN.fullmatch(name):
        _check_fully(name)
        assert fold_name(name) == unicodedata.normalize("NFC", name.casefold())


@given(st.from_regex(_PLAIN, fullmatch=True))
def test_all_that_the_pattern_takes_passes_every_rule(name):
    _check_fully(name)


def test_most_names_are_plain():
    for name in ("a", "config.json", "data/part-00001-of-00002.safetensors", "src/pkg/__init__.py"):
        assert _PLAIN.fullmatch(name)
    assert not _PLAIN.fullmatch("a" * 300)
    assert not _PLAIN.fullmatch("/".join(["ab"] * 400))
