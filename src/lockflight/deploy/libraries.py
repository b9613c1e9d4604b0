"""Libraries that are given verified bytes, a sealed file or a private copy, and never a path into the package."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from lockflight.errors import EnvironmentProblem, PolicyDenied
from lockflight.formats import media

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from lockflight.core.release.release import Release


class Source(Protocol):
    """What these functions ask of a `Loaded`."""

    release: Release

    def read(self, name: str) -> bytes: ...  # noqa: D102 - as in `Loaded`
    def open(self, name: str) -> BinaryIO: ...  # noqa: D102 - as in `Loaded`
    def path(self, name: str) -> str: ...  # noqa: D102 - as in `Loaded`
    def private_copy(  # noqa: D102 - as in `Loaded`
        self, names: str | Iterable[str], *, only: Callable[[str], bool] = ...
    ) -> Path: ...


#: What `from_pretrained` may find: none of these runs code when it is read.
_DATA = frozenset(
    {
        media.EMPTY,
        media.SAFETENSORS,
        media.GGUF,
        media.SENTENCEPIECE,
        media.JSON,
        media.JSON_LINES,
        media.TEXT,
        media.MARKDOWN,
        media.JINJA,
        media.TOML,
        media.YAML,
    }
)
_FORBIDDEN = {
    "trust_remote_code": "it runs Python code from the package or from a hub",
    "code_revision": "it fetches Python code",
    "revision": "the release is one revision",
    "token": "nothing is fetched",
    "force_download": "nothing is fetched",
    "proxies": "nothing is fetched",
    "weights_only": "pickled weights are not loaded at all",
}


def skops(loaded: Source, name: str, trusted: Sequence[str]) -> Any:  # noqa: ANN401 - see `Loaded`
    """See `Loaded.skops`."""
    io = _need("skops.io", "skops")
    data = loaded.read(name)
    if unknown := sorted(set(io.get_untrusted_types(data=data)) - set(trusted)):
        raise PolicyDenied(
            "LF7532",
            f"{name!r} holds types that nobody said are safe to make: {', '.join(unknown)[:500]}.",
            hint="Look at each, then name those that may be made: skops(NAME, trusted=[…]).",
            details={"name": name, "types": unknown},
        )
    return io.loads(data, trusted=list(trusted))


def joblib(loaded: Source, name: str) -> Any:  # noqa: ANN401 - see `Loaded`
    """See `Loaded.joblib`, without the allow-list."""
    library = _need("joblib", "joblib")
    with loaded.open(name) as stream:
        return library.load(stream)


def tokenizer(loaded: Source, name: str) -> Any:  # noqa: ANN401 - see `Loaded`
    """See `Loaded.tokenizer`."""
    return _need("tokenizers", "tokenizers").Tokenizer.from_buffer(loaded.read(name))


def transformers(loaded: Source, auto: Any, folder: str, options: Mapping[str, Any]) -> Any:  # noqa: ANN401 - see `Loaded`
    """See `Loaded.transformers`."""
    for option, why in _FORBIDDEN.items():
        if options.get(option):
            raise _runs_code(f"{folder} with {option}", why)
    kinds = {asset.name: asset.media_type for asset in loaded.release.assets}
    copied = loaded.private_copy(folder, only=lambda name: kinds[name] in _DATA)
    return auto.from_pretrained(str(copied), **{**options, "local_files_only": True})


def llama_cpp(loaded: Source, name: str, params: Any) -> Any:  # noqa: ANN401 - see `Loaded`
    """See `Loaded.llama_cpp`."""
    library = _need("xllamacpp", "xllamacpp")
    params.model.path = loaded.path(name)
    return library.Server(params)


def _runs_code(what: str, why: str) -> PolicyDenied:
    return PolicyDenied(
        "LF7530",
        f"{what!r} is not loaded: {why}.",
        hint="Use a format that holds data only: safetensors, skops, GGUF, ONNX.",
    )


def _need(module: str, package: str) -> Any:  # noqa: ANN401 - a module
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise EnvironmentProblem(
            "LF7531",
            f"{package} is not installed, or does not import: {error}.",
            hint=f"pip install {package}",
        ) from error
