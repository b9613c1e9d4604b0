"""The file `MLmodel` of MLflow: YAML that says which module loads the model, and what lies beside it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lockflight.core.findings import Verdict
from lockflight.formats.report import Issue, Issues, shown
from lockflight.formats.settings.targets import harmful
from lockflight.formats.settings.yamltext import check_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockflight.core.source import ByteSource

MAX_BYTES: Final = 1024 * 1024
MAX_NODES: Final = 200_000
_MAX_NAME: Final = 200

#: Loaders that are part of MLflow. What they open is a file of its own and judged as such.
_LOADERS: Final = frozenset(
    f"mlflow.{name}"
    for name in [
        "catboost",
        "diviner",
        "fastai",
        "h2o",
        "keras",
        "langchain",
        "lightgbm",
        "onnx",
        "openai",
        "paddle",
        "pmdarima",
        "prophet",
        "pyfunc.model",
        "pytorch",
        "sentence_transformers",
        "sklearn",
        "spacy",
        "spark",
        "statsmodels",
        "tensorflow",
        "transformers",
        "xgboost",
    ]
)
#: Python files and folders that loading the model runs or puts on the path.
_CODE: Final = frozenset({"code", "model_code_path", "code_path", "code_paths", "loader_code"})
_PICKLES: Final = frozenset({"pickled_model", "python_model", "unwrapped_class"})
#: What further keys, and files beside the description, make MLflow import: modules, and classes that it calls.
_MODULES: Final = frozenset({"pickle_module", "keras_module"})
_CLASSES: Final = frozenset({"model_class", "lgb_class"})
_KNOWN_MODULES: Final = frozenset(
    ["mlflow.pytorch.pickle_module", "pickle", "cloudpickle", "dill", "keras", "tensorflow.keras", "tf_keras"]
)
_CLASS_OF: Final = re.compile(r"(?:xgboost|lightgbm|catboost|sklearn|pmdarima|statsmodels|prophet)(?:\.\w+)+")
_PATHS: Final = _CODE | {
    "pickled_model",
    "python_model",
    "data",
    "model_data",
    "model_path",
    "path",
    "weights",
    "model_binary",
    "peft_adaptor",
    "components",
}
#: Keys by which MLflow loads a model that does not lie beside its description, whatever else does: a commit of the
#: repository that another key names, whose code it then trusts, and a folder of the machine where it was trained.
_OUTSIDE: Final = frozenset({"source_model_revision", "local_base_model_path"})


def check_mlmodel(source: ByteSource) -> tuple[Issue, ...]:
    """What loading the model runs, by its description."""
    if source.size > MAX_BYTES:
        return (
            Issue(
                "mlmodel:budget",
                Verdict.UNKNOWN,
                f"The description is larger than the {MAX_BYTES >> 10} KiB that are read.",
            ),
        )
    issues = Issues()
    issues.extend(check_yaml(source))
    # No other format needs a parser of YAML.
    import yaml

    try:
        root = yaml.compose(source.read_at(0, source.size).decode("utf-8"), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        issues.add(Issue("mlmodel:broken", Verdict.UNKNOWN, "The description is no YAML."))
        return issues.frozen()
    if not isinstance(root, yaml.MappingNode):
        issues.add(Issue("mlmodel:broken", Verdict.UNKNOWN, "The description is no object."))
        return issues.frozen()
    try:
        found: dict[str, tuple[str, int]] = {}
        for key, value, at in _pairs(root):
            found[key] = (value, at)
            _judge(key, value, at, issues)
        if "source_model_name" in found and "model_binary" not in found:
            # Without weights of its own the flavor of transformers asks for those of the source.
            value, at = found["source_model_name"]
            message = f"Loading the model fetches the weights of {shown(value)} from elsewhere."
            issues.add(
                Issue("config:base-model", Verdict.REVIEW, message, at, subject=shown(value, 200)[1:-1])
            )
    except ValueError as error:
        issues.add(Issue("mlmodel:broken", Verdict.UNKNOWN, f"The description cannot be judged: {error}."))
    return issues.frozen()


def check_module_name(source: ByteSource) -> tuple[Issue, ...]:
    """A file that holds nothing but the name of the module that loading the model imports."""
    name = source.read_at(0, _MAX_NAME).decode("utf-8", "replace")
    if name in _KNOWN_MODULES and source.size < _MAX_NAME:
        return ()
    return (_imported(name, 0, name),)


def _imported(name: str, at: int, subject: str) -> Issue:
    verdict = Verdict.MALICIOUS if harmful(name) else Verdict.REVIEW
    message = f"Loading the model imports and runs {shown(name)}."
    return Issue("mlmodel:loader", verdict, message, at, subject=subject)


def _pairs(root: object) -> Iterator[tuple[str, str, int]]:
    """Keys with their texts, of all objects; a list of texts counts for each."""
    import yaml

    todo, seen = [root], 0
    while todo:
        node = todo.pop()
        seen += 1
        if seen > MAX_NODES:
            raise ValueError("it has more parts than are read")
        if isinstance(node, yaml.SequenceNode):
            todo.extend(node.value)
        elif isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            if len(keys) != len(node.value) or len(set(keys)) != len(keys) or "<<" in keys:
                raise ValueError("a key stands twice, is no text, or takes others in")
            for key, value in node.value:
                todo.append(value)
                items = value.value if isinstance(value, yaml.SequenceNode) else [value]
                for item in items:
                    if isinstance(item, yaml.ScalarNode) and item.tag != "tag:yaml.org,2002:null":
                        yield key.value, item.value, item.start_mark.index


def _judge(key: str, value: str, at: int, issues: Issues) -> None:
    subject = shown(f"{key}: {value}", 200)[1:-1]
    if key in _PATHS and (
        value.startswith(("/", "\\", "~")) or ":" in value or ".." in value.replace("\\", "/").split("/")
    ):
        message = f"Its {key} leads out of the model's folder: {shown(value)}."
        issues.add(Issue("mlmodel:path", Verdict.MALICIOUS, message, at, subject=subject))
    elif (
        (key == "loader_module" and value not in _LOADERS)
        or (key in _MODULES and value not in _KNOWN_MODULES)
        or (key in _CLASSES and _CLASS_OF.fullmatch(value) is None)
    ):
        issues.add(_imported(value, at, subject))
    elif key in _OUTSIDE:
        message = f"Its {key} makes MLflow load a model that does not lie beside it: {shown(value)}."
        issues.add(Issue("mlmodel:outside", Verdict.UNKNOWN, message, at, subject=subject))
    elif key in _CODE:
        message = f"Loading the model runs code that lies beside it: {shown(value)}."
        issues.add(Issue("mlmodel:code", Verdict.REVIEW, message, at, subject=subject))
    elif key in _PICKLES:
        message = f"The model is a pickle: {shown(value)}. That file is judged by itself."
        issues.add(Issue("mlmodel:pickle", Verdict.SAFE, message, at, subject=subject))
