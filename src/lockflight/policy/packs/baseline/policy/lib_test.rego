package lockflight.lib_test

import data.lockflight.lib

test_names_are_sorted_and_cut if {
	lib.some_names(["c", "a", "b"]) == "a, b, c"
	lib.some_names(["d", "c", "a", "b", "e"]) == "a, b, c and 2 more"
	lib.some_names([]) == ""
}

test_an_unknown_severity_is_critical if lib.rank("made-up") == lib.rank("critical")

test_the_smallest_age_wins if {
	ages := [{"check": "models", "max_age_s": 9}]
	more := [{"check": "models", "max_age_s": 4}, {"check": "code", "max_age_s": 7}]
	demanded := {"development": {"*": {"*": ages}, "agent": {"high": more}}}
	facts := {"environment": "development", "release": {"kind": "agent", "tier": "high"}}
	lib.required == {"models": 4, "code": 7} with input as facts with data.required as demanded
}

test_partial_coverage_is_not_complete if {
	lib.is_complete({"status": "complete", "coverage_ppm": 1000000})
	not lib.is_complete({"status": "complete", "coverage_ppm": 999999})
	not lib.is_complete({"status": "incomplete", "coverage_ppm": 1000000})
}
