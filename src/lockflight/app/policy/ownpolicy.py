"""A release's own policy: its files out of the workspace, the package or the realm's store, and the bundle in them.

Whatever keeps it from judging is a refusal: a policy that cannot be asked is never the same as none.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from lockflight.app.files.package import load_package
from lockflight.core.gate.gate import OwnJudge, check_apart
from lockflight.core.records import dataclass
from lockflight.core.release.ownpolicy import ARCHIVE, inside, own_digest, own_in_facts
from lockflight.core.shape import obj, text
from lockflight.errors import LockflightError, PolicyDenied, VerificationFailed
from lockflight.policy.archive import unpacked
from lockflight.policy.bundle import MAX_BYTES, MAX_FILES, read_bundle
from lockflight.store.blobs import BlobStore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lockflight.core.canonical import JsonObject
    from lockflight.core.gate.gate import PolicyRef
    from lockflight.core.release.release import Asset, Release
    from lockflight.core.source import ByteSource
    from lockflight.policy.bundle import Bundle
    from lockflight.policy.gate import PolicyGate

#: Codes of what keeps a release's own policy from judging; the realm's may be fine.
PROBLEMS = frozenset({"LF4027", "LF4028", "LF4029"})
#: What is wrong with the engine or the machine, and not with the policy that the release brings along.
NOT_ITS_FAULT = frozenset({"LF4001", "LF4002", "LF4021", "LF5050", "LF5051"})


@dataclass(frozen=True, slots=True)
class OwnBundle:
    """A release's own policy, read.

    Attributes:
        bundle: what its files say.
        digest: over the release's assets that make it up.
        files: name to content of these assets.
        who: the release, for messages.
    """

    bundle: Bundle
    digest: str
    files: Mapping[str, bytes]
    who: str


def own_files(
    release: Release, folder: Path, sources: Mapping[str, ByteSource] | None = None
) -> dict[str, bytes]:
    """The assets that make up a release's own policy, by name.

    Args:
        release: what brings it along.
        folder: the realm's, whose store has them since the release was signed.
        sources: the release's bytes, where it lies open.

    Raises:
        PolicyDenied: LF4027 one is not here or is another, LF4028 they are more than a policy may be.
    """
    assets = release.policy_assets
    if len(assets) > MAX_FILES or sum(a.size for a in assets) > MAX_BYTES:
        raise _unfit(release, f"it has more than {MAX_FILES} files or {MAX_BYTES} bytes")
    blobs = BlobStore(folder / "blobs")
    return {asset.name: _body(release, asset, blobs, sources or {}) for asset in assets}


def _body(release: Release, asset: Asset, blobs: BlobStore, sources: Mapping[str, ByteSource]) -> bytes:
    source = sources.get(asset.name)
    body = source.read_at(0, asset.size) if source is not None else blobs.get(asset.sha256)
    if body is None or hashlib.sha256(body).hexdigest() != asset.sha256:
        raise PolicyDenied(
            "LF4027",
            f"{asset.name} of the own policy of {release.name} {release.version} is not here, "
            "so nothing can be decided about it.",
            hint="lockflight promote PACKAGE brings it along; or restore the realm's folder from a backup.",
        )
    return body


def own_of(
    release: Release, folder: Path, sources: Mapping[str, ByteSource] | None = None
) -> OwnBundle | None:
    """The policy that a release brings along; None where it brings none.

    Raises:
        PolicyDenied: LF4027, LF4028 as `own_files`; LF4028 it does not read, or may not judge.
    """
    if not release.policy:
        return None
    return read_own(release.policy, own_files(release, folder, sources), f"{release.name} {release.version}")


def keep_own(release: Release, folder: Path, sources: Mapping[str, ByteSource]) -> None:
    """Keep the files of an own policy in the realm's store, so that it can judge without the package.

    Raises:
        PolicyDenied: LF4028 they are more than a policy may be, LF4027 one changed.
    """
    blobs = BlobStore(folder / "blobs")
    for body in own_files(release, folder, sources).values():
        blobs.put(body)


def bring_along(release: Release, folder: Path, package: Path) -> None:
    """Keep an own policy out of a verified package, where the realm's store does not have it yet.

    Raises:
        PolicyDenied: as `keep_own`.
    """
    blobs = BlobStore(folder / "blobs")
    if all(blobs.get(asset.sha256) is not None for asset in release.policy_assets):
        return
    with load_package(package) as loaded:
        keep_own(release, folder, loaded.sources)


def own_again(facts: JsonObject, files: Mapping[str, bytes], who: str) -> OwnBundle | None:
    """The own policy of a recorded decision, checked against the assets in its facts; None where they name none.

    Args:
        facts: facts v1 of the right shape.
        files: name to content of the assets that make it up; empty for none.
        who: the release, for messages.

    Raises:
        VerificationFailed: LF7194 it is another policy than the facts name.
        PolicyDenied: LF4028 it does not read as a policy.
    """
    digest = own_in_facts(facts)
    if digest:
        place = text(obj(obj(facts["release"])["policy"])["bundle"])
        held = own_digest(
            place, ((name, hashlib.sha256(content).hexdigest()) for name, content in files.items())
        )
        if held == digest and all(inside(place, name) for name in files):
            return read_own(place, files, who)
    elif not files:
        return None
    raise VerificationFailed("LF7194", "The release's own policy is not the one that its facts name.")


def read_own(place: str, files: Mapping[str, bytes], who: str) -> OwnBundle:
    """The bundle in some assets of a release.

    Raises:
        PolicyDenied: LF4028 it does not read, or may not judge.
    """
    digest = own_digest(place, ((name, hashlib.sha256(body).hexdigest()) for name, body in files.items()))
    try:
        if place.endswith(ARCHIVE):
            bundle = read_bundle(unpacked(files[place]))
        else:
            bundle = read_bundle({name.removeprefix(f"{place}/"): body for name, body in files.items()})
    except LockflightError as error:
        raise _unfit_because(who, error) from error
    return OwnBundle(bundle, digest, files, who)


def judge_of(own: OwnBundle, gate: PolicyGate, against: PolicyRef) -> OwnJudge:
    """What `core.gate.decide` asks besides the realm's policy: it bites, and keeps to rules of its own.

    Args:
        own: the policy.
        gate: the same with its engine.
        against: the realm's policy.

    Raises:
        PolicyDenied: LF4028 it does not bite, LF4029 its rules are taken.
    """
    ref = replace(gate.ref, digest=own.digest)
    check_apart(against, ref)
    try:
        gate.prove()
    except LockflightError as error:
        if error.code in NOT_ITS_FAULT:
            raise
        raise _unfit_because(own.who, error) from error
    return OwnJudge(ref, gate.evaluate)


def _unfit(release: Release, why: str) -> PolicyDenied:
    return PolicyDenied(
        "LF4028",
        f"The own policy of {release.name} {release.version} cannot judge: {why}.",
        hint=f"lockflight policy test {release.policy}",
    )


def _unfit_because(who: str, error: LockflightError) -> PolicyDenied:
    return PolicyDenied(
        "LF4028",
        f"The own policy of {who} cannot judge: {error.message} ({error.code})",
        hint="lockflight policy lint BUNDLE, and lockflight policy test BUNDLE",
        details={"cause": error.code, **error.details},
    )
