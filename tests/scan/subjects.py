"""Subjects made of files in memory, and the context that a check gets with them."""

from __future__ import annotations

import hashlib

from lockflight.core.attest.check import Grain, Subject
from lockflight.core.release.release import Asset, make_release
from lockflight.core.source import BytesSource
from lockflight.core.words import Kind, Role, Tier
from lockflight.errors import EnvironmentProblem

MANIFEST = Asset("lockflight.toml", Role.RELEASE_MANIFEST, 1, "0" * 64, "0" * 64, "application/toml")


def asset(name, data, role=Role.CODE, media_type="application/octet-stream"):
    digest = hashlib.sha256(data).hexdigest()
    return Asset(name, role, len(data), digest, digest, media_type)


class Context:
    """Hands out bytes; knows no tools unless told."""

    def __init__(self, files, tools=None, data=""):
        self.files = files
        self.data = data
        self.tools = tools or {}

    def open(self, asset):
        return BytesSource(self.files[asset.name], asset.name)

    def tool(self, name):
        if name not in self.tools:
            raise EnvironmentProblem("LF5010", f"{name} is not here", hint=f"lockflight tools install {name}")
        return self.tools[name]


def judge(check, files, *, view="software", tools=None):
    """Run a check over {name: (role, bytes)}."""
    assets = tuple(asset(name, data, role) for name, (role, data) in files.items())
    subject = Subject(Grain.VIEW, view, "0" * 64, assets)
    return check.run(subject, Context({name: data for name, (_, data) in files.items()}, tools))


def release(kind=Kind.MODEL, tier=Tier.MINIMAL, assets=(), references=(), dependencies=()):
    return make_release(
        name="thing",
        version="1",
        kind=kind,
        tier=tier,
        assets=[MANIFEST, *assets],
        references=references,
        dependencies=dependencies,
    )
