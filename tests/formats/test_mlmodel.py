from __future__ import annotations

import pytest

from lockflight.core.findings import Verdict
from lockflight.formats.settings import mlmodel as module
from lockflight.formats.settings.mlmodel import check_mlmodel, check_module_name
from tests.formats.files import mutants, rules, source, verdict

GOOD = b"""\
artifact_path: model
flavors:
  python_function:
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: mlflow.sklearn
    model_path: model.pkl
    predict_fn: predict
    python_version: 3.11.7
  sklearn:
    code: null
    pickled_model: model.pkl
    serialization_format: cloudpickle
    sklearn_version: 1.9.1
mlflow_version: 3.4.0
run_id: 0123456789abcdef
utc_time_created: '2026-11-01 10:00:00.000000'
"""


def check(data):
    return check_mlmodel(source(data, "MLmodel"))


def test_what_mlflow_writes():
    found = check(GOOD)
    assert rules(found) == {"mlmodel:pickle"}
    assert verdict(found) is Verdict.SAFE
    assert "model.pkl" in found[0].message


def test_transformers_with_their_weights():
    found = check(
        b"flavors:\n"
        b"  python_function: {loader_module: mlflow.transformers, python_version: 3.11.7}\n"
        b"  transformers:\n"
        b"    components: [tokenizer]\n"
        b"    model_binary: model\n"
        b"    pipeline_model_type: BertForSequenceClassification\n"
        b"    source_model_name: google/bert\n"
        b"    task: text-classification\n"
        b"    tokenizer_type: BertTokenizerFast\n"
    )
    assert found == ()


BAD = {
    "a module of somebody's own": (
        b"flavors: {python_function: {loader_module: evil}}",
        "mlmodel:loader",
        "review",
    ),
    "a key in another spelling": (b'flavors:\n  "loader\\x5fmodule": evil\n', "mlmodel:loader", "review"),
    "a module by reference": (b"a: &x evil\nflavors: {p: {loader_module: *x}}", "mlmodel:loader", "review"),
    "code beside": (b"flavors: {python_function: {code: code}}", "mlmodel:code", "review"),
    "a list of code": (
        b"flavors:\n  p:\n    code_paths:\n    - a.py\n    - b.py\n",
        "mlmodel:code",
        "review",
    ),
    "a model from code": (b"flavors: {langchain: {model_code_path: x.py}}", "mlmodel:code", "review"),
    "code elsewhere": (b"flavors: {python_function: {code: ../../x}}", "mlmodel:path", "malicious"),
    "data elsewhere": (b"flavors: {python_function: {data: /etc}}", "mlmodel:path", "malicious"),
    "weights of a repository": (
        b"flavors: {transformers: {source_model_name: evil/x, source_model_revision: main}}",
        "mlmodel:outside",
        "unknown",
    ),
    "weights of the machine": (
        b"flavors: {transformers: {local_base_model_path: /models/x}}",
        "mlmodel:outside",
        "unknown",
    ),
    "weights elsewhere": (b"flavors: {transformers: {model_binary: ../x}}", "mlmodel:path", "malicious"),
    "a part elsewhere": (b"flavors: {transformers: {components: [../x]}}", "mlmodel:path", "malicious"),
    "an object": (b"flavors: !!python/object/apply:os.system [x]", "yaml:tag", "malicious"),
    "two keys": (
        b"flavors: {loader_module: mlflow.sklearn, loader_module: evil}",
        "mlmodel:broken",
        "unknown",
    ),
    "keys that are taken in": (b"a: &x {loader_module: evil}\nb: {<<: *x}\n", "mlmodel:broken", "unknown"),
    "no YAML": (b"a: [", "mlmodel:broken", "unknown"),
    "no object at all": (b"- a", "mlmodel:broken", "unknown"),
    "nothing": (b"", "mlmodel:broken", "unknown"),
    "a list that holds itself": (b"a: &x [*x]\n", "mlmodel:broken", "unknown"),
    "depth": (b"[" * 5000, "mlmodel:broken", "unknown"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_a_person_has_to_see(name):
    data, rule, wanted = BAD[name]
    found = check(data)
    assert rule in rules(found)
    assert verdict(found).value == wanted


def test_the_size_is_budgeted(monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    assert rules(check(GOOD)) == {"mlmodel:budget"}


def test_damage_is_an_issue_and_never_more():
    seeds = [GOOD, *(data for data, _, _ in BAD.values() if 0 < len(data) < 1000)]
    seen = {verdict(check(data)) for data in mutants(seeds, 600, 71, (b"&a ", b"*a", b": ", b"\n"))}
    assert {Verdict.SAFE, Verdict.UNKNOWN, Verdict.MALICIOUS} <= seen


@pytest.mark.parametrize("name", ["mlflow.pytorch.pickle_module", "cloudpickle", "tensorflow.keras"])
def test_the_modules_that_mlflow_writes(name):
    assert check_module_name(source(name.encode())) == ()


def test_a_module_of_another_name_is_imported():
    assert verdict(check_module_name(source(b"this"))) is Verdict.REVIEW
    assert verdict(check_module_name(source(b"os.path"))) is Verdict.MALICIOUS
    assert verdict(check_module_name(source(b"pickle" + b" " * 1000))) is Verdict.REVIEW
    assert rules(check_module_name(source(b"this"))) == {"mlmodel:loader"}


def test_classes_and_modules_that_a_description_names():
    xgboost = b"flavors:\n  xgboost:\n    model_class: %s\n    data: model.xgb\n"
    assert check(xgboost % b"xgboost.sklearn.XGBClassifier") == ()
    assert verdict(check(xgboost % b"code.interact")) is Verdict.MALICIOUS
    assert verdict(check(xgboost % b"mine.Model")) is Verdict.REVIEW
    assert verdict(check(b"flavors:\n  keras:\n    keras_module: mine\n")) is Verdict.REVIEW


def test_weights_of_a_source_that_are_not_beside_it():
    flavor = b"flavors:\n  transformers:\n    source_model_name: who/model\n"
    assert verdict(check(flavor)) is Verdict.REVIEW
    assert rules(check(flavor)) == {"config:base-model"}
    assert check(flavor + b"    model_binary: model\n") == ()
