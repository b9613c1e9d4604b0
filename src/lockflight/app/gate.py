"""Facts in, decision out, decision into the log: the part of the way that every verdict goes through."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import lockflight
from lockflight.app.policies import bundle_in_force, keep
from lockflight.core.admit import Admission, admit
from lockflight.core.canonical import dumps
from lockflight.core.claims import attestations
from lockflight.core.facts import build_facts
from lockflight.core.gate import decide, required, to_vsa, waivers_told
from lockflight.core.precedents import precedents
from lockflight.core.records import dataclass
from lockflight.core.times import rfc3339
from lockflight.core.trust import Duty
from lockflight.policy.engines.pool import Engines
from lockflight.policy.gate import PolicyGate
from lockflight.scan.table import infos
from lockflight.store.blobs import BlobStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockflight.app.realm import Realm
    from lockflight.app.view import RealmView
    from lockflight.core.canonical import JsonObject
    from lockflight.core.check import CheckInfo
    from lockflight.core.gate import Decision, StoredDecision
    from lockflight.core.ports import PolicyEngine
    from lockflight.core.release import Release
    from lockflight.core.state import State
    from lockflight.core.statement import Statement
    from lockflight.policy.bundle import Bundle

#: Rules whose failure means that evidence is missing, stale or incomplete: exit code 11 instead of 10.
EVIDENCE_CODES = frozenset({"LF4102", "LF4103", "LF4104"})

#: Rules that fail with the evidence of a check: where that says nothing bad, they follow from its absence.
FOLLOWS = {"LF4105": "models", "LF4107": "completeness"}


@dataclass(frozen=True, slots=True)
class Judgement:
    """A decision with what it was made from.

    Attributes:
        facts: the gate's input.
        decision: its output.
        admission: what people still have to do.
        recorded: envelope digest of the decision in the log; empty for a rehearsal.
    """

    facts: JsonObject
    decision: Decision
    admission: Admission
    recorded: str = ""

    @property
    def exit_code(self) -> int:
        """0 allowed, 11 if only evidence is missing, else 10."""
        return exit_code(self.decision, self.facts["evidence"])


def exit_code(decision: Decision | StoredDecision, evidence: object) -> int:
    """0 allowed, 11 if only evidence is missing, else 10.

    Args:
        decision: what was decided.
        evidence: the evidence of its facts, by type and check.
    """
    if decision.allow:
        return 0
    rows = evidence if isinstance(evidence, dict) else {}
    lacking = set(EVIDENCE_CODES)
    lacking |= {code for code, check in FOLLOWS.items() if not _judged(rows.get(f"scan/{check}"))}
    return 11 if {v.code for v in decision.violations} <= lacking else 10


def _judged(rows: object) -> bool:
    """Whether any evidence of a check says something that a rule could deny for."""
    return isinstance(rows, list) and any(
        isinstance(row, dict) and isinstance(summary := row.get("summary"), dict) and _speaks(summary)
        for row in rows
    )


def _speaks(summary: Mapping[str, object]) -> bool:
    return any(summary.get(key) for key in ("review", "unknown", "malicious", "gaps", "missing"))


class Gate:
    """The policies in force with their engines; one per run, so that each engine's canary runs once.

    Args:
        realm: whose adopted policies judge.
        bundle: a policy to try instead of them.
    """

    def __init__(self, realm: Realm, bundle: Bundle | None = None) -> None:
        self.infos: Mapping[str, CheckInfo] = {info.name: info for info in infos()}
        self._realm = realm
        self._tried = bundle
        self._engines = Engines()
        self._policies: dict[tuple[str, PolicyEngine], PolicyGate] = {}
        self._precedents = precedents(realm.state, lockflight.__version__)

    def bundle(self, environment: str) -> Bundle:
        """The policy that judges in an environment.

        Raises:
            EnvironmentProblem: LF4026 the adopted one is not here.
        """
        return self._tried or bundle_in_force(
            self._realm.folder, self._realm.state, environment, self._precedents.keys()
        )

    def policy(self, environment: str) -> PolicyGate:
        """The bundle with what must judge in an environment: one engine, or two that agree.

        Raises:
            EnvironmentProblem: LF4021 the bundle demands two engines there, and OPA is not installed; LF4026.
        """
        bundle = self.bundle(environment)
        engine = self._engines.for_mode(bundle.mode(environment))
        proven = self._precedents.get(bundle.digest, ())
        return self._policies.setdefault((bundle.digest, engine), PolicyGate(bundle, engine, proven))

    def required(self, release: Release, environment: str) -> dict[str, int]:
        """Checks that the policy demands for this release there: name to maximal age in seconds."""
        return required(self.bundle(environment).data, environment, release.kind.value, release.tier.value)

    def judge(
        self,
        *,
        release: Release,
        environment: str,
        view: RealmView,
        state: State,
        requester: str,
        now: int,
        break_glass: str = "",
        exposing: bool = False,
    ) -> Judgement:
        """Build the facts, decide, and say what people still have to do. Records nothing.

        Args:
            release: what wants to move.
            environment: where to.
            view: the realm, for its checkpoint.
            state: its fold, or a rehearsal's overlay of it.
            requester: pseudonym of who asks.
            now: Unix seconds.
            break_glass: envelope digest of a break-glass that stands for the quorum.
            exposing: a candidate gets more of the traffic.
        """
        facts = build_facts(
            release=release,
            environment=environment,
            state=state,
            checkpoint=view.checkpoint,
            infos=self.infos.values(),
            now=now,
            break_glass=break_glass,
        )
        policy = self.policy(environment)
        decision = decide(facts, policy.ref, policy.evaluate, engines=policy.engines)
        admission = admit(
            state=state,
            release=release.digest,
            name=release.name,
            version=release.version,
            environment=environment,
            allowed=decision.allow,
            basis=decision.basis,
            requester=requester,
            now=now,
            waivers=tuple(row.waiver for row in decision.waived),
            break_glass=break_glass,
            exposing=exposing,
        )
        return Judgement(facts, decision, admission)

    def statement(self, realm: Realm, release: Release, judgement: Judgement, now: int) -> Statement:
        """The decision as a SLSA VSA; what it was made from is kept in the realm's store for replays."""
        facts, decision = judgement.facts, judgement.decision
        document = dumps(facts)
        BlobStore(realm.folder / "blobs").put(document)
        return to_vsa(
            decision,
            assets=[(a.name, a.sha256) for a in release.assets],
            verifier=f"https://lockflight.dev/verifier/{realm.state.trust.origin}",
            versions={
                "lockflight": lockflight.__version__,
                **{e["name"]: e["version"] for e in decision.engines},
            },
            time_verified=rfc3339(now),
            resource_uri=f"lockflight:{release.name}@sha256:{release.digest}",
            policy_uri=f"lockflight:policy/{decision.policy.name}@{decision.policy.version}",
            attestations=attestations(facts),
            separation=judgement.admission.separation,
            bundle=keep(realm.folder, self.bundle(decision.environment)),
            waivers=waivers_told(facts, decision.waived),
        )

    def record(self, realm: Realm, release: Release, judgement: Judgement, now: int) -> Judgement:
        """Sign the decision with the gate key and put it into the log, denied or not."""
        statement = self.statement(realm, release, judgement, now)
        receipt = realm.append([(statement, realm.signer(Duty.GATE))])[0]
        return replace(judgement, recorded=receipt.envelope)
