"""Every error a user can meet: one base class, subclasses cut by what the caller does next.

    LockflightError
    ├── UsageError          2    the command or its configuration is wrong: change it
    ├── InvalidInput        2    what was given cannot be described or parsed: fix the input
    ├── NotFound            3    nothing there: name something else
    ├── EnvironmentProblem  4    the verb itself cannot work: mend home, realm, engine, network, permission
    ├── ConflictError       4    somebody else moved first: read the state again
    ├── PolicyDenied       10    the gate said no: satisfy the rules or ask for a waiver
    ├── EvidenceMissing    11    evidence is missing, stale or incomplete: run the check
    ├── VerificationFailed 12    bytes, signature, proof or identity are not what was signed: do not use it
    └── InternalError       1    a bug in Lockflight: report it

Each code has an entry in `_data/codes/*.toml`, shown by `lockflight explain CODE`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Exit codes in the order in which they win when several apply at once (DESIGN §5).
EXIT_PRECEDENCE = (1, 12, 4, 10, 11, 3, 2, 0)


class LockflightError(Exception):
    """What happened, to which object, why, and what to do next.

    Args:
        code: `LF` and four digits, the key of `lockflight explain`.
        message: what happened, to which object and why; one or two sentences.
        hint: the next command to type or change to make.
        details: machine-readable facts; JSON values only.
    """

    kind: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1

    def __init__(
        self, code: str, message: str, *, hint: str = "", details: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.details: dict[str, object] = dict(details or {})

    def __str__(self) -> str:
        return f"{self.code} {self.message}"

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the trip back from a child process with every field."""
        return (_rebuild, (type(self), self.code, self.message, self.hint, self.details))


def _rebuild(
    cls: type[LockflightError], code: str, message: str, hint: str, details: dict[str, object]
) -> LockflightError:
    return cls(code, message, hint=hint, details=details)


class UsageError(LockflightError):
    """The command line or the configuration is wrong."""

    kind = "usage"
    exit_code = 2


class InvalidInput(LockflightError):
    """What was given (manifest, folder, document) cannot be accepted as it is."""

    kind = "invalid_input"
    exit_code = 2


class NotFound(LockflightError):
    """Nothing was found under the given name, digest or path."""

    kind = "not_found"
    exit_code = 3


class EnvironmentProblem(LockflightError):
    """The verb itself cannot work here: home, realm, engine, network, permission."""

    kind = "environment"
    exit_code = 4


class ConflictError(LockflightError):
    """The state moved between reading and writing."""

    kind = "conflict"
    exit_code = 4


class PolicyDenied(LockflightError):
    """The gate or the admission said no."""

    kind = "denied"
    exit_code = 10


class EvidenceMissing(LockflightError):
    """Evidence is missing, stale or incomplete."""

    kind = "evidence_missing"
    exit_code = 11


class VerificationFailed(LockflightError):
    """A signature, digest, proof, identity or signed document is not what it must be."""

    kind = "verification_failed"
    exit_code = 12


class InternalError(LockflightError):
    """A bug in Lockflight."""

    kind = "internal"
    exit_code = 1


def worst_exit(codes: list[int]) -> int:
    """The exit code that wins when several apply at once (12, 4, 10, 11 in that order); 0 for none."""
    return min(codes, key=EXIT_PRECEDENCE.index, default=0)
