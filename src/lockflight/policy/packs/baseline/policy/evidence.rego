# Rules about evidence: it is there, it is whole, it is fresh, and none was turned away unseen.
package lockflight.rules.evidence

import data.lockflight.lib

# How every expected subject of a demanded check stands; worked out once, however many rules read it.
standing[check] := [{"subject": s, "rows": count(rows), "ages": ages} |
	some s in lib.expected(check)
	rows := lib.rows(check, s)
	ages := [row.age_s | some row in rows; lib.is_complete(row)]
] if some check, _ in lib.required

missing[check] := [row.subject | some row in list; row.rows == 0] if some check, list in standing

broken[check] := [row.subject | some row in list; row.rows > 0; count(row.ages) == 0] if some check, list in standing

stale[check] := [row.subject | some row in list; count(row.ages) > 0; min(row.ages) > lib.required[check]] if {
	some check, list in standing
}

# Of each subject the freshest complete evidence counts; of all subjects the stalest.
oldest[check] := max(array.concat([0], [min(row.ages) | some row in list; count(row.ages) > 0])) if {
	some check, list in standing
}

# METADATA
# title: Required evidence is there
# description: Every check that the environment demands has spoken about every subject that it must judge.
# custom:
#   code: LF4102
#   rule: evidence-present
#   severity: high
#   effect: deny
#   basis: value
#   waivable: true
#   failure_msg: "There is no evidence of the check %s for %s."
#   solution: Let the check run.
#   collections: [baseline]
#   controls: ["nist-ai-rmf:MEASURE-2.7", "iso27001:A.8.29", "soc2:CC7.1", "eu-ai-act:Art.15", "hipaa:164.308(a)(8)"]
results contains lib.failed("LF4102", facts, [check, lib.some_names(names)]) if {
	some check, _ in lib.required
	lib.is_expected(check)
	count(missing[check]) > 0
	names := {s.name | some s in missing[check]}
	facts := {
		"term": check,
		"value": count(names),
		"threshold": 0,
		"evidence": lib.digests(lib.all_rows(check)),
		"subjects": {s.subject | some s in missing[check]},
	}
}

results contains lib.failed("LF4102", facts, [check, "anything: this installation does not know the check"]) if {
	some check, _ in lib.required
	not lib.is_expected(check)
	facts := {"term": check, "value": "unknown check", "threshold": 0, "evidence": []}
}

results contains lib.passed("LF4102", facts, msg) if {
	some check, _ in lib.required
	lib.is_expected(check)
	count(missing[check]) == 0
	facts := {"term": check, "value": 0, "threshold": 0, "evidence": lib.digests(lib.all_rows(check))}
	msg := covered_words(check, count(lib.expected(check)))
}

covered_words(check, 0) := sprintf("The check %s has nothing to judge in this release.", [check])

covered_words(check, n) := sprintf("The check %s has evidence for all that it judges (%d).", [check, n]) if n > 0

# METADATA
# title: Evidence is complete
# description: A check that crashed, was killed or skipped bytes has found nothing, which is not the same as no findings.
# custom:
#   code: LF4103
#   rule: evidence-complete
#   severity: high
#   effect: deny
#   basis: value
#   waivable: true
#   failure_msg: "The check %s did not finish for %s."
#   solution: Remove what stopped it and let the check run again.
#   collections: [baseline]
#   controls: ["nist-ai-rmf:MEASURE-2.7", "iso27001:A.8.29", "soc2:CC7.1", "hipaa:164.308(a)(8)"]
results contains lib.failed("LF4103", facts, [check, lib.some_names(names)]) if {
	some check, _ in lib.required
	count(broken[check]) > 0
	names := {sprintf("%s (%s)", [s.name, reason(check, s)]) | some s in broken[check]}
	evidence := lib.digests([row | some s in broken[check]; some row in lib.rows(check, s)])
	subjects := {s.subject | some s in broken[check]}
	facts := {"term": check, "value": count(broken[check]), "threshold": 0, "evidence": evidence, "subjects": subjects}
}

results contains lib.passed("LF4103", facts, msg) if {
	some check, _ in lib.required
	count(lib.expected(check)) > 0
	count(broken[check]) == 0
	facts := {"term": check, "value": 0, "threshold": 0, "evidence": lib.digests(lib.all_rows(check))}
	msg := sprintf("All evidence of the check %s is complete.", [check])
}

reason(check, subject) := lib.some_names({words(row) | some row in lib.rows(check, subject)})

words(row) := row.reason if {
	row.status != "complete"
	object.get(row, "reason", "") != ""
}

words(row) := "incomplete" if {
	row.status != "complete"
	object.get(row, "reason", "") == ""
}

words(row) := sprintf("judged %d of 1000000 parts", [row.coverage_ppm]) if row.status == "complete"

# METADATA
# title: Evidence is fresh
# description: Knowledge about attacks grows; an old scan says little about today.
# custom:
#   code: LF4104
#   rule: evidence-fresh
#   severity: medium
#   effect: deny
#   basis: outcome
#   waivable: true
#   failure_msg: "The evidence of the check %s is older than %d seconds for %s."
#   solution: Let the check run again.
#   collections: [baseline]
#   controls: ["nist-ai-rmf:MEASURE-2.7", "iso27001:A.8.8", "soc2:CC7.1", "hipaa:164.308(a)(8)"]
results contains lib.failed("LF4104", facts, [check, max_age, lib.some_names(names)]) if {
	some check, max_age in lib.required
	count(stale[check]) > 0
	names := {s.name | some s in stale[check]}
	evidence := lib.digests([row | some s in stale[check]; some row in lib.rows(check, s)])
	facts := {
		"term": check,
		"value": oldest[check],
		"threshold": max_age,
		"evidence": evidence,
		"subjects": {s.subject | some s in stale[check]},
	}
}

results contains lib.passed("LF4104", facts, msg) if {
	some check, max_age in lib.required
	count(lib.expected(check)) > 0
	count(stale[check]) == 0
	facts := {"term": check, "value": oldest[check], "threshold": max_age, "evidence": lib.digests(lib.all_rows(check))}
	msg := sprintf("The evidence of the check %s is at most %d seconds old.", [check, oldest[check]])
}

# METADATA
# title: Evidence was rejected
# description: Somebody offered evidence that does not count; it stays visible, and it decides nothing.
# custom:
#   code: LF4113
#   rule: evidence-rejected
#   severity: low
#   effect: warn
#   basis: none
#   waivable: false
#   failure_msg: "Statements about this release that do not count (%d): %s."
#   solution: Look at what was offered and why it does not count; ask its producer for a statement that does.
#   collections: [baseline]
#   controls: ["soc2:CC7.2", "eu-ai-act:Art.12", "hipaa:164.312(b)"]
results contains lib.failed("LF4113", facts, [count(input.rejected), lib.some_names(names)]) if {
	count(input.rejected) > 0
	names := {sprintf("%s %s", [entry.type, entry.code]) | some entry in input.rejected}
	facts := {"term": "", "value": count(input.rejected), "threshold": 0, "evidence": lib.digests(input.rejected)}
}

results contains lib.passed("LF4113", facts, "No evidence was rejected.") if {
	count(input.rejected) == 0
	facts := {"term": "", "value": 0, "threshold": 0, "evidence": []}
}

# METADATA
# title: An optional check has nothing to say
# description: A check that the environment does not demand was not run, or did not finish.
# custom:
#   code: LF4114
#   rule: optional-evidence
#   severity: info
#   effect: warn
#   basis: none
#   waivable: false
#   failure_msg: "The optional check %s said nothing about %s."
#   solution: Let it run if you want its opinion; a check that needs a foreign tool needs it installed first.
#   collections: [baseline]
#   controls: ["iso27001:A.8.28"]
results contains lib.failed("LF4114", facts, [check, lib.some_names(names)]) if {
	some check in data.optional
	not lib.is_required(check)
	names := {s.name | some s in lib.expected(check); not is_covered(check, s)}
	count(names) > 0
	facts := {"term": check, "value": count(names), "threshold": 0, "evidence": lib.digests(lib.all_rows(check))}
}

results contains lib.passed("LF4114", facts, msg) if {
	some check in data.optional
	count([1 | some s in lib.expected(check); not lib.is_required(check); not is_covered(check, s)]) == 0
	facts := {"term": check, "value": 0, "threshold": 0, "evidence": lib.digests(lib.all_rows(check))}
	msg := sprintf("The optional check %s left nothing out.", [check])
}

is_covered(check, subject) if {
	some row in lib.rows(check, subject)
	lib.is_complete(row)
}
