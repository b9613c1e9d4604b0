"""`record` and `release show --lineage` as they are typed: what is drawn, and what goes where."""

from __future__ import annotations


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
