"""Facts in, decision out, decision into the log: the part of the way that every verdict goes through."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import lockflight
from lockflight.app.policy.allowing import checks_under
from lockflight.app.policy.ownpolicy import judge_of, own_of
from lockflight.app.policy.policies import bundle_in_force, keep
from lockflight.core.attest.trust import Duty
from lockflight.core.canonical import dumps
from lockflight.core.facts.admit import Admission, admit
from lockflight.core.facts.facts import build_facts
from lockflight.core.facts.holding import Holding, holding
from lockflight.core.facts.precedents import precedents
from lockflight.core.gate.capsule import encode_files
from lockflight.core.gate.claims import attestations
from lockflight.core.gate.gate import decide, required
from lockflight.core.gate.vsa import to_vsa, waivers_told
from lockflight.core.records import dataclass
from lockflight.core.times import rfc3339
from lockflight.policy.engines.mode import strictest
from lockflight.policy.engines.pool import Engines
from lockflight.policy.gate import PolicyGate
from lockflight.store.blobs import BlobStore

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from lockflight.app.policy.ownpolicy import OwnBundle
    from lockflight.app.realm.realm import Realm
    from lockflight.app.realm.view import RealmView
    from lockflight.core.attest.check import CheckInfo
    from lockflight.core.attest.statement import Statement
    from lockflight.core.canonical import JsonObject
    from lockflight.core.facts.precedents import Engines as EnginesTold
    from lockflight.core.gate.gate import Decision
    from lockflight.core.gate.vsa import StoredDecision
    from lockflight.core.ports import PolicyEngine
    from lockflight.core.release.release import Release
    from lockflight.core.source import ByteSource
    from lockflight.core.state.state import State
    from lockflight.policy.bundle import Bundle
    from lockflight.policy.engines.mode import Mode

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
        held: how the environment holds the release already; None where it does not.
    """

    facts: JsonObject
    decision: Decision
    admission: Admission
    recorded: str = ""
    held: Holding | None = None

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
        self._realm = realm
        self._tried = bundle
        self._engines = Engines()
        # What a release brings along is a stranger's: it runs in children in which the realm's policy never was.
        self._outer = Engines()
        self._policies: dict[tuple[str, PolicyEngine], PolicyGate] = {}
        # Of the realm's policy only: what a release brings along is proven each time.
        self._precedents = precedents(realm.state, lockflight.__version__)
        self._own: dict[tuple[str, str], OwnBundle | None] = {}

    def checks(self, environment: str, now: int) -> dict[str, CheckInfo]:
        """Every check by name, as it judges under the realm's policy there at a time (Unix seconds).

        Raises:
            InvalidInput: LF2302 what the policy adds to the allow-list does not read.
            EnvironmentProblem: LF2303 it does not know the list of this installation; LF4026.
        """
        return checks_under(self.bundle(environment), now)

    def bundle(self, environment: str) -> Bundle:
        """The policy that judges in an environment.

        Raises:
            EnvironmentProblem: LF4026 the adopted one is not here.
        """
        return self._tried or bundle_in_force(
            self._realm.folder, self._realm.state, environment, self._precedents.keys()
        )

    def own(self, release: Release, sources: Mapping[str, ByteSource] | None = None) -> OwnBundle | None:
        """The policy that a release brings along; None where it brings none.

        Args:
            release: the release.
            sources: its bytes, where it lies open; else they come from the realm's store.

        Raises:
            PolicyDenied: LF4027 it is not here, LF4028 it does not read.
        """
        key = (release.policy, release.policy_digest)
        if key not in self._own:
            self._own[key] = own_of(release, self._realm.folder, sources)
        return self._own[key]

    def policy(self, environment: str, mode: Mode | None = None) -> PolicyGate:
        """The realm's policy with what must judge in an environment: one engine, or two that agree.

        Args:
            environment: where.
            mode: how many engines; what the policy says there by default.

        Raises:
            EnvironmentProblem: LF4021 two engines are demanded there, and OPA is not installed; LF4026.
        """
        bundle = self.bundle(environment)
        engine = self._engines.for_mode(mode or bundle.mode(environment))
        return self._policy(bundle, engine, self._precedents.get(bundle.digest, ()))

    def _policy(
        self, bundle: Bundle, engine: PolicyEngine, proven: Collection[EnginesTold] = ()
    ) -> PolicyGate:
        return self._policies.setdefault((bundle.digest, engine), PolicyGate(bundle, engine, proven))

    def required(
        self, release: Release, environment: str, sources: Mapping[str, ByteSource] | None = None
    ) -> dict[str, int]:
        """Checks that the policy, or the release's own, demands there: name to maximal age in seconds.

        Raises:
            EnvironmentProblem: LF4005 the policy's data have another shape; LF4026.
            PolicyDenied: LF4027, LF4028 the own policy.
        """
        kind, tier = release.kind.value, release.tier.value
        ages = required(self.bundle(environment).data, environment, kind, tier)
        own = self.own(release, sources)
        if own is not None and "required" in own.bundle.data:
            for name, age in required(own.bundle.data, environment, kind, tier).items():
                ages[name] = min(age, ages.get(name, age))
        return ages

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
        sources: Mapping[str, ByteSource] | None = None,
    ) -> Judgement:
        """Build the facts, decide, and say what people still have to do. Records nothing.

        A policy that the release brings along judges too, on the same engines; both must allow.

        Args:
            release: what wants to move.
            environment: where to.
            view: the realm, for its checkpoint.
            state: its fold, or a rehearsal's overlay of it.
            requester: pseudonym of who asks.
            now: Unix seconds.
            break_glass: envelope digest of a break-glass that stands for the quorum.
            exposing: a candidate gets more of the traffic.
            sources: the release's bytes, where it lies open; else its own policy comes from the realm's store.

        Raises:
            EnvironmentProblem: LF4021 two engines are demanded there, and OPA is not installed; LF4026.
            PolicyDenied: LF4010 to LF4020 the policy, LF4027 to LF4029 the release's own cannot judge.
        """
        facts = build_facts(
            release=release,
            environment=environment,
            state=state,
            checkpoint=view.checkpoint,
            infos=self.checks(environment, now).values(),
            now=now,
            break_glass=break_glass,
        )
        own = self.own(release, sources)
        mode = self.bundle(environment).mode(environment)
        if own is not None:
            mode = strictest(mode, own.bundle.mode(environment))
        policy = self.policy(environment, mode)
        second = None
        if own is not None:
            second = judge_of(own, self._policy(own.bundle, self._outer.for_mode(mode)), policy.ref)
        decision = decide(facts, policy.ref, policy.evaluate, engines=policy.engines, own=second)
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
        inside = holding(state, release.name, environment, release.digest)
        return Judgement(facts, decision, admission, held=inside)

    def statement(self, realm: Realm, release: Release, judgement: Judgement, now: int) -> Statement:
        """The decision as a SLSA VSA; what it was made from is kept in the realm's store for replays."""
        facts, decision = judgement.facts, judgement.decision
        document = dumps(facts)
        blobs = BlobStore(realm.folder / "blobs")
        for body in (document, *(one.output for one in decision.unsettled if one.output)):
            blobs.put(body)
        own = self.own(release)
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
            own=blobs.put(encode_files(own.files)) if own is not None else "",
        )

    def record(self, realm: Realm, release: Release, judgement: Judgement, now: int) -> Judgement:
        """Sign the decision with the gate key and put it into the log, denied or not."""
        statement = self.statement(realm, release, judgement, now)
        receipt = realm.append([(statement, realm.signer(Duty.GATE))])[0]
        return replace(judgement, recorded=receipt.envelope)
