"""How rows of tables, and what is said about data, are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.style import clean, count, short
from lockflight.core.release.datacard import DATA_ROLES, TABLE_ROLES, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockflight.cli.style import Style
    from lockflight.core.release.datacard import DataCard
    from lockflight.core.release.release import Release
    from lockflight.core.release.rows import Head, RowIndex

#: Columns that people are shown by name, and assets; `--json` names all.
_SHOWN = 6


def rows_json(index: RowIndex) -> dict[str, object]:
    """How replies tell the rows of a file."""
    head = index.head
    return {
        "form": head.form,
        "rows": head.rows,
        "columns": list(head.columns),
        "types": list(head.types),
        "ordered": f"sha256:{index.ordered}",
        "set": f"sha256:{index.unordered}",
    }


def rows_lines(index: RowIndex, style: Style) -> list[list[str]]:
    """The same for people."""
    head = index.head
    columns = f"{count(len(head.columns), 'column')}: {columns_words(head)}" if head.columns else "no columns"
    return [
        ["rows", f"{head.rows} ({head.form}), {columns}"],
        ["in order", style.bold(f"sha256:{index.ordered}")],
        ["as a set", style.bold(f"sha256:{index.unordered}")],
    ]


def columns_words(head: Head) -> str:
    """The names of the first columns."""
    named = ", ".join(clean(name) for name in head.columns[:_SHOWN])
    return named + (f" and {len(head.columns) - _SHOWN} more" if len(head.columns) > _SHOWN else "")


def data_lines(release: Release, style: Style) -> Iterable[str]:
    """What is known and said of the data of a release."""
    assets = [asset for asset in release.assets if asset.role in DATA_ROLES]
    for asset in assets[:_SHOWN]:
        yield f"data: {asset.role.value} {clean(asset.name)}"
        if asset.rows is not None:
            head = asset.rows.head
            columns = f", {count(len(head.columns), 'column')}" if head.columns else ""
            yield f"  {count(head.rows, 'row')}{columns}, as a set {short(asset.rows.unordered)}"
        elif asset.role in TABLE_ROLES:
            yield f"  {style.look} rows unknown"
        yield from card_lines(asset.data, style)
    if len(assets) > _SHOWN:
        yield f"data: {len(assets) - _SHOWN} more (--json tells of all)"


def card_lines(card: DataCard | None, style: Style) -> Iterable[str]:
    """What is said about data; what is not known of licence and people is named."""
    licence = clean(card.licence) if card is not None and card.licence else UNKNOWN
    people = (card.personal_data if card is not None else "") or UNKNOWN
    known = card is not None and card.licence_known and people != UNKNOWN
    mark = "" if known else f"{style.look} "
    yield f"  {mark}licence {licence}, personal data: {people}"
    if card is None:
        return
    days = " to ".join(day for day in (card.collected_from, card.collected_until) if day)
    for word, said in (
        ("from", card.source),
        ("collected", days),
        ("for", card.purpose),
        ("legal basis", card.legal_basis),
        ("consent", card.consent),
        ("limits", card.limits),
    ):
        if said:
            yield f"  {word}: {clean(said)}"
