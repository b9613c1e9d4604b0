"""The `opa` program as an engine, where it is on the PATH and the library is not installed.

Each evaluation is one run under the same budgets as a library's child: the policy in a folder of its own, the facts on
stdin, the answer as `--format json` prints it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.core.shape import array, obj
from lockflight.errors import EnvironmentProblem, PolicyDenied
from lockflight.infra.command import CommandOutcome, run_command
from lockflight.infra.proc import MIB, FailureKind, Limits, Outcome
from lockflight.policy import canary
from lockflight.policy.engines.library import (
    MAX_OUTPUT,
    TEST,
    Library,
    json_object,
    raise_failure,
    raise_outcome,
)
from lockflight.policy.engines.opa import INSTALL
from lockflight.policy.engines.opatext import failure_kind, plain, query

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lockflight.core.canonical import JsonObject

LIMITS = Limits(cpu_s=40, memory_bytes=4096 * MIB, wall_s=60.0, output_bytes=MAX_OUTPUT, file_bytes=16 * MIB)

_VERSION = re.compile(r"^Version: ([0-9A-Za-z.+-]+)$", re.MULTILINE)
_OPTIONS = ("--format", "json", "--strict-builtin-errors")


class OpaProgram:
    """Rego by an `opa` program; each evaluation starts it once."""

    def __init__(self, path: Path, limits: Limits = LIMITS) -> None:
        """Nothing runs yet.

        Args:
            path: absolute path of the program.
            limits: budgets of one run.
        """
        self._path = path
        self._limits = limits
        self._identity: Mapping[str, str] = {}
        self._proven = False
        self._library = Library("opa", "", INSTALL, limits, lambda: self.identity)

    @property
    def identity(self) -> Mapping[str, str]:
        """name, version and sha256 of the program.

        Raises:
            EnvironmentProblem: LF4001 it does not say what it is; LF5050, LF5051 it cannot be started.
        """
        if not self._identity:
            told = self._run("version")
            match = _VERSION.search(told.stdout.decode("utf-8", errors="replace"))
            if match is None or told.returncode != 0:
                raise EnvironmentProblem(
                    "LF4001", f"The program {str(self._path)!r} does not say which OPA it is.", hint=INSTALL
                )
            with self._path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            self._identity = {
                "name": "opa",
                "version": match[1],
                "library": "program",
                "sha256": digest,
            }
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
        self._prove()
        with tempfile.TemporaryDirectory(prefix="lockflight-opa-") as folder:
            write_policy(Path(folder), modules, data)
            rows = [self._values(Path(folder), [entrypoint], document) for document in documents]
        return [json_object(row[0].encode("utf-8"), entrypoint) for row in rows]

    def rules(
        self, modules: Mapping[str, str], data: JsonObject, rules: Sequence[str], document: bytes = b""
    ) -> dict[str, str]:
        """See `core.ports.PolicyEngine`."""
        self._prove()
        with tempfile.TemporaryDirectory(prefix="lockflight-opa-") as folder:
            write_policy(Path(folder), modules, data)
            return dict(zip(rules, self._values(Path(folder), rules, document), strict=True))

    def close(self) -> None:
        """Nothing runs between evaluations."""

    def _prove(self) -> None:
        if self._proven or not self.identity["version"]:
            return
        with tempfile.TemporaryDirectory(prefix="lockflight-opa-") as folder:
            write_policy(Path(folder), canary.modules(), {})
            known: dict[str, str] = {}
            with contextlib.suppress(PolicyDenied):
                known.update(zip(canary.RULES, self._values(Path(folder), canary.RULES, b"{}"), strict=True))

            def value(rule: str) -> object:
                text = known.get(rule)
                return json.loads(text if text is not None else self._values(Path(folder), [rule], b"{}")[0])

            refusal = canary.refusal(value)
        if refusal:
            raise_failure("refused", refusal, self._library)
        self._proven = True

    def _values(self, folder: Path, rules: Sequence[str], document: bytes) -> list[str]:
        given = ("--stdin-input",) if document else ()
        done = self._run("eval", *_OPTIONS, *given, "--bundle", str(folder), query(rules), stdin=document)
        names = ", ".join(rules)
        if done.kind is not None:
            raise_outcome(Outcome(kind=done.kind, detail=done.detail), names, self._library)
        try:
            told = obj(json.loads(done.stdout))
            if "errors" in told:
                message = _complaint(obj(array(told["errors"])[0]), folder)
                raise_failure(failure_kind(message), plain(message), self._library)
            if done.returncode != 0:
                raise ValueError("a status without errors")
            (result,) = array(told["result"])
            found = [array(value) for value in array(obj(obj(result)["bindings"])["x"])]
        except (ValueError, KeyError, TypeError, RecursionError, IndexError):
            detail = f"it ended with status {done.returncode} and no answer that reads"
            raise_outcome(Outcome(kind=FailureKind.CRASHED, detail=detail), names, self._library)
        for rule, value in zip(rules, found, strict=True):
            if len(value) != 1:
                raise_failure("undefined", f"the rule {rule} is undefined", self._library)
        return [json.dumps(value[0], ensure_ascii=False) for value in found]

    def _run(self, *arguments: str, stdin: bytes = b"") -> CommandOutcome:
        return run_command([str(self._path), *arguments], limits=self._limits, stdin=stdin)


def write_policy(folder: Path, modules: Mapping[str, str], data: JsonObject) -> None:
    """Lay out a bundle as the program reads it.

    Raises:
        EnvironmentProblem: LF4003 a module's path leaves the folder.
    """
    for path, source in modules.items():
        target = folder / path
        if not path.endswith(".rego") or ".." in target.parts or not target.is_relative_to(folder):
            raise EnvironmentProblem(
                "LF4003", f"The policy does not load: {path!r} is no path of a module.", hint=TEST
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(source, encoding="utf-8")
    (folder / ".manifest").write_text('{"rego_version": 1, "roots": [""]}', encoding="utf-8")
    (folder / "data.json").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")


def _complaint(error: JsonObject, folder: Path) -> str:
    message, code = str(error.get("message", "")), str(error.get("code", ""))
    place = error.get("location")
    where = ""
    if isinstance(place, dict):
        where = f"{str(place.get('file', '')).removeprefix(str(folder)).lstrip('/')}:{place.get('row', 0)}: "
    return f"{where}{code}: {message}"


def find_program() -> Path | None:
    """An `opa` program on the operator's PATH; never one in the folder where the command runs."""
    folders = [f for f in os.environ.get("PATH", "").split(os.pathsep) if Path(f).is_absolute()]
    found = shutil.which("opa", path=os.pathsep.join(folders)) if folders else None
    return Path(found).resolve() if found else None
