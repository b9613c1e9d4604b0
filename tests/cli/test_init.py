"""What `init` prints: files by role, the doubtful ones first."""

from __future__ import annotations

from tests.cli.runner import run


def test_files_are_grouped_by_role(home, tmp_path):
    for n in range(13):
        (tmp_path / f"data{n:02}.csv").write_text("x\n1\n")
    (tmp_path / "LICENSE").write_text("Do as you please.\n")
    found = run("init .", cwd=tmp_path).out
    assert "  dataset  13 files\n" in found
    assert "  licence  1 file\n" in found
    assert "data09.csv" in found
    assert "data10.csv" not in found
    assert "and 3 more" in found
    assert found.endswith("Nothing was written.\n  next: lockflight init . --write\n")
