"""`lockflight sign`: pack a workspace, sign the release, put the signature into the log, write `model.sig`."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from lockflight.app.describe import describe
from lockflight.app.pack import pack
from lockflight.app.realm import open_realm
from lockflight.app.speak import must_be_effective, need_role
from lockflight.core.acts import Registration
from lockflight.core.records import dataclass
from lockflight.core.release import SIGNATURE_NAME
from lockflight.core.state import MAKERS
from lockflight.core.trust import Duty
from lockflight.core.verify.bundle import TlogEntry
from lockflight.core.verify.keys import load_der
from lockflight.core.verify.note import KIND_ED25519, NoteKey
from lockflight.errors import UsageError
from lockflight.infra.progress import SILENT
from lockflight.signing.oms import make_bundle, sign_release
from lockflight.store.files import replace_file

if TYPE_CHECKING:
    from pathlib import Path

    from lockflight.app.realm import Realm
    from lockflight.core.release import Release
    from lockflight.infra.progress import Progress


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed package.

    Attributes:
        release: what was signed.
        package: the folder.
        envelope: digest of the signature's envelope.
        index: its position in the log.
        principal, signer: pseudonym and name of who signed.
        keyid: their key.
    """

    release: Release
    package: Path
    envelope: str
    index: int
    principal: str
    signer: str
    keyid: str


def sign(
    home: Path, realm_name: str, folder: Path, out: Path, *, actor: str, progress: Progress = SILENT
) -> Signed:
    """Pack, sign, log; the package appears under `out` only when all of it succeeded.

    Raises:
        UsageError: LF0131 `out` exists or lies inside the workspace.
        PolicyDenied: LF4602 the person is neither author nor builder.
        InvalidInput: LF1xxx the folder cannot be described.
        PolicyDenied: LF4028 its own policy is larger than a policy may be.
        EnvironmentProblem: a key or the log cannot be used.
    """
    target = out.absolute()
    if target.exists():
        raise UsageError("LF0131", f"{out} exists already.", hint="Choose a new folder with --out.")
    if folder.absolute() in target.parents:
        raise UsageError(
            "LF0131",
            f"{out} lies inside the workspace {folder}, so it would become part of the next release.",
            hint="Choose a folder outside with --out.",
        )
    realm = open_realm(home, realm_name)
    person = realm.actor(actor)
    need_role(realm, person, MAKERS, "sign a release")
    draft = target.with_name(f".{target.name}.unsigned")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        with describe(folder, progress=progress) as described:
            release = described.release
            pack(described, draft, progress=progress)
            if release.policy:
                from lockflight.app.ownpolicy import keep_own  # policies are read only where there is one

                keep_own(release, realm.folder, described.sources)
            described.recheck()
        envelope = sign_release(release, person.signer)
        signature = realm.append_envelopes([(envelope.encode(), person.signer.public_der)])[0]
        registration = Registration(
            release=release.digest,
            name=release.name,
            version=release.version,
            kind=release.kind.value,
            tier=release.tier.value,
            signature=signature.envelope,
            oms_root=release.oms_root,
            realm=realm.state.root,
        )
        receipt = realm.append([(registration.statement(), person.signer)])[0]
        must_be_effective(realm, receipt.envelope)
        bundle = make_bundle(envelope, person.signer.public_key.pem, _tlog(realm, signature.envelope))
        replace_file(draft / SIGNATURE_NAME, bundle)
        (draft / SIGNATURE_NAME).chmod(0o644)
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Signed(
        release,
        target,
        signature.envelope,
        signature.index,
        person.principal,
        person.name,
        person.signer.keyid,
    )


def _tlog(realm: Realm, envelope: str) -> TlogEntry:
    """The log entry of an envelope with its proof under the newest checkpoint."""
    view = realm.view
    record = view.state.by_digest[envelope]
    reader = view.reader
    entry = next(iter(reader.entries(record.index, record.index + 1)))
    trust = view.state.trust
    key = NoteKey(trust.origin, KIND_ED25519, load_der(trust.key(Duty.LOG).der).raw)
    return TlogEntry(
        index=record.index,
        log_id=key.full_id,
        leaf=entry.leaf,
        root=bytes.fromhex(view.root_hash),
        size=view.size,
        hashes=tuple(reader.inclusion(record.index, view.size)),
        checkpoint=reader.checkpoint(),
    )
