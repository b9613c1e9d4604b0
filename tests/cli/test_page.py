"""The page of a decision: complete, self-contained, and deaf to whatever its texts contain."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.app.gate.waivers import Known, Texts
from lockflight.cli.gate.page import page
from lockflight.cli.reports.page.html import Markup, el, prose, words
from lockflight.cli.reports.page.style import STYLE
from lockflight.cli.reports.phrases import size
from lockflight.cli.reports.record import (
    AssetRow,
    Change,
    EvidenceRow,
    Failure,
    Passed,
    People,
    Proof,
    Rejected,
    Report,
    Said,
    Verdict,
)
from lockflight.cli.reports.rows import idle_waivers, waived_row
from lockflight.cli.reports.visible import pieces, plain
from lockflight.cli.reports.waiverrows import IdleWaiver, WaivedRow
from lockflight.core.facts.admit import Obstacle
from lockflight.core.facts.holding import Holding
from lockflight.core.findings import Finding, Location, Severity
from lockflight.core.gate.ruling import RuleResult, Violation, Waived
from lockflight.core.state.waivers import STANDINGS

ELEMENTS = {
    "a", "b", "bdi", "body", "code", "dd", "details", "div", "dl", "dt", "footer", "h1", "h2", "h3", "head", "html",
    "li", "main", "meta", "ol", "p", "pre", "section", "span", "strong", "style", "summary", "table", "tbody", "td",
    "th", "thead", "title", "tr", "ul",
}  # fmt: skip
ATTRIBUTES = {
    "aria-hidden",
    "charset",
    "class",
    "content",
    "data-l",
    "href",
    "http-equiv",
    "id",
    "lang",
    "name",
}
ATTRIBUTES |= {"open", "scope", "title"}
VOID = {"meta"}
HOSTILE = (
    "</title></style><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' autofocus onfocus='alert(1)",
    "<!--", "]]>", "&lt;script&gt;", "&#x3c;b>", "javascript:alert(1)",
    "safe\u202egnp.exe", "a\u200bb", "\u2066x\u2069", "\x00\x1b[31mred\r\n", "\u3164", "\ufe0f", "\U000e0041",
    "z" + "\u0301" * 200, "\ud800", "x" * 100_000, "::stop-commands::x", "a`b`c`",
)  # fmt: skip
D = "ab" * 32


class Reader(HTMLParser):
    """What a browser would build, or an assertion."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.links, self.texts, self.metas = [], [], [], [], {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert tag in ELEMENTS, tag
        for key, value in attrs:
            assert key in ATTRIBUTES, (tag, key)
            if key == "id":
                self.ids.append(value)
            if key == "href":
                assert value.startswith("#"), value
                self.links.append(value[1:])
            assert key != "title" or tag in {"a", "span"}
        if tag == "meta":
            named = dict(attrs)
            self.metas[named.get("http-equiv") or named.get("name") or "charset"] = named.get("content")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.texts.append(data)

    @property
    def text(self):
        return " ".join("".join(self.texts).split())


def report(word="word", verdict=Verdict.DENIED, **changes):
    """A report in which every free text is `word`."""
    found = word.encode(
        "utf-8", "replace"
    ).decode()  # findings are canonical JSON, which has no halves of characters
    place = Location(member=found, line=3)
    finding = Finding("LF2100", found, Severity.CRITICAL, found, found, fix=found, location=place)
    said = Violation("LF4105", word, word, Severity.HIGH, word, word, word, word, (D,), (word,))
    change = Change((word, word), word)
    failure = Failure(word, said, (finding,), f"lockflight check {word}", change)
    return replace(
        Report(
            name=word,
            version=word,
            kind=word,
            tier=word,
            digest=D,
            environment=word,
            verdict=verdict,
            decided_at="2026-01-31T12:00:00Z",
            failures=(failure,),
            warnings=(replace(failure, said=replace(said, code="LF4114")),),
            waived=(
                WaivedRow(
                    "LF4107", word, word, D, word, word, word, emergency=True, since=word, covers=word, ticket=word,
                    renewals=2, reason=word, control=word, kept=True,
                ),
            ),
            idle=(IdleWaiver("LF4107", word, D, word, word, word, word, word),),
            passed=(
                Passed(word, RuleResult("LF4101", word, word, True, Severity.LOW, word, 3, word)),
            ),
            skipped=("LF4111",),
            people=People(
                done=False,
                needed=1,
                counted=0,
                said=(Said(word, word, word, word, word),),
                todo=(Obstacle("LF4506", word, word), Obstacle("LF4502", word, f"lockflight sign {word}")),
                separation="none",
                as_of=word,
            ),
            assets=(AssetRow(word, word, D, 5_000_000), AssetRow(word, "", D, -1)),
            evidence=(
                EvidenceRow(word, word, D, word, word, 90_000, True, "", word, (finding,), 3),
                EvidenceRow(word, word, "cd" * 32, word, word, 3, False, word, word, ()),
            ),
            rejected=(Rejected(D, word, word, word),),
            unread=(D,),
            proof=Proof(word, D, f"12:{D}", "", -1, word, word, D, ((word, word, D),), D, D, D),
            folder=word,
        ),
        **changes,
    )  # fmt: skip


@pytest.mark.parametrize("word", HOSTILE, ids=lambda w: ascii(w)[:24])
def test_no_text_becomes_markup(word):
    for verdict in Verdict:
        text = page(report(word, verdict))
        seen = Reader(text)
        assert len(seen.text) < 400_000
        # Nothing that hides or turns text is left in what a reader sees.
        assert all(char.isprintable() or char == "\n" for char in "".join(seen.texts)), ascii(word)
        text.encode("utf-8")


@given(st.text(alphabet=st.characters(), max_size=60))
def test_any_text_stays_text(word):
    seen = Reader(page(report(word)))
    shown = " ".join("".join(part for part, _ in pieces(word)).split())
    assert shown in seen.text


def test_the_page_needs_nothing_and_runs_nothing():
    text = page(report())
    seen = Reader(text)
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    assert seen.metas["Content-Security-Policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1] == STYLE
    assert text.index("Content-Security-Policy") < text.index("<style>")
    assert not re.search(r"url\(|@import|http:|https:|//", text)
    assert seen.metas["referrer"] == "no-referrer"


def test_links_lead_to_evidence_of_the_page():
    seen = Reader(page(report()))
    assert seen.links == [f"e-{D}"] * 2
    assert set(seen.links) <= set(seen.ids)
    assert len(seen.ids) == len(set(seen.ids))
    stray = report(evidence=())
    assert Reader(page(stray)).links == []


def test_the_same_record_gives_the_same_page():
    assert page(report()) == page(report())


def test_each_verdict_says_what_it_means():
    yes = People(done=True, needed=1, counted=1, said=(), todo=(), separation="people", as_of="")
    ways = {
        "may not enter": report(),
        "is not known": report(verdict=Verdict.INCOMPLETE),
        "people have 2 things to do": report(verdict=Verdict.ALLOWED),
        "everybody who had to agree has agreed": report(verdict=Verdict.ALLOWED, people=yes),
        "is in word since 2026-01-31 12:00:00 UTC: the evidence sufficed, and its promotion used 1 approval": report(
            verdict=Verdict.ALLOWED, people=replace(yes, held=Holding(1_769_860_800, 10_000, (D,)))
        ),
        "nobody else has to agree": report(verdict=Verdict.ALLOWED, people=replace(yes, needed=0)),
    }
    for said, record in ways.items():
        assert said in Reader(page(record)).text, said


def test_what_is_in_has_used_its_approvals_and_lacks_none():
    inside = People(False, 1, 0, (), (), "people", "", held=Holding(1_769_860_800, 10_000, (D,)))
    ways = {
        "1 used by its promotion": inside,
        "a break-glass stood for them": replace(inside, held=Holding(1_769_860_800, 10_000, (), D)),
        "0 of 1 needed": replace(inside, held=None),
        "none needed": replace(inside, needed=0, held=Holding(1_769_860_800, 10_000, ())),
    }
    for said, about in ways.items():
        assert said in Reader(page(report(verdict=Verdict.ALLOWED, people=about))).text, said


def test_what_is_empty_is_not_shown():
    bare = report(
        failures=(), warnings=(), waived=(), idle=(), passed=(), rejected=(), unread=(), evidence=()
    )
    seen = Reader(page(bare)).text
    for title in ("Why not", "Warnings", "Waived", "Rules that passed", "did not count"):
        assert title not in seen
    assert "There was none." in seen


def test_long_tables_are_cut_and_it_is_said():
    many = report(assets=tuple(AssetRow(f"f{i}", "code", D, 1) for i in range(2_345)))
    seen = Reader(page(many)).text
    assert "2345 files" in seen
    assert "and 345 more, which lockflight release show --assets lists" in seen.replace("`", "")


def test_a_recorded_decision_says_how_to_look_at_it():
    seen = Reader(page(report("w", proof=Proof("acme", D, f"9:{D}", D, 7, "p", "1", D, (), D, D, D)))).text
    assert "lockflight log verify --realm acme" in seen
    assert f"lockflight evidence show {D[:12]} --realm acme" in seen
    assert "A rehearsal" not in seen


def test_pieces_name_what_cannot_be_seen():
    assert plain("a\u202eb") == "a[U+202E]b"
    assert plain("\u00e9 caf\u00e9 \u65e5\u672c \u05e9\u05dc") == "\u00e9 caf\u00e9 \u65e5\u672c \u05e9\u05dc"
    assert plain("e\u0301") == "e\u0301"
    assert plain("x" * 12, most=10) == "x" * 10 + "[and 2 more characters]"


def test_elements_escape():
    assert el("p", "<b>", class_='"') == '<p class="&quot;">&lt;b&gt;</p>'
    assert el("p", Markup("<b>x</b>")) == "<p><b>x</b></p>"
    assert prose("use `x<y` here") == "use <code>x&lt;y</code> here"
    assert prose("one ` alone") == "one ` alone"
    assert words("\u200b") == '<b class="hidden">U+200B</b>'


def test_sizes():
    assert [size(n) for n in (-1, 0, 1023, 1024, 1536, 5 * 1024**3)] == [
        "", "0 bytes", "1023 bytes", "1.0 KiB", "1.5 KiB", "5.0 GiB"
    ]  # fmt: skip


def seen_of(world, name):
    return Reader((world.folder / name).read_text(encoding="utf-8"))


def test_check_writes_a_page_for_each_verdict(world):
    world.ok("check work --env development --no-record --html yes.html --as alice")
    assert "is in development since" in seen_of(world, "yes.html").text
    (world.work / "model" / "adapter.pkl").write_text("cposix\nsystem\n(S'true'\ntR.")
    done = world.run("check work --env staging --html no.html --as alice")
    assert done.code == 10
    assert "wrote no.html" in done.err
    text = seen_of(world, "no.html").text
    assert "Convert them to safetensors, or remove them." in text
    assert "model/adapter.pkl" in text
    (world.work / "model" / "adapter.pkl").unlink()
    path = world.work / "predict.py"
    path.write_text(path.read_text() + "\nVERSION = 2\n")
    manifest = world.work / "lockflight.toml"
    manifest.write_text(manifest.read_text().replace("1.0.0", "1.1.0"))
    done = world.run("check work --env development --no-run --html unknown.html --as alice")
    assert done.code == 11
    assert "is not known" in seen_of(world, "unknown.html").text


def test_a_recorded_decision_is_explained(world):
    rows = world.ok("evidence list --all --type decision --json").json()["result"]["evidence"]
    done = world.ok(f"policy explain {rows[-1]['envelope'][:12]} --html page.html --json")
    result = done.json()["result"]
    assert (result["verdict"], result["environment"]) == ("allowed", "development")
    text = seen_of(world, "page.html").text
    assert result["envelope"] in text
    assert result["basis"] in text
    assert "sha256:" + result["policy"]["digest"] in text
    assert "model/model.safetensors" in text
    again = world.ok(f"policy explain {rows[-1]['index']}").out
    assert again.startswith("ALLOWED for development")


def test_what_is_no_decision_is_not_explained(world):
    done = world.run("policy explain 0")
    assert (done.code, "LF4567" in done.err) == (3, True)


def test_a_page_never_follows_a_link(world):
    outside = world.folder / "precious"
    outside.write_text("precious")
    (world.folder / "page.html").symlink_to(outside)
    world.ok("check work --env development --no-record --html page.html --as alice")
    assert outside.read_text() == "precious"
    assert not (world.folder / "page.html").is_symlink()
    assert not list(world.folder.glob(".lockflight-*"))


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        ("check work --html work", "LF0132", 2),
        ("check work --plan --html x.html", "LF0107", 2),
        ("check work --html nowhere/x.html", "LF0905", 4),
        (f"check work --html {'x' * 300}", "LF0905", 4),
    ],
)
def test_a_page_that_cannot_be_written_is_an_error(world, words, code, exit_code):
    done = world.run(words)
    assert (done.code, code in done.err) == (exit_code, True), done.err


def test_escaped_twice_is_not_shown_twice():
    assert html.escape("&") in page(report("&"))
    assert "&amp;amp;" not in page(report("&"))


def test_without_its_facts_a_decision_is_explained_from_the_log(world):
    rows = world.ok("evidence list --all --type decision --json").json()["result"]["evidence"]
    words = f"policy explain {rows[-1]['index']} --html"
    world.ok(f"{words} whole.html")
    statement = world.ok(f"evidence show {rows[-1]['index']} --json").json()["result"]["statement"]
    digest = statement["predicate"]["https://lockflight.dev/gate/v1"]["inputDigest"]["sha256"]
    (blob,) = (world.home / "realms" / "acme" / "blobs").rglob(digest)
    blob.unlink()
    world.ok(f"{words} log.html")
    whole, log = seen_of(world, "whole.html"), seen_of(world, "log.html")
    for told in ("Origin", "Log that was read"):
        assert told in whole.text
        assert told not in log.text
    assert whole.ids == log.ids
    assert len(whole.ids) > 3


def waiver(status="active", **changes):
    return {
        "digest": D, "kind": "waiver", "rule": "LF4107", "term": "data", "status": status,
        "expires": "2026-02-01T00:00:00Z", "requester": "p-1", "approver": "p-2", "renewals": 0,
        "scope": {"kind": "release", "digest": D, "project": "", "environment": "staging"}, **changes,
    }  # fmt: skip


KNOWN = Known({D: Texts("It is a file of ours.", "A person reads each one.", kept=True)}, frozenset())
NAMES = {"p-1": "alice", "p-2": "bob"}


def test_a_waiver_is_shown_with_all_that_its_approver_must_know():
    used = Waived("LF4107", "gaps", "data", D)
    said = waiver(kind="break-glass", ticket="SEC-9", renewals=2, not_before="2026-01-01T00:00:00Z")
    row = waived_row(used, {"LF4107": "Gaps"}, [said], NAMES, KNOWN)
    assert (row.title, row.by, row.requester, row.until) == ("Gaps", "bob", "alice", "2026-02-01T00:00:00Z")
    assert row.emergency
    text = Reader(page(report("w", waived=(row,)))).text
    for told in (
        "Consented bybob",
        "Asked for byalice",
        "An emergency: a break-glass, to be reviewed afterwards.",
        "It is a file of ours.",
        "A person reads each one.",
        "SEC-9",
        "2 times",
        "this release, only in staging",
        "2026-02-01 00:00:00 UTC (in force since 2026-01-01 00:00:00 UTC)",
    ):
        assert told in text, told
    assert waived_row(used, {}, [], {}).by == ""


def test_a_reason_that_was_erased_is_said_so():
    used = Waived("LF4107", "gaps", "data", D)
    for known in (None, Known({}, frozenset()), Known({D: Texts()}, frozenset())):
        row = waived_row(used, {}, [waiver()], NAMES, known)
        assert (
            "It was erased, or this copy of the realm never had it"
            in Reader(page(report(waived=(row,)))).text
        )
    lost = Reader(page(report(waived=(waived_row(used, {}, [], NAMES),)))).text
    assert "The facts of the decision were not kept" in lost


def test_waivers_without_effect_are_listed_with_their_state_and_why():
    used = [Waived("LF4107", "gaps", "data", D)]
    others = [
        waiver(),
        waiver("expired", digest="cd" * 32),
        waiver(digest="ef" * 32),
        waiver(digest="01" * 32, term="x"),
        waiver("pending", digest="23" * 32, ticket="T-7"),
    ]
    found = [*idle_waivers(used, others, {("LF4107", "x")}, NAMES)]
    assert [(w.waiver[:2], w.state, w.why) for w in found] == [
        ("cd", "expired", "its time was over; ask again if it is still needed"),
        ("ef", "not needed", "nothing failed that it is about"),
        ("01", "not needed", "the rule holds"),
        ("23", "pending", "nobody has consented yet"),
    ]
    text = Reader(page(report(waived=(), idle=tuple(found)))).text
    for told in ("nobody has consented yet", "alice", "T-7"):
        assert told in text


@pytest.mark.parametrize("status", [s for s in STANDINGS if s != "active"])
def test_every_standing_has_a_reason(status):
    (found,) = idle_waivers([], [waiver(status)])
    assert (found.state, bool(found.why)) == (status, True)


def test_waivers_of_other_releases_are_counted_in_one_line():
    for idle in ((), report().idle):
        text = Reader(page(report("w", elsewhere=3, idle=idle))).text
        assert text.count("3 more waivers exist that do not concern this release in w.") == 1
    assert "1 more waiver exists that does not concern" in Reader(page(report(elsewhere=1))).text
    assert "not concern this release" not in Reader(page(report())).text


def test_what_would_change_it_stands_with_what_is_to_be_done():
    change = Change(("one -> two", "three -> four"), "A note.")
    (failure,) = report().failures
    text = Reader(page(report(failures=(replace(failure, change=change),), tried=("Tried by two.",)))).text
    for told in (
        "with which this rule passes: one → two",
        "three → four",
        "A note.",
        "Tried by two.",
    ):
        assert told in text.replace("passes:one", "passes: one"), told


@pytest.mark.parametrize(("how", "said"), [("simulated", "A simulation."), ("degraded", "A small team.")])
def test_duties_that_are_not_separated_are_said(how, said):
    yes = replace(report().people, separation=how)
    assert said in Reader(page(report(people=yes))).text
    assert said not in Reader(page(report(people=replace(yes, separation="people")))).text
