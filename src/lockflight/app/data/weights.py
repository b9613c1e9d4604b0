"""Tensors of pickled weights, found in records: checkpoints of torch, NPZ and NPY, pickled dicts of arrays.

Nothing is unpickled into objects and no library is needed: what a pickle says of a tensor is where its numbers lie,
and they are read from there.
"""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from lockflight.core.records import dataclass
from lockflight.core.source import BytesSource, Window
from lockflight.errors import InvalidInput
from lockflight.formats.archive.zip import STORED, read_archive
from lockflight.formats.tensors.npy import parse_npy
from lockflight.formats.tensors.strided import Strided
from lockflight.infra.records import Made, Stored, label_of, read_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lockflight.core.source import ByteSource
    from lockflight.formats.torch.file import Checkpoint

#: Keys under which training loops keep the weights, beside what else they keep.
USUAL: Final = ("state_dict", "model_state_dict", "model", "module", "net", "weights", "params")

#: safetensors' name and width of what torch's storages hold.
_STORAGES: Final = {
    "DoubleStorage": ("F64", 8), "FloatStorage": ("F32", 4), "HalfStorage": ("F16", 2), "BFloat16Storage": ("BF16", 2),
    "LongStorage": ("I64", 8), "IntStorage": ("I32", 4), "ShortStorage": ("I16", 2), "CharStorage": ("I8", 1),
    "ByteStorage": ("U8", 1), "BoolStorage": ("BOOL", 1), "ComplexFloatStorage": ("C64", 8),
}  # fmt: skip
#: The same of types that have no storage of their own.
_TYPES: Final = {
    "torch.float8_e4m3fn": ("F8_E4M3", 1), "torch.float8_e5m2": ("F8_E5M2", 1), "torch.float8_e8m0fnu": ("F8_E8M0", 1),
    "torch.float8_e4m3fnuz": ("F8_E4M3FNUZ", 1), "torch.float8_e5m2fnuz": ("F8_E5M2FNUZ", 1),
    "torch.uint16": ("U16", 2),
    "torch.uint32": ("U32", 4), "torch.uint64": ("U64", 8), "torch.float32": ("F32", 4), "torch.float64": ("F64", 8),
    "torch.float16": ("F16", 2), "torch.bfloat16": ("BF16", 2), "torch.int64": ("I64", 8), "torch.int32": ("I32", 4),
    "torch.int16": ("I16", 2), "torch.int8": ("I8", 1), "torch.uint8": ("U8", 1), "torch.bool": ("BOOL", 1),
    "torch.complex64": ("C64", 8),
}  # fmt: skip
_NUMPY: Final = {
    "f8": "F64", "f4": "F32", "f2": "F16", "i8": "I64", "i4": "I32", "i2": "I16", "i1": "I8", "u8": "U64", "u4": "U32",
    "u2": "U16", "u1": "U8", "b1": "BOOL", "c8": "C64",
}  # fmt: skip
_DTYPE: Final = re.compile(r"([<>=|]?)([fiubc])([0-9]{1,2})\Z")
_PARAMETERS: Final = frozenset(
    {"torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state"}
)
_TENSORS: Final = frozenset({"torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2"})
_ARRAYS: Final = ("numpy.core.multiarray.", "numpy._core.multiarray.")


@dataclass(frozen=True, slots=True)
class Weight:
    """A tensor that can be written.

    Attributes:
        dtype: as safetensors names it.
        data: where its numbers lie.
        place: equal for two tensors that are the same memory; None where nothing is shared.
    """

    dtype: str
    data: Strided
    place: tuple[object, ...] | None = None


class NoForm(Exception):
    """A value has no form in safetensors; the message says why. Never leaves `app`."""


class Torch:
    """Makes weights of the records of a checkpoint."""

    def __init__(self, checkpoint: Checkpoint, source: ByteSource) -> None:
        self._storages: dict[str, ByteSource] = dict(checkpoint.storages)
        self._checkpoint = checkpoint
        self._source = source
        self._widths: dict[str, int] = {}

    def root(self) -> Any:  # noqa: ANN401 - records of anything
        """The object of the checkpoint."""
        if self._checkpoint.big:
            raise InvalidInput(
                "LF0221",
                f"{self._source.name!r} cannot be converted: its numbers are big-endian.",
                hint="Save it again on an ordinary machine.",
            )
        stream = self._checkpoint.stream
        return read_records(stream.read_at(0, stream.size), self._source.name)

    def locate(self, root: Any) -> None:  # noqa: ANN401 - as above
        """Find the storages of the old format, which lie one behind the other: a length, then the elements."""
        keys = self._checkpoint.keys
        if keys is None:
            return
        for stored in _stored(root):
            self._widths[str(stored[2])] = _width(stored)
        at = self._checkpoint.tail
        for key in read_records(keys.read_at(0, keys.size), self._source.name):
            count = int.from_bytes(self._source.read_at(at, 8), "little")
            size = count * self._widths.get(str(key), 0)
            self._storages[str(key)] = Window(self._source, at + 8, size, self._source.name)
            at += 8 + size
        if at > self._source.size:
            raise InvalidInput(
                "LF0221",
                f"{self._source.name!r} cannot be converted: it ends within its storages.",
                hint="Get the file again.",
            )

    def weight(self, value: Any) -> Weight | None:  # noqa: ANN401 - as above
        """The weight that a record is; None for what is no tensor.

        Raises:
            NoForm: it is a tensor that safetensors cannot hold.
        """
        label = label_of(value)
        if not isinstance(value, Made) or not label.startswith(("torch.", "torch._utils.")):
            return None
        if label in _PARAMETERS:
            return self.weight(value.args[0])
        if label in _TENSORS:
            metadata = value.args[6] if len(value.args) > 6 else None
            found = self._view(value.args[0], value.args[1:4], None)
            return found if not metadata else _turned(found, metadata)
        if label == "torch._utils._rebuild_tensor_v3":
            return self._view(value.args[0], value.args[1:4], label_of(value.args[6]))
        if label.startswith("torch._utils._rebuild_"):
            kind = label.removeprefix("torch._utils._rebuild_").replace("_", " ")
            raise NoForm(f"it is no dense tensor ({kind})")
        return None

    def _view(self, storage: Any, place: Any, kind: str | None) -> Weight:  # noqa: ANN401 - as above
        if not isinstance(storage, Stored) or len(storage) < 5:
            raise NoForm("its storage is not one that torch writes")
        name = label_of(storage[1]).rpartition(".")[2]
        found = _TYPES.get(kind) if kind is not None else _STORAGES.get(name)
        if found is None:
            raise NoForm(f"safetensors has no type for {kind or name}")
        source = self._storages.get(str(storage[2]))
        offset, shape, strides = place
        shape, strides = _numbers(shape), _numbers(strides)
        if source is None or not isinstance(offset, int):
            raise NoForm("its storage is not there")
        if len(storage) > 5 and storage[5] is not None:
            # A storage that is a part of another one, before torch 1.6: (key, offset, length) in elements.
            offset += int(storage[5][1])
        data = Strided(source, found[1], offset, shape, strides)
        if why := data.check():
            raise NoForm(why)
        return Weight(found[0], data, (str(storage[2]), offset, shape, strides, found[0]))


def _turned(weight: Weight, metadata: Any) -> Weight:  # noqa: ANN401 - as above
    """A view that torch conjugates when it is read."""
    if metadata != {"conj": True} or weight.dtype != "C64":
        raise NoForm("it is a view that torch changes when it is read")
    return Weight(weight.dtype, replace(weight.data, conjugated=True))


def _stored(root: Any) -> Iterator[Stored]:  # noqa: ANN401 - as above
    """Every storage that records refer to."""
    stack, seen = [root], set()
    while stack:
        value = stack.pop()
        if id(value) in seen:
            continue
        if isinstance(value, Stored):
            yield value
        elif isinstance(value, dict):
            seen.add(id(value))
            stack.extend(value.values())
        elif isinstance(value, (list, tuple, set)):
            seen.add(id(value))
            stack.extend(value)
        elif isinstance(value, Made):
            seen.add(id(value))
            stack.extend((value.args, value.state, value.items, [v for _, v in value.pairs]))


def _width(stored: Stored) -> int:
    from lockflight.formats.pickle.streams import STORAGE_WIDTHS

    return STORAGE_WIDTHS.get(label_of(stored[1]).rpartition(".")[2], 0)


def _numbers(value: Any) -> tuple[int, ...]:  # noqa: ANN401 - as above
    if isinstance(value, Made) and label_of(value) == "torch.Size" and value.args:
        value = value.args[0]
    if not isinstance(value, tuple) or not all(type(n) is int for n in value):
        raise NoForm("its shape is no tuple of numbers")
    return value


# -- NumPy --


def array(value: Any) -> Weight | None:  # noqa: ANN401 - records of anything
    """The weight that a pickled array of NumPy is; None for what is no array.

    Raises:
        NoForm: it is an array that safetensors cannot hold.
    """
    label = label_of(value)
    if not isinstance(value, Made):
        return None
    if label.startswith(_ARRAYS) and label.endswith("._reconstruct"):
        state = value.state
        if not isinstance(state, tuple) or len(state) != 5:
            raise NoForm("its state is not one that NumPy writes")
        return _flat(_bytes(state[4]), _code(state[2]), state[1], fortran=bool(state[3]))
    if label.endswith(".numeric._frombuffer") and len(value.args) == 4:
        data, dtype, shape, order = value.args
        return _flat(_bytes(data), _code(dtype), shape, fortran=order == "F")
    if label.startswith(_ARRAYS) and label.endswith(".scalar") and len(value.args) == 2:
        return _flat(_bytes(value.args[1]), _code(value.args[0]), (), fortran=False)
    return None


def _bytes(value: Any) -> bytes:  # noqa: ANN401 - as above
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if label_of(value) == "_codecs.encode" and isinstance(value, Made):
        return str(value.args[0]).encode("latin-1")
    if (
        label_of(value) in {"__builtin__.bytes", "builtins.bytes"}
        and isinstance(value, Made)
        and not value.args
    ):
        return b""
    raise NoForm("its elements are objects")


def _code(dtype: Any) -> str:  # noqa: ANN401 - as above
    """A type as NumPy writes it into headers, from `numpy.dtype` and its state."""
    if label_of(dtype) != "numpy.dtype" or not isinstance(dtype, Made) or not dtype.args:
        raise NoForm("its type is not one that NumPy writes")
    state = dtype.state
    order = state[1] if isinstance(state, tuple) and len(state) > 1 and isinstance(state[1], str) else ""
    return f"{order}{dtype.args[0]}".replace("||", "|")


def _flat(data: bytes, code: str, shape: Any, *, fortran: bool) -> Weight:  # noqa: ANN401 - as above
    return described(BytesSource(data), code, _numbers(shape), fortran=fortran)


def described(source: ByteSource, code: str, shape: tuple[int, ...], *, fortran: bool) -> Weight:
    """An array over all of a source.

    Raises:
        NoForm: safetensors has no such type, or the source has another length.
    """
    found = _DTYPE.match(code)
    dtype = _NUMPY.get(f"{found[2]}{found[3]}") if found else None
    if found is None or dtype is None:
        raise NoForm(f"safetensors has no type for {code!a:.40}")
    width = int(found[3])
    strides: list[int] = []
    step = 1
    for extent in shape if fortran else reversed(shape):
        strides.append(step)
        step *= extent
    data = Strided(source, width, 0, shape, tuple(strides if fortran else reversed(strides)), found[1] == ">")
    if data.size != source.size:
        raise NoForm("its length does not follow from its shape and type")
    return Weight(dtype, data)


def npy(source: ByteSource) -> Weight:
    """The weight that an NPY file is.

    Raises:
        NoForm: it holds objects or fields, or is no array.
    """
    found = parse_npy(source)
    if found.issues or found.objects:
        raise NoForm("it holds objects" if found.objects else "it is no array that can be read")
    # Between the magic and the elements, which the parser has checked: a Python literal.
    start = 10 if source.read_at(6, 1) == b"\x01" else 12
    header = ast.literal_eval(source.read_at(start, found.data - start).decode("latin-1").strip())
    code = header["descr"]
    if not isinstance(code, str):
        raise NoForm("its elements have fields")
    window = Window(source, found.data, source.size - found.data, source.name)
    return described(window, code, found.shape, fortran=found.fortran)


def npz(source: ByteSource) -> dict[str, ByteSource]:
    """The arrays of an NPZ archive by name, inflated where they are compressed."""
    archive = read_archive(source)
    found: dict[str, ByteSource] = {}
    for member in archive.members:
        opened = archive.open(member)
        if opened.problem or (member.method == STORED and member.start < 0):
            raise InvalidInput(
                "LF0221",
                f"{source.name!r} cannot be converted: a member cannot be read.",
                hint="Get it again.",
            )
        found[member.name.removesuffix(".npy")] = opened.source
    return found


# -- which of a file's values are its weights --


@dataclass(frozen=True, slots=True)
class Chosen:
    """The weights of a file.

    Attributes:
        weights: by name, in the file's order.
        key: under which key of the file they lie; empty for its top.
        left: what else lies there and is no tensor, as it is called there.
    """

    weights: Mapping[str, Weight]
    key: str
    left: tuple[str, ...]


def choose(root: Any, key: str, name: str, weight: Callable[[Any], Weight | None]) -> Chosen:  # noqa: ANN401 - as above
    """The weights of a file's object.

    Args:
        root: its records.
        key: where they lie, such as `model`; empty to look at the top and at the usual places.
        name: of the file, for messages.
        weight: makes a weight of a record.

    Raises:
        InvalidInput: LF0221 there are none, or one that safetensors cannot hold.
        NotFound: LF0222 there is no such key.
    """
    if key:
        return _picked(_below(root, key, name), key, (), name, weight)
    if not isinstance(root, dict):
        return _picked({"tensor": root}, "", (), name, weight)
    held = [k for k in USUAL if _holds(root.get(k), weight)]
    if len(held) == 1:
        left = tuple(str(k) for k in root if k != held[0])
        return _picked(root[held[0]], held[0], left, name, weight)
    if any(_is_tensor(value, weight) for value in root.values()):
        return _picked(root, "", (), name, weight)
    others = [str(k) for k, value in root.items() if _holds(value, weight)]
    hint = f"--key {others[0]}" if others else "Only tensors and dicts of tensors can be converted."
    raise InvalidInput(
        "LF0221",
        f"{name!r} cannot be converted: it has no tensors at its top"
        + (f", but under {', '.join(others[:5])}." if others else "."),
        hint=hint,
    )


def _below(root: Any, key: str, name: str) -> Any:  # noqa: ANN401 - as above
    from lockflight.core.text.suggest import did_you_mean
    from lockflight.errors import NotFound

    value = root
    for part in key.split("."):
        known = [str(k) for k in value] if isinstance(value, dict) else []
        if part not in known:
            raise NotFound(
                "LF0222",
                f"{name!r} has no key {part[:100]!r} to look under.",
                hint=did_you_mean(part, known, otherwise=f"It has {', '.join(known[:10]) or 'no keys'}."),
            )
        value = next(inner for k, inner in value.items() if str(k) == part)
    return value


def _is_tensor(value: Any, weight: Callable[[Any], Weight | None]) -> bool:  # noqa: ANN401 - as above
    try:
        return weight(value) is not None
    except NoForm:
        return True


def _holds(value: Any, weight: Callable[[Any], Weight | None]) -> bool:  # noqa: ANN401 - as above
    return isinstance(value, dict) and any(_is_tensor(inner, weight) for inner in value.values())


def _picked(
    value: Any,  # noqa: ANN401 - as above
    key: str,
    left: tuple[str, ...],
    name: str,
    weight: Callable[[Any], Weight | None],
) -> Chosen:
    if not isinstance(value, dict):
        value = {"tensor": value}
    weights: dict[str, Weight] = {}
    others = list(left)
    for word, inner in value.items():
        try:
            found = weight(inner)
        except NoForm as error:
            raise InvalidInput(
                "LF0221",
                f"{name!r} cannot be converted: the tensor {str(word)[:100]!a} has no form in safetensors: {error}.",
                hint="Convert it where the model was made, for example to a dense float tensor, and save again.",
            ) from error
        if found is None:
            others.append(f"{key}.{word}" if key else str(word))
        elif not isinstance(word, str) or word == "__metadata__":
            raise InvalidInput(
                "LF0221",
                f"{name!r} cannot be converted: a tensor's name is no text.",
                hint="Name it by a text.",
            )
        else:
            weights[word] = found
    if not weights:
        raise InvalidInput(
            "LF0221",
            f"{name!r} cannot be converted: there are no tensors in it.",
            hint="lockflight scan says what it is.",
        )
    return Chosen(weights, key, tuple(others))
