"""Comparing what a signature says about a release with what the release's own `lockflight.toml` says.

The signed statement is what the gate and people see: tier, kind, roles, what lies outside. Somebody with a valid key
could write it by hand; `sign` never writes one that says anything else than the manifest beside it.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from lockflight.core.release.manifest import parse_manifest
from lockflight.core.release.release import MANIFEST_NAME, make_release
from lockflight.core.release.selection import select
from lockflight.core.words import Role
from lockflight.errors import InvalidInput, VerificationFailed

if TYPE_CHECKING:
    from lockflight.core.release.release import Release


def require_said(release: Release, manifest: bytes) -> None:
    """Refuse a statement that the manifest of its package does not say.

    Args:
        release: read from the verified statement.
        manifest: bytes of the package's `lockflight.toml`, which are those that were signed.

    Raises:
        VerificationFailed: LF7114 a field, a role, a reference, a dependency or the own policy differs, a file is
            named by no rule or excluded, or the manifest does not read.
    """
    try:
        problem = _difference(release, manifest)
    except InvalidInput as error:
        problem = f"{MANIFEST_NAME} cannot say it: {error.code} {error.message.rstrip('.')}"
    if problem:
        raise VerificationFailed(
            "LF7114",
            f"The signed statement is not what the package says of itself: {problem}.",
            hint="Do not load it. Its signer makes an honest one with: lockflight sign DIR --out PACKAGE",
        )


def _difference(release: Release, data: bytes) -> str:
    """The first difference in words; empty if there is none."""
    if hashlib.sha256(data).hexdigest() != release.assets[0].sha256:
        return f"{MANIFEST_NAME} changed while it was read"
    manifest = parse_manifest(data)
    selection = select(manifest, [a.name for a in release.assets])
    if selection.excluded:
        return f"{selection.excluded[0].name!r} was signed and {MANIFEST_NAME} excludes it"
    roles = {MANIFEST_NAME: Role.RELEASE_MANIFEST, **selection.roles}
    said = make_release(
        name=manifest.name,
        version=manifest.version,
        kind=manifest.kind,
        tier=manifest.tier,
        assets=[
            replace(asset, role=roles[asset.name], data=selection.data.get(asset.name))
            for asset in release.assets
        ],
        references=manifest.references,
        dependencies=manifest.dependencies,
        policy=manifest.policy,
    )
    for field in ("name", "version", "kind", "tier"):
        signed, own = str(getattr(release, field)), str(getattr(said, field))
        if signed != own:
            return f"the {field} {signed!r} was signed, and {MANIFEST_NAME} says {own!r}"
    for asset, other in zip(release.assets, said.assets, strict=True):
        if asset.role is not other.role:
            return f"{asset.name!r} was signed as {asset.role.value}, and {MANIFEST_NAME} says {other.role.value}"
        if asset.data != other.data:
            return f"what was signed about the data {asset.name!r} is not what {MANIFEST_NAME} says"
    if release.references != said.references:
        return f"the references that were signed are not those of {MANIFEST_NAME}"
    if release.policy != said.policy:
        return f"the own policy {release.policy!r} was signed, and {MANIFEST_NAME} says {said.policy!r}"
    if release.dependencies != said.dependencies:
        return f"the dependencies that were signed are not those of {MANIFEST_NAME}"
    return ""
