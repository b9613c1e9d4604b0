# The gate: joins the rules, sorts results into violations and warnings, and allows only what nothing speaks against.
package lockflight.gate

import data.lockflight.waivers

# Rules about waivers speak last, since they count which ones were used.
results := waivers.results | {result | some group; some result in data.lockflight.limits[group].results}

evaluated := {result.code | some result in results}

failures := {result | some result in results; not result.passed}

violations contains reason(result, result.msg) if {
	some result in failures
	not waivers.warns(result.code)
	count(waivers.used(result)) == 0
}

waived contains {"code": result.code, "rule": result.rule, "term": result.term, "waiver": digest} if {
	some result in failures
	some digest in waivers.used(result)
}

warnings contains reason(result, warning(result)) if {
	some result in failures
	waivers.warns(result.code)
}

warning(result) := sprintf("%s It denies from %s on.", [result.msg, data.rule_meta[result.code].effective_on]) if {
	waivers.is_later(result.code)
}

else := result.msg

reason(result, msg) := {
	"code": result.code,
	"rule": result.rule,
	"term": result.term,
	"severity": result.severity,
	"value": result.value,
	"threshold": result.threshold,
	"msg": msg,
	"evidence": result.evidence,
	"solution": data.rule_meta[result.code].solution,
	"controls": data.rule_meta[result.code].controls,
}

default allow := false

allow if {
	count(violations) == 0
	count(evaluated) == count(data.rule_meta)
}

# What failed is said by name; the digests behind it are for waivers only.
decision := {
	"allow": allow,
	"violations": violations,
	"warnings": warnings,
	"waived": waived,
	"rules": {object.remove(result, ["subjects"]) | some result in results},
	"evaluated_rules": evaluated,
	"skipped": {code | some group; some code in data.lockflight.rules[group].skipped},
}
