"""Comparing what a signature covers with what is in a folder: one problem per file, each with its own code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from lockflight.core.records import dataclass
from lockflight.core.release.release import SIGNATURE_NAME, Release
from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockflight.core.release.tensors import TensorIndex
    from lockflight.core.verify.foreign import ForeignManifest

CHANGED: Final = "LF7301"
MISSING: Final = "LF7302"
EXTRA: Final = "LF7303"
RENAMED: Final = "LF7304"
SYMLINK: Final = "LF7305"
SPECIAL: Final = "LF7306"
GIT_FILE: Final = "LF7307"
IN_SIGNATURE: Final = "LF7308"
LEFT_OUT: Final = "LF7309"

#: How many problems an error names; all of them are counted.
MAX_NAMED = 100

FileKind = Literal["file", "symlink", "special"]


@dataclass(frozen=True, slots=True)
class FoundFile:
    """What is in the folder under one name.

    Attributes:
        sha256: hex digest of the bytes; empty for what is not a regular file.
        size: bytes.
        kind: regular file, symbolic link (to anything), or anything else (device, pipe, socket, a folder
            where a file must be). Links and special files are listed, never followed or opened.
        blake3: hex digest, where it was computed too.
        tensors: digests of the parts of a safetensors file, where they were computed too.
        other: digest of another form, where a foreign signature has one: see `pieces.digest_of`.
    """

    sha256: str
    size: int
    kind: FileKind = "file"
    blake3: str = ""
    tensors: TensorIndex | None = None
    other: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """One difference; `other` is the new name of a renamed file."""

    code: str
    name: str
    message: str
    other: str = ""

    def to_json(self) -> dict[str, str]:
        """Fields as they stand."""
        return {"code": self.code, "name": self.name, "message": self.message, "other": self.other}


@dataclass(frozen=True, slots=True)
class _Expected:
    digest: str
    size: int | None
    blake3: str = ""
    tensors: TensorIndex | None = None


def compare(release: Release, found: Mapping[str, FoundFile]) -> list[Problem]:
    """Every difference between a release and a folder, by name; an empty list means that they are equal.

    The package holds exactly the assets; the regular file `model.sig` may lie beside them.

    Args:
        release: what was signed.
        found: everything in the folder but plain folders, by name.
    """
    expected = {a.name: _Expected(a.sha256, a.size, a.blake3, a.tensors) for a in release.assets}
    return _compare(expected, found, "sha256", SIGNATURE_NAME)


def compare_foreign(
    manifest: ForeignManifest, found: Mapping[str, FoundFile], *, signature: str = SIGNATURE_NAME
) -> list[Problem]:
    """`compare` for another tool's manifest; what its signer chose to ignore is extra all the same.

    Args:
        manifest: what was signed.
        found: everything in the folder but plain folders, by name; with BLAKE3 digests, or digests of another
            form, if the manifest has them.
        signature: name of the signature file, which may lie beside the files.
    """
    expected = {f.name: _Expected(f.digest, f.size) for f in manifest.resources}
    return _compare(expected, found, manifest.hash_type if manifest.plain else "other", signature)


def require_equal(problems: list[Problem], *, what: str) -> None:
    """Raise for a comparison that found a difference.

    Raises:
        VerificationFailed: with the code of the first problem (LF7301 to LF7306); `details` names all, up to
            a limit.
    """
    if not problems:
        return
    first = problems[0]
    count = len(problems) - 1
    more = f" {count} more difference{'s' if count > 1 else ''}." if count else ""
    raise VerificationFailed(
        first.code,
        f"{what} is not what was signed: {first.message}.{more}",
        hint="Do not load it. Get the package again from its producer.",
        details={"count": len(problems), "problems": [p.to_json() for p in problems[:MAX_NAMED]]},
    )


def _compare(
    expected: Mapping[str, _Expected], found: Mapping[str, FoundFile], algorithm: str, signature: str
) -> list[Problem]:
    problems: list[Problem] = []
    missing: list[str] = []
    for name in sorted(expected):
        file = found.get(name)
        if file is None:
            missing.append(name)
        elif file.kind != "file":
            problems.append(_not_a_file(name, file))
        elif (reason := _difference(expected[name], file, algorithm)) is not None:
            problems.append(Problem(CHANGED, name, f"{name!r} was changed: {reason}"))
    extra: list[str] = []
    for name in sorted(found):
        file = found[name]
        if name in expected or (name == signature and file.kind == "file"):
            continue
        if file.kind != "file":
            problems.append(_not_a_file(name, file))
        else:
            extra.append(name)
    renamed, missing, extra = _renames(expected, found, algorithm, missing, extra)
    problems += renamed
    problems += [Problem(MISSING, n, f"{n!r} was signed and is missing") for n in missing]
    problems += [Problem(EXTRA, n, f"{n!r} is there and was not signed") for n in extra]
    return sorted(problems, key=lambda p: (p.name, p.code))


def _renames(
    expected: Mapping[str, _Expected],
    found: Mapping[str, FoundFile],
    algorithm: str,
    missing: list[str],
    extra: list[str],
) -> tuple[list[Problem], list[str], list[str]]:
    """Pair missing and extra files of equal bytes, in order of name; each is in one pair at most."""
    by_digest: dict[str, list[str]] = {}
    for name in reversed(extra):
        by_digest.setdefault(_digest(found[name], algorithm), []).append(name)
    problems: list[Problem] = []
    left: list[str] = []
    for name in missing:
        candidates = by_digest.get(expected[name].digest)
        if candidates:
            other = candidates.pop()
            problems.append(Problem(RENAMED, name, f"{name!r} was renamed to {other!r}", other))
        else:
            left.append(name)
    taken = {p.other for p in problems}
    return problems, left, [n for n in extra if n not in taken]


def _difference(expected: _Expected, file: FoundFile, algorithm: str) -> str | None:
    if expected.size is not None and file.size != expected.size:
        return f"it has {file.size} bytes instead of {expected.size}"
    actual = _digest(file, algorithm)
    if actual != expected.digest:
        kind = "digest" if algorithm == "other" else algorithm
        return f"its {kind} is {actual[:16] or 'unknown'}… instead of {expected.digest[:16]}…"
    # A verified load believes these two, so a signer may not state others than the bytes have.
    if expected.blake3 and file.blake3 and file.blake3 != expected.blake3:
        return f"its blake3 is {file.blake3[:16]}… instead of {expected.blake3[:16]}…"
    if expected.tensors is not None and file.blake3 and file.tensors != expected.tensors:
        return "its tensors are not those that the signature lists"
    return None


def _digest(file: FoundFile, algorithm: str) -> str:
    if algorithm == "other":
        return file.other
    return file.blake3 if algorithm == "blake3" else file.sha256


def _not_a_file(name: str, file: FoundFile) -> Problem:
    if file.kind == "symlink":
        return Problem(SYMLINK, name, f"{name!r} is a symbolic link, and what it leads to can change")
    return Problem(SPECIAL, name, f"{name!r} is not a regular file")
