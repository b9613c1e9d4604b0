# The gate: joins the rules, sorts results into violations and warnings, and allows only what nothing speaks against.
package lockflight.gate

import data.lockflight.rules.evidence
import data.lockflight.rules.findings
import data.lockflight.rules.release

results := (release.results | evidence.results) | findings.results

evaluated := {result.code | some result in results}

failures := {result | some result in results; not result.passed}

violations contains reason(result) if {
	some result in failures
	data.rule_meta[result.code].effect != "warn"
}

warnings contains reason(result) if {
	some result in failures
	data.rule_meta[result.code].effect == "warn"
}

reason(result) := {
	"code": result.code,
	"rule": result.rule,
	"term": result.term,
	"severity": result.severity,
	"value": result.value,
	"threshold": result.threshold,
	"msg": result.msg,
	"evidence": result.evidence,
	"solution": data.rule_meta[result.code].solution,
	"controls": data.rule_meta[result.code].controls,
}

default allow := false

allow if {
	count(violations) == 0
	count(evaluated) == count(data.rule_meta)
}

decision := {
	"allow": allow,
	"violations": violations,
	"warnings": warnings,
	"waived": [],
	"rules": results,
	"evaluated_rules": evaluated,
	"skipped": release.skipped,
}
