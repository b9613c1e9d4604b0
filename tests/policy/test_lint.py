from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.policy.bundle import baseline
from lockflight.policy.text.lint import lint


def issues(*bodies, roots=("t",), path="policy/m{}.rego"):
    sources = {path.format(i): body for i, body in enumerate(bodies)}
    return [str(issue) for issue in lint(sources, roots)]


def one(body, path="policy/m{}.rego"):
    return issues(f"package t\n{body}\n", path=path)


def test_the_shipped_pack_is_clean():
    bundle = baseline()
    assert lint({**bundle.modules, **bundle.tests}, [*bundle.data, "lockflight"]) == ()


FINE = [
    "x if input.a == 3",
    'x := sprintf("%d / 1.5 http.send %s", [1, input.time.now_ns])',
    "# http.send(1) / 2.5\nx := 1",
    "x := `1.5 / http.send`",
    "f(n) := n + 1\nx := f(2)",
    "x if f(1)\n\nf(n) if n > 0\n\nf(n) if {\n\tn < 0\n}",
    "x := (1 + 2) * 3",
    "x if not (1 == 2)",
    "x contains y if { some y in (input.a | input.b) }",
    'x := input.http.send["rand"].uuid',
    "import data.t.lib\nx := lib.f(1)",
    "import data.t.lib as other\nx := other.f(1)",
    "x := data.t.lib.f(1)",
    'x := object.get(input, ["a", "b"], 0)',
    "x := set() | {1}",
    "x := input.data",
    'x := {"data": input.a[data.t.lib.f(1)].data}',
]


@pytest.mark.parametrize("body", FINE)
def test_benign_look_alikes_pass(body):
    assert issues(f"package t\n{body}\n", "package t.lib\nf(n) := n\n") == []


BAD = [
    ("clock", "x := time.now_ns()", "time.now_ns reads more than the facts"),
    ("clock replaced", "x if y with time.now_ns as 1", "`with` replaces"),
    ("network", 'x := http.send({"method": "get", "url": "u"})', "http.send reads more than the facts"),
    ("name lookup", 'x := net.lookup_ip_addr("a")', "net.lookup_ip_addr() (in x) is no function"),
    ("randomness", 'x := rand.intn("a", 10)', "rand.intn reads more"),
    ("identifiers", 'x := uuid.rfc4122("a")', "uuid.rfc4122 reads more"),
    ("environment", "x := opa.runtime()", "opa.runtime reads more"),
    ("trace", 'x if trace("y")', "trace reads more"),
    ("metadata at run time", "x := rego.metadata.rule()", "rego.metadata.rule reads more"),
    ("hashes", 'x := crypto.sha256("a")', "crypto.sha256 reads more"),
    ("tokens", "x := io.jwt.decode(input.a)", "io.jwt.decode reads more"),
    ("schema", "x := json.match_schema({}, {})", "json.match_schema() (in x) is no function"),
    ("yaml", 'x := yaml.unmarshal("a: 01")', "yaml.unmarshal() (in x) is no function"),
    ("split by space", "x := time.now_ns ()", "time.now_ns reads more"),
    ("decimal", "x := 0.1", "0.1 is a decimal"),
    ("exponent", "x := 1e3", "1e3 is a decimal"),
    ("division", "x := 4 / 2", "division gives decimals"),
    ("template", 'x := $"a {input.b}"', "string templates"),
    ("keyword in a path", "x := input.if.y", "has a keyword in its path"),
    ("input replaced", "x if y with input as {}", "`with` replaces"),
    ("data replaced", "x if y with data.required as {}", "`with` replaces"),
    ("unknown function", "x := surprise(1)", "surprise() (in x) is no function"),
    ("foreign import", "import rego.v2\nx := 1", "the import rego.v2 is neither facts nor data"),
    ("everything", "x := count(data)", "data as a whole holds the policy's own rules"),
    ("everything by name", 'x := data["t"].y', "data as a whole holds the policy's own rules"),
    ("everything imported", "import data as d\nx := count(d)", "the import data is neither facts nor data"),
    ("unfinished string", 'x := "a', "a string does not end"),
    ("calls itself", "f(n) := f(n - 1)", "t.f calls itself"),
    ("call each other", "f(n) := g(n)\ng(n) := f(n)", "t.f calls itself"),
]


@pytest.mark.parametrize(("body", "words"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_what_a_gate_may_not_do_is_found_with_its_line(body, words):
    found = one(body)
    assert any(words in issue for issue in found), found
    assert found[0].startswith("policy/m0.rego:")


def test_tests_may_replace_the_input_and_nothing_else_may():
    body = "test_x if y with input as {}"
    assert one(body, path="policy/m{}_test.rego") == []
    assert one(body)
    assert one("test_x if http.send({})", path="policy/m{}_test.rego")


def test_a_package_outside_the_roots_is_refused():
    assert issues("package system.authz\nx := 1\n") == [
        "policy/m0.rego:1: the package 'system.authz' lies outside the bundle's roots"
    ]
    assert issues("x := 1\n") == ["policy/m0.rego:1: the package '?' lies outside the bundle's roots"]


def test_a_function_of_another_bundle_cannot_be_borrowed():
    assert any("is no function" in i for i in one("import data.other.lib\nx := lib.f(1)"))


PIECES = [*'abft.()[]{}"`$#/ \n:=|0159', "import ", "data", "with ", "if ", "package t\n", "f(x) := "]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_text_is_linted_without_an_exception(body):
    for issue in lint({"policy/x.rego": body}, ["t"]):
        assert issue.line >= 1


@pytest.mark.parametrize(
    "name", ["graph.reachable_paths", "graph.reachable", "walk", "json.patch", "units.parse"]
)
def test_what_engines_or_their_versions_compute_differently_is_refused(name):
    assert one(f"x := {name}(input.a, input.b)") == [
        f"policy/m0.rego:2: {name}() (in x) is no function that a gate may call"
    ]
    assert one(f"x if {name}(input.a, input.b)", path="policy/m{}_test.rego")
