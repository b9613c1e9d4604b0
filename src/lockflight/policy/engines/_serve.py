"""What runs beside an engine's library, in its child process: prove it, load a policy once, evaluate, say what failed.

The wire is a JSON object on one line, then raw JSON texts whose sizes that object tells: documents come in and values
go out as they are.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

from lockflight.policy import canary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: Policies that stay loaded; each is compiled once. A decision needs two at most.
HELD = 4


class Failure(Exception):
    """Why there are no values: kind is refused, policy, undefined, evaluation or unknown."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind, self.message = kind, message


class Loaded(Protocol):
    """A compiled policy with its data."""

    def values(self, document: str, rules: Sequence[str]) -> list[str]:
        """JSON text of each rule; nothing of the document may be left for the next one.

        An empty document leaves `input` undefined.

        Raises:
            Failure: a rule is undefined or fails.
        """
        ...

    def close(self) -> None:
        """Let go of memory that Python does not own."""
        ...


class Server:
    """Answers requests with one library; one per child process."""

    def __init__(self, load: Callable[[Mapping[str, str], str], Loaded]) -> None:
        """Nothing is loaded yet.

        Args:
            load: modules by path and the JSON text of the data to a compiled policy; raises `Failure`.
        """
        self._load = load
        self._proven = False
        self._held: OrderedDict[str, Loaded] = OrderedDict()

    def answer(self, request: bytes) -> bytes:
        """`{policy, rules, sizes}`, and once `{modules, data}`, with documents; back come `{sizes}` and values.

        On failure the answer is `{failure: {kind, message}}`; the kind `unknown` asks for modules and data.
        """
        head, _, body = request.partition(b"\n")
        asked = json.loads(head)
        try:
            policy = self._policy(asked)
            start, rows = 0, []
            for size in asked["sizes"]:
                document = body[start : start + size].decode("utf-8")
                start += size
                rows.append([text.encode("utf-8") for text in policy.values(document, asked["rules"])])
        except Failure as failure:
            told = {"kind": failure.kind, "message": failure.message[:2000]}
            return json.dumps({"failure": told}).encode() + b"\n"
        sizes = [[len(text) for text in row] for row in rows]
        return b"".join([json.dumps({"sizes": sizes}).encode(), b"\n", *(t for row in rows for t in row)])

    def _policy(self, asked: Mapping[str, object]) -> Loaded:
        key, modules = str(asked["policy"]), asked.get("modules")
        if key in self._held:
            self._held.move_to_end(key)
            return self._held[key]
        if not isinstance(modules, dict):
            raise Failure("unknown", "the policy is not loaded")
        if not self._proven:
            self._prove()
        policy = self._load(modules, json.dumps(asked["data"], ensure_ascii=False))
        self._held[key] = policy
        while len(self._held) > HELD:
            self._held.popitem(last=False)[1].close()
        return policy

    def _prove(self) -> None:
        try:
            loaded = self._load(canary.modules(), "{}")
        except Failure as failure:
            raise Failure("refused", f"it does not load the canary: {failure.message}") from failure
        try:
            # Together: an engine that compiles each query anew would spend its start on the canary.
            texts = loaded.values("{}", canary.RULES)
            known = {rule: json.loads(text) for rule, text in zip(canary.RULES, texts, strict=True)}
        except (Failure, ValueError):
            known = {}

        def value(rule: str) -> object:
            return known[rule] if rule in known else json.loads(loaded.values("{}", [rule])[0])

        refusal = canary.refusal(value)
        loaded.close()
        if refusal:
            raise Failure("refused", refusal)
        self._proven = True
