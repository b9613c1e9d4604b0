"""The outcome of `check` for `--json`: the schema `check` describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.common import release_json
from lockflight.cli.lines.findings import behind
from lockflight.cli.lines.people import admission_json
from lockflight.cli.lines.waived import told

if TYPE_CHECKING:
    from lockflight.app.gate.check import CheckOutcome
    from lockflight.app.gate.judge import Judgement
    from lockflight.core.gate.gate import PolicyRef
    from lockflight.core.gate.vsa import OwnPolicy


def check_json(outcome: CheckOutcome) -> dict[str, object]:
    """The whole outcome."""
    return {
        "release": release_json(outcome.release),
        "realm": outcome.realm,
        "rehearsal": outcome.rehearsal,
        "guessed": outcome.guessed,
        "notices": list(outcome.notices),
        "skipped": list(outcome.skipped),
        "reused": outcome.reused.to_json(),
        "planned": [{"check": c, "grain": g, "subject": s} for c, g, s in outcome.planned],
        "ran": [
            {"check": r.check, "grain": r.grain, "subject": r.subject, **r.result.to_json()}
            for r in outcome.ran
        ],
        "judgements": {name: judgement_json(j) for name, j in outcome.judgements.items()},
    }


def judgement_json(judgement: Judgement) -> dict[str, object]:
    """One environment's decision and admission, with the findings behind what failed."""
    decision = judgement.decision
    return {
        "allow": decision.allow,
        "exit_code": judgement.exit_code,
        "basis": decision.basis,
        "policy": {
            "name": decision.policy.name,
            "version": decision.policy.version,
            "digest": decision.policy.digest,
        },
        "own_policy": own_json(decision.own),
        "engines": [dict(engine) for engine in decision.engines],
        "input_digest": decision.input_digest,
        "output_digest": decision.output_digest,
        "rules": [r.to_json() for r in decision.rules],
        "violations": [v.to_json() for v in decision.violations],
        "warnings": [w.to_json() for w in decision.warnings],
        "waived": [w.to_json() for w in decision.waived],
        "waivers": told(judgement),
        "findings": [
            {"rule": code, "term": term, "findings": [f.to_json() for f in found]}
            for (code, term), found in behind(judgement).items()
            if found
        ],
        "admission": admission_json(judgement.admission, judgement.held),
        "recorded": judgement.recorded or None,
    }


def own_json(own: PolicyRef | OwnPolicy | None) -> dict[str, str] | None:
    """The policy that a release brings along, as results name it."""
    return None if own is None else {"name": own.name, "version": own.version, "digest": own.digest}
