"""`release prove` and `release proven`: that one asset is in a release, in a file that needs neither."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.app.log.cosign import read_in, write_out
from lockflight.app.log.demands import candidates, identity
from lockflight.app.realm.asof import view_at
from lockflight.app.realm.view import open_view
from lockflight.app.release.resolve import release_of, signed_as
from lockflight.core.attest.acts import Registration
from lockflight.core.attest.tree import assets_of, path, tree
from lockflight.core.records import dataclass
from lockflight.core.state.assetstanding import in_realm
from lockflight.core.text.suggest import did_you_mean
from lockflight.core.verify.assetproof import (
    MAX_BYTES,
    AssetProof,
    ProvenAsset,
    read_asset_proof,
    verify_asset,
)
from lockflight.core.verify.log.note import parse_checkpoint, parse_note
from lockflight.core.verify.log.tlogproof import TlogProof
from lockflight.errors import NotFound, UsageError, VerificationFailed
from lockflight.infra.files import Folder
from lockflight.infra.hashing import sha256_source
from lockflight.store.pins import PinStore

if TYPE_CHECKING:
    from pathlib import Path

    from lockflight.app.log.demands import Demands
    from lockflight.app.realm.view import RealmView
    from lockflight.core.attest.tree import TreeAsset
    from lockflight.core.state.state import Record
    from lockflight.deploy.trust import Trust


@dataclass(frozen=True, slots=True)
class ProofWritten:
    """A proof that was written: what it proves, the release's digest, name and version, and how long the path is."""

    asset: TreeAsset
    release: str
    name: str
    version: str
    index: int
    size: int
    hashes: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Checked:
    """A proof that holds.

    Attributes:
        proven: what it proves.
        standing: `effective` where the realm's log was asked, `claimed` where it is the signer's word.
        seen_at: Unix seconds of the newest checkpoint of the realm that was asked: nothing was revoked by then;
            -1 where none was.
        witnesses: names of those that have cosigned it.
        signer: name of who registered the release, where it is known; else pseudonym or key id.
        file: whether a file was compared with the asset.
    """

    proven: ProvenAsset
    standing: str
    seen_at: int
    witnesses: tuple[str, ...]
    signer: str
    file: bool


def write_asset_proof(
    home: Path, name: str, release: str, asset: str, out: Path, *, role: str = ""
) -> ProofWritten:
    """Write the proof that an asset is in a release.

    Args:
        home: folder of realms.
        name: the realm.
        release: a package's folder, or the start of the release's digest.
        asset: name of a file or reference in it.
        out: the file.
        role: its role, where several have that name.

    Raises:
        UsageError, NotFound: as `resolve.release_of`; NotFound LF1023 there is no such asset, or several; LF7344 the
            release is not registered with a tree.
        EnvironmentProblem: LF5052 it cannot be written.
        VerificationFailed: as `open_view`.
    """
    view = open_view(home, name)
    digest, _ = release_of(release, view.state)
    record = _registered(view, digest)
    found = signed_as(view.state, digest)
    if record is None or found is None:
        raise NotFound(
            "LF7344",
            f"The realm {name!r} holds no registration of the release {digest[:16]} that says its tree.",
            hint="lockflight sign DIR --out PACKAGE signs and registers it.",
        )
    assets = assets_of(found)
    index = _index(assets, asset, role)
    hashes = path(assets, index)
    proof = AssetProof(
        assets[index],
        index,
        hashes,
        _envelope(view, record.digest),
        _entry(view, record.index),
        tuple(
            _envelope(view, r.digest)
            for r in view.state.records[: record.index]
            if r.type == "trust" and r.effective
        ),
    )
    verify_asset(proof, view.state.root)  # what leaves is what holds
    data = proof.encode()
    write_out(out, data)
    size = tree(assets).size
    return ProofWritten(assets[index], digest, found.name, found.version, index, size, len(hashes), len(data))


def verify_asset_proof(
    home: Path,
    name: str,
    proof: Path,
    demands: Demands,
    *,
    root: str = "",
    trust: Trust | None = None,
    signer: str = "",
    file: Path | None = None,
    as_of: int | None = None,
) -> Checked:
    """Check a proof: against a realm of this home, a snapshot of one, or the word of who registered the release.

    Args:
        home: folder of realms and pins.
        name: the realm.
        proof: the file.
        demands: witnesses and age of the realm's checkpoint.
        root: root digest (hex) of the realm, where its log is not at hand; then `signer` must be named.
        trust: root digest and snapshot of the realm instead.
        signer: pseudonym or key id of who must have registered the release; empty for anybody whom the realm lets.
        file: what should be the asset.
        as_of: Unix seconds of an earlier time to answer for, in a realm of this home; None for now.

    Raises:
        UsageError: LF0173 no log is asked and no signer named, or the other way round.
        NotFound: LF5035 there is no such file.
        VerificationFailed: LF7340 to LF7343, LF7345, LF7335, LF7191, LF7200 to LF7233; LF7342 the file is another.
    """
    read = read_asset_proof(read_in(proof, MAX_BYTES))
    seen_at, standing = -1, "effective"
    witnesses: tuple[str, ...] = ()
    names: dict[str, str] = {}
    if trust is not None:
        from lockflight.deploy.trust import realm_state

        if demands.policy is not None:
            raise _no_demands()
        state, seen_at = realm_state(trust, as_of)
        proven = verify_asset(read, state.root)
        record = in_realm(proven, state)
    elif root:
        _word_of(signer, demands)
        proven, record, standing = verify_asset(read, root), None, "claimed"
    else:
        view = view_at(home, name, as_of)
        proven = verify_asset(read, view.state.root)
        record = in_realm(proven, view.state)
        wanted = demands.with_pin(PinStore(home).get(view.name))
        met = wanted.meet(identity(view), candidates(view), reader=view.reader, index=record.index)
        seen_at, witnesses, names = view.timestamp, tuple(sorted(met.witnesses)), view.names()
    who = record.key.principal if record is not None and record.key is not None else proven.signer
    if signer and signer not in {who, proven.signer, names.get(who)}:
        raise VerificationFailed(
            "LF7345",
            f"The release was registered by {proven.signer}, not by {signer[:80]!a}.",
            hint="lockflight realm show --json lists people with pseudonyms and key ids.",
        )
    if file is not None:
        _same_file(file, proven.asset)
    return Checked(proven, standing, seen_at, witnesses, names.get(who, who), file is not None)


def _word_of(signer: str, demands: Demands) -> None:
    if not signer:
        raise UsageError(
            "LF0173",
            "Without the realm's log the proof rests on the word of whoever registered the release.",
            hint="--signer with the pseudonym of a certificate or a whole key id (lockflight realm show --json), "
            "or --snapshot FILE",
        )
    if demands.policy is not None or demands.max_age:
        raise _no_demands()


def _no_demands() -> UsageError:
    return UsageError(
        "LF0173",
        "Witnesses are demanded of a realm of this home, and an age of its log or of a snapshot; not of a proof alone.",
        hint="--realm NAME, or leave them out.",
    )


def _registered(view: RealmView, release: str) -> Record | None:
    """The newest registration that says a tree, by a key that nobody took back."""
    found = [
        record
        for record in view.state.registrations.get(release, [])
        if isinstance(record.fact, Registration)
        and record.fact.tree is not None
        and record.signer not in view.state.revoked_keys
    ]
    return found[-1] if found else None


def _index(assets: tuple[TreeAsset, ...], name: str, role: str) -> int:
    found = [i for i, one in enumerate(assets) if one.name == name and role in {"", one.role}]
    if len(found) == 1:
        return found[0]
    if found:
        roles = ", ".join(assets[i].role for i in found)
        raise NotFound("LF1023", f"Several assets are called {name!a}: {roles}.", hint="--role ROLE")
    raise NotFound(
        "LF1023",
        f"The release has no asset {name[:200]!a}" + (f" with the role {role!a}." if role else "."),
        hint=did_you_mean(
            name, [one.name for one in assets], otherwise="lockflight release show PACKAGE --assets"
        ),
    )


def _envelope(view: RealmView, digest: str) -> bytes:
    data = view.reader.envelope(digest)
    if data is None:  # the fold has read it
        raise VerificationFailed("LF7240", f"The envelope {digest[:16]} is gone from the log.")
    return data


def _entry(view: RealmView, index: int) -> TlogProof:
    """An entry under the first checkpoint that covers it: its time is that at which certificates were valid."""
    notes: dict[int, str] = {}
    for note in view.reader.checkpoints():
        notes.setdefault(parse_checkpoint(parse_note(note).text).size, note)
    size = min(size for size in notes if size > index)
    leaf = next(iter(view.reader.entries(index, index + 1))).leaf
    return TlogProof(index, tuple(view.reader.inclusion(index, size)), notes[size], leaf)


def _same_file(path: Path, asset: TreeAsset) -> None:
    if not path.is_file():
        raise NotFound("LF5035", f"There is no file {path}.", hint="Name the file that should be the asset.")
    with Folder(path.parent) as folder:
        source = folder.open(path.name)
        try:
            same = source.size == asset.size and sha256_source(source) == asset.sha256
        finally:
            source.close()
    if not same:
        raise VerificationFailed(
            "LF7342",
            f"{path} is not {asset.name!a} of the release: it has another size or digest than "
            f"sha256:{asset.sha256}.",
            hint="Get it again from where the release is kept.",
        )
