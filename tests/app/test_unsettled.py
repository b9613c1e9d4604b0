"""Two engines that do not settle on one ruling: a denial in the log that keeps what each said, and that replays."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lockflight.app.gate.check import CheckOptions, check
from lockflight.app.gate.replay import Replayer, capsule_of
from lockflight.app.policy.adopt import adopt
from lockflight.app.policy.inspect import bundle_of
from lockflight.app.realm import clock
from lockflight.app.realm.view import open_view
from lockflight.app.registry.promote import promote
from lockflight.app.release.sign import sign
from lockflight.core.gate.capsule import open_capsule
from lockflight.core.gate.unsettled import Said
from lockflight.core.gate.vsa import StoredDecision
from lockflight.errors import LockflightError, PolicyDenied
from lockflight.policy.engines import opa
from lockflight.store.blobs import BlobStore

if TYPE_CHECKING:
    from pathlib import Path

# regorus knows no capital for this letter and leaves it, OPA writes two.
DIFFERS = """
results contains lib.passed("LF4100", facts, "letters") if {
	some asset in input.release.assets
	facts := {"term": asset.name, "value": upper(asset.name), "threshold": "", "evidence": []}
}
"""
# Endless for one document only: the fixtures of the pack end, the workspace does not.
LETTERS = 'split("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x,y,z", ",")'
ENDLESS = f"""
letters := {LETTERS}
results contains lib.passed("LF4100", {{"term": "x", "value": slow, "threshold": 0, "evidence": []}}, "x") if slow > 0
slow := count([1 |
	some asset in input.release.assets
	asset.name == "data/straße.csv"
	some a in letters; some b in letters; some c in letters; some d in letters; some e in letters
	some f in letters; some g in letters
	concat("", [a, b, c, d, e, f, g]) == "nothing"
])
"""

pytestmark = pytest.mark.usefixtures("two_engines")


@pytest.fixture(scope="module")
def two_engines() -> None:
    """OPA as a library, which CI must have."""
    if not opa.installed():
        message = "OPA as a library is not installed here: `python3 dev.py test` installs it"
        if os.environ.get("PYTEST_LOCKFLIGHT_CI") == "true" and platform.machine() == "x86_64":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)


def judged(home: Path, workspace: Path, folder: Path, root: Path, addition: str) -> StoredDecision:
    """The recorded decision of a policy with an addition, about a workspace with a letter that engines differ on."""
    shutil.copytree(root / "src" / "lockflight" / "policy" / "packs" / "baseline", folder)
    manifest = json.loads((folder / ".manifest").read_text())
    manifest["metadata"]["engines"]["development"] = "dual"
    (folder / ".manifest").write_text(json.dumps(manifest))
    module = folder / "policy" / "release.rego"
    module.write_text(module.read_text() + addition)
    (workspace / "data" / "straße.csv").write_text("x,y\n5,6\n")
    options = CheckOptions(environment="development", record=True, workers=1)
    assert (
        check(home, "personal", workspace, options, clock=clock.now).judgements["development"].decision.allow
    )
    adopt(home, "personal", bundle_of(folder), environments=("development",), actor="")
    outcome = check(home, "personal", workspace, options, clock=clock.now)
    judgement = outcome.judgements["development"]
    assert judgement.exit_code == PolicyDenied.exit_code
    assert judgement.recorded
    record = open_view(home, "personal").state.by_digest[judgement.recorded]
    assert record.effective, record.reason
    assert isinstance(record.fact, StoredDecision)
    return record.fact


@pytest.fixture
def differing(home: Path, workspace: Path, tmp_path: Path, project_root: Path) -> StoredDecision:
    return judged(home, workspace, tmp_path / "policy", project_root, DIFFERS)


def test_a_disagreement_is_a_denial_in_the_log(home: Path, differing: StoredDecision) -> None:
    assert not differing.allow
    assert differing.levels == ("FAILED",)
    (violation,) = differing.violations
    assert (violation.code, violation.rule) == ("LF4020", "engines-agree")
    assert "STRA" in violation.msg
    assert [one.engine for one in differing.unsettled] == ["regorus", "opa"]
    assert [dict(engine)["name"] for engine in differing.engines] == ["regorus", "opa"]


def test_both_outputs_are_kept_whole(home: Path, differing: StoredDecision) -> None:
    blobs = BlobStore(open_view(home, "personal").folder / "blobs")
    kept = [blobs.get(one.sha256) for one in differing.unsettled]
    assert all(body is not None for body in kept)
    assert [hashlib.sha256(body or b"").hexdigest() for body in kept] == [
        s.sha256 for s in differing.unsettled
    ]
    regorus, two = (json.loads(body or b"") for body in kept)
    assert regorus != two
    # Each would have allowed alone; that they differ is what denies.
    assert regorus["allow"] is two["allow"] is True


def test_it_replays_and_another_answer_is_noticed(home: Path, differing: StoredDecision) -> None:
    view = open_view(home, "personal")
    index = next(r.index for r in view.state.records if r.fact == differing)
    capsule = capsule_of(view, str(index))
    replayer = Replayer()
    try:
        done = replayer.replay(capsule, view.state.root)
        assert done.same, done.reruns
        assert {r.engine: r.output for r in done.reruns if r.output} == {
            s.engine: s.sha256 for s in differing.unsettled
        }
        opened = open_capsule(capsule, view.state.root)
        one, two = differing.unsettled
        forged = replace(opened, stored=replace(differing, unsettled=(replace(one, sha256="0" * 64), two)))
        problems = {r.engine: r.problem for r in replayer.rerun(forged)}
    finally:
        replayer.close()
    assert problems == {"regorus": "it says something else than it said", "opa": ""}


def test_nothing_is_promoted_on_it(
    home: Path, workspace: Path, tmp_path: Path, differing: StoredDecision
) -> None:
    package = tmp_path / "package"
    sign(home, "personal", workspace, package, actor="")
    with pytest.raises(LockflightError) as caught:
        promote(home, "personal", package, environment="development", actor="", now=clock.now())
    assert caught.value.code == "LF4530"
    assert "LF4020" in caught.value.message
    last = open_view(home, "personal").state.records[-1]
    assert isinstance(last.fact, StoredDecision)
    assert last.fact.unsettled


@pytest.mark.long
def test_two_engines_that_both_run_out_of_time(
    home: Path, workspace: Path, tmp_path: Path, project_root: Path
) -> None:
    said = judged(home, workspace, tmp_path / "policy", project_root, ENDLESS)
    assert [v.code for v in said.violations] == ["LF4012"]
    assert all(isinstance(one, Said) and one.error.startswith("LF4012") for one in said.unsettled)
