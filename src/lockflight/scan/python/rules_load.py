"""Rules about what is loaded: files that bring code of their own, code and models from elsewhere."""

from __future__ import annotations

from lockflight.core.findings import Severity
from lockflight.scan.python.when import (
    Rule,
    keyword_false,
    keyword_not_true,
    keyword_true,
    pipeline_unpinned,
    torch_hub,
    unpinned_hub,
    unsafe_yaml,
)

_SUPPLY = ("CWE-502", "LLM03:2025", "AML.T0011.000")
_REMOTE = ("CWE-829", "LLM03:2025", "AML.T0010.001")
_SAFETENSORS = "Load it only after `lockflight verify`, as safetensors or skops where there is one."

LOAD_RULES: tuple[Rule, ...] = (
    Rule(
        "LF2410",
        "pickle-load",
        Severity.HIGH,
        "{call} runs code that the loaded data names.",
        _SAFETENSORS,
        _SUPPLY,
        names=frozenset(
            {
                f"{m}.{f}"
                for m in ("pickle", "_pickle", "cPickle", "cloudpickle", "dill")
                for f in ("load", "loads")
            }
            | {f"{m}.Unpickler().load" for m in ("pickle", "_pickle", "cPickle", "dill")}
            | {"six.moves.cPickle.load", "six.moves.cPickle.loads", "pandas.read_pickle", "shelve.open"}
            | {"marshal.load", "marshal.loads", "jsonpickle.decode", "dill.load_session", "dill.load_module"}
            | {"torch.package.PackageImporter().load_pickle", "pickle5.load", "pickle5.loads"}
        ),
    ),
    Rule(
        "LF2411",
        "torch-load",
        Severity.HIGH,
        "{call} without weights_only=True runs code that the checkpoint names.",
        "Pass weights_only=True with torch 2.6 or later, or use safetensors.",
        (*_SUPPLY, "CVE-2025-32434"),
        names=frozenset({"torch.load", "torch.serialization.load"}),
        when=keyword_not_true("weights_only"),
    ),
    Rule(
        "LF2412",
        "joblib-load",
        Severity.HIGH,
        "{call} unpickles the file: it runs code that the file names.",
        _SAFETENSORS,
        _SUPPLY,
        names=frozenset(
            {
                "joblib.load",
                "sklearn.externals.joblib.load",
                "mlflow.pyfunc.load_model",
                "mlflow.sklearn.load_model",
            }
            | {"mlflow.pytorch.load_model", "mlflow.xgboost.load_model", "mlflow.lightgbm.load_model"}
            | {"fairseq.checkpoint_utils.load_model_ensemble", "fastai.learner.load_learner"}
            | {"fastai.vision.all.load_learner"}
        ),
    ),
    Rule(
        "LF2413",
        "numpy-pickle",
        Severity.HIGH,
        "{call} with allow_pickle=True runs code that an object array names.",
        "Save arrays of numbers and load them without allow_pickle.",
        _SUPPLY,
        names=frozenset({"numpy.load", "numpy.lib.npyio.load", "numpy.lib.format.read_array"}),
        when=keyword_true("allow_pickle"),
    ),
    Rule(
        "LF2414",
        "yaml-load",
        Severity.HIGH,
        "{call} builds any Python object that the document names.",
        "Use yaml.safe_load.",
        ("CWE-502", "LLM03:2025"),
        names=frozenset({"yaml.load", "yaml.load_all"}),
        when=unsafe_yaml,
    ),
    Rule(
        "LF2414",
        "yaml-unsafe-load",
        Severity.HIGH,
        "{call} builds any Python object that the document names.",
        "Use yaml.safe_load.",
        ("CWE-502", "LLM03:2025"),
        names=frozenset({"yaml.unsafe_load", "yaml.unsafe_load_all", "yaml.full_load", "yaml.full_load_all"}),
    ),
    Rule(
        "LF2415",
        "keras-unsafe",
        Severity.HIGH,
        "{call} lets a Keras file bring code of its own.",
        "Leave safe_mode at True, and do not enable unsafe deserialisation.",
        (*_SUPPLY, "CVE-2024-3660"),
        methods=frozenset({"load_model", "model_from_json", "deserialize_keras_object"}),
        when=keyword_false("safe_mode"),
    ),
    Rule(
        "LF2415",
        "keras-enable-unsafe",
        Severity.HIGH,
        "{call} lets every Keras file bring code of its own.",
        "Remove the call; register the custom objects that the model needs.",
        _SUPPLY,
        names=frozenset({"keras.config.enable_unsafe_deserialization"}),
        methods=frozenset({"enable_unsafe_deserialization"}),
    ),
    Rule(
        "LF2416",
        "dangerous-deserialization",
        Severity.HIGH,
        "{call} with allow_dangerous_deserialization=True unpickles the index.",
        "Rebuild the index from its documents, or keep it in a store that holds no pickle.",
        _SUPPLY,
        methods=frozenset(
            {"load_local", "load", "from_file", "from_bytes", "load_from_disk", "deserialize_from_bytes"}
        ),
        when=keyword_true("allow_dangerous_deserialization"),
    ),
    Rule(
        "LF2420",
        "trust-remote-code",
        Severity.HIGH,
        "trust_remote_code=True runs Python from the model's or data set's repository.",
        "Use an architecture of the library, or put the code into the release as an asset with the role `code`.",
        _REMOTE,
        names=frozenset({"transformers.pipeline", "datasets.load_dataset", "load_dataset"}),
        methods=frozenset(
            {
                "from_pretrained",
                "from_config",
                "pipeline",
                "load_dataset",
                "SentenceTransformer",
                "LLM",
                "load_metric",
            }
            | {"load", "from_model_id", "from_hf_pretrained", "CrossEncoder", "HuggingFaceEmbeddings"}
        ),
        when=keyword_true("trust_remote_code"),
    ),
    Rule(
        "LF2421",
        "hub-unpinned",
        Severity.LOW,
        "{call} names a repository without a commit, so its content can change under the same name.",
        "Pass revision= with the 40 hex digits of a commit, or load the files of this release.",
        ("CWE-494", "LLM03:2025", "AML.T0109"),
        names=frozenset(
            {"huggingface_hub.hf_hub_download", "huggingface_hub.snapshot_download", "datasets.load_dataset"}
            | {"sentence_transformers.SentenceTransformer", "sentence_transformers.CrossEncoder"}
        ),
        methods=frozenset({"from_pretrained", "hf_hub_download", "snapshot_download"}),
        when=unpinned_hub,
    ),
    Rule(
        "LF2421",
        "pipeline-unpinned",
        Severity.LOW,
        "{call} names a repository without a commit, so its content can change under the same name.",
        "Pass revision= with the 40 hex digits of a commit, or load the files of this release.",
        ("CWE-494", "LLM03:2025", "AML.T0109"),
        names=frozenset({"transformers.pipeline"}),
        when=pipeline_unpinned,
    ),
    Rule(
        "LF2422",
        "torch-hub",
        Severity.HIGH,
        "{call} downloads a repository and runs its hubconf.py.",
        "Name a commit of 40 hex digits (`owner/name:COMMIT`), or load a local copy with source='local'.",
        _REMOTE,
        names=frozenset({"torch.hub.load"}),
        when=torch_hub,
    ),
)
