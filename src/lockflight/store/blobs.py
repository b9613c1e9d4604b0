"""Content-addressed files: named by their SHA-256, written whole, checked on each read, erasable."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from lockflight.errors import EnvironmentProblem, InvalidInput, VerificationFailed
from lockflight.store.files import locked, make_folder, read_file, replace_file, sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: The longest envelope that is read (`core.dsse`); nothing in the store is longer.
MAX_BLOB_BYTES = 64 * 1024 * 1024

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


class BlobStore:
    """Blobs in a folder: `ab/abcd…` holds the bytes with that SHA-256.

    Args:
        folder: made on the first write (0700; files 0600).
        max_bytes: the longest blob that is taken or given.
    """

    def __init__(self, folder: Path, *, max_bytes: int = MAX_BLOB_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes

    def put(self, data: bytes) -> str:
        """Keep bytes durably.

        Returns:
            Their SHA-256, hex.

        Raises:
            InvalidInput: LF5038 longer than allowed.
            EnvironmentProblem: LF5030 it cannot be written.
        """
        if len(data) > self._max_bytes:
            raise InvalidInput(
                "LF5038",
                f"A blob of {len(data)} bytes is longer than the {self._max_bytes} that the store takes.",
                hint="Record its digest instead, and keep the bytes with your release.",
            )
        digest = hashlib.sha256(data).hexdigest()
        path = self._path(digest)
        try:
            make_folder(path.parent)
            with locked(self._folder / "lock", "the store of blobs"):
                if self._read(path) != data:
                    replace_file(path, data)
                # Also for a blob that is there: whoever wrote it may have died before its names were durable.
                for folder in (path.parent, self._folder, self._folder.parent):
                    sync_folder(folder)
        except OSError as error:
            raise EnvironmentProblem(
                "LF5030",
                f"The store cannot write {path}: {error.strerror}.",
                hint=f"df -h {self._folder}; ls -ld {self._folder}",
            ) from error
        return digest

    def get(self, digest: str) -> bytes | None:
        """The bytes with that SHA-256 (hex); None when erased or never held.

        Raises:
            InvalidInput: LF7215 not a digest.
            VerificationFailed: LF7223 the file holds other bytes.
            EnvironmentProblem: LF5036 it cannot be read.
        """
        path = self._path(digest)
        try:
            data = read_file(path, self._max_bytes)
        except ValueError as error:
            raise _damaged(path, f"{error}") from error
        except OSError as error:
            raise EnvironmentProblem(
                "LF5036", f"The store cannot read {path}: {error.strerror}.", hint=f"ls -l {path}"
            ) from error
        if data is not None and hashlib.sha256(data).hexdigest() != digest:
            raise _damaged(path, "its bytes do not have the digest that names it")
        return data

    def erase(self, digest: str) -> bool:
        """Forget a blob; whether it was there.

        Raises:
            InvalidInput: LF7215 not a digest.
            EnvironmentProblem: LF5030 it cannot be removed.
        """
        path = self._path(digest)
        try:
            path.unlink()
            sync_folder(path.parent)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise EnvironmentProblem(
                "LF5030", f"The store cannot remove {path}: {error.strerror}.", hint=f"ls -ld {path.parent}"
            ) from error
        return True

    def digests(self) -> Iterator[str]:
        """Every digest held, in order."""
        for path in sorted(self._folder.glob("??/*")):
            if _DIGEST.fullmatch(path.name):
                yield path.name

    def _path(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise InvalidInput(
                "LF7215", f"{digest[:80]!r} is not a SHA-256: 64 lower-case hex digits are expected."
            )
        return self._folder / digest[:2] / digest

    def _read(self, path: Path) -> bytes | None:
        try:
            return read_file(path, self._max_bytes)
        except ValueError:
            return None


def _damaged(path: Path, why: str) -> VerificationFailed:
    return VerificationFailed(
        "LF7223",
        f"The blob {path.name} is damaged: {why}.",
        hint=f"Restore {path} from a backup, or import the evidence again from its producer.",
    )
