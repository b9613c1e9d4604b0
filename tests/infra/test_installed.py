from __future__ import annotations

import sys
from importlib import metadata

import pytest

from lockflight.infra.installed import installed_version


@pytest.mark.parametrize("name", ["gordon-to-regorus", "cryptography", "blake3", "SQLAlchemy"])
def test_it_says_what_the_standard_library_says(name):
    assert installed_version(name) == metadata.version(name)


def test_what_is_not_there_has_no_version():
    assert installed_version("lockflight-no-such-thing") is None


def test_the_folder_of_the_caller_is_not_asked(monkeypatch, tmp_path):
    (tmp_path / "only_here-1.dist-info").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", "/no/such/folder"])
    assert installed_version("only-here") is None
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert installed_version("only-here") == "1"
