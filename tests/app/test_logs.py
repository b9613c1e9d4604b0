from __future__ import annotations

import pytest

from lockflight.app.realm.logs import open_log, open_reader
from lockflight.errors import NotFound, VerificationFailed
from tests.log.making import CLOCK, LOG, ORIGIN, START, fixed, items


def opened(folder, log=LOG):
    return open_log(folder, origin=ORIGIN, log_signer=log, clock_signer=CLOCK, clock=lambda: START, pins=None)


def test_a_log_is_made_where_there_is_none_and_read_where_there_is_one(tmp_path):
    with pytest.raises(NotFound):
        open_reader(tmp_path / "realm")
    log = opened(tmp_path / "realm")
    log.append(items(3))
    reader = open_reader(tmp_path / "realm")
    assert list(reader.entries()) == list(log.entries())
    assert reader.checkpoint() == log.checkpoint()
    reader.close()
    log.close()


def test_a_log_that_does_not_open_is_let_go(tmp_path):
    log = opened(tmp_path / "realm")
    log.append(items(3))
    log.close()
    with pytest.raises(VerificationFailed):
        opened(tmp_path / "realm", fixed(9))
    # The last writer that closes folds the write-ahead log into the database: nobody holds it any more.
    assert not (tmp_path / "realm" / "log.db-wal").exists()
