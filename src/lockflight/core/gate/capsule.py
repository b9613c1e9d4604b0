"""Replay capsules: all that a decision was made from, in one document that stands alone. Pure.

A capsule holds the realm's trust statements, the decision as it was logged with its proof of inclusion, the facts and
the files of the policy. Whoever knows the realm's root digest can check where it comes from, and evaluate it again.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import field
from typing import TYPE_CHECKING

from lockflight.core.attest import statement as st
from lockflight.core.attest.dsse import b64
from lockflight.core.attest.trust import Duty
from lockflight.core.canonical import JsonObject, dumps, loads_object
from lockflight.core.gate.vsa import StoredDecision, parse_vsa
from lockflight.core.records import dataclass
from lockflight.core.shape import array, obj
from lockflight.core.verify.bundle import check_bundle, read_bundle, verify_logged
from lockflight.core.verify.crypto.keys import load_der
from lockflight.core.verify.log.log import clock_name
from lockflight.core.verify.trustchain import MAX_TRUST, trust_in_force
from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockflight.core.attest.trust import Trust

SCHEMA = "https://lockflight.dev/schema/capsule/v1"
FILES_SCHEMA = "https://lockflight.dev/schema/policy-files/v1"
MAX_BYTES = 128 * 1024 * 1024
MAX_VALUES = 2_000_000


@dataclass(frozen=True, slots=True)
class Capsule:
    """What a decision was made from.

    Attributes:
        trust: envelopes of the realm's trust statements, oldest first, up to the one in force at the decision.
        decision: the decision's envelope with its log entry, as a bundle of the form of `model.sig`.
        facts: canonical facts v1.
        files: path to content of the policy bundle.
        own: name to content of the assets that make up the release's own policy; empty where it has none.
    """

    trust: tuple[bytes, ...]
    decision: bytes
    facts: bytes
    files: Mapping[str, bytes]
    own: Mapping[str, bytes] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Canonical JSON."""
        document: JsonObject = {
            "schema": SCHEMA,
            "trust": [base64.b64encode(one).decode() for one in self.trust],
            "decision": base64.b64encode(self.decision).decode(),
            "facts": base64.b64encode(self.facts).decode(),
            "files": base64.b64encode(encode_files(self.files)).decode(),
        }
        if self.own:
            document["own"] = base64.b64encode(encode_files(self.own)).decode()
        return dumps(document)


@dataclass(frozen=True, slots=True)
class Opened:
    """A capsule whose origin was checked.

    Attributes:
        stored: the decision.
        envelope: digest of its envelope.
        trust: the realm's trust statement in force.
        facts: what was judged, parsed.
        document: the same as the bytes that were judged.
        files: path to content of the policy bundle.
        own: name to content of the assets of the release's own policy; empty where it has none.
        logged_at: Unix seconds of the checkpoint that the proof leads to; the entry is not younger.
    """

    stored: StoredDecision
    envelope: str
    trust: Trust
    facts: JsonObject
    document: bytes
    files: Mapping[str, bytes]
    own: Mapping[str, bytes]
    logged_at: int


def encode_files(files: Mapping[str, bytes]) -> bytes:
    """Files of a policy bundle as canonical JSON: what a realm keeps as a blob."""
    rows: JsonObject = {path: base64.b64encode(body).decode() for path, body in sorted(files.items())}
    return dumps({"schema": FILES_SCHEMA, "files": rows})


def decode_files(data: bytes) -> dict[str, bytes]:
    """Read `encode_files` back.

    Raises:
        VerificationFailed: LF7101 to LF7103 (JSON), LF7190 another shape.
    """
    raw = loads_object(data, what="policy files", max_bytes=MAX_BYTES, max_values=MAX_VALUES)
    try:
        if raw["schema"] != FILES_SCHEMA or set(raw) != {"schema", "files"}:
            raise ValueError(f"not of the form {FILES_SCHEMA}")
        return {path: b64(body) for path, body in obj(raw["files"]).items()}
    except (KeyError, TypeError, ValueError) as error:
        raise _not_one(error) from error


def parse_capsule(data: bytes) -> Capsule:
    """Read a capsule; nothing in it is believed yet.

    Raises:
        VerificationFailed: LF7101 to LF7103 (JSON), LF7190 another shape.
    """
    raw = loads_object(data, what="capsule", max_bytes=MAX_BYTES, max_values=MAX_VALUES)
    try:
        known = {"schema", "trust", "decision", "facts", "files"}
        if raw["schema"] != SCHEMA or set(raw).difference({"own"}) != known:
            raise ValueError(f"not of the form {SCHEMA}")
        trust = tuple(b64(item) for item in array(raw["trust"]))
        if not trust or len(trust) > MAX_TRUST:
            raise ValueError("no trust statement, or too many")
        own = decode_files(b64(raw["own"])) if "own" in raw else {}
        if "own" in raw and not own:
            raise ValueError("an own policy without files")
        return Capsule(trust, b64(raw["decision"]), b64(raw["facts"]), decode_files(b64(raw["files"])), own)
    except (KeyError, TypeError, ValueError) as error:
        raise _not_one(error) from error


def open_capsule(capsule: Capsule, root: str) -> Opened:
    """Check where a capsule comes from, with the realm's root digest alone.

    The trust statements must lead from the root to the gate key that signed the decision; the decision must be in the
    realm's log; facts and policy must be those that it names. That no further trust statement replaced the gate key
    before the decision, only the log shows.

    Args:
        capsule: what was read.
        root: SHA-256 (hex) of the realm's first trust statement, as the verifier knows it.

    Raises:
        VerificationFailed: LF7191 another realm, or trust statements that do not follow each other; LF7140 to LF7149
            and LF72xx the decision's signature or its place in the log; LF7192 it is no decision; LF7193 the facts
            are others, LF7194 the policy is another.
    """
    trust = trust_in_force(capsule.trust, root, what="capsule")
    gate = load_der(trust.key(Duty.GATE).der)
    bundle = read_bundle(capsule.decision, what="decision")
    check_bundle(bundle, gate, what="decision")
    if bundle.tlog is None:
        raise VerificationFailed("LF7192", "The capsule has no proof that its decision is in the log.")
    point = verify_logged(
        bundle.tlog,
        origin=trust.origin,
        log_key=load_der(trust.key(Duty.LOG).der).raw,
        clock_key=load_der(trust.key(Duty.CLOCK).der).raw,
        clock_name=clock_name(trust.origin),
    )
    statement = st.parse(bundle.envelope.payload)
    if statement.predicate_type != st.VSA:
        raise VerificationFailed("LF7192", f"The capsule holds a {statement.short_type}, not a decision.")
    try:
        stored = parse_vsa(statement)
    except (KeyError, TypeError, ValueError) as error:
        raise VerificationFailed("LF7192", f"The decision does not read: {error}.") from error
    if hashlib.sha256(capsule.facts).hexdigest() != stored.input_digest:
        raise VerificationFailed("LF7193", "The facts are not those that the decision names.")
    facts = loads_object(capsule.facts, what="facts", max_bytes=MAX_BYTES, max_values=MAX_VALUES)
    if dumps(facts) != capsule.facts:
        raise VerificationFailed("LF7193", "The facts are not in canonical form.")
    if hashlib.sha256(encode_files(capsule.files)).hexdigest() != stored.bundle:
        raise VerificationFailed("LF7194", "The policy is not the one that the decision names.")
    named = stored.own.blob if stored.own is not None else ""
    if (hashlib.sha256(encode_files(capsule.own)).hexdigest() if capsule.own else "") != named:
        raise VerificationFailed(
            "LF7194",
            "The release's own policy is not the one that the decision names, or one of both is missing.",
        )
    return Opened(
        stored,
        bundle.envelope.digest,
        trust,
        facts,
        capsule.facts,
        capsule.files,
        capsule.own,
        point.timestamp,
    )


def _not_one(error: Exception) -> VerificationFailed:
    why = error.message.rstrip(".") if isinstance(error, VerificationFailed) else str(error)
    return VerificationFailed(
        "LF7190", f"This is not a capsule: {why}.", hint="lockflight policy capsule --help"
    )


def facts_fit(facts: JsonObject, held: JsonObject) -> list[str]:
    """Where facts differ from what the log says now of the same time: places, for people.

    Args:
        facts: of the decision.
        held: rebuilt from the log as it was, for the same time.
    """
    places: list[str] = []
    for key in sorted(set(facts) | set(held)):
        one, two = facts.get(key), held.get(key)
        if one != two:
            inner = sorted(set(one) | set(two)) if isinstance(one, dict) and isinstance(two, dict) else []
            places += [f"{key}.{k}" for k in inner if obj(one).get(k) != obj(two).get(k)] or [key]
    return places
