# Rules about what a release must hold and say, whatever tier it claims.
package lockflight.rules.papers

import data.lockflight.lib

# METADATA
# title: What must be kept is in the release
# description: Prompts, rules, tests and papers that an assessor or an incident needs are part of what is signed.
# custom:
#   code: LF4119
#   rule: roles-present
#   severity: high
#   effect: deny
#   basis: value
#   waivable: true
#   failure_msg: "A release of the kind %s lacks the role %s."
#   solution: Add the file to lockflight.toml under that role and sign again.
#   collections: [high-risk, llm-app, agent]
#   controls: ["eu-ai-act:Art.11", "eu-ai-act:Art.13", "eu-ai-act:Annex.IV", "iso42001:A.6.2.7", "nist-ai-rmf:GOVERN-1.4", "hipaa:164.316(b)(1)(i)"]
results contains lib.failed("LF4119", facts, [input.release.kind, term]) if {
	some roles in demanded
	not is_held(roles)
	term := concat(" or ", roles)
	facts := {"term": term, "value": "missing", "threshold": "present", "evidence": []}
}

results contains lib.passed("LF4119", facts, msg) if {
	some roles in demanded
	is_held(roles)
	term := concat(" or ", roles)
	facts := {"term": term, "value": "present", "threshold": "present", "evidence": []}
	msg := sprintf("The release holds the role %s.", [term])
}

results contains lib.passed("LF4119", facts, msg) if {
	count(demanded) == 0
	facts := {"term": "", "value": "present", "threshold": "present", "evidence": []}
	msg := sprintf("The policy asks for no role of the kind %s in %s.", [input.release.kind, input.environment])
}

demanded contains roles if {
	not input.environment in data.paperless_environments
	some kind in ["*", input.release.kind]
	some roles in data.demanded_roles[kind]
}

# An empty file meets no demand.
is_held(roles) if {
	some asset in input.release.assets
	asset.role in roles
	asset.size > 0
}

is_held(roles) if {
	some reference in input.release.references
	reference.role in roles
}

# METADATA
# title: Outside data say their licence and origin
# description: Whether data may be used, and what can be learnt from them, depends on where and for what they were collected.
# custom:
#   code: LF4120
#   rule: data-described
#   severity: high
#   effect: deny
#   basis: value
#   waivable: true
#   failure_msg: "The reference %s does not say its %s."
#   solution: Give it `licence` and `context` in lockflight.toml.
#   collections: [high-risk, llm-app, agent]
#   controls: ["eu-ai-act:Art.10", "gdpr:Art.5", "iso42001:A.7.3", "iso42001:A.7.5", "nist-ai-rmf:MAP-2.3"]
results contains lib.failed("LF4120", facts, [reference.name, lib.some_names(gaps(reference))]) if {
	some reference in input.release.references
	count(gaps(reference)) > 0
	facts := {"term": reference.name, "value": count(gaps(reference)), "threshold": 0, "evidence": []}
}

results contains lib.passed("LF4120", facts, "Every reference to data says its licence and origin.") if {
	count([1 | some reference in input.release.references; count(gaps(reference)) > 0]) == 0
	facts := {"term": "", "value": 0, "threshold": 0, "evidence": []}
}

gaps(reference) := {gap |
	not input.environment in data.paperless_environments
	reference.role in data.described_roles
	some gap in ["licence", "context"]
	trim_space(object.get(reference, gap, "")) == ""
}
