"""Talks with which templates are tried: who speaks, with which keys, and symbols for everything that is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lockflight.formats.render.values import CONTENT, COUNT, TOOL, Sym, Undefined, words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockflight.formats.jinja.node import Node
    from lockflight.formats.render.runner import Runner

#: Keys that loaders and clients put into messages, tools and their parts; anything else is a word of somebody's own.
KEYS: Final = words(
    """
    role content name text type tool_calls tool_call_id tool_call tool_responses function function_call
    arguments parameters id image image_url video video_url audio audio_url input_audio file url reasoning
    reasoning_content thinking thoughts thought prefix citations tools tool_plan channel recipient end_turn
    weight refusal index documents title snippet contents tool_name tool_content results response output status
    observation metadata description properties required enum items format default return title_text task system
    annotations reasoning_details signature data media_type source cache_control media images videos audios
    token ids wait chosen tool current_date current_location
    """
)
#: Variables of prompts in which the caller hands over what somebody said.
CONTENT_NAMES: Final = words(
    """
    conversation chat_history user_name bot_name instruction query contexts title text input prompt response
    context question history
    """
)
#: Variables that hold a day.
DATE_NAMES: Final = frozenset({"date_string", "current_date", "today", "datetime"})
#: Variables that other talks bring, if at all.
ABSENT: Final = frozenset({"custom_tools", "functions", "available_tools", "xml_tools", "python_tools"})
_TOKENS: Final = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "sep_token": "<sep>",
    "cls_token": "<cls>",
    "mask_token": "<mask>",
}
_MAX_ROLES: Final = 12


class Message(dict[object, object]):
    """A message: what it does not hold may still be asked for."""


class Talk:
    """One made-up conversation.

    Attributes:
        name: what it is, for messages.
        variables: what the loader hands to the template.
    """

    def __init__(self, name: str, messages: list[Message], *, prompt: bool = True, **more: object) -> None:
        self.name = name
        self.variables: dict[str, object] = {
            **_TOKENS,
            "messages": messages,
            "add_generation_prompt": prompt,
            "tools": None,
            "documents": None,
            **more,
        }

    def beyond(self, machine: Runner, node: Node, owner: object, place: int) -> object:
        """A message that this talk does not have: longer ones may."""
        if self.turns(owner) and not -6 < place < 5 and isinstance(owner, (list, tuple)):
            sym = Sym("the number of turns", COUNT)
            return owner[-1] if machine.choose(node, "turn", sym, 0) else Undefined("item")
        return Undefined("item")

    def behind(
        self, machine: Runner, node: Node, owner: str | list[object] | tuple[object, ...], start: int | None
    ) -> object:
        """Messages behind one that this talk does not have."""
        if self.turns(owner) and start is not None and start >= 5:
            sym = Sym("the number of turns", COUNT)
            return owner[-1:] if machine.choose(node, "turns", sym, 0) else owner[:0]
        return owner[:0]

    @staticmethod
    def turns(owner: object) -> bool:
        """Whether a value is a list of messages."""
        return (
            isinstance(owner, (list, tuple))
            and bool(owner)
            and isinstance(owner[0], Message)
            and "role" in owner[0]
        )


#: Roles that loaders and well-known families have; what is said for any other one is said to few.
_USUAL_ROLES: Final = words(
    """
    user assistant system developer tool tools ipython function observation environment model document
    documents context tool_response tool_responses tool_result tool_results tool_call tool_calls
    """
)
#: Keys that the other talks bring.
_GIVEN_KEYS: Final = words(
    """
    role content name type text tool_calls tool_call_id id function arguments parameters properties description
    required items enum default format reasoning_content thinking image title contents tool
    """
)
#: Roles, types or keys of one template that are tried.
MAX_RARE: Final = 32


def _said(source: str) -> Sym:
    return Sym(source, CONTENT)


def _message(role: str, number: int, **more: object) -> Message:
    return Message({"role": role, "content": _said(f"{role} {number}"), **more})


def _turns(*roles: str) -> list[Message]:
    return [_message(role, i) for i, role in enumerate(roles)]


def _tool(number: int) -> dict[str, object]:
    def word(what: str) -> Sym:
        return Sym(f"the {what} of tool {number}", TOOL)

    parameters = {
        "type": "object",
        "properties": {
            "place": {"type": "string", "description": word("place")},
            "days": {"type": "integer", "description": word("days")},
        },
        "required": ["place"],
    }
    function = {"name": word("name"), "description": word("description"), "parameters": parameters}
    return {"type": "function", "function": function}


def _called(number: int) -> Message:
    arguments = {"place": Sym("an argument", TOOL), "days": 2}
    call = {
        "id": Sym("the id of a call", TOOL),
        "type": "function",
        "function": {"name": Sym("the name of tool 0", TOOL), "arguments": arguments},
    }
    return Message({"role": "assistant", "content": "", "tool_calls": [call], "number": number})


def _calls(said: object, arguments: object) -> Message:
    """A message with two calls of tools."""
    function = {"name": Sym("the name of tool 0", TOOL), "arguments": arguments}
    calls = [
        {"id": Sym(f"the id of {which} call", TOOL), "type": "function", "function": dict(function)}
        for which in ("a", "another")
    ]
    return Message({"role": "assistant", "content": said, "tool_calls": calls})


def _answer(number: int) -> Message:
    return Message(
        role="tool",
        name=Sym("the name of tool 0", TOOL),
        tool_call_id=Sym("the id of a call", TOOL),
        content=_said(f"tool {number}"),
    )


def _parts(role: str, number: int, *, picture: bool) -> Message:
    parts: list[object] = [{"type": "text", "text": _said(f"{role} {number}")}]
    if picture:
        parts.append({"type": "image", "image": _said(f"picture {number}")})
    return Message({"role": role, "content": parts})


def talks(roles: Iterable[str]) -> list[Talk]:
    """The talks; one of them brings the roles that the template itself asks for."""
    tools = [_tool(0), _tool(1)]
    given: dict[str, Any] = {"tools": tools}
    named: dict[str, Any] = dict.fromkeys(ABSENT, tools)
    used = [
        *_turns("system", "user"),
        _called(2),
        Message(
            role="tool",
            name=Sym("the name of tool 0", TOOL),
            tool_call_id=Sym("an id", TOOL),
            content=_said("tool 3"),
        ),
        _message("assistant", 4),
        _message("user", 5),
    ]
    rich = [
        _message("system", 0, name=_said("a name")),
        _message("user", 1, name=_said("a name")),
        _message("assistant", 2, reasoning_content=_said("thoughts 2"), thinking=_said("thoughts 2")),
        _message("user", 3),
    ]
    others = sorted(set(roles) - {"user"})[:_MAX_ROLES]
    document = {"title": _said("a title"), "text": _said("a document"), "contents": _said("a document")}
    long = ("user", "assistant") * 3
    # Clients hand arguments over as an object, or as the text that the model wrote.
    written = Sym("the arguments", TOOL)
    later = [_message("assistant", 4), _message("user", 5)]
    return [
        Talk("one", _turns("user")),
        Talk("two", _turns("user", "assistant", "user")),
        Talk("long", _turns(*long, "user")),
        Talk("system", _turns("system", "user")),
        Talk("system long", _turns("system", *long, "user")),
        Talk("answered", _turns("user", "assistant"), prompt=False),
        Talk("tools", _turns("user"), **given),
        Talk("one tool", _turns("user"), tools=tools[:1]),
        Talk("called", used, **given),
        Talk("calls", [*_turns("system", "user"), _calls(None, written), _answer(3), _answer(4)], **given),
        Talk(
            "calls with words",
            [_message("user", 0), _calls(_said("assistant 1"), written), _answer(2), *later],
            **given,
        ),
        Talk(
            "calls between words",
            [
                _message("user", 0),
                _calls(_said("assistant 1"), {"place": Sym("an argument", TOOL)}),
                _answer(2),
                _answer(3),
                *later,
            ],
            documents=[document, document],
            **given,
        ),
        Talk("parts and tools", [_parts(role, i, picture=False) for i, role in enumerate(long[:3])], **given),
        Talk("named tools", _turns("user"), **given, **named),
        Talk("parts", [_parts("system", 0, picture=False), _parts("user", 1, picture=True)]),
        Talk("rich", rich),
        Talk("documents", _turns("system", "user"), documents=[document, document]),
        Talk("documents alone", _turns("user"), documents=[document, document]),
        Talk("roles", _turns("user", *others, "user")),
    ]


def rare_talks(roles: Iterable[str], types: Iterable[str], names: Iterable[str]) -> list[Talk]:
    """Talks with what hardly anybody has: roles, types of parts and keys that only this template asks for.

    Args:
        roles: texts that are compared with a role.
        types: texts that are compared with a type.
        names: all names and texts of the template.
    """
    found: list[Talk] = []
    for role in sorted(set(roles) - _USUAL_ROLES):
        orders = (("user", role, "user"), ("user", role), (role, "user"), ("system", "user", role))
        found += [Talk(f"the role {role}", _turns(*order)) for order in orders]
    for kind in sorted(set(types) - {"text"}):
        word = _said(f"a part {kind}")
        part = Message({"type": kind, kind: word, f"{kind}_url": word, "text": word})
        text = {"type": "text", "text": _said("user 0")}
        found.append(Talk(f"the type {kind}", [Message({"role": "user", "content": [text, part]})]))
    for key in sorted(KEYS & set(names) - _GIVEN_KEYS):
        more = {key: Sym(f"the {key}", CONTENT, "any")}
        for speakers in (("user", "assistant", "user"), ("system", "user"), ("user",)):
            messages = [_message(role, i, **more) for i, role in enumerate(speakers)]
            found.append(Talk(f"the key {key}", messages))
    return found
