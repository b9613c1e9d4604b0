"""The closed table of media types that `sniff` can say, and which of them a loader turns into a model."""

from __future__ import annotations

from lockflight.core.records import dataclass


@dataclass(frozen=True, slots=True)
class MediaType:
    """One kind of file.

    Attributes:
        name: the media type, as it stands in the signed release statement.
        title: a few words for people.
        model: whether loading such a file gives a model, part of one, or an array that may hold objects; checks
            that judge models read it whatever its role.
        suffixes: the usual file name extensions, lower case.
    """

    name: str
    title: str
    model: bool = False
    suffixes: tuple[str, ...] = ()


OCTETS = "application/octet-stream"
EMPTY = "application/x-empty"

PICKLE = "application/vnd.python.pickle"
PICKLE_GZIP = "application/vnd.python.pickle+gzip"
PICKLE_BZIP2 = "application/vnd.python.pickle+bzip2"
PICKLE_XZ = "application/vnd.python.pickle+xz"
PICKLE_LZMA = "application/vnd.python.pickle+lzma"
PICKLE_ZLIB = "application/vnd.python.pickle+zlib"
TORCH_ZIP = "application/vnd.pytorch.zip"
TORCHSCRIPT = "application/vnd.pytorch.torchscript+zip"
TORCH_EXPORT = "application/vnd.pytorch.export+zip"
TORCH_LEGACY = "application/vnd.pytorch.legacy"
SKOPS = "application/vnd.skops"
KERAS = "application/vnd.keras+zip"
NPY = "application/vnd.numpy.npy"
NPZ = "application/vnd.numpy.npz"
SAFETENSORS = "application/vnd.safetensors"
GGUF = "application/vnd.gguf"
GGML = "application/vnd.ggml"
ONNX = "application/vnd.onnx"
TFLITE = "application/vnd.tflite"
SAVED_MODEL = "application/vnd.tensorflow.saved-model"
TENSORFLOW_GRAPH = "application/vnd.tensorflow.graph"
COREML = "application/vnd.apple.coreml"
OPENVINO = "application/vnd.openvino.ir+xml"
EXECUTORCH = "application/vnd.pytorch.executorch"
HDF5 = "application/x-hdf5"
SENTENCEPIECE = "application/vnd.sentencepiece"

ZIP = "application/zip"
GZIP = "application/gzip"
BZIP2 = "application/x-bzip2"
XZ = "application/x-xz"
LZMA = "application/x-lzma"
ZSTD = "application/zstd"
LZ4 = "application/x-lz4"
TAR = "application/x-tar"
SEVEN_ZIP = "application/x-7z-compressed"
RAR = "application/vnd.rar"

PARQUET = "application/vnd.apache.parquet"
ARROW = "application/vnd.apache.arrow.file"
SQLITE = "application/vnd.sqlite3"
PDF = "application/pdf"
PNG = "image/png"
JPEG = "image/jpeg"
GIF = "image/gif"
WEBP = "image/webp"
WASM = "application/wasm"
ELF = "application/x-elf"
MACH_O = "application/x-mach-binary"
PE = "application/vnd.microsoft.portable-executable"

NOTEBOOK = "application/x-ipynb+json"
JSON = "application/json"
JSON_LINES = "application/jsonl"
TOML = "application/toml"
YAML = "application/yaml"
XML = "application/xml"
HTML = "text/html"
MARKDOWN = "text/markdown"
CSV = "text/csv"
TSV = "text/tab-separated-values"
PYTHON = "text/x-python"
JAVASCRIPT = "text/javascript"
SHELL = "text/x-shellscript"
REGO = "text/x-rego"
JINJA = "text/x-jinja2"
TEXT = "text/plain"

#: Extensions that mean "some pickle" before anything is known of the content.
PICKLE_SUFFIXES = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".ckpt", ".bin", ".dill", ".sav")

#: Extensions of graphs that are written as text, which the loaders of TensorFlow, Caffe and ONNX take too.
GRAPH_TEXTS = frozenset(
    {".pbtxt", ".prototxt", ".textproto", ".txtpb", ".onnxtxt", ".onnxtext", ".onnxjson", ".mlir"}
)

_TABLE = (
    MediaType(OCTETS, "unrecognised bytes"),
    MediaType(EMPTY, "empty file"),
    MediaType(
        PICKLE,
        "Python pickle",
        model=True,
        suffixes=(".pkl", ".pickle", ".joblib", ".pt", ".pth", ".ckpt", ".bin", ".dill"),
    ),
    MediaType(PICKLE_GZIP, "Python pickle, gzip", model=True, suffixes=(".pkl.gz", ".joblib.gz")),
    MediaType(PICKLE_BZIP2, "Python pickle, bzip2", model=True, suffixes=(".pkl.bz2", ".joblib.bz2")),
    MediaType(PICKLE_XZ, "Python pickle, xz", model=True, suffixes=(".pkl.xz", ".joblib.xz")),
    MediaType(PICKLE_LZMA, "Python pickle, lzma", model=True, suffixes=(".pkl.lzma", ".joblib.lzma")),
    MediaType(PICKLE_ZLIB, "Python pickle, zlib", model=True, suffixes=(".joblib.z",)),
    MediaType(TORCH_ZIP, "PyTorch checkpoint", model=True, suffixes=(".pt", ".pth", ".bin", ".ckpt")),
    MediaType(TORCHSCRIPT, "TorchScript archive", model=True, suffixes=(".pt", ".jit", ".ts")),
    MediaType(TORCH_EXPORT, "PyTorch exported program", model=True, suffixes=(".pt2",)),
    MediaType(TORCH_LEGACY, "PyTorch checkpoint before 1.6", model=True, suffixes=(".pt", ".pth", ".bin")),
    MediaType(SKOPS, "skops model", model=True, suffixes=(".skops",)),
    MediaType(KERAS, "Keras model", model=True, suffixes=(".keras",)),
    MediaType(NPY, "NumPy array", model=True, suffixes=(".npy",)),
    MediaType(NPZ, "NumPy arrays", model=True, suffixes=(".npz",)),
    MediaType(SAFETENSORS, "safetensors", model=True, suffixes=(".safetensors",)),
    MediaType(GGUF, "GGUF model", model=True, suffixes=(".gguf",)),
    MediaType(GGML, "GGML model before GGUF", model=True),
    MediaType(ONNX, "ONNX model", model=True, suffixes=(".onnx",)),
    MediaType(TFLITE, "TensorFlow Lite model", model=True, suffixes=(".tflite",)),
    MediaType(SAVED_MODEL, "TensorFlow SavedModel", model=True, suffixes=(".pb",)),
    MediaType(TENSORFLOW_GRAPH, "TensorFlow graph", model=True, suffixes=(".pb",)),
    MediaType(COREML, "Core ML model", model=True, suffixes=(".mlmodel",)),
    MediaType(OPENVINO, "OpenVINO model", model=True, suffixes=(".xml",)),
    MediaType(EXECUTORCH, "ExecuTorch program", model=True, suffixes=(".pte",)),
    MediaType(HDF5, "HDF5", model=True, suffixes=(".h5", ".hdf5")),
    MediaType(SENTENCEPIECE, "SentencePiece tokenizer", model=True, suffixes=(".model", ".spm")),
    MediaType(ZIP, "zip archive", suffixes=(".zip",)),
    MediaType(GZIP, "gzip data", suffixes=(".gz",)),
    MediaType(BZIP2, "bzip2 data", suffixes=(".bz2",)),
    MediaType(XZ, "xz data", suffixes=(".xz",)),
    MediaType(LZMA, "lzma data", suffixes=(".lzma",)),
    MediaType(ZSTD, "zstd data", suffixes=(".zst",)),
    MediaType(LZ4, "lz4 data", suffixes=(".lz4",)),
    MediaType(TAR, "tar archive", suffixes=(".tar", ".nemo")),
    MediaType(SEVEN_ZIP, "7-zip archive", suffixes=(".7z",)),
    MediaType(RAR, "RAR archive", suffixes=(".rar",)),
    MediaType(PARQUET, "Parquet table", suffixes=(".parquet",)),
    MediaType(ARROW, "Arrow file", suffixes=(".arrow", ".feather")),
    MediaType(SQLITE, "SQLite database", suffixes=(".db", ".sqlite")),
    MediaType(PDF, "PDF document", suffixes=(".pdf",)),
    MediaType(PNG, "PNG image", suffixes=(".png",)),
    MediaType(JPEG, "JPEG image", suffixes=(".jpg", ".jpeg")),
    MediaType(GIF, "GIF image", suffixes=(".gif",)),
    MediaType(WEBP, "WebP image", suffixes=(".webp",)),
    MediaType(WASM, "WebAssembly", suffixes=(".wasm",)),
    MediaType(ELF, "ELF executable or library", suffixes=(".so",)),
    MediaType(MACH_O, "Mach-O executable or library", suffixes=(".dylib",)),
    MediaType(PE, "Windows executable or library", suffixes=(".exe", ".dll")),
    MediaType(NOTEBOOK, "Jupyter notebook", suffixes=(".ipynb",)),
    MediaType(JSON, "JSON", suffixes=(".json",)),
    MediaType(JSON_LINES, "JSON lines", suffixes=(".jsonl", ".ndjson")),
    MediaType(TOML, "TOML", suffixes=(".toml",)),
    MediaType(YAML, "YAML", suffixes=(".yaml", ".yml")),
    MediaType(XML, "XML", suffixes=(".xml",)),
    MediaType(HTML, "HTML", suffixes=(".html", ".htm")),
    MediaType(MARKDOWN, "Markdown", suffixes=(".md", ".markdown")),
    MediaType(CSV, "comma-separated values", suffixes=(".csv",)),
    MediaType(TSV, "tab-separated values", suffixes=(".tsv",)),
    MediaType(PYTHON, "Python source", suffixes=(".py", ".pyi", ".pyw", ".pyx")),
    MediaType(JAVASCRIPT, "JavaScript source", suffixes=(".js", ".mjs", ".cjs")),
    MediaType(SHELL, "shell script", suffixes=(".sh", ".bash")),
    MediaType(REGO, "Rego policy", suffixes=(".rego",)),
    MediaType(JINJA, "Jinja template", suffixes=(".jinja", ".jinja2", ".j2")),
    MediaType(TEXT, "text", suffixes=(".txt",)),
)

#: Every media type by name.
MEDIA_TYPES: dict[str, MediaType] = {kind.name: kind for kind in _TABLE}

#: Names of those that give a model or may hold objects.
MODEL_TYPES = frozenset(kind.name for kind in _TABLE if kind.model)

#: Names of those that are code: checks of their own read it.
CODE_TYPES = frozenset({PYTHON, SHELL, JAVASCRIPT, NOTEBOOK, REGO})

#: Compressed pickles by the name of their compression.
COMPRESSED_PICKLES = {
    "gzip": PICKLE_GZIP,
    "bzip2": PICKLE_BZIP2,
    "xz": PICKLE_XZ,
    "lzma": PICKLE_LZMA,
    "zlib": PICKLE_ZLIB,
}

#: Text kinds that a file name decides between, once the content is text.
TEXT_SUFFIXES: dict[str, str] = {
    suffix: kind.name
    for kind in _TABLE
    if kind.name.startswith("text/") or kind.name in {TOML, YAML, JSON, JSON_LINES, XML, NOTEBOOK}
    for suffix in kind.suffixes
}


def suffix_of(name: str) -> str:
    """The last extension of a file name, lower case with its dot; empty without one."""
    base = name.rsplit("!", 1)[-1].rsplit("/", 1)[-1].lower()
    dot = base.rfind(".")
    return base[dot:] if dot > 0 else ""
