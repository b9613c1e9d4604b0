"""`lockflight realm snapshot`: a realm's log in one file, for hosts that load and have no home."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.app.realm.logs import open_reader
from lockflight.app.realm.realm import Realm
from lockflight.core.attest.trust import Duty
from lockflight.core.fold.snapshot import Snapshot, decode, verify_snapshot
from lockflight.core.records import dataclass
from lockflight.errors import EnvironmentProblem
from lockflight.store.files import replace_file

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class SnapshotWritten:
    """A snapshot.

    Attributes:
        file: where it is.
        name, root, origin: of the realm; the root is hex.
        size: entries.
        bytes: of the file.
        timestamp: Unix seconds of its newest checkpoint.
        renewed: whether that checkpoint was signed for it.
    """

    file: Path
    name: str
    root: str
    origin: str
    size: int
    bytes: int
    timestamp: int
    renewed: bool


def write_snapshot(home: Path, name: str, out: Path) -> SnapshotWritten:
    """Write the verified log of a realm to a file, replacing an older one whole.

    Where the keys of the log and its clock are, the log is signed once more with the time of now: to whoever loads by
    the snapshot, a log to which nobody appends must not look like one that is held back.

    Args:
        home: folder of realms.
        name: the realm.
        out: the file.

    Raises:
        NotFound, VerificationFailed, EnvironmentProblem: as `open_view`; LF5030 to LF5032 the log cannot be signed;
            LF5044 the file cannot be written.
    """
    realm = Realm(home, name)
    renewed = realm.holds(Duty.LOG) and realm.holds(Duty.CLOCK)
    if renewed:
        realm.log().renew()
        realm.reread()
    view = realm.view
    reader = open_reader(view.folder)
    try:
        with reader.snapshot():
            entries = list(reader.entries())
            envelopes = [reader.envelope(entry.envelope) for entry in entries]
            data = Snapshot(entries, envelopes, list(reader.checkpoints())).encode()
    finally:
        reader.close()
    # What leaves is what a host will accept: the bytes themselves are verified, not the log that they came from.
    seen = verify_snapshot(decode(data), view.state.root)
    try:
        replace_file(out.absolute(), data)
        out.chmod(0o644)
    except OSError as error:
        raise EnvironmentProblem(
            "LF5044",
            f"{out} cannot be written: {error.strerror}.",
            hint=f"ls -ld {out.absolute().parent}",
        ) from error
    trust = seen.state.trust
    return SnapshotWritten(
        out, name, seen.state.root, trust.origin, len(entries), len(data), seen.timestamp, renewed
    )
