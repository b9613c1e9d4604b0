package lockflight.support_rules_test

import data.lockflight.rules.support_rules

test_a_licence_that_is_not_said_is_not_accepted if {
	support_rules.licence({"name": "scans"}) == "not said"
	not "not said" in data.accepted_licences
}
