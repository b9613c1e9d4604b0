from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.errors import EnvironmentProblem
from lockflight.policy.bundle import baseline
from lockflight.policy.text.annotations import rule_metadata, rule_metadata_file

BLOCK = """# METADATA
# title: A title
# description: >-
#   Two
#   lines.
# custom:
#   code: XX0001
#   rule: a-rule
#   severity: high
#   effect: deny
#   basis: value
#   waivable: true
#   failure_msg: "%s is bad."
#   solution: Mend it.
#   collections: [mine]
#   controls: ["iso27001:A.8.8"]
x contains 1
"""


def read(source):
    return rule_metadata({"policy/m.rego": source})


def test_a_block_becomes_data():
    assert read(f"package t\n\n{BLOCK}") == {
        "XX0001": {
            "title": "A title",
            "description": "Two lines.",
            "rule": "a-rule",
            "severity": "high",
            "effect": "deny",
            "basis": "value",
            "failure_msg": "%s is bad.",
            "solution": "Mend it.",
            "collections": ["mine"],
            "controls": ["iso27001:A.8.8"],
            "waivable": True,
        }
    }


def test_a_day_from_which_a_rule_denies():
    block = BLOCK.replace("#   solution", '#   effective_on: "2027-01-31T00:00:00Z"\n#   solution')
    assert read(block)["XX0001"]["effective_on"] == "2027-01-31T00:00:00Z"


@pytest.mark.parametrize(
    "control",
    [
        *("atlas:AML.M0014", "atlas:AML.T0051.001", "eu-ai-act:Art.10(2)", "eu-ai-act:Annex.IV"),
        *("gdpr:Art.35(7)", "hipaa:164.312(a)(2)", "iso27001:A.5.21", "iso42001:A.6.2.4", "x-acme:RISK-7"),
        *("nist-ai-rmf:MEASURE-2.7", "pci-dss:6.3.2", "soc2:CC7.1", "soc2:PI1.4"),
    ],
)
def test_controls_that_exist_are_read(control):
    assert read(BLOCK.replace("iso27001:A.8.8", control))["XX0001"]["controls"] == [control]


def test_blocks_about_other_things_and_plain_comments_are_left_out():
    assert read("# METADATA\n# title: the package\npackage t\n# not METADATA\nx := 1\n") == {}


def test_the_committed_file_of_the_shipped_pack_is_what_the_comments_say():
    bundle = baseline()
    assert json.loads(rule_metadata_file(bundle.modules)) == bundle.rules
    assert rule_metadata_file(bundle.modules).endswith(b"}\n")


def test_every_rule_of_the_shipped_pack_serves_a_control():
    for code, entry in baseline().rules.items():
        assert entry["controls"], code
        assert entry["collections"] == ["baseline"]


BAD = [
    ("not YAML", BLOCK.replace("# title: A title", "# title: [")),
    ("a list", "# METADATA\n# - 1\n# - 2\n"),
    ("empty", "# METADATA\nx := 1\n"),
    ("alias", BLOCK.replace("[mine]", "&a [mine]").replace('["iso27001:A.8.8"]', "*a")),
    ("anchor", BLOCK.replace("[mine]", "&a [mine]")),
    ("code object", BLOCK.replace("A title", "!!python/object/apply:os.system [id]")),
    ("no title", BLOCK.replace("# title: A title\n", "")),
    ("title is a number", BLOCK.replace("A title", "3")),
    ("empty solution", BLOCK.replace("Mend it.", "''")),
    ("unknown severity", BLOCK.replace("severity: high", "severity: awful")),
    ("unknown effect", BLOCK.replace("effect: deny", "effect: maybe")),
    ("denies outside the basis", BLOCK.replace("basis: value", "basis: none")),
    ("unknown key", BLOCK.replace("#   solution:", "#   sollution: x\n#   solution:")),
    ("controls are a text", BLOCK.replace('["iso27001:A.8.8"]', "all")),
    ("controls hold a number", BLOCK.replace('["iso27001:A.8.8"]', "[3]")),
    ("no word on waivers", BLOCK.replace("#   waivable: true\n", "")),
    ("waivable is a text", BLOCK.replace("waivable: true", 'waivable: "true"')),
    *(
        (f"effective on {day}", BLOCK.replace("#   solution", f"#   effective_on: {day}\n#   solution"))
        for day in (
            "2027-01-31",
            "2027-01-31T00:00:00Z",
            "'2027-01-31'",
            "'2027-01-31T00:00:00'",
            "'2027-01-31T00:00:00+00:00'",
            "'\uff12027-01-31T00:00:00Z'",
            "'2027-13-31T00:00:00Z'",
            "1",
        )
    ),
    *(
        (f"control {control}", BLOCK.replace("iso27001:A.8.8", control))
        for control in (
            "iso27001",
            "iso27001:",
            "iso27001:A.9.1",
            "iso27001:A.8.8 and more",
            "soc2:CC7",
            "nist-ai-rmf:measure-2.7",
            "eu-ai-act:15",
            "atlas:T0051",
            "gdpr:32",
            "hipaa:312",
            "pci-dss:six",
            "acme:RISK-7",
            "x-acme:",
        )
    ),
    ("twice", BLOCK + "\n" + BLOCK),
    ("too long", BLOCK.replace("A title", "x" * 20_000)),
]


@pytest.mark.parametrize("source", [b[1] for b in BAD], ids=[b[0] for b in BAD])
def test_what_is_no_metadata_is_refused_with_its_place(source):
    with pytest.raises(EnvironmentProblem) as caught:
        read(source)
    assert caught.value.code == "LF4007"
    assert "policy/m.rego:" in caught.value.message


PIECES = [*"# :-[]{}&*!|>'\"%\nabc", "\n# ", "custom", "code: X1", "!!python/name:os.system"]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_comment_reads_or_is_refused(text):
    try:
        code = "" if isinstance(read("# METADATA\n# " + text), dict) else "?"
    except EnvironmentProblem as error:
        code = error.code
    assert code in {"", "LF4007"}
