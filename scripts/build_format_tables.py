"""Builds the tables by which ONNX, TensorFlow and Keras files are judged, from pinned libraries.

    python scripts/build_format_tables.py onnx          in an environment with onnx
    python scripts/build_format_tables.py tensorflow    in one with tensorflow
    python scripts/build_format_tables.py keras         in one with keras and a backend for it
    python scripts/build_format_tables.py torchscript   in one with torch

Each writes `src/lockflight/_data/allowlist/NAME.json`. Messages come from the descriptors of the library, as one line
for each message: `1=int 2*data 7=GraphProto`, where `=` stands for one and `*` for many. Operators and classes are
what the library registers, less what `format_review.py` keeps out.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "src" / "lockflight" / "_data" / "allowlist"
SCHEMA = "lockflight-formats/1"


def main() -> None:
    """Write the table that is named."""
    makers = {"onnx": onnx, "tensorflow": tensorflow, "keras": keras, "torchscript": torchscript}
    (name,) = sys.argv[1:]
    table = {"schema": SCHEMA, "format": name, **makers[name]()}
    text = json.dumps(table, indent=1, sort_keys=True) + "\n"
    (DATA / f"{name}.json").write_text(text, encoding="utf-8")
    print(name, len(text), "characters")


def messages(root: Any, prefix: str) -> dict[str, str]:  # noqa: ANN401 - descriptors of any library
    """The messages that a root message reaches."""
    found: dict[str, str] = {}

    def name_of(descriptor: Any) -> str:  # noqa: ANN401 - as above
        return str(descriptor.full_name).removeprefix(prefix)

    def go(descriptor: Any) -> None:  # noqa: ANN401 - as above
        if name_of(descriptor) in found:
            return
        found[name_of(descriptor)] = ""
        row = []
        for field in sorted(descriptor.fields, key=lambda f: f.number):
            if field.message_type is not None:
                kind = name_of(field.message_type)
                go(field.message_type)
            else:
                kind = {
                    1: "wide",
                    6: "wide",
                    16: "wide",
                    2: "short",
                    7: "short",
                    15: "short",
                    9: "data",
                    12: "data",
                }.get(field.type, "int")
            many = field.is_repeated if hasattr(field, "is_repeated") else field.label == 3
            row.append(f"{field.number}{'*' if many else '='}{kind}")
        found[name_of(descriptor)] = " ".join(row)

    go(root)
    return found


def onnx() -> dict[str, Any]:
    """Messages and operators of ONNX; those of com.microsoft are reviewed by hand."""
    import format_review
    import onnx as library
    from onnx import onnx_ml_pb2

    ops: dict[str, set[str]] = defaultdict(set)
    for schema in library.defs.get_all_schemas_with_history():
        ops[schema.domain].add(schema.name)
    ops["com.microsoft"].update(format_review.MICROSOFT)
    return {
        "versions": [library.__version__],
        "ir_version": int(onnx_ml_pb2.IR_VERSION),
        "messages": messages(onnx_ml_pb2.ModelProto.DESCRIPTOR, "onnx."),
        "ops": {domain: sorted(names) for domain, names in ops.items()},
    }


def tensorflow() -> dict[str, Any]:
    """Messages and operators of TensorFlow."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import format_review as review
    import tensorflow as tf
    from tensorflow.core.framework import op_def_pb2
    from tensorflow.core.protobuf import saved_model_pb2
    from tensorflow.python.client import pywrap_tf_session as session

    listed = op_def_pb2.OpList()
    listed.ParseFromString(session.TF_GetBuffer(session.TF_GetAllOpList()))
    stateful = {op.name: op.is_stateful for op in listed.op}
    ops = {
        name for name, state in stateful.items() if not state and not review.TENSORFLOW_REACHES.search(name)
    }
    ops |= {*review.TENSORFLOW_COMPUTES, *review.TENSORFLOW_STATE} & set(stateful)
    return {
        "versions": [tf.__version__],
        "messages": messages(saved_model_pb2.SavedModel.DESCRIPTOR, "tensorflow."),
        "ops": sorted(ops),
    }


def keras() -> dict[str, Any]:
    """Public classes that a configuration may build, and the functions that it may name."""
    os.environ.setdefault("KERAS_BACKEND", "numpy")
    import format_review as review
    import keras as library
    from keras.src.saving.keras_saveable import KerasSaveable

    bases = (
        KerasSaveable,
        library.initializers.Initializer,
        library.regularizers.Regularizer,
        library.constraints.Constraint,
        library.losses.Loss,
        library.DTypePolicy,
        library.optimizers.schedules.LearningRateSchedule,
        library.random.SeedGenerator,
    )
    classes: dict[str, set[str]] = defaultdict(set)
    functions: set[str] = set()
    rooms = [
        "layers",
        "losses",
        "metrics",
        "optimizers",
        "optimizers.schedules",
        "initializers",
        "regularizers",
        "constraints",
        "models",
        "dtype_policies",
        "random",
        "activations",
    ]
    for room in rooms:
        module = library
        for part in room.split("."):
            module = getattr(module, part)
        for name in dir(module):
            thing = getattr(module, name)
            if isinstance(thing, type) and issubclass(thing, bases):
                classes[f"keras.{room}"].add(name)
                # Configurations of single classes name the module that they are defined in.
                classes[thing.__module__].add(thing.__name__)
            elif callable(thing) and room in {"activations", "losses", "metrics"} and name.islower():
                functions.add(name)
    for name in ("Model", "Sequential", "Variable", "DTypePolicy", "FloatDTypePolicy", "Functional"):
        classes["keras"].add(name)
    classes["keras.src.models.functional"].add("Functional")
    for room in ("convnext", "efficientnet", "nasnet"):
        module = importlib.import_module(f"keras.src.applications.{room}")
        for name, thing in vars(module).items():
            if (
                isinstance(thing, type)
                and issubclass(thing, library.layers.Layer)
                and thing.__module__ == module.__name__
            ):
                classes[module.__name__].add(name)
    # What stands between layers when tensors are added, sliced and so on.
    for room in ("numpy", "nn", "core", "math", "linalg", "image", "operation"):
        module = importlib.import_module(f"keras.src.ops.{room}")
        for name, thing in vars(module).items():
            if (
                isinstance(thing, type)
                and issubclass(thing, library.Operation)
                and thing.__module__ == module.__name__
            ):
                classes[module.__name__].add(name)
    functions -= {"get", "serialize", "deserialize"}
    for listed in classes.values():
        listed.difference_update(review.KERAS_REACHES)
    return {
        "versions": [library.__version__],
        "classes": {module: sorted(names) for module, names in sorted(classes.items()) if names},
        "functions": sorted(functions),
        "stdlib": sorted(sys.stdlib_module_names),
    }


def torchscript() -> dict[str, Any]:
    """Operators of torch, and what programs of TorchScript and torch.export may name beside them."""
    import format_review as review
    import torch
    from torch._export.serde import serialize
    from torch.utils._sympy import functions

    ops: dict[str, set[str]] = defaultdict(set)
    for schema in torch._C._jit_get_all_schemas():  # noqa: SLF001 - there is no public list
        space, _, name = schema.name.partition("::")
        if space in review.TORCH_SPACES and not review.TORCH_LEFT_OUT.search(name):
            ops[space].add(name)
    # Registered by Python, and known to torch.export under `torch.ops`.
    ops["prims"] |= {name for name in dir(torch.ops.prims) if not name.startswith("_")} - {"name"}
    ops["torchvision"].update(review.TORCHVISION)
    ops["higher_order"].update(review.TORCH_HIGHER_ORDER)
    symbolic = serialize._SYM_OPS  # noqa: SLF001 - as above
    targets = {f"{one.__module__}.{one.__name__}" for one in symbolic} | {"_operator.getitem"}
    symbols = {name for name in functions.__all__ if name[:1].isupper()} | set(review.TORCH_SYMBOLS)
    return {
        "versions": [torch.__version__.partition("+")[0]],
        "ops": {space: sorted(names) for space, names in sorted(ops.items())},
        "reaches": {space: sorted(names) for space, names in review.TORCH_REACHES.items()},
        "classes": sorted(review.TORCH_CLASSES),
        "functions": sorted(review.TORCH_FUNCTIONS),
        "targets": sorted(targets),
        "symbols": sorted(symbols),
        "trees": sorted(review.TORCH_TREES),
    }


if __name__ == "__main__":
    main()
