"""`check` end to end in one process tree: what runs, what runs again, and what the gate says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lockflight.app.gate.approvals import approve
from lockflight.app.gate.check import CheckOptions, CheckOutcome, check
from lockflight.app.realm import clock
from lockflight.app.registry.promote import promote, retire, rollback
from lockflight.app.registry.status import status
from lockflight.app.release.sign import sign
from lockflight.app.release.verify import verify_package
from lockflight.cli.common import left_to_people
from lockflight.errors import PolicyDenied

if TYPE_CHECKING:
    from pathlib import Path

    from lockflight.app.realm.realm import Realm

MANIFEST = """\
[release]
name = "tone"
version = "1.0.0"
kind = "dataset"
tier = "minimal"

[[assets]]
role = "dataset"
files = ["data.csv"]

[[assets]]
role = "system-prompt"
files = ["prompts/*.md"]

[[assets]]
role = "code"
files = ["*.py"]

[[assets]]
role = "documentation"
files = ["README.md"]

[[assets]]
role = "licence"
files = ["LICENSE"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workspace with data, a prompt, code and documentation."""
    work = tmp_path / "work"
    (work / "prompts").mkdir(parents=True)
    (work / "lockflight.toml").write_text(MANIFEST)
    (work / "data.csv").write_text("x,y\n1,2\n")
    (work / "prompts" / "system.md").write_text("Answer kindly.\n")
    (work / "app.py").write_text("print('hello')\n")
    (work / "README.md").write_text("# Tone\n")
    (work / "LICENSE").write_text("CC0-1.0\n")
    return work


def _check(home: Path, folder: Path, environment: str = "staging", **options: object) -> CheckOutcome:
    chosen = CheckOptions(environment=environment, record=True, actor="alice", workers=2, **options)  # type: ignore[arg-type]
    return check(home, "acme", folder, chosen, clock=clock.now)


def _ran(outcome: CheckOutcome) -> set[tuple[str, str]]:
    return {(r.check, r.subject) for r in outcome.ran}


def test_a_change_runs_only_what_reads_it(home: Path, realm: Realm, folder: Path) -> None:
    first = _check(home, folder)
    assert first.judgements["staging"].decision.allow, first.judgements["staging"].decision.violations
    assert ("secrets", "behaviour") in _ran(first)
    assert _ran(_check(home, folder)) == set()

    (folder / "README.md").write_text("# Tone, better said\n")
    assert {r.grain for r in _check(home, folder).ran} == {"release"}
    manifest = folder / "lockflight.toml"
    manifest.write_text(manifest.read_text().replace("1.0.0", "1.0.1"))
    assert {r.grain for r in _check(home, folder).ran} == {"release"}

    (folder / "prompts" / "system.md").write_text("Answer briefly.\n")
    again = _check(home, folder)
    assert {r.subject for r in again.ran if r.grain != "release"} == {"behaviour", "prompts/system.md"}
    assert again.judgements["staging"].decision.allow


def test_the_road_to_staging_and_back(home: Path, realm: Realm, folder: Path, tmp_path: Path) -> None:
    _check(home, folder)
    package = sign(home, "acme", folder, tmp_path / "package", actor="alice").package
    assert promote(home, "acme", package, environment="development", actor="alice", now=clock.now())
    with pytest.raises(PolicyDenied) as caught:
        promote(home, "acme", package, environment="staging", actor="alice", now=clock.now())
    assert "LF4506" in caught.value.message
    with pytest.raises(PolicyDenied) as caught:
        _approve(home, package, "alice")
    assert caught.value.code == "LF4521"
    _approve(home, package, "bob")
    moved = promote(home, "acme", package, environment="staging", actor="alice", now=clock.now())
    again = promote(home, "acme", package, environment="staging", actor="alice", now=clock.now())
    assert not moved.again
    assert (again.again, again.envelope, again.index) == (True, moved.envelope, moved.index)
    assert verify_package(home, "acme", package, environment="staging").environments == (
        "development",
        "staging",
    )
    judgement = _check(home, folder).judgements["staging"]
    assert {o.code for o in judgement.admission.obstacles} == {"LF4506"}, "an approval lets in once"
    assert judgement.held is not None
    assert judgement.held.approvals == moved.promotion.approvals
    assert left_to_people(judgement.admission, judgement.held) == []
    rows = status(home, "acme", now=clock.now()).slots
    assert [(r.environment, h.version, h.approvals) for r in rows for h in r.held] == [
        ("development", "1.0.0", ()),
        ("staging", "1.0.0", ("bob",)),
    ]
    retire(home, "acme", project="tone", environment="staging", actor="bob")
    assert verify_package(home, "acme", package).environments == ("development",)
    out = _check(home, folder).judgements["staging"]
    assert out.held is None
    assert {o.code for o in left_to_people(out.admission, out.held)} == {"LF4506"}
    rollback(home, "acme", project="tone", environment="staging", to="1.0.0", actor="bob", now=clock.now())
    assert verify_package(home, "acme", package).environments == ("development", "staging")


def _approve(home: Path, package: Path, actor: str) -> None:
    approve(
        home,
        "acme",
        package,
        environment="staging",
        actor=actor,
        verdict="approve",
        reason="looked at it",
        now=clock.now(),
    )


def test_a_rehearsal_leaves_the_team_realm_alone(home: Path, realm: Realm, folder: Path) -> None:
    before = realm.view.size
    outcome = check(home, "acme", folder, CheckOptions(environment="staging"), clock=clock.now)
    assert outcome.rehearsal
    assert outcome.judgements["staging"].decision.allow
    assert not outcome.judgements["staging"].recorded
    realm._view = None
    assert realm.view.size == before


def test_a_planted_key_is_denied_and_the_secret_stays_out_of_the_log(
    home: Path, realm: Realm, folder: Path
) -> None:
    key = "ghp_" + "aZ3kP9qLm2Xc7VbN4tRw8YsD1fGh5JuE6oKi"
    (folder / "app.py").write_text(f'TOKEN = "{key}"\n')
    outcome = _check(home, folder)
    judgement = outcome.judgements["staging"]
    assert not judgement.decision.allow
    assert judgement.exit_code == 10
    for path in (home / "realms" / "acme").rglob("*"):
        if path.is_file():
            assert key.encode() not in path.read_bytes()


def test_no_run_decides_on_what_is_there(home: Path, realm: Realm, folder: Path) -> None:
    outcome = _check(home, folder, run=False)
    assert outcome.judgements["staging"].exit_code == 11
    assert outcome.planned
    assert not outcome.ran


def test_what_the_manifest_tries_changes_nothing_and_is_said(home: Path, realm: Realm, folder: Path) -> None:
    clean = _check(home, folder).judgements["staging"].decision
    manifest = folder / "lockflight.toml"
    manifest.write_text(
        manifest.read_text()
        + '\n[policies]\nskip = ["LF4106"]\n\n[realm]\nname = "evil"\nroot = "sha256:'
        + "0" * 64
        + '"\n'
    )
    outcome = _check(home, folder)
    assert len(outcome.notices) >= 2
    decision = outcome.judgements["staging"].decision
    assert decision.policy == clean.policy
    assert {r.code for r in decision.rules} == {r.code for r in clean.rules}
