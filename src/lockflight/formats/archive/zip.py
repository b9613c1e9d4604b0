"""Zip archives, read twice: by their central directory and by their local headers (PKWARE APPNOTE 6.3.10).

Readers differ in which of the two they follow, so every difference between them, and every byte that belongs to
neither, is an issue. An issue never ends the walk: the members behind it are still looked at.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from lockflight.core.findings import Verdict
from lockflight.core.records import dataclass
from lockflight.core.source import Window
from lockflight.formats.archive.inflate import Inflated, inflate
from lockflight.formats.report import Issue, Issues, shown
from lockflight.formats.settings.targets import leaves

if TYPE_CHECKING:
    from lockflight.core.source import ByteSource

MAX_MEMBERS = 100_000
MAX_DIRECTORY = 64 * 1024 * 1024
_TAIL = 65_557  # an end record and the longest comment

_LOCAL = b"PK\x03\x04"
_CENTRAL = b"PK\x01\x02"
_END = b"PK\x05\x06"
_END64 = b"PK\x06\x06"
_LOCATOR64 = b"PK\x06\x07"
_DESCRIPTOR = b"PK\x07\x08"

_LOCAL_FORM = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL_FORM = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END_FORM = struct.Struct("<4sHHHHIIH")
_END64_FORM = struct.Struct("<4sQHHIIQQQQ")

STORED, DEFLATED, BZIPPED, LZMAED = 0, 8, 12, 14
#: A name in UTF-8 beside that of the directory (APPNOTE 4.6.9); the same for comments, 0x6375, changes nothing.
_UNICODE_PATH = 0x7075
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_PATCH = 0x20
_HAS_DESCRIPTOR = 0x8
_NONE32 = 0xFFFFFFFF
_NONE16 = 0xFFFF
_UNIX = 3
_LINK = 0xA000


@dataclass(frozen=True, slots=True)
class Member:
    """A member as the central directory describes it.

    Attributes:
        name: decoded name; UTF-8 where flagged, else code page 437.
        flags: general purpose flags.
        method: compression method.
        crc: CRC-32 of its content.
        packed: compressed bytes.
        size: bytes of its content.
        header: offset of its local header.
        start: offset of its data; -1 where there is no local header.
        end: offset behind its data and descriptor.
        other: another name that a field of its directory entry gives it; empty where there is none.
    """

    name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    header: int
    start: int = -1
    end: int = -1
    link: bool = False
    other: str = ""

    @property
    def encrypted(self) -> bool:
        """Whether its flags say that it is encrypted or a patch; torch's reader does not look at them."""
        return bool(self.flags & (_ENCRYPTED | _PATCH))

    @property
    def folder(self) -> bool:
        """Whether it is the entry of a folder."""
        return self.name.endswith("/") and self.size == 0


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive: its members by central directory, and what is wrong with it.

    `readable` is False where no central directory could be found or followed to its end.
    """

    source: ByteSource
    members: tuple[Member, ...]
    issues: tuple[Issue, ...]
    readable: bool

    def open(self, member: Member, *, max_output: int = 1 << 32) -> Inflated:
        """The content of a member: a window of the archive when stored, else inflated within the limit."""
        return content(self.source, member, max_output=max_output)

    def names(self) -> frozenset[str]:
        """Names of all members."""
        return frozenset(member.name for member in self.members)


def member_names(source: ByteSource) -> frozenset[str]:
    """Names in the central directory; empty where there is none that can be read."""
    issues = Issues()
    end = _find_end(source, issues)
    if end is None:
        return frozenset()
    members, _ = _directory(source, end, issues)
    return frozenset(member.name for member in members)


def ends_like_zip(source: ByteSource) -> bool:
    """Whether a zip reader, which starts at the end, would take the file for an archive."""
    return _find_end(source, Issues()) is not None


def read_archive(source: ByteSource) -> Archive:
    """Walk both directories of an archive and compare them."""
    issues = Issues()
    end = _find_end(source, issues)
    if end is None:
        issues.add(Issue("zip:broken", Verdict.UNKNOWN, "The archive has no end record."))
        return Archive(source, (), issues.frozen(), readable=False)
    members, readable = _directory(source, end, issues)
    placed = [_local(source, member, issues) for member in members]
    _names(placed, issues)
    _layout(source, placed, end, issues)
    return Archive(source, tuple(placed), issues.frozen(), readable=readable)


@dataclass(frozen=True, slots=True)
class _End:
    """The end record: where the directory is, how many members it says, and where the trailer begins and ends."""

    offset: int
    trailer: int
    directory: int
    directory_size: int
    count: int
    conflict: bool


def _find_end(source: ByteSource, issues: Issues) -> _End | None:
    base = max(0, source.size - _TAIL)
    tail = source.read_at(base, _TAIL)
    found: list[_End] = []
    at = tail.rfind(_END)
    while at >= 0 and len(found) < 8:
        record = _end_at(source, base, tail, at)
        if record is not None:
            found.append(record)
        at = tail.rfind(_END, 0, at)
    if not found:
        return None
    best = found[0]
    for other in found[1:]:
        # An archive stored inside this one has an end record too, but its comment does not reach our end.
        if _comment_end(tail, base, other) == source.size:
            message = "The archive has more than one end record; readers may start from different ones."
            issues.add(Issue("zip:two-ends", Verdict.MALICIOUS, message, other.offset))
    if best.conflict:
        message = "The two end records of the archive say different things."
        issues.add(Issue("zip:two-ends", Verdict.MALICIOUS, message, best.offset))
    if _comment_end(tail, base, best) != source.size:
        message = "There are bytes behind the end of the archive."
        issues.add(Issue("zip:trailing", Verdict.MALICIOUS, message, best.offset))
    return best


def _comment_end(tail: bytes, base: int, end: _End) -> int:
    length: int = struct.unpack_from("<H", tail, end.offset - base + 20)[0]
    return end.offset + _END_FORM.size + length


def _end_at(source: ByteSource, base: int, tail: bytes, at: int) -> _End | None:
    if at + _END_FORM.size > len(tail):
        return None
    _, disk, start_disk, here, count, size, offset, _ = _END_FORM.unpack_from(tail, at)
    trailer, conflict = base + at, False
    wide = _end64(source, trailer)
    if wide is not None:
        # torch writes the wide record always; readers differ in which one they follow.
        narrow = ((count, wide[1], _NONE16), (size, wide[2], _NONE32), (offset, wide[3], _NONE32))
        conflict = any(here_ not in {there, unset} for here_, there, unset in narrow)
        trailer, count, size, offset = wide
        here, disk, start_disk = count, 0, 0
    if disk or start_disk or here != count:
        return None
    # A directory must end where its trailer begins; prefixes shift both, and are an issue of their own.
    first = source.read_at(trailer - size, 4) if size and trailer >= size else b""
    if (size and first != _CENTRAL) or (not size and count):
        return None
    return _End(base + at, trailer, offset, size, count, conflict)


def _end64(source: ByteSource, end: int) -> tuple[int, int, int, int] | None:
    if end < 20:
        return None
    locator = source.read_at(end - 20, 20)
    if locator[:4] != _LOCATOR64 or locator[4:8] != bytes(4) or locator[16:] != b"\1\0\0\0":
        return None
    offset = int.from_bytes(locator[8:16], "little")
    record = source.read_at(offset, _END64_FORM.size)
    if len(record) < _END64_FORM.size or record[:4] != _END64:
        return None
    _, length, _, _, disk, start_disk, here, count, size, directory = _END64_FORM.unpack(record)
    if disk or start_disk or here != count or offset + 12 + length != end - 20:
        return None
    return offset, count, size, directory


def _directory(source: ByteSource, end: _End, issues: Issues) -> tuple[list[Member], bool]:
    real = end.trailer - end.directory_size
    shift = real - end.directory
    if shift:
        message = "The directory is not where the end record says: something lies before the archive."
        issues.add(Issue("zip:prefix", Verdict.MALICIOUS, message, 0))
    if end.directory_size > MAX_DIRECTORY or end.count > MAX_MEMBERS:
        limits = f"{MAX_MEMBERS:,} members or {MAX_DIRECTORY >> 20} MiB of directory"
        message = f"The archive has more than the {limits} that are read."
        issues.add(Issue("zip:budget", Verdict.UNKNOWN, message))
        return [], False
    data = source.read_at(real, end.directory_size)
    members: list[Member] = []
    at = 0
    while at + _CENTRAL_FORM.size <= len(data) and data[at : at + 4] == _CENTRAL and len(members) < end.count:
        member, at = _central(data, at, shift)
        members.append(member)
    if at != len(data) or len(members) != end.count:
        message = "The directory does not hold what the end record says."
        issues.add(Issue("zip:directory", Verdict.MALICIOUS, message, real + at))
        return members, False
    return members, True


def _central(data: bytes, at: int, shift: int) -> tuple[Member, int]:
    row = _CENTRAL_FORM.unpack_from(data, at)
    (
        _,
        made_by,
        _,
        flags,
        method,
        _,
        _,
        crc,
        packed,
        size,
        n_name,
        n_extra,
        n_comment,
        _,
        _,
        attributes,
        header,
    ) = row
    start = at + _CENTRAL_FORM.size
    raw = data[start : start + n_name]
    extra = data[start + n_name : start + n_name + n_extra]
    size, packed, header = _wide(extra, [size, packed, header])
    name = _decode(raw, flags)
    link = made_by >> 8 == _UNIX and (attributes >> 16) & 0xF000 == _LINK
    other = _other_name(extra, raw, name)
    member = Member(name, flags, method, crc, packed, size, header + shift, link=link, other=other)
    return member, start + n_name + n_extra + n_comment


def _wide(extra: bytes, values: list[int]) -> list[int]:
    """Replace the numbers that do not fit into 32 bits by those of the zip64 field, in its order."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        at += 4
        if kind == 1:
            inner, used = extra[at : at + length], 0
            for i, value in enumerate(values):
                if value == _NONE32 and used + 8 <= len(inner):
                    values[i] = int.from_bytes(inner[used : used + 8], "little")
                    used += 8
            break
        at += length
    return values


def _other_name(extra: bytes, raw: bytes, name: str) -> str:
    """The name that a field of Info-ZIP gives beside the ordinary one, where it is another one; else empty.

    torch and Go read the ordinary name; Python (since 3.12), Info-ZIP and 7-zip take this one where its checksum is
    that of the ordinary one, and there are readers that do not compare.
    """
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        inner = extra[at + 4 : at + 4 + length]
        if kind == _UNICODE_PATH:
            other = inner[5:].decode("utf-8", "backslashreplace")
            if other != name and inner[5:] != raw:
                return other or "nothing"
        at += 4 + length
    return ""


def _shape(name: str) -> tuple[int, str]:
    """How many folders a name is in, and its extension."""
    return name.count("/"), name.rpartition(".")[2]


def _decode(raw: bytes, flags: int) -> str:
    if flags & 0x800:
        return raw.decode("utf-8", "backslashreplace")
    return raw.decode("cp437")


def _local(source: ByteSource, member: Member, issues: Issues) -> Member:
    """Compare a member with its local header, and find where its data lies."""
    head = source.read_at(member.header, _LOCAL_FORM.size) if member.header >= 0 else b""
    if len(head) < _LOCAL_FORM.size or head[:4] != _LOCAL:
        message = "The directory names a member that has no local header."
        issues.add(Issue("zip:header", Verdict.MALICIOUS, message, member.header, member.name))
        return member
    _, _, flags, method, _, _, crc, packed, size, n_name, n_extra = _LOCAL_FORM.unpack(head)
    rest = source.read_at(member.header + _LOCAL_FORM.size, n_name + n_extra)
    size, packed = _wide(rest[n_name:], [size, packed])
    other = _other_name(rest[n_name:], rest[:n_name], _decode(rest[:n_name], flags)) or member.other
    if other:
        # The ordinary name of old Windows is in its own code page, so that it differs in letters beyond ASCII alone.
        same = not rest[:n_name].isascii() and _shape(other) == _shape(member.name) and not leaves(other)
        verdict = Verdict.UNKNOWN if same else Verdict.MALICIOUS
        message = f"A field of the member gives it another name, which some readers take: {shown(other)}."
        issues.add(Issue("zip:mismatch", verdict, message, member.header, member.name))
    start = member.header + _LOCAL_FORM.size + n_name + n_extra
    later = bool(flags & _HAS_DESCRIPTOR)
    differs = [
        what
        for what, here, there, ignorable in (
            ("name", _decode(rest[:n_name], flags), member.name, False),
            ("flags", flags, member.flags, False),
            ("method", method, member.method, False),
            ("checksum", crc, member.crc, later and crc == 0),
            ("compressed size", packed, member.packed, later and packed == 0),
            ("size", size, member.size, later and size == 0),
        )
        if here != there and not ignorable
    ]
    if differs:
        message = f"The local header and the directory disagree about: {', '.join(differs)}."
        issues.add(Issue("zip:mismatch", Verdict.MALICIOUS, message, member.header, member.name))
    if member.encrypted or flags & (_ENCRYPTED | _PATCH):
        # torch's reader ignores these flags, others refuse them: readers see different content.
        message = "The member is encrypted or a patch, so its content cannot be judged."
        issues.add(Issue("zip:encrypted", Verdict.UNKNOWN, message, member.header, member.name))
    end = start + member.packed
    if end > source.size:
        issues.add(
            Issue(
                "zip:header",
                Verdict.MALICIOUS,
                "The member reaches over the end of the file.",
                start,
                member.name,
            )
        )
        return member
    if later:
        end += _descriptor_length(source, end, member)
    return _placed(member, start, end)


def _placed(member: Member, start: int, end: int) -> Member:
    return Member(
        member.name,
        member.flags,
        member.method,
        member.crc,
        member.packed,
        member.size,
        member.header,
        start,
        end,
        member.link,
    )


def _descriptor_length(source: ByteSource, at: int, member: Member) -> int:
    """Length of the data descriptor: with or without its signature, with sizes of 4 or 8 bytes."""
    data = source.read_at(at, 24)
    for signature in (_DESCRIPTOR, b""):
        for width in (8, 4):
            wanted = signature + struct.pack("<I", member.crc)
            for number in (member.packed, member.size):
                wanted += (number & ((1 << 8 * width) - 1)).to_bytes(width, "little")
            if data.startswith(wanted):
                return len(wanted)
    return 0


def _names(members: list[Member], issues: Issues) -> None:
    seen: set[str] = set()
    for member in members:
        name = member.name
        if name in seen:
            message = "The archive has two members of this name; readers take different ones."
            issues.add(Issue("zip:duplicate", Verdict.MALICIOUS, message, member.header, name))
        seen.add(name)
        parts = name.replace("\\", "/").split("/")
        if (
            name.startswith(("/", "\\"))
            or ".." in parts
            or (len(name) > 1 and name[1] == ":")
            or "\0" in name
        ):
            message = f"The member's name {shown(name)} leads out of the folder that it is unpacked into."
            issues.add(Issue("zip:path", Verdict.MALICIOUS, message, member.header, shown(name, 200)))
        if member.link:
            message = "The member is a symbolic link."
            issues.add(Issue("zip:link", Verdict.MALICIOUS, message, member.header, name))


def _layout(source: ByteSource, members: list[Member], end: _End, issues: Issues) -> None:
    """Every byte before the directory belongs to exactly one member."""
    at = 0
    for member in sorted((m for m in members if m.end >= 0), key=lambda m: m.header):
        if member.header < at:
            message = "The member overlaps another one."
            issues.add(Issue("zip:overlap", Verdict.MALICIOUS, message, member.header, member.name))
        elif member.header > at:
            _gap(source, at, member.header, issues)
        at = max(at, member.end)
    directory = end.trailer - end.directory_size
    if at > directory:
        issues.add(Issue("zip:overlap", Verdict.MALICIOUS, "A member reaches into the directory.", directory))
    elif at < directory:
        _gap(source, at, directory, issues)


def _gap(source: ByteSource, start: int, end: int, issues: Issues) -> None:
    hidden = _LOCAL in source.read_at(start, min(end - start, 1 << 20))
    what = "a member that the directory does not name" if hidden else "bytes that belong to no member"
    rule = "zip:hidden" if hidden else "zip:gap"
    issues.add(Issue(rule, Verdict.MALICIOUS, f"The archive holds {what} ({end - start} bytes).", start))


def content(source: ByteSource, member: Member, *, max_output: int) -> Inflated:
    """See `Archive.open`."""
    name = member.name
    if member.start < 0:
        return Inflated(Window(source, 0, 0, name), "corrupt")
    packed = Window(source, member.start, member.packed, name)
    if member.method == STORED:
        if member.packed != member.size:
            return Inflated(packed, "corrupt")
        return Inflated(packed)
    kind = {DEFLATED: "deflate", BZIPPED: "bzip2"}.get(member.method)
    if kind is None:
        return Inflated(Window(source, 0, 0, name), "corrupt")
    found = inflate(packed, kind, max_output=min(max_output, member.size), name=name)
    if found.problem == "budget" and member.size <= max_output:
        return Inflated(found.source, "corrupt", spent=found.spent)
    if not found.problem and (found.source.size != member.size or found.trailing):
        return Inflated(found.source, "corrupt", spent=found.spent)
    return found
