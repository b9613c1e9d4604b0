"""What `--first-try` plants is real: a scanner recognises the token, the pickle runs a command when it is loaded."""

from __future__ import annotations

import json
import pickletools
import shutil
from pathlib import Path

import kingfisher_sdk
import pytest

from examples import assemble


def test_the_token_is_recognised_and_stands_nowhere_in_the_repository(project_root: Path) -> None:
    token = assemble.fake_token()
    found = kingfisher_sdk.Scanner().scan(f"upload with {token}\n")
    assert [finding.secret for finding in found] == [token]
    for path in (project_root / "examples").rglob("*"):
        if path.suffix in {".py", ".ipynb", ".md", ".toml", ".json"}:
            assert token not in path.read_text(encoding="utf-8"), path


def test_the_planted_token_stands_in_an_output_of_a_valid_notebook(
    project_root: Path, tmp_path: Path
) -> None:
    clean = project_root / "examples" / "tumour-classifier" / "notebooks" / "explore.ipynb"
    assert kingfisher_sdk.Scanner().scan_file(clean) == []
    planted = Path(shutil.copy2(clean, tmp_path))
    assemble.plant_token(planted)
    cells = json.loads(planted.read_text(encoding="utf-8"))["cells"]
    assert assemble.fake_token() in cells[-1]["outputs"][-1]["text"][0]
    assert len(kingfisher_sdk.Scanner().scan_file(planted)) == 1


def test_the_planted_adapter_calls_a_command_and_is_part_of_the_release(tmp_path: Path) -> None:
    (tmp_path / "lockflight.toml").write_text("[release]\n", encoding="utf-8")
    assemble.plant_adapter(tmp_path)
    opcodes = list(pickletools.genops((tmp_path / "adapters" / "tone.pkl").read_bytes()))
    texts = [argument for opcode, argument, _ in opcodes if opcode.name == "SHORT_BINUNICODE"]
    assert texts[-2:] == ["system", "true"]
    assert "REDUCE" in {opcode.name for opcode, _, _ in opcodes}
    assert 'files = ["adapters/tone.pkl"]' in (tmp_path / "lockflight.toml").read_text(encoding="utf-8")


def test_a_folder_that_holds_something_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("precious", encoding="utf-8")
    with pytest.raises(SystemExit) as end:
        assemble.run(
            lambda _out, _first_try: pytest.fail("called"),
            lambda _out: pytest.fail("called"),
            "x",
            ["--out", str(tmp_path)],
        )
    assert end.value.code == 2
    assert "is not an empty folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_the_build_can_wait(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done: list[str] = []
    for options, wanted in ((["--files"], ["files"]), ([], ["files", "build"])):
        assemble.run(
            lambda _out, _first_try: done.append("files"),
            lambda _out: done.append("build"),
            "x",
            ["--out", str(out), *options],
        )
        assert done == wanted
        done.clear()


def test_a_missing_package_is_named_with_a_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        assemble.package_folder("no_such_module", "no-such-package")
    assert end.value.code == 2
    assert "no-such-package is not installed. Run" in capsys.readouterr().err
