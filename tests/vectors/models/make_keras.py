"""Makes the Keras and TensorFlow models of this folder: `python make_keras.py`, with tensorflow and keras installed."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf
from keras import layers

HERE = Path(__file__).parent


def main() -> int:
    """Write every file."""
    keras.utils.set_random_seed(0)
    dense = keras.Sequential([layers.Input((3,)), layers.Dense(2, activation="relu"), layers.Dense(1)])
    dense.compile(
        keras.optimizers.Adam(1e-3), loss="mse", metrics=["mae", keras.metrics.RootMeanSquaredError()]
    )
    dense.fit(np.zeros((4, 3)), np.zeros((4, 1)), verbose=0)
    dense.save(HERE / "dense.keras")
    dense.save(HERE / "dense.h5")
    dense.save_weights(HERE / "dense.weights.h5")

    x = layers.Input((8, 8, 3))
    y = layers.Conv2D(2, 3, padding="same", kernel_regularizer="l2")(x)
    y = layers.BatchNormalization()(y)
    y = layers.Add()([y, layers.Conv2D(2, 1)(x)])
    y = layers.GlobalAveragePooling2D()(layers.Activation("gelu")(y))
    branched = keras.Model(x, layers.Dense(2, "softmax")(y) * 2.0)
    branched.compile("sgd", keras.losses.SparseCategoricalCrossentropy())
    branched.save(HERE / "branched.keras")
    branched.save(HERE / "branched.h5")

    words = layers.TextVectorization(max_tokens=10, output_sequence_length=4)
    words.adapt(["one two three", "two three"])
    inputs = keras.Input((1,), dtype="string")
    y = layers.Bidirectional(layers.LSTM(2))(layers.Embedding(10, 2)(words(inputs)))
    keras.Model(inputs, layers.Dense(1)(y)).save(HERE / "words.keras")

    # Compiled under a name of its own: the file keeps the path of the code.
    double = eval(compile("lambda v: v * 2", "double.py", "eval"))
    hidden = keras.Sequential([layers.Input((3,)), layers.Lambda(double)])
    hidden.save(HERE / "lambda.keras")
    hidden.save(HERE / "lambda.h5")

    graphs()
    return 0


def graphs() -> None:
    """A SavedModel, a frozen graph, and one that reads a file."""
    with tempfile.TemporaryDirectory() as folder:
        module = tf.Module()
        module.w = tf.Variable([[1.0], [2.0]])
        call = tf.function(lambda v: tf.nn.relu(v @ module.w), [tf.TensorSpec([None, 2], tf.float32, "v")])
        module.call = call
        tf.saved_model.save(module, folder, signatures={"serving_default": call})
        (HERE / "saved").mkdir(exist_ok=True)
        shutil.copy(Path(folder) / "saved_model.pb", HERE / "saved" / "saved_model.pb")
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    frozen = convert_variables_to_constants_v2(call.get_concrete_function())
    (HERE / "frozen.pb").write_bytes(frozen.graph.as_graph_def().SerializeToString())
    reads = tf.function(lambda: tf.io.read_file("/etc/hostname"), []).get_concrete_function()
    (HERE / "reads.pb").write_bytes(reads.graph.as_graph_def().SerializeToString())


if __name__ == "__main__":
    sys.exit(main())
