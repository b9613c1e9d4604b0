"""`lockflight verify`: is this folder exactly the release that a person of this realm signed, and is it in the log?

Offline, and without the database library: the log is read through the standard library's sqlite3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.app.files.package import load_package
from lockflight.app.files.rows import require_rows
from lockflight.app.log.demands import Demands, candidates, identity
from lockflight.app.realm.asof import view_at
from lockflight.core.attest.trust import RealmKind
from lockflight.core.records import dataclass
from lockflight.core.release.release import MANIFEST_NAME, SIGNATURE_NAME, parse_release
from lockflight.core.state.standing import holds, stand
from lockflight.core.text.toml_lines import MAX_BYTES
from lockflight.core.verify.bundle import read_bundle
from lockflight.core.verify.manifest import require_said
from lockflight.core.verify.package import FoundFile, compare, require_equal
from lockflight.errors import VerificationFailed
from lockflight.infra.progress import SILENT
from lockflight.store.pins import PinStore

if TYPE_CHECKING:
    from pathlib import Path

    from lockflight.app.files.package import Package
    from lockflight.app.log.demands import Witnessed
    from lockflight.app.realm.view import RealmView
    from lockflight.core.release.release import Release
    from lockflight.core.state.standing import Standing
    from lockflight.infra.progress import Progress

MAX_SIGNATURE_BYTES = 65 * 1024 * 1024


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
        witnesses: names of those that have cosigned, where a policy demands witnesses.
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
    witnesses: tuple[str, ...] = ()


def verify_package(
    home: Path,
    realm_name: str,
    package: Path,
    *,
    environment: str = "",
    as_of: int | None = None,
    demands: Demands | None = None,
    progress: Progress = SILENT,
) -> Verified:
    """Check signature, trust, log inclusion, revocation and every file of a package.

    Args:
        home: folder of realms and pins.
        realm_name: the realm whose people and log count.
        package: folder with `model.sig`.
        environment: if given, its slot must hold the release.
        as_of: Unix seconds of an earlier time to answer for; None for now.
        demands: witnesses and age of the checkpoint; None for what the realm is pinned with.
        progress: told about hashing.

    Raises:
        NotFound: LF4510 no such realm.
        VerificationFailed: with the code of what is wrong: LF71xx signature, LF72xx log, LF73xx files; LF7330 no
            signature in the folder.
    """
    view = view_at(home, realm_name, as_of)
    with load_package(package, progress=progress) as loaded:
        bundle_bytes, manifest, found = _take_stock(package, loaded)
        verified = stand(
            view.state,
            view.name,
            bundle_bytes,
            known=lambda origin: [
                pin.name for pin in PinStore(home).realms().values() if pin.origin == origin
            ],
        )
        seen = _demanded(home, view, verified, demands or Demands())
        require_equal(compare(verified.release, found), what=f"The package {package.name}")
        require_said(verified.release, manifest)
        require_rows(verified.release, loaded, progress=progress)
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
        witnesses=tuple(sorted(seen.witnesses)),
    )


def signed_release(package: Path) -> Release:
    """The release that a package's signature names. Nothing is verified: enough to revoke it, never to use it.

    Raises:
        VerificationFailed: LF7330 no signature in the folder, LF71xx the signature does not read.
    """
    with load_package(package) as loaded:
        data, _, _ = _take_stock(package, loaded)
    return parse_release(read_bundle(data, what=SIGNATURE_NAME).envelope.payload)


def _take_stock(package: Path, loaded: Package) -> tuple[bytes, bytes, dict[str, FoundFile]]:
    """The signature's bytes, the manifest's, and everything in the package, from one look at the folder."""
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
        raise VerificationFailed("LF7103", f"{SIGNATURE_NAME} has {file.size} bytes, which no signature has.")
    own = loaded.sources.get(MANIFEST_NAME)
    manifest = own.read_at(0, MAX_BYTES + 1) if own is not None else b""
    return loaded.sources[SIGNATURE_NAME].read_at(0, file.size), manifest, found


def _demanded(home: Path, view: RealmView, standing: Standing, demands: Demands) -> Witnessed:
    """The checkpoint that meets the demands: the package brings one along, and the realm may know newer ones."""
    wanted = demands.with_pin(PinStore(home).get(view.name))
    known = candidates(view, standing.checkpoint)
    return wanted.meet(identity(view), known, reader=view.reader, index=standing.index)
