"""`lockflight verify`: is this folder exactly the release that a person of this realm signed, and is it in the log?

Offline, and without the database library: the log is read through the standard library's sqlite3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.app.asof import view_at
from lockflight.app.demands import Demands, candidates, identity
from lockflight.app.package import load_package
from lockflight.core.records import dataclass
from lockflight.core.release import MANIFEST_NAME, SIGNATURE_NAME, parse_release
from lockflight.core.state import Record
from lockflight.core.toml_lines import MAX_BYTES
from lockflight.core.trust import Duty, RealmKind
from lockflight.core.verify.bundle import check_bundle, read_bundle, verify_bundle, verify_logged
from lockflight.core.verify.keys import load_der
from lockflight.core.verify.log import clock_name
from lockflight.core.verify.manifest import require_said
from lockflight.core.verify.package import FoundFile, compare, require_equal
from lockflight.errors import VerificationFailed
from lockflight.infra.progress import SILENT
from lockflight.store.pins import PinStore

if TYPE_CHECKING:
    from pathlib import Path

    from lockflight.app.demands import Witnessed
    from lockflight.app.view import RealmView
    from lockflight.core.release import Release
    from lockflight.core.verify.bundle import Bundle
    from lockflight.core.verify.keys import PublicKey
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
    bundle_bytes, manifest, found = _take_stock(package, progress)
    bundle = read_bundle(bundle_bytes, what=SIGNATURE_NAME)
    key = _signer(home, view, bundle)
    verified = verify_bundle(bundle_bytes, key, what=SIGNATURE_NAME)
    record = _logged(view, verified.envelope.digest, bundle)
    _vouched(view, bundle_bytes, bundle, record)
    seen = _demanded(home, view, bundle, record.index, demands or Demands())
    _registered(view, verified.release)
    _not_revoked(view, verified.release, key)
    require_equal(compare(verified.release, found), what=f"The package {package.name}")
    require_said(verified.release, manifest)
    environments = _held(view, verified.release)
    if environment and environment not in environments:
        raise VerificationFailed(
            "LF7333",
            f"{environment} does not hold {verified.release.name} {verified.release.version} now"
            f" (held by: {', '.join(environments) or 'no environment'}).",
            hint="lockflight status",
        )
    principal = record.key.principal if record.key is not None else ""
    return Verified(
        release=verified.release,
        envelope=verified.envelope.digest,
        principal=principal,
        signer=view.name_of(principal),
        logged_at=record.logged_at,
        index=record.index,
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
    return parse_release(read_bundle(_take_stock(package, SILENT)[0], what=SIGNATURE_NAME).envelope.payload)


def _take_stock(package: Path, progress: Progress) -> tuple[bytes, bytes, dict[str, FoundFile]]:
    """The signature's bytes, the manifest's, and everything in the package, from one look at the folder."""
    with load_package(package, progress=progress) as loaded:
        found = {e.name: FoundFile(e.sha256, e.size, e.kind, e.blake3) for e in loaded.entries}
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


def _signer(home: Path, view: RealmView, bundle: Bundle) -> PublicKey:
    """The person's key that signed; a stranger's key, another realm's and another duty's have codes of their own.

    A person who has left since had the right then: what counts is the grant at the signature's place in the log.
    """
    record = view.state.by_digest.get(bundle.envelope.digest)
    if record is not None and record.effective and record.key is not None and record.key.duty is Duty.PERSON:
        return check_bundle(bundle, load_der(record.key.der), what=SIGNATURE_NAME)
    people = [k for k in view.state.keys.values() if k.duty is Duty.PERSON]
    signed = bundle.envelope.signed_bytes
    for key in view.state.keys.values():
        if key.duty is not Duty.PERSON and load_der(key.der).verify(signed, bundle.envelope.signature):
            raise VerificationFailed(
                "LF7331",
                f"The package is signed by the realm's {key.duty.value} key; releases are signed by people.",
                hint="Sign it again: lockflight sign DIR --out PACKAGE --as NAME",
            )
    _other_realm(home, view, bundle)
    hinted = [k for k in people if k.keyid == bundle.envelope.keyid] or people
    return check_bundle(bundle, [load_der(k.der) for k in hinted], what=SIGNATURE_NAME)


def _other_realm(home: Path, view: RealmView, bundle: Bundle) -> None:
    """Say so when the package names another log; what it names is only a hint, and nothing is believed for it."""
    if bundle.tlog is None:
        return
    origin = bundle.tlog.checkpoint.split("\n", 1)[0][:256]
    if origin == view.state.trust.origin:
        return
    here = [pin.name for pin in PinStore(home).realms().values() if pin.origin == origin]
    raise VerificationFailed(
        "LF7337",
        f"The package says that it was signed in the log {origin!a}, which is not that of the realm {view.name!r}.",
        hint=f"Ask that realm: --realm {here[0]}"
        if here
        else "lockflight realm show; --realm NAME asks another realm.",
    )


def _logged(view: RealmView, digest: str, bundle: Bundle) -> Record:
    if bundle.tlog is None:
        raise VerificationFailed(
            "LF7332",
            f"{SIGNATURE_NAME} carries no log entry, so nothing shows that the log ever saw it.",
            hint="Sign it again in the realm: lockflight sign DIR --out PACKAGE",
        )
    trust = view.state.trust
    verify_logged(
        bundle.tlog,
        origin=trust.origin,
        log_key=load_der(trust.key(Duty.LOG).der).raw,
        clock_key=load_der(trust.key(Duty.CLOCK).der).raw,
        clock_name=clock_name(trust.origin),
    )
    record = view.state.by_digest.get(digest)
    if record is None or record.index != bundle.tlog.index:
        raise VerificationFailed(
            "LF7332",
            f"The log of the realm {view.name!r} does not hold this signature (entry {bundle.tlog.index}).",
            hint="lockflight log verify; a log that lost an entry was replaced or restored from an older copy.",
        )
    if not record.effective:
        raise VerificationFailed("LF7332", f"The signature is in the log but has no effect: {record.reason}.")
    return record


def _vouched(view: RealmView, data: bytes, bundle: Bundle, record: Record) -> None:
    """Of a bundle with a certificate, check all that a stock verifier would: issue, time stamp, name, log."""
    if not bundle.certificate or record.key is None:
        return
    from lockflight.core.verify.keyless import Wanted, verify_identity
    from lockflight.core.verify.realmroot import identity_uri, issuer_of, trust_root

    trust = view.state.trust
    wanted = Wanted(identity_uri(trust, record.key.principal), issuer_of(trust))
    verify_identity(data, trust_root(trust), wanted, what=SIGNATURE_NAME)


def _demanded(home: Path, view: RealmView, bundle: Bundle, index: int, demands: Demands) -> Witnessed:
    """The checkpoint that meets the demands: the package brings one along, and the realm may know newer ones."""
    brought = [bundle.tlog.checkpoint] if bundle.tlog is not None else []
    wanted = demands.with_pin(PinStore(home).get(view.name))
    return wanted.meet(identity(view), candidates(view, *brought), reader=view.reader, index=index)


def _registered(view: RealmView, release: Release) -> None:
    if release.digest not in view.state.registrations:
        raise VerificationFailed(
            "LF7334",
            f"The release {release.digest[:16]} is signed but not registered in the realm {view.name!r}.",
            hint="lockflight sign DIR --out PACKAGE",
        )


def _not_revoked(view: RealmView, release: Release, key: PublicKey) -> None:
    hit = view.state.revoked_keys.get(key.keyid) or view.state.revocation([release.digest, *release.contents])
    if hit is not None:
        revocation, record = hit
        raise VerificationFailed(
            "LF7335",
            f"The {revocation.scope.value} {revocation.name} was revoked: {revocation.reason}"
            f" (log entry {record.index}).",
            hint=f"lockflight evidence show {record.digest[:16]} says by whom; use another release.",
        )


def _held(view: RealmView, release: Release) -> tuple[str, ...]:
    held = {
        slot.environment
        for slot in view.state.slots.values()
        if slot.current is not None and slot.current.release == release.digest
    }
    return tuple(e for e in view.state.environments if e in held)
