"""What a witness keeps: its name, the keys of the logs that it watches, and what it has cosigned last of each.

All of it is one file, outside of every log. Whoever loses it has lost the memory that a witness is for: it is never
made anew in silence.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from lockflight.core.canonical import JsonObject, JsonValue, loads_object
from lockflight.core.log.merkle import EMPTY_ROOT
from lockflight.core.shape import array, obj, text
from lockflight.core.verify.log.note import KIND_ED25519, MAX_TIME, parse_vkey
from lockflight.errors import ConflictError, EnvironmentProblem, NotFound, VerificationFailed
from lockflight.store.files import locked, make_folder, read_file, replace_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lockflight.core.ports import WatchedLog
    from lockflight.core.verify.log.note import NoteKey

STATE: Final = "state.json"
KEY: Final = "witness.pem"
LOCK: Final = "lock"
SCHEMA: Final = "https://lockflight.dev/schema/witness/v1"
MAX_STATE_BYTES: Final = 16 * 1024 * 1024
MAX_LOGS: Final = 1000


@dataclass(frozen=True, slots=True)
class _Watched:
    """See `core.ports.WatchedLog`."""

    keys: tuple[str, ...]
    size: int = 0
    root: bytes = EMPTY_ROOT
    time: int = 0
    note: str = ""


class WitnessFolder:
    """The `WitnessState` in a folder; safe for threads and processes.

    Args:
        folder: holds `state.json`, and beside it the key.

    Raises:
        NotFound: LF5053 there is no witness.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / STATE
        if not self._path.is_file():
            raise NotFound(
                "LF5053",
                f"There is no witness in {folder}.",
                hint="lockflight log witness init DIR --name NAME --log VKEY; never over a state that was lost.",
            )

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """See `WitnessState.exclusive`."""
        try:
            with locked(self._folder / LOCK, "the state of the witness"):
                yield
        except OSError as error:
            raise self._unusable(f"{error.strerror}") from error

    @property
    def name(self) -> str:
        """See `WitnessState.name`."""
        return self._read()[0]

    def logs(self) -> dict[str, WatchedLog]:
        """See `WitnessState.logs`."""
        return dict(self._read()[1])

    def record(self, origin: str, *, size: int, root: bytes, time: int, note: str) -> None:
        """See `WitnessState.record`."""
        name, logs = self._read()
        logs[origin] = replace(logs[origin], size=size, root=root, time=time, note=note)
        self._write(name, logs)

    def watch(self, keys: list[NoteKey]) -> None:
        """Watch more logs, or further keys of one; what was seen of them stays."""
        with self.exclusive():
            name, logs = self._read()
            for key in keys:
                known = logs.get(key.name, _Watched(()))
                if key.vkey not in known.keys:
                    logs[key.name] = replace(known, keys=(*known.keys, key.vkey))
            self._write(name, logs)

    def _read(self) -> tuple[str, dict[str, _Watched]]:
        try:
            data = read_file(self._path, MAX_STATE_BYTES)
            if data is None:
                raise ValueError("it is gone")
            raw = loads_object(data, what="state of the witness", max_bytes=MAX_STATE_BYTES)
            if raw.get("schema") != SCHEMA:
                raise ValueError("it is of another version")
            logs = {text(obj(log)["origin"]): _watched(obj(log)) for log in array(raw["logs"])}
            return text(raw["name"]), logs
        except OSError as error:
            raise self._unusable(f"{error.strerror}") from error
        except VerificationFailed as error:
            raise self._unusable(error.message.rstrip(".")) from error
        except (KeyError, TypeError, ValueError) as error:
            raise self._unusable(str(error)) from error

    def _write(self, name: str, logs: dict[str, _Watched]) -> None:
        if len(logs) > MAX_LOGS:
            raise self._unusable(f"a witness watches at most {MAX_LOGS} logs")
        try:
            replace_file(self._path, _encoded(name, logs))
        except OSError as error:
            raise self._unusable(f"{error.strerror}") from error

    def _unusable(self, why: str) -> EnvironmentProblem:
        return EnvironmentProblem(
            "LF5054",
            f"The state {self._path} of the witness cannot be used: {why}.",
            hint="Restore the newest copy. Without its memory a witness must take another name and key.",
        )


def create(folder: Path, name: str) -> WitnessFolder:
    """Make the folder and empty state of a new witness; the caller has made its key.

    Raises:
        ConflictError: LF5055 there is one.
        EnvironmentProblem: LF5054 it cannot be written.
    """
    path = folder / STATE
    try:
        make_folder(folder)
        with locked(folder / LOCK, "the state of the witness"):
            if path.exists():
                raise ConflictError(
                    "LF5055",
                    f"There is a witness in {folder} already.",
                    hint="lockflight log witness show DIR",
                )
            replace_file(path, _encoded(name, {}))
    except OSError as error:
        raise EnvironmentProblem(
            "LF5054",
            f"The state {path} of the witness cannot be written: {error.strerror}.",
            hint=f"df -h {folder}; ls -ld {folder}",
        ) from error
    return WitnessFolder(folder)


def _watched(raw: JsonObject) -> _Watched:
    keys = tuple(text(key) for key in array(raw["keys"]))
    known = [parse_vkey(key) for key in keys]
    if not known or any(key.kind != KIND_ED25519 or key.name != raw["origin"] for key in known):
        raise ValueError("a log has no key of its own name")
    root = bytes.fromhex(text(raw["root"]))
    size, time = _number(raw["size"]), _number(raw["time"])
    if len(root) != len(EMPTY_ROOT) or (size == 0 and root != EMPTY_ROOT):
        raise ValueError("a root is not one of a tree of that size")
    return _Watched(keys, size, root, time, text(raw["note"]))


def _number(value: JsonValue) -> int:
    number = int(text(value))
    if not 0 <= number <= MAX_TIME:
        raise ValueError("a number is out of range")
    return number


def _encoded(name: str, logs: dict[str, _Watched]) -> bytes:
    listed = [
        {
            "origin": origin,
            "keys": list(log.keys),
            "size": str(log.size),
            "root": log.root.hex(),
            "time": str(log.time),
            "note": log.note,
        }
        for origin, log in sorted(logs.items())
    ]
    return (
        json.dumps({"schema": SCHEMA, "name": name, "logs": listed}, indent=1, sort_keys=True).encode()
        + b"\n"
    )
