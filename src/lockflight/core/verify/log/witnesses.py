"""Which witnesses must have cosigned a checkpoint: policy files (C2SP tlog-policy), and what they demand."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lockflight.core.verify.log.note import (
    KIND_COSIGNATURE,
    KIND_ED25519,
    NoteKey,
    check_signature,
    parse_checkpoint,
    parse_note,
    parse_vkey,
)
from lockflight.errors import InvalidInput, VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_POLICY_BYTES: Final = 64 * 1024
#: The specification asks for at least 32 of each.
MAX_LINES: Final = 256
MAX_MEMBERS: Final = 256
NONE: Final = "none"
_ALLOWED = re.compile(rb"[\t\n\x20-\x7e\x80-\xff]*")


@dataclass(frozen=True, slots=True)
class Party:
    """A log or witness: its name in the file (a log by its origin), its key, and its address, which may be empty."""

    name: str
    key: NoteKey
    url: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """At least `threshold` of the members must have witnessed; members are witnesses or groups defined before."""

    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WitnessPolicy:
    """What a policy file says.

    Attributes:
        logs: the logs that it accepts; empty where these are known from elsewhere.
        witnesses: by the name in the file.
        groups: by name.
        quorum: name of a witness or group, or `none`.
    """

    logs: tuple[Party, ...] = ()
    witnesses: Mapping[str, Party] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    quorum: str = NONE

    def quorum_time(self, times: Mapping[str, int], name: str = "") -> int | None:
        """Since when the quorum holds: the time that enough witnesses had reached; None where it is not reached.

        Args:
            times: when each witness has cosigned, by name, in Unix seconds.
            name: a witness or group; empty for the quorum. `none` needs nobody, and its time is 0.
        """
        name = name or self.quorum
        if name == NONE:
            return 0
        group = self.groups.get(name)
        if group is None:
            return times.get(name)
        found = [self.quorum_time(times, member) for member in group.members]
        reached = sorted((time for time in found if time is not None), reverse=True)
        return reached[group.threshold - 1] if len(reached) >= group.threshold else None

    def cosigned(self, note: str) -> dict[str, int]:
        """When which witness of this policy has cosigned a note; Unix seconds by name.

        Raises:
            VerificationFailed: LF7202 not a note, LF7206 a bad cosignature of a witness that is named here.
        """
        parsed = parse_note(note)
        found = {name: check_signature(parsed, party.key) for name, party in self.witnesses.items()}
        return {name: time for name, time in found.items() if time}

    def demand(self, note: str) -> tuple[dict[str, int], int]:
        """Check that the quorum has cosigned a note.

        Returns:
            Times by witness, and the time of the quorum.

        Raises:
            VerificationFailed: LF7226 too few have; LF7202, LF7206.
        """
        times = self.cosigned(note)
        reached = self.quorum_time(times)
        if reached is None:
            point = parse_checkpoint(parse_note(note).text)
            raise VerificationFailed(
                "LF7226",
                f"The checkpoint of {point.origin[:120]!r} at size {point.size} has not enough witnesses: the policy "
                f"demands {self.quorum!r}, and cosigned have {', '.join(sorted(times)) or 'none of them'}.",
                hint="Where the log is kept: lockflight log cosign --policy FILE",
                details={"size": point.size, "witnesses": sorted(times), "quorum": self.quorum},
            )
        return times, reached

    def log(self, origin: str) -> tuple[Party, ...]:
        """The logs of that origin that the policy names."""
        return tuple(party for party in self.logs if party.key.name == origin)


def all_of(keys: tuple[NoteKey, ...]) -> WitnessPolicy:
    """The policy that demands each of these witnesses."""
    parties = {key.name: Party(key.name, key) for key in keys}
    return WitnessPolicy((), parties, {"all": Group(len(parties), tuple(parties))}, "all")


def parse_policy(data: bytes) -> WitnessPolicy:
    """Read a policy file strictly.

    Raises:
        InvalidInput: LF7227 not a policy, or over budget; with the number of the line.
    """
    reader = _Reader()
    where = ""
    try:
        if len(data) > MAX_POLICY_BYTES:
            raise ValueError(f"it is longer than {MAX_POLICY_BYTES} bytes")
        if not _ALLOWED.fullmatch(data):
            raise ValueError("it holds a control character")
        # Octets above 0x7f are opaque: no two names become one by decoding.
        for number, line in enumerate(data.decode("latin-1").split("\n"), 1):
            where = f"line {number}: "
            words = [word for word in re.split(r"[ \t]+", line) if word]
            if words and not words[0].startswith("#"):
                reader.take(words)
        where = ""
        return reader.done()
    except (ValueError, VerificationFailed) as error:
        why = error.message if isinstance(error, VerificationFailed) else f"{error}."
        raise InvalidInput(
            "LF7227",
            f"This is not a policy for witnesses: {where}{why}",
            hint="Its lines are: log VKEY [URL], witness NAME VKEY [URL], group NAME all|any|K NAME…, quorum NAME.",
        ) from error


class _Reader:
    """The lines of a policy, one after another."""

    def __init__(self) -> None:
        self._logs: list[Party] = []
        self._witnesses: dict[str, Party] = {}
        self._groups: dict[str, Group] = {}
        self._members: set[str] = set()
        self._quorum = ""
        self._lines = 0

    def take(self, words: list[str]) -> None:
        self._lines += 1
        if self._lines > MAX_LINES:
            raise ValueError(f"it has more than {MAX_LINES} lines that say something")
        kind, *rest = words
        if kind == "log" and len(rest) in {1, 2}:
            self._logs.append(self._party("", rest, KIND_ED25519, self._logs))
        elif kind == "witness" and len(rest) in {2, 3}:
            name = self._fresh(rest[0])
            self._witnesses[name] = self._party(name, rest[1:], KIND_COSIGNATURE, self._witnesses.values())
        elif kind == "group" and len(rest) >= 3:
            self._groups[self._fresh(rest[0])] = self._group(rest[1], rest[2:])
        elif kind == "quorum" and len(rest) == 1:
            if self._quorum:
                raise ValueError("a second quorum")
            if rest[0] != NONE:
                self._known(rest[0])
            self._quorum = rest[0]
        else:
            raise ValueError(f"{' '.join(words)[:80]!r} is none of its lines")

    def done(self) -> WitnessPolicy:
        if not self._quorum:
            raise ValueError("it has no quorum")
        return WitnessPolicy(tuple(self._logs), self._witnesses, self._groups, self._quorum)

    def _party(self, name: str, rest: list[str], kind: int, known: Iterable[Party]) -> Party:
        # Keys are ASCII and names of keys are text, whatever the rest of the file is.
        key = parse_vkey(rest[0].encode("latin-1").decode("utf-8"))
        if key.kind != kind:
            raise ValueError(f"the key {key.name[:80]!r} is of another type than this line takes")
        if any(party.key.key == key.key for party in known):
            raise ValueError(f"the key {key.name[:80]!r} is there twice")
        return Party(name or key.name, key, rest[1] if len(rest) > 1 else "")

    def _group(self, word: str, members: list[str]) -> Group:
        if len(members) > MAX_MEMBERS:
            raise ValueError(f"a group of more than {MAX_MEMBERS} members")
        for member in members:
            self._known(member)
            if member in self._members:
                raise ValueError(f"{member[:80]!r} is a member twice")
            self._members.add(member)
        if word == "all":
            return Group(len(members), tuple(members))
        threshold = (
            1 if word == "any" else int(word) if re.fullmatch(r"[1-9][0-9]{0,3}", word, re.ASCII) else 0
        )
        if not 1 <= threshold <= len(members):
            raise ValueError(f"{word[:20]!r} is no number of members")
        return Group(threshold, tuple(members))

    def _fresh(self, name: str) -> str:
        if name == NONE or name in self._witnesses or name in self._groups:
            raise ValueError(f"the name {name[:80]!r} is taken")
        return name

    def _known(self, name: str) -> None:
        if name not in self._witnesses and name not in self._groups:
            raise ValueError(f"{name[:80]!r} is not defined on a line before")
