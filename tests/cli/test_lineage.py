"""`record` and `release show --lineage` as they are typed: what is drawn, and what goes where."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.cli.world import MODEL


def recorded(world):
    words = "record --record --as alice --workspace work --step"
    world.ok(f"{words} quantise --product small.txt -- cp lockflight.toml small.txt")
    return world.ok(f"{words} shrink --material small.txt --product smaller.txt -- cp small.txt smaller.txt")


def add_rule(world):
    manifest = world.work / "lockflight.toml"
    manifest.write_text(manifest.read_text() + '\n[[assets]]\nrole = "other"\nfiles = ["smaller.txt"]\n')


def test_a_tree_is_drawn(world):
    done = recorded(world)
    assert (done.out, "✓ recorded shrink: 1 product from" in done.err) == ("", True)
    (world.work / "small.txt").unlink()
    add_rule(world)
    lines = world.ok("release show work --lineage").out.splitlines()
    assert lines[1].startswith("├─ smaller.txt ← made by shrink, entry ")
    assert lines[2].startswith("│  ├─ small.txt (smaller.txt) ← made by quantise, entry ")
    assert "nothing is recorded about" in lines[-1]
    assert lines[-1].startswith("└─ ! ")


def test_a_tree_as_json_and_as_at_an_earlier_time(world):
    recorded(world)
    (world.work / "small.txt").unlink()
    add_rule(world)
    tree = world.ok("release show work --lineage --json").json()["result"]["lineage"]
    [made] = tree["made"]
    assert made["step"] == "shrink"
    assert [i["made"]["step"] for i in made["inputs"] if i["made"]] == ["quantise"]
    assert world.run("release show work --lineage --as-of 2020-01-01T00:00:00Z").code == 3


def test_many_files_of_one_folder_are_one_line(world):
    (world.work / "kb").mkdir()
    for i in range(9):
        (world.work / "kb" / f"{i}.txt").write_text(str(i))
    uri = "https://data.example/kb@sha256:" + "a" * 64
    words = f"record --record --as alice --workspace work --step index --material kb --material {uri}"
    world.ok(f"{words} --product smaller.txt -- cp lockflight.toml smaller.txt")
    shutil.rmtree(world.work / "kb")
    add_rule(world)
    lines = world.ok("release show work --lineage").out.splitlines()
    assert lines[2] == "│  ├─ kb/  9 files"
    assert sum("kb" in line for line in lines) == 2
    assert any(line.endswith("https://data.example/kb  aaaaaaaaaaaa  declared") for line in lines)


def test_the_commands_output_is_its_own(world, capfd):
    done = world.ok(
        "record --json --workspace work --step say --product x.txt -- sh -c 'echo hi; echo x > x.txt'"
    )
    assert done.json()["result"]["step"] == "say"
    shown = capfd.readouterr()
    assert (shown.out, shown.err) == ("", "hi\n")
    world.ok("record --workspace work --step say --product x.txt -- sh -c 'echo hi; echo y > x.txt'")
    assert capfd.readouterr().out == "hi\n"


def test_options_of_the_command_are_not_ours(world):
    done = world.run("record --workspace work --step say --product x.txt -- false --json")
    assert done.code == 4
    assert "error LF1041" in done.err
    assert done.out == ""


def git(world, *words):
    done = subprocess.run(
        ["git", "-c", "user.name=N", *words], cwd=world.work, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def trained(world):
    """The model is made again, byte for byte, so that it is still that of the package."""
    again = f"cp {MODEL} new && mv new {MODEL}"
    words = f"record --json --record --as alice --workspace work --step train --product {MODEL} -- sh -c '{again}'"
    return world.ok(words).json()["result"]


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_only_what_production_held_closes_the_range_of_authors(world):
    """Else an author who signs, and brings to development alone, would hide that they wrote it."""
    git(world, "init", "-q")
    git(world, "add", "-A")
    git(world, "-c", "user.email=ann@mail.example", "commit", "-qm", "one")
    first = git(world, "rev-parse", "HEAD")
    assert trained(world)["since"] == ""
    git(world, "-c", "user.email=ben@mail.example", "commit", "-qm", "two", "--allow-empty")
    held_by_development = trained(world)
    assert (held_by_development["since"], held_by_development["authors"]["unknown"]) == ("", 2)
    git(world, "reset", "-q", "--hard", first)
    trained(world)
    for environment in ("staging", "production"):
        world.ok(f"check work --record --env {environment} --as alice")
        world.ok(f"approve package --env {environment} --as bob")
        world.ok(f"promote package --to {environment} --as alice")
    git(world, "-c", "user.email=cem@mail.example", "commit", "-qm", "three", "--allow-empty")
    after = trained(world)
    assert (after["since"], after["authors"]["unknown"]) == (first, 1)
