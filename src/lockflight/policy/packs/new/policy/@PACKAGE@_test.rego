package lockflight.@PACKAGE@_test

import data.lockflight.rules.@PACKAGE@

test_a_licence_that_is_not_said_is_not_accepted if {
	@PACKAGE@.licence({"name": "scans"}) == "not said"
	not "not said" in data.accepted_licences
}
