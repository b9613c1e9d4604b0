"""What engines in child processes share: what they are asked, how they answer, and which error each failure is."""

from __future__ import annotations

import hashlib
import json
import threading
import weakref
from dataclasses import field
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, NoReturn

from lockflight.core.canonical import loads_object
from lockflight.core.records import dataclass
from lockflight.core.shape import array, natural, obj, text
from lockflight.errors import EnvironmentProblem, LockflightError, PolicyDenied
from lockflight.infra.proc import MIB, FailureKind, Limits, Outcome, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lockflight.core.canonical import JsonObject

MAX_OUTPUT = 32 * MIB
TEST = "lockflight policy test BUNDLE"


@dataclass(frozen=True, slots=True)
class Library:
    """An engine as a library.

    Attributes:
        name: of the engine.
        target: `module:function` that runs beside the library.
        install: command that installs it.
        limits: budgets of one request.
        find: identity of what is installed; raises EnvironmentProblem LF4001 or LF4002.
        env: what the child finds in its environment.
    """

    name: str
    target: str
    install: str
    limits: Limits
    find: Callable[[], Mapping[str, str]]
    env: Mapping[str, str] = field(default_factory=dict)


class LibraryEngine:
    """An engine whose library runs in a child process. Several threads may share one; they take turns."""

    def __init__(self, library: Library, limits: Limits | None = None) -> None:
        self._library = library
        self._worker = Worker(library.target, limits=limits or library.limits, env=library.env)
        self._lock = threading.Lock()
        self._identity: Mapping[str, str] = {}
        weakref.finalize(self, self._worker.close)

    @property
    def identity(self) -> Mapping[str, str]:
        """name, version and sha256 of the engine's library.

        Raises:
            EnvironmentProblem: LF4001 it is not installed, LF4002 something else is.
        """
        if not self._identity:
            self._identity = {"name": self._library.name, **self._library.find()}
        return self._identity

    @property
    def identities(self) -> tuple[Mapping[str, str], ...]:
        """See `core.ports.PolicyEngine`."""
        return (self.identity,)

    def evaluate(
        self, modules: Mapping[str, str], data: JsonObject, entrypoint: str, document: bytes
    ) -> JsonObject:
        """See `core.ports.PolicyEngine`."""
        return self.evaluate_all(modules, data, entrypoint, [document])[0]

    def evaluate_all(
        self, modules: Mapping[str, str], data: JsonObject, entrypoint: str, documents: Sequence[bytes]
    ) -> list[JsonObject]:
        """See `core.ports.PolicyEngine`."""
        rows = self._ask(modules, data, [entrypoint], documents)
        return [json_object(row[0], entrypoint) for row in rows]

    def rules(
        self, modules: Mapping[str, str], data: JsonObject, rules: Sequence[str], document: bytes = b""
    ) -> dict[str, str]:
        """See `core.ports.PolicyEngine`."""
        (row,) = self._ask(modules, data, rules, [document])
        return {rule: value.decode("utf-8") for rule, value in zip(rules, row, strict=True)}

    def close(self) -> None:
        """End the child."""
        with self._lock:
            self._worker.close()

    def _ask(
        self, modules: Mapping[str, str], data: JsonObject, rules: Sequence[str], documents: Sequence[bytes]
    ) -> tuple[tuple[bytes, ...], ...]:
        if not self.identity["version"]:
            raise AssertionError("an engine without a version")
        policy = json.dumps({"modules": dict(modules), "data": data})
        asked: dict[str, object] = {
            "policy": hashlib.sha256(policy.encode()).hexdigest(),
            "rules": list(rules),
            "sizes": [len(document) for document in documents],
        }
        with self._lock:
            answer = self._call(asked, documents, rules)
            # The child holds what it was given before; only a new one, or a new policy, has to be told.
            if answer.failure == "unknown":
                answer = self._call({**asked, "modules": dict(modules), "data": data}, documents, rules)
        if answer.failure:
            raise_failure(answer.failure, answer.message, self._library)
        return answer.rows

    def _call(self, asked: Mapping[str, object], documents: Sequence[bytes], rules: Sequence[str]) -> _Answer:
        outcome = self._worker.call(b"".join([json.dumps(asked).encode(), b"\n", *documents]))
        if outcome.result is None:
            raise_outcome(outcome, ", ".join(rules), self._library)
        try:
            return _answer(outcome.result, len(documents), len(rules))
        except (ValueError, KeyError, TypeError, RecursionError):
            # A library that corrupts its own process can make the child say anything.
            garbled = Outcome(kind=FailureKind.CRASHED, detail="its answer does not read")
            raise_outcome(garbled, ", ".join(rules), self._library)


@dataclass(frozen=True, slots=True)
class _Answer:
    failure: str = ""
    message: str = ""
    rows: tuple[tuple[bytes, ...], ...] = ()


def _answer(answer: bytes, documents: int, rules: int) -> _Answer:
    line, _, body = answer.partition(b"\n")
    head = obj(json.loads(line))
    if "failure" in head:
        failure = obj(head["failure"])
        return _Answer(text(failure["kind"]), text(failure["message"]))
    rows, start = [], 0
    for row in array(head["sizes"]):
        sizes = [natural(size) for size in array(row)]
        if len(sizes) != rules:
            raise ValueError("values of other rules")
        ends = list(accumulate(sizes, initial=start))
        rows.append(tuple(body[begin:end] for begin, end in pairwise(ends)))
        start = ends[-1]
    if len(rows) != documents or start != len(body):
        raise ValueError("values of other documents")
    return _Answer(rows=tuple(rows))


def json_object(value: bytes, entrypoint: str) -> JsonObject:
    """The value of an entry point, read strictly.

    Raises:
        PolicyDenied: LF4011 it is no object, or no JSON that two readers would read alike.
    """
    try:
        return loads_object(value, what=f"value of {entrypoint}", max_bytes=MAX_OUTPUT)
    except (LockflightError, UnicodeError) as error:
        raise PolicyDenied(
            "LF4011", f"The policy's {entrypoint} is not an object: {error!s}.", hint=TEST
        ) from error


def raise_failure(kind: str, message: str, library: Library) -> NoReturn:
    """The error that an engine's own words stand for.

    Raises:
        EnvironmentProblem: LF4002 refused, LF4003 the policy does not load.
        PolicyDenied: LF4010 undefined, LF4015 anything else.
    """
    if kind == "refused":
        raise EnvironmentProblem(
            "LF4002",
            f"The policy engine {library.name} is refused: {message}.",
            hint=f"{library.install} --force-reinstall",
        )
    if kind == "policy":
        raise EnvironmentProblem("LF4003", f"The policy does not load: {message}.", hint=TEST)
    if kind == "undefined":
        raise PolicyDenied("LF4010", f"The policy has no answer, which is a no: {message}.", hint=TEST)
    raise PolicyDenied("LF4015", f"The policy failed while it judged: {message}.", hint=TEST)


def raise_outcome(outcome: Outcome, rules: str, library: Library) -> NoReturn:
    """The error that the end of a child stands for.

    Raises:
        EnvironmentProblem: LF4001 the library cannot be loaded.
        PolicyDenied: LF4012 time, LF4013 memory, LF4019 anything else.
    """
    if outcome.kind in {FailureKind.TIMEOUT, FailureKind.CPU}:
        raise PolicyDenied("LF4012", f"The policy's {rules} was stopped: {outcome.detail}.", hint=TEST)
    if outcome.kind is FailureKind.MEMORY:
        raise PolicyDenied("LF4013", f"The policy's {rules} was stopped: {outcome.detail}.", hint=TEST)
    if outcome.error is not None and outcome.error.type in {"ImportError", "ModuleNotFoundError"}:
        raise EnvironmentProblem(
            "LF4001", f"The policy engine {library.name} cannot be loaded.", hint=library.install
        )
    raise PolicyDenied(
        "LF4019",
        f"The policy engine {library.name} did not survive the policy's {rules}: {outcome.detail}.",
        hint=TEST,
    )
