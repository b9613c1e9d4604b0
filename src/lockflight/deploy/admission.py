"""May this package be loaded here? Signature, log, revocation and the slots of an environment; then its files.

What cannot be shown is refused: a realm that was not seen lately, a release that holds no slot, an environment that
nobody named.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from lockflight.core.attest.trust import RealmKind
from lockflight.core.release.release import SIGNATURE_NAME
from lockflight.core.state.standing import holds, stand
from lockflight.core.text.suggest import did_you_mean
from lockflight.core.times import age, rfc3339
from lockflight.core.verify.bundle import MAX_BUNDLE_BYTES
from lockflight.deploy.loaded import Grounds, Loaded
from lockflight.deploy.refusals import not_a_file
from lockflight.errors import (
    EnvironmentProblem,
    EvidenceMissing,
    InvalidInput,
    PolicyDenied,
    UsageError,
    VerificationFailed,
)
from lockflight.infra.files import Folder

if TYPE_CHECKING:
    from pathlib import Path

    from lockflight.core.state.standing import Hold, Standing
    from lockflight.core.state.state import State

#: How old the newest checkpoint may be unless somebody says otherwise: a day.
MAX_AGE_S: Final = 86_400
#: A clock that is further behind the log than this is wrong.
CLOCK_TOLERANCE_S: Final = 300


def load_package(
    package: Path,
    state: State,
    *,
    realm: str,
    seen_at: int,
    environment: str,
    unpromoted: bool,
) -> Loaded:
    """Open a signed folder that a verified state of its realm lets through.

    Args:
        package: the folder; a link here is followed, because its user named it.
        state: the verified fold of the realm's log.
        realm: its name, for messages.
        seen_at: Unix seconds of the log's newest checkpoint.
        environment: whose slot must hold the release; empty only with `unpromoted`.
        unpromoted: do not ask for a slot.

    Raises:
        NotFound: LF1009 no such folder.
        UsageError: LF0121 no such environment, LF7503 none was named.
        VerificationFailed: LF7330 no signature; LF71xx, LF72xx, LF733x what is wrong with it.
        PolicyDenied: LF7521 to LF7523 no slot holds the release.
    """
    if not environment and not unpromoted:
        raise UsageError(
            "LF7503",
            "No environment was named, so nothing says that this release may run here.",
            hint="load(PACKAGE, environment='production'), or unpromoted=True to load what nobody promoted.",
        )
    folder = Folder(package)
    try:
        standing = stand(state, realm, _signature(folder, package))
        granted = _slots(state, standing, environment, unpromoted=unpromoted)
    except BaseException:
        folder.close()
        raise
    grounds = Grounds(realm, environment, granted, standing.envelope, standing.logged_at, seen_at)
    return Loaded(folder, standing.release, grounds)


def fresh_enough(realm: str, seen_at: int, max_age_s: int, now: int | None = None) -> None:
    """See that the realm was heard of lately: an old copy of a log may lack the newest revocation.

    Args:
        realm: its name.
        seen_at: Unix seconds of the newest checkpoint.
        max_age_s: how old it may be, in seconds.
        now: Unix seconds; None to read the clock.

    Raises:
        EvidenceMissing: LF7502 it is too old.
        EnvironmentProblem: LF5032 the clock of this machine is behind it.
    """
    now = int(time.time()) if now is None else now
    if now < seen_at - CLOCK_TOLERANCE_S:
        raise EnvironmentProblem(
            "LF5032",
            f"The clock of this machine says {rfc3339(now)}, {age(seen_at - now)} behind the newest checkpoint of "
            f"the realm {realm!r} ({rfc3339(seen_at)}).",
            hint="Set the clock (timedatectl status).",
        )
    if now - seen_at > max_age_s:
        raise EvidenceMissing(
            "LF7502",
            f"The newest that this machine has of the realm {realm!r} is {age(now - seen_at)} old "
            f"({rfc3339(seen_at)}); at most {age(max_age_s)} is allowed, because a revocation since would not be seen.",
            hint="Bring a new one: lockflight realm snapshot --out FILE, where the realm is kept.",
            details={"seen_at": seen_at, "now": now, "max_age_s": max_age_s},
        )


def _signature(folder: Folder, package: Path) -> bytes:
    try:
        source = folder.open(SIGNATURE_NAME)
    except InvalidInput as error:
        if error.code != "LF1003":
            raise not_a_file(SIGNATURE_NAME, error.message) from error
        raise VerificationFailed(
            "LF7330",
            f"{package} holds no {SIGNATURE_NAME}: it is not a signed package.",
            hint="Do not load it: get the package from its producer.",
        ) from error
    try:
        data = os.pread(source.fileno(), min(source.size, MAX_BUNDLE_BYTES + 1), 0)
    finally:
        source.close()
    if len(data) > MAX_BUNDLE_BYTES:
        raise VerificationFailed(
            "LF7103", f"{SIGNATURE_NAME} has more than {MAX_BUNDLE_BYTES} bytes, which no signature has."
        )
    return data


def _slots(state: State, standing: Standing, environment: str, *, unpromoted: bool) -> tuple[Hold, ...]:
    found = holds(state, standing.release.digest)
    if not environment:
        return found
    if state.environment(environment) is None:
        raise UsageError(
            "LF0121",
            f"There is no environment {environment!r}.",
            hint=did_you_mean(
                environment, state.environments, otherwise=f"Environments: {', '.join(state.environments)}."
            ),
        )
    here = tuple(hold for hold in found if hold.environment == environment)
    if unpromoted:
        return here
    if state.trust.kind is RealmKind.SIMULATOR:
        raise PolicyDenied(
            "LF7523",
            "The realm is a simulator, so nothing that it promotes may run.",
            hint="Promote it in a team realm, or unpromoted=True while you rehearse.",
        )
    if not here:
        raise _not_held(state, standing, environment, found)
    return here


def _not_held(state: State, standing: Standing, environment: str, found: tuple[Hold, ...]) -> PolicyDenied:
    release = standing.release
    named = f"{release.name} {release.version}"
    left = [
        s.left[release.digest]
        for s in state.slots.values()
        if s.environment == environment and release.digest in s.left
    ]
    if left:
        return PolicyDenied(
            "LF7522",
            f"{environment} holds {named} no longer: it was replaced, rolled back or retired at "
            f"{rfc3339(max(left))}.",
            hint=f"lockflight status says what {environment} holds now; load that.",
        )
    where = ", ".join(dict.fromkeys(hold.environment for hold in found)) or "no environment"
    return PolicyDenied(
        "LF7521",
        f"{environment} does not hold {named} (held by: {where}).",
        hint=f"lockflight promote PACKAGE --to {environment}",
    )
