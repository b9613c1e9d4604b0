"""Bytes that are hashed where they lie: in memory of our own, which no other process can write.

A file is read once, into a buffer, a sealed memory file or a private copy, and what was read is hashed there. Whoever
changes the package meanwhile changes what is refused, never what is returned.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import sys
from typing import TYPE_CHECKING, Final

from blake3 import blake3

from lockflight.deploy.refusals import no_room, not_a_file, not_signed
from lockflight.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockflight.core.release.release import Asset
    from lockflight.infra.files import FdSource, Folder

#: What stays in the second-level cache between the read and the hash.
CHUNK: Final = 256 * 1024
#: From here on memory comes from the kernel by itself and goes back to it.
_LARGE: Final = 1024 * 1024
#: More than this one `pread` does not return.
_MOST: Final = 1 << 30
SEALING: Final = sys.platform == "linux" and hasattr(os, "memfd_create")
_SEALS: Final = 0x1 | 0x2 | 0x4 | 0x8  # F_SEAL_SEAL, SHRINK, GROW, WRITE
_ADD_SEALS: Final = 1033
_TRANSLATED: Final = frozenset({"LF1001", "LF1002", "LF1003", "LF1012"})


def open_asset(folder: Folder, asset: Asset) -> FdSource:
    """Open a signed file by its name, never through a link.

    Raises:
        VerificationFailed: LF7510 it has another size, LF7512 it is gone, a link or no regular file.
        EnvironmentProblem: LF1008 it cannot be opened.
    """
    try:
        source = folder.open(asset.name)
    except InvalidInput as error:
        if error.code not in _TRANSLATED:
            raise
        raise not_a_file(asset.name, error.message) from error
    if source.size != asset.size:
        source.close()
        raise not_signed(asset.name, f"it has {source.size} bytes instead of {asset.size}")
    return source


def read_whole(source: FdSource, asset: Asset) -> bytes:
    """All bytes of a file, after they were found to be the signed ones.

    Raises:
        VerificationFailed: LF7510.
    """
    parts: list[bytes] = []
    left, state = asset.size, blake3()
    while left:
        part = os.pread(source.fileno(), min(left, _MOST), asset.size - left)
        if not part:
            raise not_signed(asset.name, "it became shorter while it was read")
        state.update(part)
        parts.append(part)
        left -= len(part)
    if state.hexdigest() != asset.blake3:
        raise _other(asset)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def buffer(size: int) -> memoryview:
    """Writable memory of our own."""
    return memoryview(bytearray(size) if size < _LARGE else mmap.mmap(-1, size))


def fill(source: FdSource, view: memoryview, offset: int) -> str:
    """Read a part of a file into a buffer, and hash it there; the BLAKE3 of what the buffer holds now.

    Raises:
        VerificationFailed: LF7510 the file ends before the buffer is full.
    """
    fd, state, at, size = source.fileno(), blake3(), 0, len(view)
    while at < size:
        n = os.preadv(fd, [view[at : at + CHUNK]], offset + at)
        if not n:
            raise not_signed(source.name, "it became shorter while it was read")
        state.update(view[at : at + n])
        at += n
    return state.hexdigest()


def seal(source: FdSource, asset: Asset) -> int:
    """A descriptor of a memory file that holds the signed bytes and can never be written again; the caller closes it.

    The seal comes before the hash: until then another process of the same user could reach the memory file through
    /proc.

    Raises:
        VerificationFailed: LF7510.
        EnvironmentProblem: LF7533 there is no memory for it.
    """
    try:
        fd = os.memfd_create("lockflight", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except OSError as error:
        raise no_room(asset.name, error) from error
    try:
        _copy(source, asset, lambda part: _write(fd, part))
        fcntl.fcntl(fd, _ADD_SEALS, _SEALS)
        _check_sealed(fd, asset)
    except OSError as error:
        os.close(fd)
        raise no_room(asset.name, error) from error
    except BaseException:
        os.close(fd)
        raise
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def copy_to(source: FdSource, asset: Asset, fd: int) -> None:
    """Write a file's bytes to a descriptor, hashing what is written.

    Raises:
        VerificationFailed: LF7510; what was written must then be thrown away.
        OSError: it cannot be written.
    """
    state = blake3()

    def take(part: memoryview) -> None:
        state.update(part)
        _write(fd, part)

    _copy(source, asset, take)
    if state.hexdigest() != asset.blake3:
        raise _other(asset)


def _check_sealed(fd: int, asset: Asset) -> None:
    state, view, offset = blake3(), memoryview(bytearray(CHUNK)), 0
    while n := os.preadv(fd, [view], offset):
        state.update(view[:n])
        offset += n
    if offset != asset.size or state.hexdigest() != asset.blake3:
        raise _other(asset)


def _copy(source: FdSource, asset: Asset, take: Callable[[memoryview], None]) -> None:
    view, offset = memoryview(bytearray(CHUNK)), 0
    while offset < asset.size:
        n = os.preadv(source.fileno(), [view[: min(CHUNK, asset.size - offset)]], offset)
        if not n:
            raise not_signed(asset.name, "it became shorter while it was read")
        take(view[:n])
        offset += n


def _write(fd: int, part: memoryview) -> None:
    while part:
        part = part[os.write(fd, part) :]


def _other(asset: Asset) -> Exception:
    return not_signed(asset.name, f"its blake3 is not {asset.blake3[:16]}…")
