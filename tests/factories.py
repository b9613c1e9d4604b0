"""Builders for tests: releases, realms and logs in memory, with real keys and real signatures."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field

from lockflight.core.attest.acts import Action, Approval, Promotion, Registration, Revocation, Scope
from lockflight.core.attest.changes import Review, Verdict
from lockflight.core.attest.check import CheckInfo, CheckResult, Grain, Status, Subject, Tool
from lockflight.core.attest.scanfact import scan_fact
from lockflight.core.attest.statement import Statement
from lockflight.core.attest.tree import assets_of, tree
from lockflight.core.attest.trust import LADDER, Duty, Grant, RealmKey, RealmKind, Trust, root_digest
from lockflight.core.facts.precedents import Engines
from lockflight.core.findings import Severity
from lockflight.core.fold.run import advance, fold
from lockflight.core.gate.gate import basis
from lockflight.core.gate.ruling import Violation
from lockflight.core.gate.unsettled import Said
from lockflight.core.gate.vsa import StoredDecision
from lockflight.core.release.release import Asset, Release, make_release
from lockflight.core.state.state import FoldEntry, State
from lockflight.core.times import rfc3339
from lockflight.core.verify.crypto.keys import load_der
from lockflight.core.verify.log.leaf import leaf_for
from lockflight.core.words import Kind, Role, Tier
from lockflight.signing.keys import ED25519, P256, FileSigner, generate
from lockflight.signing.oms import sign_release, sign_statement

NOW = 1_780_000_000


def asset(name: str, role: Role, body: bytes = b"x", media_type: str = "text/plain") -> Asset:
    """An asset with honest digests."""
    from blake3 import blake3

    return Asset(
        name, role, len(body), hashlib.sha256(body).hexdigest(), blake3(body).hexdigest(), media_type
    )


def release(
    *extra: Asset,
    name: str = "bot",
    version: str = "1.0.0",
    kind: Kind = Kind.CLASSIFIER,
    tier: Tier = Tier.MINIMAL,
) -> Release:
    """A small release: the manifest, a model, code, a prompt, a README and what is given."""
    assets = [
        asset("lockflight.toml", Role.RELEASE_MANIFEST, f"{name} {version}".encode()),
        asset("model.safetensors", Role.MODEL_WEIGHTS, b"weights"),
        asset("app.py", Role.CODE, b"print()"),
        asset("prompts/system.md", Role.SYSTEM_PROMPT, b"be kind"),
        asset("README.md", Role.DOCUMENTATION, b"read me"),
        *extra,
    ]
    return make_release(name=name, version=version, kind=kind, tier=tier, assets=assets)


INFO = CheckInfo(
    name="models",
    version="1",
    title="models",
    grain=Grain.ASSET,
    reads=frozenset({Role.MODEL_WEIGHTS}),
)


def result(*, status: Status = Status.COMPLETE, summary: dict[str, int] | None = None) -> CheckResult:
    """A check's result."""
    counts = {"safe": 1, "review": 0, "unknown": 0, "malicious": 0}
    return CheckResult(status=status, tool=Tool("test", "1"), summary=counts if summary is None else summary)


VIOLATION = Violation("LF4110", "models", "", Severity.CRITICAL, 1, 0, "bad", "fix it")


def basis_of(*, allow: bool = True, policy: str = "cc" * 32) -> str:
    """The basis of `Ledger.decide` with the same arguments."""
    return basis(policy, (), (), () if allow else (VIOLATION,))


@dataclass
class Ledger:
    """A realm's log in memory: statements in, entries and state out."""

    kind: RealmKind = RealmKind.TEAM
    keys: dict[str, FileSigner] = field(default_factory=dict)
    entries: list[FoldEntry] = field(default_factory=list)
    root: str = ""
    heads: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        duties = (Duty.ROOT, Duty.LOG, Duty.CLOCK, Duty.GATE, Duty.PRODUCER)
        for duty in duties:
            self.keys[duty.value] = generate(ED25519 if duty in {Duty.LOG, Duty.CLOCK} else P256)
        self.trust = Trust(
            name="acme",
            kind=self.kind,
            origin="realm.invalid/acme",
            keys=tuple(RealmKey(self.keys[d.value].public_der, d) for d in duties),
            ladder=LADDER,
        )
        self.root = root_digest(self.trust.statement().payload())
        self.add(self.trust.statement(), "root")

    def add(self, statement: Statement, signer: str, *, logged_at: int | None = None) -> str:
        """Sign, log, return the envelope's digest."""
        envelope = sign_statement(statement, self.keys[signer])
        return self.add_envelope(envelope.encode(), self.keys[signer].public_der, logged_at=logged_at)

    def add_envelope(self, data: bytes, der: bytes, *, logged_at: int | None = None) -> str:
        """Log an envelope as it is."""
        from lockflight.core.attest.dsse import decode

        envelope = decode(data)
        index = len(self.entries)
        self.entries.append(
            FoldEntry(
                index,
                leaf_for(envelope, load_der(der)),
                envelope.digest,
                data,
                NOW + index if logged_at is None else logged_at,
            )
        )
        return envelope.digest

    def person(self, name: str, *roles: str, duty: Duty = Duty.PERSON, consent: str = "") -> str:
        """Grant a new key to a person (or producer); returns the pseudonym."""
        principal = f"p-{name}"
        self.keys[name] = generate(P256)
        key = RealmKey(self.keys[name].public_der, duty, principal, tuple(roles))
        self.grant(key, consent=consent)
        return principal

    def grant(self, key: RealmKey, *, withdrawn: bool = False, by: str = "root", consent: str = "") -> str:
        """A grant, with the consent of somebody else where the realm asks for one; returns its digest."""
        prev = self.heads.get(key.principal, "")
        digest = self.add(Grant(key, withdrawn=withdrawn, prev=prev, realm=self.root).statement(), by)
        self.heads[key.principal] = digest
        if not self.state().founding and self.kind is not RealmKind.PERSONAL:
            self.review(digest, consent or self._other(key.principal, by))
        return digest

    def _other(self, *principals: str) -> str:
        people = self.state().people()
        named = {f"p-{name}": name for name in self.keys}
        return next(named[p] for p in sorted(people) if p not in principals and p in named)

    def review(self, digest: str, signer: str, verdict: Verdict = Verdict.CONSENT) -> str:
        """A second person's word."""
        return self.add(Review(digest, "proposal", verdict, "", self.root).statement(), signer)

    def register(self, what: Release, signer: str) -> str:
        """Sign a release and register it; returns the registration's digest."""
        envelope = sign_release(what, self.keys[signer])
        signature = self.add_envelope(envelope.encode(), self.keys[signer].public_der)
        registration = Registration(
            what.digest,
            what.name,
            what.version,
            what.kind.value,
            what.tier.value,
            signature,
            what.oms_root,
            self.root,
            tree(assets_of(what)),
        )
        return self.add(registration.statement(), signer)

    def scan(
        self,
        what: Release,
        found: CheckResult | None = None,
        *,
        info: CheckInfo = INFO,
        signer: str = "producer",
    ) -> str:
        """Evidence of a check over its first subject."""
        from lockflight.core.attest.check import subjects

        subject: Subject = subjects(info, what)[0]
        return self.add(
            scan_fact(info, subject, found or result(), rfc3339(NOW + 10_000)).statement(), signer
        )

    def decide(
        self,
        what: Release,
        environment: str,
        *,
        allow: bool = True,
        policy: str = "cc" * 32,
        engines: Engines = (),
        version: str = "0",
        signer: str = "gate",
        unsettled: tuple[Said, ...] = (),
    ) -> str:
        """A decision of the gate, recorded as a VSA; its basis is that of `basis_of`. Alice registers the release."""
        if "alice" in self.keys and what.digest not in self.state().registrations:
            self.register(what, "alice")
        violations = () if allow else (VIOLATION,)
        decision = StoredDecision(
            release=what.digest,
            name=what.name,
            environment=environment,
            allow=allow,
            basis=basis_of(allow=allow, policy=policy),
            policy=policy,
            policy_uri="lockflight:policy/test@1",
            resource_uri=f"lockflight:{what.name}@sha256:{what.digest}",
            verifier="https://lockflight.dev/verifier/test",
            versions=(("lockflight", version),),
            time_verified=rfc3339(NOW),
            attestations=(),
            separation="people",
            input_digest="dd" * 32,
            output_digest="ee" * 32,
            engines=engines,
            unsettled=unsettled,
            rules=(),
            violations=violations,
            warnings=(),
            waived=(),
            evaluated=(),
            skipped=(),
        )
        return self.add(decision.statement(), signer)

    def approve(
        self, what: Release, signer: str, *, basis: str, environment: str = "staging", **changes: str
    ) -> str:
        """An approval."""
        approval = Approval(
            release=what.digest,
            name=what.name,
            environment=environment,
            basis=basis,
            verdict=changes.get("verdict", "approve"),
            nonce=changes.get("nonce", secrets.token_hex(16)),
            factor=changes.get("factor", "key"),
            proved=changes.get("proved", ""),
            expires=changes.get("expires", rfc3339(NOW + 86_400)),
            realm=self.root,
        )
        return self.add(approval.statement(), signer)

    def promote(
        self,
        what: Release,
        *,
        decision: str,
        environment: str = "development",
        approvals: tuple[str, ...] = (),
        requester: str = "p-alice",
        prev: str | None = None,
        action: Action = Action.PROMOTE,
        signer: str = "gate",
    ) -> str:
        """A promotion statement on top of the slot's head."""
        head = self.state().slot(what.name, environment).head if prev is None else prev
        promotion = Promotion(
            action=action,
            release=what.digest,
            name=what.name,
            version=what.version,
            project=what.name,
            environment=environment,
            prev=head,
            decision=decision,
            approvals=approvals,
            requester=requester,
            realm=self.root,
        )
        return self.add(promotion.statement(), signer)

    def revoke(self, digest: str, signer: str, *, scope: Scope = Scope.RELEASE) -> str:
        """A revocation."""
        return self.add(Revocation(scope, digest, "it", "compromised", realm=self.root).statement(), signer)

    def state(self) -> State:
        """The fold of everything so far; going on from a copy after each entry ends in the same."""
        state = fold(self.root, self.entries)
        grown = fold(self.root, self.entries[:1])
        for entry in self.entries[1:]:
            grown = grown.fork()
            advance(grown, entry)
        assert grown == state
        return state
