"""Break-glass: in an emergency two people let one release into one environment without the usual approvals.

It waives what may be waived, for a day at most, counts once, and blocks the project until somebody who took no part
has reviewed it.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from lockflight.app.gate.waivers import MAX_WORDS, ask
from lockflight.app.realm.realm import open_realm
from lockflight.app.realm.speak import need_role
from lockflight.app.realm.view import need_environment
from lockflight.app.release.resolve import release_of
from lockflight.core.attest.changes import MAX_BREAK_GLASS_S, Reach, Scope, Waiver, WaiverKind
from lockflight.core.fold.people import MOVERS
from lockflight.core.times import rfc3339
from lockflight.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from lockflight.app.gate.waivers import Standing
    from lockflight.app.realm.speak import Said

MAX_HOURS = MAX_BREAK_GLASS_S // 3600


def break_glass(
    home: Path,
    realm_name: str,
    word: str,
    *,
    environment: str,
    incident: str,
    reason: str,
    hours: int,
    actor: str,
    now: int,
) -> tuple[Said, Standing]:
    """Ask to break the glass for a release. In a team realm it waits for a second person's consent.

    Args:
        home: folder of realms.
        realm_name: the realm.
        word: a package's folder, or the start of a release's digest.
        environment: where to.
        incident: id of the incident elsewhere.
        reason: why, kept erasable.
        hours: how long it may be used.
        actor: who asks.
        now: Unix seconds.

    Raises:
        UsageError: LF0121 no such environment, LF0141 a text is missing or too long, LF0148 the hours are out of range.
        NotFound: LF4524 no such release.
        PolicyDenied: LF4555 the person may not ask.
    """
    if not 0 < hours <= MAX_HOURS:
        raise UsageError(
            "LF0148",
            f"A break-glass may be used for 1 to {MAX_HOURS} hours, not {hours}.",
            hint="An emergency that lasts longer gets a new one.",
        )
    for option, words in (("--reason", reason), ("--incident", incident)):
        if not words.strip() or (option == "--incident" and len(words) > MAX_WORDS):
            raise UsageError(
                "LF0141",
                f"{option} is empty or longer than {MAX_WORDS} characters.",
                hint="lockflight break-glass --help",
            )
    realm = open_realm(home, realm_name)
    person = realm.actor(actor)
    need_environment(realm.state, environment)
    need_role(realm, person, MOVERS, "ask for a break-glass", code="LF4555")
    digest, name = release_of(word, realm.state)
    waiver = Waiver(
        kind=WaiverKind.BREAK_GLASS,
        name=name,
        rule="*",
        term="",
        scope=Scope(Reach.RELEASE, digest, environment=environment),
        reason="",
        ticket=incident,
        not_before=rfc3339(now),
        expires=rfc3339(now + hours * 3600),
        renews="",
        nonce=secrets.token_hex(16),
        realm=realm.state.root,
    )
    return ask(realm, person, waiver, {"reason": reason}, now)
