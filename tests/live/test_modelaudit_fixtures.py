"""The test files of another scanner, under labels that somebody gave who looked at each: no hostile one is safe.

They are read out of its source archive in memory, are not part of this repository, and are never loaded.
"""

from __future__ import annotations

import hashlib
import tarfile
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from lockflight.core.findings import Verdict
from lockflight.core.source import BytesSource
from lockflight.infra.allowlist import shipped_allow_list
from lockflight.scan.models import scan_source

pytestmark = pytest.mark.live

LABELS = tomllib.loads(Path(__file__).with_name("modelaudit.toml").read_text(encoding="utf-8"))["files"]


@pytest.fixture(scope="module")
def assets(peers_fixtures):
    """Path below `tests/assets` -> bytes."""
    (path,) = peers_fixtures.glob("modelaudit-*.tar.gz")
    found = {}
    with tarfile.open(path) as archive:
        for member in archive:
            _, inside, name = member.name.partition("/tests/assets/")
            if inside and member.isfile():
                found[name] = archive.extractfile(member).read()
    return found


@pytest.fixture(scope="module")
def verdicts(assets):
    allow = shipped_allow_list()
    return {
        name: scan_source(BytesSource(data, name.rsplit("/", 1)[-1]), allow).verdict
        for name, data in assets.items()
    }


def labelled(label):
    return sorted(name for name, entry in LABELS.items() if entry["label"] == label)


def test_the_labels_are_those_of_these_files(assets):
    assert {name: hashlib.sha256(data).hexdigest() for name, data in assets.items()} == {
        name: entry["sha256"] for name, entry in LABELS.items()
    }
    assert set(Counter(entry["label"] for entry in LABELS.values())) == {
        "malicious",
        "benign",
        "inert",
        "code",
    }
    assert all(entry["why"] for entry in LABELS.values())


def test_no_hostile_file_is_safe(verdicts):
    hostile = labelled("malicious")
    assert len(hostile) >= 30
    assert [name for name in hostile if verdicts[name] is Verdict.SAFE] == []
    blocked = [name for name in hostile if verdicts[name] is Verdict.MALICIOUS]
    assert len(blocked) >= 0.85 * len(hostile), set(hostile) - set(blocked)


def test_what_needs_code_is_not_safe(verdicts):
    assert [name for name in labelled("code") if verdicts[name] is Verdict.SAFE] == []


def test_harmless_files_are_safe(verdicts):
    assert [(n, verdicts[n].value) for n in labelled("benign") if verdicts[n] is not Verdict.SAFE] == []
