"""A policy bundle of one rule, for the tests of bundles."""

from __future__ import annotations

import json

from lockflight.policy.text.annotations import rule_metadata_file
from tests.policy import factories as f

REGO = """package small

# METADATA
# title: The name is short
# description: Long names do not fit on labels.
# custom:
#   code: XX0001
#   rule: name-is-short
#   severity: high
#   effect: deny
#   basis: value
#   waivable: false
#   failure_msg: too long
#   solution: Shorten it.
results contains {
	"code": "XX0001",
	"rule": "name-is-short",
	"term": "",
	"passed": short,
	"severity": "high",
	"value": count(input.release.name),
	"threshold": data.limits.size * 2,
	"msg": "Names are short.",
	"evidence": [],
	"basis": "value",
}

default short := false

short if count(input.release.name) <= data.limits.size * 2

violations contains reason if {
	some result in results
	not result.passed
	reason := {
		"code": result.code,
		"rule": result.rule,
		"term": result.term,
		"severity": result.severity,
		"value": result.value,
		"threshold": result.threshold,
		"msg": result.msg,
		"evidence": [],
		"solution": data.rule_meta[result.code].solution,
		"controls": [],
	}
}

decision := {
	"allow": count(violations) == 0,
	"violations": violations,
	"warnings": [],
	"waived": [],
	"rules": results,
	"evaluated_rules": {"XX0001"},
	"skipped": [],
}
"""

TEST = """package small_test

import data.small

test_short_names_pass if small.short with input as {"release": {"name": "x"}}

test_long_names_fail if not small.short with input as {"release": {"name": "xxxxxxxxxxxxxxxxxxxxxxxx"}}

todo_test_later if false
"""


def small_bundle(rego=REGO):
    """Path to content of a bundle that reads and bites."""
    manifest = {
        "revision": "1",
        "roots": ["small", "small_test", "limits", "rule_meta"],
        "rego_version": 1,
        "metadata": {
            "name": "small",
            "version": "1",
            "entrypoint": "data.small.decision",
            "required_rules": ["XX0001"],
        },
    }
    bite = [{"op": "replace", "path": "/release/name", "value": "a-name-that-is-far-too-long"}]
    return {
        ".manifest": json.dumps(manifest).encode(),
        "policy/small.rego": rego.encode(),
        "policy/small_test.rego": TEST.encode(),
        "data.json": b'{"limits": {"size": 9}}',
        "rule_meta/data.json": rule_metadata_file({"policy/small.rego": rego}),
        "bite/base.json": json.dumps(f.facts()).encode(),
        "bite/XX0001.json": json.dumps(bite).encode(),
    }
