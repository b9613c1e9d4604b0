"""Lockflight: no model, prompt, dataset or agent reaches an environment unless signed evidence says that it may."""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` costs a fifth of the start
if TYPE_CHECKING:
    import os
    from typing import Any

    from lockflight.deploy.loaded import Loaded
    from lockflight.deploy.trust import Trust

__version__ = "0.1.0"
__all__ = ["Loaded", "Trust", "load"]


def load(
    package: str | os.PathLike[str],
    *,
    environment: str = "",
    realm: str | None = None,
    trust: Trust | None = None,
    home: str | os.PathLike[str] | None = None,
    unpromoted: bool = False,
    max_age_s: int | None = None,
) -> Loaded:
    """Open a signed package to load from it: every byte that it gives is verified in the moment in which it is read.

        with lockflight.load("packages/classifier", environment="production") as release:
            model = release.skops("artefacts/model.skops")

    The release must be signed and registered in the realm, not revoked (nor anything in it), and hold a slot of the
    environment now, as current release or candidate. What cannot be shown is refused.

    Args:
        package: folder with `model.sig`.
        environment: where it is loaded, such as `production`.
        realm: name of a realm in the home; without it and without `trust`, the one of the settings.
        trust: for hosts without a home: a root digest and a snapshot of the realm.
        home: folder of realms; without it, the one of the settings.
        unpromoted: do not ask for a slot, for example before the first promotion.
        max_age_s: how old a copy of the realm's log may be, in seconds; without it, that of `trust` or the settings.

    Raises:
        lockflight.errors.LockflightError: with a code for each reason; `lockflight explain CODE` says what to do.
    """
    from pathlib import Path

    if trust is None:
        from lockflight.app.release.load import load_in_realm

        return load_in_realm(
            Path(package),
            realm=realm,
            home=None if home is None else Path(home),
            environment=environment,
            unpromoted=unpromoted,
            max_age_s=max_age_s,
        )
    if realm is not None or home is not None or max_age_s is not None:
        from lockflight.errors import UsageError

        raise UsageError(
            "LF7503",
            "Both a trust and a realm, home or age were given; which one counts?",
            hint="Trust(root, snapshot, seen, max_age_s) says it all.",
        )
    from lockflight.deploy.trust import load_offline

    return load_offline(Path(package), trust, environment=environment, unpromoted=unpromoted)


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever is asked for
    """The records of the public interface, imported when they are first asked for."""
    if name == "Loaded":
        from lockflight.deploy.loaded import Loaded

        return Loaded
    if name == "Trust":
        from lockflight.deploy.trust import Trust

        return Trust
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
