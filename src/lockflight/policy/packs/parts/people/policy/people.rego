# Rules about the people of the realm.
package lockflight.rules.people

import data.lockflight.lib

# METADATA
# title: Different people build, approve and release
# description: In a small-team realm one person may hold several duties; here that does not do.
# custom:
#   code: LF4116
#   rule: separation-is-whole
#   severity: critical
#   effect: deny
#   basis: value
#   waivable: false
#   failure_msg: "The separation of duties is %s, not people; that does not do for %s."
#   solution: Let further people join the realm and end its small-team mode.
#   collections: [strict, high-risk]
#   controls: ["iso27001:A.5.3", "soc2:CC6.3", "pci-dss:6.5.4", "eu-ai-act:Art.14", "nist-ai-rmf:GOVERN-2.1", "hipaa:164.308(a)(4)", "hipaa:164.312(d)"]
results contains lib.failed("LF4116", facts, [input.realm.separation, input.environment]) if {
	not is_whole
	facts := {"term": "", "value": input.realm.separation, "threshold": "people", "evidence": []}
}

results contains lib.passed("LF4116", facts, msg) if {
	is_whole
	facts := {"term": "", "value": input.realm.separation, "threshold": "people", "evidence": []}
	msg := sprintf("The separation of duties is %s, which does for %s.", [input.realm.separation, input.environment])
}

is_whole if input.realm.separation == "people"

# One person plays everybody there, and nothing of it is real: the rehearsal has to get as far as the real thing.
is_whole if input.realm.kind == "simulator"

is_whole if input.environment in data.personal_environments
