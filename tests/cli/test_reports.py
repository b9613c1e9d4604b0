"""Reports for CI systems: what they say, and that no text from a file becomes a command or markup in them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from lockflight.cli.reports.ci.github import marks
from lockflight.cli.reports.ci.junit import junit
from lockflight.cli.reports.ci.machine import code_quality, sarif_text
from lockflight.cli.reports.ci.markdown import code, markdown, text
from lockflight.cli.reports.problems import Level, problems
from lockflight.cli.reports.record import AssetRow, Passed, Verdict
from lockflight.cli.reports.visible import plain
from lockflight.cli.style import defused, json_text
from lockflight.core.findings import Finding, Location, Severity
from tests.cli.test_page import HOSTILE, D, report

COMMANDS = (
    "::set-output name=x::y", "  ::stop-commands::t", "::error file=a,line=1::x", "a\n::add-mask::x", "a\r::error::x",
    "##[error]x", "x ##[set-output name=a;]b", "##vso[task.setvariable variable=a]b", "##teamcity[x]",
    "%0A::error::x", "a,title=b", "a:b", "100%", "@everyone", "#1", "https://evil.example/", "www.evil.example",
    "![x](https://evil.example/x.png)", "[x](javascript:alert(1))", "`` ` ``", "| a | b |", "</code><img src=x>",
    "- [x] done", "\n# title",
)  # fmt: skip
PICKLE = "cposix\nsystem\n(S'true'\ntR."


def read_commands(output):
    """What GitHub's runner would take for commands: (name, properties, data)."""
    found = []
    for line in re.split(r"[\r\n]", output):
        assert "##[" not in line, line
        bare = line.lstrip()
        if bare.startswith("::"):
            head, data = bare[2:].split("::", 1)
            name, _, rest = head.partition(" ")
            pairs = dict(part.split("=", 1) for part in rest.split(",") if part)
            found.append((name, {k: unproperty(v) for k, v in pairs.items()}, undata(data)))
    return found


def undata(value):
    return value.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


def unproperty(value):
    return undata(value.replace("%3A", ":").replace("%2C", ","))


def annotated(word, prefix=""):
    return read_commands("\n".join(marks(report(word), prefix)))


@pytest.mark.parametrize("word", HOSTILE + COMMANDS, ids=lambda w: ascii(w)[:24])
def test_an_annotation_is_one_command_of_ours(word):
    found = annotated(word)
    assert len(found) == len(list(marks(report(word), "")))
    for name, properties, data in found:
        assert name in {"error", "warning", "notice"}
        assert set(properties) <= {"file", "line", "title"}
        assert re.fullmatch(r"LF\d{4} [a-z]+", properties["title"])
        assert data.isprintable()
        assert properties.get("file", "").isprintable()


@given(st.text(max_size=40))
def test_any_text_stays_in_its_annotation(word):
    for name, properties, _ in annotated(word):
        assert name in {"error", "warning", "notice"}
        assert set(properties) <= {"file", "line", "title"}


def test_an_annotation_says_where():
    name, properties, data = annotated("src/a b,c:100%.py", "models/")[0]
    assert (name, properties["file"], properties["line"]) == ("error", "models/src/a b,c:100%.py", "3")
    assert "src/a b,c:100%.py" in data
    assert "file" not in annotated("a\u202eb")[0][1]
    assert "file" not in read_commands("\n".join(marks(report("a.py"), None)))[0][1]


def test_annotations_are_as_many_as_github_shows():
    row = report("x").failures[0]
    many = tuple(Finding("LF2100", "x", Severity.HIGH, f"f{i}", "m") for i in range(30))
    found = read_commands("\n".join(marks(report("x", failures=(replace(row, findings=many),)), "")))
    errors = [data for name, _, data in found if name == "error"]
    assert len(errors) == 10
    assert errors[-1].startswith("22 problems more")  # one of them is the check that did not finish


@pytest.mark.parametrize("word", COMMANDS + HOSTILE, ids=lambda w: ascii(w)[:24])
def test_nothing_that_is_printed_is_a_command(word):
    assert read_commands(defused(word)) == []
    assert not re.search(r"##(\[|vso\[|teamcity\[)", defused(word))
    line = json_text({"x": [word]})
    assert not re.search(r"##(\[|vso\[|teamcity\[)", line)
    assert json.loads(line) == {"x": [word]}


def test_what_is_no_command_is_printed_as_it_is():
    for harmless in ("std::vector", "a :: b", "## title", "# [x]", ": :", ""):
        assert defused(harmless) == harmless


@pytest.mark.parametrize("word", HOSTILE + COMMANDS, ids=lambda w: ascii(w)[:24])
def test_markdown_holds_no_markup_of_others(word):
    for verdict in Verdict:
        written = markdown(report(word, verdict))
        # Whatever is in a code element, and every word of ours, is letters, digits and numbers of characters.
        for inside in re.findall(r"<code>(.*?)</code>", written, re.DOTALL):
            assert not re.search(r"[^\w ,.();&#\u0080-\U0010ffff]|\n", inside), inside
        outside = re.sub(r"<code>.*?</code>|<br>", "", written, flags=re.DOTALL)
        bare = re.sub(r"&#\d+;", "", outside)
        assert not re.search(r"[<>\[\]`@*_~!\\]|:/", re.sub(r"(?m)^\| --- .*$", "", bare)), bare
        assert all(c.isprintable() or c == "\n" for c in written)


@pytest.mark.parametrize("word", HOSTILE + COMMANDS, ids=lambda w: ascii(w)[:24])
def test_markdown_renders_to_what_we_wrote(word):
    rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown(report(word)))
    tags = set(re.findall(r"<\s*/?\s*([a-zA-Z0-9]+)", rendered))
    assert tags <= {"h2", "h3", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "code", "br"}
    assert not re.search(r"<[a-z0-9]+ [^>]*>", rendered)
    assert plain(word, 600).strip() in unescape(re.sub(r"<[^>]*>", "", rendered))


@given(st.text(max_size=40))
def test_markdown_shows_the_text(word):
    assert unescape(text(word)).isprintable()
    assert unescape(code("a" + word)).startswith("<code>a")


def test_tables_keep_their_columns():
    rows = [line for line in markdown(report("a | b")).split("\n") if line.startswith("|")]
    assert {line.count("|") for line in rows} == {6, 5}


JUNIT = {
    "testsuites": ({"name", "tests", "failures", "errors", "skipped", "time"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"},
        {"properties", "testcase", "system-out", "system-err"},
    ),
    "testcase": ({"name", "classname", "time"}, {"skipped", "error", "failure", "system-out", "system-err"}),
    "failure": ({"message", "type"}, set()),
    "error": ({"message", "type"}, set()),
    "skipped": ({"message"}, set()),
    "system-out": (set(), set()),
}


def check_junit(element):
    """The schema that Jenkins, GitLab and GitHub's reporters share: elements, attributes, counts."""
    attributes, children = JUNIT[element.tag]
    assert set(element.keys()) <= attributes, element.tag
    assert {child.tag for child in element} <= children, element.tag
    if element.tag == "testcase":
        assert element.get("name")
        assert element.get("classname")
        assert sum(element.find(tag) is not None for tag in ("skipped", "error", "failure")) <= 1
    if element.tag == "testsuite":
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", element.get("timestamp"))
    if element.tag in {"testsuite", "testsuites"}:
        cases = list(element.iter("testcase"))
        assert int(element.get("tests")) == len(cases)
        for key, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(element.get(key)) == sum(case.find(tag) is not None for case in cases)
    for child in element:
        check_junit(child)


@pytest.mark.parametrize("word", [*HOSTILE, *COMMANDS, "x"], ids=lambda w: ascii(w)[:24])
def test_junit_has_the_common_form(word):
    root = ET.fromstring(junit(report(word)))
    check_junit(root)
    assert root.get("tests") == "7"


def test_junit_tells_failures_from_what_is_not_known():
    row = report("x").failures[0]
    missing = replace(row, said=replace(row.said, code="LF4102"))
    root = ET.fromstring(junit(report("x", failures=(row, missing))))
    assert [e.get("type") for e in root.iter("failure")] == ["LF4105"]
    assert [e.get("type") for e in root.iter("error")] == ["LF4102", "incomplete"]
    assert [e.get("message") for e in root.iter("skipped")] == ["waived by x until x", "does not apply here"]


@pytest.mark.parametrize("word", [*HOSTILE, *COMMANDS, "x"], ids=lambda w: ascii(w)[:24])
def test_code_quality_has_gitlabs_form(word):
    issues = json.loads(code_quality(report(word), "models/"))
    assert issues
    for issue in issues:
        assert set(issue) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert issue["severity"] in {"info", "minor", "major", "critical", "blocker"}
        assert issue["location"]["path"].startswith("models/")
        assert issue["location"]["lines"]["begin"] >= 1
        assert issue["description"].isprintable()
    prints = [issue["fingerprint"] for issue in issues]
    assert len(prints) == len(set(prints))


def test_sarif_holds_findings_failed_rules_and_what_did_not_run(tmp_path):
    row = report("a.py").failures[0]
    bare = replace(row, findings=(), said=replace(row.said, code="LF4101", term=""))
    document = json.loads(sarif_text(report("a.py", failures=(row, bare)), "models/"))
    run = document["runs"][0]
    assert [r["ruleId"] for r in run["results"]] == ["LF2100", "LF4101"]
    places = [r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in run["results"]]
    assert places == ["models/a.py", "models/lockflight.toml"]
    assert run["invocations"][0]["executionSuccessful"] is False


def test_problems_are_told_once_and_ranked():
    found = problems(report("x"))
    assert [p.level for p in found] == [Level.ERROR, Level.ERROR]
    quiet = replace(report("x"), failures=(), warnings=())
    assert [p.level for p in problems(quiet)] == [Level.ERROR, Level.WARNING]
    info = Finding("LF2100", "x", Severity.LOW, "a", "m", location=Location(line=2))
    evidence = (replace(quiet.evidence[0], findings=(info,)),)
    assert [p.level for p in problems(replace(quiet, evidence=evidence))] == [Level.NOTICE]


def test_check_writes_every_report_in_one_run(world):
    (world.work / "model" / "adapter.pkl").write_text(PICKLE)
    files = "--html a.html --markdown a.md --junit a.xml --sarif a.sarif --codequality a.json"
    done = world.run(f"check work --env staging --as alice {files}")
    assert done.code == 10
    check_junit(ET.parse(world.folder / "a.xml").getroot())
    assert json.loads((world.folder / "a.sarif").read_text())["version"] == "2.1.0"
    issues = json.loads((world.folder / "a.json").read_text())
    assert ("work/model/adapter.pkl", "blocker") in {(i["location"]["path"], i["severity"]) for i in issues}
    assert "may not enter" in unescape((world.folder / "a.md").read_text())


def test_github_gets_annotations_and_a_summary(world):
    name = "a,b 100%.pkl"
    (world.work / "model" / name).write_text(PICKLE)
    (world.work / "model" / "##[error] x.pkl").write_text(PICKLE)
    summary = world.folder / "summary.md"
    summary.write_text("before\n")
    github = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(summary),
        "GITHUB_WORKSPACE": str(world.folder),
    }
    done = world.run("check work --env staging --as alice --verbose", **github)
    assert done.code == 10
    commands = read_commands(done.out)
    assert {c[0] for c in commands} <= {"error", "warning", "notice"}
    assert f"work/model/{name}" in {c[1].get("file") for c in commands}
    assert read_commands(done.err) == []
    assert summary.read_text().startswith("before\n## ")
    quiet = world.run("check work --env staging --as alice --no-annotations", **github)
    assert read_commands(quiet.out) == []
    as_json = world.run("check work --env staging --as alice --json", **github)
    assert as_json.json()["ok"] is False
    assert read_commands(as_json.err)


def test_a_hostile_name_is_no_command_in_any_output(world):
    folder = world.folder / "odd"
    folder.mkdir()
    for name in ("::stop-commands::x", "##[set-output name=a;]b", "##vso[x]y"):
        (folder / name).write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    for words in (
        "scan odd",
        "scan odd --json",
        "scan odd --sarif",
        "check odd",
        "scan odd/::stop-commands::x",
    ):
        done = world.run(words)
        for output in (done.out, done.err):
            assert read_commands(output) == [], words
            assert not re.search(r"##(\[|vso\[|teamcity\[)", output), words


@pytest.mark.parametrize(
    ("words", "code_", "exit_code"),
    [
        ("check work --junit x --sarif ./x", "LF0132", 2),
        ("check work --junit nowhere/x", "LF0905", 4),
    ],
)
def test_reports_that_cannot_be(world, words, code_, exit_code):
    done = world.run(words)
    assert (done.code, code_ in done.err) == (exit_code, True)


def test_a_summary_that_cannot_be_written_is_an_error(world):
    done = world.run("check work", GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(world.folder))
    assert (done.code, "LF0905" in done.err) == (4, True)


def test_a_passed_rule_and_a_file_are_shown():
    assert isinstance(report().passed[0], Passed)
    assert isinstance(report().assets[0], AssetRow)
    assert D in junit(report())


EARLIER = {
    "html": "r.html",
    "markdown": "r.md",
    "junit": "r.xml",
    "sarif": "r.sarif",
    "codequality": "r.json",
}


def test_an_error_before_the_verdict_leaves_no_verdict_of_an_earlier_run(world):
    options = " ".join(f"--{name} {file}" for name, file in EARLIER.items())
    (world.work / "stray, 100%: ::error::x.txt").write_text("nobody named it\n")
    for file in EARLIER.values():
        (world.folder / file).write_text("ALLOWED, said an earlier run\n")
    summary = world.folder / "summary.md"
    environ = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    done = world.run(f"check work --env development {options}", **environ)
    assert done.code == 2
    (level, properties, message), *more = read_commands(done.out)
    assert more == []
    assert (level, unproperty(properties["title"])) == ("error", "Lockflight LF1004")
    assert "[[exclude]]" in undata(message)
    assert read_commands(done.err) == []
    said = {name: (world.folder / file).read_text() for name, file in EARLIER.items()}
    for name, body in said.items():
        assert "earlier run" not in body, name
        assert "LF1004" in unescape(body), name
    suites = ET.fromstring(said["junit"])
    check_junit(suites)
    assert suites.get("errors") == "1"
    assert json.loads(said["sarif"])["runs"][0]["invocations"][0]["executionSuccessful"] is False
    assert json.loads(said["codequality"])[0]["severity"] == "blocker"
    assert "No verdict" in said["html"]
    assert "No verdict" in said["markdown"]
    assert "No verdict" in summary.read_text()
    assert read_commands(world.run("check work --no-annotations", **environ).out) == []
    as_json = world.run("check work --json", **environ)
    assert as_json.json()["error"]["code"] == "LF1004"
    assert [level for level, _, _ in read_commands(as_json.err)] == ["error"]
    unread = world.run("check work --no-such-option", **environ)
    assert (unread.code, len(read_commands(unread.out))) == (2, 1)
    assert read_commands(world.run("check nowhere").out) == []


def test_an_error_is_told_though_nothing_can_be_written(world):
    kept = world.folder / "kept"
    kept.mkdir()
    (world.folder / "link.xml").symlink_to("elsewhere")
    done = world.run(
        f"check nowhere --html {kept} --junit missing/r.xml --markdown link.xml",
        GITHUB_ACTIONS="true",
        GITHUB_STEP_SUMMARY=str(kept),
    )
    assert done.code == 3
    assert len(read_commands(done.out)) == 1
    assert kept.is_dir()
    assert not (world.folder / "elsewhere").exists()
    assert "No verdict" in (world.folder / "link.xml").read_text()
