"""A small world, built once with the commands themselves and copied for each test that asks for it."""

from __future__ import annotations

import shutil

import pytest

from tests.cli.world import World, build


@pytest.fixture(scope="session")
def first_world(tmp_path_factory) -> World:
    """The original; never to be changed."""
    return build(tmp_path_factory.mktemp("world"))


@pytest.fixture
def world(first_world, tmp_path) -> World:
    """A copy of one's own."""
    folder = tmp_path / "world"
    shutil.copytree(first_world.folder, folder, symlinks=True)
    return World(folder)
