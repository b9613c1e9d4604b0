# Rules about the release itself, the realm and the environment.
package lockflight.rules.release

import data.lockflight.lib

released if input.environment in data.released_environments

# METADATA
# title: The policy covers the environment
# description: An environment for which the policy demands nothing is one that nobody thought about.
# custom:
#   code: LF4100
#   rule: environment-covered
#   severity: critical
#   effect: deny
#   basis: value
#   waivable: false
#   failure_msg: The policy says nothing about the environment %s.
#   solution: Name an environment of the policy, or add it to the policy's data.
#   collections: [baseline]
#   controls: ["iso27001:A.8.31", "soc2:CC8.1", "hipaa:164.308(a)(1)(ii)(B)"]
results contains lib.failed("LF4100", facts, [input.environment]) if {
	count(lib.required) == 0
	facts := {"term": "", "value": 0, "threshold": 1, "evidence": []}
}

results contains lib.passed("LF4100", facts, msg) if {
	count(lib.required) > 0
	facts := {"term": "", "value": count(lib.required), "threshold": 1, "evidence": []}
	msg := sprintf("The policy demands %d checks for %s.", [count(lib.required), input.environment])
}

# METADATA
# title: A personal realm decides for development only
# description: One person holds every key of a personal realm, so nobody else looked.
# custom:
#   code: LF4101
#   rule: realm-separates-duties
#   severity: critical
#   effect: deny
#   basis: value
#   waivable: false
#   failure_msg: The realm is %s; its decisions count for development only, not for %s.
#   solution: "lockflight realm init NAME --member you=author --member colleague=approver"
#   collections: [baseline]
#   controls: ["iso27001:A.5.3", "soc2:CC6.3", "nist-ai-rmf:GOVERN-2.1", "hipaa:164.308(a)(4)", "hipaa:164.312(a)(1)"]
results contains lib.failed("LF4101", facts, [input.realm.kind, input.environment]) if {
	not separated
	facts := {"term": "", "value": input.realm.kind, "threshold": "team", "evidence": []}
}

results contains lib.passed("LF4101", facts, msg) if {
	separated
	facts := {"term": "", "value": input.realm.kind, "threshold": "team", "evidence": []}
	msg := sprintf("A %s realm may decide for %s.", [input.realm.kind, input.environment])
}

separated if input.realm.kind in ["team", "simulator"]

separated if {
	input.realm.kind == "personal"
	input.environment in data.personal_environments
}

# METADATA
# title: Nothing in the release is revoked
# description: A revoked asset takes every release that contains it with it.
# custom:
#   code: LF4108
#   rule: not-revoked
#   severity: critical
#   effect: deny
#   basis: value
#   waivable: false
#   failure_msg: "Revoked (%d): %s."
#   solution: Replace what was revoked and sign a new version; a revocation is never waived.
#   collections: [baseline]
#   controls: ["nist-ai-rmf:MANAGE-2.4", "iso27001:A.8.32", "eu-ai-act:Art.20", "hipaa:164.308(a)(6)(ii)"]
results contains lib.failed("LF4108", facts, [count(input.state.revoked), lib.some_names(names)]) if {
	count(input.state.revoked) > 0
	names := {name | some entry in input.state.revoked; name := revoked_name(entry)}
	facts := {"term": "", "value": count(input.state.revoked), "threshold": 0, "evidence": []}
}

results contains lib.passed("LF4108", facts, "Neither the release nor anything in it is revoked.") if {
	count(input.state.revoked) == 0
	facts := {"term": "", "value": 0, "threshold": 0, "evidence": []}
}

revoked_name(entry) := sprintf("the release (%s)", [revoked_reason(entry)]) if entry.digest == input.release.digest

revoked_name(entry) := sprintf("%s (%s)", [lib.some_names(names), revoked_reason(entry)]) if {
	entry.digest != input.release.digest
	names := {asset.name | some asset in input.release.assets; asset.digest == entry.digest}
	count(names) > 0
}

revoked_name(entry) := sprintf("sha256:%s (%s)", [substring(entry.digest, 0, 16), revoked_reason(entry)]) if {
	entry.digest != input.release.digest
	count([1 | some asset in input.release.assets; asset.digest == entry.digest]) == 0
}

revoked_reason(entry) := object.get(entry, "reason", "no reason given")

# METADATA
# title: The environment is not frozen
# description: During a freeze nothing moves in; rollback and retirement stay possible.
# custom:
#   code: LF4109
#   rule: not-frozen
#   severity: high
#   effect: deny
#   basis: value
#   waivable: false
#   failure_msg: The environment %s is frozen.
#   solution: Wait for the end of the freeze, or let a person with that right lift it.
#   collections: [baseline]
#   controls: ["iso27001:A.8.32", "soc2:CC8.1"]
results contains lib.failed("LF4109", facts, [input.environment]) if {
	not open
	facts := {"term": "", "value": "frozen", "threshold": "open", "evidence": []}
}

results contains lib.passed("LF4109", facts, msg) if {
	open
	facts := {"term": "", "value": "open", "threshold": "open", "evidence": []}
	msg := sprintf("The environment %s is open.", [input.environment])
}

open if input.state.frozen == false

# METADATA
# title: References are pinned
# description: >-
#   What lies outside the package must be named by digest or by a dated version, or tomorrow's release is another one.
# custom:
#   code: LF4110
#   rule: references-pinned
#   severity: high
#   effect: deny
#   basis: value
#   waivable: true
#   failure_msg: "References not pinned to a digest or a dated version (%d): %s."
#   solution: "Add `digest = \"sha256:…\"` or a dated `version` to these [[references]] in lockflight.toml."
#   collections: [baseline]
#   controls: ["iso27001:A.5.21", "nist-ai-rmf:MAP-4.1", "atlas:AML.M0014", "hipaa:164.312(c)(1)"]
results contains lib.failed("LF4110", facts, [count(loose), lib.some_names(loose)]) if {
	count(loose) > 0
	facts := {"term": "", "value": count(loose), "threshold": 0, "evidence": []}
}

results contains lib.passed("LF4110", facts, msg) if {
	count(loose) == 0
	facts := {"term": "", "value": 0, "threshold": 0, "evidence": []}
	msg := sprintf("All %d references are pinned.", [count(input.release.references)])
}

loose contains reference.name if {
	some reference in input.release.references
	not is_pinned(reference)
}

is_pinned(reference) if {
	reference.pinned == true
	startswith(object.get(reference, "digest", ""), "sha256:")
}

is_pinned(reference) if {
	reference.pinned == true
	not lower(object.get(reference, "version", "latest")) in data.moving_versions
}

# METADATA
# title: A development version stays out of production
# description: The version `dev` names no fixed content, so nobody could say later what ran.
# custom:
#   code: LF4111
#   rule: version-is-released
#   severity: high
#   effect: deny
#   basis: value
#   waivable: true
#   failure_msg: The version %s is for development; %s takes numbered versions.
#   solution: Set `version` in lockflight.toml and sign again.
#   collections: [baseline]
#   controls: ["iso27001:A.8.32", "nist-ai-rmf:MANAGE-1.1"]
results contains lib.failed("LF4111", facts, [input.release.version, input.environment]) if {
	released
	input.release.version == "dev"
	facts := {"term": "", "value": input.release.version, "threshold": "a numbered version", "evidence": []}
}

results contains lib.passed("LF4111", facts, msg) if {
	not bad_version
	facts := {"term": "", "value": input.release.version, "threshold": "a numbered version", "evidence": []}
	msg := sprintf("The version %s may enter %s.", [input.release.version, input.environment])
}

bad_version if {
	released
	input.release.version == "dev"
}

skipped contains "LF4111" if not released

# METADATA
# title: A name and version belong to one release
# description: Once promoted, a name and version stand for one digest for ever.
# custom:
#   code: LF4112
#   rule: version-has-one-digest
#   severity: critical
#   effect: deny
#   basis: value
#   waivable: false
#   failure_msg: "%s %s already belongs to the release sha256:%s."
#   solution: Raise `version` in lockflight.toml and sign again.
#   collections: [baseline]
#   controls: ["iso27001:A.8.9", "atlas:AML.M0013", "hipaa:164.312(c)(1)"]
results contains lib.failed("LF4112", facts, args) if {
	not owned
	args := [input.release.name, input.release.version, substring(input.state.version_owner, 0, 16)]
	facts := {"term": "", "value": input.state.version_owner, "threshold": input.release.digest, "evidence": []}
}

results contains lib.passed("LF4112", facts, msg) if {
	owned
	facts := {"term": "", "value": input.release.digest, "threshold": input.release.digest, "evidence": []}
	msg := sprintf("%s %s names this release only.", [input.release.name, input.release.version])
}

owned if input.state.version_owner == ""

owned if input.state.version_owner == input.release.digest

# METADATA
# title: Releases that this one uses are allowed themselves
# description: A dependency is judged once, by its own decision; without one it is unknown, and unknown is not safe.
# custom:
#   code: LF4115
#   rule: dependencies-decided
#   severity: high
#   effect: deny
#   basis: value
#   waivable: true
#   failure_msg: "Releases that this one uses without a decision that allows them (%d): %s."
#   solution: Promote these releases first.
#   collections: [baseline]
#   controls: ["iso27001:A.5.21", "nist-ai-rmf:MANAGE-3.1", "eu-ai-act:Art.25"]
results contains lib.failed("LF4115", facts, [count(undecided), lib.some_names(undecided)]) if {
	count(undecided) > 0
	facts := {"term": "", "value": count(undecided), "threshold": 0, "evidence": []}
}

results contains lib.passed("LF4115", facts, msg) if {
	count(undecided) == 0
	facts := {"term": "", "value": 0, "threshold": 0, "evidence": []}
	msg := sprintf("All %d releases that this one uses are allowed.", [count(input.release.depends)])
}

undecided contains used.name if {
	some used in input.release.depends
	not is_decided(used)
}

is_decided(_) if input.environment in data.undecided_dependencies

is_decided(used) if {
	some dependency in input.dependencies
	dependency.asset == used.name
	dependency.decision == "PASSED"
	object.get(used, "digest", dependency.release) == dependency.release
}
