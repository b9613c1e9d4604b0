"""A bundle as one file: a `tar.gz` that is the same for the same files, and a strict reader of such files.

An archive comes from outside. It may hold regular files only, each once, under the plain names that a folder could
have; sizes and counts have budgets before anything is inflated or kept.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from typing import TYPE_CHECKING

from lockflight.errors import EnvironmentProblem
from lockflight.infra.files import Folder
from lockflight.policy.bundle import MAX_BYTES, MAX_FILE_BYTES, MAX_FILES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SUFFIX = ".tar.gz"

_BLOCK = 512
#: A header and padding for each file, and what pax headers may add.
_OVERHEAD = 4 * _BLOCK
MAX_INFLATED = MAX_BYTES + MAX_FILES * _OVERHEAD
_GZIP = 16 + zlib.MAX_WBITS


def packed(files: Mapping[str, bytes]) -> bytes:
    """The archive of a bundle's files: sorted, without times, owners and other traces of where it was made."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(files):
            member = tarfile.TarInfo(path)
            member.size = len(files[path])
            member.mode = 0o644
            archive.addfile(member, io.BytesIO(files[path]))
    return gzip.compress(buffer.getvalue(), compresslevel=9, mtime=0)


def archive_files(path: Path) -> dict[str, bytes]:
    """The files of a bundle that stands in one archive.

    Raises:
        EnvironmentProblem: LF4005 it is no such archive; LF5xxx it cannot be read.
        InvalidInput: it is a link or no regular file.
        NotFound: LF1009 there is no such folder.
    """
    return unpacked(archive_bytes(path))


def archive_bytes(path: Path) -> bytes:
    """The bytes of an archive that may hold a bundle.

    Raises:
        EnvironmentProblem: LF4005 it is larger than any; LF5xxx it cannot be read.
        InvalidInput: it is a link or no regular file.
        NotFound: LF1009 there is no such folder.
    """
    with Folder(path.parent) as folder:
        source = folder.open(path.name)
        try:
            if source.size > MAX_BYTES:
                raise _problem(f"it is {source.size} bytes long; at most {MAX_BYTES} are read")
            body = source.read_at(0, source.size)
            source.check()
        finally:
            source.close()
    return body


def unpacked(body: bytes) -> dict[str, bytes]:
    """Path to content of every file in an archive; what the names may be is judged by `bundle.read_bundle`.

    Raises:
        EnvironmentProblem: LF4005 it is no archive, holds anything but regular files, or goes over a budget.
    """
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(_inflated(body)), mode="r:") as archive:
            while (member := archive.next()) is not None:
                _check(member, files)
                content = archive.extractfile(member)
                files[member.name] = content.read(MAX_FILE_BYTES + 1) if content is not None else b""
                if len(files[member.name]) != member.size:
                    raise _problem("it ends in the middle of a file")
    except (tarfile.TarError, zlib.error, EOFError, ValueError, OverflowError, KeyError, OSError) as error:
        raise _problem(f"it cannot be read ({str(error)[:120] or type(error).__name__})") from error
    return files


def _inflated(body: bytes) -> bytes:
    inflater = zlib.decompressobj(_GZIP)
    content = inflater.decompress(body, MAX_INFLATED + 1)
    if len(content) > MAX_INFLATED:
        raise _problem(f"it holds more than {MAX_INFLATED} bytes")
    if not inflater.eof or inflater.unused_data:
        raise _problem("it is cut off, or more follows its end")
    return content


def _check(member: tarfile.TarInfo, files: Mapping[str, bytes]) -> None:
    if member.type not in {tarfile.REGTYPE, tarfile.AREGTYPE} or member.issparse():
        raise _problem(f"{member.name[:120]} is not a regular file")
    if member.size > MAX_FILE_BYTES:
        raise _problem(f"{member.name[:120]} is {member.size} bytes long; at most {MAX_FILE_BYTES} are read")
    if member.name in files:
        raise _problem(f"it holds {member.name[:120]} twice")
    if len(files) >= MAX_FILES:
        raise _problem(f"it holds more than {MAX_FILES} files")


def _problem(what: str) -> EnvironmentProblem:
    return EnvironmentProblem(
        "LF4005",
        f"This archive is no policy bundle: {what}.",
        hint="lockflight policy bundle FOLDER --out FILE.tar.gz",
    )
