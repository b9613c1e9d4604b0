from __future__ import annotations

import json

import pytest

from lockflight.core.findings import Verdict
from lockflight.formats import keras as module
from lockflight.formats.keras import check_config, keras_tables
from lockflight.scan.walk.rules import RULES
from tests.formats.files import mutants, rules, verdict
from tests.formats.pickles import shipped


def layer(name, room="keras.layers", /, *, registered=None, **config):
    return {"module": room, "class_name": name, "config": config, "registered_name": registered}


def function(name, room="builtins"):
    return {"module": room, "class_name": "function", "config": name, "registered_name": name}


def model(*layers, **more):
    return layer("Sequential", "keras", layers=list(layers)) | more


def check(config, **more):
    data = config if isinstance(config, bytes) else json.dumps(config).encode()
    return check_config(data, keras_tables(shipped().tables["keras"]), **more)


DTYPE = layer("DTypePolicy", "keras", name="float32")
GOOD = {
    "layers": model(
        layer("Dense", dtype=DTYPE, kernel_initializer=layer("GlorotUniform", "keras.initializers"))
    ),
    "an old file": {"class_name": "Sequential", "config": [{"class_name": "Dense", "config": {"units": 1}}]},
    "an old module": model(layer("Dense", "keras.src.layers.core.dense")),
    "a function of Keras": model(layer("Activation", activation=function("relu"))),
    "training": model(compile_config={"optimizer": layer("Adam", "keras.optimizers"), "loss": "mse"}),
    "tensors": model({"class_name": "__keras_tensor__", "config": {"keras_history": ["a", 0, 0]}}),
    "an operation": layer(
        "Functional", "keras.src.models.functional", layers=[layer("Multiply", "keras.src.ops.numpy")]
    ),
    "words": model(layer("TextVectorization", vocabulary=["a", "b"])),
    "no words yet": model(layer("StringLookup", vocabulary=None)),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_computes_is_safe(name):
    assert check(GOOD[name]) == ()


BAD = {
    "a lambda": (
        model(layer("Lambda", function={"class_name": "__lambda__", "config": {"code": "4wEAAAA="}})),
        "keras:lambda",
        "CVE-2024-3660",
    ),
    "a lambda in an old file": (
        {
            "class_name": "Model",
            "config": {"layers": [{"class_name": "Lambda", "config": {"function": ["4wE=", None]}}]},
        },
        "keras:lambda",
        "CVE-2025-9905",
    ),
    "a lambda deep inside": (
        model(layer("TimeDistributed", layer=layer("Wrapper", layer=layer("Lambda")))),
        "keras:lambda",
        "CVE-2024-3660",
    ),
    "a lambda in the training": (
        model(compile_config={"loss": {"class_name": "__lambda__", "config": {}}}),
        "keras:lambda",
        "CVE-2024-3660",
    ),
    "a module of Python": (model(function("system", "os")), "keras:module", "CVE-2025-1550"),
    "a class of Python": (model(layer("Popen", "subprocess")), "keras:module", "CVE-2025-1550"),
    "a registered class of Python": (
        model(layer("system", "os", registered="x>system")),
        "keras:module",
        "CVE-2025-1550",
    ),
    "a download": (
        model(layer("Activation", activation=function("get_file", "keras.utils"))),
        "keras:fetch",
        "CVE-2025-8747",
    ),
    "a download by another name": (model(function("get_file", "keras")), "keras:fetch", "CVE-2025-12060"),
    "safe mode off": (
        model(function("enable_unsafe_deserialization", "keras.config")),
        "keras:unsafe-switch",
        "CVE-2025-9906",
    ),
    "safe mode off as a class": (
        model(layer("enable_unsafe_deserialization", "keras.config")),
        "keras:unsafe-switch",
        "CVE-2025-9906",
    ),
    "another model": (model(function("load_model", "keras.models")), "keras:fetch", "CVE-2025-8747"),
    "a module of torch": (model(layer("TorchModuleWrapper", module="gAR9")), "keras:torch", "CVE-2025-49655"),
    "anything of the utilities": (model(layer("Progbar", "keras.utils")), "keras:module", "CVE-2025-1550"),
    "words from a file": (
        model(layer("StringLookup", vocabulary="/etc/passwd")),
        "keras:path",
        "CVE-2025-12058",
    ),
    "words from an address": (
        model(layer("IndexLookup", vocabulary="http://x/y")),
        "keras:path",
        "CVE-2025-12058",
    ),
    "words from above": (
        model(layer("TextVectorization", vocabulary="a/../../b")),
        "keras:path",
        "CVE-2025-12058",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_an_attack_is_named_with_its_advisory(name):
    config, rule, cve = BAD[name]
    found = check(config)
    assert verdict(found) is Verdict.MALICIOUS
    assert rule in rules(found)
    assert cve in RULES[rule].ids


UNKNOWN = {
    "a layer of somebody's own": (model(layer("Mine", "my.layers", registered="my>Mine")), "keras:custom"),
    "a registered layer": (model(layer("Dense", None, registered="my>Dense")), "keras:custom"),
    "another library": (model(layer("Backbone", "keras_hub.models")), "keras:custom"),
    "a layer that is none": (model(layer("Strange")), "keras:class"),
    "a saved model of TensorFlow": (model(layer("TFSMLayer", filepath="x")), "keras:class"),
    "code for jax": (model(layer("JaxLayer")), "keras:class"),
    "a type of TensorFlow": (model({"class_name": "__typespec__", "config": []}), "keras:class"),
    "a function": (model(layer("Activation", activation=function("mine"))), "keras:function"),
    "words beside": (model(layer("StringLookup", vocabulary="words.txt")), "keras:path"),
    "a class without a name": (model({"class_name": 1, "config": {}}), "keras:broken"),
    "a function without a name": (model({"class_name": "function", "config": {}}), "keras:broken"),
    "no model": ({"a": 1}, "keras:broken"),
    "no object": (b"[]", "keras:broken"),
    "two keys": (b'{"class_name": "Sequential", "class_name": "Lambda"}', "keras:broken"),
    "depth": (b"[" * 100_000, "keras:broken"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_understood_is_unknown(name):
    config, rule = UNKNOWN[name]
    found = check(config)
    assert rule in rules(found)
    assert verdict(found) is Verdict.UNKNOWN


def test_training_is_no_model():
    assert check({"loss": "mse", "optimizer_config": {"class_name": "Adam", "config": {}}}, model=False) == ()
    assert rules(check({"loss": {"class_name": "__lambda__"}}, model=False)) == {"keras:lambda"}


def test_budgets(monkeypatch):
    monkeypatch.setattr(module, "MAX_NODES", 3)
    assert rules(check(GOOD["layers"])) == {"keras:budget"}
    monkeypatch.setattr(module, "MAX_CONFIG", 3)
    assert rules(check(GOOD["layers"])) == {"keras:budget"}


def test_the_table_holds_nothing_that_runs_code():
    tables = keras_tables(shipped().tables["keras"])
    assert {"Dense", "Conv2D", "LSTM", "Adam", "GlorotUniform"} <= tables.names
    assert not tables.names & {"Lambda", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer"}
    assert not tables.functions & {"get_file", "load_model", "get", "deserialize"}


def test_damage_is_an_issue_and_never_more():
    seeds = [json.dumps(c).encode() for c in [*GOOD.values(), *(config for config, _, _ in BAD.values())]]
    seen = {
        verdict(check(data)) for data in mutants(seeds, 3000, 51, (b'"class_name"', b"{", b"null", b"Lambda"))
    }
    assert {Verdict.SAFE, Verdict.UNKNOWN, Verdict.MALICIOUS} <= seen


SHAPES = {
    "a name": lambda name: name,
    "a list": lambda name: ["mse", [name]],
    "by output": lambda name: {"out": name},
    "a list by output": lambda name: {"out": ["acc", name]},
}


@pytest.mark.parametrize("key", ["loss", "metrics", "weighted_metrics"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_what_a_model_was_trained_with_is_named(key, shape):
    for known in ("mse", "accuracy", "binary_crossentropy", "BinaryAccuracy", "MAE"):
        assert check({key: shape(known)}, model=False) == ()
    assert rules(check({key: shape("my_own_loss")}, model=False)) == {"keras:function"}
    assert rules(check({key: shape("load_model")}, model=False)) == {"keras:fetch"}
    assert check({key: {"class_name": "BinaryAccuracy", "config": {"name": "mine"}}}, model=False) == ()


def test_names_that_lie_deep_are_not_safe():
    deep = "mse"
    for _ in range(900):
        deep = [deep]
    assert rules(check({"loss": deep}, model=False)) == {"keras:broken"}


def stack(*layers, shape=(None, 3)):
    return model({"class_name": "InputLayer", "config": {"batch_shape": list(shape)}}, *layers)


@pytest.mark.parametrize(
    "config",
    [
        stack(layer("Dense", units=300_000_000), layer("Dense", units=10)),
        stack(layer("Dense", units=40_000), layer("Dense", units=80_000)),
        stack(layer("Embedding", input_dim=1 << 30, output_dim=8)),
        stack(
            layer("Conv2D", filters=60_000, kernel_size=[9, 9]),
            layer("Conv2D", filters=60_000, kernel_size=[3, 3]),
        ),
        stack(layer("LSTM", units=60_000)),
        stack(layer("Dense", units=10**400)),
    ],
)
def test_layers_that_the_file_has_no_weights_for(config):
    found = check(config, size=12_000)
    assert rules(found) == {"keras:size"}
    assert verdict(found) is Verdict.UNKNOWN
    # What is no model with its weights is the shape of one only.
    assert check(config) == ()


def test_layers_as_large_as_their_file():
    large = stack(layer("Embedding", input_dim=250_000, output_dim=1024), layer("Dense", units=16_384))
    assert check(large, size=1_100_000_000) == ()
    small = stack(
        layer("Conv2D", filters=512, kernel_size=[3, 3]),
        layer("Dense", units=4096),
        shape=(None, 224, 224, 3),
    )
    assert check(small, size=20_000) == ()
