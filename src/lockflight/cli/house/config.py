"""`config show`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.cli.style import Style


def show_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `config show`."""
    parser.add_argument("--origin", action="store_true", help="also where each value came from")


def show(args: argparse.Namespace, run: Run) -> Reply:
    """Every setting."""
    values = run.settings.values()
    result = {
        "settings": [
            {
                "name": v.setting.name,
                "value": v.shown,
                "origin": v.origin,
                "variable": v.setting.variable,
                "help": v.setting.help,
            }
            for v in values
        ]
    }

    def human(style: Style) -> Iterable[str]:
        for value in values:
            origin = f"  (from {clean(value.origin)}; {value.setting.variable})" if args.origin else ""
            shown = clean(value.shown) or style.dim("not set")
            yield f"{style.bold(value.setting.name)} = {shown}{origin}"
            yield style.dim(f"    {value.setting.help}")

    return Reply("config/v1", result, human)
