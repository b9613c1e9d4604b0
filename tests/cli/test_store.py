"""A realm that keeps its log in a database, from the command line."""

from __future__ import annotations

import json

import pytest

from tests.cli.runner import run

MEMBERS = "--member alice=author --member bob=approver"


@pytest.fixture
def cli(home):
    return lambda words, **environ: run(*words.split(), cwd=home.parent, LOCKFLIGHT_HOME=str(home), **environ)


@pytest.fixture
def url(postgres):
    found = postgres.url(postgres.database()).replace("keeper@", "keeper:hush@")
    yield found
    postgres.leave(found)


def test_a_realm_in_a_database_works_like_any(cli, home, url):
    made = cli(f"realm init acme --store {url} {MEMBERS}")
    assert made.code == 0, made.err
    assert "postgresql://keeper@/" in made.out
    assert "hush" not in made.out + made.err
    folder = home / "realms" / "acme"
    assert not (folder / "log.db").exists()
    for words in ("log verify", "log rebuild", "log show", "realm show", "status", "doctor"):
        done = cli(f"{words} --realm acme")
        assert done.code == 0, (words, done.out, done.err)
        assert "hush" not in done.out + done.err
    assert cli("log verify --realm acme --offline --json").code == 4
    again = cli(f"realm init other --store {url} {MEMBERS}")
    assert (again.code, "LF5039" in again.err, "hush" in again.err) == (4, True, False)
    assert not (home / "realms" / "other").exists()


def test_the_setting_is_where_new_realms_go_and_shows_no_password(cli, home, url):
    shown = cli("config show --origin --json", LOCKFLIGHT_STORE=url)
    rows = {row["name"]: row for row in json.loads(shown.out)["result"]["settings"]}
    assert rows["store"]["origin"] == "environment"
    assert rows["store"]["value"].startswith("postgresql://keeper@/")
    assert "hush" not in shown.out
    assert cli(f"realm init acme {MEMBERS}", LOCKFLIGHT_STORE=url).code == 0
    assert (home / "realms" / "acme" / "store.toml").is_file()


@pytest.mark.parametrize("store", ["mysql://u:hush@h/x", "postgresql://u:hush@h", "hush"])
def test_what_is_no_address_is_refused_before_anything_is_made(cli, home, store):
    done = cli(f"realm init acme --store {store} {MEMBERS}")
    assert (done.code, "LF0129" in done.err, "hush" in done.err) == (2, True, False)
    assert not (home / "realms").exists()


def test_a_server_that_is_not_there_is_told(cli, home):
    done = cli(f"realm init acme --store postgresql://u:hush@/x?host=%2Fnonexistent {MEMBERS}")
    assert (done.code, "LF5047" in done.err, "hush" in done.err) == (4, True, False)
    assert not (home / "realms" / "acme").exists()


def test_the_workspace_does_not_say_where_the_log_is(cli, home, tmp_path):
    (tmp_path / "config.toml").write_text('store = "postgresql://u@h/x"\n')
    (tmp_path / "store.toml").write_text('url = "postgresql://u@h/x"\n')
    assert cli(f"realm init acme {MEMBERS}").code == 0
    assert (home / "realms" / "acme" / "log.db").is_file()
