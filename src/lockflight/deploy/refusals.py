"""What a verified load says when it does not give bytes away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.errors import EnvironmentProblem, NotFound, VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Iterable

_AGAIN = "Do not load it. Get the package again from its producer, and find out what wrote to this one."


def not_signed(name: str, why: str) -> VerificationFailed:
    """LF7510: the bytes are not those of the signature."""
    return VerificationFailed(
        "LF7510", f"{name!r} is not what was signed: {why}.", hint=_AGAIN, details={"name": name}
    )


def not_a_file(name: str, why: str) -> VerificationFailed:
    """LF7512: nothing that could be the signed file stands under its name."""
    return VerificationFailed(
        "LF7512", f"{name!r} cannot be loaded: {why}", hint=_AGAIN, details={"name": name}
    )


def tensor_differs(name: str, tensor: str) -> VerificationFailed:
    """LF7513: the bytes of one tensor are not the signed ones."""
    return VerificationFailed(
        "LF7513",
        f"The tensor {tensor[:200]!r} of {name!r} is not the one that was signed under this name.",
        hint=_AGAIN,
        details={"name": name, "tensor": tensor[:200]},
    )


def unknown_asset(name: str, known: Iterable[str]) -> NotFound:
    """LF7511: the signature lists no such file, whatever lies in the folder."""
    from lockflight.core.text.suggest import did_you_mean

    names = list(known)
    return NotFound(
        "LF7511",
        f"The signed release has no file {name[:200]!r}.",
        hint=did_you_mean(name, names, otherwise=f"It has {len(names)} files; names() lists them."),
        details={"name": name[:200]},
    )


def no_room(what: str, error: OSError) -> EnvironmentProblem:
    """LF7533: a private copy cannot be made."""
    return EnvironmentProblem(
        "LF7533",
        f"No private copy of {what!r} can be made: {error.strerror}.",
        hint="df -h; df -h /dev/shm; TMPDIR names another folder for private copies.",
    )
