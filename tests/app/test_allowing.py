"""Names that a policy adds: evidence made without them, or after their end, does not count."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import shutil
import sys
import types
from typing import TYPE_CHECKING

import pytest

from lockflight.app.gate.check import CheckOptions, check
from lockflight.app.policy.adopt import adopt
from lockflight.app.policy.allowing import show
from lockflight.app.realm import clock
from lockflight.app.realm.realm import open_realm
from lockflight.app.realm.settings import PERSONAL
from lockflight.core.times import rfc3339
from lockflight.errors import EnvironmentProblem, InvalidInput, NotFound
from lockflight.infra.allowlist import shipped_allow_list
from lockflight.policy.bundle import read_bundle, resource_files

if TYPE_CHECKING:
    from pathlib import Path

    from lockflight.policy.bundle import Bundle

MANIFEST = """\
[release]
name = "scaled"
version = "1.0.0"
kind = "classifier"
tier = "minimal"

[[assets]]
role = "model-weights"
files = ["*.pkl"]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A release with two pickles of a class of nobody's library."""
    module = types.ModuleType("acme_models")
    made = type("Scaler", (), {"__module__": "acme_models"})
    module.Scaler = made  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "acme_models", module)
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "lockflight.toml").write_text(MANIFEST)
    for name, value in (("one", 1), ("two", 2)):
        thing = made()
        thing.value = value
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(thing))
    return folder


def policy(project_root: Path, tmp_path: Path, document: object) -> Bundle:
    """The shipped policy with additions."""
    copy = tmp_path / "policy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(project_root / "src" / "lockflight" / "policy" / "packs" / "baseline", copy)
    manifest = json.loads((copy / ".manifest").read_text())
    manifest["roots"].append("allow_list")
    (copy / ".manifest").write_text(json.dumps(manifest))
    (copy / "allow_list").mkdir()
    (copy / "allow_list" / "data.json").write_text(json.dumps(document))
    return read_bundle(dict(resource_files(copy)))


def overlay(until: int, *, asset: str = "", shipped: tuple[str, ...] = ()) -> dict[str, object]:
    row = {
        "module": "acme_models",
        "name": "Scaler",
        "use": "class",
        "reason": "ours",
        "until": rfc3339(until),
    }
    if asset:
        row["asset"] = asset
    document: dict[str, object] = {"schema": "lockflight-overlay/1", "names": [row]}
    return {**document, "shipped": list(shipped)} if shipped else document


def judged(
    home: Path, folder: Path, *, later: int = 0, run: bool = True
) -> tuple[dict[str, str], set[str], list[str]]:
    """Verdict by file that ran now, codes of the rules that failed, and reasons of what was rejected."""
    options = CheckOptions(environment="development", run=run)
    outcome = check(home, PERSONAL, folder, options, clock=lambda: clock.now() + later)
    ran = {
        run.subject: next(w for w in ("safe", "review", "unknown", "malicious") if run.result.summary[w])
        for run in outcome.ran
        if run.check == "models"
    }
    judgement = outcome.judgements["development"]
    rejected = [row["reason"] for row in judgement.facts["rejected"]]  # type: ignore[union-attr, index, call-overload]
    return ran, {v.code for v in judgement.decision.violations}, [str(r) for r in rejected]


def take(home: Path, bundle: Bundle) -> None:
    said, _, waits, lost = adopt(home, PERSONAL, bundle, environments=(), actor="")
    assert said.envelope
    assert lost == ()
    assert not waits


def test_a_policy_lets_a_name_through_until_its_end(
    home: Path, folder: Path, project_root: Path, tmp_path: Path
) -> None:
    open_realm(home, PERSONAL)
    ran, failed, _ = judged(home, folder)
    assert ran == {"one.pkl": "malicious", "two.pkl": "malicious"}
    assert "LF4105" in failed

    take(home, policy(project_root, tmp_path, overlay(clock.now() + 3600)))
    _, failed, rejected = judged(home, folder, run=False)
    assert "LF4102" in failed, "what was said under the other list counts no more"
    assert any(re.search(r"made by version \w+ of the check, not \w+\+", reason) for reason in rejected)
    ran, failed, _ = judged(home, folder)
    assert ran == {"one.pkl": "safe", "two.pkl": "safe"}
    assert "LF4105" not in failed
    assert judged(home, folder)[0] == {}, "what is said under this one counts"

    _, failed, rejected = judged(home, folder, later=3600, run=False)
    assert "LF4105" in failed
    ran, failed, _ = judged(home, folder, later=3600)
    assert ran == {}, "the first verdict, without additions, counts again"
    assert "LF4105" in failed


def test_a_name_for_one_file_is_not_for_another(
    home: Path, folder: Path, project_root: Path, tmp_path: Path
) -> None:
    open_realm(home, PERSONAL)
    asset = hashlib.sha256((folder / "one.pkl").read_bytes()).hexdigest()
    take(home, policy(project_root, tmp_path, overlay(clock.now() + 3600, asset=asset)))
    ran, failed, _ = judged(home, folder)
    assert ran == {"one.pkl": "safe", "two.pkl": "malicious"}
    assert "LF4105" in failed


def test_what_lies_in_the_workspace_adds_nothing(home: Path, folder: Path) -> None:
    open_realm(home, PERSONAL)
    manifest = folder / "lockflight.toml"
    manifest.write_text(MANIFEST + '\n[[assets]]\nrole = "other"\nfiles = ["allow_list/*"]\n')
    (folder / "allow_list").mkdir()
    (folder / "allow_list" / "data.json").write_text(json.dumps(overlay(clock.now() + 3600)))
    ran = judged(home, folder)[0]
    assert (ran["one.pkl"], ran["two.pkl"]) == ("malicious", "malicious")


def test_a_policy_that_adds_what_must_not_be_added_is_not_adopted(
    home: Path, project_root: Path, tmp_path: Path
) -> None:
    document = overlay(clock.now() + 3600)
    document["names"][0]["module"] = "os"  # type: ignore[index]
    with pytest.raises(InvalidInput) as refused:
        take(home, policy(project_root, tmp_path, document))
    assert refused.value.code == "LF2302"


def test_a_policy_may_name_the_lists_that_it_knows(
    home: Path, folder: Path, project_root: Path, tmp_path: Path
) -> None:
    open_realm(home, PERSONAL)
    here = f"sha256:{shipped_allow_list().digest}"
    take(home, policy(project_root, tmp_path, overlay(clock.now() + 3600, shipped=(here,))))
    assert judged(home, folder)[0] == {"one.pkl": "safe", "two.pkl": "safe"}
    with pytest.raises(EnvironmentProblem) as refused:
        take(home, policy(project_root, tmp_path, overlay(clock.now() + 3600, shipped=("0" * 64,))))
    assert refused.value.code == "LF2303"


def test_what_is_listed_is_shown() -> None:
    shown = show(("numpy.dtype", "joblib"))
    assert shown.digest == shipped_allow_list().digest
    assert {row.name for row in shown.names} >= {"numpy.dtype", "joblib.numpy_pickle.NumpyArrayWrapper"}
    assert sum(d.names for d in shown.documents if d.format == "pickle") == len(shipped_allow_list().entries)
    with pytest.raises(NotFound) as refused:
        show(("os.system",))
    assert refused.value.code == "LF2304"
