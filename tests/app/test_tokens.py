"""Certificates for identity tokens: what a job may sign, and the thousand tokens that issue nothing."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lockflight.app.identity import authority, issuers, tokens
from lockflight.app.identity import principals as identity
from lockflight.app.realm import clock
from lockflight.app.realm.realm import Realm
from lockflight.app.release.sign import sign
from lockflight.app.release.verify import verify_package
from lockflight.core.attest.acts import Registration
from lockflight.core.attest.trust import Duty
from lockflight.core.verify.crypto.certificate import (
    CODE_SIGNING,
    FULCIO,
    check_leaf,
    identity_of,
    load_certificate,
)
from lockflight.core.verify.realmroot import identity_uri, issuer_of
from lockflight.errors import LockflightError, PolicyDenied, VerificationFailed
from lockflight.signing.keys import P256, generate
from lockflight.signing.oms import sign_statement
from tests.app.trusting import REALM, consent, machine, small_realm, trust, trusting
from tests.tokencorpus import friendly, hostile
from tests.tokens import AUDIENCE, MAKERS, SHA, WORKFLOW, Maker, b64, sealed

if TYPE_CHECKING:
    from lockflight.core.verify.crypto.certificate import Certificate

GITHUB = MAKERS["github"]


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Realm:
    """Read only, but for its memory of tokens."""
    folder = tmp_path_factory.mktemp("team")
    return trusting(folder / "home", folder)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose realm trusts one issuer, for one machine."""
    folder = tmp_path_factory.mktemp("small")
    small_realm(folder / "home", folder)
    return folder / "home"


@pytest.fixture
def own(home: Path, small: Path) -> Realm:
    """One that a test may change."""
    shutil.copytree(small, home, dirs_exist_ok=True)
    return Realm(home, REALM)


def now() -> int:
    return int(time.time())


def ask(realm: Realm, token: bytes, actor: str = "") -> Certificate:
    """As a job asks over a wire: its own new key, a proof that it holds it, and the token."""
    signer = generate(P256)
    holder = signer.sign(tokens.request_words(realm, token, signer.public_der))
    return tokens.issue_for_token(realm, token, signer.public_der, holder=holder, actor=actor)[0]


def code_of(realm: Realm, token: bytes, actor: str = "") -> str:
    try:
        ask(realm, token, actor)
    except LockflightError as error:
        told = f"{error.message} {error.hint} {error.details}"
        return (
            "it tells the token"
            if len(token) > 20 and token.decode("latin-1").strip() in told
            else error.code
        )
    return ""


def fresh(realm: Realm) -> Realm:
    return Realm(realm.home, realm.name)


@pytest.mark.parametrize("maker", MAKERS.values(), ids=list(MAKERS))
def test_hostile_tokens_issue_nothing(
    team: Realm, maker: Maker, record_property: pytest.RecordProperty
) -> None:
    used = team.folder / "tokens" / "used"
    before = used.read_bytes() if used.exists() else b""
    at, wrong, seen = now(), [], Counter[str]()
    for case in hostile(maker, at):
        found = code_of(team, case.token)
        seen[found] += 1
        if found != case.code:
            wrong.append(f"{case.name}: {found or 'ISSUED'} instead of {case.code}")
    assert not wrong
    assert seen[""] == 0
    assert sum(seen.values()) > 250
    assert (used.read_bytes() if used.exists() else b"") == before, "what is refused uses nothing up"
    record_property("refused", json.dumps(seen))


def test_every_refusal_of_a_token_is_in_the_corpus() -> None:
    seen = {case.code for maker in MAKERS.values() for case in hostile(maker, now())}
    assert seen == {f"LF46{n}" for n in range(31, 45)} | {"LF4646"}


@pytest.mark.parametrize("maker", MAKERS.values(), ids=list(MAKERS))
def test_look_alikes_pass(team: Realm, maker: Maker) -> None:
    refused = {name: found for name, token in friendly(maker, now()) if (found := code_of(team, token))}
    assert not refused


@pytest.mark.parametrize("maker", MAKERS.values(), ids=list(MAKERS))
def test_a_token_is_worth_one_certificate(team: Realm, maker: Maker) -> None:
    token = maker.token(now())
    again = [token, token + b"\n"]
    if maker.with_id:
        once = {"jti": f"the-same-{maker.kind}"}
        token = maker.token(now(), **once)
        again = [token, maker.token(now() - 1, **once), maker.token(now(), **once, x="other")]
    if maker.algorithm == "ES256":
        head, _, mark = token.decode().rpartition(".")
        raw = __import__("base64").urlsafe_b64decode(mark + "==")
        order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
        low = raw[:32] + (order - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
        again.append(f"{head}.{b64(low)}".encode())
    assert not code_of(team, token)
    for one in again:
        assert code_of(team, one) == "LF4647"


def test_the_certificate_names_the_machine_and_the_job_and_no_person(team: Realm) -> None:
    leaf = ask(team, GITHUB.token(now()))
    check_leaf(leaf, CODE_SIGNING)
    trusted = fresh(team).state.trust
    principal = identity.find(team.view, "ci-github").principal
    found = identity_of(leaf)
    assert (found.name, found.issuer) == (identity_uri(trusted, principal), issuer_of(trusted))
    assert leaf.ends - leaf.begins == 600
    host = "https://github.com"
    said = {n: raw[2:].decode() for n in range(9, 30) if (raw := leaf.extension(f"{FULCIO}.{n}")) is not None}
    assert said == {
        9: f"{host}/{WORKFLOW}",
        10: SHA,
        11: "github-hosted",
        13: SHA,
        14: "refs/heads/main",
        15: "74",
        17: "1001",
        18: f"{host}/{WORKFLOW}",
        19: SHA,
        20: "push",
        21: f"{host}/acme/five/actions/runs/30433642/attempts/1",
    }
    for kind, personal in (("github", [b"octocat"]), ("gitlab", [b"dana", b"dana@acme.example"])):
        der = ask(team, MAKERS[kind].token(now())).der
        assert not [word for word in personal if word in der]


def test_the_holder_of_the_key_must_be_who_asks(team: Realm) -> None:
    signer, thief = generate(P256), generate(P256)
    token, other = GITHUB.token(now()), GITHUB.token(now())
    words = tokens.request_words(team, token, signer.public_der)
    proofs = [
        thief.sign(words),
        signer.sign(words + b"x"),
        signer.sign(tokens.request_words(team, other, signer.public_der)),
        signer.sign(tokens.request_words(team, token, thief.public_der)),
        b"",
    ]
    for proof in proofs:
        with pytest.raises(PolicyDenied) as info:
            tokens.issue_for_token(team, token, signer.public_der, holder=proof)
        assert info.value.code == "LF7452"
    assert tokens.issue_for_token(team, token, signer.public_der, holder=signer.sign(words))[0], (
        "it is still good"
    )


def test_the_token_says_who_acts(team: Realm) -> None:
    assert code_of(team, GITHUB.token(now()), "alice") == "LF4652"
    assert code_of(team, GITHUB.token(now()), "ci-gitlab") == "LF4652"
    assert not code_of(team, GITHUB.token(now()), "ci-github")
    principal = identity.find(team.view, "ci-github").principal
    assert not code_of(team, GITHUB.token(now()), principal)


def test_a_job_signs_a_release_that_everybody_can_verify(own: Realm, workspace: Path, tmp_path: Path) -> None:
    out = tmp_path / "package"
    signed = sign(own.home, REALM, workspace, out, actor="", token=GITHUB.token(now()))
    assert signed.signer == "ci"
    assert signed.identity.endswith(signed.principal)
    found = verify_package(own.home, REALM, out)
    assert (found.signer, found.principal) == ("ci", signed.principal)
    state = fresh(own).state
    assert state.ineffective == []
    alice = own.actor("alice").principal
    from lockflight.core.facts.authors import authors

    assert authors(state, signed.release.digest) == {signed.principal, alice}, "its owner made it"


def test_a_token_is_nowhere_in_the_home(own: Realm, workspace: Path, tmp_path: Path) -> None:
    token = GITHUB.token(now())
    sign(own.home, REALM, workspace, tmp_path / "package", actor="", token=token)
    pieces = token.split(b".")
    for path in [*own.home.rglob("*"), *(tmp_path / "package").rglob("*")]:
        if path.is_file():
            data = path.read_bytes()
            assert not [one for one in pieces if one in data], path


def test_a_package_of_a_refused_token_does_not_appear(own: Realm, workspace: Path, tmp_path: Path) -> None:
    size = own.view.size
    out = tmp_path / "package"
    with pytest.raises(PolicyDenied) as info:
        sign(own.home, REALM, workspace, out, actor="", token=GITHUB.token(now(), event_name="pull_request"))
    assert info.value.code == "LF4646"
    assert not out.exists()
    assert fresh(own).view.size == size


def test_a_machine_that_is_no_builder_signs_no_release(own: Realm, workspace: Path, tmp_path: Path) -> None:
    machine(own.home, "tester", "evaluator")
    trust(own.home, tmp_path, MAKERS["oidc"], ("tester", MAKERS["oidc"].rule))
    token = MAKERS["oidc"].token(now())
    with pytest.raises(PolicyDenied) as info:
        sign(own.home, REALM, workspace, tmp_path / "package", actor="", token=token)
    assert info.value.code == "LF4602"
    lent = tokens.lent_for_token(fresh(own), token)
    code = register(own, lent)
    assert code == "LF7245", "and the fold says so, too"


def register(realm: Realm, lent: authority.ShortLived) -> str:
    """Log a registration under a certificate; why it does not count."""
    fact = Registration("aa" * 32, "x", "1", "model", "minimal", "bb" * 32, "cc" * 32, realm.state.root)
    envelope = sign_statement(fact.statement(), lent.signer)
    realm = fresh(realm)
    realm.append_envelopes([(envelope.encode(), lent.certificate.der)])
    return realm.state.by_digest[envelope.digest].code


def test_a_builder_under_a_certificate_may_register_and_nothing_more(own: Realm) -> None:
    """What it names is not there; that is another reason than the duty."""
    assert register(own, tokens.lent_for_token(fresh(own), GITHUB.token(now()))) == "LF7248"


def test_a_machine_with_a_key_of_its_own_signs_no_release_with_it(own: Realm) -> None:
    done = identity.add(
        own.home, REALM, "old", roles=("builder",), machine=True, owner="alice", actor="bob", now=clock.now()
    )
    consent(own.home, done.said.envelope)
    realm = fresh(own)
    key = realm.key_of(identity.find(realm.view, "old"))
    assert key is not None
    fact = Registration("aa" * 32, "x", "1", "model", "minimal", "bb" * 32, "cc" * 32, realm.state.root)
    receipt = realm.append([(fact.statement(), key)])[0]
    assert realm.state.by_digest[receipt.envelope].code == "LF7245"


def test_an_issuer_counts_only_with_a_second_person(own: Realm, tmp_path: Path) -> None:
    from tests.app.trusting import described

    maker = MAKERS["gitlab"]
    said, _ = issuers.add(own.home, REALM, *described(tmp_path, maker, ("ci", maker.rule)), actor="bob")
    assert code_of(fresh(own), maker.token(now())) == "LF4639"
    for actor in ("bob", "alice"):  # who proposed it, and whose machine it is
        with pytest.raises(PolicyDenied) as info:
            consent(own.home, said.envelope, actor)
        assert info.value.code == "LF4525"
    consent(own.home, said.envelope)
    assert not code_of(fresh(own), maker.token(now()))


def test_one_person_takes_an_issuer_back(own: Realm) -> None:
    before, spare = GITHUB.token(now()), GITHUB.token(now())
    lent = tokens.lent_for_token(fresh(own), before)
    with pytest.raises(PolicyDenied) as info:
        issuers.remove(own.home, REALM, GITHUB.url, actor="alice")
    assert info.value.code == "LF4602"
    issuers.remove(own.home, REALM, GITHUB.url, actor="carol")
    assert code_of(fresh(own), spare) == "LF4639"
    assert register(own, lent) == "LF7248", "what was issued before ends by itself"
    with pytest.raises(LockflightError) as gone:
        issuers.remove(own.home, REALM, GITHUB.url, actor="carol")
    assert gone.value.code == "LF4654"


def test_new_keys_replace_the_old_ones(own: Realm, tmp_path: Path) -> None:
    from dataclasses import replace

    turned = replace(GITHUB, signer="rsa+new")
    assert code_of(fresh(own), turned.token(now())) == "LF4637"
    trust(own.home, tmp_path, turned, ("ci", GITHUB.rule))
    assert not code_of(fresh(own), turned.token(now()))
    assert code_of(fresh(own), GITHUB.token(now())) == "LF4637"


def test_a_shorter_life_is_the_realms_to_ask(own: Realm, tmp_path: Path) -> None:
    trust(own.home, tmp_path, GITHUB, ("ci", GITHUB.rule), **{"life-seconds": 120})
    assert code_of(fresh(own), GITHUB.token(now())) == "LF4643"
    assert not code_of(fresh(own), GITHUB.token(now(), exp=now() + 100))


def test_rules_of_two_machines_let_nobody_in(own: Realm, tmp_path: Path) -> None:
    machine(own.home, "other")
    rules = [("ci", GITHUB.rule), ("other", {**GITHUB.rule, "environment": "production"})]
    trust(own.home, tmp_path, GITHUB, *rules)
    assert not code_of(fresh(own), GITHUB.token(now()))
    assert code_of(fresh(own), GITHUB.token(now(), environment="production")) == "LF4645"
    trust(own.home, tmp_path, GITHUB, rules[0], ("ci", rules[1][1]))
    assert not code_of(fresh(own), GITHUB.token(now(), environment="production")), "one machine, twice"


@pytest.mark.parametrize("how", ["withdraw", "revoke", "owner"])
def test_a_machine_that_left_gets_nothing_and_what_it_held_counts_no_more(own: Realm, how: str) -> None:
    lent = tokens.lent_for_token(fresh(own), GITHUB.token(now()))
    if how == "revoke":
        identity.revoke(own.home, REALM, "ci", reason="compromised", note="", actor="carol")
    else:
        name = "ci" if how == "withdraw" else "alice"
        consent(own.home, identity.withdraw(own.home, REALM, name, actor="bob").said.envelope)
    assert code_of(fresh(own), GITHUB.token(now())) == "LF4653"
    assert register(own, lent) in {"LF7244", "LF7243"}


def test_a_grant_that_ended_lends_nothing(own: Realm, monkeypatch: pytest.MonkeyPatch) -> None:
    done = identity.renew(own.home, REALM, "ci", hours=1, actor="bob", now=clock.now())
    assert done.grant.key.keyless
    assert done.key_file is None
    consent(own.home, done.said.envelope)
    assert not code_of(fresh(own), GITHUB.token(now()))
    later = now() + 3700
    monkeypatch.setattr(clock, "now", lambda: later)
    assert code_of(fresh(own), GITHUB.token(later)) == "LF4653"


def test_what_it_signed_falls_with_the_machine(own: Realm, workspace: Path, tmp_path: Path) -> None:
    out = tmp_path / "package"
    sign(own.home, REALM, workspace, out, actor="", token=GITHUB.token(now()))
    identity.revoke(own.home, REALM, "ci", reason="compromised", note="", actor="carol")
    with pytest.raises(VerificationFailed) as info:
        verify_package(own.home, REALM, out)
    assert info.value.code == "LF7335"


def test_no_key_stands_behind_a_machine_without_one(own: Realm) -> None:
    key = identity.find(own.view, "ci")
    assert key.keyless
    assert key.duty is Duty.PRODUCER
    assert not list((own.folder / "keys").glob(f"{key.principal}*"))
    assert own.key_of(key) is None
    with pytest.raises(PolicyDenied) as info:
        authority.issue(own, key.principal, generate(P256).public_der, holder=b"", asker=b"")
    assert info.value.code == "LF7452"


def test_without_an_authority_the_token_stays_good(own: Realm) -> None:
    token = GITHUB.token(now())
    key = own.folder / "keys" / "ca.pem"
    key.rename(own.home / "aside.pem")
    assert code_of(fresh(own), token) == "LF7451"
    (own.home / "aside.pem").rename(key)
    assert not code_of(fresh(own), token)


_VICTIM = """\
import os, signal, sys
from pathlib import Path
from lockflight.app.identity import tokens
from lockflight.app.realm.realm import Realm
from lockflight.signing.certificates import CertificateAuthority
CertificateAuthority.issue = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
tokens.lent_for_token(Realm(Path(sys.argv[1]), "acme"), sys.stdin.buffer.read())
"""


def test_killed_between_memory_and_certificate(own: Realm, project_root: Path) -> None:
    token = GITHUB.token(now())
    done = subprocess.run(
        [sys.executable, "-c", _VICTIM, str(own.home)],
        input=token,
        cwd=project_root,
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert code_of(fresh(own), token) == "LF4647"


def _ask_many(home: Path, offered: list[bytes]) -> list[int]:
    realm = Realm(home, REALM)
    return [place for place, token in enumerate(offered) if not code_of(realm, token)]


def test_processes_get_one_certificate_for_a_token(own: Realm) -> None:
    offered = [GITHUB.token(now()) for _ in range(12)]
    with get_context("spawn").Pool(3) as pool:
        won = pool.starmap(_ask_many, [(own.home, offered)] * 3)
    assert sorted(place for part in won for place in part) == list(range(12))


def test_files_for_other_tools(own: Realm, tmp_path: Path) -> None:
    out = tmp_path / "lent"
    token = GITHUB.token(now())
    with pytest.raises(PolicyDenied):
        tokens.issue_to_bearer(own.home, REALM, out, token, actor="bob")
    assert not out.exists()
    lent, folder = tokens.issue_to_bearer(own.home, REALM, out, token)
    assert sorted(path.name for path in folder.iterdir())[:3] == ["certificate.pem", "chain.pem", "key.pem"]
    assert (folder / "key.pem").stat().st_mode & 0o777 == 0o600
    assert lent.name == "ci"
    taken = GITHUB.token(now())
    with pytest.raises(LockflightError) as info:
        tokens.issue_to_bearer(own.home, REALM, out, taken)
    assert info.value.code == "LF7007"
    assert not code_of(fresh(own), taken), "a folder in the way uses nothing up"


def test_who_asks_for_a_shared_audience_is_told_which(team: Realm) -> None:
    with pytest.raises(VerificationFailed) as info:
        ask(team, GITHUB.token(now(), aud="sigstore"))
    assert AUDIENCE in info.value.hint


def test_the_certificate_reads_again(team: Realm) -> None:
    leaf = ask(team, sealed(GITHUB.signer, GITHUB.header(), GITHUB.good(now())))
    assert load_certificate(leaf.der) == leaf
