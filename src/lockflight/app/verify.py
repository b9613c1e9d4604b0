"""`lockflight verify`: is this folder exactly the release that a person of this realm signed, and is it in the log?

Offline, and without the database library: the log is read through the standard library's sqlite3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.app.asof import view_at
from lockflight.app.package import load_package
from lockflight.core.records import dataclass
from lockflight.core.release import MANIFEST_NAME, SIGNATURE_NAME, parse_release
from lockflight.core.toml_lines import MAX_BYTES
from lockflight.core.trust import RealmKind
from lockflight.core.verify.bundle import read_bundle
from lockflight.core.verify.keys import PublicKey, load_pem
from lockflight.core.verify.manifest import require_said
from lockflight.core.verify.package import FoundFile, compare, compare_foreign, require_equal
from lockflight.core.verify.standing import holds, stand
from lockflight.errors import UsageError, VerificationFailed
from lockflight.infra.progress import SILENT
from lockflight.store.pins import PinStore

if TYPE_CHECKING:
    from pathlib import Path

    from lockflight.core.release import Release
    from lockflight.core.verify.foreign import ForeignManifest
    from lockflight.infra.progress import Progress

MAX_SIGNATURE_BYTES = 65 * 1024 * 1024
MAX_KEY_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Verified:
    """A package that is what it says.

    Attributes:
        release: read from the verified signature.
        envelope: digest of the signature's envelope.
        principal: pseudonym of the signer.
        signer: name of the signer, or the pseudonym where it was erased.
        logged_at: Unix seconds at which the log's clock saw the signature.
        index: position in the log.
        realm: name of the realm.
        environments: environments whose slots hold the release now.
        simulated: the realm is a simulator, so nothing that it says is real.
    """

    release: Release
    envelope: str
    principal: str
    signer: str
    logged_at: int
    index: int
    realm: str
    environments: tuple[str, ...]
    simulated: bool = False


def verify_package(
    home: Path,
    realm_name: str,
    package: Path,
    *,
    environment: str = "",
    as_of: int | None = None,
    progress: Progress = SILENT,
) -> Verified:
    """Check signature, trust, log inclusion, revocation and every file of a package.

    Args:
        home: folder of realms and pins.
        realm_name: the realm whose people and log count.
        package: folder with `model.sig`.
        environment: if given, its slot must hold the release.
        as_of: Unix seconds of an earlier time to answer for; None for now.
        progress: told about hashing.

    Raises:
        NotFound: LF4510 no such realm.
        VerificationFailed: with the code of what is wrong: LF71xx signature, LF72xx log, LF73xx files; LF7330 no
            signature in the folder.
    """
    view = view_at(home, realm_name, as_of)
    bundle_bytes, manifest, found = _take_stock(package, progress)
    verified = stand(
        view.state,
        view.name,
        bundle_bytes,
        known=lambda origin: [pin.name for pin in PinStore(home).realms().values() if pin.origin == origin],
    )
    require_equal(compare(verified.release, found), what=f"The package {package.name}")
    require_said(verified.release, manifest)
    held = holds(view.state, verified.release.digest)
    environments = tuple(dict.fromkeys(hold.environment for hold in held if not hold.candidate))
    if environment and environment not in environments:
        raise VerificationFailed(
            "LF7333",
            f"{environment} does not hold {verified.release.name} {verified.release.version} now"
            f" (held by: {', '.join(environments) or 'no environment'}).",
            hint="lockflight status",
        )
    return Verified(
        release=verified.release,
        envelope=verified.envelope,
        principal=verified.principal,
        signer=view.name_of(verified.principal),
        logged_at=verified.logged_at,
        index=verified.index,
        realm=view.name,
        environments=environments,
        simulated=view.state.trust.kind is RealmKind.SIMULATOR,
    )


def signed_release(package: Path) -> Release:
    """The release that a package's signature names. Nothing is verified: enough to revoke it, never to use it.

    Raises:
        VerificationFailed: LF7330 no signature in the folder, LF71xx the signature does not read.
    """
    return parse_release(read_bundle(_take_stock(package, SILENT)[0], what=SIGNATURE_NAME).envelope.payload)


def _take_stock(package: Path, progress: Progress) -> tuple[bytes, bytes, dict[str, FoundFile]]:
    """The signature's bytes, the manifest's, and everything in the package, from one look at the folder."""
    with load_package(package, progress=progress) as loaded:
        found = {e.name: FoundFile(e.sha256, e.size, e.kind, e.blake3, e.tensors) for e in loaded.entries}
        file = found.get(SIGNATURE_NAME)
        if file is None or file.kind != "file":
            raise VerificationFailed(
                "LF7330",
                f"{package} holds no {SIGNATURE_NAME}: it is not a signed package.",
                hint="Do not load it: get the package from its producer. For a workspace of yours: "
                "lockflight sign DIR --out PACKAGE",
            )
        if file.size > MAX_SIGNATURE_BYTES:
            raise VerificationFailed(
                "LF7103", f"{SIGNATURE_NAME} has {file.size} bytes, which no signature has."
            )
        own = loaded.sources.get(MANIFEST_NAME)
        manifest = own.read_at(0, MAX_BYTES + 1) if own is not None else b""
        return loaded.sources[SIGNATURE_NAME].read_at(0, file.size), manifest, found


def verify_with_key(
    package: Path, key_path: Path, *, progress: Progress = SILENT
) -> tuple[ForeignManifest, PublicKey]:
    """Check a package that another tool signed with a key (OpenSSF Model Signing), against that public key alone.

    What its signer chose to ignore counts as extra all the same.

    Raises:
        UsageError: LF0130 the key file is none.
        NotFound: LF7330 no signature in the folder.
        VerificationFailed: LF71xx signature, LF73xx files.
    """
    key = public_key(key_path)
    from lockflight.core.verify.foreign import verify_foreign  # only for packages of other tools

    signature, _, found = _take_stock(package, progress)
    manifest = verify_foreign(signature, key)
    require_equal(compare_foreign(manifest, found), what=f"The package {package.name}")
    return manifest, key


def public_key(key_path: Path) -> PublicKey:
    """A public key out of a PEM file.

    Raises:
        UsageError: LF0130 the file is none.
    """
    try:
        with key_path.open("rb") as stream:
            return load_pem(stream.read(MAX_KEY_BYTES))
    except OSError as error:
        raise UsageError(
            "LF0130",
            f"The key {key_path} cannot be read: {error.strerror}.",
            hint="--key takes a PEM public key.",
        ) from error
    except VerificationFailed as error:
        raise UsageError(
            "LF0130",
            f"{key_path}: {error.message}",
            hint=error.hint or "--key takes a PEM public key.",
        ) from error
