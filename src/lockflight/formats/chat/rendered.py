"""Texts that somebody may render: prompts, settings, pages. Only what reaches out of a sandbox is said of them.

A chat template speaks for the model, and all that it does is judged (`formats.chat.template`). Of any other text that
has marks of Jinja nobody knows who renders it, and with what: its variables, functions and words are its own affair.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lockflight.core.findings import Verdict
from lockflight.formats.chat.template import check_template, walk
from lockflight.formats.jinja.lexer import BadTemplate
from lockflight.formats.jinja.parser import parse_template
from lockflight.formats.render.meter import Meter
from lockflight.formats.report import Issue, Issues

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The names that a loader gives to chat templates alone.
_CONVERSATION: Final = frozenset({"messages", "add_generation_prompt"})
_BASE: Final = "chat_template"
_SUFFIX: Final = ".jinja"
#: What makes a file of another kind: code, a page, settings.
_OF_ANOTHER: Final = re.compile(
    r"\.(?:py|pyi|sh|js|ts|c|h|cc|cpp|cu|sql|html?|xml|rst|ya?ml|toml|cfg|conf|ini|service)\.jinja\Z"
)
#: What a prompt may bring of its own.
_ITS_OWN: Final = frozenset({"template:variable", "template:map-attribute"})
#: Ways by which a name that is put together becomes that of an attribute.
_BY_NAME: Final = frozenset({"template:computed-item", "template:named", "template:format", "template:attr"})
#: Web frameworks put these into every template; to name one is no harm, to reach into it is said by other rules.
_NO_HARM: Final = frozenset({"template:root"})
_OPEN: Final = re.compile(r"\{([{%])[-+]?")
_CLOSE: Final = re.compile(r"[}%]\}")
#: Characters of one tag, and tags of one text, that are looked at.
_MAX_TAG: Final = 4000
_STATEMENT: Final = re.compile(
    r"\s*(?:if|elif|include|import|extends|from|call|do|print|set\s+[\w.]+\s*=|for\s[^{}]*?\sin)\s(.*)",
    re.DOTALL,
)
_MAX_TAGS: Final = 2000


def is_chat_template(base: str, text: str) -> bool:
    """Whether a file is a chat template: by the name under which loaders look for one, or by what it speaks of."""
    if base.lower().startswith(_BASE):
        return True
    if not any(word in text for word in _CONVERSATION):
        return False
    try:
        root = parse_template(text)
    except BadTemplate:
        return True
    return any(node.kind == "name" and node.value in _CONVERSATION for node in walk(root))


def check_file(base: str, text: str) -> tuple[Issue, ...]:
    """What is wrong with a file of a template.

    One that does not speak of a conversation is a prompt of some application, which brings variables of its own; all
    else that a loader of chat templates would not know stays unknown. Other extensions than that of chat templates
    belong to pages and settings.
    """
    if is_chat_template(base, text):
        return check_template(text)
    said = check_rendered(text)
    if base.lower().endswith(_SUFFIX) and _OF_ANOTHER.search(base.lower()) is None:
        found = check_template(text, heard=False)
        said += tuple(issue for issue in found if issue.rule not in _ITS_OWN and issue not in said)
    return said


def check_rendered(text: str) -> tuple[Issue, ...]:
    """What reaches out of a sandbox when the text is rendered; nothing for what is no template, or a harmless one."""
    if "{{" not in text and "{%" not in text:
        return ()
    found = check_template(text, heard=False)
    if any(issue.rule == "template:syntax" for issue in found):
        # Some statement or loader's extension is not known here: its expressions are judged one by one.
        found = _by_tags(text)
    named = any(issue.rule in _BY_NAME for issue in found)
    return tuple(
        issue
        for issue in found
        if (issue.verdict is Verdict.MALICIOUS or issue.rule == "template:budget")
        and issue.rule not in _NO_HARM
        and (named or issue.rule != "template:dunder")
    )


def _by_tags(text: str) -> tuple[Issue, ...]:
    issues, meter = Issues(), Meter()
    for count, (kind, inner) in enumerate(_tags(text)):
        if count == _MAX_TAGS:
            message = f"It is no template that can be read whole, and has more than {_MAX_TAGS:,} tags."
            issues.add(Issue("template:budget", Verdict.UNKNOWN, message))
            break
        if kind == "%":
            statement = _STATEMENT.match(inner)
            if statement is None:
                continue
            inner = statement.group(1)  # noqa: PLW2901 - the expression in the statement
        issues.extend(
            issue
            for issue in check_template("{{ " + inner + " }}", heard=False, meter=meter)
            if issue.rule != "template:syntax"
        )
    return issues.frozen()


def _tags(text: str) -> Iterator[tuple[str, str]]:
    """Kind and inside of each tag that ends within `_MAX_TAG`; no end is looked for twice."""
    at, close = 0, -1
    while (opened := _OPEN.search(text, at)) is not None:
        start = opened.end()
        if close <= start:
            found = _CLOSE.search(text, start + 1)
            if found is None:
                return
            close = found.start()
        if close - start > _MAX_TAG:
            at = opened.start() + 1
            continue
        inner = text[start:close]
        yield opened.group(1), inner[:-1] if len(inner) > 1 and inner[-1] in "-+" else inner
        at = close + 2
