"""The rows of Parquet files, read by pyarrow in a child process under budgets.

pyarrow is a large reader in C++ and the file may be anybody's, so the child has neither network nor keys, and what it
answers is only taken as text. Row groups, compression, dictionaries, and whether texts have 32 or 64 bit offsets do not
show in the rows: they are how a file was written, not what it says.
"""

from __future__ import annotations

import importlib
import json
import os
import tempfile
from typing import TYPE_CHECKING, Any

from lockflight.core.release.rows import TYPED, fits
from lockflight.errors import EnvironmentProblem
from lockflight.formats.rows.lines import Unreadable
from lockflight.formats.rows.typedrows import TypedRows, typed_row
from lockflight.infra.proc import MIB, FailureKind, Limits, Worker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockflight.core.source import ByteSource

#: Budgets of one part of a file.
LIMITS = Limits(cpu_s=600, memory_bytes=4096 * MIB, wall_s=900.0, output_bytes=64 * MIB)
#: Rows that are taken out of a file at a time, and bytes of them that are handed over at a time.
_BATCH = 1024
_PART = 4 * MIB
_COPY = 8 * MIB
_TARGET = "lockflight.infra.parquet:answer"
_MISSING = "no pyarrow"


class ParquetTable:
    """A table in a Parquet file; iterating gives its rows in batches.

    Args:
        source: its bytes; they are copied into a file without a name, which the child reads.

    Attributes:
        columns, types: known once it was read from.
    """

    form = TYPED
    named = False
    header = b""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self.columns: tuple[str, ...] = ()
        self.types: tuple[str, ...] = ()

    def row_of(self, data: bytes) -> bytes:
        """See `formats.typedrows`.

        Raises:
            Unreadable: it is no row of this table.
        """
        return TypedRows(self.columns, self.types).row_of(data)

    def __iter__(self) -> Iterator[list[bytes]]:
        with tempfile.TemporaryFile() as copy, Worker(_TARGET, limits=LIMITS) as worker:
            offset = 0
            while offset < self._source.size:
                part = self._source.read_at(offset, _COPY)
                copy.write(part)
                offset += len(part)
            copy.flush()
            head = _said(worker, b"open", (copy.fileno(),))
            try:
                columns, types = json.loads(head)
                self.columns, self.types = tuple(map(str, columns)), tuple(map(str, types))
            except (ValueError, TypeError) as error:
                raise Unreadable("its reader gave no columns") from error
            if not fits(self.columns, self.types) or len(self.columns) != len(self.types) or not columns:
                raise Unreadable("it has no column, or more than are read", budget=True)
            while rows := _said(worker, b"next"):
                yield rows.split(b"\n")


def _said(worker: Worker, request: bytes, fds: tuple[int, ...] = ()) -> bytes:
    outcome = worker.call(request, fds)
    if outcome.result is not None:
        return outcome.result
    if outcome.error is None:
        budget = outcome.kind in {
            FailureKind.MEMORY,
            FailureKind.CPU,
            FailureKind.TIMEOUT,
            FailureKind.OUTPUT,
        }
        raise Unreadable(f"its reader gave up ({outcome.detail})", budget=budget)
    if outcome.error.message == _MISSING:
        raise EnvironmentProblem(
            "LF5022",
            "Parquet files are read by pyarrow, which is not installed here.",
            hint="pip install 'lockflight[data]'",
        )
    why = outcome.error.message if outcome.error.type == "Unreadable" else "no reader takes it for Parquet"
    raise Unreadable(why or "it is no Parquet file")


# -- in the child -----------------------------------------------------------------------------------------------------

_open: dict[str, Iterator[bytes]] = {}


def answer(request: bytes, fds: list[int]) -> bytes:
    """`open` with a descriptor gives names and types of the columns as JSON, `next` some rows, one to a line.

    Raises:
        Unreadable: the file has a column of a type that has no spelling, or none to be read.
        EnvironmentProblem: LF5022 pyarrow is not installed.
    """
    if request == b"next":
        return next(_open["rows"], b"")
    try:
        arrow: Any = importlib.import_module("pyarrow")
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise EnvironmentProblem("LF5022", _MISSING) from error
    arrow.set_memory_pool(arrow.system_memory_pool())
    file = parquet.ParquetFile(os.fdopen(os.dup(fds[0]), "rb"), pre_buffer=False)
    schema = file.schema_arrow
    names = [_type_name(arrow, field.type) for field in schema]
    plain = arrow.schema([(field.name, _plain_type(arrow, field.type)) for field in schema])
    _open["rows"] = _parts(file, plain)
    return json.dumps([schema.names, names]).encode()


def _parts(file: Any, plain: Any) -> Iterator[bytes]:  # noqa: ANN401 - pyarrow has no types
    rows: list[bytes] = []
    size = 0
    for batch in file.iter_batches(batch_size=_BATCH, use_threads=False):
        columns = [
            column.cast(field.type).to_pylist() for column, field in zip(batch.columns, plain, strict=True)
        ]
        for values in zip(*columns, strict=True):
            row = typed_row(values)
            rows.append(row)
            size += len(row)
            if size >= _PART:
                yield b"\n".join(rows)
                rows, size = [], 0
    if rows:
        yield b"\n".join(rows)


#: Types by pyarrow's own names, which are those of the Arrow columnar format.
_SAME = (
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float",
    "double",
    "null",
)
_LIKE = {
    "string": "string",
    "large_string": "string",
    "string_view": "string",
    "binary": "binary",
    "large_binary": "binary",
    "binary_view": "binary",
    "halffloat": "float",
}


def _type_name(arrow: Any, kind: Any) -> str:  # noqa: ANN401 - as above
    """The word for a type in the head of a table: what it means, not how it is stored."""
    types = arrow.types
    name = str(kind)
    if name in _SAME:
        return name
    if name in _LIKE:
        return _LIKE[name]
    if types.is_dictionary(kind):
        return _type_name(arrow, kind.value_type)
    if types.is_fixed_size_binary(kind):
        return f"binary[{kind.byte_width}]"
    if types.is_decimal(kind):
        return f"decimal({kind.precision}, {kind.scale})"
    if types.is_timestamp(kind):
        return f"timestamp[{kind.unit}{', ' + kind.tz if kind.tz else ''}]"
    if types.is_date(kind):
        return "date[day]" if types.is_date32(kind) else "date[ms]"
    if types.is_time(kind) or types.is_duration(kind):
        return f"{'time' if types.is_time(kind) else 'duration'}[{kind.unit}]"
    if types.is_map(kind):
        return f"map<{_type_name(arrow, kind.key_type)}, {_type_name(arrow, kind.item_type)}>"
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return f"list<{_type_name(arrow, kind.value_type)}>"
    if types.is_struct(kind):
        fields = (kind.field(i) for i in range(kind.num_fields))
        return f"struct<{', '.join(f'{json.dumps(f.name)}: {_type_name(arrow, f.type)}' for f in fields)}>"
    raise Unreadable(f"a column has the type {name[:100]}, which has no spelling")


def _plain_type(arrow: Any, kind: Any) -> Any:  # noqa: ANN401 - as above
    """The type as which its values are taken out: times as whole numbers, dictionaries as what they stand for."""
    types = arrow.types
    if types.is_dictionary(kind):
        return _plain_type(arrow, kind.value_type)
    if types.is_date32(kind) or types.is_time32(kind):
        return arrow.int32()
    if types.is_timestamp(kind) or types.is_date64(kind) or types.is_time64(kind) or types.is_duration(kind):
        return arrow.int64()
    if types.is_float16(kind):
        return arrow.float32()
    if types.is_map(kind):
        return arrow.map_(_plain_type(arrow, kind.key_type), _plain_type(arrow, kind.item_type))
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return arrow.list_(_plain_type(arrow, kind.value_type))
    if types.is_struct(kind):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        return arrow.struct([(field.name, _plain_type(arrow, field.type)) for field in fields])
    return kind
