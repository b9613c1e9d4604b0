"""Which identity tokens have been used: a token is worth one certificate, whatever crashes in between.

A file of lines in the realm's folder: until when a token could still be used (Unix seconds, twelve digits), and its
SHA-256. The first line says up to when tokens were forgotten; none that could be used only until then is taken again,
so that a clock that goes back brings no token back. May be lost with the realm stopped for an hour, no sooner.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from lockflight.errors import EnvironmentProblem, PolicyDenied
from lockflight.store.files import FILE_MODE, locked, make_folder, read_file, replace_file, sync_folder

if TYPE_CHECKING:
    from pathlib import Path

#: Tokens that can be remembered at once; they live an hour at most.
MAX_TOKENS: Final = 20_000
_LINE: Final = re.compile(rb"([0-9]{12}) ([0-9a-f]{64})\n")
_WIDTH: Final = 78
_FORGOTTEN: Final = "0" * 64


class TokenMemory:
    """The memory of one realm in one home.

    Args:
        folder: the realm's.
        most: how many tokens are remembered.
    """

    def __init__(self, folder: Path, *, most: int = MAX_TOKENS) -> None:
        self._folder = folder / "tokens"
        self._path = self._folder / "used"
        self._most = most

    def take(self, once: str, until: int, now: int) -> None:
        """Remember a token, durably, or refuse it because it was used before.

        Args:
            once: hex SHA-256 by which the token is known.
            until: Unix seconds from which it cannot be used any more, the skew of clocks included.
            now: Unix seconds.

        Raises:
            PolicyDenied: LF4647 it was used before, or may have been.
            EnvironmentProblem: LF4648 too many are remembered; LF4649 the memory is damaged or cannot be written;
                LF5031 it is locked.
        """
        try:
            make_folder(self._folder)
            with locked(self._folder / "lock", "the memory of tokens"):
                self._take(once, until, now)
        except (OSError, ValueError) as error:
            raise EnvironmentProblem(
                "LF4649",
                f"The memory of used tokens ({self._path}) cannot be used: {error}.",
                hint="Nothing was issued. Two hours after the last token was used, the file can be removed.",
            ) from error

    def _take(self, once: str, until: int, now: int) -> None:
        floor, used, torn = self._read()
        if once in used or until <= floor:
            raise PolicyDenied(
                "LF4647",
                "This token was used before; each is worth one certificate.",
                hint="Ask the issuer for a new one.",
            )
        gone = [known for known, ends in used.items() if ends <= now]
        if torn or 2 * len(gone) > len(used) or len(used) >= self._most:
            for known in gone:
                floor = max(floor, used.pop(known))
            if len(used) >= self._most:
                raise EnvironmentProblem(
                    "LF4648",
                    f"{self._most} tokens of the last hour are remembered; no more can be.",
                    hint="One certificate is enough for everything that a job signs within ten minutes.",
                )
            rows = [(floor, _FORGOTTEN), *((ends, known) for known, ends in used.items()), (until, once)]
            replace_file(self._path, b"".join(_line(*row) for row in rows))
            return
        self._append(_line(until, once), new=not used and not floor)

    def _read(self) -> tuple[int, dict[str, int], bool]:
        data = read_file(self._path, _WIDTH * (self._most + 2)) or b""
        whole = len(data) - len(data) % _WIDTH
        floor, used = 0, {}
        for start in range(0, whole, _WIDTH):
            found = _LINE.fullmatch(data, start, start + _WIDTH)
            if found is None:
                raise ValueError(f"it is damaged at byte {start}")
            if found[2].decode() == _FORGOTTEN:
                floor = max(floor, int(found[1]))
            else:
                used[found[2].decode()] = int(found[1])
        # A line that was cut off by a crash was never answered for: nothing was issued.
        return floor, used, whole != len(data)

    def _append(self, line: bytes, *, new: bool) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(self._path, flags, FILE_MODE)
        try:
            if os.write(handle, line) != len(line):
                raise OSError("a line was written in part")
            os.fsync(handle)
        finally:
            os.close(handle)
        if new:
            sync_folder(self._folder)


def _line(until: int, once: str) -> bytes:
    return b"%012d %s\n" % (until, once.encode())
