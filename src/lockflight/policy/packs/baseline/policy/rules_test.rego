package lockflight.rules_test

import data.lockflight.gate
import data.lockflight.rules.evidence
import data.lockflight.rules.release
import data.lockflight.waivers

test_a_development_version_matters_only_where_releases_run if {
	release.skipped == {"LF4111"} with input as {"environment": "staging"}
	release.skipped == set() with input as {"environment": "production"}
}

test_what_is_skipped_is_told if gate.decision.skipped == {"LF4111"} with input as {"environment": "staging"}

# An optional check that the environment demands is no longer optional: its absence is for LF4102 to tell.
test_a_demanded_check_is_not_optional if {
	demanded := {"staging": {"*": {"*": [{"check": "bandit", "max_age_s": 9}]}}}
	subject := {"grain": "asset", "name": "app.py", "subject": "ab"}
	facts := {
		"environment": "staging",
		"release": {"kind": "agent", "tier": "high"},
		"expected": {"scan/bandit": [subject]},
		"evidence": {},
	}
	found := evidence.results with input as facts with data.required as demanded
	{result.passed | some result in found; result.code == "LF4114"} == {true}
	{result.passed | some result in found; result.code == "LF4102"} == {false}
}

later := {"X": {"effect": "deny", "effective_on": "2027-01-01T00:00:00Z", "waivable": true}}

test_a_rule_warns_until_its_day if {
	waivers.warns("X") with input as {"now": "2026-12-31T23:59:59Z"} with data.rule_meta as later
	not waivers.warns("X") with input as {"now": "2027-01-01T00:00:00Z"} with data.rule_meta as later
	not waivers.warns("X") with input as {"now": "2027-01-01T00:00:01Z"} with data.rule_meta as later
}

test_a_warning_names_the_day if {
	words := gate.warning({"code": "X", "msg": "It is so."}) with data.rule_meta as later
		with input as {"now": "2026-12-31T00:00:00Z"}
	words == "It is so. It denies from 2027-01-01T00:00:00Z on."
}

waiver := {
	"digest": "aa",
	"rule": "X",
	"term": "t",
	"scope": {"kind": "release", "digest": "cc"},
	"kind": "waiver",
	"status": "active",
	"expires": "2028-01-01T00:00:00Z",
}

here := {"project": "p", "environment": "e", "release": {"digest": "cc"}, "waivers": [waiver]}

# What only warns is not waived: the waiver would count as used before it is needed.
test_a_warning_is_not_waived if {
	facts := object.union(here, {"now": "2026-12-31T23:59:59Z"})
	waivers.used({"code": "X", "term": "t"}) == set() with input as facts with data.rule_meta as later
}

test_a_denial_is_waived if {
	facts := object.union(here, {"now": "2027-01-01T00:00:00Z"})
	waivers.used({"code": "X", "term": "t"}) == {"aa"} with input as facts with data.rule_meta as later
}
