"""The regorus engine, in a child process: its library never sees our keys, nor we its crashes."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import threading
import weakref
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from lockflight.core.canonical import loads_object
from lockflight.errors import EnvironmentProblem, LockflightError, PolicyDenied
from lockflight.infra.proc import MIB, FailureKind, Limits, Outcome, Worker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lockflight.core.canonical import JsonObject

DISTRIBUTION = "gordon-to-regorus"
#: Installs a module of the same name from an older code base.
RIVAL = "celine-regorus"

#: Budgets of one decision: facts of 16 MiB take about a second.
LIMITS = Limits(cpu_s=20, memory_bytes=1024 * MIB, wall_s=30.0, output_bytes=32 * MIB, file_bytes=MIB)

_INSTALL = f"python3 -m pip install {DISTRIBUTION}"
_TEST = "lockflight policy test BUNDLE"


class RegorusEngine:
    """Rego by the regorus library (PyPI: gordon-to-regorus). Several threads may share one; they take turns."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self._worker = Worker("lockflight.policy._regorus:evaluate", limits=limits)
        self._lock = threading.Lock()
        self._identity: dict[str, str] = {}
        weakref.finalize(self, self._worker.close)

    @property
    def identity(self) -> Mapping[str, str]:
        """name, version and sha256 of the engine's library.

        Raises:
            EnvironmentProblem: LF4001 it is not installed, LF4002 something else is.
        """
        if not self._identity:
            self._identity = {"name": "regorus", **_installed()}
        return self._identity

    def evaluate(
        self, modules: Mapping[str, str], data: JsonObject, entrypoint: str, document: bytes
    ) -> JsonObject:
        """See `core.ports.PolicyEngine`."""
        return self.evaluate_all(modules, data, entrypoint, [document])[0]

    def evaluate_all(
        self, modules: Mapping[str, str], data: JsonObject, entrypoint: str, documents: Sequence[bytes]
    ) -> list[JsonObject]:
        """`evaluate` for several documents, in one child; none may fail.

        Raises:
            EnvironmentProblem: LF4001 to LF4004.
            PolicyDenied: LF4010 to LF4019.
        """
        return [_object(row[0], entrypoint) for row in self._ask(modules, data, [entrypoint], documents)]

    def rules(
        self, modules: Mapping[str, str], data: JsonObject, rules: Sequence[str], document: bytes = b"{}"
    ) -> dict[str, str]:
        """The JSON texts of several rules; for the tests of a bundle.

        Raises:
            EnvironmentProblem, PolicyDenied: as `evaluate_all`.
        """
        return dict(zip(rules, self._ask(modules, data, rules, [document])[0], strict=True))

    def close(self) -> None:
        """End the child."""
        with self._lock:
            self._worker.close()

    def _ask(
        self, modules: Mapping[str, str], data: JsonObject, rules: Sequence[str], documents: Sequence[bytes]
    ) -> list[list[str]]:
        if not self.identity["version"]:
            raise AssertionError("an engine without a version")
        request = json.dumps(
            {
                "modules": dict(modules),
                "data": data,
                "rules": list(rules),
                "documents": [document.decode("utf-8") for document in documents],
            }
        ).encode()
        with self._lock:
            outcome = self._worker.call(request)
        if outcome.result is None:
            _raise_outcome(outcome, ", ".join(rules))
        answer = json.loads(outcome.result)
        if "failure" in answer:
            _raise_failure(answer["failure"]["kind"], answer["failure"]["message"])
        values: list[list[str]] = answer["values"]
        return values


def _installed() -> dict[str, str]:
    try:
        version = metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        raise EnvironmentProblem(
            "LF4001", f"The policy engine is not installed: there is no {DISTRIBUTION}.", hint=_INSTALL
        ) from None
    try:
        metadata.version(RIVAL)
    except metadata.PackageNotFoundError:
        pass
    else:
        raise EnvironmentProblem(
            "LF4002",
            f"Both {DISTRIBUTION} and {RIVAL} are installed; they overwrite each other's module `regorus`.",
            hint=f"python3 -m pip uninstall {RIVAL} && {_INSTALL} --force-reinstall",
        )
    spec = importlib.util.find_spec("regorus")
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    found = sorted(p for f in folders for p in Path(f).iterdir() if p.suffix in {".so", ".pyd", ".dylib"})
    if len(found) != 1:
        raise EnvironmentProblem(
            "LF4001",
            f"The policy engine {DISTRIBUTION} {version} is damaged: it has {len(found)} libraries instead of one.",
            hint=f"{_INSTALL} --force-reinstall",
        )
    with found[0].open("rb") as file:
        return {"version": version, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _object(text: str, entrypoint: str) -> JsonObject:
    try:
        return loads_object(
            text.encode("utf-8"), what=f"value of {entrypoint}", max_bytes=LIMITS.output_bytes
        )
    except (LockflightError, UnicodeError) as error:
        raise PolicyDenied(
            "LF4011", f"The policy's {entrypoint} is not an object: {error!s}.", hint=_TEST
        ) from error


def _raise_failure(kind: str, message: str) -> NoReturn:
    if kind == "refused":
        raise EnvironmentProblem(
            "LF4002",
            f"The policy engine regorus is refused: {message}.",
            hint=f"{_INSTALL} --force-reinstall",
        )
    if kind == "policy":
        raise EnvironmentProblem("LF4003", f"The policy does not load: {message}.", hint=_TEST)
    if kind == "undefined":
        raise PolicyDenied("LF4010", f"The policy has no answer, which is a no: {message}.", hint=_TEST)
    raise PolicyDenied("LF4015", f"The policy failed while it judged: {message}.", hint=_TEST)


def _raise_outcome(outcome: Outcome, rules: str) -> NoReturn:
    if outcome.kind in {FailureKind.TIMEOUT, FailureKind.CPU}:
        raise PolicyDenied("LF4012", f"The policy's {rules} was stopped: {outcome.detail}.", hint=_TEST)
    if outcome.kind is FailureKind.MEMORY:
        raise PolicyDenied("LF4013", f"The policy's {rules} was stopped: {outcome.detail}.", hint=_TEST)
    if outcome.error is not None and outcome.error.type in {"ImportError", "ModuleNotFoundError"}:
        raise EnvironmentProblem("LF4001", "The policy engine regorus cannot be loaded.", hint=_INSTALL)
    raise PolicyDenied(
        "LF4019", f"The policy engine did not survive the policy's {rules}: {outcome.detail}.", hint=_TEST
    )
