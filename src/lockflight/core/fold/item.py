"""What every reader of the fold is given, and how it says no."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.records import dataclass

if TYPE_CHECKING:
    from lockflight.core.attest import statement as st
    from lockflight.core.attest.trust import RealmKey
    from lockflight.core.state.state import State


@dataclass(frozen=True, slots=True)
class Item:
    """One statement whose signer held a grant, on its way into the state.

    Attributes:
        statement: what was signed.
        digest: of its envelope.
        payload: SHA-256 of the payload.
        index: position in the log.
        logged_at: Unix seconds.
        key: the signer's, as the realm knew it at that index.
    """

    statement: st.Statement
    digest: str
    payload: str
    index: int
    logged_at: int
    key: RealmKey


class Ineffective(Exception):
    """The entry stays in the log and does not count.

    Args:
        code: `LF72xx`.
        reason: in words, starting in lower case.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def own(state: State, realm: str) -> None:
    """Refuse what names another realm: a key that is used in two realms is not quoted in the other."""
    if realm != state.root:
        raise Ineffective("LF7259", "it names another realm")


def may(state: State, key: RealmKey, roles: frozenset[str], what: str) -> None:
    """Refuse who holds none of the roles that an act needs; in a personal realm one person holds them all."""
    if state.alone or roles.intersection(key.roles):
        return
    raise Ineffective("LF7256", f"{what} needs one of the roles {', '.join(sorted(roles))}")
