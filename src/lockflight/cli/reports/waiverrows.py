"""Waivers as the readers of a decision are shown them."""

from __future__ import annotations

from lockflight.core.records import dataclass


@dataclass(frozen=True, slots=True)
class WaivedRow:
    """A rule that failed and was waived; what is not known of its waiver is empty."""

    code: str
    title: str
    term: str
    waiver: str
    by: str = ""
    requester: str = ""
    until: str = ""
    emergency: bool = False
    since: str = ""
    covers: str = ""
    ticket: str = ""
    renewals: int = 0
    reason: str = ""
    control: str = ""
    kept: bool = False


@dataclass(frozen=True, slots=True)
class IdleWaiver:
    """A waiver that took nothing away: what it is for, where it stands, and why it did nothing."""

    code: str
    term: str
    waiver: str
    state: str
    until: str
    why: str = ""
    requester: str = ""
    ticket: str = ""
