"""A crowd that works on the same releases of one realm. One process imports everything, then forks workers.

Command (JSON line): seed, count (operations, at least), seconds (at least), acks (file for what was acknowledged).
Reply (JSON line): pid. The line `wait` is answered with the exit status of each worker, by pid. Each worker does
random operations; what it was told to have happened, it notes outside of the home before it goes on.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import sys
import time
import traceback
from pathlib import Path

from lockflight.app.gate import judge as gate
from lockflight.app.gate.approvals import approve, revoke
from lockflight.app.gate.check import CheckOptions, check
from lockflight.app.realm import clock
from lockflight.app.realm.realm import open_realm
from lockflight.app.registry.exposure import expose, hold
from lockflight.app.registry.promote import promote, retire, rollback
from lockflight.app.release.verify import verify_package
from lockflight.core.attest.acts import Action, Promotion, Scope
from lockflight.core.attest.trust import Duty
from lockflight.errors import LockflightError
from lockflight.policy.engines.pool import Engines

REALM = "acme"
#: What a worker may be told instead of success. Everything else ends it with a traceback, and the test with it.
REFUSALS = {
    "LF0146": "a candidate gets more by a hold",
    "LF0147": "a candidate shares the slot with nothing",
    "LF4520": "the gate denies, so nothing can be approved",
    "LF4521": "who made it, or is no approver, does not approve",
    "LF4530": "the admission says no",
    "LF4532": "the slot moved in between",
    "LF4540": "the slot held no other release",
    "LF4541": "what would come back is revoked",
    "LF4542": "the slot is empty",
    "LF4543": "no such project yet",
    "LF4573": "the slot has no candidate",
    "LF4575": "the slot has another candidate",
    "LF4606": "who may not deny does not",
    "LF5031": "the log is busy",
    "LF7335": "the release is revoked",
}
ENVIRONMENTS = ("development", "staging", "production")


class Worker:
    def __init__(self, command):
        self.home, self.stage = Path(command["home"]), Path(command["stage"])
        self.draw = random.Random(command["seed"])
        self.acks = Path(command["acks"])
        # Starting an engine costs more than all else, and the crowd is here to crowd the log.
        engines = Engines()
        gate.Engines = lambda: engines
        self.releases = sorted(path.name for path in (self.stage / "packages").iterdir())
        self.acts = {self.promote: 10, self.approve: 9, self.gate: 2, self.deny: 0.5, self.rollback: 2}
        self.acts |= {self.expose: 1, self.hold: 1, self.retire: 1, self.bare: 6, self.revoke: 0.1}

    def run(self, count, seconds):
        over = time.monotonic() + seconds
        for number in itertools.count():
            if number >= count and time.monotonic() >= over:
                return
            act = self.draw.choices(list(self.acts), list(self.acts.values()))[0]
            try:
                done = act()
            except LockflightError as error:
                if error.code not in REFUSALS:
                    raise
                self.note(act=act.__name__, number=number, refused=error.code)
            else:
                self.note(act=act.__name__, number=number, **done)

    def note(self, **what):
        with self.acks.open("a", encoding="ascii") as out:
            out.write(json.dumps(what) + "\n")

    def release(self):
        return self.draw.choice(self.releases)

    def place(self):
        return self.stage / "packages" / self.release(), self.draw.choices(ENVIRONMENTS, (2, 5, 4))[0]

    def promote(self):
        package, environment = self.place()
        moved = promote(
            self.home,
            REALM,
            package,
            environment=environment,
            actor=self.draw.choice(("alice", "dave", "dave", "bob")),
            now=clock.now(),
            exposure=self.draw.choice((2500, 10_000, 10_000, 10_000)),
        )
        return {"envelope": moved.envelope, "index": moved.index, "again": moved.again}

    def _say(self, verdict):
        package, environment = self.place()
        said = approve(
            self.home,
            REALM,
            package,
            environment=environment,
            actor=self.draw.choice(("bob", "bob", "bob", "carol", "carol", "alice")),
            verdict=verdict,
            reason="",
            now=clock.now(),
        ).said
        return {"envelope": said.envelope, "index": said.index}

    def approve(self):
        return self._say("approve")

    def deny(self):
        return self._say("deny")

    def gate(self):
        """The gate decides again; what is recorded is what `promote` must notice."""
        environment = self.draw.choice(ENVIRONMENTS)
        options = CheckOptions(environment=environment, run=False, record=True, workers=1)
        outcome = check(self.home, REALM, self.stage / "work" / self.release(), options, clock=clock.now)
        return {"envelope": outcome.judgements[environment].recorded}

    def rollback(self):
        moved = rollback(
            self.home,
            REALM,
            project="five",
            environment=self.draw.choice(ENVIRONMENTS),
            to="",
            actor=self.draw.choice(("bob", "dave")),
            now=clock.now(),
        )
        return {"envelope": moved.envelope, "index": moved.index}

    def expose(self):
        moved = expose(
            self.home,
            REALM,
            project="five",
            environment=self.draw.choice(ENVIRONMENTS),
            exposure=self.draw.choice((5000, 10_000)),
            actor="dave",
            now=clock.now(),
        )
        return {"envelope": moved.envelope, "index": moved.index}

    def hold(self):
        moved = hold(
            self.home,
            REALM,
            project="five",
            environment=self.draw.choice(ENVIRONMENTS),
            exposure=self.draw.choice((0, 1000)),
            actor="bob",
        )
        return {"envelope": moved.envelope, "index": moved.index}

    def retire(self):
        moved = retire(
            self.home, REALM, project="five", environment=self.draw.choice(ENVIRONMENTS), actor="dave"
        )
        return {"envelope": moved.envelope, "index": moved.index}

    def revoke(self):
        said = revoke(
            self.home,
            REALM,
            scope=Scope.RELEASE,
            digest=verify_package(self.home, REALM, self.stage / "packages" / "last").release.digest,
            name="",
            reason="harmful",
            note="",
            actor="carol",
        )
        return {"envelope": said.envelope, "index": said.index}

    def bare(self):
        """A gate gone mad: promotions of every kind, signed by its key, that nobody has admitted."""
        package, environment = self.place()
        release = verify_package(self.home, REALM, package).release
        realm = open_realm(self.home, REALM)
        state = realm.state
        slot = state.slot(release.name, environment)
        judgement = gate.Gate(realm).judge(
            release=release,
            environment=environment,
            view=realm.view,
            state=state,
            requester=realm.actor("dave").principal,
            now=clock.now(),
        )
        action = self.draw.choice(list(Action))
        entering = action in {Action.PROMOTE, Action.EXPOSE}
        used = slot.candidate.approvals if slot.candidate is not None and self.draw.random() < 0.5 else ()
        said = state.decisions.get((release.digest, environment), [])
        if entering and self.draw.random() < 0.6:
            judgement = gate.Gate(realm).record(realm, release, judgement, clock.now())
            decision = judgement.recorded
        else:
            decision = self.draw.choice(said).digest if said else ""
        heads = [*[slot.head] * 8, "", self.draw.choice(list(state.by_digest))]
        fact = Promotion(
            action=action,
            release=release.digest,
            name=release.name,
            version=release.version,
            project=release.name,
            environment=environment,
            prev=self.draw.choice(heads),
            decision=decision if entering else "",
            approvals=(judgement.admission.approvals or used) if entering else (),
            requester=realm.actor(self.draw.choice(("alice", "bob", "dave"))).principal,
            exposure=self.draw.choice((0, 1000, 2500, 10_000, 10_000)),
            realm=state.root,
        )
        receipt = realm.append([(fact.statement(), realm.signer(Duty.GATE))])[0]
        return {"envelope": receipt.envelope, "index": receipt.index}


def main():
    children = []
    for line in sys.stdin:
        if line == "wait\n":
            found = [[pid, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])] for pid in children]
            children = []
            sys.stdout.write(json.dumps(found) + "\n")
        else:
            command = json.loads(line)
            child = os.fork()
            if not child:
                status = 1
                try:
                    Worker(command).run(command["count"], command["seconds"])
                    status = 0
                except Exception:
                    traceback.print_exc()
                    raise
                finally:
                    sys.stderr.flush()
                    os._exit(status)
            children.append(child)
            sys.stdout.write(json.dumps({"pid": child}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
