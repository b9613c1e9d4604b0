"""A safetensors file whose tensors are read and verified one by one, when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from lockflight.deploy.reading import buffer, fill
from lockflight.deploy.refusals import not_signed, tensor_differs
from lockflight.errors import EnvironmentProblem, InvalidInput, NotFound
from lockflight.formats.tensors.safetensors import SafetensorsFile, Tensor, parse_safetensors
from lockflight.formats.tensors.tensorindex import HeaderSource, check_header, read_header

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockflight.core.release.release import Asset
    from lockflight.infra.files import FdSource

#: Types that NumPy has a name for; the format is little-endian.
_NUMPY = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4", "U64": "<u8",
    "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8", "C64": "<c8",
}  # fmt: skip


class Tensors(Mapping[str, Any]):
    """Name to NumPy array. Each access reads that tensor's bytes into memory of its own and verifies them there.

    Where the release has an index of the file's tensors, nothing else of the file is read. Where it has none (signed
    by an earlier version, or with too many tensors), the whole file is read and verified at the beginning.

    Args:
        source: the open file; closed by `close`.
        asset: what was signed.
        count: told how many bytes were read.
    """

    def __init__(self, source: FdSource, asset: Asset, count: Callable[[int], None]) -> None:
        self._source = source
        self._asset = asset
        self._count = count
        self._whole: memoryview | None = None
        parsed = self._header() if asset.tensors is not None else self._read_all()
        self._file = parsed
        self._places = {tensor.name: place for place, tensor in enumerate(parsed.tensors)}

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - NumPy is imported where it is used
        """The verified tensor as a NumPy array, writable, in memory of its own.

        Raises:
            KeyError: there is none of that name.
            VerificationFailed: LF7513 its bytes are not the signed ones, LF7510 the file was cut off.
            InvalidInput: LF7517 NumPy has no such type.
            EnvironmentProblem: LF7531 NumPy is not installed.
        """
        tensor = self._tensor(name)
        try:
            import numpy as np
        except ImportError as error:
            raise EnvironmentProblem(
                "LF7531", "NumPy is not installed.", hint="pip install numpy, or use raw(NAME)."
            ) from error
        kind = _NUMPY.get(tensor.dtype)
        if kind is None:
            raise InvalidInput(
                "LF7517",
                f"NumPy has no type for {tensor.dtype}, that of the tensor {name[:200]!r}.",
                hint="raw(NAME) gives its verified bytes, for torch.frombuffer or ml_dtypes.",
            )
        return np.ndarray(tensor.shape, kind, self._bytes(name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, name: object) -> bool:
        return name in self._places

    @property
    def metadata(self) -> Mapping[str, str]:
        """The free text of the header, `__metadata__`."""
        return dict(self._file.metadata)

    def info(self, name: str) -> Tensor:
        """Type, shape and place of a tensor; nothing is read.

        Raises:
            NotFound: LF7515.
        """
        place = self._places.get(name)
        if place is None:
            from lockflight.core.text.suggest import did_you_mean

            raise NotFound(
                "LF7515",
                f"{self._asset.name!r} has no tensor {name[:200]!r}.",
                hint=did_you_mean(name, [*self._places], otherwise=f"It has {len(self._places)} tensors."),
            )
        return self._file.tensors[place]

    def raw(self, name: str) -> memoryview:
        """The verified bytes of a tensor, writable, in memory of its own.

        Raises:
            NotFound: LF7515 there is none of that name.
            VerificationFailed: as `[name]`.
        """
        self.info(name)
        return self._bytes(name)

    def close(self) -> None:
        """Close the file; arrays that were returned stay."""
        self._source.close()
        self._whole = None

    def _tensor(self, name: str) -> Tensor:
        try:
            return self._file.tensors[self._places[name]]
        except KeyError:
            raise KeyError(name) from None

    def _bytes(self, name: str) -> memoryview:
        place = self._places[name]
        tensor = self._file.tensors[place]
        view = buffer(tensor.end - tensor.start)
        if self._whole is not None:
            view[:] = self._whole[tensor.start : tensor.end]
            return view
        index = self._asset.tensors
        digest = fill(self._source, view, tensor.start)
        self._count(len(view))
        if index is None or digest != index.digests[place]:
            raise tensor_differs(self._asset.name, name)
        return view

    def _header(self) -> SafetensorsFile:
        asset = self._asset
        try:
            header = read_header(self._source) or b""
        except InvalidInput as error:
            raise not_signed(asset.name, "it became shorter while it was read") from error
        self._count(len(header))
        parsed = check_header(header, asset.size, asset.tensors, asset.name) if asset.tensors else None
        if parsed is None:
            raise not_signed(asset.name, "its header does not have the signed digest")
        return parsed

    def _read_all(self) -> SafetensorsFile:
        asset = self._asset
        view = buffer(asset.size)
        digest = fill(self._source, view, 0)
        self._count(asset.size)
        if digest != asset.blake3:
            raise not_signed(asset.name, f"its blake3 is not {asset.blake3[:16]}…")
        length = int.from_bytes(view[:8], "little")
        parsed = parse_safetensors(HeaderSource(bytes(view[: 8 + length]), asset.size, asset.name))
        if parsed.issues:
            raise InvalidInput(
                "LF7516",
                f"{asset.name!r} is signed, but no sound safetensors file: {parsed.issues[0].message}",
                hint="read() and open() give its verified bytes.",
            )
        self._whole = view
        return parsed
