"""Which policy judges in a realm: the adopted one out of the realm's blobs, or the pack that ships with Lockflight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.core.gate.capsule import decode_files, encode_files
from lockflight.errors import EnvironmentProblem, VerificationFailed
from lockflight.policy.bundle import Bundle, baseline, read_bundle
from lockflight.policy.shipped import PACKS, pack
from lockflight.store.blobs import BlobStore

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from lockflight.core.attest.changes import Adoption
    from lockflight.core.state.state import State


def bundle_in_force(folder: Path, state: State, environment: str, known: Collection[str] = ()) -> Bundle:
    """The policy that judges in an environment of a realm.

    Args:
        folder: the realm's.
        state: its fold.
        environment: where.
        known: digests of bundles that need no lint again, see `policy.bundle.read_bundle`.

    Raises:
        EnvironmentProblem: LF4026 the adopted bundle is not in the realm's store, or is another; LF4005 to LF4007.
    """
    adoption = state.policy(environment)
    if adoption is None:
        return baseline(known)
    return adopted(folder, adoption, known)


def adopted(folder: Path, adoption: Adoption, known: Collection[str] = ()) -> Bundle:
    """The bundle of an adoption; shipped packs of the same digest are not read twice.

    Raises:
        EnvironmentProblem: as `bundle_in_force`.
    """
    for name in PACKS:
        if name == adoption.name and pack(name, known).digest == adoption.bundle:
            return pack(name, known)
    hint = "Restore the realm's folder from a backup, or adopt a policy: lockflight policy adopt BUNDLE"
    body = BlobStore(folder / "blobs").get(adoption.blob) if adoption.blob else None
    if body is None:
        raise EnvironmentProblem(
            "LF4026",
            f"The adopted policy {adoption.name} {adoption.version} is not in the realm's store, "
            "so nothing can be decided.",
            hint=hint,
        )
    try:
        bundle = read_bundle(decode_files(body), known)
    except VerificationFailed as error:
        raise EnvironmentProblem(
            "LF4026", f"The adopted policy does not read: {error.message}", hint=hint
        ) from error
    if bundle.digest != adoption.bundle:
        raise EnvironmentProblem(
            "LF4026",
            f"The store holds another policy than the adopted {adoption.name} {adoption.version}.",
            hint=hint,
        )
    return bundle


def keep(folder: Path, bundle: Bundle) -> str:
    """Keep a bundle's files as a blob of the realm; its SHA-256 (hex)."""
    return BlobStore(folder / "blobs").put(encode_files(bundle.bodies))
