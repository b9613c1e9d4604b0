"""HDF5 files, as far as h5py writes them for models (HDF5 File Format Specification 3.0).

Every object of the file is visited: superblock, groups, attributes, and the layout of each dataset; no array is read.
An HDF5 file can take its data from other files: external storage, external links, virtual datasets (CVE-2026-1669);
it can ask for filters that are loaded as libraries; and it can promise arrays that fill the memory (CVE-2026-0897).
What is in none of the forms that are known here is `unknown`.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Final

from lockflight.core.findings import Verdict
from lockflight.core.records import dataclass
from lockflight.formats.report import Issue, Issues, shown
from lockflight.formats.tensors.hdf5_bytes import NOWHERE, BadHdf5, Bytes, messages_of

if TYPE_CHECKING:
    from lockflight.core.source import ByteSource
    from lockflight.formats.tensors.hdf5_bytes import Message

MAX_OBJECTS: Final = 200_000
#: Bytes of attribute values that are kept, all together and each.
MAX_VALUES: Final = 64 * 1024 * 1024
MAX_VALUE: Final = 32 * 1024 * 1024
#: Deflate makes at most 1,032 bytes out of one.
_MAX_RATIO: Final = 1_100
_MAX_RANK: Final = 32
MAX_PATH: Final = 16_384

_SPACE, _LINKS, _TYPE, _LINK, _EXTERNAL, _LAYOUT, _FILTERS, _ATTRIBUTE = 1, 2, 3, 6, 7, 8, 11, 12
_TABLE, _DRIVER, _MORE_ATTRIBUTES = 17, 20, 21
#: They say nothing that decides: nothing, fill values, group info, comments, times, free space, references.
_CALM: Final = frozenset({0, 4, 5, 10, 13, 14, 16, 18, 19, 22, 23})
#: deflate, shuffle, fletcher32, szip, nbit, scale-offset: part of the library. All others are loaded when asked for.
_OWN_FILTERS: Final = frozenset({1, 2, 3, 4, 5, 6})
_FIXED, _FLOAT, _STRING, _ENUM, _VARIABLE = 0, 1, 3, 8, 9
_PLAIN: Final = frozenset({_FIXED, _FLOAT, _STRING, _ENUM})


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute that holds one text: the path of its object, its name, and its bytes."""

    path: str
    name: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Hdf5File:
    """What was read of a file; `texts` are all attributes that hold one text."""

    issues: tuple[Issue, ...]
    texts: tuple[Attribute, ...]

    def text(self, name: str) -> bytes | None:
        """An attribute of the root."""
        return next((a.value for a in self.texts if a.path == "" and a.name == name), None)


def parse_hdf5(source: ByteSource) -> Hdf5File:
    """Visit every object."""
    reader = _Reader(source)
    try:
        reader.file()
    except BadHdf5 as error:
        rule = f"hdf5:{error.kind}"
        reader.add(rule, Verdict.UNKNOWN, f"The HDF5 file cannot be judged: {error}.", error.offset)
    return Hdf5File(reader.issues.frozen(), tuple(reader.texts))


class _Reader:
    def __init__(self, source: ByteSource) -> None:
        self.bytes = Bytes(source)
        self.size = source.size
        self.issues = Issues()
        self.texts: list[Attribute] = []
        self.kept = 0
        #: Trees and heaps of groups as their entries repeat them, and heaps of texts that were read.
        self.repeated: dict[int, bytes] = {}
        self.heaps: dict[int, dict[int, tuple[int, int]]] = {}

    def add(self, rule: str, verdict: Verdict, message: str, offset: int = -1, subject: str = "") -> None:
        """Tell an issue."""
        self.issues.add(Issue(rule, verdict, message, offset, subject=shown(subject, 200)[1:-1]))

    # -- the file --

    def file(self) -> None:
        """From the superblock to the last object."""
        todo = [("", self._superblock())]
        visited: set[int] = set()
        while todo:
            path, address = todo.pop()
            if address in visited:
                continue
            visited.add(address)
            if len(path) > MAX_PATH:
                raise BadHdf5(
                    f"its groups lie so deep that a path has more than {MAX_PATH:,} characters", kind="budget"
                )
            if len(visited) > MAX_OBJECTS:
                raise BadHdf5(f"it has more than the {MAX_OBJECTS:,} objects that are read", kind="budget")
            todo.extend((f"{path}/{name}", child) for name, child in self._object(path, address))

    def _superblock(self) -> int:
        """The address of the root group."""
        data = self.bytes.at(0, 96, short=True)
        version = data[8] if len(data) > 8 else 255
        if version in {0, 1}:
            widths, start = data[13:15], 24 if version == 0 else 28
            base, _, end, driver, _, root = (self._number(data, start + 8 * i) for i in range(6))
            self._repeat(root, data[start + 48 : start + 72])
        elif version in {2, 3}:
            widths, driver = data[9:11], NOWHERE
            base, extension, end, root = (self._number(data, 12 + 8 * i) for i in range(4))
            if extension != NOWHERE:
                raise BadHdf5("it has an extension of its superblock", kind="unread")
        else:
            raise BadHdf5("its version is not known")
        if widths != b"\x08\x08" or base != 0:
            raise BadHdf5("its addresses are not written as h5py writes them", kind="unread")
        if driver != NOWHERE:
            raise BadHdf5("it is part of a family of files", kind="unread")
        if end != self.size:
            raise BadHdf5("it does not end where it says")
        return root

    @staticmethod
    def _number(data: bytes, at: int) -> int:
        if at + 8 > len(data):
            raise BadHdf5("it is cut off")
        return int.from_bytes(data[at : at + 8], "little")

    def _repeat(self, address: int, cache: bytes) -> None:
        """Readers may take the tree of a group from the entry that leads to it, so it has to be the same one."""
        if cache[:4] == b"\1\0\0\0":
            self.repeated[address] = cache[8:24]

    # -- objects --

    def _object(self, path: str, address: int) -> list[tuple[str, int]]:
        """Judge an object; its children."""
        children: list[tuple[str, int]] = []
        parts: dict[int, Message] = {}
        for message in messages_of(self.bytes, address):
            kind = message.kind
            if message.shared:
                raise BadHdf5(
                    "a part of an object is shared with others", kind="unread", offset=message.offset
                )
            if kind in {_SPACE, _TYPE, _LAYOUT, _FILTERS, _TABLE}:
                if kind in parts:
                    raise BadHdf5("an object is described twice", offset=message.offset)
                parts[kind] = message
            if kind == _TABLE:
                if self.repeated.get(address, message.data[:16]) != message.data[:16]:
                    raise BadHdf5("a group and the entry that leads to it disagree", offset=message.offset)
                children.extend(self._table(message))
            elif kind == _LINK:
                children.extend(self._link(message))
            elif kind in {_LINKS, _MORE_ATTRIBUTES}:
                self._dense(message)
            elif kind == _ATTRIBUTE:
                self._attribute(path, message)
            elif kind == _EXTERNAL:
                text = f"The dataset {shown(path)} takes its data from other files."
                self.add("hdf5:external", Verdict.MALICIOUS, text, message.offset, path)
            elif kind not in _CALM and kind not in parts:
                raise BadHdf5(
                    f"an object has a part of the kind {kind}", kind="unread", offset=message.offset
                )
        if _LAYOUT in parts:
            self._dataset(path, parts)
        return children

    def _dense(self, message: Message) -> None:
        """Links or attributes that are too many for the object itself lie in a heap, which is not read."""
        flags = message.data[1] if len(message.data) > 1 else 0
        wide = 8 if message.kind == _LINKS else 2
        heap = self._number(message.data, 2 + (wide if flags & 1 else 0))
        if heap != NOWHERE:
            raise BadHdf5(
                "it keeps links or attributes in a heap of the newer kind",
                kind="unread",
                offset=message.offset,
            )

    def _link(self, message: Message) -> list[tuple[str, int]]:
        data = message.data
        flags, at = (data[1], 2) if len(data) > 3 else (0, 2)
        kind = 0
        if flags & 8:
            kind, at = data[at], at + 1
        at += 8 if flags & 4 else 0
        at += 1 if flags & 16 else 0
        width = 1 << (flags & 3)
        length = int.from_bytes(data[at : at + width], "little")
        at += width
        name = data[at : at + length].decode("utf-8", "backslashreplace")
        at += length
        if kind == 64:
            text = f"The link {shown(name)} leads into another file."
            self.add("hdf5:external", Verdict.MALICIOUS, text, message.offset, name)
        elif kind:
            text = f"The link {shown(name)} is none to an object of this file."
            self.add("hdf5:link", Verdict.UNKNOWN, text, message.offset, name)
        else:
            return [(name, self._number(data, at))]
        return []

    def _table(self, message: Message) -> list[tuple[str, int]]:
        """Links of a group of the older kind: a tree of nodes, with the names in a heap."""
        tree, heap_at = self._number(message.data, 0), self._number(message.data, 8)
        heap = self.bytes.at(heap_at, 32)
        if heap[:5] != b"HEAP\0":
            raise BadHdf5("a heap of names is not where it should be", offset=heap_at)
        names = self.bytes.at(self._number(heap, 24), self._number(heap, 8))
        found: list[tuple[str, int]] = []
        todo, seen = [tree], set[int]()
        while todo:
            at = todo.pop()
            if at in seen or len(seen) > MAX_OBJECTS:
                raise BadHdf5("a tree of names leads in a circle or is too large", offset=at)
            seen.add(at)
            head = self.bytes.at(at, 8)
            if head[:4] == b"TREE" and head[4] == 0:
                count = int.from_bytes(head[6:8], "little")
                body = self.bytes.at(at + 24, 16 * count + 8)
                todo.extend(self._number(body, 8 + 16 * i) for i in range(count))
            elif head[:5] == b"SNOD\1":
                count = int.from_bytes(head[6:8], "little")
                body = self.bytes.at(at + 8, 40 * count)
                found.extend(self._entry(body[40 * i : 40 * i + 40], names) for i in range(count))
            else:
                raise BadHdf5("a tree of names is damaged", offset=at)
        return [(name, address) for name, address in found if address != NOWHERE]

    def _entry(self, entry: bytes, names: bytes) -> tuple[str, int]:
        start = self._number(entry, 0)
        end = names.find(b"\0", start)
        name = names[start : max(start, end)].decode("utf-8", "backslashreplace")
        if int.from_bytes(entry[16:20], "little") == 2:
            self.add(
                "hdf5:link",
                Verdict.UNKNOWN,
                f"The link {shown(name)} is none to an object of this file.",
                -1,
                name,
            )
            return name, NOWHERE
        self._repeat(self._number(entry, 8), entry[16:40])
        return name, self._number(entry, 8)

    # -- datasets --

    def _dataset(self, path: str, parts: dict[int, Message]) -> None:
        layout = parts[_LAYOUT]
        if not {_SPACE, _TYPE} <= set(parts):
            raise BadHdf5("a dataset has no shape or no type", offset=layout.offset)
        kind, _, width = _type(parts[_TYPE].data)
        if kind not in _PLAIN and kind != _VARIABLE:
            text = f"The dataset {shown(path)} holds values of a type that is not known here."
            self.add("hdf5:type", Verdict.UNKNOWN, text, parts[_TYPE].offset, path)
        dims = _space(parts[_SPACE].data)
        size = prod(dims) * width
        storage, allowed = self._storage(layout, path)
        limit = self.size * _MAX_RATIO if storage == 2 else self.size
        if size > limit:
            text = f"The dataset {shown(path)} promises {size} bytes, more than the file can hold."
            self.add("hdf5:size", Verdict.UNKNOWN, text, layout.offset, path)
        elif allowed is not None and allowed < size:
            text = f"The dataset {shown(path)} is longer than its place in the file."
            self.add("hdf5:size", Verdict.UNKNOWN, text, layout.offset, path)
        if _FILTERS in parts:
            self._filters(parts[_FILTERS], path)

    def _storage(self, layout: Message, path: str) -> tuple[int, int | None]:
        """How a dataset is stored (0 in its header, 1 in one piece, 2 in chunks) and how many bytes lie there."""
        data = layout.data
        version = data[0] if data else 0
        if version in {1, 2} and len(data) >= 8:
            return data[2], None
        if version not in {3, 4} or len(data) < 4:
            raise BadHdf5(
                "a dataset is stored in a way that is not known here", kind="unread", offset=layout.offset
            )
        kind = data[1]
        if kind == 3:
            text = f"The dataset {shown(path)} is put together from other files."
            self.add("hdf5:external", Verdict.MALICIOUS, text, layout.offset, path)
        elif kind == 1:
            address, size = self._number(data, 2), self._number(data, 10)
            if address == NOWHERE:
                return 1, None
            if address + size > self.size:
                raise BadHdf5("a dataset reaches over the end", offset=layout.offset)
            return 1, size
        elif kind == 0:
            return 0, int.from_bytes(data[2:4], "little")
        elif kind != 2:
            raise BadHdf5(
                "a dataset is stored in a way that is not known here", kind="unread", offset=layout.offset
            )
        return kind, None

    def _filters(self, message: Message, path: str) -> None:
        data = message.data
        version, count = (data[0], data[1]) if len(data) > 1 else (0, 0)
        if version not in {1, 2}:
            raise BadHdf5("a list of filters is not known here", kind="unread", offset=message.offset)
        at = 8 if version == 1 else 2
        for _ in range(count):
            head = data[at : at + 8]
            number = int.from_bytes(head[:2], "little")
            named = version == 1 or number >= 256
            length = int.from_bytes(head[2:4], "little") if named else 0
            values = int.from_bytes(head[6:8] if named else head[4:6], "little")
            at += (8 if named else 6) + length + 4 * (values + (values % 2 if version == 1 else 0))
            if number not in _OWN_FILTERS or at > len(data):
                text = f"The dataset {shown(path)} needs the filter {number}, which is loaded as a library."
                self.add("hdf5:filter", Verdict.UNKNOWN, text, message.offset, path)

    # -- attributes --

    def _attribute(self, path: str, message: Message) -> None:
        data = message.data
        version = data[0] if len(data) >= 8 else 0
        if version not in {1, 2, 3} or (version > 1 and data[1]):
            raise BadHdf5(
                "an attribute is not written as h5py writes it", kind="unread", offset=message.offset
            )
        n_name, n_type, n_space = (int.from_bytes(data[2 + 2 * i : 4 + 2 * i], "little") for i in range(3))
        at = 9 if version == 3 else 8
        pad = 7 if version == 1 else 0
        raw_name, at = data[at : at + n_name], at + (n_name + pad & ~pad)
        raw_type, at = data[at : at + n_type], at + (n_type + pad & ~pad)
        raw_space, at = data[at : at + n_space], at + (n_space + pad & ~pad)
        name = raw_name.rstrip(b"\0").decode("utf-8", "backslashreplace")
        kind, text, width = _type(raw_type)
        dims = _space(raw_space)
        value = data[at : at + width * prod(dims)] if prod(dims) <= len(data) else b""
        if len(value) != width * prod(dims):
            raise BadHdf5("an attribute is longer than its place", offset=message.offset)
        if name == "PYTABLES_FORMAT_VERSION":
            self.add(
                "hdf5:pytables",
                Verdict.UNKNOWN,
                "The file is one of PyTables or pandas, which unpickle its attributes.",
            )
        if kind == _STRING:
            self._keep(path, name, value if prod(dims) == 1 else b"")
        elif kind == _VARIABLE and text:
            if dims in {(), (1,)}:
                self._keep(path, name, self._variable(value))
        elif kind not in _PLAIN:
            sentence = f"The attribute {shown(name)} holds values of a type that is not known here."
            self.add("hdf5:type", Verdict.UNKNOWN, sentence, message.offset, f"{path}@{name}")

    def _keep(self, path: str, name: str, value: bytes) -> None:
        self.kept += len(value)
        if self.kept > MAX_VALUES or len(value) > MAX_VALUE:
            raise BadHdf5(
                f"its attributes are larger than the {MAX_VALUES >> 20} MiB that are read", kind="budget"
            )
        if value:
            self.texts.append(Attribute(path, name, value.rstrip(b"\0")))

    def _variable(self, value: bytes) -> bytes:
        """A text of any length lies in a heap: its length, the address of the heap, its number there."""
        length, at, wanted = (int.from_bytes(value[a:b], "little") for a, b in ((0, 4), (4, 12), (12, 16)))
        if not length:
            return b""
        if at not in self.heaps:
            self.heaps[at] = self._heap(at)
        where, size = self.heaps[at].get(wanted, (0, 0))
        if size < length:
            raise BadHdf5("a text is not where it should be", offset=at)
        return self.bytes.at(where, length)

    def _heap(self, at: int) -> dict[int, tuple[int, int]]:
        """The texts of a heap by their number: offset and size."""
        head = self.bytes.at(at, 16)
        if head[:5] != b"GCOL\1":
            raise BadHdf5("a heap of texts is damaged", offset=at)
        found: dict[int, tuple[int, int]] = {}
        here, end = at + 16, at + self._number(head, 8)
        while here + 16 <= end:
            entry = self.bytes.at(here, 16)
            number, size = int.from_bytes(entry[:2], "little"), self._number(entry, 8)
            if number == 0:
                break
            if number in found or here + 16 + size > end:
                raise BadHdf5("a heap of texts is damaged", offset=here)
            found[number] = (here + 16, size)
            here += 16 + (size + 7 & ~7)
        return found


def _type(data: bytes) -> tuple[int, bool, int]:
    """Class of a datatype, whether it is a text of any length, and bytes of a value."""
    if len(data) < 8:
        raise BadHdf5("a type is cut off")
    return data[0] & 15, data[0] & 15 == _VARIABLE and data[1] & 15 == 1, int.from_bytes(data[4:8], "little")


def _space(data: bytes) -> tuple[int, ...]:
    """The shape; of nothing at all, (0,)."""
    if len(data) < 4 or data[0] not in {1, 2} or data[1] > _MAX_RANK:
        raise BadHdf5("a shape is not known here")
    at = 8 if data[0] == 1 else 4
    if data[0] == 2 and data[3] == 2:
        return (0,)
    if at + 8 * data[1] > len(data):
        raise BadHdf5("a shape is cut off")
    return tuple(int.from_bytes(data[at + 8 * i : at + 8 * i + 8], "little") for i in range(data[1]))
