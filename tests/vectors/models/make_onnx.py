"""Makes the ONNX models of this folder: `python make_onnx.py`, with skl2onnx and onnx installed."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

HERE = Path(__file__).parent


def main() -> int:
    """Write every file."""
    x = np.random.RandomState(0).rand(20, 3).astype(np.float32)
    y = np.arange(20) % 2
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)
    forest = RandomForestClassifier(2, max_depth=2, random_state=0).fit(x, y)
    for name, model in (("pipeline", pipeline), ("forest", forest)):
        (HERE / f"{name}.onnx").write_bytes(to_onnx(model, x[:1]).SerializeToString())
    (HERE / "loop.onnx").write_bytes(branches().SerializeToString())
    onnx.save_model(
        branches(),
        str(HERE / "elsewhere.onnx"),
        save_as_external_data=True,
        location="elsewhere.onnx.data",
        size_threshold=0,
    )
    return 0


def branches() -> onnx.ModelProto:
    """An If with two graphs inside, a weight, and a function of the model's own."""
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None])
    parts = [
        helper.make_graph([helper.make_node(op, ["x", "w"], ["y"])], name, [], [out])
        for op, name in (("Add", "then"), ("Mul", "else"))
    ]
    twice = helper.make_function(
        "own",
        "Twice",
        ["a"],
        ["b"],
        [helper.make_node("Add", ["a", "a"], ["b"])],
        [helper.make_opsetid("", 20)],
    )
    graph = helper.make_graph(
        [
            helper.make_node("If", ["c"], ["z"], then_branch=parts[0], else_branch=parts[1]),
            helper.make_node("Twice", ["z"], ["out"], domain="own"),
        ],
        "main",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [4]),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [None])],
        [numpy_helper.from_array(np.arange(4, dtype=np.float32), "w")],
    )
    sets = [helper.make_opsetid("", 20), helper.make_opsetid("own", 1)]
    model = helper.make_model(graph, functions=[twice], opset_imports=sets, ir_version=10)
    onnx.checker.check_model(model)
    return model


if __name__ == "__main__":
    sys.exit(main())
