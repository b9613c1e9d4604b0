"""The frame of a page that needs nothing beside it: no script, no font, no network."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from lockflight.cli.reports.page.html import Markup, el
from lockflight.cli.reports.page.style import STYLE

if TYPE_CHECKING:
    from collections.abc import Iterable


def document(title: str, content: Iterable[Markup]) -> str:
    """A whole page; the same content gives the same bytes."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = el(
        "head",
        el("meta", charset="utf-8"),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", name="referrer", content="no-referrer"),
        el("title", title),
        Markup(f"<style>{STYLE}</style>"),
    )
    body = el("body", el("main", *content))
    return "<!doctype html>\n" + el("html", head, body, lang="en") + "\n"
