"""What nobody signed, in a folder that somebody else signed: refused, or named.

Signers of other tools leave files out by rules that verifiers then obey: git's own files always, and what the signature
itself says. Strict obeys none of them. Compat obeys them as the specification words them (section 6.2.1: whole names
from the top of the folder, no patterns) and names every file.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from lockflight.core.release.release import SIGNATURE_NAME
from lockflight.core.verify.foreign import Mode, Relaxation
from lockflight.core.verify.package import (
    EXTRA,
    GIT_FILE,
    IN_SIGNATURE,
    LEFT_OUT,
    SPECIAL,
    SYMLINK,
    Problem,
    compare_foreign,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lockflight.core.verify.foreign import ForeignManifest
    from lockflight.core.verify.package import FoundFile

#: Left out by every signer of the specification (section 6.2), at the top of the folder.
ALWAYS_OUT: Final = (".git", ".gitattributes", ".github", ".gitignore")


def judge_files(
    manifest: ForeignManifest,
    found: Mapping[str, FoundFile],
    *,
    signature: str = SIGNATURE_NAME,
    obey: bool = True,
) -> tuple[list[Problem], tuple[Relaxation, ...]]:
    """Compare a folder with what was signed, in the profile in which the signature was read.

    Args:
        manifest: what was signed.
        found: everything in the folder but plain folders, by name.
        signature: name of the signature file; empty where it lies elsewhere.
        obey: whether compat lets rules of the signer leave files out; False where everything must be signed.

    Returns:
        Differences, by name; and all that was relaxed, of the signature and of its files.
    """
    manifest = _named(manifest, found, signature)
    problems: list[Problem] = []
    empty: list[str] = []
    left: list[str] = []
    listed = {f.name for f in manifest.resources}
    for problem in compare_foreign(manifest, found, signature=signature):
        unlisted = problem.code in {EXTRA, SYMLINK, SPECIAL} and problem.name not in listed
        rule = _rule(manifest, problem.name, signature) if unlisted else ""
        compat = manifest.mode is Mode.COMPAT
        if rule in {GIT_FILE, LEFT_OUT} and compat and obey:
            left.append(problem.name)
        elif (
            unlisted and problem.code == EXTRA and manifest.piece and compat and not found[problem.name].size
        ):
            empty.append(problem.name)
        elif rule and problem.code == EXTRA:
            problems.append(replace(problem, code=rule, message=_MESSAGES[rule].format(problem.name)))
        else:
            problems.append(problem)
    relaxed = [*manifest.relaxations]
    relaxed += [Relaxation("unsigned-files", tuple(left))] if left else []
    relaxed += [Relaxation("empty-files", tuple(empty))] if empty else []
    return problems, tuple(relaxed)


_MESSAGES: Final = {
    GIT_FILE: "{!r} was not signed, and lies where other verifiers do not look",
    IN_SIGNATURE: "{!r} lies in a folder with the name of the signature, where other verifiers do not look",
    LEFT_OUT: "{!r} was not signed, because its signer left it out",
}


def _rule(manifest: ForeignManifest, name: str, signature: str) -> str:
    """The code of the rule by which other verifiers would overlook an unsigned name; empty for none."""
    if name.startswith(f"{signature or SIGNATURE_NAME}/"):
        return IN_SIGNATURE
    if _covered(name, ALWAYS_OUT):
        return GIT_FILE
    return LEFT_OUT if _covered(name, manifest.ignore_paths) else ""


def _covered(name: str, rules: Sequence[str]) -> bool:
    return any(name == rule or name.startswith(f"{rule}/") for rule in rules if rule)


def _named(manifest: ForeignManifest, found: Mapping[str, FoundFile], signature: str) -> ForeignManifest:
    """Of a signature over one file without a name: the one file that is there."""
    names = [name for name, file in found.items() if file.kind == "file" and name != signature]
    if [f.name for f in manifest.resources] != ["."] or len(names) != 1:
        return manifest
    return replace(manifest, resources=(replace(manifest.resources[0], name=names[0]),))
