# Rules about the tools of an agent.
package lockflight.rules.tools

import data.lockflight.lib

# METADATA
# title: Tool servers are pinned by digest
# description: A tool server that can change its tools after the review takes the agent's rights with it.
# custom:
#   code: LF4122
#   rule: tool-servers-by-digest
#   severity: high
#   effect: deny
#   basis: value
#   waivable: true
#   failure_msg: "Tool servers that are not pinned by digest (%d): %s."
#   solution: "Add `digest = \"sha256:…\"` to these [[references]] in lockflight.toml."
#   collections: [agent]
#   controls: ["atlas:AML.M0014", "nist-ai-rmf:MANAGE-3.1", "iso27001:A.5.21"]
results contains lib.failed("LF4122", facts, [count(loose), lib.some_names(loose)]) if {
	count(loose) > 0
	facts := {"term": "", "value": count(loose), "threshold": 0, "evidence": []}
}

results contains lib.passed("LF4122", facts, "Every tool server is part of the release or pinned by digest.") if {
	count(loose) == 0
	facts := {"term": "", "value": 0, "threshold": 0, "evidence": []}
}

loose contains reference.name if {
	some reference in input.release.references
	reference.role == "tool-server"
	not regex.match(`^sha256:[0-9a-f]{64}$`, object.get(reference, "digest", ""))
}
