"""The environments of a realm: who must say yes where. A change of them takes two people."""

from __future__ import annotations

import json
import tomllib
from dataclasses import field, replace
from typing import TYPE_CHECKING

from lockflight.app.realm.realm import open_realm
from lockflight.app.realm.speak import Said, say
from lockflight.app.realm.view import need_environment
from lockflight.core.attest.changes import DAY, LadderChange
from lockflight.core.attest.quorum import Seat, parse_seats
from lockflight.core.attest.trust import (
    FACTORS,
    MAX_STEP_UP_S,
    MIN_STEP_UP_S,
    Environment,
    Mode,
    parse_ladder,
)
from lockflight.core.records import dataclass
from lockflight.core.shape import text
from lockflight.core.text.suggest import did_you_mean
from lockflight.core.times import duration
from lockflight.core.words import PERSON_ROLES
from lockflight.errors import PolicyDenied, UsageError
from lockflight.store.files import read_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lockflight.core.canonical import JsonValue

MAX_FILE_BYTES = 64 * 1024
_FIELDS = frozenset(
    {"name", "after", "quorum", "requesters", "factor", "mode", "rollback-days", "step-up-seconds"}
)
_EXAMPLE = "--quorum staging=approver:2,risk-owner:1"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to be different; environment to value.

    Attributes:
        quorum: `approver:2,risk-owner:1`, or `none`.
        requesters: `releaser,author`, or `any`.
        factor: one of `core.trust.FACTORS`.
        mode: `people` or `small-team`.
        step_up: how old the proof of presence of an approval may be, such as `15m`, or `none`.
    """

    quorum: Mapping[str, str] = field(default_factory=dict)
    requesters: Mapping[str, str] = field(default_factory=dict)
    factor: Mapping[str, str] = field(default_factory=dict)
    mode: Mapping[str, str] = field(default_factory=dict)
    step_up: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.quorum or self.requesters or self.factor or self.mode or self.step_up)


def propose(
    home: Path, realm_name: str, *, wishes: Wishes, file: Path | None, actor: str
) -> tuple[Said, LadderChange]:
    """Propose other environments; nothing changes until another person consents.

    Args:
        home: folder of realms.
        realm_name: the realm.
        wishes: changes of single environments.
        file: TOML or JSON with all environments; None for those that there are.
        actor: who proposes.

    Raises:
        UsageError: LF0121 no such environment; LF0127 a value or the file does not read, or nothing would change.
        PolicyDenied: LF4601 a personal realm; LF4602 who proposes may not, or an environment in use would go.
    """
    realm = open_realm(home, realm_name)
    if realm.personal:
        raise PolicyDenied(
            "LF4601",
            "A personal realm has one person, and its environments are fixed.",
            hint="lockflight realm init NAME --member you=author --member colleague=approver",
        )
    person = realm.actor(actor)
    before = realm.state.ladder
    ladder = read_ladder(file) if file is not None else before
    for table in (wishes.quorum, wishes.requesters, wishes.factor, wishes.mode, wishes.step_up):
        for name in table:
            if name not in {step.name for step in ladder}:
                need_environment(realm.state, name)
    ladder = _checked([_changed(step, wishes) for step in ladder])
    if ladder == before:
        raise UsageError(
            "LF0127", "That is how the environments are already.", hint="lockflight realm environments"
        )
    fact = LadderChange(realm.state.trust.name, ladder, realm.state.ladder_head, realm.state.root)
    return say(realm, person, fact.statement(), "change the environments"), fact


def read_ladder(path: Path) -> tuple[Environment, ...]:
    """Environments from a TOML or JSON file: `[[environment]]` tables, each after those that it follows.

    Raises:
        UsageError: LF0127 it does not read.
    """
    try:
        data = read_file(path, MAX_FILE_BYTES)
        if data is None:
            raise ValueError("it is not there")
        body = json.loads(data) if path.suffix == ".json" else tomllib.loads(data.decode("utf-8"))
        if (
            not isinstance(body, dict)
            or set(body) != {"environment"}
            or not isinstance(body["environment"], list)
        ):
            raise ValueError("it holds something else than a list `environment`")
        return _checked([_environment(row) for row in body["environment"]])
    except UsageError as error:
        raise UsageError("LF0127", f"{path}: {error.message}", hint=error.hint) from error
    except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise UsageError(
            "LF0127",
            f"{path} does not describe environments: {error}.",
            hint="lockflight realm environments --json shows every field",
        ) from error


def _environment(row: object) -> Environment:
    if not isinstance(row, dict) or set(row) - _FIELDS or not isinstance(row.get("name"), str):
        raise ValueError(f"an environment has a name and some of {', '.join(sorted(_FIELDS))}")
    quorum = row.get("quorum", {"approver": 1})
    if not isinstance(quorum, dict):
        raise TypeError("`quorum` is a table of role to number")
    days = row.get("rollback-days", 90)
    if not isinstance(days, int) or isinstance(days, bool) or not 0 <= days <= 3650:
        raise ValueError("`rollback-days` is a whole number up to 3650")
    step_up = row.get("step-up-seconds", 0)
    if not isinstance(step_up, int) or isinstance(step_up, bool) or step_up < 0:
        raise ValueError(f"`step-up-seconds` is 0 or a whole number from {MIN_STEP_UP_S} to {MAX_STEP_UP_S}")
    demanded: dict[str, JsonValue] = {"stepUpSeconds": step_up} if step_up else {}
    seats: JsonValue = [{"role": role, "count": count} for role, count in quorum.items()]
    raw: dict[str, JsonValue] = {
        "name": row["name"],
        "after": row.get("after", ""),
        "quorum": seats,
        "requesters": row.get("requesters", ["author", "releaser"]),
        "factor": row.get("factor", FACTORS[0]),
        "mode": row.get("mode", Mode.PEOPLE.value),
        "rollbackSeconds": days * DAY,
        **demanded,
    }
    # Read strictly and alone; whether what it follows exists is judged with the whole ladder.
    return replace(parse_ladder([{**raw, "after": ""}])[0], after=text(raw["after"]))


def _changed(step: Environment, wishes: Wishes) -> Environment:
    name = step.name
    if name in wishes.quorum:
        step = replace(step, quorum=parse_quorum(wishes.quorum[name]))
    if name in wishes.requesters:
        word = wishes.requesters[name]
        step = replace(
            step, requesters=() if word == "any" else tuple(_role(role) for role in word.split(","))
        )
    if name in wishes.factor:
        factor = wishes.factor[name]
        if factor not in FACTORS:
            raise _wrong(f"{factor!r} is no factor", f"Use one of {', '.join(FACTORS)}.")
        step = replace(step, factor=factor)
    if name in wishes.mode:
        step = replace(step, mode=Mode(wishes.mode[name]))
    if name in wishes.step_up:
        step = replace(step, step_up_s=_step_up(wishes.step_up[name]))
    return step


def _step_up(word: str) -> int:
    """Seconds; whether they are in bounds is judged with the whole ladder."""
    if word == "none":
        return 0
    try:
        return duration(word)
    except ValueError as error:
        raise _wrong(str(error), "--step-up production=15m, or --step-up production=none") from error


def parse_quorum(word: str) -> tuple[Seat, ...]:
    """A quorum as it is typed: `approver:2,risk-owner:1`; a role without a number is one person; `none` is nobody.

    Raises:
        UsageError: LF0127 it is not one.
    """
    if word == "none":
        return ()
    seats: list[JsonValue] = []
    for part in word.split(","):
        role, colon, count = part.strip().partition(":")
        number = count.strip() if colon else "1"
        if not number.isascii() or not number.isdigit() or len(number) > 3:
            raise _wrong(f"{part!r} is not a role with a number of people", _EXAMPLE)
        seats.append({"role": _role(role), "count": int(number)})
    try:
        return parse_seats(seats)
    except (TypeError, ValueError) as error:
        raise _wrong(f"{word!r} is no quorum: {error}", _EXAMPLE) from error


def _role(word: str) -> str:
    role = word.strip()
    if role not in PERSON_ROLES:
        known = f"Roles: {', '.join(PERSON_ROLES)}."
        raise _wrong(f"{role!r} is no role", did_you_mean(role, PERSON_ROLES, otherwise=known))
    return role


def _checked(ladder: list[Environment]) -> tuple[Environment, ...]:
    try:
        return parse_ladder([step.to_json() for step in ladder])
    except (TypeError, ValueError) as error:
        raise _wrong(str(error), "lockflight realm environments") from error


def _wrong(what: str, hint: str) -> UsageError:
    return UsageError("LF0127", f"{what}.", hint=hint)
