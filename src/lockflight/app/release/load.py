"""Loading where a realm is at hand: its log is read and verified as by every other verb, then the package is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.app.realm.settings import Settings
from lockflight.app.realm.view import open_view
from lockflight.deploy.admission import fresh_enough, load_package
from lockflight.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from lockflight.deploy.loaded import Loaded

#: Where this key is, the log is kept: what is read here is the newest that there is.
_LOG_KEY = "keys/log.pem"


def load_in_realm(
    package: Path,
    *,
    realm: str | None = None,
    home: Path | None = None,
    environment: str = "",
    unpromoted: bool = False,
    max_age_s: int | None = None,
) -> Loaded:
    """Open a package by a realm of the home; see `lockflight.load`.

    Args:
        package: the signed folder.
        realm: its name; None for the one of the settings.
        home: folder of realms; None for the one of the settings.
        environment: whose slot must hold the release.
        unpromoted: do not ask for a slot.
        max_age_s: how old a copy of the log may be, in seconds; None for the setting `max_age`.

    Raises:
        UsageError: LF0103 the setting is no number; then as `admission.load_package`.
        NotFound: LF4510 no such realm.
        EvidenceMissing: LF7502 the home's copy of the log is too old.
        EnvironmentProblem, VerificationFailed: as `open_view`, then as `admission.load_package`.
    """
    settings = Settings({"home": None if home is None else str(home), "realm": realm})
    view = open_view(settings.home, settings["realm"])
    if not (view.folder / _LOG_KEY).is_file():
        limit = _seconds(settings["max_age"]) if max_age_s is None else max_age_s
        fresh_enough(view.name, view.timestamp, limit)
    return load_package(
        package,
        view.state,
        realm=view.name,
        seen_at=view.timestamp,
        environment=environment,
        unpromoted=unpromoted,
    )


def _seconds(word: str) -> int:
    if not word.isascii() or not word.isdigit():
        raise UsageError(
            "LF0103",
            f"The setting 'max_age' is {word[:80]!r}; it must be a number of seconds.",
            hint="lockflight config show --origin",
        )
    return int(word[:12])
