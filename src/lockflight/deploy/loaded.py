"""A signed package whose files are verified in the moment in which they are loaded."""

from __future__ import annotations

import io
import os
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from lockflight.core.records import dataclass
from lockflight.deploy import libraries
from lockflight.deploy.copies import PrivateCopies
from lockflight.deploy.reading import SEALING, open_asset, read_whole, seal
from lockflight.deploy.refusals import not_signed, unknown_asset
from lockflight.deploy.tensors import Tensors
from lockflight.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType

    from lockflight.core.release.release import Asset, Release
    from lockflight.core.state.standing import Hold
    from lockflight.infra.files import Folder


@dataclass(frozen=True, slots=True)
class Grounds:
    """Why a package may be loaded.

    Attributes:
        realm: name of the realm.
        environment: where it is loaded; empty when no environment was asked for.
        holds: the slots of that environment that the release holds, or all where none was asked for.
        envelope: digest of the signature's envelope.
        logged_at: Unix seconds at which the log's clock saw the signature.
        seen_at: Unix seconds of the log's newest checkpoint.
    """

    realm: str
    environment: str
    holds: tuple[Hold, ...]
    envelope: str
    logged_at: int
    seen_at: int


class _Tally:
    """Counts from several threads."""

    def __init__(self) -> None:
        self.total = 0
        self._lock = threading.Lock()

    def add(self, size: int) -> None:
        with self._lock:
            self.total += size


class Loaded:
    """The files of one signed release, each verified when it is loaded. A context manager; safe for threads.

    What the signature does not list does not exist here, whatever lies in the folder. Names are those of the release,
    with `/` between the parts. Bytes, arrays and file objects that were returned stay good after `close`; sealed paths
    and private copies go with it.

    Attributes:
        release: what was signed.
        grounds: why it may be loaded.
    """

    def __init__(self, folder: Folder, release: Release, grounds: Grounds) -> None:
        self.release = release
        self.grounds = grounds
        # Not bound to this object: what it is handed to would keep it alive.
        self._tally = _Tally()
        self._folder = folder
        self._assets = {asset.name: asset for asset in release.assets}
        self._lock = threading.Lock()
        self._open: list[Tensors] = []
        self._sealed: dict[str, int] = {}
        self._copies = PrivateCopies()
        self._closed = False
        # Whoever forgets to close leaves no copies behind.
        self._end = weakref.finalize(self, _close, folder, self._open, self._sealed, self._copies)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give back descriptors and remove private copies; again is harmless."""
        self._closed = True
        self._end()

    @property
    def bytes_read(self) -> int:
        """How many bytes of the package were read and hashed so far."""
        return self._tally.total

    def names(self, prefix: str = "") -> tuple[str, ...]:
        """Names of the signed files that begin with `prefix`, in the release's order."""
        return tuple(name for name in self._assets if name.startswith(prefix))

    def read(self, name: str) -> bytes:
        """The verified bytes of a file.

        Raises:
            NotFound: LF7511 the signature lists no such file.
            VerificationFailed: LF7510 its bytes are not the signed ones, LF7512 it is gone or no regular file.
            EnvironmentProblem: LF1008 it cannot be read.
            UsageError: LF7518 the package was closed.
        """
        asset = self._asset(name)
        source = open_asset(self._folder, asset)
        try:
            data = read_whole(source, asset)
        finally:
            source.close()
        self._tally.add(asset.size)
        return data

    def text(self, name: str) -> str:
        """The verified text of a file, UTF-8.

        Raises:
            VerificationFailed: LF7510 it is not UTF-8, or as `read`.
            NotFound, EnvironmentProblem, UsageError: as `read`.
        """
        try:
            return self.read(name).decode("utf-8")
        except UnicodeDecodeError as error:
            raise not_signed(name, "it is not UTF-8") from error

    def open(self, name: str) -> BinaryIO:
        """A file object over verified bytes: a sealed memory file on Linux, memory elsewhere. The caller closes it.

        Raises:
            As `read`, and EnvironmentProblem LF7533 there is no memory for it.
        """
        if not SEALING:
            return io.BytesIO(self.read(name))
        return os.fdopen(self._seal(name), "rb")

    def path(self, name: str) -> str:
        """A path for a library that insists on opening one itself, good in this process until `close`.

        On Linux it leads to a sealed memory file, which nobody can write; elsewhere to a private copy.

        Raises:
            As `open`.
        """
        if not SEALING:
            return str(self.private_copy([name]) / name)
        with self._lock:
            if name not in self._sealed:
                self._sealed[name] = self._seal(name)
            return f"/proc/self/fd/{self._sealed[name]}"

    def private_copy(
        self, names: str | Iterable[str], *, only: Callable[[str], bool] = lambda _: True
    ) -> Path:
        """A folder of verified copies, readable by this user alone, removed by `close`.

        Args:
            names: files; or the name of a folder in the package, ending in `/`, whose files then lie at the copy's top.
            only: which of these names are wanted.

        Raises:
            As `read`, and EnvironmentProblem LF7533 the copies cannot be written.
        """
        top = names if isinstance(names, str) else ""
        wanted = self.names(top) if isinstance(names, str) else names
        assets = [self._asset(name) for name in wanted if only(name)]
        if isinstance(names, str) and (not assets or not names.endswith("/")):
            raise unknown_asset(names, sorted({n[: n.rfind("/") + 1] for n in self._assets} - {""}))
        copied = self._copies.make(self._folder, assets, top)
        self._tally.add(sum(asset.size for asset in assets))
        return copied

    def tensors(self, name: str) -> Tensors:
        """A safetensors file as a mapping of names to NumPy arrays, read and verified tensor by tensor.

        Raises:
            As `read`; InvalidInput LF7516 the file is no safetensors file.
        """
        asset = self._asset(name)
        source = open_asset(self._folder, asset)
        try:
            found = Tensors(source, asset, self._tally.add)
        except BaseException:
            source.close()
            raise
        self._open.append(found)
        return found

    def safetensors(self, name: str) -> dict[str, Any]:
        """Every tensor of a safetensors file, as `tensors`, at once."""
        return dict(self.tensors(name))

    def skops(self, name: str, *, trusted: Sequence[str] = ()) -> Any:  # noqa: ANN401 - whatever was saved
        """What a skops file holds, if it holds only types that skops trusts or `trusted` names.

        Raises:
            As `read`; PolicyDenied LF7532 another type; EnvironmentProblem LF7531 skops is not installed.
        """
        return libraries.skops(self, name, trusted)

    def pickle(self, name: str, *, allow_list: str = "", overlay: bytes = b"") -> Any:  # noqa: ANN401 - as above
        """What a pickle holds, if the allow-list of the scan lists every name in it and how each is used.

        Args:
            name: the file; compressed as joblib does it, or not.
            allow_list: digest that the allow-list must have, as the scan's evidence says it; empty for any.
            overlay: what the policy in force adds to the list, the bytes of its `allow_list/data.json`.

        Raises:
            As `read`; PolicyDenied LF7534 it asks for more, LF7535 the list is another one; InvalidInput LF2302.
        """
        from lockflight.deploy import pickles  # brings the allow-list, which data formats do not need

        return pickles.load_pickle(self, name, allow_list=allow_list, overlay=overlay)

    def joblib(self, name: str, *, run_code: bool = False, allow_list: str = "", overlay: bytes = b"") -> Any:  # noqa: ANN401 - as above
        """What a joblib file holds, which is a pickle with arrays in between; under the allow-list, as `pickle`.

        Args:
            name: the file.
            run_code: True to read it without the list: that runs whatever its maker wrote into it. The bytes are the
                signed ones either way; what they do is another question.
            allow_list: as in `pickle`.
            overlay: as in `pickle`.

        Raises:
            As `pickle`; EnvironmentProblem LF7531 joblib is not installed.
        """
        if not run_code:
            from lockflight.deploy import pickles  # as in `pickle`

            return pickles.load_joblib(self, name, allow_list=allow_list, overlay=overlay)
        return libraries.joblib(self, name)

    def torch(self, name: str, *, device: str = "cpu", allow_list: str = "", overlay: bytes = b"") -> Any:  # noqa: ANN401 - as above
        """What a checkpoint of torch holds, by `torch.load(weights_only=True)`, if the allow-list of the scan lists it.

        Args:
            name: the file, of torch.save in either format.
            device: where its tensors go, as torch names it.
            allow_list: as in `pickle`.
            overlay: as in `pickle`.

        Raises:
            As `pickle`; EnvironmentProblem LF7531 torch is not installed, LF7536 it is older than 2.6.
        """
        from lockflight.deploy import pickles  # as in `pickle`

        return pickles.load_torch(self, name, device=device, allow_list=allow_list, overlay=overlay)

    def tokenizer(self, name: str) -> Any:  # noqa: ANN401 - tokenizers is imported where it is used
        """A `tokenizers.Tokenizer` from its JSON file.

        Raises:
            As `read`; EnvironmentProblem LF7531 tokenizers is not installed.
        """
        return libraries.tokenizer(self, name)

    def transformers(self, auto: Any, folder: str, **options: Any) -> Any:  # noqa: ANN401 - as above
        """`auto.from_pretrained` over a private copy of a folder, without its code and pickles.

        Args:
            auto: a class of transformers, such as `AutoTokenizer`.
            folder: name of the folder in the package, ending in `/`.
            **options: for `from_pretrained`; those that would run code or reach the network are refused.

        Raises:
            As `private_copy`; PolicyDenied LF7530 for `trust_remote_code` and the like.
        """
        return libraries.transformers(self, auto, folder, options)

    def llama_cpp(self, name: str, params: Any) -> Any:  # noqa: ANN401 - as above
        """An `xllamacpp.Server` over a verified GGUF file.

        Args:
            name: the file.
            params: `xllamacpp.CommonParams`; its model is set here.

        Raises:
            As `open`; EnvironmentProblem LF7531 xllamacpp is not installed.
        """
        return libraries.llama_cpp(self, name, params)

    def _asset(self, name: str) -> Asset:
        if self._closed:
            raise UsageError(
                "LF7518",
                f"The package was closed before {name[:200]!r} was asked for.",
                hint="Load inside of the `with` block.",
            )
        asset = self._assets.get(name)
        if asset is None:
            raise unknown_asset(name, self._assets)
        return asset

    def _seal(self, name: str) -> int:
        asset = self._asset(name)
        source = open_asset(self._folder, asset)
        try:
            fd = seal(source, asset)
        finally:
            source.close()
        self._tally.add(asset.size)
        return fd


def _close(folder: Folder, tensors: list[Tensors], sealed: dict[str, int], copies: PrivateCopies) -> None:
    for found in tensors:
        found.close()
    tensors.clear()
    while sealed:
        os.close(sealed.popitem()[1])
    copies.remove()
    folder.close()
