"""No template takes more work or memory than a counted budget, and none that would is safe."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from lockflight.core.findings import Verdict
from lockflight.formats.chat.template import check_template
from lockflight.formats.render.meter import MAX_NESTED, MAX_ROOM, MAX_UNITS, MAX_WEIGHT, Meter, Spent
from lockflight.formats.render.values import MAX_LIST, MAX_TEXT, Lost, Sym, Text
from tests.corpus.template_bombs import BOMBS, FRAME, LARGE
from tests.corpus.template_families import FAMILIES
from tests.formats.files import rules, verdict

#: KiB of the whole process.
MEMORY = 256 * 1024


@pytest.fixture(scope="module")
def scanned(project_root):
    """What each template cost, in a process of its own."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.formats.render.bombs"],
        cwd=project_root,
        env={"PYTHONPATH": f"{project_root}/src:{project_root}"},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(run.stdout)


def test_the_set_is_as_large_as_it_says():
    assert len(BOMBS) >= 110
    assert len(set(BOMBS.values())) == len(BOMBS)


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_not_safe_and_stays_in_its_budget(scanned, name):
    said, found, left, late, largest = scanned["found"][name]
    assert said in {"review", "unknown"}, found
    # Once where it ends, and once for each time that the template is read again.
    assert late <= 2
    assert left > -100 * MAX_UNITS
    assert largest <= max(MAX_TEXT + MAX_LIST, 8 * MAX_LIST + 1) + 8
    assert left >= 0 or said == "unknown"


@pytest.mark.parametrize("name", LARGE)
def test_what_is_only_large_is_safe(scanned, name):
    assert scanned["found"][name][:2] == ["safe", []]


def test_all_of_them_fit_into_little_memory(scanned):
    assert 0 <= scanned["memory"] < MEMORY


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_takes_a_small_part_of_the_budget(name):
    meter = Meter()
    assert check_template(FAMILIES[name], meter=meter) == ()
    assert meter.left > MAX_UNITS * 4 // 5


def test_templates_of_one_file_share_a_budget():
    meter = Meter(3_000)
    found = [rules(check_template(FRAME, meter=meter)) for _ in range(9)]
    assert found[0] == set()
    assert found[-1] == {"template:budget"}
    assert verdict(check_template("{% what is not read", meter=meter)) is Verdict.UNKNOWN
    assert rules(check_template("{% what is not read", meter=meter)) == {"template:budget"}


def test_a_meter_counts_what_is_made_before_it_is_kept():
    meter = Meter()
    with pytest.raises(Lost):
        meter.items(MAX_LIST + 1)
    with pytest.raises(Lost):
        meter.make(MAX_ROOM + 1)
    meter.fresh()
    meter.make(MAX_ROOM)
    with pytest.raises(Spent):
        meter.step(MAX_UNITS)


def test_a_meter_goes_through_all_that_a_value_holds():
    assert Meter().read("abc", ["de", {"f": "gh"}]) == 3 + 17 + 2 + 17 + 1 + 2
    assert Meter().read(Text(("abc", Sym("user 0", "content", carried="de")))) == 8 + 3 + 8 + 2
    deep: list[object] = []
    for _ in range(MAX_NESTED):
        deep = [deep]
    round_about: list[object] = []
    round_about += [round_about, round_about]
    for value in (deep, round_about, "a" * (MAX_WEIGHT + 1), [["a" * 1000] * 1000] * 2):
        meter = Meter()
        with pytest.raises(Lost):
            meter.read(value)
        assert MAX_UNITS - MAX_WEIGHT < meter.left < MAX_UNITS
