# Rules of support-rules. Every package below lockflight.rules is judged; gate.rego joins them.
package lockflight.rules.support_rules

import data.lockflight.lib

# METADATA
# title: References have a licence that we accept
# description: What lies outside the package may be used only under a licence that somebody has read.
# custom:
#   code: SR1001
#   rule: licence-accepted
#   severity: high
#   effect: deny
#   basis: value
#   waivable: true
#   failure_msg: "References whose licence nobody here has accepted (%d): %s."
#   solution: Use another reference, or add the licence to accepted_licences in the policy's data.json.
#   collections: [support-rules]
#   controls: ["iso27001:A.5.32"]
results contains lib.failed("SR1001", facts, [count(strange), lib.some_names(strange)]) if {
	count(strange) > 0
	facts := {"term": "", "value": count(strange), "threshold": 0, "evidence": []}
}

results contains lib.passed("SR1001", facts, "Every reference has an accepted licence.") if {
	count(strange) == 0
	facts := {"term": "", "value": 0, "threshold": 0, "evidence": []}
}

strange contains reference.name if {
	some reference in input.release.references
	not licence(reference) in data.accepted_licences
}

licence(reference) := object.get(reference, "licence", "not said")
