from __future__ import annotations

import json

from lockflight.policy.bundle import read_bundle
from lockflight.policy.difference import changes
from lockflight.policy.shipped import pack
from tests.policy.small import small_bundle


def test_a_bundle_does_not_differ_from_itself():
    assert changes(pack("strict"), pack("strict")) == ()


def test_what_strict_demands_beyond_the_baseline():
    found = {(c.what, c.name): (c.before, c.after) for c in changes(pack("baseline"), pack("strict"))}
    assert found["rule", "LF4116"][0] == ""
    assert found["demanded", "LF4116"] == ("", "true")
    assert found["evidence", "production/*/*/bandit"] == ("", "86400")
    assert found["evidence", "production/*/*/models"] == ("604800", "86400")
    assert found["data", "blocks.production.code"] == ('"high"', '"medium"')
    assert found["data", "waiver_limits.used"] == ("", "2")
    assert found["engines", "production"] == ('"dual-where-present"', '"dual"')
    assert ("module", "policy/people.rego") in found
    assert ("fixture", "bite/LF4116.json") in found
    assert ("rule", "LF4100") not in found


def test_backwards_it_is_taken_away():
    found = {(c.what, c.name): (c.before, c.after) for c in changes(pack("strict"), pack("baseline"))}
    assert found["demanded", "LF4116"] == ("true", "")


def test_a_changed_rule():
    files = small_bundle()
    files["policy/small.rego"] = files["policy/small.rego"].replace(b"Shorten it.", b"Shorten that.")
    meta = json.loads(files["rule_meta/data.json"])
    meta["XX0001"]["solution"] = "Shorten that."
    files["rule_meta/data.json"] = json.dumps(meta).encode()
    found = changes(read_bundle(small_bundle()), read_bundle(files))
    assert [(c.what, c.name) for c in found] == [("rule", "XX0001"), ("module", "policy/small.rego")]
    assert "Shorten that." in found[0].after
