"""Checkpoints of a realm's log with the lines of its witnesses, in the realm's folder: the newest few."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from lockflight.core.verify.log.note import (
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    NoteSignature,
    format_note,
    parse_checkpoint,
    parse_note,
    signature_line,
)
from lockflight.errors import EnvironmentProblem
from lockflight.store.files import locked, make_folder, read_file, replace_file

if TYPE_CHECKING:
    from pathlib import Path

FOLDER: Final = "cosigned"
KEPT: Final = 16
_SUFFIX = ".note"


class CosignedNotes:
    """What witnesses have signed. It may be lost: they sign again when they are asked.

    Args:
        realm: the realm's folder.
    """

    def __init__(self, realm: Path) -> None:
        self._folder = realm / FOLDER

    def notes(self) -> list[str]:
        """Every note that is kept, greatest first; not verified.

        Raises:
            VerificationFailed: LF7202, LF7203 what lies there is no checkpoint.
            EnvironmentProblem: LF5036 it cannot be read.
        """
        if not self._folder.is_dir():
            return []
        try:
            found = [read_file(path, MAX_NOTE_BYTES) for path in sorted(self._folder.glob(f"*{_SUFFIX}"))]
        except (OSError, ValueError) as error:
            raise EnvironmentProblem(
                "LF5036",
                f"{self._folder} cannot be read: {error}.",
                hint=f"ls -l {self._folder}; it may be removed: lockflight log cosign asks again",
            ) from error
        notes = [data.decode("utf-8", "replace") for data in found if data]
        return sorted(notes, key=_size, reverse=True)

    def add(self, note: str, lines: list[NoteSignature]) -> str:
        """Keep the lines of witnesses for a checkpoint, beside those that are there.

        Args:
            note: the checkpoint, signed by log and clock.
            lines: verified; a newer one of the same key takes the place of the older.

        Returns:
            The note with all lines, those of log and clock first.

        Raises:
            EnvironmentProblem: LF5030 it cannot be written, LF5031.
        """
        parsed = parse_note(note)
        path = self._folder / f"{hashlib.sha256(parsed.text.encode()).hexdigest()}{_SUFFIX}"
        try:
            make_folder(self._folder)
            with locked(self._folder / "lock", "the checkpoints of the witnesses"):
                old = next((kept for kept in self.notes() if parse_note(kept).text == parsed.text), note)
                merged = {(line.name, line.keyid): line for line in parsed.signatures}
                merged |= {(line.name, line.keyid): line for line in parse_note(old).signatures}
                merged |= {(line.name, line.keyid): line for line in lines}
                whole = format_note(
                    parsed.text, [signature_line(line) for line in merged.values()][:MAX_SIGNATURES]
                )
                replace_file(path, whole.encode())
                for extra in self.notes()[KEPT:]:
                    text = parse_note(extra).text
                    (self._folder / f"{hashlib.sha256(text.encode()).hexdigest()}{_SUFFIX}").unlink(
                        missing_ok=True
                    )
        except OSError as error:
            raise EnvironmentProblem(
                "LF5030",
                f"{path} cannot be written: {error.strerror}.",
                hint=f"df -h {self._folder}; ls -ld {self._folder}",
            ) from error
        return whole


def _size(note: str) -> tuple[int, str]:
    return parse_checkpoint(parse_note(note).text).size, note
