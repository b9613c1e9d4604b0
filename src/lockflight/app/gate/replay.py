"""Replaying a decision: where it comes from, whether its inputs are those of the log, and the same verdict again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.app.policy.ownpolicy import judge_of, own_again
from lockflight.app.realm.view import open_view, realm_folder
from lockflight.app.release.resolve import entry_of
from lockflight.core.attest.dsse import decode
from lockflight.core.attest.trust import Duty, Trust
from lockflight.core.facts.factlog import checkpoint_of, facts_again
from lockflight.core.fold.run import fold
from lockflight.core.gate.capsule import Capsule, Opened, decode_files, facts_fit, open_capsule
from lockflight.core.gate.claims import claims
from lockflight.core.gate.gate import Decision, decide
from lockflight.core.gate.unsettled import canonical, said
from lockflight.core.gate.vsa import StoredDecision
from lockflight.core.log.merkle import leaf_hash
from lockflight.core.log.merkle import root as merkle_root
from lockflight.core.records import dataclass
from lockflight.core.verify.bundle import TlogEntry
from lockflight.core.verify.bundle import read_bundle as read_bundle_of
from lockflight.core.verify.crypto.keys import load_der
from lockflight.core.verify.log.note import KIND_ED25519, NoteKey
from lockflight.errors import LockflightError, NotFound, VerificationFailed
from lockflight.policy.bundle import read_bundle
from lockflight.policy.engines.pool import Engines
from lockflight.policy.gate import PolicyGate
from lockflight.signing.oms import make_bundle
from lockflight.store.blobs import BlobStore
from lockflight.store.log.address import has_log
from lockflight.store.pins import PinStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from lockflight.app.policy.ownpolicy import OwnBundle
    from lockflight.app.realm.view import RealmView
    from lockflight.core.canonical import JsonObject
    from lockflight.core.gate.gate import OwnJudge
    from lockflight.core.state.state import FoldEntry, Record
    from lockflight.policy.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Rerun:
    """What one engine says today.

    Attributes:
        engine, version, sha256: which engine.
        judged_then: whether this very library was among those that judged.
        output: digest of its output; empty where it failed.
        problem: why it differs; empty where it says the same.
    """

    engine: str
    version: str
    sha256: str
    judged_then: bool
    output: str
    problem: str


@dataclass(frozen=True, slots=True)
class Replay:
    """A decision, replayed.

    Attributes:
        opened: the decision and what it was made from, with its origin checked.
        reruns: what every engine that is here says today.
        differences: where the facts differ from what the log says now of that time; None without a log.
    """

    opened: Opened
    reruns: tuple[Rerun, ...]
    differences: tuple[str, ...] | None

    @property
    def same(self) -> bool:
        """Whether everything is as it was."""
        return bool(self.reruns) and not self.differences and not any(r.problem for r in self.reruns)

    @property
    def not_asked(self) -> tuple[tuple[str, str, str], ...]:
        """Name, version and SHA-256 of the engines that judged then and of which no version is here now."""
        here = {run.engine for run in self.reruns}
        then = (dict(engine) for engine in self.opened.stored.engines)
        return tuple((e["name"], e["version"], e.get("sha256", "")) for e in then if e["name"] not in here)


def capsule_of(view: RealmView, word: str) -> Capsule:
    """Everything that a recorded decision was made from, out of a realm.

    Args:
        view: the verified realm.
        word: index of the decision in the log, or the start of its envelope's digest.

    Raises:
        NotFound: LF4524 no such entry, LF4567 it is no decision that counts, LF4560 its facts or policy were not kept.
    """
    record = entry_of(word, view.state)
    stored = record.fact
    if not isinstance(stored, StoredDecision) or not record.effective:
        raise NotFound(
            "LF4567",
            f"The entry {record.index} is no decision of the gate that counts.",
            hint="lockflight evidence list --all --type decision",
        )
    blobs = BlobStore(view.folder / "blobs")
    facts = blobs.get(stored.input_digest)
    files = blobs.get(stored.bundle) if stored.bundle else None
    own = blobs.get(stored.own.blob) if stored.own is not None else b""
    if facts is None or files is None or own is None:
        raise NotFound(
            "LF4560",
            f"What the decision {record.index} was made from is not in this realm's store any more.",
            hint="Ask for its capsule where it was made: lockflight policy capsule DECISION --out FILE",
        )
    trust = [
        body
        for r in view.state.records[: record.index]
        if r.effective and isinstance(r.fact, Trust) and (body := view.reader.envelope(r.digest)) is not None
    ]
    brought = decode_files(own) if own else {}
    return Capsule(tuple(trust), _proven(view, record), facts, decode_files(files), brought)


def _proven(view: RealmView, record: Record) -> bytes:
    """The decision's envelope with its proof of inclusion under the newest checkpoint."""
    body = view.reader.envelope(record.digest)
    if body is None:
        raise NotFound(
            "LF4560", f"The envelope of entry {record.index} is gone.", hint="lockflight log verify"
        )
    trust = view.state.trust
    key = NoteKey(trust.origin, KIND_ED25519, load_der(trust.key(Duty.LOG).der).raw)
    entry = TlogEntry(
        index=record.index,
        log_id=key.full_id,
        leaf=next(iter(view.reader.entries(record.index, record.index + 1))).leaf,
        root=bytes.fromhex(view.root_hash),
        size=view.size,
        hashes=tuple(view.reader.inclusion(record.index, view.size)),
        checkpoint=view.reader.checkpoint(),
    )
    signer = load_der(record.key.der) if record.key is not None else load_der(trust.key(Duty.GATE).der)
    return make_bundle(decode(body), signer.pem, entry)


class Replayer:
    """Replays decisions; engines start once, and each policy is read and proven once."""

    def __init__(self) -> None:
        self._engines = Engines()
        self._outer = Engines()  # for what releases bring along, as when it was decided
        self._gates: dict[str, tuple[PolicyGate, ...]] = {}

    def replay(self, capsule: Capsule, root: str, *, entries: Sequence[FoldEntry] | None = None) -> Replay:
        """Check a capsule and evaluate it again on every engine that is here.

        Args:
            capsule: what the decision was made from.
            root: SHA-256 (hex) of the realm's first trust statement, as the verifier knows it.
            entries: the realm's verified log, to compare the facts with it too.

        Raises:
            VerificationFailed: as `open_capsule`; LF7194.
            EnvironmentProblem: LF4005 to LF4008 the policy does not read or bite, LF4001 no engine.
            PolicyDenied: LF4028, LF4029 the release's own policy cannot judge.
        """
        opened = open_capsule(capsule, root)
        told = claims(opened.stored, opened.facts)
        if told:
            raise VerificationFailed(
                "LF7193", f"The decision says something else than its facts about {', '.join(told)}."
            )
        differences = None if entries is None else tuple(_against_log(opened, root, entries))
        return Replay(opened, self.rerun(opened), differences)

    def rerun(self, opened: Opened) -> tuple[Rerun, ...]:
        """What every engine that is here says today about the facts of an opened capsule.

        Raises:
            VerificationFailed: LF7194 the policy is another than the decision names.
            EnvironmentProblem: as `replay`.
        """
        own = own_again(opened.facts, opened.own, opened.stored.name)
        return tuple(_rerun(opened, gate, second) for gate, second in self._policies(opened, own))

    def _policies(self, opened: Opened, own: OwnBundle | None) -> list[tuple[PolicyGate, OwnJudge | None]]:
        """The policy on each engine, with the release's own on the same one."""
        gates = self._proven(opened.stored.bundle, lambda: read_bundle(dict(opened.files)), self._engines)
        if gates[0].bundle.digest != opened.stored.policy:
            raise VerificationFailed("LF7194", "The policy is not the one that the decision names.")
        if own is None:
            return [(gate, None) for gate in gates]
        bundle = own.bundle
        pairs = zip(gates, self._proven(own.digest, lambda: bundle, self._outer), strict=True)
        return [(gate, judge_of(own, second, gate.ref)) for gate, second in pairs]

    def _proven(self, key: str, read: Callable[[], Bundle], engines: Engines) -> tuple[PolicyGate, ...]:
        if key not in self._gates:
            bundle = read()
            self._gates[key] = tuple(PolicyGate(bundle, engine) for engine in engines.installed)
        return self._gates[key]

    def close(self) -> None:
        """End the engines."""
        self._engines.close()
        self._outer.close()


def replay(capsule: Capsule, root: str, *, entries: Sequence[FoldEntry] | None = None) -> Replay:
    """Replay one decision; see `Replayer.replay`."""
    replayer = Replayer()
    try:
        return replayer.replay(capsule, root, entries=entries)
    finally:
        replayer.close()


def entries_here(home: Path, root: str, capsule: Capsule) -> list[FoldEntry] | None:
    """The verified log of a capsule's realm, where this home holds it as far as the capsule's proof reaches.

    A capsule cannot show that no trust statement replaced its gate key before the decision; the log can.

    Args:
        home: folder of realms.
        root: SHA-256 (hex) of the realm's first trust statement.
        capsule: what was read.

    Raises:
        VerificationFailed: LF71xx the decision's bundle does not read; LF72xx the log.
    """
    tlog = read_bundle_of(capsule.decision, what="decision").tlog
    for name, pin in PinStore(home).realms().items():
        if pin.root == f"sha256:{root}" and has_log(realm_folder(home, name)):
            entries: list[FoldEntry] = []
            open_view(home, name, verified=entries)
            return entries if tlog is not None and tlog.size <= len(entries) else None
    return None


def _against_log(opened: Opened, root: str, entries: Sequence[FoldEntry]) -> list[str]:
    record = fold(root, entries).by_digest.get(opened.envelope)
    if record is None or not record.effective:
        why = f"it does not count: {record.reason}" if record is not None else "it is not there"
        return [f"the decision itself, since {why}"]
    try:
        size, top = checkpoint_of(opened.facts)
        before = entries[:size]
        if len(before) != size or merkle_root([leaf_hash(e.leaf) for e in before]).hex() != top:
            return ["realm.checkpoint"]
        return facts_fit(opened.facts, facts_again(fold(root, before), opened.facts))
    except (KeyError, TypeError, ValueError) as error:
        raise VerificationFailed("LF7193", f"The facts of the decision do not read: {error}.") from error


def _rerun(opened: Opened, policy: PolicyGate, own: OwnJudge | None) -> Rerun:
    stored = opened.stored
    identity = dict(policy.engines[0])
    then = tuple(sorted(identity.items())) in stored.engines
    if stored.unsettled:
        output, problem = _said_again(opened, policy, own)
    else:
        try:
            again = decide(opened.facts, policy.ref, policy.evaluate, engines=policy.engines, own=own)
        except LockflightError as error:
            output, problem = "", error.message
        else:
            output, problem = again.output_digest, ", ".join(_changes(stored, again))
    return Rerun(identity["name"], identity["version"], identity["sha256"], then, output, problem)


def _said_again(opened: Opened, policy: PolicyGate, own: OwnJudge | None) -> tuple[str, str]:
    """Where engines did not settle: what this one says now, and why that is not what it said."""
    name = policy.engines[0]["name"]
    before = next((one for one in opened.stored.unsettled if one.engine == name), None)
    if before is None:
        return "", "it took no part when the engines did not settle"
    asked: dict[str, Callable[[bytes], JsonObject]] = {policy.ref.digest: policy.evaluate}
    if own is not None:
        asked[own.ref.digest] = own.evaluate
    if before.policy not in asked:
        return "", "the engines did not settle on a policy that the decision does not name"
    policy.prove()
    try:
        now = said(name, canonical(asked[before.policy](opened.document)))
    except LockflightError as error:
        now = said(name, error)
    # Of an error only the code is compared: its words may name a time or an amount of memory.
    same = now.sha256 == before.sha256 and now.error.partition(" ")[0] == before.error.partition(" ")[0]
    return now.sha256, "" if same else f"it says {now.error or 'something else than it said'}"


def _changes(stored: StoredDecision, again: Decision) -> Iterable[str]:
    if again.allow != stored.allow:
        yield "the verdict is another"
    for part in ("release", "name", "environment", "basis", "output_digest", "input_digest"):
        if getattr(again, part) != getattr(stored, part):
            yield f"the {part.replace('_digest', '')} is another"
    for part in ("rules", "violations", "warnings", "waived", "evaluated", "skipped"):
        if tuple(getattr(again, part)) != tuple(getattr(stored, part)):
            yield f"its {part} are others"
