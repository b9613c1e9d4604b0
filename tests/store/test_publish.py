"""Exports: what any web server serves is the log, grows with it, and is never another log's."""

from __future__ import annotations

import os
import shutil

import pytest

from lockflight.app.realm.logs import open_reader
from lockflight.core.canonical import loads_object
from lockflight.core.verify.log.log import verify_log
from lockflight.errors import EnvironmentProblem, InvalidInput, NotFound, VerificationFailed
from lockflight.store.log.publish import publish
from lockflight.store.log.static import StaticReader
from lockflight.store.pins import PinStore
from tests.log.making import CLOCK_KEY, LOG_KEY, ORIGIN, Clock, digest, fixed, item, items, opened
from tests.log.tamper import tamper
from tests.store.making import refused

STORES = ("sqlite", "postgres")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "web"


def exported(home, out, *, note=None):
    reader = open_reader(home / "realm")
    try:
        with reader.snapshot():
            return publish(
                reader,
                out,
                origin=ORIGIN,
                log_key=LOG_KEY,
                clock_key=CLOCK_KEY,
                note=note or reader.checkpoint(),
            )
    finally:
        reader.close()


def checked(out, pin=""):
    return verify_log(StaticReader(out), ORIGIN, LOG_KEY, CLOCK_KEY, pin)


def files(out):
    return sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file() and p.name != ".lock")


def grown(home, *counts, start=0, clock=None):
    clock = clock or Clock()
    writer = opened(home, clock=clock)
    for count in counts:
        writer.append(items(count, start))
        start += count
        clock.now += 100
    writer.close()


def test_an_export_is_the_log(home, out):
    grown(home, 4, 3)
    done = exported(home, out)
    assert (done.size, done.before, done.envelopes, done.erased) == (7, 0, 7, 0)
    assert [name for name in files(out) if not name.startswith("envelope/")] == [
        "checkpoint",
        "history/000.p/2",
        "log.json",
        "names/000.p/7",
        "tile/0/000.p/7",
        "tile/entries/000.p/7",
    ]
    assert checked(out).size == 7
    there, here = StaticReader(out), open_reader(home / "realm")
    assert list(there.entries()) == list(here.entries())
    assert list(there.checkpoints()) == list(here.checkpoints())
    assert there.checkpoint() == here.checkpoint()
    assert list(there.entries(2, 5)) == list(here.entries(2, 5))
    assert list(there.entries(5, 2)) == list(there.entries(7)) == []
    for level in range(3):
        assert list(there.nodes(level)) == list(here.nodes(level))
    assert there.inclusion(3, 7) == here.inclusion(3, 7)
    assert there.consistency(3, 7) == here.consistency(3, 7)
    assert [there.covering(i) for i in range(9)] == [here.covering(i) for i in range(9)]
    entry = next(there.entries(3, 4))
    assert there.find(entry.envelope) == here.find(entry.envelope) == entry
    assert there.envelope(entry.envelope) == here.envelope(entry.envelope)
    for subject, types in ((digest(3), ()), (digest(3), ["none"]), (None, ["none"]), (None, ())):
        assert list(there.query(subject, types)) == list(here.query(subject, types))
    here.close()


def test_what_is_not_there_is_said(home, out):
    refused(NotFound, "LF5035", lambda: StaticReader(out))
    grown(home, 3)
    exported(home, out)
    reader = StaticReader(out)
    refused(NotFound, "LF7216", lambda: reader.inclusion(3, 3))
    refused(NotFound, "LF7216", lambda: reader.inclusion(0, 4))
    refused(NotFound, "LF7216", lambda: reader.consistency(0, 3))
    refused(InvalidInput, "LF7215", lambda: reader.envelope("../checkpoint"))
    refused(InvalidInput, "LF7215", lambda: reader.find("x"))
    assert reader.envelope(digest("nothing")) is None
    assert reader.find(digest("nothing")) is None


def test_an_export_grows_by_what_is_new(home, out):
    clock = Clock()
    grown(home, 250, 10, clock=clock)
    first = exported(home, out)
    assert (out / "tile/0/000").stat().st_size == 8192
    stamps = {name: (out / name).stat().st_mtime_ns for name in files(out)}
    again = exported(home, out)
    assert (again.before, again.size) == (260, 260)
    assert again.files == 2, "nothing is new but the checkpoint, and how many there are"
    grown(home, 300, start=260, clock=clock)
    exported(home, out)
    assert checked(out).size == 560
    names = files(out)
    assert "tile/0/001" in names
    assert not [
        name for name in names if name.startswith(("tile/0/001.p", "tile/entries/001.p", "names/001.p"))
    ]
    assert "tile/0/002.p/48" in names
    kept = {name for name in names if (out / name).stat().st_mtime_ns == stamps.get(name)}
    assert {"tile/0/000", "tile/entries/000", "names/000"} < kept
    assert len([name for name in kept if name.startswith("envelope/")]) == 260
    assert first.root != again.root or first.size == again.size


def test_a_reader_of_the_old_checkpoint_goes_on(home, out):
    """Whoever fetched the checkpoint before the export grew finds the full files in the place of the partial ones."""
    clock = Clock()
    grown(home, 200, clock=clock)
    exported(home, out)
    reader = StaticReader(out)
    grown(home, 100, start=200, clock=clock)
    exported(home, out)
    assert verify_log(reader, ORIGIN, LOG_KEY, CLOCK_KEY).size == 200


def test_the_files_are_for_others_to_read(home, out):
    grown(home, 3)
    before = os.umask(0o077)
    try:
        exported(home, out)
    finally:
        os.umask(before)
    for path in [out, *out.rglob("*")]:
        if path.name != ".lock":
            assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path


def test_many_checkpoints(home, out):
    clock = Clock()
    writer = opened(home, clock=clock)
    for number in range(260):
        writer.append([item(number)])
    exported(home, out)
    writer.append([item("more")])
    clock.now += 60
    writer.stamp()
    writer.close()
    exported(home, out)
    report = checked(out)
    assert (report.size, report.checkpoints) == (261, 262)
    names = files(out)
    assert "history/000" in names
    assert "history/001.p/6" in names


def test_an_older_checkpoint_may_be_published(home, out):
    """Only what witnesses have cosigned, for example."""
    grown(home, 4, 3)
    reader = open_reader(home / "realm")
    first, _ = reader.checkpoints()
    reader.close()
    assert exported(home, out, note=first).size == 4
    assert checked(out).size == 4
    assert exported(home, out).before == 4
    assert checked(out).size == 7


def test_an_erased_envelope_leaves_the_export(home, out):
    grown(home, 5)
    exported(home, out)
    writer = opened(home)
    name = next(writer.entries(2, 3)).envelope
    writer._store.erase(name)
    writer.close()
    assert (out / "envelope" / name).exists()
    done = exported(home, out)
    assert (done.erased, done.envelopes) == (1, 4)
    assert not (out / "envelope" / name).exists()
    assert checked(out).missing == 1


def test_what_was_damaged_or_lost_meanwhile_is_found(home, out):
    grown(home, 5)
    exported(home, out)
    for name in files(out):
        if name != "checkpoint":
            broken = out.with_name("broken")
            shutil.copytree(out, broken)
            (broken / name).unlink()
            if name.startswith("envelope/"):
                assert checked(broken).missing == 1
            else:
                refused(VerificationFailed, "LF7217", lambda broken=broken: checked(broken))
            data = bytearray((out / name).read_bytes())
            data[len(data) // 2] ^= 1
            (broken / name).write_bytes(data)
            if name.startswith("names/"):
                # Another name is that of an envelope that is not held: the entry itself is proven all the same.
                assert checked(broken).missing == 1
            else:
                with pytest.raises(VerificationFailed):
                    checked(broken)
            (broken / name).write_bytes((out / name).read_bytes() + b"x")
            with pytest.raises(VerificationFailed):
                checked(broken)
            shutil.rmtree(broken)


def test_links_and_odd_files_are_not_followed(home, out):
    grown(home, 2)
    exported(home, out)
    path = out / "tile/0/000.p/2"
    path.rename(out / "moved")
    path.symlink_to(out / "moved")
    refused(EnvironmentProblem, "LF5036", lambda: checked(out))
    path.unlink()
    os.mkfifo(path)
    refused(VerificationFailed, "LF7217", lambda: checked(out))


@pytest.mark.parametrize(
    "about",
    [
        b"{}",
        b"[]",
        b'{"schema":"https://lockflight.dev/schema/log-export/v1","origin":"other","checkpoints":1}',
        b'{"schema":"https://lockflight.dev/schema/log-export/v1","origin":"log.example/realm","checkpoints":0}',
        b'{"schema":"https://lockflight.dev/schema/log-export/v1","origin":"log.example/realm","checkpoints":9}',
        b'{"schema":"https://lockflight.dev/schema/log-export/v1","origin":"log.example/realm","checkpoints":true}',
        b"x" * 5000,
    ],
)
def test_a_table_that_lies_is_refused(home, out, about):
    grown(home, 2)
    exported(home, out)
    (out / "log.json").write_bytes(about)
    with pytest.raises(VerificationFailed):
        StaticReader(out)


def test_another_folder_is_not_taken_over(home, out):
    grown(home, 2)
    out.mkdir()
    (out / "letter.txt").write_text("dear")
    refused(VerificationFailed, "LF7229", lambda: exported(home, out))
    assert files(out) == ["letter.txt"]
    (out / "checkpoint").write_text("dear")
    refused(VerificationFailed, "LF7229", lambda: exported(home, out))


def test_the_export_of_another_log_is_not_continued(home, out):
    grown(home, 2)
    other = home.parent / "other"
    other.mkdir()
    writer = opened(other, origin="log.example/other")
    writer.append(items(1))
    note = writer.checkpoint()
    writer.close()
    out.mkdir()
    (out / "checkpoint").write_text(note)
    assert "other" in refused(VerificationFailed, "LF7229", lambda: exported(home, out)).message
    foreign = opened(other, folder="forged", log=fixed(9))
    foreign.append(items(1))
    (out / "checkpoint").write_text(foreign.checkpoint())
    foreign.close()
    refused(VerificationFailed, "LF7229", lambda: exported(home, out))


def test_a_log_that_was_put_back_does_not_continue_its_export(home, out, tmp_path):
    clock = Clock()
    grown(home, 4, clock=clock)
    exported(home, out)
    shadow = tmp_path / "shadow"
    shadow.mkdir()
    grown(shadow, 2, clock=Clock())
    refused(VerificationFailed, "LF7220", lambda: exported(shadow, out))
    grown(shadow, 4, start=500, clock=clock)
    refused(VerificationFailed, "LF7221", lambda: exported(shadow, out))
    assert checked(out).size == 4


def test_a_crash_before_the_checkpoint_leaves_the_old_export(home, out, monkeypatch):
    clock = Clock()
    grown(home, 250, clock=clock)
    exported(home, out)
    grown(home, 20, start=250, clock=clock)

    def dies():
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, "sync", dies)
        with pytest.raises(KeyboardInterrupt):
            exported(home, out)
    assert checked(out).size == 250
    # What was written beyond may be torn after a loss of power: nothing of it is taken for good.
    (out / "tile/0/000").write_bytes(b"")
    (out / "tile/entries/000").write_bytes(b"x")
    exported(home, out)
    assert checked(out).size == 270


def test_nothing_is_published_that_is_not_the_log_s(home, out):
    grown(home, 3)
    tamper(home, ("UPDATE entries SET leaf = ? WHERE idx = 1", b"forged"))
    exported(home, out)
    with pytest.raises(VerificationFailed):
        checked(out)


def test_the_pin_of_a_home_holds_for_exports_too(home, out, tmp_path):
    clock = Clock()
    grown(home, 2, clock=clock)
    exported(home, out)
    older = tmp_path / "older"
    shutil.copytree(out, older)
    grown(home, 2, start=2, clock=clock)
    exported(home, out)
    pins = PinStore(tmp_path / "verifier")
    pins.see(StaticReader(out), origin=ORIGIN, log_key=LOG_KEY, clock_key=CLOCK_KEY)
    refused(VerificationFailed, "LF7220", lambda: checked(older, pins.read(ORIGIN)))


def test_the_table_of_an_export_is_small_and_plain(home, out):
    grown(home, 2)
    exported(home, out)
    about = loads_object((out / "log.json").read_bytes())
    assert set(about) == {"schema", "origin", "checkpoints"}


def test_a_folder_that_cannot_be_written(home, out):
    grown(home, 1)
    out.write_text("a file")
    refused(EnvironmentProblem, "LF5052", lambda: exported(home, out))
