"""Comparing a folder with what was signed: each kind of difference has its own code."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.verify.foreign import ForeignFile, ForeignManifest, Maker
from lockflight.core.verify.package import FoundFile, compare, compare_foreign, require_equal
from lockflight.errors import VerificationFailed
from tests.signed import FILES, release, signer

RELEASE = release()
SIGNATURE = FoundFile("0" * 64, 5)


def found_of(files):
    return {
        name: FoundFile(hashlib.sha256(b).hexdigest(), len(b), "file", blake3(b).hexdigest())
        for name, b in files.items()
    }


FOUND = found_of(FILES)
LINK = FoundFile("", 4, "symlink")
DEVICE = FoundFile("", 0, "special")


def foreign(hash_type="sha256"):
    digest = {"sha256": lambda b: hashlib.sha256(b).hexdigest(), "blake3": lambda b: blake3(b).hexdigest()}[
        hash_type
    ]
    files = tuple(ForeignFile(n, digest(b)) for n, b in sorted(FILES.items()))
    return ForeignManifest(
        "m", "", hash_type, files, ("evil.py",), False, "", Maker("key", signer().public_key)
    )


def codes(problems):
    return [(p.code, p.name, p.other) for p in problems]


def test_equal_is_equal():
    assert compare(RELEASE, FOUND) == []
    assert compare(RELEASE, {**FOUND, "model.sig": SIGNATURE}) == []
    require_equal([], what="The package")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"a.b": found_of({"x": b"!"})["x"]}, [("LF7301", "a.b", "")]),
        ({"a/b": found_of({"x": b"9"})["x"]}, [("LF7301", "a/b", "")]),
        ({"a/b": None}, [("LF7302", "a/b", "")]),
        ({"evil.py": found_of({"x": b"!"})["x"]}, [("LF7303", "evil.py", "")]),
        ({"a.b": None}, [("LF7302", "a.b", "")]),
        ({"a/__init__.py": FOUND["a.b"]}, [("LF7303", "a/__init__.py", "")]),
        ({"a/b": None, "a/c": FOUND["a/b"]}, [("LF7304", "a/b", "a/c")]),
        ({"a/b": FOUND["a-b/c"], "a-b/c": FOUND["a/b"]}, [("LF7301", "a-b/c", ""), ("LF7301", "a/b", "")]),
        ({"a/b": LINK}, [("LF7305", "a/b", "")]),
        ({"x": LINK}, [("LF7305", "x", "")]),
        ({"a/b": DEVICE}, [("LF7306", "a/b", "")]),
        ({"x": DEVICE}, [("LF7306", "x", "")]),
        ({"model.sig": LINK}, [("LF7305", "model.sig", "")]),
        ({"model.sig": DEVICE}, [("LF7306", "model.sig", "")]),
        ({"model.sig/evil.py": SIGNATURE}, [("LF7303", "model.sig/evil.py", "")]),
        ({"a/model.sig": SIGNATURE}, [("LF7303", "a/model.sig", "")]),
        ({"Model.sig": SIGNATURE}, [("LF7303", "Model.sig", "")]),
        ({".git/hooks/x": SIGNATURE}, [("LF7303", ".git/hooks/x", "")]),
    ],
)
def test_each_difference_has_its_code(change, expected):
    found = {name: file for name, file in {**FOUND, **change}.items() if file is not None}
    assert codes(compare(RELEASE, found)) == expected


def test_a_size_that_differs_is_named():
    (problem,) = compare(RELEASE, {**FOUND, "a/b": replace(FOUND["a/b"], size=7)})
    assert "7 bytes instead of 1" in problem.message


def test_each_file_is_in_one_pair_at_most():
    files = {"lockflight.toml": b"", "a": b"same", "b": b"same", "c": b"same"}
    moved = {"lockflight.toml": b"", "x": b"same", "y": b"same"}
    problems = compare(release(files), found_of(moved))
    assert codes(problems) == [("LF7304", "a", "x"), ("LF7304", "b", "y"), ("LF7302", "c", "")]
    problems = compare(release(moved), found_of(files))
    assert codes(problems) == [("LF7303", "c", ""), ("LF7304", "x", "a"), ("LF7304", "y", "b")]


contents = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from([b"", b"1", b"2"]), max_size=6)


@given(contents, contents)
def test_no_difference_means_equal_and_every_name_is_accounted_for(signed, there):
    signed = {"lockflight.toml": b"", **signed, "z": b""}
    problems = compare(release(signed), found_of(there))
    assert (not problems) == (signed == there)
    wrong = {n for n in signed.keys() | there.keys() if signed.get(n) != there.get(n)}
    assert {n for p in problems for n in (p.name, p.other) if n} == wrong
    assert len({p.name for p in problems} | {p.other for p in problems if p.other}) == len(wrong)


@pytest.mark.parametrize("hash_type", ["sha256", "blake3"])
def test_what_a_foreign_signer_ignores_is_extra_all_the_same(hash_type):
    manifest = foreign(hash_type)
    assert compare_foreign(manifest, FOUND) == []
    assert compare_foreign(manifest, {**FOUND, "model.sig": SIGNATURE}) == []
    assert codes(compare_foreign(manifest, {**FOUND, "evil.py": SIGNATURE})) == [("LF7303", "evil.py", "")]
    assert codes(compare_foreign(manifest, {**FOUND, "a.b": FOUND["a/b"]})) == [("LF7301", "a.b", "")]


def test_a_foreign_signature_may_have_another_name():
    manifest = foreign()
    assert compare_foreign(manifest, {**FOUND, "their.sig": SIGNATURE}, signature="their.sig") == []
    problems = compare_foreign(manifest, {**FOUND, "model.sig": SIGNATURE}, signature="their.sig")
    assert codes(problems) == [("LF7303", "model.sig", "")]


def test_a_digest_that_was_not_computed_equals_nothing():
    bare = {name: replace(file, blake3="") for name, file in FOUND.items()}
    problems = compare_foreign(foreign("blake3"), bare)
    assert {p.code for p in problems} == {"LF7301"}
    assert "unknown" in problems[0].message


def test_the_error_carries_the_first_code_and_all_problems():
    found = {**FOUND, "evil.py": SIGNATURE, "a.b": LINK}
    problems = compare(RELEASE, found)
    with pytest.raises(VerificationFailed) as caught:
        require_equal(problems, what="The package m")
    error = caught.value
    assert error.code == "LF7305"
    assert error.message.startswith("The package m is not what was signed: 'a.b' is a symbolic link")
    assert error.message.endswith("1 more difference.")
    assert error.details["count"] == 2
    assert [p["code"] for p in error.details["problems"]] == ["LF7305", "LF7303"]
    with pytest.raises(VerificationFailed) as caught:
        require_equal(problems * 2, what="It")
    assert caught.value.message.endswith("3 more differences.")
    with pytest.raises(VerificationFailed) as caught:
        require_equal(problems[:1], what="It")
    assert caught.value.message.endswith("can change.")
