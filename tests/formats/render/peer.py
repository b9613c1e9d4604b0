"""The engine itself: renders a template as loaders do, with plain words where our talks have unknown ones."""

from __future__ import annotations

import json

from jinja2.ext import Extension
from jinja2.sandbox import ImmutableSandboxedEnvironment

from lockflight.formats.render.values import Sym, Text, Undefined


class Marked(Extension):
    """The block `generation` of transformers, which only marks what it holds."""

    tags = frozenset({"generation"})

    def parse(self, parser):
        next(parser.stream)
        return parser.parse_statements(["name:endgeneration"], drop_needle=True)


def refuse(message):
    raise ValueError(message)


def spelled(value):
    """A value with words in place of symbols."""
    if isinstance(value, Sym):
        return f"({value.source})"
    if isinstance(value, Text):
        return "".join(part if isinstance(part, str) else spelled(part) for part in value.pieces)
    if isinstance(value, dict):
        return {spelled(key): spelled(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [spelled(item) for item in value]
    return value


def to_json(value, **_):
    """In one line, since nobody asks how it is indented."""
    return json.dumps(value, ensure_ascii=False)


def rendered(text, variables):
    """What jinja2 makes of a template."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", "jinja2.ext.do", Marked]
    )
    environment.filters["tojson"] = to_json
    environment.globals.update(raise_exception=refuse, strftime_now=lambda _: "(the day)")
    known = {name: spelled(value) for name, value in variables.items() if not isinstance(value, Undefined)}
    return environment.from_string(text).render(**known)
