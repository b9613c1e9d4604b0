"""Checkpoints of torch, taken apart: the pickle of the object, and the storages that its tensors lie in.

`torch.save` writes a zip archive, and before 1.6 wrote five pickles with the storages behind them. Both are read
strictly: what the writer does not write is an issue, and with an issue nothing of the checkpoint should be used.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from lockflight.core.findings import Verdict
from lockflight.core.records import dataclass
from lockflight.core.source import Window
from lockflight.formats.archive.zip import STORED, read_archive
from lockflight.formats.pickle.records import Budget
from lockflight.formats.pickle.streams import STORAGE_WIDTHS, TORCH_MAGIC, PickleReport, analyse
from lockflight.formats.pickle.vm import Machine
from lockflight.formats.report import Issue, Issues, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockflight.core.source import ByteSource
    from lockflight.formats.archive.zip import Archive, Member
    from lockflight.formats.pickle.allow import AllowList

#: A pickle of names and numbers: storages are beside it.
MAX_STREAM: Final = 1 << 30
_NOTES: Final = frozenset(
    {
        "version",
        ".data/version",
        "byteorder",
        ".format_version",
        ".storage_alignment",
        ".data/serialization_id",
    }
)
_LEGACY: Final = b"\x80\x02\x8a\x0a" + TORCH_MAGIC.to_bytes(10, "little")
_LEGACY_STREAMS: Final = 5


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is in a checkpoint.

    Attributes:
        stream: the pickle of the object.
        report: what unpickling it would do.
        storages: bytes of each storage, by key; only of a zip archive.
        keys: the pickle of the keys, in the order of the storages behind it; only of the old format.
        tail: offset of the first storage of the old format.
        issues: why it should not be used; empty for a sound one of listed names.
        big: its numbers are big-endian.
    """

    stream: ByteSource
    report: PickleReport
    storages: Mapping[str, ByteSource]
    issues: tuple[Issue, ...]
    keys: ByteSource | None = None
    tail: int = 0
    big: bool = False


def is_legacy(source: ByteSource) -> bool:
    """Whether a file begins like one of torch.save before 1.6."""
    return source.read_at(0, len(_LEGACY)) == _LEGACY


def is_archive(source: ByteSource) -> bool:
    """Whether a file begins like a zip archive."""
    return source.read_at(0, 4) == b"PK\x03\x04"


def read_checkpoint(source: ByteSource, allow: AllowList) -> Checkpoint:
    """Take a checkpoint apart and judge it: an archive, one of the old format, or a plain pickle without tensors."""
    if is_archive(source):
        return _archive(source, allow)
    report = analyse(source, allow)
    issues = Issues()
    issues.extend(report.issues)
    if not report.complete:
        issues.add(Issue("pickle:broken", Verdict.UNKNOWN, "The stream cannot be followed to its end."))
    if not is_legacy(source):
        return Checkpoint(source, report, {}, issues.frozen())
    ends = _ends(source, allow)
    if len(ends) < _LEGACY_STREAMS:
        issues.add(
            Issue("pickle:broken", Verdict.UNKNOWN, "The checkpoint has fewer streams than torch writes.")
        )
        return Checkpoint(source, report, {}, issues.frozen())
    stream = Window(source, ends[2], ends[3] - ends[2], source.name)
    keys = Window(source, ends[3], ends[4] - ends[3], source.name)
    return Checkpoint(stream, report, {}, issues.frozen(), keys, ends[4])


def _ends(source: ByteSource, allow: AllowList) -> list[int]:
    """Where each of the five streams of the old format ends."""
    ends: list[int] = []
    at = 0
    for number in range(_LEGACY_STREAMS):
        outcome = Machine(source, allow, Budget(), torch=number == 3).run(at)
        if not outcome.stopped:
            break
        at = outcome.end
        ends.append(at)
    return ends


def _archive(source: ByteSource, allow: AllowList) -> Checkpoint:
    archive = read_archive(source)
    issues = Issues()
    issues.extend(archive.issues)
    files = {member.name: member for member in archive.members if not member.folder}
    roots = [
        name.removesuffix("data.pkl") for name in files if name == "data.pkl" or name.endswith("/data.pkl")
    ]
    if len(roots) != 1:
        issues.add(Issue("torch:roots", Verdict.MALICIOUS, "The archive has not exactly one data.pkl."))
        nothing = Window(source, 0, 0, source.name)
        return Checkpoint(nothing, analyse(nothing, allow), {}, issues.frozen())
    root = roots[0]
    stream = _content(archive, files[f"{root}data.pkl"], issues)
    report = analyse(stream, allow, torch=True)
    issues.extend(report.issues)
    if not report.complete:
        issues.add(Issue("pickle:broken", Verdict.UNKNOWN, "The stream cannot be followed to its end."))
    storages: dict[str, ByteSource] = {}
    for pin in report.pins:
        name = f"{root}data/{pin.key}"
        member = files.get(name)
        if member is None or member.size != pin.numel * STORAGE_WIDTHS.get(pin.storage, 0):
            message = f"The storage {shown(name)} is missing or has not the length that the pickle says."
            issues.add(Issue("torch:storage", Verdict.UNKNOWN, message, subject=shown(name, 200)))
        elif member.method != STORED or member.start < 0:
            message = f"The storage {shown(name)} is compressed, which torch never does."
            issues.add(Issue("torch:storage", Verdict.UNKNOWN, message, subject=shown(name, 200)))
        else:
            storages[pin.key] = Window(source, member.start, member.size, name)
    known = {f"{root}data.pkl", *(f"{root}data/{pin.key}" for pin in report.pins)}
    for name in files:
        if name not in known and name.removeprefix(root) not in _NOTES:
            message = "The member is not one that torch.save writes, and nothing in the archive refers to it."
            issues.add(Issue("torch:member", Verdict.REVIEW, message, member=shown(name, 200)[1:-1]))
    order = files.get(f"{root}byteorder")
    big = order is not None and _content(archive, order, issues).read_at(0, 8) == b"big"
    return Checkpoint(stream, report, storages, issues.frozen(), big=big)


def _content(archive: Archive, member: Member, issues: Issues) -> ByteSource:
    opened = archive.open(member, max_output=MAX_STREAM)
    where = shown(member.name, 200)[1:-1]
    if opened.problem:
        message = f"The content of the member cannot be read ({opened.problem})."
        issues.add(Issue("zip:content", Verdict.UNKNOWN, message, member=where))
    elif _crc(opened.source) != member.crc:
        message = "The checksum of the member is wrong: some readers refuse it, others do not look."
        issues.add(Issue("zip:content", Verdict.MALICIOUS, message, member=where))
    return opened.source


def _crc(source: ByteSource) -> int:
    crc, at = 0, 0
    while data := source.read_at(at, 1 << 20):
        crc = zlib.crc32(data, crc)
        at += len(data)
    return crc
