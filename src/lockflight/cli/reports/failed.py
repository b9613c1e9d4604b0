"""What stands in a report where an error came before the verdict: never the verdict of an earlier run."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import lockflight
from lockflight.cli.reports.ci.markdown import code, text
from lockflight.cli.reports.page.document import document
from lockflight.cli.reports.page.html import el, prose
from lockflight.cli.reports.visible import plain
from lockflight.cli.style import json_text
from lockflight.core.release.release import MANIFEST_NAME
from lockflight.core.sarif import Unread, sarif

if TYPE_CHECKING:
    from lockflight.errors import LockflightError

_TITLE = "No verdict"
_LEAD = "The gate was not asked, or its answer was lost, since an error came first. What is not known counts as no."


def no_verdict(name: str, error: LockflightError, prefix: str, at: str) -> str:
    """A report without a verdict.

    Args:
        name: its format, as `check` names it.
        error: why there is none.
        prefix: what stands before the name of an asset in the repository, such as `models/`.
        at: when, RFC 3339 Z.
    """
    if name == "sarif":
        unread = [Unread(prefix + MANIFEST_NAME, plain(_said(error)))]
        return json_text(sarif([], version=lockflight.__version__, rules={}, unread=unread))
    if name == "codequality":
        return json_text([_issue(error, prefix)])
    if name == "junit":
        return _junit(error, at)
    return {"html": _page, "markdown": markdown}[name](error)


def _said(error: LockflightError) -> str:
    return f"{_TITLE}: {error.code} {error.message}{f' Next: {error.hint}' if error.hint else ''}"


def _issue(error: LockflightError, prefix: str) -> dict[str, object]:
    return {
        "description": plain(_said(error)),
        "check_name": error.code,
        "fingerprint": hashlib.sha256(f"no verdict\0{error.code}".encode()).hexdigest()[:32],
        "severity": "blocker",
        "location": {"path": prefix + MANIFEST_NAME, "lines": {"begin": 1}},
    }


def _junit(error: LockflightError, at: str) -> str:
    counts = {"tests": "1", "failures": "0", "errors": "1", "skipped": "0", "time": "0"}
    root = ET.Element("testsuites", {"name": _TITLE, **counts})
    suite = ET.SubElement(
        root, "testsuite", {"name": "lockflight", "timestamp": at.removesuffix("Z"), **counts}
    )
    case = ET.SubElement(suite, "testcase", {"name": "verdict", "classname": "lockflight", "time": "0"})
    said = ET.SubElement(case, "error", {"message": plain(error.message), "type": error.code})
    said.text = plain(_said(error))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def markdown(error: LockflightError) -> str:
    """The report for comments on a change and for the summary of a job."""
    lines = [f"## ✗ {text(_TITLE)}", "", text(_LEAD), "", f"{text(error.code)} {code(error.message)}"]
    if error.hint:
        lines += ["", f"Next: {code(error.hint)}"]
    return "\n".join(lines) + "\n"


def _page(error: LockflightError) -> str:
    banner = el(
        "div",
        el("span", "✗", class_="sign", aria_hidden="true"),
        el("div", el("strong", _TITLE), el("p", _LEAD)),
        class_="verdict bad",
    )
    why = el("p", prose(error.message), " ", el("span", error.code, class_="code"))
    way = (el("h2", "Next"), el("pre", error.hint)) if error.hint else ()
    return document(f"{_TITLE}: {error.code}", (el("h1", _TITLE), banner, el("h2", "Why"), why, *way))
