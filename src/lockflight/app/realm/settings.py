"""Where each setting comes from: flag, environment, the home's `config.toml`, default; in that order.

The folder under check is never asked: nothing under check configures its own judge.
"""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.core.records import dataclass
from lockflight.core.text.suggest import did_you_mean
from lockflight.errors import EnvironmentProblem, UsageError
from lockflight.store.log.address import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_CONFIG_BYTES = 64 * 1024
PERSONAL = "personal"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its name in `config.toml`, its environment variable, its default and what it is for."""

    name: str
    variable: str
    default: str
    help: str


@dataclass(frozen=True, slots=True)
class Value:
    """A setting's value and where it came from: `flag`, `environment`, a file's path, or `default`."""

    setting: Setting
    value: str
    origin: str

    @property
    def shown(self) -> str:
        """The value for people and reports: an address without its password."""
        return shown(self.value) if self.setting.name == "store" and self.value else self.value


SETTINGS = (
    Setting(
        "home", "LOCKFLIGHT_HOME", "", "folder of realms, keys, pins and tools (default: the XDG data folder)"
    ),
    Setting("realm", "LOCKFLIGHT_REALM", PERSONAL, "the realm that commands talk to"),
    Setting("as", "LOCKFLIGHT_AS", "", "the person who acts, where the home holds keys of several"),
    Setting("record", "LOCKFLIGHT_RECORD", "", "put evidence of a workspace into the team realm (1 or 0)"),
    Setting(
        "store",
        "LOCKFLIGHT_STORE",
        "",
        "where `realm init` keeps the log of a new realm: postgresql://… (default: a file in the home)",
    ),
    Setting(
        "max_age",
        "LOCKFLIGHT_MAX_AGE",
        "86400",
        "how old a copy of a realm's log may be when a package is loaded by it, in seconds",
    ),
    Setting("offline", "LOCKFLIGHT_OFFLINE", "", "open no socket (1 or 0)"),
    Setting(
        "witness_policy",
        "LOCKFLIGHT_WITNESS_POLICY",
        "",
        "file that says which witnesses must have cosigned what is verified (C2SP tlog-policy)",
    ),
    Setting(
        "max_checkpoint_age",
        "LOCKFLIGHT_MAX_CHECKPOINT_AGE",
        "",
        "the oldest checkpoint that verify, promote and log verify take, such as 24h (default: any age)",
    ),
    Setting(
        "workers",
        "LOCKFLIGHT_WORKERS",
        "",
        "processes that run checks (default: one per processor, at most 8)",
    ),
)
_BY_NAME = {setting.name: setting for setting in SETTINGS}


class Settings:
    """All settings of one run, resolved once."""

    def __init__(
        self, flags: Mapping[str, str | None] | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        environ = os.environ if environ is None else environ
        given = {key: value for key, value in (flags or {}).items() if value is not None}
        unknown = set(given) - set(_BY_NAME)
        if unknown:
            raise UsageError(
                "LF0102", f"There is no setting {min(unknown)!r}.", hint="lockflight config show"
            )
        self._values: dict[str, Value] = {}
        self._values["home"] = home_value(given, environ)
        filed, path = self._read_file()
        for setting in SETTINGS[1:]:
            if setting.name in given:
                found = Value(setting, given[setting.name], "flag")
            elif environ.get(setting.variable):
                found = Value(setting, environ[setting.variable], "environment")
            elif setting.name in filed:
                found = Value(setting, filed[setting.name], path)
            else:
                found = Value(setting, setting.default, "default")
            self._values[setting.name] = found

    def __getitem__(self, name: str) -> str:
        return self._values[name].value

    @property
    def home(self) -> Path:
        """The home folder, absolute; it need not exist yet."""
        return Path(self["home"]).expanduser().absolute()

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A yes-or-no setting.

        Raises:
            UsageError: LF0103 it is neither.
        """
        value = self[name].strip().lower()
        if not value:
            return default
        if value in {"1", "true", "yes", "on"}:
            return True
        if value in {"0", "false", "no", "off"}:
            return False
        raise UsageError(
            "LF0103",
            f"The setting {name!r} is {self[name]!r}; it must be 1 or 0.",
            hint="lockflight config show --origin",
        )

    def values(self) -> list[Value]:
        """Every setting with its value and origin, in table order."""
        return [self._values[s.name] for s in SETTINGS]

    def _read_file(self) -> tuple[dict[str, str], str]:
        path = self.home / "config.toml"
        try:
            with path.open("rb") as stream:
                if stat.S_IMODE(os.fstat(stream.fileno()).st_mode) & 0o022:
                    raise EnvironmentProblem(
                        "LF5040",
                        f"{path} may be written by other users, so its settings cannot be trusted.",
                        hint=f"chmod 600 {shlex.quote(str(path))}",
                    )
                raw = stream.read(MAX_CONFIG_BYTES + 1)
        except FileNotFoundError:
            return {}, ""
        except OSError as error:
            raise EnvironmentProblem(
                "LF5041",
                f"{path} cannot be read: {error.strerror}.",
                hint=f"ls -ld {shlex.quote(str(path))} shows whose it is; it must be a file that you may read.",
            ) from error
        return _parse(raw, path), str(path)


def _parse(raw: bytes, path: Path) -> dict[str, str]:
    import tomllib

    try:
        if len(raw) > MAX_CONFIG_BYTES:
            raise ValueError(f"longer than {MAX_CONFIG_BYTES} bytes")
        table = tomllib.loads(raw.decode("utf-8"))
    except ValueError as error:
        raise UsageError(
            "LF0104", f"{path} is not usable: {error}.", hint=f"Correct {path}, or move it away."
        ) from error
    result: dict[str, str] = {}
    for key, value in table.items():
        if key not in _BY_NAME or key == "home":
            raise UsageError(
                "LF0102",
                f"{path} has the setting {key!r}, which does not exist there.",
                hint=did_you_mean(key, _BY_NAME, otherwise=f"Settings there: {', '.join([*_BY_NAME][1:])}."),
            )
        if isinstance(value, bool):
            result[key] = "1" if value else "0"
        elif isinstance(value, (str, int)):
            result[key] = str(value)
        else:
            raise UsageError("LF0104", f"The setting {key!r} in {path} must be text, a number or true/false.")
    return result


def home_value(given: Mapping[str, str | None], environ: Mapping[str, str]) -> Value:
    """The home folder and where its name came from; never read from a file, which would lie in it."""
    home = _BY_NAME["home"]
    named = given.get("home")
    if named is not None:
        return Value(home, named, "flag")
    if environ.get(home.variable):
        return Value(home, environ[home.variable], "environment")
    return Value(home, str(_default_home(environ)), "default")


def _default_home(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_DATA_HOME")
    if base and Path(base).is_absolute():
        return Path(base) / "lockflight"
    try:
        user = environ["HOME"] if "HOME" in environ else str(Path("~").expanduser())
    except RuntimeError:
        user = ""
    if not Path(user).is_absolute():
        raise EnvironmentProblem(
            "LF5044",
            "There is no home: HOME names no folder, and nothing else says where realms and keys are.",
            hint="Set LOCKFLIGHT_HOME to a folder of yours, or give --home DIR.",
        )
    return Path(user) / ".local" / "share" / "lockflight"
