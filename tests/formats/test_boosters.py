"""Models of LightGBM and XGBoost: those of the libraries are safe, and an index that leads elsewhere is not."""

from __future__ import annotations

import copy
import json
import re

import pytest

from lockflight.core.findings import Verdict
from lockflight.core.source import BytesSource
from lockflight.formats import boosters
from lockflight.formats.boosters import check_large_xgboost, check_lightgbm, check_xgboost
from lockflight.formats.settings.jsontext import check_json
from lockflight.infra.allowlist import shipped_allow_list
from lockflight.scan.models import scan_source
from tests.formats.files import mutants, rules, source, verdict

FOLDER = ("tests", "vectors", "models", "boosters")


@pytest.fixture
def folder(project_root):
    return project_root.joinpath(*FOLDER)


@pytest.mark.parametrize("name", ["categories", "linear"])
def test_a_model_of_lightgbm_is_safe(name, folder):
    assert check_lightgbm(source((folder / f"{name}.lgb.txt").read_bytes())) == ()


@pytest.mark.parametrize("name", ["categories", "dart", "vectors"])
def test_a_model_of_xgboost_is_safe(name, folder):
    data = (folder / f"{name}.xgb.json").read_bytes()
    assert check_xgboost(json.loads(data)) == ()
    assert check_xgboost({"Config": {}, "Model": json.loads(data)}) == ()
    assert check_large_xgboost(data) == ()
    assert check_json(source(data, "m.json")) == ()


def test_other_documents_are_none():
    assert check_xgboost({"learner": 1}) == ()
    assert check_xgboost([]) == ()
    assert check_xgboost({"learner": {"gradient_booster": {"gbtree_train_param": {}}}}) == ()
    assert check_lightgbm(source(b"tree\nhouse\nTree=0\n")) == ()


def put(text, key, value):
    """The text with all numbers of a list exchanged; sizes of trees left out, as the loader allows."""
    text = re.sub(r"^tree_sizes=.*\n", "", text, flags=re.MULTILINE)
    return re.sub(
        rf"^{key}=(.*)$",
        lambda m: f"{key}=" + " ".join([str(value)] * len(m.group(1).split())),
        text,
        flags=re.MULTILINE,
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("left_child", 0),
        ("left_child", 99999999),
        ("right_child", -99999999),
        ("split_feature", 5),
        ("split_feature", -1),
        ("cat_boundaries", 7),
        ("threshold", 40),
        ("num_cat", 0),
        ("max_feature_idx", 2),
    ],
)
def test_an_index_of_lightgbm_that_leads_elsewhere(key, value, folder):
    text = (folder / "categories.lgb.txt").read_text("utf-8")
    issues = check_lightgbm(source(put(text, key, value).encode()))
    assert verdict(issues).rank >= Verdict.UNKNOWN.rank
    if key != "max_feature_idx":
        assert rules(issues) == {"trees:index"}


def test_a_leaf_that_asks_for_another_feature(folder):
    text = (folder / "linear.lgb.txt").read_text("utf-8")
    changed = re.sub(
        r"^leaf_features=\s*[0-9]",
        "leaf_features=9",
        re.sub(r"tree_sizes=.*\n", "", text),
        flags=re.MULTILINE,
    )
    assert changed.count("leaf_features=9") > 0
    assert verdict(check_lightgbm(source(changed.encode()))) is Verdict.MALICIOUS


def test_classes_that_have_no_trees(folder):
    text = (folder / "categories.lgb.txt").read_text("utf-8")
    changed = text.replace("objective=binary sigmoid:1", "objective=multiclass num_class:9")
    assert changed != text
    assert verdict(check_lightgbm(source(changed.encode()))) is Verdict.MALICIOUS


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("num_leaves=", "num_leaves=1"),
        ("tree_sizes=", "tree_sizes=1"),
        ("Tree=1\n", "Tree=7\n"),
        ("left_child=", "left_child=0 "),
        ("leaf_value=", "leaf_value=0 "),
        ("shrinkage=", "surprise=1\nshrinkage="),
        ("max_feature_idx=4", "max_feature_idx=4999999999"),
        ("\n", "\r\n"),
    ],
)
def test_what_lightgbm_does_not_write_is_unknown(old, new, folder):
    text = (folder / "categories.lgb.txt").read_text("utf-8")
    issues = check_lightgbm(source(text.replace(old, new).encode()))
    assert verdict(issues) is Verdict.UNKNOWN
    assert rules(issues) == {"trees:broken"}


def test_a_model_beyond_the_budget(folder, monkeypatch):
    monkeypatch.setattr(boosters, "MAX_TEXT", 100)
    assert rules(check_lightgbm(source((folder / "linear.lgb.txt").read_bytes()))) == {"trees:budget"}
    assert check_lightgbm(source(b"words\n" * 100)) == ()


def _loop(tree):
    tree["left_children"] = [0 if child != -1 else -1 for child in tree["left_children"]]


def _twice(tree):
    tree["right_children"] = list(tree["left_children"])


def _outside(tree):
    tree["left_children"] = [99999999 if child != -1 else -1 for child in tree["left_children"]]


def _half(tree):
    tree["right_children"] = [-1] * len(tree["right_children"])


def _feature(tree):
    tree["split_indices"] = [5] * len(tree["split_indices"])


def _category(tree):
    tree["categories"] = [1 << 24] * len(tree["categories"])


def _segments(tree):
    tree["categories_segments"] = [len(tree["categories"])] * len(tree["categories_segments"])


def _kinds(tree):
    tree["split_type"] = [1 - kind for kind in tree["split_type"]]


@pytest.mark.parametrize(
    "change",
    [_loop, _twice, _outside, _half, _feature, _category, _segments, _kinds],
    ids=lambda c: c.__name__,
)
def test_an_index_of_xgboost_that_leads_elsewhere(change, folder):
    value = json.loads((folder / "categories.xgb.json").read_bytes())
    for tree in value["learner"]["gradient_booster"]["model"]["trees"]:
        change(tree)
    for issues in (check_xgboost(value), check_large_xgboost(json.dumps(value).encode())):
        assert verdict(issues) is Verdict.MALICIOUS
        assert rules(issues) == {"trees:index"}


def test_books_about_trees_that_are_wrong(folder):
    value = json.loads((folder / "categories.xgb.json").read_bytes())
    changes = {
        "tree_info": [7] * 5,
        "iteration_indptr": [0, 9],
        "trees": value["learner"]["gradient_booster"]["model"]["trees"][:2],
        "cats": {"enc": [{"offsets": [0, 9], "values": [1]}], "feature_segments": [0, 1], "sorted_idx": [0]},
    }
    for key, changed in changes.items():
        other = copy.deepcopy(value)
        other["learner"]["gradient_booster"]["model"][key] = changed
        assert verdict(check_xgboost(other)).rank >= Verdict.UNKNOWN.rank, key
    value["learner"]["learner_model_param"]["num_feature"] = "2"
    assert verdict(check_xgboost(value)) is Verdict.MALICIOUS


def test_weights_without_trees():
    model = {"name": "gblinear", "model": {"weights": [0.0] * 4, "boosted_rounds": 1}}
    learner = {"learner_model_param": {"num_feature": "3", "num_class": "0"}, "gradient_booster": model}
    assert check_xgboost({"learner": learner}) == ()
    learner["learner_model_param"]["num_feature"] = "3000"
    assert verdict(check_xgboost({"learner": learner})) is Verdict.MALICIOUS


def test_leaves_that_are_vectors(folder):
    value = json.loads((folder / "vectors.xgb.json").read_bytes())
    (first, *_) = value["learner"]["gradient_booster"]["model"]["trees"]
    for key, changed in {
        "leaf_weights": first["leaf_weights"][:2],
        "right_children": [99 if left == -1 else 2 for left in first["left_children"]],
        "base_weights": first["base_weights"][:3],
    }.items():
        other = copy.deepcopy(value)
        other["learner"]["gradient_booster"]["model"]["trees"][0][key] = changed
        assert verdict(check_xgboost(other)).rank >= Verdict.UNKNOWN.rank, key


@pytest.mark.parametrize(
    "suffix", ["txt", "csv", "md", "html", "jinja", "xml", "yaml", "toml", "jsonl", "model"]
)
def test_models_are_judged_under_any_name(suffix, folder):
    allow = shipped_allow_list()
    light = put((folder / "categories.lgb.txt").read_text("utf-8"), "split_feature", 99).encode()
    value = json.loads((folder / "dart.xgb.json").read_bytes())
    for tree in value["learner"]["gradient_booster"]["gbtree"]["model"]["trees"]:
        _outside(tree)
    for data in (
        light,
        json.dumps(value).encode(),
        json.dumps(value).replace("learner", "le\\u0061rner").encode(),
    ):
        found = scan_source(BytesSource(data, f"m.{suffix}"), allow)
        assert found.verdict is Verdict.MALICIOUS
        assert "trees:index" in {finding.rule for finding in found.findings}
    for name in ("categories.lgb.txt", "dart.xgb.json"):
        data = (folder / name).read_bytes()
        found = scan_source(BytesSource(data, f"m.{suffix}"), allow)
        assert "trees:" not in "".join(finding.rule for finding in found.findings)


def test_a_large_document_whose_trees_cannot_be_told(folder):
    data = (folder / "dart.xgb.json").read_bytes()
    assert verdict(check_large_xgboost(data.replace(b'"trees"', b'"tr\\u0065es"'))) is Verdict.UNKNOWN
    assert verdict(check_large_xgboost(data.replace(b'"id"', b'"trees":[],"id"', 1))) is Verdict.UNKNOWN


def test_large_documents_are_budgeted(folder, monkeypatch):
    data = (folder / "dart.xgb.json").read_bytes()
    monkeypatch.setattr(boosters, "MAX_TREE", 600)
    assert rules(check_large_xgboost(data)) == {"trees:broken"}
    monkeypatch.setattr(boosters, "MAX_TREE", len(data))
    assert check_large_xgboost(data) == ()
    assert rules(check_large_xgboost(b'{"learner":{"gradient_booster":{"model":{"trees":[{'[:-1])) == {
        "trees:broken"
    }


def test_damage_never_raises(folder):
    for data in mutants([(folder / "categories.lgb.txt").read_bytes()], 200, 1):
        check_lightgbm(source(data))
    for data in mutants([(folder / "dart.xgb.json").read_bytes()], 200, 2):
        check_large_xgboost(data)
        check_json(source(data, "m.json"))
