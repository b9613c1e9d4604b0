# Rules about waivers. They come last: they count those that the policy has used.
package lockflight.limits.waivers

import data.lockflight.lib
import data.lockflight.waivers

# METADATA
# title: Few waivers, and none that is renewed for ever
# description: A waiver is for the time that it takes to mend something; many or old ones say that nobody does.
# custom:
#   code: LF4118
#   rule: waivers-in-limits
#   severity: high
#   effect: deny
#   basis: value
#   waivable: false
#   failure_msg: "Waivers beyond the limit (%s): %d, and %d are accepted."
#   solution: Mend what was waived; ask for fewer or fresh waivers.
#   collections: [strict, high-risk]
#   controls: ["nist-ai-rmf:MANAGE-1.4", "iso27001:A.5.36", "soc2:CC5.3", "hipaa:164.308(a)(1)(ii)(B)"]
results contains lib.failed("LF4118", facts, [term, value, limit(term)]) if {
	some term, value in counted
	value > limit(term)
	facts := {"term": term, "value": value, "threshold": limit(term), "evidence": []}
}

results contains lib.passed("LF4118", facts, msg) if {
	some term, value in counted
	value <= limit(term)
	facts := {"term": term, "value": value, "threshold": limit(term), "evidence": []}
	msg := sprintf("Waivers are within the limit (%s): %d.", [term, value])
}

limit(term) := object.get(data.waiver_limits, term, 0)

# Waivers that take a failure away; what is granted but not needed costs nothing.
spent := {digest | some result in waivers.results; not result.passed; some digest in waivers.used(result)}

counted := {
	"used": count(spent),
	"renewals": max({0} | {waiver.renewals | some waiver in input.waivers; waiver.digest in spent}),
}
