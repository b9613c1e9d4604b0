"""Two engines that must agree cost little more than OPA alone.

One fixed release, judged by the shipped pack for production:

- A decision over 100 KB of facts, evaluated by regorus and OPA side by side, compared, signed and appended to a log,
  takes at most 2.0 of the processor time of OPA's bare evaluation of the same policy over the same JSON text.
- regorus alone, in its child, takes at most 0.5 of it.
- Over 5 MB of facts neither child takes more than 350 MB of memory.
- A cold re-decision, `lockflight check DIR --env staging --record` in a fresh process over evidence that is there,
  takes at most 1.5 of the processor time of what it cannot do without: each engine that judges there, bare, in a fresh
  process, for one evaluation of the same facts, and `lockflight verify` of the package (`bench/_cold.py`).

Bare means: OPA as a library in a process of its own with Go's own settings, policy and data loaded, JSON text in, JSON
text out. (Our child of OPA collects garbage less often, so it is the faster one.) Processor
time is that of all processes of a side. The log lies in memory where there is a folder for it, so that no disk is
measured; its commits are as durable as ever. All sides must come to the same ruling before anything is timed.
"""

from __future__ import annotations

import copy
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench._cold import cold_claim
from bench._common import Claim, arguments, at_most, finish
from lockflight.app.realm.logs import open_log
from lockflight.core.attest.dsse import Envelope
from lockflight.core.canonical import JsonObject, dumps
from lockflight.core.gate.gate import Decision, decide
from lockflight.core.gate.ruling import parse_ruling
from lockflight.core.gate.vsa import to_vsa
from lockflight.log.writer import LogWriter
from lockflight.policy.bundle import Bundle, baseline
from lockflight.policy.engines import opa
from lockflight.policy.engines.dual import DualEngine
from lockflight.policy.engines.library import LibraryEngine
from lockflight.policy.engines.opa import OpaEngine
from lockflight.policy.engines.regorus import RegorusEngine
from lockflight.policy.gate import PolicyGate
from lockflight.signing.keys import FileSigner
from lockflight.store.pins import PinStore

SMALL, LARGE = 100_000, 5_000_000
DUAL_GOAL, REGORUS_GOAL, MEMORY_GOAL = 2.0, 0.5, 350.0
NOW = 1_793_451_600
PEER = f"OPA alone ({opa.DISTRIBUTION} {opa.VERSION})"

BARE = """
import json, sys
from opa_bindings import OpaEngine

policy = json.loads(sys.stdin.readline())
engine = OpaEngine()
for path, source in policy["modules"].items():
    engine.add_policy(path, source)
engine.add_data(policy["data"])
rule = policy["entrypoint"].removeprefix("data.")
for line in sys.stdin:
    print(json.dumps(engine.eval_document(rule, json.loads(line))), flush=True)
"""


class Bare:
    """OPA in a process of its own; a line of JSON in, a line of JSON out."""

    def __init__(self, bundle: Bundle) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", BARE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=-1
        )
        policy = {"modules": dict(bundle.modules), "data": bundle.data, "entrypoint": bundle.entrypoint}
        self._send(json.dumps(policy).encode())

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def _send(self, line: bytes) -> None:
        if self._process.stdin is None:
            raise AssertionError("stdin is a pipe")
        self._process.stdin.write(line + b"\n")
        self._process.stdin.flush()

    def evaluate(self, document: bytes) -> bytes:
        """The policy's output as JSON."""
        self._send(document)
        if self._process.stdout is None:
            raise AssertionError("stdout is a pipe")
        return self._process.stdout.readline()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


def grown(size: int) -> JsonObject:
    """The pack's own facts of a release that is fine, with so many models that they are about `size` bytes of JSON."""
    facts: JsonObject = copy.deepcopy(baseline().base)
    text = dumps(facts).decode()
    model = next(a for a in facts["release"]["assets"] if a["role"] == "model-weights")
    row = next(r for r in facts["evidence"]["scan/models"] if r["subject"] == model["digest"])
    wanted = next(e for e in facts["expected"]["scan/models"] if e["subject"] == model["digest"])
    each = len(dumps(model)) + len(dumps(row)) + len(dumps(wanted))
    for number in range((size - len(text)) // each):
        name, digest = f"model-{number + 1:05d}.safetensors", f"{number + 1:064x}"
        facts["release"]["assets"].append({**model, "name": name, "digest": digest})
        facts["expected"]["scan/models"].append({**wanted, "name": name, "subject": digest})
        facts["evidence"]["scan/models"].append(
            {**row, "name": name, "subject": digest, "digest": f"{number + 1:063x}e"}
        )
    return facts


def cpu(*pids: int) -> float:
    """Seconds of processor time that this process and some of its living children have used, all threads counted."""
    # The CPU clock of another process (clock_getcpuclockid of POSIX), as Linux numbers it.
    return time.process_time() + sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


def child_of(engine: LibraryEngine) -> int:
    process = engine._worker._process  # noqa: SLF001 - no caller needs the number of a child, but this one
    if process is None:
        raise AssertionError("the engine has not been asked yet")
    return process.pid


def peak(pid: int) -> float:
    """Largest resident memory of a living process so far, in MB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6


def new_log(home: Path) -> LogWriter:
    log, clock = (FileSigner(Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32)) for n in (1, 2))
    return open_log(
        home / "realm",
        origin="bench.example/policy",
        log_signer=log,
        clock_signer=clock,
        clock=lambda: NOW,
        pins=PinStore(home),
    )


class Decider:
    """What `check` does once the facts are there: decide, sign as a VSA, append."""

    def __init__(self, gate: PolicyGate, log: LogWriter) -> None:
        self._gate, self._log = gate, log
        self._signer = FileSigner(generate_private_key(SECP256R1()))
        self._number = 0

    def run(self, facts: JsonObject) -> Decision:
        """One decision, recorded."""
        decision = decide(facts, self._gate.ref, self._gate.evaluate, engines=self._gate.engines)
        self._number += 1
        statement = to_vsa(
            decision,
            assets=[(a["name"], a["digest"]) for a in facts["release"]["assets"]],
            verifier="https://lockflight.dev/verifier/bench",
            versions={engine["name"]: engine["version"] for engine in decision.engines},
            time_verified="2026-10-31T13:00:00Z",
            # A number, since a log gives an envelope that it holds the place that it has.
            resource_uri=f"lockflight:bench/{self._number}",
            policy_uri=f"lockflight:policy/{decision.policy.name}",
            attestations=[row["digest"] for rows in facts["evidence"].values() for row in rows],
            separation="people",
        )
        payload = statement.payload()
        signature = self._signer.sign(Envelope(payload, b"").signed_bytes)
        self._log.append(
            [(Envelope(payload, signature, self._signer.keyid).encode(), self._signer.public_der)]
        )
        return decision


def rounds_of(
    sides: dict[str, tuple[Callable[[], object], tuple[int, ...]]], rounds: int
) -> dict[str, float]:
    """Median CPU seconds of each side, run in turns; the first rounds warm up and are not counted."""
    seen: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 3):
        for name, (work, pids) in sides.items():
            before = cpu(*pids)
            work()
            if number >= 3:
                seen[name].append(cpu(*pids) - before)
    return {name: statistics.median(costs) for name, costs in seen.items()}


def main() -> int:
    quick = arguments(__doc__).quick
    if not opa.installed():
        print(f"missing: {opa.DISTRIBUTION}; {opa.INSTALL}")
        return 1
    bundle = baseline()
    regorus, second = RegorusEngine(), OpaEngine()
    gate = PolicyGate(bundle, DualEngine(regorus, second))
    bare = Bare(bundle)
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as home:
        log = new_log(Path(home))
        try:
            claims = measure(
                bundle, gate, bare, regorus, second, Decider(gate, log), rounds=25 if quick else 100
            )
        finally:
            log.close()
            for engine in (regorus, second):
                engine.close()
            bare.close()
        claims.append(cold_claim(Path(home) / "cold", rounds=9 if quick else 25))
    return finish(*claims)


def measure(
    bundle: Bundle,
    gate: PolicyGate,
    bare: Bare,
    regorus: RegorusEngine,
    second: OpaEngine,
    decider: Decider,
    *,
    rounds: int,
) -> list[Claim]:
    facts = grown(SMALL)
    document = dumps(facts)
    decision = decider.run(facts)
    told = parse_ruling(json.loads(bare.evaluate(document)))
    alone = parse_ruling(regorus.evaluate(bundle.modules, bundle.data, bundle.entrypoint, document))
    if not decision.allow or not (decision.rules == told.rules == alone.rules):
        raise RuntimeError(f"the sides do not agree, or not on what was meant: {decision.violations}")
    children = child_of(regorus), child_of(second)
    medians = rounds_of(
        {
            "bare": (lambda: bare.evaluate(document), (bare.pid,)),
            "dual": (lambda: decider.run(facts), children),
            "regorus": (
                lambda: regorus.evaluate(bundle.modules, bundle.data, bundle.entrypoint, document),
                children[:1],
            ),
            "opa": (
                lambda: second.evaluate(bundle.modules, bundle.data, bundle.entrypoint, document),
                children[1:],
            ),
        },
        rounds,
    )
    large = grown(LARGE)
    gate.evaluate(dumps(large))
    peaks = {"regorus": peak(child_of(regorus)), "opa": peak(child_of(second))}
    print(f"facts: {len(document)} and {len(dumps(large))} bytes; {len(decision.rules)} rule results")
    print("CPU, ms: " + ", ".join(f"{name} {value * 1000:.1f}" for name, value in medians.items()))
    print("peak memory, MB: " + ", ".join(f"{name} {value:.0f}" for name, value in peaks.items()))
    return [
        at_most(
            "CPU of a dual decision, 100 KB, signed and appended",
            medians["dual"] / medians["bare"],
            DUAL_GOAL,
            PEER,
        ),
        at_most("CPU of regorus alone, 100 KB", medians["regorus"] / medians["bare"], REGORUS_GOAL, PEER),
        at_most("memory of the larger child, 5 MB", max(peaks.values()), MEMORY_GOAL, "none", unit="MB"),
    ]


if __name__ == "__main__":
    sys.exit(main())
