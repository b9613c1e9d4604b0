"""A realm whose development holds a release with a safetensors file of many tensors; made once, copied per test."""

from __future__ import annotations

import shutil
import struct

import pytest

import lockflight
from lockflight.app.demo import PLANTED_NAME, make_workspace
from tests.cli.world import World
from tests.formats.test_tensorindex import made

MODEL = "model/model.safetensors"
LAYERS = 64
#: 64 layers of one shape: each can take another's place without a trace in the header.
TENSORS = {f"layer.{n:02}": ("F32", (16, 16), struct.pack("<f", float(n + 1)) * 256) for n in range(LAYERS)}


def build(folder, *, kind=""):
    world = World(folder)
    world.home.mkdir(mode=0o700)
    make_workspace(world.work)
    (world.work / PLANTED_NAME).unlink()
    (world.work / MODEL).write_bytes(made(TENSORS, metadata={"format": "np"}))
    world.ok(
        f"realm init acme{kind} --member alice=author --member bob=approver,risk-owner --member eve=author"
    )
    world.ok("check work --record --env staging --as alice")
    world.ok("sign work --out package --as alice")
    world.ok("promote package --to development --as alice")
    return world


@pytest.fixture(scope="session")
def stage(tmp_path_factory):
    return build(tmp_path_factory.mktemp("stage"))


@pytest.fixture
def world(stage, tmp_path):
    shutil.copytree(stage.folder, tmp_path, dirs_exist_ok=True)
    return World(tmp_path)


@pytest.fixture
def load(world):
    """Opens the package in development; closes what the test leaves open."""
    opened = []

    def do(package=None, **options):
        wanted = {"environment": "development", "realm": "acme", "home": world.home, **options}
        opened.append(lockflight.load(package or world.package, **wanted))
        return opened[-1]

    yield do
    for one in opened:
        one.close()
