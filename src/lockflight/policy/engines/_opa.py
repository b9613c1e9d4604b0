"""OPA as a library (Go, c-shared), in its child process. Forking with it loaded hangs, so nothing here starts one.

Built-in errors are strict in this library. It compiles and keeps every query text for ever, so one text asks for all
rules of a request, and policies that are no longer held are closed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockflight.policy.engines._serve import Failure, Server
from lockflight.policy.engines.opatext import failure_kind, plain, query

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Built-in functions that reach the network; the library has no switch for them.
REACHING = frozenset({"http.send", "net.lookup_ip_addr"})


class _Policy:
    def __init__(self, engine: Any) -> None:  # noqa: ANN401 - the library has no types
        self._engine = engine

    def values(self, document: str, rules: Sequence[str]) -> list[str]:
        from opa_bindings import OpaError

        try:
            answers = self._engine.eval_query(query(rules), json.loads(document) if document else None)
        except OpaError as error:
            raise Failure(failure_kind(error.message), plain(error.message)) from error
        found: list[list[object]] = answers[0]["x"] if len(answers) == 1 else [[]]
        for rule, value in zip(rules, found, strict=False):
            if len(value) != 1:
                raise Failure("undefined", f"the rule {rule} is undefined")
        return [json.dumps(value[0], ensure_ascii=False) for value in found]

    def close(self) -> None:
        self._engine.close()


def _load(modules: Mapping[str, str], data: str) -> _Policy:
    from opa_bindings import OpaEngine, OpaError

    if not isolated():
        from lockflight.policy.text.tokens import tokens

        for path, source in sorted(modules.items()):
            for token in tokens(source):
                if token.text in REACHING:
                    raise Failure("policy", f"{path}:{token.line}: {token.text} reaches the network")
    engine = OpaEngine()
    engine.print_handler = _silent
    try:
        for path, source in sorted(modules.items()):
            engine.add_policy(path, source)
        engine.add_data(json.loads(data))
    except OpaError as error:
        engine.close()
        raise Failure("policy", plain(error.message)) from error
    return _Policy(engine)


def _silent(message: str, location: str) -> None:
    """What a policy prints goes nowhere."""


def isolated(table: Path = Path("/proc/self/net/dev")) -> bool:
    """Whether this process sees no network beside its own loopback; not every system lets a child leave it."""
    try:
        lines = table.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return False
    return {line.split(":")[0].strip() for line in lines if ":" in line} <= {"lo"}


_server = Server(_load)


def evaluate(request: bytes, _fds: list[int]) -> bytes:
    """See `_serve.Server.answer`."""
    return _server.answer(request)
