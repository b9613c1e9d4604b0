"""`log verify` and `log rebuild`: the whole log recomputed and compared; its derived tables made anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from lockflight.app.logs import open_reader, open_store
from lockflight.app.view import no_realm, open_view, realm_folder
from lockflight.core.trust import Duty
from lockflight.core.verify.keys import load_der
from lockflight.core.verify.log import verify_log
from lockflight.errors import EnvironmentProblem
from lockflight.store.address import has_log
from lockflight.store.pins import PinStore

if TYPE_CHECKING:
    from pathlib import Path

    from lockflight.app.view import RealmView
    from lockflight.core.verify.log import LogReport
    from lockflight.store.rebuild import Derivable, Rebuilt


def verify(home: Path, name: str) -> tuple[RealmView, LogReport]:
    """Recompute every leaf, node, checkpoint, envelope and index, and compare with the pin of this home.

    Raises:
        NotFound, EnvironmentProblem: as `open_view`.
        VerificationFailed: LF72xx with what differs.
    """
    view = open_view(home, name)
    trust = view.state.trust
    reader = open_reader(view.folder)
    try:
        report = verify_log(
            reader,
            trust.origin,
            load_der(trust.key(Duty.LOG).der).raw,
            load_der(trust.key(Duty.CLOCK).der).raw,
            PinStore(home).read(trust.origin),
        )
    finally:
        reader.close()
    return view, report


def rebuild(home: Path, name: str) -> tuple[RealmView, Rebuilt]:
    """Derive the tables of nodes and subjects again, say whether they differed, and verify the log.

    Raises:
        NotFound: LF4510 no such realm.
        EnvironmentProblem: LF5042 its root is not pinned; the log cannot be written.
        VerificationFailed: LF72xx entries are missing or not what was signed.
    """
    from lockflight.store.rebuild import rebuild as derive

    folder = realm_folder(home, name)
    if not has_log(folder):
        raise no_realm(home, name)
    pin = PinStore(home).get(name)
    if pin is None:
        raise EnvironmentProblem(
            "LF5042",
            f"The realm {name!r} is in this home, but its root is not pinned in {home / 'trust.toml'}.",
            hint=f'Put the root digest that your team published there: [realms.{name}] root = "sha256:…"',
        )
    store = open_store(folder, pin.origin)
    try:
        # Each store has its own kind of transaction, and brings it along.
        done = derive(cast("Derivable[Any]", store))
    finally:
        store.close()
    return open_view(home, name), done
