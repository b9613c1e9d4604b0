# Rules about how assets came to be.
package lockflight.rules.provenance

import data.lockflight.lib

# METADATA
# title: How models and data came to be is known
# description: What was learnt from what can only be judged, and withdrawn, where a recorded step or the intake says it.
# custom:
#   code: LF4117
#   rule: provenance-known
#   severity: high
#   effect: deny
#   basis: value
#   waivable: true
#   failure_msg: "Assets of unknown provenance (%d): %s."
#   solution: Make them with `lockflight record --step NAME -- COMMAND`, or take them in with `lockflight intake`.
#   collections: [strict, high-risk]
#   controls: ["eu-ai-act:Art.10", "eu-ai-act:Art.11", "iso42001:A.7.5", "nist-ai-rmf:MAP-4.1", "atlas:AML.M0023", "hipaa:164.312(b)"]
results contains lib.failed("LF4117", facts, [count(doubtful), lib.some_names(names)]) if {
	count(doubtful) > 0
	names := {asset.name | some asset in doubtful}
	subjects := {asset.digest | some asset in doubtful}
	facts := {"term": "", "value": count(doubtful), "threshold": 0, "evidence": [], "subjects": subjects}
}

results contains lib.passed("LF4117", facts, "The provenance of every model and dataset is known, or not asked for here.") if {
	count(doubtful) == 0
	facts := {"term": "", "value": 0, "threshold": 0, "evidence": []}
}

doubtful contains asset if {
	not input.environment in data.draft_environments
	some asset in input.release.assets
	asset.role in data.recorded_roles
	not object.get(asset, "provenance", "unknown") in data.known_provenance
}
