"""What the author of a release says about data in it: licence, origin, purpose, people in them. Claims. Pure."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import date
from typing import TYPE_CHECKING, Final

from lockflight.core.records import dataclass
from lockflight.core.release.spdx import read_expression
from lockflight.core.shape import obj, text
from lockflight.core.words import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockflight.core.canonical import JsonObject, JsonValue

#: Roles of files of which this can be said, and of those that are tables.
DATA_ROLES: Final = frozenset({Role.DATASET, Role.EVAL_SET, Role.KNOWLEDGE_BASE})
TABLE_ROLES: Final = frozenset({Role.DATASET, Role.EVAL_SET})
UNKNOWN: Final = "unknown"
PERSONAL: Final = ("yes", "no", UNKNOWN)
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class DataCard:
    """What is said; a text that is empty was not said.

    Attributes:
        licence: SPDX expression, or `unknown`.
        source: where the data come from.
        collected_from: first day, as 2026-01-31.
        collected_until: last day.
        purpose: for what they were collected.
        legal_basis: on which ground personal data are processed.
        consent: who consented to what.
        personal_data: `yes`, `no` or `unknown`: whether they are about people.
        limits: what they are known not to be good for.
    """

    licence: str = ""
    source: str = ""
    collected_from: str = ""
    collected_until: str = ""
    purpose: str = ""
    legal_basis: str = ""
    consent: str = ""
    personal_data: str = ""
    limits: str = ""

    def to_json(self) -> JsonObject:
        """All that is said."""
        said = {key: getattr(self, key) for key in CARD_KEYS}
        return {key: value for key, value in said.items() if value}

    def facts(self) -> JsonObject:
        """The form in facts: everything, and what was not said about licence and people is `unknown`."""
        said: JsonObject = {key: getattr(self, key) for key in CARD_KEYS}
        return {
            **said,
            "licence": self.licence or UNKNOWN,
            "licence_known": self.licence_known,
            "personal_data": self.personal_data or UNKNOWN,
        }

    @property
    def licence_known(self) -> bool:
        """Whether it has a licence of which all identifiers are on the SPDX list or one's own (`LicenseRef-`)."""
        return bool(self.licence) and self.licence != UNKNOWN and not read_expression(self.licence)


CARD_KEYS: Final = tuple(field.name for field in fields(DataCard))


class CardError(ValueError):
    """One key that does not hold what it should.

    Args:
        key: which.
        why: in words.
        hint: what to write.
    """

    def __init__(self, key: str, why: str, hint: str) -> None:
        super().__init__(why)
        self.key = key
        self.why = why
        self.hint = hint


def make_card(said: Mapping[str, str]) -> DataCard:
    """A card from what an author wrote.

    Raises:
        CardError: a licence, day or word that is none.
    """
    card = DataCard(**said)
    if card.licence and card.licence != UNKNOWN:
        try:
            read_expression(card.licence)
        except ValueError as error:
            raise CardError(
                "licence",
                f"licence = {card.licence[:120]!a} is no SPDX expression: {error}",
                'Write licence = "CC-BY-4.0", "LicenseRef-contract" for one of your own, or "unknown".',
            ) from None
    for key in ("collected_from", "collected_until"):
        _day(key, getattr(card, key))
    if card.collected_from and card.collected_until and card.collected_from > card.collected_until:
        raise CardError("collected_until", "collected_until lies before collected_from", "Exchange the two.")
    if card.personal_data and card.personal_data not in PERSONAL:
        raise CardError(
            "personal_data",
            f"personal_data = {card.personal_data[:80]!a} is no answer",
            f"One of: {', '.join(PERSONAL)}.",
        )
    return card


def parse_card(value: JsonValue) -> DataCard:
    """Read `DataCard.to_json` back.

    Raises:
        KeyError, TypeError, ValueError: another shape.
    """
    raw = {key: text(said) for key, said in obj(value).items()}
    if not raw or not set(raw) <= set(CARD_KEYS) or not all(raw.values()):
        raise ValueError("what is said about data has other fields")
    return make_card(raw)


def _day(key: str, value: str) -> None:
    try:
        good = not value or (_DAY.fullmatch(value) is not None and date.fromisoformat(value) is not None)
    except ValueError:
        good = False
    if not good:
        raise CardError(key, f"{key} = {value[:80]!a} is no day", f'Write {key} = "2026-01-31".')
