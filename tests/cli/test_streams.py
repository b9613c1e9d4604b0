"""What goes where: the result to stdout, the rest to stderr; no traceback, whatever happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockflight.cli import run as running
from tests.cli.runner import every_command, run

SOURCE = "import sys; sys.path.insert(0, {src!r}); from lockflight.cli.main import main; sys.exit(main())"


@pytest.fixture
def lockflight(project_root, home):
    """Start a process of its own."""

    def start(*words, **options):
        program = SOURCE.format(src=str(project_root / "src"))
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.run([sys.executable, "-c", program, *words], check=False, text=True, **streams)

    return start


def crash(*_):
    raise RuntimeError("boom")


def interrupt(*_):
    raise KeyboardInterrupt


def test_a_crash_is_told_without_a_traceback(monkeypatch, home):
    monkeypatch.setattr("lockflight.cli.house.config.show", crash)
    done = run("config show")
    assert done.code == 1
    assert done.out == ""
    assert done.err.startswith("error LF0900: `lockflight config show` crashed: RuntimeError: boom\n")


def test_a_crash_is_told_as_json(monkeypatch, home):
    monkeypatch.setattr("lockflight.cli.house.config.show", crash)
    done = run("config show --json")
    assert (done.code, done.json()["error"]["code"]) == (1, "LF0900")


def test_a_crash_is_raised_for_who_looks_for_it(monkeypatch, home):
    monkeypatch.setattr("lockflight.cli.house.config.show", crash)
    with pytest.raises(RuntimeError, match="boom"):
        run("config show", LOCKFLIGHT_DEBUG="1")


def test_an_undeclared_exit_code_is_a_crash(monkeypatch, home):
    monkeypatch.setattr(
        "lockflight.cli.house.config.show", lambda a, r: running.Reply("config/v1", None, lambda s: (), 11)
    )
    done = run("config show")
    assert (done.code, "LF0902" in done.err) == (1, True)


def test_an_interrupt_is_130(monkeypatch, home):
    monkeypatch.setattr("lockflight.cli.house.config.show", interrupt)
    done = run("config show")
    assert (done.code, done.err) == (130, "\nlockflight: interrupted\n")


def test_a_library_that_prints_does_not_spoil_the_result(monkeypatch, home):
    from lockflight.cli.house import config

    real = config.show

    def noisy(args, given):
        sys.stdout.write("a library says hello\n")
        return real(args, given)

    monkeypatch.setattr(config, "show", noisy)
    done = run("config show --json")
    assert done.json()["ok"] is True
    assert "hello" in done.err


def test_a_refusal_of_the_system_is_no_crash(monkeypatch, home):
    def refuse(*_):
        raise PermissionError(13, "Permission denied", "thing")

    monkeypatch.setattr("lockflight.cli.house.config.show", refuse)
    done = run("config show")
    assert (done.code, done.err.splitlines()[0]) == (
        4,
        "error LF0905: `lockflight config show` was refused by the system: Permission denied (thing).",
    )


def test_a_reader_that_goes_away_does_not_change_the_verdict(lockflight, tmp_path):
    (tmp_path / "adapter.pkl").write_text("cposix\nsystem\n(S'true'\ntR.")
    reader, writer = os.pipe()
    os.close(reader)
    done = lockflight("scan", "adapter.pkl", "--json", cwd=tmp_path, stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (10, "")


def test_a_full_disk_is_exit_4(lockflight):
    with Path("/dev/full").open("w") as full:
        done = lockflight("explain", "LF0101", stdout=full)
    assert done.returncode == 4
    assert (
        "error LF0905: `lockflight explain` was refused by the system: No space left on device" in done.stderr
    )


def test_a_help_page_on_a_full_disk_is_exit_4(lockflight):
    with Path("/dev/full").open("w") as full:
        done = lockflight("--help", stdout=full)
    assert (done.returncode, done.stderr) == (
        4,
        "lockflight: standard output cannot be written: No space left on device\n",
    )


@pytest.mark.parametrize("closed", ["0", "1", "2"])
def test_only_a_closed_standard_output_changes_the_exit_code(lockflight, tmp_path, closed, project_root):
    (tmp_path / "adapter.pkl").write_text("cposix\nsystem\n(S'true'\ntR.")
    program = SOURCE.format(src=str(project_root / "src"))
    words = ["sh", "-c", f'exec "$0" "$@" {closed}>&-', sys.executable, "-c", program]
    given_up = 4 if closed == "1" else 10  # nobody could read the result, as on a full disk
    for name, code in (("adapter.pkl", given_up), ("-", 3 if closed == "0" else given_up)):
        with (tmp_path / "adapter.pkl").open("rb") as given:
            done = subprocess.run(
                [*words, "scan", name], stdin=given, capture_output=True, check=False, cwd=tmp_path
            )
        assert done.returncode == code, done
        assert b"Traceback" not in done.stderr


def test_the_package_is_a_program(project_root, home):
    done = subprocess.run(
        [sys.executable, "-m", "lockflight", "--version"],
        capture_output=True,
        check=False,
        text=True,
        cwd=project_root / "src",
    )
    assert (done.returncode, done.stdout.split()[0]) == (0, "lockflight")


def test_text_that_the_terminal_cannot_show_is_escaped(lockflight, tmp_path):
    (tmp_path / "modèle.txt").write_text("hello")
    environ = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = lockflight("init", ".", cwd=tmp_path, env=environ)
    assert (done.returncode, "mod\\xe8le.txt" in done.stdout) == (0, True), done


def test_colour_only_where_it_is_wanted(home):
    assert "\x1b[" not in run("config show").out
    assert "\x1b[" in run("config show", FORCE_COLOR="1").out
    assert "\x1b[" not in run("config show", FORCE_COLOR="1", NO_COLOR="1").out


def test_quiet_says_only_the_result(first_world):
    done = first_world.run("status --quiet")
    assert done.err == ""
    assert done.out


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("statsu", "Did you mean `lockflight status`?"),
        ("evidence lsit", "Did you mean `lockflight evidence list`?"),
        ("status --histroy", "Did you mean --history?"),
        ("explain LF4549", "Did you mean LF4548?"),
        ("explain LF9999", "lockflight explain WORD looks for codes by words."),
        ("status --as-of yesterday", "Write it in UTC, like --as-of 2026-01-31T12:00:00Z."),
        ("--quiet scan 'a b'", "lockflight scan 'a b' --quiet"),
        ("--colour", "lockflight --help"),
        ("scan . --workers many", "lockflight scan --help"),
        ("scan . --workers 99", "Use --workers 4, or leave it out for one per processor."),
        ("log show --last 0", "lockflight log show --last 10"),
        ("schema promotoin", "Did you mean promotion?"),
        ("check . --env stagin", "Did you mean staging?"),
        ("scan . --check model", "Did you mean models?"),
        ("check . --only secret", "Did you mean secrets?"),
        ("tools install bandid", "Did you mean bandit?"),
        ("revoke p --reason harmfull", "Did you mean harmful?"),
    ],
)
def test_did_you_mean(home, tmp_path, words, hint):
    (tmp_path / "a.txt").write_text("text")
    assert f"next: {hint}\n" in run(words, cwd=tmp_path).err


@pytest.mark.parametrize("name", sorted(every_command()))
def test_every_command_has_help_that_says_its_exit_codes(name):
    done = run(f"{name} --help")
    assert done.code == 0
    _, summary, exits = every_command()[name]
    assert summary[1:] in " ".join(done.out.split())
    assert f"Exit codes: {', '.join(map(str, exits))} " in done.out


def test_help_of_everything():
    assert run("").out == run("--help").out == run("help").out
    assert run("help status").out == run("status --help").out
    assert run("realm").code == 2
    assert run("realm --help").code == 0
    for name in every_command():
        assert name.split()[0] in run("").out


TEXTS = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    [
        "",
        "-",
        "--",
        ".",
        "..",
        "/",
        "/dev/null",
        "\0",
        "x" * 5000,
        "--json",
        "--env",
        "staging",
        "0",
        "-1",
        "--as-of",
        "2026-01-31T12:00:00Z",
        *("package", "bare", "alice", "bob", "--as", "--to", "development", "berth-classifier", "--project"),
        *("--reason", "other", "--out", "--release", "--digest", "--scope", "release", "a" * 64, "--all"),
    ]
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(sorted(set(every_command()) - {"demo", "tools install", "doctor"})),
    rest=st.lists(TEXTS, max_size=4),
)
def test_nothing_that_is_typed_crashes(world, name, rest):
    done = world.run(*name.split(), *rest)
    assert done.code in {0, 2, 3, 4, 10, 11, 12}, (done.out, done.err)
    assert "Traceback" not in done.err
    options = rest[: rest.index("--")] if "--" in rest else rest
    if done.code and "--json" in options:
        assert json.loads(done.out)["ok"] is False


def test_an_option_before_the_command_is_told_where_it_belongs(home):
    done = run("--json scan f")
    assert done.code == 2
    assert "options come after it" in done.json()["error"]["message"]


def test_an_unknown_realm_is_told_beside_those_that_there_are(first_world):
    assert "next: Did you mean acme? Realms here: acme" in first_world.run("status", realm="acm").err


def test_hints_name_what_was_typed(world):
    done = world.run("promote ./package --to staging --as alice")
    assert "next: lockflight approve ./package --env staging --as NAME\n" in done.err


def test_a_link_without_a_manifest_leads_to_one(home, tmp_path):
    (tmp_path / "a.csv").write_text("x\n1\n")
    (tmp_path / "b.csv").symlink_to("a.csv")
    done = run("check .", cwd=tmp_path)
    assert (done.code, "next: lockflight init . --write\n" in done.err) == (2, True), done.err
    assert run("init . --write", cwd=tmp_path).code == 0
    assert run("check . --plan", cwd=tmp_path).code == 0


def test_without_a_home_it_says_what_to_set(monkeypatch):
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("LOCKFLIGHT_HOME", raising=False)
    done = run("status", HOME="")
    assert (done.code, "Set LOCKFLIGHT_HOME" in done.err) == (4, True), done.err
