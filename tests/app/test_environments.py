"""Environments: what can be asked for, and that asking changes nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from lockflight.app.identity.proposals import review
from lockflight.app.realm.realm import Member, Realm, create_realm
from lockflight.app.registry.environments import Wishes, parse_quorum, propose, read_ladder
from lockflight.core.attest.changes import Verdict
from lockflight.core.attest.quorum import Seat
from lockflight.core.attest.trust import LADDER, Mode, RealmKind
from lockflight.errors import PolicyDenied, UsageError

if TYPE_CHECKING:
    from pathlib import Path

FILE = """
[[environment]]
name = "development"
quorum = {}

[[environment]]
name = "production"
after = "development"
quorum = { approver = 2, risk-owner = 1 }
requesters = ["releaser"]
factor = "key+totp"
rollback-days = 30
step-up-seconds = 600
"""


def read(realm: Realm) -> Realm:
    return Realm(realm.home, realm.name)


def ask(realm: Realm, file: Path | None = None, actor: str = "bob", **wishes: dict[str, str]) -> str:
    said, _ = propose(realm.home, realm.name, wishes=Wishes(**wishes), file=file, actor=actor)
    return said.envelope


def test_nothing_changes_before_the_second_person(realm: Realm) -> None:
    digest = ask(
        realm,
        quorum={"staging": "approver:2,risk-owner"},
        requesters={"staging": "releaser"},
        factor={"production": "key+totp"},
        mode={"staging": "small-team"},
        step_up={"production": "15m"},
    )
    assert read(realm).state.ladder == LADDER
    review(realm.home, "acme", digest, verdict=Verdict.CONSENT, note="", actor="alice")
    state = read(realm).state
    staging, production = state.environment("staging"), state.environment("production")
    assert staging is not None
    assert production is not None
    assert staging.quorum == (Seat("approver", 2), Seat("risk-owner", 1))
    assert (staging.requesters, staging.mode) == (("releaser",), Mode.SMALL_TEAM)
    assert (production.factor, production.mode) == ("key+totp", Mode.PEOPLE)
    assert (staging.step_up_s, production.step_up_s) == (0, 900)


def test_a_file_names_them_all(realm: Realm, tmp_path: Path) -> None:
    path = tmp_path / "ladder.toml"
    path.write_text(FILE)
    ladder = read_ladder(path)
    assert [step.name for step in ladder] == ["development", "production"]
    assert ladder[1].quorum == (Seat("approver", 2), Seat("risk-owner", 1))
    assert ladder[1].rollback_s == 30 * 86_400
    assert (ladder[0].step_up_s, ladder[1].step_up_s) == (0, 600)
    digest = ask(realm, path)
    review(realm.home, "acme", digest, verdict=Verdict.CONSENT, note="", actor="alice")
    assert read(realm).state.ladder == ladder
    rows = [{"name": "development", "quorum": {}}, {"name": "live", "after": "development"}]
    (tmp_path / "l.json").write_text(json.dumps({"environment": rows}))
    assert read_ladder(tmp_path / "l.json")[1].quorum == (Seat("approver"),)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "environment = 1",
        "[[environment]]\nname = 1",
        "[[environment]]\nname = 'Dev'",
        "[[environment]]\nname = 'a'\nafter = 'b'",
        "[[environment]]\nname = 'a'\nafter = 3",
        "[[environment]]\nname = 'a'\n[[environment]]\nname = 'a'",
        "[[environment]]\nname = 'a'\nquorum = { boss = 1 }",
        "[[environment]]\nname = 'a'\nquorum = { approver = 0 }",
        "[[environment]]\nname = 'a'\nquorum = { approver = 21 }",
        "[[environment]]\nname = 'a'\nquorum = 1",
        "[[environment]]\nname = 'a'\nrollback-days = -1",
        "[[environment]]\nname = 'a'\nrollback-days = true",
        "[[environment]]\nname = 'a'\nfactor = 'faith'",
        "[[environment]]\nname = 'a'\nmode = 'nobody'",
        "[[environment]]\nname = 'a'\nrequesters = 'any'",
        "[[environment]]\nname = 'a'\nowner = 'me'",
        "[[environment]]\nname = 'a'\n[more]\n",
        "\x00",
    ],
)
def test_a_file_that_does_not_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "ladder.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as info:
        read_ladder(path)
    assert info.value.code == "LF0127"


def test_a_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/zero")
    (tmp_path / "big.toml").write_text("#" * 70_000)
    (tmp_path / "deep.json").write_text("[" * 60_000)
    for name in ("nowhere", "link", "big.toml", "deep.json", "."):
        with pytest.raises(UsageError) as info:
            read_ladder(tmp_path / name)
        assert info.value.code == "LF0127", name


@pytest.mark.parametrize(
    "word",
    ["", "boss", "approver:0", "approver:21", "approver:x", "approver:-1", "approver:", "approver,approver"],
)
def test_what_is_no_quorum(word: str) -> None:
    with pytest.raises(UsageError) as info:
        parse_quorum(word)
    assert info.value.code == "LF0127"


@pytest.mark.parametrize(
    ("wishes", "code"),
    [
        ({"quorum": {"moon": "approver"}}, "LF0121"),
        ({"factor": {"staging": "faith"}}, "LF0127"),
        ({"requesters": {"staging": "boss"}}, "LF0127"),
        ({"quorum": {"staging": "approver:1"}}, "LF0127"),
    ],
)
def test_what_cannot_be_asked(realm: Realm, wishes: dict[str, dict[str, str]], code: str) -> None:
    with pytest.raises(UsageError) as info:
        ask(realm, None, **wishes)
    assert info.value.code == code


def test_who_may_not_ask(realm: Realm, home: Path) -> None:
    with pytest.raises(PolicyDenied) as info:
        ask(realm, actor="alice", quorum={"staging": "approver:2"})
    assert info.value.code == "LF4602"
    personal = create_realm(home, "personal", RealmKind.PERSONAL, [Member("you", ("author",))])
    with pytest.raises(PolicyDenied) as alone:
        ask(personal, actor="you", quorum={"staging": "approver:2"})
    assert alone.value.code == "LF4601"
