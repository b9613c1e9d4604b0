from __future__ import annotations

import pytest

from lockflight.core.attest.check import Cost, Grain
from lockflight.core.words import VIEWS
from lockflight.errors import NotFound
from lockflight.scan.table import CHECKS, infos, load


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_each_line_names_a_check_of_its_name(name):
    info = load(name).info
    assert info.name == name
    assert info.version
    assert info.title
    assert not info.title.endswith(".")
    assert set(info.views) <= set(VIEWS)
    assert bool(info.views) is (info.grain is Grain.VIEW)
    assert info.grain is Grain.VIEW or info.reads or info.media_types
    assert info.offline
    assert isinstance(info.cost, Cost)


def test_all_declarations_in_order():
    assert list(infos()) == [load(name).info for name in CHECKS]


def test_an_unknown_name_is_refused():
    with pytest.raises(NotFound) as caught:
        load("magic")
    assert caught.value.code == "LF2001"
    assert "secrets" in caught.value.message
