"""What people type for a digest."""

from __future__ import annotations

import pytest

from lockflight.app.release.resolve import digest_of, entry_of, known
from lockflight.core.attest.acts import Scope
from lockflight.errors import NotFound, UsageError
from tests import factories
from tests.factories import Ledger

NAMES = {"aaaabbbb" + "0" * 56: "one", "aaaabbbb" + "1" * 56: "two", "ccccdddd" + "2" * 56: "three"}


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("ccccdddd", ("ccccdddd" + "2" * 56, "three")),
        ("CCCCDDDD2", ("ccccdddd" + "2" * 56, "three")),
        ("sha256:ccccdddd", ("ccccdddd" + "2" * 56, "three")),
        ("aaaabbbb0", ("aaaabbbb" + "0" * 56, "one")),
        ("f" * 64, ("f" * 64, "f" * 16)),
    ],
)
def test_digest(word, found):
    assert digest_of(word, NAMES, "release") == found


@pytest.mark.parametrize("word", ["", "cccc", "not hexadecimal", "aaaabbbb", "a" * 65])
def test_too_short_or_ambiguous(word):
    with pytest.raises(UsageError) as caught:
        digest_of(word, NAMES, "release")
    assert caught.value.code == "LF0119"


def test_an_ambiguous_start_names_what_it_could_be():
    with pytest.raises(UsageError, match=r"2 digests: aaaabbbb0000… \(one\), aaaabbbb1111… \(two\)"):
        digest_of("aaaabbbb", NAMES, "release")


def test_unknown():
    with pytest.raises(NotFound) as caught:
        digest_of("eeeeeeee", NAMES, "release")
    assert caught.value.code == "LF4524"


@pytest.fixture(scope="module")
def state():
    ledger = Ledger()
    ledger.person("alice", "author")
    ledger.register(factories.release(), "alice")
    return ledger.state()


def test_known(state):
    release = factories.release()
    assert known(state, Scope.RELEASE) == {release.digest: "bot 1.0.0"}
    assert known(state, Scope.ASSET) == {a.sha256: a.name for a in release.assets}
    assert "p-alice" in known(state, Scope.KEY).values()
    assert "gate" in known(state, Scope.KEY).values()


def test_entry(state):
    assert entry_of("1", state) is state.records[1]
    assert entry_of(state.records[2].digest[:10], state) is state.records[2]
    for word in ("99", "f" * 64):
        with pytest.raises(NotFound) as caught:
            entry_of(word, state)
        assert caught.value.code == "LF4524"
