"""How a scan reads: worst first, grouped by what was found."""

from __future__ import annotations

from lockflight.app.files.scan import FileReport, ScanOutcome
from lockflight.cli.lines.scanlines import scan_lines
from lockflight.cli.release.scan import _error, _told
from lockflight.cli.style import Style
from lockflight.core.findings import Finding, Severity, Verdict


def file(name, verdict=Verdict.SAFE, *findings, reason=""):
    return FileReport(name, 1, "a" * 64, "text/plain", "text", verdict, reason, ("models",), findings)


def finding(name, severity=Severity.HIGH, code="LF2401", fix="Mend it."):
    return Finding(code, "r", severity, name, f"Said of {name}.", fix=fix)


def lines(*files, verbose=False, told=None):
    return "\n".join(scan_lines(ScanOutcome(files, (), ()), Style(), verbose=verbose, told=told or {}))


def test_the_worst_file_is_first_and_the_error_names_it_with_its_fix():
    review = file("a.py", Verdict.REVIEW, finding("a.py"))
    bad = file("z.pkl", Verdict.MALICIOUS, finding("z.pkl", Severity.CRITICAL, "LF2100", "Do not load it."))
    found = lines(file("0.txt"), review, bad)
    assert found.index("z.pkl") < found.index("a.py") < found.index("0.txt")
    assert found.endswith("3 files: 1 malicious, 1 review, 1 safe")
    code, error = _error(ScanOutcome((review, bad), (), ()))
    assert (code, error.hint) == (10, "Do not load it.")
    assert "2 files are not safe: z.pkl (malicious) and 1 more." in error.message


def test_what_a_code_means_is_told_where_it_was_asked_for():
    bad = file("z.pkl", Verdict.MALICIOUS, finding("z.pkl", code="LF2100"))
    told = _told(ScanOutcome((bad,), (), ()))
    assert set(told) == {"LF2100"}
    assert told["LF2100"].title in lines(bad, told=told)
    assert told["LF2100"].title not in lines(bad)


def test_the_fix_is_that_of_the_worst_finding():
    found = file("a.py", Verdict.REVIEW, finding("a.py", Severity.LOW, fix="Later."), finding("a.py"))
    assert _error(ScanOutcome((found,), (), ()))[1].hint == "Mend it."


def test_one_finding_in_many_files_is_one_group():
    files = [file(f"f{n:02}.py", Verdict.REVIEW, finding(f"f{n:02}.py")) for n in range(13)]
    found = lines(*files)
    assert "high LF2401  13 findings in 13 files" in found
    assert found.count("fix: Mend it.") == 1
    assert "Said of f09.py." in found
    assert "Said of f10.py." not in found
    assert "  and 3 more (--verbose)" in found
    assert "Said of f12.py." in lines(*files, verbose=True)


def test_a_loud_file_leaves_room_for_others():
    loud = file("a.py", Verdict.REVIEW, *(finding("a.py") for _ in range(50)))
    found = lines(loud, file("b.py", Verdict.REVIEW, finding("b.py")))
    assert "Said of b.py." in found
    assert "and 40 more (--verbose)" in found


def test_files_that_nothing_reads_are_grouped_by_reason():
    found = lines(*(file(f"{n:02}.png", None, reason="picture") for n in range(12)))
    assert "! not analysed: picture\n  00.png\n" in found
    assert "and 2 more (--verbose)" in found


def test_a_long_table_ends():
    found = lines(*(file(f"{n:03}.txt") for n in range(60)))
    assert "and 20 more, none of them worse (--verbose)" in found
    assert "059.txt" in lines(*(file(f"{n:03}.txt") for n in range(60)), verbose=True)
