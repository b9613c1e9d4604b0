"""What a writer does where the log is files: long envelopes beside it, and copies of files put in its place."""

from __future__ import annotations

import shutil

import pytest

from lockflight.errors import VerificationFailed
from tests.log.making import item, items, opened, verified
from tests.log.tamper import rows


def code_of(error, code, work):
    with pytest.raises(error) as caught:
        work()
    assert caught.value.code == code, caught.value
    return caught.value


def test_long_envelopes_are_blobs(home):
    log = opened(home)
    short, long = item("short", padding=40_000), item("long", padding=60_000)
    assert len(short[0]) <= 64 * 1024 < len(long[0])
    receipts = log.append([short, long])
    for (body, _), receipt in zip((short, long), receipts, strict=True):
        assert log.envelope(receipt.envelope) == body
    assert [index for (index,) in rows(home, "SELECT idx FROM envelopes")] == [0]
    assert [path.name for path in (home / "realm" / "blobs").glob("??/*")] == [receipts[1].envelope]
    log.close()


def test_an_old_copy_in_the_place_of_the_log_is_noticed(home):
    writer = opened(home)
    writer.append(items(3))
    writer.close()
    shutil.copytree(home / "realm", home / "yesterday")
    writer = opened(home)
    writer.append(items(3, 3))
    writer.close()
    shutil.rmtree(home / "realm")
    (home / "yesterday").rename(home / "realm")
    error = code_of(VerificationFailed, "LF7220", lambda: opened(home))
    assert error.exit_code == 12
    # An append past the old copy, with the real keys, forks the log: noticed too.
    writer = opened(home, pins=False)
    writer.append(items(9, 50))
    writer.close()
    code_of(VerificationFailed, "LF7221", lambda: opened(home))
    code_of(VerificationFailed, "LF7221", lambda: verified(home))


def test_an_old_copy_put_there_while_a_writer_is_open_is_noticed(home):
    writer = opened(home)
    writer.append(items(3))
    behind = opened(home)
    shutil.copytree(home / "realm", home / "yesterday", ignore=shutil.ignore_patterns("*-shm"))
    other = opened(home, folder="yesterday")
    writer.append(items(3, 3))
    code_of(VerificationFailed, "LF7220", lambda: other.append([item("late")]))
    # A second writer of the same log only has to catch up.
    assert behind.append([item("late")])[0].index == 6
    for each in (writer, behind, other):
        each.close()
    assert rows(home, "SELECT count(*) FROM entries", folder="yesterday") == [(3,)]
