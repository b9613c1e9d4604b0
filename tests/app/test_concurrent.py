"""Eight processes that promote, approve, deny, gate, roll back, retire and forge at once leave only legal states.

What the log holds afterwards is judged a second time by `tests.app.model`, which shares no code with the fold.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lockflight.app.gate.approvals import approve
from lockflight.app.gate.check import CheckOptions, check
from lockflight.app.log import logbook
from lockflight.app.realm.realm import Member, create_realm
from lockflight.app.realm.view import open_view
from lockflight.app.registry.promote import promote
from lockflight.app.release.sign import sign
from lockflight.core.attest.trust import RealmKind
from lockflight.store.log.address import write_address
from tests.app.conftest import MANIFEST
from tests.app.model import Model

ROOT = Path(__file__).resolve().parents[2]
WORKERS = 8
PEOPLE = [
    Member("alice", ("author",)),
    Member("bob", ("approver", "releaser")),
    Member("carol", ("approver", "author")),
    Member("dave", ("releaser",)),
]
#: Folder to version, who signs, and what tells it from the others; `rival` wants the version of `two`.
RELEASES = {
    "one": ("1.0.0", "alice", "1"),
    "two": ("1.1.0", "alice", "2"),
    "rival": ("1.1.0", "carol", "3"),
    "last": ("1.2.0", "carol", "4"),
}
ENVIRONMENTS = ("development", "staging", "production")


def make_stage(home, stage, store):
    """A team realm with four signed releases and all their evidence; two of them are on their way already."""
    create_realm(home, "acme", RealmKind.TEAM, PEOPLE, store=store)
    for name, (version, author, mark) in RELEASES.items():
        work = stage / "work" / name
        (work / "data").mkdir(parents=True)
        (work / "lockflight.toml").write_text(MANIFEST.replace("1.0.0", version))
        (work / "data" / "a.csv").write_text(f"x,y\n1,{mark}\n")
        (work / "README.md").write_text("# Five\n")
        (work / "LICENSE").write_text("CC0-1.0\n")
        check(home, "acme", work, CheckOptions(record=True, workers=1), clock=lambda: int(time.time()))
        (stage / "packages").mkdir(exist_ok=True)
        sign(home, "acme", work, stage / "packages" / name, actor=author)
    for name, environments in (("one", ENVIRONMENTS), ("last", ENVIRONMENTS[:2])):
        place = {"home": home, "realm_name": "acme", "package": stage / "packages" / name}
        for environment in environments:
            now = {"environment": environment, "now": int(time.time())}
            if environment != "development":
                approve(**place, **now, actor="bob", verdict="approve", reason="")
            part = 2500 if (name, environment) == ("last", "staging") else 10_000
            promote(**place, **now, actor="dave", exposure=part)


class Crowd:
    """The process that makes workers, and what they were told."""

    def __init__(self, stage):
        self.home, self.stage, self.acks = stage / "home", stage, stage / "acks"
        self.acks.mkdir()
        self.seeds = 0
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.app.crowd"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, count, seconds):
        """One more worker, of at least so many operations and so long; its process id."""
        self.seeds += 1
        command = {"home": str(self.home), "stage": str(self.stage), "seed": self.seeds}
        command |= {"count": count, "seconds": seconds}
        return self._ask(json.dumps({**command, "acks": str(self.acks / f"{self.seeds}.jsonl")}))["pid"]

    def wait(self):
        """Exit status of each worker, by process id, when all have ended."""
        return dict(self._ask("wait"))

    def _ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def acknowledged(self):
        # A line that the crash cut off was not read by anybody.
        lines = [line for path in self.acks.iterdir() for line in path.read_text().split("\n")[:-1]]
        return [json.loads(line) for line in lines]

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait() == 0


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def founded(request, tmp_path_factory):
    """A realm with signed releases, and the database of its log; each test works on a copy."""
    stage = tmp_path_factory.mktemp("founded")
    if request.param == "sqlite":
        make_stage(stage / "home", stage, "")
        return stage, ""
    server = request.getfixturevalue("postgres")
    database = server.database()
    make_stage(stage / "home", stage, server.url(database))
    server.leave(server.url(database))
    return stage, database


@pytest.fixture
def crowd(founded, tmp_path, request):
    stage, database = founded
    shutil.copytree(stage, tmp_path / "stage")
    url = ""
    if database:
        server = request.getfixturevalue("postgres")
        url = server.url(server.database(like=database))
        write_address(tmp_path / "stage" / "home" / "realms" / "acme", url)
    found = Crowd(tmp_path / "stage")
    yield found
    found.close()
    if url:
        server.leave(url)


def judge(crowd):
    """Nothing acknowledged is lost, the log verifies, and two readings of the rules agree on what it adds up to."""
    view, report, _ = logbook.verify(crowd.home, "acme")
    assert report.pending == report.missing == 0
    state = view.state
    entries = [(e.index, view.reader.envelope(e.envelope), e.logged_at) for e in view.reader.entries()]
    model = Model(entries)
    counts = {r.digest: r.type for r in state.records if r.effective}
    assert set(counts) == set(model.effective), differences(state, model)
    slots = {key: slot for key, slot in state.slots.items() if slot.head}
    assert set(slots) == set(model.slots)
    for key, slot in slots.items():
        assert (slot.head, slot.exposures) == (model.slots[key].head, model.slots[key].shares()), key
        assert sum(slot.exposures.values()) in {0, 10_000}
    assert state.versions == model.versions
    places = {record.digest: record.index for record in state.records}
    done = [ack for ack in crowd.acknowledged() if "envelope" in ack]
    for ack in done:
        assert ack["envelope"] in places, f"{ack} was acknowledged and is lost"
        assert ack.get("index", places[ack["envelope"]]) == places[ack["envelope"]]
        # What was said to have happened has happened; the mad gate was promised nothing.
        assert ack["envelope"] in counts or ack["act"] == "bare", ack
    acts = {ack["act"] for ack in done}
    assert {"promote", "approve", "gate", "bare"} <= acts, acts
    return state


def differences(state, model):
    lines = []
    for record in state.records:
        if record.effective != (record.digest in model.effective):
            core = record.reason or "effective"
            lines.append(
                f"{record.index} {record.type}: core {core}; model {model.why.get(record.digest, 'effective')}"
            )
    return "\n".join(lines)


@pytest.mark.parametrize("kind", ["registration", "approval", "decision", "promotion"])
def test_the_second_reading_misses_what_is_left_out(founded, kind):
    """The model is no yes-man: without one statement of a kind that `one` rests on, it is not in production."""
    if founded[1]:
        pytest.skip("once is enough: the log is the same in every store")
    view = open_view(founded[0] / "home", "acme")
    moved = next(
        r for r in view.state.records if r.type == "promotion" and r.fact.environment == "production"
    )
    needed = {r.index for r in view.state.records if (r.type, r.subject) == (kind, moved.subject)}
    entries = [(e.index, view.reader.envelope(e.envelope), e.logged_at) for e in view.reader.entries()]
    assert moved.digest in Model(entries).effective
    assert moved.digest not in Model([e for e in entries if e[0] not in needed - {moved.index}]).effective


#: Operations that each worker does at least, so that every kind of act happens on the slowest machine too.
FEW = 6
#: Both tests together: 20 seconds for each store, or 5 minutes.
some_and_all = pytest.mark.parametrize(
    "seconds", [10, pytest.param(150, marks=pytest.mark.long)], ids=lambda seconds: f"{seconds}s"
)


@some_and_all
def test_a_crowd_leaves_only_legal_states(crowd, seconds):
    for _ in range(WORKERS):
        crowd.start(FEW, seconds)
    assert set(crowd.wait().values()) == {0}
    assert len(crowd.acknowledged()) >= WORKERS * FEW
    judge(crowd)


@some_and_all
def test_killed_at_any_moment_the_crowd_loses_nothing_acknowledged(crowd, seconds):
    draw = random.Random(1)
    alive = [crowd.start(FEW, seconds) for _ in range(WORKERS)]
    killed = set()
    over = time.monotonic() + seconds
    while time.monotonic() < over:
        time.sleep(draw.uniform(0.05, 0.8))
        victim = alive.pop(draw.randrange(WORKERS))
        os.kill(victim, signal.SIGKILL)
        killed.add(victim)
        alive.append(crowd.start(FEW, max(0, over - time.monotonic())))
    ended = crowd.wait()
    assert set(ended.values()) <= {0, -signal.SIGKILL}
    assert {pid for pid, status in ended.items() if status} <= killed
    assert killed
    judge(crowd)
