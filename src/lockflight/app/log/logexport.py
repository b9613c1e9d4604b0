"""`log export` and `log verify --export`: the log as files that any web server serves, and checking such files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockflight.app.log.demands import Demands, LogIdentity, candidates, identity
from lockflight.app.realm.logs import open_reader
from lockflight.app.realm.view import open_view
from lockflight.core.attest.trust import Duty
from lockflight.core.fold.run import fold
from lockflight.core.state.state import FoldEntry
from lockflight.core.verify.crypto.keys import load_der
from lockflight.core.verify.log.log import verify_log
from lockflight.errors import NotFound, UsageError
from lockflight.store.log.publish import publish
from lockflight.store.log.static import StaticReader
from lockflight.store.pins import PinStore

if TYPE_CHECKING:
    from pathlib import Path

    from lockflight.app.log.demands import Witnessed
    from lockflight.core.state.state import State
    from lockflight.core.verify.log.log import LogReport
    from lockflight.store.log.publish import Published


@dataclass(frozen=True, slots=True)
class Checked:
    """A log that was checked.

    Attributes:
        report: what was recomputed.
        seen: the checkpoint that met the demands.
        state: the fold; None where only the keys of the log were known.
    """

    report: LogReport
    seen: Witnessed
    state: State | None


def export(home: Path, name: str, out: Path, demands: Demands) -> tuple[str, Published, Witnessed]:
    """Publish a realm's log in a folder, up to the newest checkpoint that meets the demands.

    Args:
        home: folder of realms.
        name: the realm.
        out: the export; a new folder, or an earlier export of the same log.
        demands: with a policy, only what its quorum has cosigned is published.

    Returns:
        Origin of the log, what was done, and the published checkpoint.

    Raises:
        NotFound: LF7216 the log has no entries; as `open_view`.
        VerificationFailed: LF7226 too few witnesses; LF7220, LF7221, LF7229 what lies there; as `open_view`.
        EnvironmentProblem: LF5052 it cannot be written.
    """
    view = open_view(home, name)
    log = identity(view)
    reader = open_reader(view.folder)
    try:
        pin = PinStore(home).read(log.origin)
        with reader.snapshot():
            verify_log(reader, log.origin, log.log_key, log.clock_key, pin, envelopes=False)
            notes = [note for note in candidates(view) if log.open(note).size <= reader.size()]
            seen = demands.meet(log, notes, reader=reader)
            done = publish(
                reader,
                out,
                origin=log.origin,
                log_key=log.log_key,
                clock_key=log.clock_key,
                note=seen.note,
            )
    finally:
        reader.close()
    return log.origin, done, seen


def verify_export(
    home: Path, folder: Path, demands: Demands, *, root: str = "", log: LogIdentity | None = None
) -> Checked:
    """Check a static export: leaves, tiles, checkpoints, envelopes; and that it is not behind what this home has seen.

    Args:
        home: for the pins; nothing else of it is asked.
        folder: the export.
        demands: witnesses and age.
        root: root digest of the realm (hex), from which the keys of the log follow.
        log: the log's identity, where the root is not known; then nothing is folded.

    Raises:
        NotFound: LF5035 there is no export.
        VerificationFailed: LF72xx with what differs.
    """
    reader = StaticReader(folder)
    state = None
    if log is None:
        state = fold(root, entries_of(reader))
        log = of_trust(state)
    pins = PinStore(home)
    pin = pins.read(log.origin)
    seen = demands.meet(log, [reader.checkpoint()])
    report = verify_log(reader, log.origin, log.log_key, log.clock_key, pin)
    pins.see(reader, origin=log.origin, log_key=log.log_key, clock_key=log.clock_key)
    return Checked(report, seen, state)


def entries_of(reader: StaticReader) -> list[FoldEntry]:
    """What the fold reads."""
    return [
        FoldEntry(e.index, e.leaf, e.envelope, reader.envelope(e.envelope), e.logged_at)
        for e in reader.entries()
    ]


def of_trust(state: State) -> LogIdentity:
    """The log that a realm's root of trust names."""
    trust = state.trust
    return LogIdentity(
        trust.origin, load_der(trust.key(Duty.LOG).der).raw, load_der(trust.key(Duty.CLOCK).der).raw
    )


def root_of(word: str) -> str:
    """The hex digits of a root digest that was typed.

    Raises:
        UsageError: LF0128 it is none.
    """
    found = re.fullmatch(r"(?:sha256:)?([0-9a-f]{64})", word, re.ASCII)
    if found is None:
        raise UsageError(
            "LF0128", f"{word[:80]!r} is no root digest.", hint="--root sha256: and 64 hex digits"
        )
    return found[1]


def pinned_root(home: Path, name: str) -> str:
    """The root digest (hex) that this home has pinned for a realm.

    Raises:
        NotFound: LF4510 none.
    """
    pin = PinStore(home).get(name)
    if pin is None:
        raise NotFound(
            "LF4510",
            f"No realm {name!r} is pinned in {home}, so nothing says whose log this should be.",
            hint="--root sha256:…, or --log-key VKEY --clock-key VKEY, as its operator published them",
        )
    return pin.root.removeprefix("sha256:")
