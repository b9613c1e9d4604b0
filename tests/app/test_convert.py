"""Conversions of real files: the same numbers, nothing loaded, nothing half written, nothing unsafe."""

from __future__ import annotations

import importlib.util
import json
import pickle
import shutil
import struct
import tempfile
import zipfile
from pathlib import Path

import pytest

from lockflight.app.data import convert as module
from lockflight.app.data.convert import convert
from lockflight.core.findings import Verdict
from lockflight.core.source import BytesSource
from lockflight.errors import LockflightError
from lockflight.formats.tensors.safetensors import parse_safetensors
from lockflight.infra._seal import SECCOMP, layers
from lockflight.infra.proc import run as run_child
from tests.corpus.programs import VECTORS
from tests.formats.files import npy
from tests.formats.pickles import HOSTILE

MODELS = VECTORS.parent


def need(*names):
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(
            f"needs {', '.join(missing)}: `python3 dev.py test` installs the libraries of the examples, pip any other"
        )


def refused(code, *args, **options):
    with pytest.raises(LockflightError) as caught:
        convert(*map(str, args), workers=1, **options)
    assert caught.value.code == code, caught.value.message
    return caught.value


def run(source, target, **options):
    return convert(str(source), str(target), workers=1, **options)


def tensors(path):
    data = path.read_bytes()
    found = parse_safetensors(BytesSource(data, path.name))
    assert found.issues == ()
    return {t.name: (t.dtype, t.shape, data[t.start : t.end]) for t in found.tensors}, found.metadata


def unnameable():
    """A pickled dict of an array whose name is half of a surrogate pair."""
    name = b"X\x03\0\0\0\xed\xa0\x80"
    dtype = b"cnumpy\ndtype\nX\x02\0\0\0f4\x89\x88\x87R(K\x03X\x01\0\0\0<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
    array = b"cnumpy._core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85C\x01b\x87R"
    return b"\x80\x04}" + name + array + b"(K\x01K\x01\x85" + dtype + b"\x89C\x04" + bytes(4) + b"tbs."


def test_both_formats_of_torch_become_the_same_file(tmp_path):
    new, old = tmp_path / "new.safetensors", tmp_path / "old.safetensors"
    done = run(VECTORS / "state.pt", new)
    run(VECTORS / "state.legacy.bin", old)
    assert new.read_bytes() == old.read_bytes()
    assert (done.form, done.tensors, done.left, done.tied, done.key) == ("safetensors", 11, (), (), "")
    assert (done.source.verdict, done.result.verdict) == (Verdict.SAFE, Verdict.SAFE)
    assert done.result.size == new.stat().st_size
    found, metadata = tensors(new)
    assert metadata == {"format": "pt"}
    assert found["head.weight"][:2] == ("F32", (3, 2))
    with zipfile.ZipFile(VECTORS / "state.pt") as archive:
        assert archive.read("state/data/0") == found["scale"][2]


def test_types_order_and_shared_memory(tmp_path):
    done = run(VECTORS / "dtypes.pt", tmp_path / "a.safetensors")
    found, metadata = tensors(tmp_path / "a.safetensors")
    kinds = {
        "F64",
        "F32",
        "F16",
        "BF16",
        "I64",
        "I32",
        "I16",
        "I8",
        "U8",
        "BOOL",
        "C64",
        "F8_E4M3",
        "F8_E5M2",
        "U16",
    }
    assert {dtype for dtype, _, _ in found.values()} == kinds
    assert done.tied == (("float32", "same", "tied"),)
    assert json.loads(metadata["tied"]) == [["float32", "same", "tied"]]
    base = struct.unpack("<24f", found["float32"][2])
    assert base[:2] == pytest.approx((0, 1 / 7))
    assert struct.unpack("<24f", found["transposed"][2]) == tuple(
        base[r * 6 + c] for c in range(6) for r in range(4)
    )
    assert struct.unpack("<6f", found["row"][2]) == base[12:18]
    assert struct.unpack("<12f", found["step"][2]) == tuple(
        base[r * 6 + c] for r in range(4) for c in (0, 2, 4)
    )
    assert found["expanded"] == ("F32", (4, 3), struct.pack("<12f", *[1.0] * 12))
    assert (found["none"][1], found["scalar"][1]) == ((0, 3), ())
    assert struct.unpack("<48f", found["conjugate"][2])[1::2] == pytest.approx([-x for x in base])
    assert done.reordered == 3
    run(VECTORS / "dtypes.legacy.bin", tmp_path / "b.safetensors")
    assert tensors(tmp_path / "b.safetensors") == (found, metadata)


def test_weights_of_a_checkpoint_and_what_is_left_out(tmp_path):
    done = run(VECTORS / "checkpoint.pt", tmp_path / "a.safetensors")
    assert done.key == "model"
    assert {"epoch", "optimizer", "rng", "loss"} <= set(done.left)
    run(VECTORS / "checkpoint.legacy.bin", tmp_path / "b.safetensors", key="model")
    assert tensors(tmp_path / "a.safetensors") == tensors(tmp_path / "b.safetensors")
    error = refused("LF0222", VECTORS / "checkpoint.pt", tmp_path / "c.safetensors", key="modell")
    assert "model" in error.hint
    refused("LF0221", VECTORS / "checkpoint.pt", tmp_path / "c.safetensors", key="loss")


@pytest.mark.parametrize("name", ["unusual.pt", "unusual.legacy.bin"])
def test_tensors_without_a_form_are_named(tmp_path, name):
    assert "sparse" in refused("LF0221", VECTORS / name, tmp_path / "a.safetensors").message
    assert list(tmp_path.iterdir()) == []


def test_programs_are_not_weights(tmp_path):
    for name in ("script.pt",):
        assert "archive" in refused("LF0221", VECTORS / name, tmp_path / "a.safetensors").message


def test_arrays_of_numpy_by_every_way(tmp_path):
    need("numpy")
    import numpy as np

    random = np.random.RandomState(0)
    arrays = {
        "a": random.rand(3, 4).astype("f4"),
        "b.c": np.asfortranarray(random.rand(5, 2)),
        "i": np.arange(4),
        "big": np.arange(3, dtype=">f4"),
        "flag": np.array([True, False]),
        "none": np.zeros((0, 2)),
        "half": np.ones(3, "f2"),
        "wide": np.array([1 + 2j], "c8"),
    }
    np.savez(tmp_path / "a.npz", **arrays)
    np.savez_compressed(tmp_path / "b.npz", **arrays)
    for protocol in range(6):
        (tmp_path / f"{protocol}.pkl").write_bytes(pickle.dumps(arrays, protocol))
    expected = {
        name: (
            tuple(array.shape),
            np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes(),
        )
        for name, array in arrays.items()
    }
    for name in ("a.npz", "b.npz", *(f"{protocol}.pkl" for protocol in range(6))):
        target = tmp_path / f"{name}.safetensors"
        done = run(tmp_path / name, target)
        found, metadata = tensors(target)
        assert {key: value[1:] for key, value in found.items()} == expected, name
        assert (metadata, done.tensors) == ({"format": "np"}, len(arrays))
    if importlib.util.find_spec("safetensors"):
        from safetensors.numpy import load_file

        for key, array in load_file(tmp_path / "a.npz.safetensors").items():
            assert np.array_equal(array, arrays[key])


def test_arrays_without_a_form(tmp_path):
    need("numpy", "joblib")
    import joblib
    import numpy as np

    joblib.dump({"a": np.arange(3)}, tmp_path / "a.joblib")
    assert "joblib" in refused("LF0221", tmp_path / "a.joblib", tmp_path / "x.safetensors").message
    for number, array in enumerate(
        (np.array(["a"], dtype=object), np.array(["abc"]), np.zeros(2, [("a", "f4")]), np.ones(2, "c16"))
    ):
        path = tmp_path / f"{number}.npy"
        np.save(path, array)
        refused("LF0221", path, tmp_path / "x.safetensors")
        (tmp_path / f"{number}.pkl").write_bytes(pickle.dumps({"a": array}))
        refused("LF0221", tmp_path / f"{number}.pkl", tmp_path / "x.safetensors")


def test_plain_files(tmp_path):
    (tmp_path / "a.npy").write_bytes(npy())
    run(tmp_path / "a.npy", tmp_path / "a.safetensors")
    assert list(tensors(tmp_path / "a.safetensors")[0]) == ["array"]
    for number, thing in enumerate(([1, 2], {"a": 1}, {"weights": {"a": 1}}, "text")):
        (tmp_path / f"{number}.pkl").write_bytes(pickle.dumps(thing))
        refused("LF0221", tmp_path / f"{number}.pkl", tmp_path / "x.safetensors")


@pytest.mark.parametrize("name", ["pipeline.5.pkl", "pipeline.xz.joblib", "forest.joblib", "boosted.pkl"])
def test_models_of_scikit_learn_answer_alike(tmp_path, name):
    need("sklearn", "skops", "joblib")
    done = run(MODELS / name, tmp_path / "a.skops")
    assert (done.form, done.result.verdict) == ("skops", Verdict.SAFE)
    assert done.model.startswith("sklearn.")
    assert done.confined == layers()
    assert "predict" in done.compared


def saved(tmp_path, model):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(model))
    return path


def test_a_model_of_words_answers_alike(tmp_path):
    need("sklearn", "skops", "joblib")
    done = run(MODELS / "words.joblib", tmp_path / "a.skops")
    assert "predict" in done.compared or "transform" in done.compared


def test_models_of_categories_and_mappings_answer_alike(tmp_path):
    need("sklearn", "skops", "joblib")
    import numpy as np
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    labels = [0, 1] * 10
    table = np.array([["red", "s"], ["blue", "m"]] * 10, dtype=object)
    mixed = np.array([["red", 1.5], ["blue", 2.5]] * 10, dtype=object)
    columns = ColumnTransformer([("c", OneHotEncoder(), [0]), ("n", StandardScaler(), [1])])
    for number, (first, rows) in enumerate(
        (
            (OneHotEncoder(), table),
            (columns, mixed),
            (DictVectorizer(), [{"a": 1.0}, {"b": 2.0}] * 10),
            (HashingVectorizer(n_features=32), ["some words", "other things"] * 10),
        )
    ):
        model = make_pipeline(first, LogisticRegression()).fit(rows, labels)
        done = run(saved(tmp_path, model), tmp_path / f"{number}.skops")
        assert done.compared == ("predict", "predict_proba", "decision_function"), first


def test_models_of_frames_answer_alike(tmp_path):
    need("sklearn", "skops", "joblib", "pandas")
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    frame = pd.DataFrame({"n": range(20), "c": ["x", "y"] * 10, "t": ["good day", "bad night"] * 10})
    parts = [
        ("n", StandardScaler(), ["n"]),
        ("c", OneHotEncoder(), ["c"]),
        ("t", TfidfVectorizer(), "t"),
    ]
    for number, chosen in enumerate((parts[:1], parts[:2], parts)):
        model = make_pipeline(ColumnTransformer(chosen), LogisticRegression()).fit(frame, [0, 1] * 10)
        done = run(saved(tmp_path, model), tmp_path / f"{number}.skops")
        assert done.compared == ("predict", "predict_proba", "decision_function")


def test_what_answers_nothing_is_compared_by_its_values(tmp_path):
    need("sklearn", "skops", "joblib")
    from sklearn.cluster import DBSCAN

    done = run(saved(tmp_path, DBSCAN().fit([[0.0], [0.1], [5.0]])), tmp_path / "a.skops")
    assert done.compared == ("state",)


def test_what_cannot_be_compared_is_written_only_when_told(tmp_path):
    need("sklearn", "skops", "joblib")
    import numpy as np
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    # No row can be made up for it, and a generator of random numbers is another object after every load.
    model = make_pipeline(FunctionTransformer(np.matmul), StandardScaler())
    model.note = np.random.RandomState(0)
    source = saved(tmp_path, model)
    assert "no question" in refused("LF0228", source, tmp_path / "a.skops").message
    assert not (tmp_path / "a.skops").exists()
    done = run(source, tmp_path / "a.skops", uncompared=True)
    assert done.compared == ()


CHILDREN = Path(__file__).resolve().parent.parent / "infra"


def hostile(path, sealed):
    """What becomes of a pickle whose call a policy lets through, in the child that converts."""
    stream = b"cchildren\npayload\n(X" + struct.pack("<I", len(str(path))) + str(path).encode() + b"tR."
    overlay = {
        "schema": "lockflight-overlay/1",
        "names": [
            {
                "module": "children",
                "name": "payload",
                "use": "callable",
                "reason": "a test",
                "until": "2099-01-01T00:00:00Z",
            }
        ],
    }
    with tempfile.TemporaryFile() as file:
        file.write(stream)
        file.flush()
        return run_child(
            "children:unpickle",
            json.dumps(overlay).encode(),
            limits=module.LIMITS,
            fds=(file.fileno(),),
            import_paths=[str(CHILDREN)],
            sealed=sealed,
        )


def test_a_payload_in_the_child_cannot_leave_it(tmp_path):
    need("joblib")
    if SECCOMP not in layers():
        pytest.skip("this system has no seccomp")
    open_, closed = tmp_path / "open", tmp_path / "closed"
    outcome = hostile(open_, ())
    assert outcome.result == str(open_).encode(), (outcome.detail, outcome.log)
    assert open_.read_text() == "spoilt"
    assert hostile(closed, layers()).result == b"refused 1"
    assert hostile(closed, (SECCOMP,)).result == b"refused 1"
    assert not closed.exists()


def test_a_system_that_cannot_close_the_child_converts_only_when_told(tmp_path, monkeypatch):
    need("sklearn", "skops", "joblib")
    monkeypatch.setattr(module, "layers", lambda: ("landlock",))
    source, target = MODELS / "pipeline.5.pkl", tmp_path / "a.skops"
    assert "--accept-unconfined" in refused("LF0229", source, target).hint
    assert not target.exists()
    monkeypatch.setattr(module, "layers", lambda: ())
    assert run(source, target, unconfined=True).confined == ()
    # Weights are not loaded, so nothing has to be closed.
    assert run(VECTORS / "state.pt", tmp_path / "a.safetensors").confined == ()


def test_models_that_differ_are_told_apart():
    need("sklearn")
    from sklearn.dummy import DummyRegressor
    from sklearn.linear_model import LinearRegression

    from lockflight.deploy.comparing import compare

    rows = [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    one, other = LinearRegression().fit(rows, [1, 2, 3]), LinearRegression().fit(rows, [1, 2, 4])
    assert compare(one, one) == ["predict"]
    for different in (other, DummyRegressor().fit(rows, [1, 2, 3]), LinearRegression()):
        with pytest.raises(LockflightError) as caught:
            compare(one, different)
        assert caught.value.code == "LF0224"
    assert compare({"a": 1}, {"a": 1}) == ["state"]
    assert compare({"a": 1}, {"a": 2}) == []


def test_what_is_not_safe_is_not_converted(tmp_path):
    mark = tmp_path / "mark"
    evil = tmp_path / "evil.pkl"
    evil.write_bytes(f"cposix\nsystem\n(S'touch {mark}'\ntR.".encode())
    for target in ("a.safetensors", "a.skops"):
        assert "posix.system" in refused("LF0210", evil, tmp_path / target).message
    (tmp_path / "evil.pt").write_bytes(HOSTILE["reduce protocol 4"])
    refused("LF0210", tmp_path / "evil.pt", tmp_path / "a.safetensors")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    refused("LF0211", tmp_path / "a.png", tmp_path / "a.safetensors")
    refused("LF0117", tmp_path / "nowhere", tmp_path / "a.safetensors")
    assert not mark.exists()
    assert not list(tmp_path.glob("*.safetensors"))


def test_targets(tmp_path):
    source = tmp_path / "state.pt"
    shutil.copy(VECTORS / "state.pt", source)
    target = tmp_path / "a.safetensors"
    target.write_bytes(b"mine")
    refused("LF0223", source, target)
    assert target.read_bytes() == b"mine"
    run(source, target, force=True)
    assert len(tensors(target)[0]) == 11
    refused("LF0220", source, tmp_path / "a.bin")
    refused("LF0220", source, tmp_path / "a.skops", key="model")
    refused("LF0225", source, tmp_path / "nowhere" / "a.safetensors")
    refused("LF0221", source, tmp_path / "a.skops")
    assert "safetensors" in refused("LF0221", target, tmp_path / "b.safetensors").message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.safetensors", "state.pt"]


def test_a_target_that_comes_up_meanwhile_stays(tmp_path, monkeypatch):
    target = tmp_path / "a.safetensors"
    checked = module._checked

    def slow(*args):
        target.write_bytes(b"mine")
        return checked(*args)

    monkeypatch.setattr(module, "_checked", slow)
    refused("LF0223", VECTORS / "state.pt", target)
    assert target.read_bytes() == b"mine"
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_a_source_that_changes_meanwhile(tmp_path, monkeypatch):
    source = tmp_path / "state.pt"
    shutil.copy(VECTORS / "state.pt", source)
    judge = module.scan

    def swapped(paths, **options):
        found = judge(paths, **options)
        source.write_bytes((VECTORS / "tensor.pt").read_bytes())
        return found

    monkeypatch.setattr(module, "scan", swapped)
    refused("LF1003", source, tmp_path / "a.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]


def test_a_result_that_is_not_safe_is_not_kept(tmp_path):
    """A name that no JSON can hold."""
    (tmp_path / "a.pkl").write_bytes(unnameable())
    refused("LF0227", tmp_path / "a.pkl", tmp_path / "a.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pkl"]


def test_tensors_that_grow_without_measure(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_ROOM", 0)
    monkeypatch.setattr(module, "_GROWTH", 0)
    assert "apart" in refused("LF0221", VECTORS / "state.pt", tmp_path / "a.safetensors").message


def test_the_manifest_that_names_the_source(tmp_path):
    models = tmp_path / "models"
    models.mkdir()
    shutil.copy(VECTORS / "state.pt", models / "weights.pt")
    manifest = tmp_path / "lockflight.toml"
    manifest.write_text(
        '[release]\nname = "x"\n\n[[assets]]\nrole = "model-weights"\nfiles = ["models/weights.pt"]\n'
    )
    done = run(models / "weights.pt", models / "weights.safetensors")
    assert done.manifest == str(manifest)
    (line,) = done.lines
    assert (line.number, line.old) == (6, 'files = ["models/weights.pt"]')
    assert line.new == 'files = ["models/weights.safetensors"]'
    manifest.write_text('files = ["models/**"]\n')
    done = run(models / "weights.pt", tmp_path / "b.safetensors")
    assert (done.manifest, done.lines) == (str(manifest), ())
