"""`lockflight sign`: pack a workspace, sign the release, put the signature into the log, write `model.sig`."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import field
from typing import TYPE_CHECKING

from lockflight.app.files.describe import Reused, describe, reused_by
from lockflight.app.files.pack import pack
from lockflight.app.files.remembered import Remembered
from lockflight.app.identity.authority import has_authority, short_lived, stamper_of
from lockflight.app.identity.tokens import bearer, lent_for_token, need_builder
from lockflight.app.realm import clock
from lockflight.app.realm.realm import open_realm
from lockflight.app.realm.speak import must_be_effective, need_role
from lockflight.core.attest.acts import Registration
from lockflight.core.attest.tree import assets_of, tree
from lockflight.core.attest.trust import Duty
from lockflight.core.records import dataclass
from lockflight.core.release.release import SIGNATURE_NAME
from lockflight.core.state.state import MAKERS
from lockflight.core.verify.bundle import TlogEntry
from lockflight.core.verify.crypto.keys import load_der
from lockflight.core.verify.log.note import KIND_ED25519, NoteKey
from lockflight.errors import UsageError
from lockflight.infra.progress import SILENT
from lockflight.signing.oms import make_bundle, make_identity_bundle, sign_release, sign_statement
from lockflight.store.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lockflight.app.realm.realm import Actor, Realm
    from lockflight.core.release.release import Release
    from lockflight.infra.progress import Progress
    from lockflight.signing.keys import FileSigner


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed package.

    Attributes:
        release: what was signed.
        package: the folder.
        envelope: digest of the signature's envelope.
        index: its position in the log.
        principal, signer: pseudonym and name of who signed.
        keyid: the key that signed: theirs, or one that was lent to them for ten minutes.
        identity: what the certificate calls them; empty where their own key signed.
        reused: files that were read once only, to be copied.
    """

    release: Release
    package: Path
    envelope: str
    index: int
    principal: str
    signer: str
    keyid: str
    identity: str = ""
    reused: Reused = field(default_factory=Reused)


def sign(
    home: Path,
    realm_name: str,
    folder: Path,
    out: Path,
    *,
    actor: str,
    own_key: bool = False,
    token: bytes = b"",
    remember: bool = False,
    progress: Progress = SILENT,
) -> Signed:
    """Pack, sign, log; the package appears under `out` only when all of it succeeded.

    Where the home holds the realm's certificate authority, a key signs that lives for this signature only, under a
    certificate of ten minutes, and the time-stamp authority says when.

    Args:
        home: folder of realms.
        realm_name: the realm.
        folder: the workspace.
        out: folder of the package, new.
        actor: name of the person.
        own_key: sign with the person's own key all the same.
        token: identity token of a trusted issuer; the machine that it speaks for signs instead of a person.
        remember: large files that cannot have changed since this home hashed them are read once, to be copied; the
            copy is hashed on the way as ever, so nothing is signed that was not hashed.
        progress: told about hashing.

    Raises:
        UsageError: LF0131 `out` exists or lies inside the workspace.
        PolicyDenied: LF4602 the person is neither author nor builder; LF4644 to LF4653 the token.
        VerificationFailed: LF4631 to LF4643 the token.
        InvalidInput: LF1xxx the folder cannot be described.
        PolicyDenied: LF4028 its own policy is larger than a policy may be.
        EnvironmentProblem: a key or the log cannot be used.
    """
    target = fresh_target(folder, out)
    realm = open_realm(home, realm_name)
    person = None if token else realm.actor(actor)
    if person is not None:
        need_role(realm, person, MAKERS, "sign a release")
    else:  # refused now, and verified again when the package is there: that may take longer than a token lives
        need_builder(bearer(realm, token, actor))
    memory = Remembered.of(home, folder) if remember else None
    with drafted(folder, target, realm_folder=realm.folder, memory=memory, progress=progress) as (
        release,
        draft,
    ):
        hand = _hand(realm, person, own_key=own_key, token=token, actor=actor)
        signer, named = hand.signer, hand.named
        envelope = sign_release(release, signer)
        signature = realm.append_envelopes([(envelope.encode(), named)])[0]
        registration = Registration(
            release=release.digest,
            name=release.name,
            version=release.version,
            kind=release.kind.value,
            tier=release.tier.value,
            signature=signature.envelope,
            oms_root=release.oms_root,
            realm=realm.state.root,
            tree=tree(assets_of(release)),
        )
        body = sign_statement(registration.statement(), signer).encode()
        receipt = realm.append_envelopes([(body, named)])[0]
        must_be_effective(realm, receipt.envelope)
        tlog = _tlog(realm, signature.envelope)
        if not hand.identity:
            bundle = make_bundle(envelope, signer.public_key.pem, tlog)
        else:
            stamp = stamper_of(realm).stamp(envelope.signature, clock.now())
            bundle = make_identity_bundle(envelope, named, tlog, stamp)
        replace_file(draft / SIGNATURE_NAME, bundle)
    return Signed(
        release,
        target,
        signature.envelope,
        signature.index,
        hand.principal,
        hand.name,
        signer.keyid,
        hand.identity,
        reused_by(memory),
    )


def fresh_target(folder: Path, out: Path) -> Path:
    """Where a package of a workspace may appear.

    Raises:
        UsageError: LF0131 `out` exists or lies inside the workspace.
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
    return target


@contextmanager
def drafted(
    folder: Path,
    target: Path,
    *,
    realm_folder: Path | None = None,
    memory: Remembered | None = None,
    progress: Progress = SILENT,
) -> Iterator[tuple[Release, Path]]:
    """A packed workspace that waits for its signature; it appears as `target` when the block has put that in.

    Args:
        folder: the workspace.
        target: as `fresh_target` says.
        realm_folder: keeps the release's own policy; None where no realm is asked.
        memory: what is known of large files; the copy is hashed all the same.
        progress: told about hashing.

    Yields:
        The release, and the folder that takes `model.sig`.
    """
    draft = target.with_name(f".{target.name}.unsigned")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        with describe(folder, progress=progress, memory=memory) as described:
            release = described.release
            pack(described, draft, progress=progress)
            if release.policy and realm_folder is not None:
                from lockflight.app.policy.ownpolicy import (
                    keep_own,  # policies are read only where there is one
                )

                keep_own(release, realm_folder, described.sources)
            described.recheck()
        yield release, draft
        (draft / SIGNATURE_NAME).chmod(0o644)
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Hand:
    """What signs, how the log names it, and for whom."""

    signer: FileSigner
    named: bytes
    principal: str
    name: str
    identity: str


def _hand(realm: Realm, person: Actor | None, *, own_key: bool, token: bytes, actor: str) -> _Hand:
    if person is not None and (own_key or not has_authority(realm)):
        return _Hand(person.signer, person.signer.public_der, person.principal, person.name, "")
    lent = lent_for_token(realm, token, actor) if person is None else short_lived(realm, person.name)
    return _Hand(lent.signer, lent.certificate.der, lent.principal, lent.name, lent.identity)


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
