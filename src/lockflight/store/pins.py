"""What this machine has seen and trusts, kept outside of every log: pins of realms and newest checkpoints.

`HOME/trust.toml` holds the pins of realms and nothing else; `HOME/pins/<SHA-256 of the origin>.note` the newest
checkpoint seen of each log. Whoever puts yesterday's copy of a log in its place does not reach these.
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
import tomllib
from typing import TYPE_CHECKING

from lockflight.core.records import dataclass
from lockflight.core.verify.log.log import older, open_checkpoint, rewritten
from lockflight.core.verify.log.note import MAX_NOTE_BYTES
from lockflight.core.verify.log.proofs import verify_consistency
from lockflight.errors import EnvironmentProblem, VerificationFailed
from lockflight.store.files import locked, make_folder, read_file, replace_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lockflight.core.ports import LogReader

MAX_TRUST_BYTES = 1024 * 1024
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
_ROOT = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_LINE = re.compile(r"[!-~]{1,256}", re.ASCII)
_FIELDS = {"root", "origin", "witnesses"}


@dataclass(frozen=True, slots=True)
class RealmPin:
    """By what a realm is recognised.

    Attributes:
        name: what people call it here.
        root: `sha256:` and 64 hex digits, the digest of its root of trust.
        origin: name of its log.
        witnesses: verifier keys of the witnesses that must cosign.
    """

    name: str
    root: str
    origin: str
    witnesses: tuple[str, ...] = ()


class PinStore:
    """The `Pins` of a home folder; everything in it is whole or absent after a crash.

    Args:
        home: made on the first write (0700).
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._folder = home / "pins"
        self._trust = home / "trust.toml"

    def read(self, origin: str) -> str:
        """See `Pins.read`.

        Raises:
            VerificationFailed: LF7222 it is damaged.
            EnvironmentProblem: LF5036 it cannot be read.
        """
        path = self._note(origin)
        try:
            data = read_file(path, MAX_NOTE_BYTES)
            text = "" if data is None else data.decode("utf-8")
        except OSError as error:
            raise EnvironmentProblem(
                "LF5036", f"The pin {path} cannot be read: {error.strerror}.", hint=f"ls -l {path}"
            ) from error
        except ValueError as error:
            raise self._damaged(origin, str(error)) from error
        if data is not None and not text:
            raise self._damaged(origin, "it is empty")
        return text

    def see(self, reader: LogReader, *, origin: str, log_key: bytes, clock_key: bytes) -> None:
        """See `Pins.see`."""
        path = self._note(origin)
        try:
            make_folder(self._folder)
            # Under the lock the pin is read before the log, so a log that grows meanwhile never looks old.
            with locked(path.with_suffix(".lock"), f"the pin {path}"):
                pin = self.read(origin)
                note = reader.checkpoint()
                if note != pin and self._continues(reader, pin, note, (origin, log_key, clock_key)):
                    replace_file(path, note.encode("utf-8"))
        except OSError as error:
            raise EnvironmentProblem(
                "LF5030",
                f"The pin {path} cannot be written: {error.strerror}.",
                hint=f"df -h {self._home}; ls -ld {self._folder}",
            ) from error

    def realms(self) -> dict[str, RealmPin]:
        """The pinned realms by name.

        Raises:
            EnvironmentProblem: LF5033 `trust.toml` cannot be used.
        """
        try:
            data = read_file(self._trust, MAX_TRUST_BYTES)
            if data is None:
                return {}
            if stat.S_IMODE(self._trust.stat().st_mode) & 0o022:
                raise ValueError("other users may write it")
            table = tomllib.loads(data.decode("utf-8"))
            if set(table) - {"realms"}:
                raise ValueError("it holds more than pins of realms")
            return {name: _realm(name, value) for name, value in table.get("realms", {}).items()}
        except OSError as error:
            raise self._unusable(f"{error.strerror}") from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise self._unusable(str(error)) from error

    def get(self, name: str) -> RealmPin | None:
        """The pin of one realm.

        Raises:
            EnvironmentProblem: LF5033 `trust.toml` cannot be used.
        """
        return self.realms().get(name)

    def set(self, name: str, *, root: str, origin: str, witnesses: Sequence[str] = ()) -> None:
        """Pin a realm; one that is pinned already must have the same root and origin.

        Raises:
            VerificationFailed: LF7224 that name is pinned to another root or log.
            EnvironmentProblem: LF5030 it cannot be written, LF5033 the file or the pin cannot be used.
        """
        try:
            pin = _realm(name, {"root": root, "origin": origin, "witnesses": list(witnesses)})
        except (TypeError, ValueError) as error:
            raise self._unusable(str(error)) from error
        self._change(name, pin)

    def forget(self, name: str) -> None:
        """Unpin a realm; the newest checkpoint seen of its log stays.

        Raises:
            EnvironmentProblem: as `set`.
        """
        self._change(name, None)

    def _change(self, name: str, pin: RealmPin | None) -> None:
        try:
            make_folder(self._home)
            with locked(self._home / "trust.lock", "trust.toml"):
                realms = self.realms()
                held = realms.pop(name, None)
                if pin and held and (held.root, held.origin) != (pin.root, pin.origin):
                    raise VerificationFailed(
                        "LF7224",
                        f"The realm {name!r} is pinned to the root {held.root} of {held.origin!r}, but the one at hand "
                        f"has the root {pin.root} of {pin.origin!r}.",
                        hint="Ask the realm's operator over another channel; never accept it because it asks.",
                    )
                if pin:
                    realms[name] = pin
                if pin != held:
                    replace_file(self._trust, _toml(realms).encode("utf-8"))
        except OSError as error:
            raise EnvironmentProblem(
                "LF5030",
                f"{self._trust} cannot be written: {error.strerror}.",
                hint=f"df -h {self._home}; ls -ld {self._home}",
            ) from error

    def _continues(self, reader: LogReader, pin: str, note: str, log: tuple[str, bytes, bytes]) -> bool:
        """Whether there is something new to remember; raises if the log does not continue the pin."""
        origin, log_key, clock_key = log
        fresh = open_checkpoint(note, origin=origin, log_key=log_key, clock_key=clock_key) if note else None
        if not pin:
            return bool(fresh and fresh.size)
        try:
            seen = open_checkpoint(pin, origin=origin, log_key=log_key, clock_key=clock_key)
        except VerificationFailed as error:
            raise self._damaged(origin, error.message) from error
        if fresh is None or (fresh.size, fresh.timestamp) < (seen.size, seen.timestamp):
            raise older(origin, seen, fresh)
        try:
            proof = reader.consistency(seen.size, fresh.size)
            verify_consistency(seen.size, fresh.size, proof, seen.root, fresh.root)
        except VerificationFailed as error:
            raise rewritten(origin, seen, error.message) from error
        if fresh.timestamp < seen.timestamp:
            raise rewritten(origin, seen, "its time goes backwards")
        return True

    def _note(self, origin: str) -> Path:
        return self._folder / f"{hashlib.sha256(origin.encode('utf-8')).hexdigest()}.note"

    def _damaged(self, origin: str, why: str) -> VerificationFailed:
        path = self._note(origin)
        return VerificationFailed(
            "LF7222",
            f"The pin {path} of the log {origin!r} is damaged: {why.rstrip('.')}.",
            hint="Restore it from a backup. Without it an old copy of the log cannot be told from the newest.",
        )

    def _unusable(self, why: str) -> EnvironmentProblem:
        return EnvironmentProblem(
            "LF5033",
            f"{self._trust} cannot be used: {why}.",
            hint=f"Restore {self._trust} from a backup, or chmod 600 it",
        )


def _realm(name: str, value: object) -> RealmPin:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name[:80]!r} is not a name for a realm")
    if not isinstance(value, dict) or set(value) - _FIELDS:
        raise ValueError(f"the realm {name!r} has other fields than {sorted(_FIELDS)}")
    root, origin, witnesses = value.get("root"), value.get("origin"), value.get("witnesses", [])
    if not isinstance(root, str) or not _ROOT.fullmatch(root):
        raise ValueError(f"the realm {name!r} has no root of the form sha256:…")
    if not isinstance(witnesses, list) or not all(
        isinstance(line, str) and _LINE.fullmatch(line) for line in (origin, *witnesses)
    ):
        raise ValueError(f"the realm {name!r} has an origin or witness that is not one plain word")
    return RealmPin(name, root, str(origin), tuple(witnesses))


def _toml(realms: dict[str, RealmPin]) -> str:
    # Every value is printable ASCII, for which JSON and TOML write strings the same way.
    lines = ["# Pins of realms. Written by Lockflight; a changed root here is a changed root of trust.\n"]
    for name, pin in sorted(realms.items()):
        lines.append(
            f"\n[realms.{name}]\nroot = {json.dumps(pin.root)}\norigin = {json.dumps(pin.origin)}\n"
            f"witnesses = {json.dumps(list(pin.witnesses))}\n"
        )
    return "".join(lines)
