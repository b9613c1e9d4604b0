from __future__ import annotations

import json

from bench import report


def test_every_script_is_in_the_report(project_root):
    scripts = {path.stem for path in (project_root / "bench").glob("[a-z]*.py")}
    assert scripts == {*report.SCRIPTS, "report"}


def test_the_page_is_written_whole_or_not_at_all(monkeypatch, tmp_path):
    page = tmp_path / "performance.md"
    page.write_text("as it was")
    monkeypatch.setattr(report, "PAGE", page)
    monkeypatch.setattr(report, "ROOT", tmp_path)
    monkeypatch.setattr(report, "SCRIPTS", ("good", "bad"))
    monkeypatch.setattr("sys.argv", ["report.py"])
    (tmp_path / "bench").mkdir()
    claim = {"claim": "c", "value": 2.0, "goal": "<= 1 x", "peer": "p", "holds": False, "cause": "it is slow"}
    (tmp_path / "bench" / "good.py").write_text(f"print({json.dumps(json.dumps([claim]))})")
    (tmp_path / "bench" / "bad.py").write_text("raise SystemExit('no peer')")
    assert report.main() == 1
    assert page.read_text() == "as it was"
    monkeypatch.setattr(report, "SCRIPTS", ("good",))
    assert report.main() == 0
    assert "**no** (`holds: false`)" in page.read_text()
    assert "- **c**: it is slow." in page.read_text()
