"""From a judgement, or from a decision in the log, to the record that reports are made of."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lockflight.app.explain import entries
from lockflight.app.gate.judge import exit_code
from lockflight.cli.common import left_to_people
from lockflight.cli.lines.findings import behind_rules
from lockflight.cli.lines.rules import command_for
from lockflight.cli.reports.changes import changes, tried
from lockflight.cli.reports.record import (
    Failure,
    Passed,
    People,
    Proof,
    Rejected,
    Report,
    Said,
    Verdict,
)
from lockflight.cli.reports.rows import asset_rows, evidence_rows, idle_waivers, waived_row
from lockflight.core.shape import array, obj, text
from lockflight.core.text.persons import with_names
from lockflight.core.times import rfc3339, unix

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lockflight.app.gate.check import CheckOutcome
    from lockflight.app.gate.decision import Recorded
    from lockflight.app.gate.remedies import Remedies
    from lockflight.app.gate.waivers import Known
    from lockflight.app.realm.view import RealmView
    from lockflight.cli.reports.record import Change
    from lockflight.core.canonical import JsonObject
    from lockflight.core.facts.admit import Admission
    from lockflight.core.facts.holding import Holding
    from lockflight.core.gate.gate import Decision, PolicyRef
    from lockflight.core.gate.ruling import Violation
    from lockflight.core.gate.vsa import OwnPolicy, StoredDecision

_VERDICTS = {0: Verdict.ALLOWED, 10: Verdict.DENIED, 11: Verdict.INCOMPLETE}


def report_of_check(outcome: CheckOutcome, environment: str, folder: str) -> Report:
    """The report of one environment's judgement by `check`.

    Args:
        outcome: what `check` found.
        environment: one of its judgements.
        folder: the workspace as it was typed, for commands.
    """
    judgement = outcome.judgements[environment]
    facts, decision = judgement.facts, judgement.decision
    realm, release = obj(facts["realm"]), obj(facts["release"])
    now = text(facts["now"])
    return _report(
        decision,
        release,
        obj(facts["evidence"]),
        outcome.names,
        environment=environment,
        version=outcome.release.version,
        decided_at=now,
        folder=folder,
        people=_people(judgement.admission, judgement.held, (), now, outcome.names),
        waivers=[obj(w) for w in array(facts["waivers"])],
        known=outcome.waivers.get(environment),
        rejected=_rejected(map(obj, array(facts["rejected"]))),
        proof=Proof(
            realm=outcome.realm,
            root=text(realm["root"]),
            checkpoint=text(realm["checkpoint"]),
            envelope=judgement.recorded,
            index=-1,
            policy=decision.policy.name,
            version=decision.policy.version,
            policy_digest=decision.policy.digest,
            engines=_engines(decision.engines),
            basis=decision.basis,
            facts=decision.input_digest,
            output=decision.output_digest,
            own=_own(decision.own),
        ),
    )


def report_of_record(view: RealmView, recorded: Recorded, now: int, found: Remedies | None = None) -> Report:
    """The report of a decision in the log.

    Args:
        view: the realm.
        recorded: the decision.
        now: Unix seconds, for what people still have to do.
        found: what would have changed it; None where nobody looked.
    """
    stored, admission = recorded.stored, recorded.admission
    counted = {*admission.counted, *admission.approvals}
    used, ignored = view.state.used_approvals, dict(admission.ignored)
    said = []
    for record, approval in recorded.approvals:
        why = ignored.get(record.digest, "")
        state = "counts" if record.digest in counted else f"does not count{why and f': {why}'}"
        if approval.verdict == "deny":
            state = "denies"
        elif record.digest in used:
            state = "used by a promotion"
        elif approval.basis != stored.basis:
            state = "void: for another outcome"
        elif unix(approval.expires) <= now:
            state = "expired"
        person = view.name_of(record.key.principal) if record.key is not None else "a stranger"
        said.append(Said(person, approval.verdict, rfc3339(record.logged_at), approval.expires, state))
    uri, _, version = stored.policy_uri.removeprefix("lockflight:policy/").rpartition("@")
    return _report(
        stored,
        recorded.release,
        recorded.evidence,
        view.names(),
        environment=stored.environment,
        version=recorded.version,
        decided_at=stored.time_verified,
        folder="",
        people=replace(
            _people(admission, recorded.held, tuple(said), rfc3339(now), view.names()),
            separation=stored.separation,
        ),
        rejected=_rejected(recorded.rejected),
        waivers=recorded.waivers,
        known=recorded.known,
        changed=changes(found, recorded.facts),
        tried=tuple(tried(found)) if found is not None and found.rows else (),
        unread=recorded.unread,
        proof=Proof(
            realm=view.name,
            root=view.state.root,
            checkpoint=recorded.checkpoint,
            envelope=recorded.record.digest,
            index=recorded.record.index,
            policy=uri,
            version=version,
            policy_digest=stored.policy,
            engines=_engines(dict(e) for e in stored.engines),
            basis=stored.basis,
            facts=stored.input_digest,
            output=stored.output_digest,
            own=_own(stored.own),
        ),
    )


def _report(  # noqa: PLR0913 - what the two sources of a report do not share
    decision: Decision | StoredDecision,
    release: JsonObject,
    evidence: JsonObject,
    names: Mapping[str, str],
    *,
    environment: str,
    version: str,
    decided_at: str,
    folder: str,
    people: People,
    rejected: tuple[Rejected, ...],
    proof: Proof,
    waivers: Sequence[JsonObject] = (),
    known: Known | None = None,
    changed: Mapping[tuple[str, str], Change] | None = None,
    tried: tuple[str, ...] = (),
    unread: tuple[str, ...] = (),
) -> Report:
    titles = {code: entry.title for code, entry in entries("4").items()}
    found = behind_rules(evidence, decision)

    def failure(said: Violation) -> Failure:
        command = command_for(said, environment, folder or "DIR", evidence)
        findings = tuple(found.get((said.code, said.term), ()))
        change = (changed or {}).get((said.code, said.term))
        return Failure(titles.get(said.code, said.rule), said, findings, command, change)

    return Report(
        name=decision.name,
        version=version,
        kind=str(release.get("kind", "")),
        tier=str(release.get("tier", "")),
        digest=decision.release,
        environment=environment,
        verdict=_VERDICTS[exit_code(decision, evidence)],
        decided_at=decided_at,
        failures=tuple(map(failure, decision.violations)),
        warnings=tuple(map(failure, decision.warnings)),
        waived=tuple(waived_row(w, titles, waivers, names, known) for w in decision.waived),
        idle=tuple(
            idle_waivers(
                decision.waived, waivers, {(r.code, r.term) for r in decision.rules if r.passed}, names
            )
        ),
        elsewhere=len(known.elsewhere) if known is not None else 0,
        tried=tried,
        passed=tuple(Passed(titles.get(r.code, r.rule), r) for r in decision.rules if r.passed),
        skipped=decision.skipped,
        people=people,
        assets=asset_rows(release),
        evidence=tuple(sorted(evidence_rows(evidence, names), key=lambda e: (e.check, e.subject, e.digest))),
        rejected=rejected,
        unread=unread,
        proof=proof,
        folder=folder,
    )


def _rejected(rows: Iterable[JsonObject]) -> tuple[Rejected, ...]:
    return tuple(
        Rejected(text(r["digest"]), text(r["type"]), text(r["code"]), text(r["reason"])) for r in rows
    )


def _people(
    admission: Admission, held: Holding | None, said: tuple[Said, ...], as_of: str, names: Mapping[str, str]
) -> People:
    left = left_to_people(admission, held)
    return People(
        done=admission.admitted if held is None else not left,
        needed=admission.needed,
        counted=len(admission.counted),
        said=said,
        todo=tuple(replace(o, message=with_names(o.message, names)) for o in left),
        separation=admission.separation,
        as_of=as_of,
        step_up_s=admission.step_up_s,
        held=held,
    )


def _engines(engines: Iterable[Mapping[str, str]]) -> tuple[tuple[str, str, str], ...]:
    return tuple((e["name"], e["version"], e.get("sha256", "")) for e in engines)


def _own(own: PolicyRef | OwnPolicy | None) -> tuple[str, str, str] | None:
    return None if own is None else (own.name, own.version, own.digest)
