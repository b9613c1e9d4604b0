"""Signing in a job: an issuer is trusted, a machine has no key, a token signs; all of it as people type it."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace

import jsonschema
import pytest

from tests.app.trusting import described
from tests.cli.runner import SCHEMAS
from tests.https import https
from tests.tokens import AUDIENCE, MAKERS

GITHUB = MAKERS["github"]
CI = "identity add ci --machine --no-key --owner alice --role builder --as bob"


def agree(world, words, second):
    """One person proposes, another consents."""
    envelope = world.ok(f"{words} --json").json()["result"]["envelope"]
    world.ok(f"review {envelope} --as {second}")
    return envelope


def propose(world, maker=GITHUB, rules=None, **more):
    file, keys = described(world.folder, maker, *(rules or [("ci", maker.rule)]), **more)
    return f"identity issuer add {file.name} --jwks {keys.name} --as bob"


@pytest.fixture
def trusting(world):
    """A world whose realm has an authority and trusts GitHub for the machine `ci`."""
    world.ok("ca init")
    agree(world, CI, "eve")
    agree(world, propose(world), "eve")
    return world


def token(world, data=None, name="token.jwt", **claims):
    (world.folder / name).write_bytes(data or GITHUB.token(int(time.time()), **claims))
    return name


def test_from_proposal_to_verified_package(world):
    world.ok("ca init")
    said = world.ok(CI)
    assert "no key: tokens of a trusted issuer identify it" in said.out
    waits = world.ok("review").out
    assert "by tokens of a trusted issuer, without a key" in waits
    proposal = world.ok("review --json").json()["result"]["waiting"][0]["proposal"]
    world.ok(f"review {proposal} --as eve")
    proposed = world.ok(propose(world))
    assert "nothing has changed yet" in proposed.out
    assert "waiting: https://token.actions" in world.ok("identity issuer list").out
    told = world.ok("review").out
    for words in ("repository_id is 74", "RSA-2048", AUDIENCE):
        assert words in told, "who consents sees every key and claim"
    waiting = world.ok("identity issuer list --json").json()["result"]["waiting"]
    assert world.run(f"review {waiting[0]['proposal']} --as alice").code == 10, "it is her machine"
    world.ok(f"review {waiting[0]['proposal']} --as eve")
    shown = world.ok("identity issuer list").out
    assert "repository_owner_id = 1001" in shown
    signed = world.ok(f"sign work --out signed --oidc-token {token(world)}")
    assert "signed" in signed.out
    assert "by ci" in signed.out
    assert "ci" in world.ok("verify signed").out


def test_the_statement_has_its_form(trusting):
    rows = trusting.ok("evidence list --json").json()["result"]
    digest = next(
        row["envelope"]
        for row in next(iter(v for v in rows.values() if isinstance(v, list)))
        if row["type"] == "issuer"
    )
    statement = trusting.ok(f"evidence show {digest} --json").json()["result"]["statement"]
    schema = json.loads((SCHEMAS / "attestation-issuer.json").read_text())
    jsonschema.validate(statement, schema)


def test_each_way_to_hand_a_token_over(trusting):
    name = token(trusting)
    done = trusting.ok(f"ca issue --out lent --oidc-token {name} --json").json()["result"]
    assert done["identity"].endswith(done["principal"])
    again = trusting.run(f"ca issue --out lent2 --oidc-token {name}")
    assert (again.code, "LF4647" in again.err) == (10, True)
    trusting.ok("ca issue --out lent3 --oidc-token -", stdin=GITHUB.token(int(time.time())))
    fresh = str(trusting.folder / token(trusting))
    trusting.ok("ca issue --out lent4", LOCKFLIGHT_OIDC_TOKEN_FILE=fresh)


@pytest.mark.parametrize("words", ["ca issue --out lent", "sign work --out signed"])
def test_tokens_that_cannot_be_read(trusting, words):
    (trusting.folder / "empty").write_text("\n")
    for given in ("nowhere", "empty", "work"):
        done = trusting.run(f"{words} --oidc-token {given}")
        assert (done.code, "LF4655" in done.err) == (2, True), done.err
    done = trusting.run(words, LOCKFLIGHT_OIDC_TOKEN_FILE="nowhere")
    assert (done.code, "LF4655" in done.err) == (2, True), "never somebody else's key instead"
    secret = GITHUB.token(int(time.time())).decode()
    done = trusting.run(f"{words} --oidc-token {secret}")
    assert done.code == 2
    assert secret[:100] not in done.err + done.out


def test_what_does_not_go_together(trusting):
    name = token(trusting)
    for words, code in (
        (f"sign work --out signed --oidc-token {name} --own-key", "LF0107"),
        (f"sign work --out signed --oidc-token {name} --oidc github", "LF0107"),
        ("sign work --out signed --oidc gitlab", "LF0106"),
        ("identity issuer list x", "LF0107"),
        ("identity issuer add", "LF0107"),
        ("identity issuer add github.json", "LF0107"),
        ("identity issuer remove", "LF0107"),
        ("identity issuer remove x --jwks y", "LF0107"),
        ("identity issuer trust x", "LF0106"),
        ("identity add other --no-key --role author --as bob", "LF0126"),
    ):
        done = trusting.run(words)
        assert (done.code, code in done.err) == (2, True), f"{words}: {done.err}"
    done = trusting.run(f"sign work --out signed --oidc-token {name} --as alice")
    assert (done.code, "LF4652" in done.err) == (10, True)
    trusting.ok(f"sign work --out signed --oidc-token {name} --as ci")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"audience": ""}, "LF4656"),
        ({"audience": None}, "LF4656"),
        ({"kind": "circle"}, "LF4656"),
        ({"url": "http://token.example"}, "LF4656"),
        ({"life-seconds": 7200}, "LF4656"),
        ({"life-seconds": "60"}, "LF4656"),
        ({"extra": 1}, "LF4656"),
        ({"rule": []}, "LF4656"),
        ({"rule": [{"machine": "ci"}]}, "LF4656"),
        ({"rule": [{"machine": "ci", "claims": {"repository_id": 74}}]}, "LF4656"),
        ({"rule": [{"machine": "ci", "claims": {}}]}, "LF4651"),
        ({"rule": [{"machine": "ci", "claims": {"repository": "acme/five"}}]}, "LF4651"),
        ({"rule": [{"machine": "alice", "claims": GITHUB.rule}]}, "LF4651"),
        (
            {"rule": [{"machine": "ci", "claims": {**GITHUB.rule, "job_workflow_ref": "a/b/c.yml@v1"}}]},
            "LF4651",
        ),
    ],
    ids=str,
)
def test_descriptions_that_are_refused(trusting, changes, code):
    words = propose(trusting, **changes)
    done = trusting.run(words)
    assert (done.code, code in done.err) == (2, True), done.err
    assert len(trusting.ok("identity issuer list --json").json()["result"]["issuers"]) == 1


def test_files_that_are_refused(trusting):
    propose(trusting)
    for name, body in (("github.json", "{"), ("github-jwks.json", '{"keys": []}'), ("github.json", "[]")):
        kept = (trusting.folder / name).read_text()
        (trusting.folder / name).write_text(body)
        done = trusting.run("identity issuer add github.json --jwks github-jwks.json --as bob")
        assert done.code == 2
        assert ("LF4650" if "jwks" in name else "LF4656") in done.err
        (trusting.folder / name).write_text(kept)
    done = trusting.run("identity issuer add nowhere.toml --jwks github-jwks.json --as bob")
    assert (done.code, "LF4656" in done.err) == (2, True)


def test_a_description_in_toml(trusting):
    rule = "\n".join(f'{name} = "{value}"' for name, value in GITHUB.rule.items())
    (trusting.folder / "github.toml").write_text(
        f'url = "{GITHUB.url}"\nkind = "github"\naudience = "{AUDIENCE}"\nlife-seconds = 600\n\n'
        f'[[rule]]\nmachine = "ci"\n[rule.claims]\n{rule}\nenvironment = "production"\n'
    )
    agree(trusting, "identity issuer add github.toml --jwks github-jwks.json --as bob", "eve")
    shown = trusting.ok("identity issuer list --json").json()["result"]["issuers"][0]
    assert shown["life_s"] == 600
    assert shown["rules"][0]["claims"]["environment"] == "production"
    done = trusting.run(f"sign work --out signed --oidc-token {token(trusting)}")
    assert (done.code, "LF4644" in done.err) == (10, True)
    trusting.ok(f"sign work --out signed --oidc-token {token(trusting, environment='production')}")


def test_taking_back(trusting):
    denied = trusting.run(f"identity issuer remove {GITHUB.url} --as alice")
    assert (denied.code, "LF4602" in denied.err) == (10, True)
    done = trusting.ok(f"identity issuer remove {GITHUB.url} --as bob")
    assert "count no more" in done.out
    gone = trusting.run(f"identity issuer remove {GITHUB.url} --as bob")
    assert (gone.code, "LF4654" in gone.err) == (3, True)
    refused = trusting.run(f"sign work --out signed --oidc-token {token(trusting)}")
    assert (refused.code, "LF4639" in refused.err) == (12, True)
    assert not (trusting.folder / "signed").exists()


def test_a_personal_realm_trusts_no_issuer(world):
    propose(world)
    for words in ("add github.json --jwks github-jwks.json", f"remove {GITHUB.url}"):
        done = world.run(f"identity issuer {words}", realm="personal")
        assert (done.code, "LF4601" in done.err) == (10, True)
    assert "trusts no issuer" in world.ok("identity issuer list", realm="personal").out


@pytest.mark.enable_socket
def test_github_is_asked_for_the_token(trusting, tmp_path):
    """A real HTTPS server in place of GitHub's."""
    from lockflight.app.identity.githubtoken import github_token
    from lockflight.app.realm.view import open_view
    from lockflight.errors import LockflightError

    state = open_view(trusting.home, "acme").state
    value = GITHUB.token(int(time.time()))
    asked = f"/token?api-version=2.0&audience={AUDIENCE.replace(':', '%3A').replace('/', '%2F')}"
    with https(tmp_path / "tls") as server:
        job = {
            "ACTIONS_ID_TOKEN_REQUEST_URL": server.url("/token?api-version=2.0"),
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "a-secret",
        }

        def ask(code="", **changes):
            environ = {key: word for key, word in {**job, **changes}.items() if word}
            offline = bool(changes.get("offline"))
            if not code:
                return github_token(state, offline=offline, environ=environ, ca=server.ca)
            with pytest.raises(LockflightError) as info:
                github_token(state, offline=offline, environ=environ, ca=server.ca)
            assert info.value.code == code
            assert "a-secret" not in f"{info.value.message} {info.value.hint}"
            return b""

        server.files[asked] = json.dumps({"count": 1, "value": value.decode()}).encode()
        assert ask() == value
        assert server.asked[-1][1]["Authorization"] == "Bearer a-secret"
        ask("LF4657", ACTIONS_ID_TOKEN_REQUEST_TOKEN="")
        ask("LF4657", ACTIONS_ID_TOKEN_REQUEST_URL="")
        ask("LF0183", ACTIONS_ID_TOKEN_REQUEST_URL="http://127.0.0.1/token?x=1")
        ask("LF0183", ACTIONS_ID_TOKEN_REQUEST_TOKEN="a-secret\r\nX: y")
        ask("LF5065", offline="1")
        for body in (
            b"",
            b"[]",
            b"{}",
            b'{"value": 1}',
            b'{"value": "\xc3\xa4"}',
            b'{"value": "a", "value": "b"}',
        ):
            server.files[asked] = body
            ask("LF4657")
        server.redirect(asked, "/elsewhere")
        ask("LF5062")
        assert not [path for path, _ in server.asked if path == "/elsewhere"]


def test_outside_of_github_there_is_nobody_to_ask(trusting):
    done = trusting.run("sign work --out signed --oidc github")
    assert (done.code, "LF4657" in done.err) == (4, True)


def test_new_keys_are_a_change_by_two_people(trusting):
    turned = replace(GITHUB, signer="rsa+turned")
    name = token(trusting, turned.token(int(time.time())))
    assert trusting.run(f"ca issue --out a --oidc-token {name}").code == 12
    agree(trusting, propose(trusting, turned), "eve")
    trusting.ok(f"ca issue --out b --oidc-token {name}")
    shutil.rmtree(trusting.folder / "b")
