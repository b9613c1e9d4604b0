"""A cold re-decision: what `lockflight check DIR --env staging --record` costs over evidence that is there already.

In a fresh process, in a team realm, recorded: that is what a pipeline pays for a decision that counts. The realm's
gate has decided before, with the same policy, engines and version, so the policy is not proven again (ADR 16). Beside
it, what must be paid in any case: each engine that judges there, bare, in a fresh process of its own, for one
evaluation of the very facts, and `lockflight verify` of the package.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench._common import Claim, Cost, at_most, child
from lockflight.core.gate.ruling import parse_ruling
from lockflight.policy.bundle import baseline
from lockflight.store.blobs import BlobStore

GOAL = 1.5
CLAIM = "CPU of a cold re-decision, recorded"
CAUSE = (
    "half of what is ours are imports, a quarter is the SHA-256 of both engines' libraries (44 MB), which every"
    " decision names"
)
ENVIRONMENT = "staging"
MANIFEST = """\
[release]
name = "five"
version = "1"
kind = "dataset"
tier = "minimal"

[[assets]]
role = "dataset"
files = ["*.txt"]
"""
MANIFEST_NAME = "lockflight.toml"

OPA = """
import json, sys
from opa_bindings import OpaEngine
policy = json.load(open(sys.argv[1]))
engine = OpaEngine()
for path, source in policy["modules"].items():
    engine.add_policy(path, source)
engine.add_data(policy["data"])
print(json.dumps(engine.eval_document(policy["entrypoint"].removeprefix("data."), json.load(open(sys.argv[2])))))
"""
REGORUS = """
import json, sys
import regorus
policy = json.load(open(sys.argv[1]))
engine = regorus.Engine()
for path, source in policy["modules"].items():
    engine.add_policy(path, source)
engine.add_data_json(json.dumps(policy["data"]))
engine.set_input_json(open(sys.argv[2]).read())
print(engine.eval_rule_as_json(policy["entrypoint"]))
"""
BARE = {"opa": OPA, "regorus": REGORUS}


class Scene:
    """A home with a team realm in which everything has been scanned, signed and decided once."""

    def __init__(self, scratch: Path) -> None:
        self.command = Path(sys.executable).with_name("lockflight")
        self.kept, self.home = scratch / "kept", scratch / "home"
        self.work, self.package = scratch / "work", scratch / "package"
        self.facts, self.policy = scratch / "facts.json", scratch / "policy.json"
        scratch.mkdir()
        os.environ["LOCKFLIGHT_HOME"] = str(self.home)
        os.environ["LOCKFLIGHT_REALM"] = "team"
        os.environ["LOCKFLIGHT_AS"] = "you"
        # As installed: nobody compiles the modules again for each command.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        self.work.mkdir()
        for name in ("a.txt", "b.txt", "c.txt", "d.txt"):
            (self.work / name).write_text(f"{name}\n", encoding="utf-8")
        (self.work / MANIFEST_NAME).write_text(MANIFEST, encoding="utf-8")
        for words in (
            ("realm", "init", "team", "--member", "you=author", "--member", "colleague=approver"),
            ("sign", self.work, "--out", self.package),
        ):
            child([self.command, *words])
        self.check()
        shutil.copytree(self.home, self.kept)

    def check(self) -> Cost:
        """One decision."""
        return child([self.command, "check", self.work, "--env", ENVIRONMENT, "--record", "--json"])

    def again(self) -> Cost:
        """The decision, over the evidence that is there; each time in the same realm, with one decision before it."""
        shutil.rmtree(self.home)
        shutil.copytree(self.kept, self.home)
        return self.check()

    def verify(self) -> Cost:
        """`lockflight verify` of the package in the same realm."""
        return child([self.command, "verify", self.package])

    def bare(self, name: str) -> Cost:
        """An engine alone: start, policy, one evaluation of the facts of the first decision."""
        return child([sys.executable, "-c", BARE[name], self.policy, self.facts])

    def engines(self) -> tuple[str, ...]:
        """Which engines judge there; leaves the policy and the facts of a decision for `bare`.

        Raises:
            RuntimeError: the decision is not what was meant, or an engine alone comes to another ruling.
        """
        told = json.loads(self.again().output)["result"]
        judged = told["judgements"][ENVIRONMENT]
        if told["ran"] or not judged["allow"] or not judged["recorded"]:
            raise RuntimeError(f"this was no re-decision that counts: {judged}")
        facts = BlobStore(self.home / "realms" / "team" / "blobs").get(judged["input_digest"])
        if facts is None:
            raise RuntimeError("the facts of the decision were not kept")
        bundle = baseline()
        self.facts.write_bytes(facts)
        policy = {"modules": dict(bundle.modules), "data": bundle.data, "entrypoint": bundle.entrypoint}
        self.policy.write_text(json.dumps(policy), encoding="utf-8")
        names = tuple(engine["name"] for engine in judged["engines"])
        for name in names:
            ruling = parse_ruling(json.loads(self.bare(name).output))
            if [rule.to_json() for rule in ruling.rules] != judged["rules"]:
                raise RuntimeError(f"{name} alone comes to another ruling")
        return names


def cold_claim(scratch: Path, *, rounds: int) -> Claim:
    """The line of the table; sides in turns, of each its cheapest round, since load only ever adds."""
    scene = Scene(scratch)
    names = scene.engines()
    sides: dict[str, Callable[[], Cost]] = {"check": scene.again, "verify": scene.verify}
    sides |= {name: partial(scene.bare, name) for name in names}
    seen: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, run in sides.items():
            seen[name].append(run().cpu)
    least = {name: min(costs) for name, costs in seen.items()}
    print("CPU of a cold re-decision, ms: " + ", ".join(f"{n} {c * 1000:.0f}" for n, c in least.items()))
    sum_of_parts = sum(cost for name, cost in least.items() if name != "check")
    return at_most(
        CLAIM, least["check"] / sum_of_parts, GOAL, f"bare {' and '.join(names)}, and verify", cause=CAUSE
    )
