from __future__ import annotations

import shutil
import stat
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockflight.errors import EnvironmentProblem, LockflightError, VerificationFailed
from lockflight.store.log.readonly import SqliteReader
from lockflight.store.pins import PinStore, RealmPin
from tests.log.making import AUTHOR, CLOCK_KEY, LOG_KEY, ORIGIN, START, Clock, items, opened

ROOT = "sha256:" + 64 * "a"
KEYS = {"origin": ORIGIN, "log_key": LOG_KEY, "clock_key": CLOCK_KEY}


@pytest.fixture
def pins(home):
    return PinStore(home)


def grow(home, count, start=0, **how):
    writer = opened(home, pins=False, clock=Clock(START + start), **how)
    if count:
        writer.append(items(count, start))
    writer.close()


def see(home, pins, folder="realm", **keys):
    reader = SqliteReader(home / folder)
    try:
        pins.see(reader, **{**KEYS, **keys})
        return reader.checkpoint()
    finally:
        reader.close()


def refused(code, work, error=VerificationFailed):
    with pytest.raises(error) as caught:
        work()
    assert caught.value.code == code, caught.value
    return caught.value


def the_file(home):
    (found,) = (home / "pins").glob("*.note")
    return found


# Checkpoints


def test_nothing_is_known_of_a_log_that_was_never_seen(pins, home):
    assert pins.read(ORIGIN) == ""
    assert list(home.iterdir()) == []


def test_the_first_checkpoint_seen_is_remembered(pins, home):
    grow(home, 3)
    note = see(home, pins)
    assert pins.read(ORIGIN) == note
    assert stat.S_IMODE(the_file(home).stat().st_mode) == 0o600


def test_an_empty_log_leaves_no_pin(pins, home):
    grow(home, 0)
    see(home, pins)
    assert pins.read(ORIGIN) == ""


def test_a_log_that_grew_moves_the_pin(pins, home):
    grow(home, 3)
    first = see(home, pins)
    grow(home, 5, 3)
    second = see(home, pins)
    assert first != second == pins.read(ORIGIN)
    assert see(home, pins) == second


def test_an_older_log_is_refused_and_the_pin_stays(pins, home):
    grow(home, 3)
    shutil.copytree(home / "realm", home / "old")
    grow(home, 5, 3)
    note = see(home, pins)
    error = refused("LF7220", lambda: see(home, pins, "old"))
    assert error.details == {"origin": ORIGIN, "size": 3, "seen": 8}
    grow(home, 0, folder="empty")
    assert refused("LF7220", lambda: see(home, pins, "empty")).details["size"] == 0
    assert pins.read(ORIGIN) == note


@pytest.mark.parametrize("count", [8, 20])
def test_another_history_is_refused_and_the_pin_stays(pins, home, count):
    grow(home, 8)
    note = see(home, pins)
    grow(home, count, 100, folder="other")
    refused("LF7221", lambda: see(home, pins, "other"))
    assert pins.read(ORIGIN) == note


def test_a_longer_log_whose_time_went_back_is_refused(pins, home):
    grow(home, 3, 0)
    shutil.copytree(home / "realm", home / "fork")
    grow(home, 1, 900)
    see(home, pins)
    writer = opened(home, folder="fork", pins=False, clock=Clock(START + 10))
    writer.append([*items(1, 900), *items(2, 5)])
    writer.close()
    assert "time" in refused("LF7221", lambda: see(home, pins, "fork")).message


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ({"log_key": AUTHOR.public_key.raw}, "LF7205"),
        ({"clock_key": AUTHOR.public_key.raw}, "LF7207"),
        ({"origin": "log.example/other"}, "LF7204"),
    ],
)
def test_a_checkpoint_of_other_keys_is_never_pinned(pins, home, keys, code):
    grow(home, 3)
    refused(code, lambda: see(home, pins, **keys))
    assert not list((home / "pins").glob("*.note"))


DAMAGES = {
    "empty": lambda data: b"",
    "half": lambda data: data[: len(data) // 2],
    "no last newline": lambda data: data[:-1],
    "no text": lambda data: b"\xff" + data,
    "another size": lambda data: data.replace(b"\n3\n", b"\n2\n"),
    "too long": lambda data: data + b"x" * 300_000,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_pin_is_no_first_use(pins, home, damage):
    grow(home, 3)
    see(home, pins)
    the_file(home).write_bytes(DAMAGES[damage](the_file(home).read_bytes()))
    grow(home, 3, 3)
    error = refused("LF7222", lambda: see(home, pins))
    assert str(the_file(home)) in error.message
    refused("LF7222", lambda: opened(home))


def test_what_a_crash_left_beside_a_pin_changes_nothing(pins, home):
    grow(home, 3)
    note = see(home, pins)
    aside = the_file(home).with_name(the_file(home).name + ".new")
    aside.write_text(note[:50])
    assert pins.read(ORIGIN) == note
    grow(home, 3, 3)
    assert see(home, pins) == pins.read(ORIGIN)
    assert not aside.exists()


def test_a_folder_in_the_place_of_a_pin_is_told(pins, home):
    grow(home, 3)
    see(home, pins)
    path = the_file(home)
    path.unlink()
    path.mkdir()
    refused("LF5036", lambda: pins.read(ORIGIN), EnvironmentProblem)


def test_readers_never_take_a_growing_log_for_an_old_one(pins, home):
    """A reader reads the pin and then the log; a writer writes the log and then the pin."""
    writer = opened(home)
    writer.append(items(1))
    done = threading.Event()
    errors = []

    def watch():
        reader = SqliteReader(home / "realm")
        while not done.is_set():
            try:
                pins.see(reader, **KEYS)
            except LockflightError as error:
                errors.append(error)
        reader.close()

    threads = [threading.Thread(target=watch) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(30):
        writer.append(items(1, 1 + number))
    done.set()
    for thread in threads:
        thread.join()
    assert errors == []
    assert pins.read(ORIGIN) == writer.checkpoint()
    writer.close()


# Realms


def test_a_home_without_pins_knows_no_realm(pins):
    assert pins.realms() == {}
    assert pins.get("personal") is None


def test_realms_are_pinned_and_forgotten(pins, home):
    pins.set("team", root=ROOT, origin="log.example/team", witnesses=["w+12345678+AQ==", "v+1+2"])
    pins.set("a-1", root=ROOT, origin="log.example/a")
    assert pins.get("team") == RealmPin("team", ROOT, "log.example/team", ("w+12345678+AQ==", "v+1+2"))
    assert list(pins.realms()) == ["a-1", "team"]
    assert stat.S_IMODE((home / "trust.toml").stat().st_mode) == 0o600
    pins.forget("team")
    pins.forget("never there")
    assert list(pins.realms()) == ["a-1"]


def test_the_file_reads_as_people_expect(pins, home):
    pins.set("team", root=ROOT, origin="log.example/team")
    text = (home / "trust.toml").read_text()
    assert text.endswith(f'\n[realms.team]\nroot = "{ROOT}"\norigin = "log.example/team"\nwitnesses = []\n')


def test_a_pinned_realm_keeps_its_root(pins, home):
    pins.set("team", root=ROOT, origin="log.example/team")
    before = (home / "trust.toml").read_bytes()
    other = "sha256:" + 64 * "b"
    refused("LF7224", lambda: pins.set("team", root=other, origin="log.example/team"))
    refused("LF7224", lambda: pins.set("team", root=ROOT, origin="log.example/other"))
    pins.set("team", root=ROOT, origin="log.example/team")
    assert (home / "trust.toml").read_bytes() == before
    pins.set("team", root=ROOT, origin="log.example/team", witnesses=["w"])
    assert pins.get("team").witnesses == ("w",)


WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(origin=WORDS, witnesses=st.lists(WORDS, max_size=3))
def test_any_plain_word_survives_the_file(pins, origin, witnesses):
    pins.forget("team")
    pins.set("team", root=ROOT, origin=origin, witnesses=witnesses)
    assert pins.get("team") == RealmPin("team", ROOT, origin, tuple(witnesses))


@pytest.mark.parametrize(
    "pin",
    [
        {"name": "Team"},
        {"name": "../up"},
        {"name": ""},
        {"root": "sha256:short"},
        {"root": 64 * "a"},
        {"origin": "two words"},
        {"origin": "line\nbreak"},
        {"witnesses": ["two words"]},
    ],
)
def test_what_is_no_pin_is_not_written(pins, home, pin):
    whole = {"name": "team", "root": ROOT, "origin": "log.example/team", **pin}
    refused("LF5033", lambda: pins.set(whole.pop("name"), **whole), EnvironmentProblem)
    assert not (home / "trust.toml").exists()


GOOD = f'[realms.team]\nroot = "{ROOT}"\norigin = "log.example/team"\nwitnesses = []\n'


@pytest.mark.parametrize(
    "content",
    [
        GOOD[:40],
        GOOD[:-2],
        GOOD.replace(ROOT, "sha256:00"),
        GOOD.replace("witnesses = []", 'witnesses = "w"'),
        GOOD + "extra = 1\n",
        GOOD + "[other]\n",
        'realms = "none"\n',
        "realms = {team = 1}\n",
        "[realms.team]\n",
        "\x00",
        "x" * (1024 * 1024 + 1),
    ],
)
def test_a_damaged_file_is_no_first_use(pins, home, content):
    path = home / "trust.toml"
    path.write_text(content)
    path.chmod(0o600)
    refused("LF5033", pins.realms, EnvironmentProblem)
    refused("LF5033", lambda: pins.set("b", root=ROOT, origin="o"), EnvironmentProblem)
    assert path.read_text() == content


def test_a_file_that_others_may_write_is_refused(pins, home):
    pins.set("team", root=ROOT, origin="log.example/team")
    (home / "trust.toml").chmod(0o666)
    refused("LF5033", pins.realms, EnvironmentProblem)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_content_of_the_file_escapes_as_another_error(pins, home, data):
    whole = GOOD.encode()
    at = data.draw(st.integers(0, len(whole)))
    content = whole[:at] + data.draw(st.binary(max_size=8)) + whole[at + data.draw(st.integers(0, 8)) :]
    (home / "trust.toml").write_bytes(content)
    (home / "trust.toml").chmod(0o600)
    realms, refusal = {}, None
    try:
        realms = pins.realms()
    except EnvironmentProblem as error:
        refusal = error.code
    assert refusal in {None, "LF5033"}
    assert all(isinstance(pin, RealmPin) for pin in realms.values())
