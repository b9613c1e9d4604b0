"""Protocol Buffers read strictly by the messages of their library, without that library.

Every field must be one that the message has, in the wire type that it has, once where it may stand once: what another
reader would merge, skip or take for something else is told. The messages are data (`_data/allowlist`), written from
the descriptors of the library: `1=int 2*data 7=GraphProto`, `=` for one and `*` for many; `int` is a varint, `short`
and `wide` are 4 and 8 bytes, `data` is bytes or text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from lockflight.formats.graphs.protobuf import BadWire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lockflight.core.source import ByteSource

#: Fields of one file, all messages together.
MAX_FIELDS = 4_000_000
#: Messages inside each other; the library's own readers stop at 100.
MAX_DEPTH = 100
#: Values of one message that are kept for who judges it.
MAX_KEPT = 65_536
#: Values of a field of which the first ones are enough.
MAX_FEW = 256
#: Bytes of a text that are kept.
MAX_TEXT = 4_096
_CHUNK = 256 * 1024
_SCALARS: Final = {"int": 0, "wide": 1, "data": 2, "short": 5}
_WIDTHS: Final = {1: 8, 5: 4}
_ENTRY: Final = re.compile(r"(\d+)([=*])([A-Za-z][A-Za-z0-9_.]*)", re.ASCII)


class OverBudget(BadWire):
    """The message has more fields, or is deeper, than is read. Never leaves `formats`."""


class Field(NamedTuple):
    """One field of a message: its kind, its wire type, and whether it may stand more than once."""

    kind: str
    wire: int
    many: bool


class Data(NamedTuple):
    """Bytes of a field: where they lie, how many, and at most `MAX_TEXT` of them."""

    offset: int
    length: int
    head: bytes

    @property
    def text(self) -> str:
        """The text; what is no UTF-8 shows as escapes."""
        return self.head.decode("utf-8", "backslashreplace")

    @property
    def whole(self) -> bool:
        """Whether all of it was kept."""
        return self.length == len(self.head)


if TYPE_CHECKING:
    Messages = Mapping[str, Mapping[int, Field]]
    Values = Mapping[int, list[int | Data]]


def parse_messages(rows: Mapping[str, str]) -> Messages:
    """The messages of a data file.

    Raises:
        ValueError: a row is malformed, or names a message that is not there.
    """
    found: dict[str, dict[int, Field]] = {}
    for name, row in rows.items():
        fields: dict[int, Field] = {}
        for entry in row.split():
            match = _ENTRY.fullmatch(entry)
            if match is None or (match[3] not in _SCALARS and match[3] not in rows):
                raise ValueError(f"the message {name} has the malformed field {entry!r}")
            fields[int(match[1])] = Field(match[3], _SCALARS.get(match[3], 2), match[2] == "*")
        found[name] = fields
    return found


class Walk:
    """One pass over a file, depth first, that keeps what it is asked for.

    Args:
        source: the bytes.
        messages: what is known of them.
        keep: for each message that is judged, the fields whose values are wanted.
        few: those of them of which `MAX_FEW` values are enough.
        visit: called behind each such message with its name and its values, in the order of the file.

    Attributes:
        path: names of the messages that the walk is in, outermost first.
        problems: what is odd and did not end the walk: (`field` or `twice`, sentence, offset).
    """

    def __init__(
        self,
        source: ByteSource,
        messages: Messages,
        keep: Mapping[str, frozenset[int]],
        visit: Callable[[str, Values, int], None],
        few: Mapping[str, frozenset[int]] | None = None,
    ) -> None:
        self._source = source
        self._messages = messages
        self._keep = keep
        self._visit = visit
        self._few = few or {}
        self._window = b""
        self._base = 0
        self._left = MAX_FIELDS
        self.path: list[str] = []
        self.problems: dict[str, tuple[str, int]] = {}

    def run(self, root: str) -> None:
        """Walk over the whole file.

        Raises:
            OverBudget: it is too deep or has too many fields.
            BadWire: it is damaged.
        """
        self._message(root, 0, self._source.size)

    def _message(self, name: str, start: int, end: int) -> None:
        if len(self.path) >= MAX_DEPTH:
            raise OverBudget(f"messages lie more than {MAX_DEPTH} deep inside each other")
        self.path.append(name)
        known, wanted, few = self._messages[name], self._keep.get(name), self._few.get(name, frozenset())
        values: dict[int, list[int | Data]] = {}
        seen: set[int] = set()
        at = start
        while at < end:
            number, wire, at = self._tag(at, end)
            field = known.get(number)
            value, at, length = self._value(wire, at, end)
            if field is None:
                self.problems.setdefault(
                    "field", (f"{name} has a field {number} that is not known", at - length)
                )
                continue
            packed = field.many and wire == 2 and field.wire != 2
            if wire != field.wire and not packed:
                raise BadWire(f"field {number} of {name} has another wire type than it should")
            if number in seen and not field.many:
                self.problems.setdefault("twice", (f"{name} has its field {number} twice", at - length))
            seen.add(number)
            if field.kind not in _SCALARS:
                self._message(field.kind, at - length, at)
            elif wanted is not None and number in wanted:
                kept = values.setdefault(number, [])
                if number in few and len(kept) >= MAX_FEW:
                    continue
                most = MAX_FEW if number in few else MAX_KEPT
                kept.extend(self._packed(field, at - length, at, most) if packed else [value])
                if len(kept) > MAX_KEPT:
                    raise OverBudget(f"{name} has more than {MAX_KEPT} values in its field {number}")
        if wanted is not None:
            self._visit(name, values, start)
        self.path.pop()

    def _tag(self, at: int, end: int) -> tuple[int, int, int]:
        self._left -= 1
        if self._left < 0:
            raise OverBudget(f"it has more than {MAX_FIELDS} fields")
        tag, at = self._varint(at, end)
        if not 0 < tag >> 3 < 1 << 29:
            raise BadWire("a field has a number that does not exist")
        return tag >> 3, tag & 7, at

    def _value(self, wire: int, at: int, end: int) -> tuple[int | Data, int, int]:
        """The value, the offset behind it, and its length."""
        if wire == 0:
            value, after = self._varint(at, end)
            return value, after, after - at
        if wire == 2:
            length, at = self._varint(at, end)
        elif wire in _WIDTHS:
            length = _WIDTHS[wire]
        else:
            raise BadWire("a field has a wire type that does not exist")
        if at + length > end:
            raise BadWire("a field reaches over the end of its message")
        return Data(at, length, self._bytes(at, min(length, MAX_TEXT))), at + length, length

    def _packed(self, field: Field, start: int, end: int, most: int) -> list[int | Data]:
        if field.wire != 0:
            return []
        found: list[int | Data] = []
        at = start
        while at < end and len(found) <= most:
            value, at = self._varint(at, end)
            found.append(value)
        return found

    def _bytes(self, at: int, n: int) -> bytes:
        if not self._base <= at or at + n > self._base + len(self._window):
            self._window, self._base = self._source.read_at(at, max(n, _CHUNK)), at
        return self._window[at - self._base : at - self._base + n]

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        window = self._bytes(at, min(10, end - at))
        value = 0
        for i, byte in enumerate(window):
            value |= (byte & 0x7F) << (7 * i)
            if not byte & 0x80:
                if value >> 64:
                    raise BadWire("a number is longer than 64 bits")
                return value, at + i + 1
        raise BadWire("a number is cut off or longer than ten bytes")
