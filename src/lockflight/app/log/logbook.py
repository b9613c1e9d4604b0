"""`log verify` and `log rebuild`: the whole log recomputed and compared; its derived tables made anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from lockflight.app.log.demands import Demands, candidates, identity
from lockflight.app.realm.logs import open_reader, open_store
from lockflight.app.realm.realm import Realm
from lockflight.app.realm.view import no_realm, open_view, realm_folder
from lockflight.core.attest.trust import Duty
from lockflight.core.verify.crypto.keys import load_der
from lockflight.core.verify.log.log import verify_log
from lockflight.errors import EnvironmentProblem
from lockflight.store.log.address import has_log
from lockflight.store.pins import PinStore

if TYPE_CHECKING:
    from pathlib import Path

    from lockflight.app.log.demands import Witnessed
    from lockflight.app.realm.view import RealmView
    from lockflight.core.verify.log.log import LogCheckpoint, LogReport
    from lockflight.store.log.rebuild import Derivable, Rebuilt


def verify(home: Path, name: str, demands: Demands | None = None) -> tuple[RealmView, LogReport, Witnessed]:
    """Recompute every leaf, node, checkpoint, envelope and index, and compare with the pin of this home.

    Returns:
        The realm, what was recomputed, and the checkpoint that met the demands.

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
        wanted = (demands or Demands()).with_pin(PinStore(home).get(name))
        seen = wanted.meet(identity(view), candidates(view), reader=reader)
    finally:
        reader.close()
    return view, report, seen


def stamp(home: Path, name: str) -> tuple[str, LogCheckpoint]:
    """Sign the log's entries again with the time of now, so that its checkpoint is young though it is quiet.

    Returns:
        Origin, and the newest checkpoint.

    Raises:
        NotFound, VerificationFailed: as `open_view`.
        EnvironmentProblem: LF5043 the keys of log and clock are not here; LF5030 to LF5032 it cannot be written.
    """
    realm = Realm(home, name)
    log = identity(realm.view)
    writer = realm.log()
    try:
        return log.origin, log.open(writer.stamp())
    finally:
        writer.close()


def rebuild(home: Path, name: str) -> tuple[RealmView, Rebuilt]:
    """Derive the tables of nodes and subjects again, say whether they differed, and verify the log.

    Raises:
        NotFound: LF4510 no such realm.
        EnvironmentProblem: LF5042 its root is not pinned; the log cannot be written.
        VerificationFailed: LF72xx entries are missing or not what was signed.
    """
    from lockflight.store.log.rebuild import rebuild as derive

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
