"""Configurations of Keras models: which classes and functions a file makes the loader build and call.

Keras resolves a class by module and name, so a configuration can name anything that its loader lets it reach; each
advisory of 2024 and 2025 was one more thing that it let. Here every name has to be on the list of layers, losses and
so on that only compute; gadgets that are known are told by name. Safe mode is no argument: HDF5 files ignored it
(CVE-2025-9905), and configurations could switch it off (CVE-2025-9906).
"""

from __future__ import annotations

from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Final

from lockflight.core.findings import Verdict
from lockflight.core.shape import obj, texts
from lockflight.formats.report import Issue, Issues, shown
from lockflight.formats.settings.jsontext import BadJson, parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockflight.core.canonical import JsonObject, JsonValue

MAX_CONFIG: Final = 64 * 1024 * 1024
MAX_NODES: Final = 2_000_000

#: Values that Keras writes as if they were objects; none of them looks anything up.
_VALUES: Final = frozenset(
    {
        "__keras_tensor__",
        "__tensor__",
        "__numpy__",
        "__bytes__",
        "__ellipsis__",
        "__slice__",
        "__tuple__",
        "__complex__",
    }
)
_LAMBDA: Final = frozenset({"Lambda", "__lambda__"})
#: Functions that fetch, load or switch safety off, by name: whatever module they are said to be in.
_FETCH: Final = frozenset(
    {"get_file", "load_model", "load_weights", "load_img", "save_model", "model_from_json"}
)
_SWITCH: Final = frozenset({"enable_unsafe_deserialization"})
_UNSAFE_ROOMS: Final = (
    "keras.utils",
    "keras.config",
    "keras.saving",
    "keras.export",
    "keras.src.utils",
    "keras.src.saving",
)
#: Short names of losses and metrics that Keras knows beside those of its functions and classes.
_SHORT: Final = frozenset(
    [
        "acc",
        "accuracy",
        "bce",
        "ce",
        "cosine",
        "cosine_proximity",
        "crossentropy",
        "kld",
        "KLD",
        "kullback_leibler_divergence",
        "logcosh",
        "mae",
        "MAE",
        "mape",
        "MAPE",
        "mse",
        "MSE",
        "msle",
        "MSLE",
    ]
)
#: Sizes of layers that have weights, and shapes of what comes into them.
_SIZES: Final = (
    "units", "filters", "kernel_size", "depth_multiplier", "num_heads", "key_dim", "value_dim", "intermediate_dim",
)  # fmt: skip
_WIDENS: Final = ("num_tokens", "num_bins", "max_tokens")
_SHAPES: Final = ("batch_shape", "batch_input_shape", "input_shape")
#: Bytes that a model may ask for whatever its file has, and of a weight.
MAX_ASKED: Final = 8 * 1024**3
_RATIO: Final = 1000
_WIDTH: Final = 4
_MAX_RANK: Final = 16
#: Modules other than Keras's own that built-in functions are said to be in.
_BUILTIN: Final = frozenset({"builtins", "keras"})


class KerasTables:
    """What a configuration may name.

    Args:
        classes: allowed names by module.
        functions: allowed functions.
        stdlib: modules of Python itself; nothing of a model lies there.
    """

    def __init__(
        self, classes: Mapping[str, frozenset[str]], functions: frozenset[str], stdlib: frozenset[str]
    ) -> None:
        self.classes = classes
        self.functions = functions
        self.stdlib = stdlib

    @cached_property
    def names(self) -> frozenset[str]:
        """All allowed classes: old files name them without a module, or in one that has moved since."""
        return frozenset(name for names in self.classes.values() for name in names)


def keras_tables(table: JsonObject) -> KerasTables:
    """The tables as the data file has them.

    Raises:
        KeyError, TypeError, ValueError: it has them not.
    """
    classes = {module: frozenset(texts(names)) for module, names in obj(table["classes"]).items()}
    return KerasTables(classes, frozenset(texts(table["functions"])), frozenset(texts(table["stdlib"])))


def check_config(data: bytes, tables: KerasTables, *, model: bool = True, size: int = 0) -> tuple[Issue, ...]:
    """Judge a configuration.

    Args:
        data: its JSON.
        tables: what it may name.
        model: it has to be that of a model, not of its training.
        size: bytes of the file with its weights; 0 where it has none.
    """
    if len(data) > MAX_CONFIG:
        return (
            Issue(
                "keras:budget",
                Verdict.UNKNOWN,
                f"The configuration is larger than the {MAX_CONFIG >> 20} MiB that are read.",
            ),
        )
    try:
        root = parse_json(data)
    except BadJson as error:
        return (Issue("keras:broken", Verdict.UNKNOWN, f"The configuration cannot be judged: {error}."),)
    if not isinstance(root, dict) or (model and not isinstance(root.get("class_name"), str)):
        return (Issue("keras:broken", Verdict.UNKNOWN, "The configuration is that of no Keras model."),)
    issues = _Reader(tables).read(root)
    asked = _WIDTH * weights(root) if size else 0
    if asked > max(MAX_ASKED, _RATIO * size):
        message = "Its layers are of sizes that take all memory, and its file has no weights of such sizes."
        issues += (Issue("keras:size", Verdict.UNKNOWN, message),)
    return issues


def weights(root: JsonValue) -> int:
    """About how many weights the layers of a configuration have: never a thousandth of what it is, rather more."""
    total, widest = 0, 1
    stack: list[JsonValue] = [root]
    while stack:
        value = stack.pop()
        if isinstance(value, list):
            stack.extend(reversed([item for item in value if isinstance(item, (list, dict))]))
        elif isinstance(value, dict):
            stack.extend(reversed([item for item in value.values() if isinstance(item, (list, dict))]))
            sizes = [size for key in _SIZES if (size := _size(value.get(key))) > 1]
            widest = max(widest, *(_size(value.get(key)) for key in _WIDENS))
            for key in _SHAPES:
                shape = value.get(key)
                widest = (
                    max(widest, *(_size(one) for one in shape))
                    if isinstance(shape, list) and shape
                    else widest
                )
            if "input_dim" in value and "output_dim" in value:
                # A table of what stands for each number; no more comes in.
                total += _size(value["input_dim"]) * _size(value["output_dim"])
                widest = max(widest, _size(value["output_dim"]))
            elif sizes:
                # What comes in is at most as wide as the widest so far; a recurrent layer takes its own output too.
                total += prod(sizes) * max(widest, *sizes)
                widest = max(widest, *sizes)
    return total


def _size(value: JsonValue) -> int:
    """An extent, or the product of some; others are 1."""
    if isinstance(value, list):
        total = 1
        for item in value[:_MAX_RANK]:
            total *= _size(item) if not isinstance(item, list) else 1
        return total
    return min(value, 1 << 62) if isinstance(value, int) and not isinstance(value, bool) and value > 1 else 1


def is_config(value: JsonValue) -> bool:
    """Whether a document of JSON is the configuration of a Keras model: a class, and what to build it with."""
    return isinstance(value, dict) and isinstance(value.get("class_name"), str) and "config" in value


def check_value(value: JsonValue, tables: KerasTables) -> tuple[Issue, ...]:
    """Judge a configuration that was parsed."""
    return _Reader(tables).read(value)


class _Reader:
    def __init__(self, tables: KerasTables) -> None:
        self.tables = tables
        self.issues = Issues()

    def read(self, root: JsonValue) -> tuple[Issue, ...]:
        stack: list[JsonValue] = [root]
        seen = 0
        while stack:
            value = stack.pop()
            seen += 1
            if seen > MAX_NODES:
                self._add(
                    "keras:budget",
                    Verdict.UNKNOWN,
                    f"The configuration has more than the {MAX_NODES:,} objects that are read.",
                    "",
                )
                break
            if isinstance(value, list):
                stack.extend(item for item in value if isinstance(item, (list, dict)))
            elif isinstance(value, dict):
                self._object(value)
                stack.extend(item for item in value.values() if isinstance(item, (list, dict)))
        return self.issues.frozen()

    def _add(self, rule: str, verdict: Verdict, message: str, subject: str) -> None:
        self.issues.add(Issue(rule, verdict, message, subject=shown(subject, 200)[1:-1]))

    def _object(self, value: JsonObject) -> None:
        for key in ("vocabulary", "idf_weights", "filepath"):
            if isinstance(value.get(key), str):
                self._path(key, str(value[key]))
        if "class_name" not in value:
            for key in ("loss", "metrics", "weighted_metrics"):
                self._training(value.get(key))
            return
        name, module = value["class_name"], value.get("module")
        if not isinstance(name, str) or not (module is None or isinstance(module, str)):
            self._add("keras:broken", Verdict.UNKNOWN, "An object does not name its class.", "")
        elif name in _LAMBDA:
            message = (
                "The model has a Lambda layer: Python code of its own, which runs when it is loaded or used."
            )
            self._add("keras:lambda", Verdict.MALICIOUS, message, "Lambda")
        elif name in _VALUES:
            return
        elif name == "function":
            function = value.get("config")
            if isinstance(function, str):
                self._function(module or "builtins", function)
            else:
                self._add("keras:broken", Verdict.UNKNOWN, "A function has no name.", "")
        else:
            self._class(module, name, value.get("registered_name"))

    def _path(self, key: str, path: str) -> None:
        """Lookup layers read their vocabulary from wherever a text says; arrays are written as lists."""
        outside = path.startswith(("/", "\\", "~")) or ":" in path or "\\" in path or ".." in path.split("/")
        message = f"The {key} of a layer is read from the path {shown(path)}."
        self._add("keras:path", Verdict.MALICIOUS if outside else Verdict.UNKNOWN, message, path)

    def _training(self, value: JsonValue, depth: int = 0) -> None:
        """What a model was trained with: names, in lists or by output; objects are judged as such."""
        if depth > 4:
            self._add("keras:broken", Verdict.UNKNOWN, "Losses or metrics lie too deep in each other.", "")
        elif isinstance(value, str):
            if value not in _SHORT and value not in self.tables.names:
                self._function("keras", value)
        elif isinstance(value, list):
            for item in value:
                self._training(item, depth + 1)
        elif isinstance(value, dict) and "class_name" not in value:
            for item in value.values():
                self._training(item, depth + 1)

    def _gadget(self, module: str, name: str) -> bool:
        label = f"{module}.{name}"
        if name in _SWITCH:
            message = f"The configuration calls {shown(label)[1:-1]}, which switches Keras's protection off."
            self._add("keras:unsafe-switch", Verdict.MALICIOUS, message, label)
        elif name in _FETCH:
            message = f"The configuration calls {shown(label)[1:-1]}, which fetches, unpacks or loads files."
            self._add("keras:fetch", Verdict.MALICIOUS, message, label)
        elif name == "TorchModuleWrapper":
            message = "The model has a TorchModuleWrapper, which unpickles what the file holds."
            self._add("keras:torch", Verdict.MALICIOUS, message, name)
        elif any(module == room or module.startswith(room + ".") for room in _UNSAFE_ROOMS):
            message = f"The configuration calls {shown(label)[1:-1]}, which is no part of a model."
            self._add("keras:module", Verdict.MALICIOUS, message, label)
        else:
            return False
        return True

    def _function(self, module: str, name: str) -> None:
        if self._gadget(module, name):
            return
        if not (module in _BUILTIN or module.startswith("keras.")):
            self._foreign(module, name)
        elif name not in self.tables.functions:
            message = (
                f"The configuration names the function {shown(name)}, which the loading program has to bring."
            )
            self._add("keras:function", Verdict.UNKNOWN, message, name)

    def _class(self, module: str | None, name: str, registered: JsonValue) -> None:
        if self._gadget(module or "keras", name):
            return
        if module not in (None, *_BUILTIN) and not str(module).startswith("keras."):
            self._foreign(str(module), name)
        elif registered not in (None, name):
            message = f"The class {shown(str(registered))} is one that the loading program has to bring."
            self._add("keras:custom", Verdict.UNKNOWN, message, str(registered))
        elif name not in self.tables.names:
            message = f"The class {shown(name)} is not one that is known to compute only."
            self._add("keras:class", Verdict.UNKNOWN, message, name)

    def _foreign(self, module: str, name: str) -> None:
        label = f"{module}.{name}"
        if module.split(".", 1)[0] in self.tables.stdlib:
            message = f"The configuration makes the loader import and call {shown(label)[1:-1]}."
            self._add("keras:module", Verdict.MALICIOUS, message, label)
        else:
            message = (
                f"The class or function {shown(label)[1:-1]} is one that the loading program has to bring."
            )
            self._add("keras:custom", Verdict.UNKNOWN, message, label)
