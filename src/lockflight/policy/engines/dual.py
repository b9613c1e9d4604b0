"""Two engines that must agree: whatever only one of them says is a no.

A mistake in an engine, or something on which Rego's implementations differ, is then a refusal with both outputs
instead of a release that passes by accident.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NoReturn, TypeVar

from lockflight.core.gate.ruling import parse_ruling
from lockflight.core.gate.unsettled import Said, Unsettled, canonical, said
from lockflight.errors import EnvironmentProblem, LockflightError, PolicyDenied
from lockflight.policy.engines.library import TEST

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lockflight.core.canonical import JsonObject, JsonValue
    from lockflight.core.ports import PolicyEngine

#: How much of each output an error shows, in characters; its digest is of the whole.
KEPT = 4_000

#: The machine's faults, not the engines' words about the policy: nothing was judged, so there is nothing to compare.
_MACHINE = frozenset({"LF4001", "LF4002", "LF5050", "LF5051"})

T = TypeVar("T")


class DualEngine:
    """Two engines side by side, each in its own child; they run at the same time."""

    def __init__(self, first: PolicyEngine, second: PolicyEngine) -> None:
        """The engines stay the caller's.

        Args:
            first: the one whose output is returned when both agree.
            second: the one that must say the same.
        """
        self._engines = (first, second)

    @property
    def identities(self) -> tuple[Mapping[str, str], ...]:
        """See `core.ports.PolicyEngine`."""
        return tuple(identity for engine in self._engines for identity in engine.identities)

    def evaluate(
        self, modules: Mapping[str, str], data: JsonObject, entrypoint: str, document: bytes
    ) -> JsonObject:
        """See `core.ports.PolicyEngine`.

        Raises:
            Unsettled: LF4020 the engines disagree, or both refuse alike.
            EnvironmentProblem: LF4001 to LF4004.
        """
        return self.evaluate_all(modules, data, entrypoint, [document])[0]

    def evaluate_all(
        self, modules: Mapping[str, str], data: JsonObject, entrypoint: str, documents: Sequence[bytes]
    ) -> list[JsonObject]:
        """See `core.ports.PolicyEngine`.

        Raises:
            Unsettled: LF4020 the engines disagree about any document, or both refuse alike.
            EnvironmentProblem: LF4001 to LF4004.
        """
        one, two = self._both(lambda engine: engine.evaluate_all(modules, data, entrypoint, documents))
        for a, b in zip(one, two, strict=True):
            if not agree(a, b):
                self._disagree(canonical(a), canonical(b), entrypoint)
        return one

    def rules(
        self, modules: Mapping[str, str], data: JsonObject, rules: Sequence[str], document: bytes = b""
    ) -> dict[str, str]:
        """See `core.ports.PolicyEngine`; the order in arrays counts.

        Raises:
            Unsettled: LF4020 the engines disagree, or both refuse alike.
            EnvironmentProblem: LF4001 to LF4004.
        """
        one, two = self._both(lambda engine: engine.rules(modules, data, rules, document))
        for rule in rules:
            first, second = json.loads(one[rule]), json.loads(two[rule])
            if not same(first, second):
                self._disagree(first, second, rule)
        return one

    def close(self) -> None:
        """End both children."""
        for engine in self._engines:
            engine.close()

    def _both(self, ask: Callable[[PolicyEngine], T]) -> tuple[T, T]:
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="second-engine") as pool:
            other = pool.submit(ask, self._engines[1])
            first = _attempt(lambda: ask(self._engines[0]))
            second = _attempt(other.result)
        if isinstance(first, LockflightError) or isinstance(second, LockflightError):
            self._failed(first, second)
        return first, second

    def _failed(self, first: object, second: object) -> NoReturn:
        errors = [error for error in (first, second) if isinstance(error, LockflightError)]
        for error in errors:
            if isinstance(error, EnvironmentProblem) and error.code in _MACHINE:
                raise error
        told = self._told(first, second)
        if len(errors) == len(self._engines) and len({error.code for error in errors}) == 1:
            if isinstance(errors[0], PolicyDenied):
                raise Unsettled(
                    errors[0].code,
                    errors[0].message,
                    hint=errors[0].hint,
                    details=errors[0].details,
                    answers=told,
                ) from errors[0]
            raise errors[0]
        words = " and ".join(
            f"{one.engine} says {one.error}" if one.error else f"{one.engine} has an answer" for one in told
        )
        _deny(words.rstrip("."), told)

    def _disagree(self, first: JsonValue, second: JsonValue, entrypoint: str) -> NoReturn:
        _deny(f"{entrypoint}{difference(first, second, self._names())}", self._told(first, second))

    def _told(self, *answers: object) -> tuple[Said, ...]:
        return tuple(said(name, answer) for name, answer in zip(self._names(), answers, strict=True))

    def _names(self) -> tuple[str, str]:
        one, two = (" and ".join(i["name"] for i in engine.identities) for engine in self._engines)
        return one, two


def _deny(words: str, told: tuple[Said, ...]) -> NoReturn:
    raise Unsettled(
        "LF4020",
        f"Two policy engines do not agree, which is a no: {words}.",
        hint=TEST,
        details={"reason": "engine_disagreement", "engines": [_shown(one) for one in told]},
        answers=told,
    )


def _shown(one: Said) -> dict[str, str]:
    if one.error:
        return {"name": one.engine, "error": one.error}
    output = one.output.decode("utf-8", errors="surrogatepass")
    return {"name": one.engine, "output": output[:KEPT], "sha256": one.sha256}


def _attempt(ask: Callable[[], T]) -> T | LockflightError:
    try:
        return ask()
    except LockflightError as error:
        return error


def agree(one: JsonObject, two: JsonObject) -> bool:
    """Whether two outputs are one ruling, or one document where they are none."""
    try:
        # A ruling holds only what has one form: its types are checked, its sets are in order.
        return parse_ruling(one) == parse_ruling(two)
    except (KeyError, TypeError, ValueError):
        return same(canonical(one), canonical(two))


def same(first: object, second: object) -> bool:
    """Equality of JSON values in which neither 1, 1.0 and true nor their like are one."""
    if type(first) is not type(second):
        return False
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(same, first, second))
    return first == second


def difference(first: object, second: object, names: tuple[str, str]) -> str:
    """Where two values first differ, as a path with both values; they do differ."""
    path = ""
    while True:
        if isinstance(first, dict) and isinstance(second, dict):
            only = sorted(first.keys() ^ second.keys())
            if only:
                return f"{path} has {only[0]!r} with {names[0 if only[0] in first else 1]} only"
            key = next(k for k in sorted(first) if not same(first[k], second[k]))
            path, first, second = f"{path}.{key}", first[key], second[key]
        elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
            index = next(i for i, (a, b) in enumerate(zip(first, second, strict=True)) if not same(a, b))
            path, first, second = f"{path}[{index}]", first[index], second[index]
        elif isinstance(first, list) and isinstance(second, list):
            return f"{path} has {len(first)} entries with {names[0]} and {len(second)} with {names[1]}"
        else:
            return f"{path} is {_short(first)} with {names[0]} and {_short(second)} with {names[1]}"


def _short(value: object) -> str:
    words = json.dumps(value, ensure_ascii=False)
    return words if len(words) <= 80 else words[:77] + "..."
