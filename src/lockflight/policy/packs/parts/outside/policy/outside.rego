# Rules about models and tools that run at somebody else's.
package lockflight.rules.outside

import data.lockflight.lib

# METADATA
# title: Hosted models are named by a day
# description: A provider changes what stands behind a name; a version with a date, or a digest, is what was evaluated.
# custom:
#   code: LF4121
#   rule: hosted-models-dated
#   severity: high
#   effect: deny
#   basis: value
#   waivable: true
#   failure_msg: "The hosted model %s is pinned by %s, which is neither a digest nor a version with a date."
#   solution: Name the provider's dated version in lockflight.toml, such as 2024-08-06.
#   collections: [llm-app, agent]
#   controls: ["nist-ai-rmf:MANAGE-3.1", "iso42001:A.10.3", "iso27001:A.5.21", "eu-ai-act:Art.25"]
results contains lib.failed("LF4121", facts, [reference.name, version]) if {
	some reference in loose
	version := object.get(reference, "version", "nothing")
	facts := {"term": reference.name, "value": version, "threshold": "a dated version", "evidence": []}
}

results contains lib.passed("LF4121", facts, "Every hosted model is named by a digest or a dated version.") if {
	count(loose) == 0
	facts := {"term": "", "value": "a dated version", "threshold": "a dated version", "evidence": []}
}

loose := [reference |
	some reference in input.release.references
	reference.role == "hosted-model"
	not has_digest(reference)
	not is_dated(object.get(reference, "version", ""))
]

has_digest(reference) if regex.match(`^sha256:[0-9a-f]{64}$`, object.get(reference, "digest", ""))

is_dated(version) if regex.match(`(^|[^0-9])20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])([^0-9]|$)`, version)

is_dated(version) if regex.match(`(^|[^0-9])20[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])([^0-9]|$)`, version)
