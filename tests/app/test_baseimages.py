from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lockflight.app.files.baseimages import MAX_IMAGES, BaseImage, BaseImages, base_images

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64

RECIPE = f"""\
# FROM comment@{A}
ARG BASE=x
FROM --platform=linux/amd64 docker.io/library/python:3.13-slim@{A} AS build
RUN echo FROM nothing
FROM node:22
FROM $BASE
from build as last
FROM scratch
FROM ghcr.io/acme/base@{B}
"""


def test_pinned_images_become_references_and_others_a_note():
    found = base_images("Dockerfile", RECIPE)
    assert found.pinned == (
        BaseImage("python", "docker.io/library/python:3.13-slim", A, "'Dockerfile', line 3"),
        BaseImage("base", "ghcr.io/acme/base", B, "'Dockerfile', line 9"),
    )
    assert len(found.notes) == 2
    assert found.notes[0].startswith("'Dockerfile', line 5: the base image node:22 is not pinned.")
    assert "line 6: the base image named by a variable is not pinned" in found.notes[1]


def test_digests_of_another_form_do_not_pin():
    for image in ("x@sha256:abc", f"x@{A.upper()}", f"-x@{A}", f"x y@{A}", "x@md5:1"):
        assert base_images("Dockerfile", f"FROM {image}\n").pinned == ()


def test_names_are_unique_and_an_image_is_named_once():
    one, same, other = (base_images(n, f"FROM x/python@{d}\n") for n, d in (("1", A), ("2", A), ("3", B)))
    both = one.plus(same).plus(other)
    assert [(i.name, i.digest) for i in both.pinned] == [("python", A), ("python-2", B)]


def test_budget():
    found = BaseImages()
    for i in range(MAX_IMAGES + 5):
        found = found.plus(base_images("D", f"FROM x{i}@{A}\nFROM y{i}\n"))
    assert len(found.pinned) == len(found.notes) == MAX_IMAGES


@given(st.text(max_size=300))
def test_any_text(text):
    for note in base_images("D", text).notes:
        assert "\n" not in note
    assert base_images("D", "FROM " + text) is not None
