"""DER (ITU-T X.690 §10), as much of it as certificates, time stamps and SCTs need: strict reading, plain writing.

One value is read at a time, from bytes that stay in memory; nothing recurses, so nesting costs no stack. Only definite
lengths in their shortest form and tags of one byte are read.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from lockflight.core.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
NULL: Final = 0x05
OID: Final = 0x06
UTF8_STRING: Final = 0x0C
GENERALIZED_TIME: Final = 0x18
SEQUENCE: Final = 0x30
SET: Final = 0x31

_MAX_LENGTH_BYTES = 4
_LONG_TAG = 0x1F
_LONG_LENGTH = 0x80
_MAX_OID_BYTES = 64
_TIME = re.compile(r"\d{14}(?:\.\d*[1-9])?Z", re.ASCII)


def context(number: int, *, constructed: bool = True) -> int:
    """The tag `[number]` of its context."""
    return 0x80 | (0x20 if constructed else 0) | number


@dataclass(frozen=True, slots=True)
class Value:
    """One DER value.

    Attributes:
        tag: the tag's byte: class, form and number.
        content: what lies inside.
        raw: tag, length and content.
    """

    tag: int
    content: bytes
    raw: bytes

    def need(self, tag: int) -> Value:
        """This value, if it has that tag.

        Raises:
            ValueError: another tag.
        """
        if self.tag != tag:
            raise ValueError(f"the tag {tag:#04x} is expected and {self.tag:#04x} is there")
        return self

    def children(self) -> list[Value]:
        """The values inside of a constructed one.

        Raises:
            ValueError: what is inside is not DER.
        """
        if not self.tag & 0x20:
            raise ValueError("a constructed value is expected")
        return list(_values(self.content))

    def integer(self) -> int:
        """An INTEGER.

        Raises:
            ValueError: another tag, or not in the shortest form.
        """
        body = self.need(INTEGER).content
        padded = len(body) > 1 and (
            (body[0] == 0 and body[1] < _LONG_LENGTH) or (body[0] == 0xFF and body[1] >= _LONG_LENGTH)
        )
        if not body or padded:
            raise ValueError("an integer is not in its shortest form")
        return int.from_bytes(body, "big", signed=True)

    def oid(self) -> str:
        """An OBJECT IDENTIFIER, dotted.

        Raises:
            ValueError: another tag, or not an identifier.
        """
        body = self.need(OID).content
        if not body or len(body) > _MAX_OID_BYTES or body[-1] & 0x80:
            raise ValueError("an object identifier does not read")
        parts: list[int] = []
        number, fresh = 0, True
        for byte in body:
            if fresh and byte == _LONG_LENGTH:
                raise ValueError("an object identifier is not in its shortest form")
            number, fresh = number << 7 | byte & 0x7F, not byte & 0x80
            if fresh:
                parts.append(number)
                number = 0
        first = min(parts[0] // 40, 2)
        return ".".join(map(str, (first, parts[0] - first * 40, *parts[1:])))

    def time_ms(self) -> int:
        """A GeneralizedTime of the form that DER and RFC 3161 allow, in Unix milliseconds, rounded down.

        Raises:
            ValueError: another tag or spelling.
        """
        try:
            word = self.need(GENERALIZED_TIME).content.decode("ascii")
        except UnicodeDecodeError:
            word = ""
        if not _TIME.fullmatch(word):
            raise ValueError("a time is not of the form YYYYMMDDhhmmss[.fff]Z")
        seconds = datetime.strptime(word[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp()
        return int(seconds) * 1000 + int(word[15:-1][:3].ljust(3, "0"))


def read(data: bytes) -> Value:
    """Read bytes that are exactly one value.

    Raises:
        ValueError: they are not DER, or something follows.
    """
    values = list(_values(data))
    if len(values) != 1:
        raise ValueError("one value is expected")
    return values[0]


def _values(data: bytes) -> Iterator[Value]:
    at = 0
    while at < len(data):
        start, tag = at, data[at]
        if tag & _LONG_TAG == _LONG_TAG or at + 1 >= len(data):
            raise ValueError("a tag or length is cut off, or a tag is longer than a byte")
        length, at = data[at + 1], at + 2
        if length >= _LONG_LENGTH:
            count = length & 0x7F
            if not 0 < count <= _MAX_LENGTH_BYTES or at + count > len(data):
                raise ValueError("a length is indefinite, too large or cut off")
            length = int.from_bytes(data[at : at + count], "big")
            if length < _LONG_LENGTH or length < 1 << 8 * (count - 1):
                raise ValueError("a length is not in its shortest form")
            at += count
        if at + length > len(data):
            raise ValueError("a value is cut off")
        yield Value(tag, data[at : at + length], data[start : at + length])
        at += length


def tlv(tag: int, *parts: bytes) -> bytes:
    """A value: tag, length, and the parts one after another."""
    body = b"".join(parts)
    if len(body) < _LONG_LENGTH:
        return bytes((tag, len(body))) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes((tag, _LONG_LENGTH | len(size))) + size + body


def sequence(*parts: bytes) -> bytes:
    """A SEQUENCE."""
    return tlv(SEQUENCE, *parts)


def set_of(*parts: bytes) -> bytes:
    """A SET OF, in the order that DER demands (X.690 §11.6)."""
    return tlv(SET, *sorted(parts))


def integer(number: int) -> bytes:
    """An INTEGER."""
    return tlv(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))


def oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER."""
    first, second, *rest = (int(part) for part in dotted.split("."))
    body = bytearray()
    for number in (first * 40 + second, *rest):
        septets = [number & 0x7F]
        while number := number >> 7:
            septets.append(number & 0x7F | 0x80)
        body += bytes(reversed(septets))
    return tlv(OID, bytes(body))


def generalized_time(seconds: int) -> bytes:
    """A GeneralizedTime in whole seconds."""
    word = datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y%m%d%H%M%SZ")
    return tlv(GENERALIZED_TIME, word.encode())
