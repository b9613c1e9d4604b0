# Rules about what the checks found.
package lockflight.rules.findings

import data.lockflight.lib

verdicts := ["review", "unknown", "malicious"]

# METADATA
# title: Every model file is positively safe
# description: Only a file that was analysed to the end and found safe may be loaded; unknown is not safe.
# custom:
#   code: LF4105
#   rule: models-safe
#   severity: critical
#   effect: deny
#   basis: value
#   waivable: true
#   failure_msg: "Model files not known to be safe (%d): %s."
#   solution: Convert them to safetensors, or remove them.
#   collections: [baseline]
#   controls: ["atlas:AML.M0014", "nist-ai-rmf:MEASURE-2.7", "soc2:CC6.8", "eu-ai-act:Art.15", "hipaa:164.308(a)(5)(ii)(B)"]
results contains lib.failed("LF4105", facts, [count(doubtful), lib.some_names(names)]) if {
	count(doubtful) > 0
	names := {sprintf("%s (%s)", [name, verdict(digest)]) | some digest, name in doubtful}
	evidence := lib.digests([row | some digest, _ in doubtful; some row in model_rows(digest)])
	subjects := {digest | some digest, _ in doubtful}
	facts := {"term": "models", "value": count(doubtful), "threshold": 0, "evidence": evidence, "subjects": subjects}
}

results contains lib.passed("LF4105", facts, msg) if {
	count(doubtful) == 0
	facts := {"term": "models", "value": 0, "threshold": 0, "evidence": lib.digests(lib.all_rows("models"))}
	msg := sprintf("All %d model files are safe.", [count(model_digests)])
}

# What a loader may execute: by what the check says that it reads, and by role.
models[s.subject] contains s.name if some s in lib.expected("models")

models[asset.digest] contains asset.name if {
	some asset in input.release.assets
	asset.role in data.model_roles
}

# An object of sets without members is undefined in one engine and empty in the other; a comprehension is empty in both.
model_digests := [digest | some digest, _ in models]

model_rows(digest) := lib.rows("models", {"grain": "asset", "subject": digest})

doubtful[digest] := lib.some_names(names) if {
	some digest, names in models
	not is_safe(digest)
}

is_safe(digest) if {
	rows := model_rows(digest)
	count([1 | some row in rows; says_safe(row)]) > 0
	count([1 | some row in rows; some v in verdicts; object.get(row.summary, v, 0) != 0]) == 0
}

says_safe(row) if {
	lib.is_complete(row)
	row.summary.safe > 0
	row.summary.review == 0
	row.summary.unknown == 0
	row.summary.malicious == 0
}

verdict(digest) := "malicious" if has(digest, "malicious")

else := "unknown" if has(digest, "unknown")

else := "review" if has(digest, "review")

else := "not judged"

has(digest, name) if {
	some row in model_rows(digest)
	object.get(row.summary, name, 0) > 0
}

# METADATA
# title: No finding as bad as the environment refuses
# description: Each environment names, per check, the severity from which a finding blocks.
# custom:
#   code: LF4106
#   rule: findings-below-threshold
#   severity: high
#   effect: deny
#   basis: value
#   waivable: true
#   failure_msg: "The check %s found %d of severity %s or worse: %s."
#   solution: Mend what was found; each finding has a fix of its own.
#   collections: [baseline]
#   controls: ["iso27001:A.8.8", "iso27001:A.8.28", "soc2:CC7.1", "nist-ai-rmf:MANAGE-1.3", "hipaa:164.308(a)(1)(ii)(A)"]
results contains lib.failed("LF4106", facts, [check, bad[check], severity, lib.some_names(worst(check, severity))]) if {
	some check, severity in data.blocks[input.environment]
	bad[check] > 0
	facts := {
		"term": check,
		"value": bad[check],
		"threshold": 0,
		"evidence": lib.digests(lib.all_rows(check)),
		"subjects": {row.subject | some row in lib.all_rows(check); blocking(row, levels(severity)) > 0},
	}
}

results contains lib.passed("LF4106", facts, msg) if {
	some check, severity in data.blocks[input.environment]
	bad[check] == 0
	facts := {"term": check, "value": 0, "threshold": 0, "evidence": lib.digests(lib.all_rows(check))}
	msg := sprintf("The check %s has no finding of severity %s or worse.", [check, severity])
}

results contains lib.failed("LF4106", facts, ["?", 0, "?", "the environment names no threshold"]) if {
	count(object.get(data.blocks, input.environment, {})) == 0
	facts := {"term": "", "value": "no threshold", "threshold": 0, "evidence": []}
}

# The list of findings may be cut and the summary may not tell severities apart: the larger number counts.
bad[check] := sum([blocking(row, names) | some row in lib.all_rows(check)]) if {
	some check, severity in data.blocks[input.environment]
	names := levels(severity)
}

# The severities that are milder than one, and those that are as bad or worse.
levels(severity) := {
	"milder": {name | some name, rank in data.ranks; rank < lib.rank(severity)},
	"as_bad": {name | some name, rank in data.ranks; rank >= lib.rank(severity)},
}

# A severity that nobody knows is not a mild one.
blocking(row, names) := max([
	count([1 | some finding in row.findings; not finding.severity in names.milder]),
	sum([row.summary[name] | some name in names.as_bad]),
])

worst(check, severity) := {words |
	some row in lib.all_rows(check)
	some finding in row.findings
	lib.rank(finding.severity) >= lib.rank(severity)
	words := sprintf("%s in %s", [finding.code, finding.asset])
}

# METADATA
# title: The release has no gaps
# description: What the release needs to run is in it and named; what is in it is signed.
# custom:
#   code: LF4107
#   rule: completeness-no-gaps
#   severity: high
#   effect: deny
#   basis: value
#   waivable: true
#   failure_msg: "The release has gaps: %s."
#   solution: Add these files or references to lockflight.toml, or correct the roles of files that are there.
#   collections: [baseline]
#   controls: ["eu-ai-act:Art.11", "iso27001:A.5.9", "atlas:AML.M0023"]
results contains lib.failed("LF4107", facts, [gap_words]) if {
	not whole
	not partial
	facts := {"term": "completeness", "value": gap_words, "threshold": 0, "evidence": lib.digests(gap_rows)}
}

results contains lib.passed("LF4107", facts, "The release is complete.") if {
	whole
	not partial
	facts := {"term": "completeness", "value": 0, "threshold": 0, "evidence": lib.digests(gap_rows)}
}

results contains lib.passed("LF4107", facts, "What comes in need not be a whole release.") if {
	partial
	facts := {"term": "completeness", "value": 0, "threshold": 0, "evidence": []}
}

partial if input.environment in data.partial_environments

gap_rows := lib.rows("completeness", {"grain": "release", "subject": input.release.digest})

gaps := sum([object.get(row.summary, "missing", 0) | some row in gap_rows])

whole if {
	gaps == 0
	some row in gap_rows
	lib.is_complete(row)
	row.summary.missing == 0
}

# An absent role as its finding names it: the first of those that would do.
gap_names := {trim_prefix(finding.rule, "completeness:") |
	some row in gap_rows
	some finding in row.findings
	finding.code == "LF2540"
}

gap_words := sprintf("missing roles (%d): %s", [gaps, concat(", ", sort(gap_names))]) if {
	gaps > 0
	count(gap_names) > 0
}

else := sprintf("missing roles: %d", [gaps]) if gaps > 0

else := "nobody looked for them"
