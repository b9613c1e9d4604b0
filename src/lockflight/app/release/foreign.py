"""Verifying models that others signed: who must have signed, by which method, how strictly, and every file.

Offline, and without a realm unless its own authorities are what is trusted.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.app.files.package import load_file, load_package
from lockflight.core.records import dataclass
from lockflight.core.release.release import SIGNATURE_NAME
from lockflight.core.verify.crypto.keys import load_pem
from lockflight.core.verify.foreign import Mode
from lockflight.core.verify.package import FoundFile, require_equal
from lockflight.errors import NotFound, UsageError, VerificationFailed
from lockflight.infra.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockflight.app.files.package import Package
    from lockflight.core.source import ByteSource
    from lockflight.core.verify.crypto.certificate import Certificate
    from lockflight.core.verify.crypto.keys import PublicKey
    from lockflight.core.verify.foreign import ForeignManifest, Relaxation
    from lockflight.core.verify.maker import By
    from lockflight.core.verify.public.trustroot import TrustRoot
    from lockflight.infra.progress import Progress

MAX_SIGNATURE_BYTES = 65 * 1024 * 1024
MAX_KEY_BYTES = 16 * 1024
MAX_ROOTS_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Asked:
    """Who must have signed; exactly one of key, roots and identity.

    Attributes:
        key: public key (PEM).
        roots: trusted root certificates (PEM).
        identity, issuer: a name, and the URL of who proves it.
        trust_root: a `TrustedRoot` or `ClientTrustConfig`; None for the realm's own.
        compat: take what the specification permits or older tools wrote, too.
    """

    key: Path | None = None
    roots: Path | None = None
    identity: str = ""
    issuer: str = ""
    trust_root: Path | None = None
    compat: bool = False

    def __bool__(self) -> bool:
        """Whether anybody is asked for."""
        return self.key is not None or self.roots is not None or bool(self.identity)

    @property
    def mode(self) -> Mode:
        """The profile."""
        return Mode.COMPAT if self.compat else Mode.STRICT


#: Nobody is asked for.
NOBODY = Asked()


@dataclass(frozen=True, slots=True)
class Model:
    """A model that is what its maker signed.

    Attributes:
        manifest: what was signed, by whom and when.
        relaxations: all that strict would have refused; empty in strict.
    """

    manifest: ForeignManifest
    relaxations: tuple[Relaxation, ...]

    @property
    def left_out(self) -> tuple[str, ...]:
        """Files that are there and not signed."""
        return tuple(name for one in self.relaxations for name in one.names)


def check_asked(asked: Asked) -> None:
    """See that the options name one maker, in one way.

    Raises:
        UsageError: LF0134.
    """
    ways = [asked.key is not None, asked.roots is not None, bool(asked.identity)]
    problem = ""
    if sum(ways) > 1:
        problem = "--key, --certificate-chain and --identity are three methods; a signature has one"
    elif bool(asked.identity) != bool(asked.issuer):
        problem = "a name counts only together with who proves it: --identity NAME --issuer URL"
    elif not any(ways) and (asked.compat or asked.trust_root is not None):
        problem = (
            "--compat and --trust-root are for signatures of others: --key, --certificate-chain or --identity"
        )
    elif asked.key is not None and asked.trust_root is not None:
        problem = "--trust-root proves nothing about a bare key"
    if problem:
        raise UsageError("LF0134", f"{problem[0].upper()}{problem[1:]}.", hint="lockflight verify --help")


def verify_signature(
    data: bytes, asked: Asked, *, home: Path, realm_name: str, now: int, what: str = SIGNATURE_NAME
) -> ForeignManifest:
    """Verify a maker's signature; no file is looked at.

    Raises:
        UsageError: LF0130 the key file is none, LF0135 nor is that of the roots.
        NotFound: LF4510 no such realm, LF7432 no such trust root.
        VerificationFailed: LF71xx, LF74xx the signature.
    """
    from lockflight.core.verify.maker import verify_foreign

    return verify_foreign(data, _by(asked, home, realm_name, now), mode=asked.mode, what=what)


def verify_model(
    package: Path,
    asked: Asked,
    *,
    home: Path,
    realm_name: str,
    now: int,
    signature: Path | None = None,
    progress: Progress = SILENT,
) -> Model:
    """Check a model that another tool signed: its signature, and every file.

    Args:
        package: a folder, or one file.
        asked: who must have signed, and how strictly that is read.
        home: folder of realms and pins.
        realm_name: the realm whose authorities are trusted where no trust root is named.
        now: Unix seconds.
        signature: the bundle; None for `model.sig` in the folder.
        progress: told about hashing.

    Raises:
        UsageError: as `check_asked` and `verify_signature`.
        NotFound: LF0117 no such signature, LF4510, LF7432.
        VerificationFailed: LF71xx, LF74xx signature, LF73xx files; LF7330 no signature in the folder.
    """
    from lockflight.core.verify.leftout import judge_files
    from lockflight.core.verify.maker import verify_foreign

    check_asked(asked)
    by = _by(asked, home, realm_name, now)  # first, since what is no key is a mistake of the caller
    folder = package.is_dir()
    with (
        load_package(package, progress=progress)
        if folder
        else load_file(package, progress=progress) as loaded
    ):
        name = _name_of(package, signature) if folder else ""
        data = _bundle(package, loaded, name, signature)
        manifest = verify_foreign(data, by, mode=asked.mode, what=SIGNATURE_NAME)
        found = {e.name: FoundFile(e.sha256, e.size, e.kind, e.blake3) for e in loaded.entries}
        found = with_digests(manifest, found, loaded.sources)
        problems, relaxations = judge_files(manifest, found, signature=name)
        require_equal(problems, what=f"The model {package.name}")
        loaded.recheck()
    return Model(manifest, relaxations)


def with_digests(
    manifest: ForeignManifest, found: Mapping[str, FoundFile], sources: Mapping[str, ByteSource]
) -> dict[str, FoundFile]:
    """The files with digests of the form that the signature has, where it is not one that every file gets."""
    if manifest.plain:
        return dict(found)
    from lockflight.core.verify.pieces import digest_of

    unnamed = [f.name for f in manifest.resources] == ["."]
    wanted = set(found) if unnamed else {f.name for f in manifest.resources}
    return {
        name: replace(file, other=digest_of(sources[name], manifest.hash_type, manifest.piece))
        if name in wanted and file.kind == "file" and name in sources
        else file
        for name, file in found.items()
    }


def read_signature(file: Path) -> bytes:
    """The bytes of a bundle.

    Raises:
        NotFound: LF0117 it cannot be read.
    """
    try:
        with file.open("rb") as stream:
            return stream.read(MAX_SIGNATURE_BYTES)
    except OSError as error:
        raise NotFound(
            "LF0117",
            f"The signature {str(file)!r} cannot be read: {error.strerror}.",
            hint="--signature FILE names it.",
        ) from error


def _name_of(package: Path, signature: Path | None) -> str:
    """The signature's name in the folder; empty where it lies elsewhere."""
    if signature is None:
        return SIGNATURE_NAME
    relative = Path(os.path.relpath(signature, package))
    return "" if relative.parts[0] == os.pardir else relative.as_posix()


def _bundle(package: Path, loaded: Package, name: str, signature: Path | None) -> bytes:
    if name in loaded.sources:
        source = loaded.sources[name]
        return source.read_at(0, min(source.size, MAX_SIGNATURE_BYTES))
    if signature is not None:
        return read_signature(signature)
    if not package.is_dir():
        raise UsageError(
            "LF0134", f"{package.name} is one file, so its signature must be named.", hint="--signature FILE"
        )
    raise VerificationFailed(
        "LF7330",
        f"{package} holds no {SIGNATURE_NAME}: it is not a signed package.",
        hint="--signature FILE names a signature that lies elsewhere.",
    )


def _by(asked: Asked, home: Path, realm_name: str, now: int) -> By:
    from lockflight.core.verify.maker import ByCertificate, ByIdentity, ByKey

    if asked.key is not None:
        return ByKey((public_key(asked.key),))
    if asked.roots is not None:
        return ByCertificate(root_certificates(asked.roots), _trust_or_none(asked, home, realm_name), now)
    from lockflight.app.realm.trust import trust_of
    from lockflight.core.verify.public.keyless import Wanted

    return ByIdentity(Wanted(asked.identity, asked.issuer), trust_of(home, realm_name, asked.trust_root))


def _trust_or_none(asked: Asked, home: Path, realm_name: str) -> TrustRoot | None:
    from lockflight.app.realm.trust import trust_of

    try:
        return trust_of(home, realm_name, asked.trust_root)
    except NotFound:
        if asked.trust_root is not None:
            raise
        return None  # no realm, so nobody's time stamps are trusted


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


def root_certificates(path: Path) -> tuple[Certificate, ...]:
    """Certificates out of a PEM file, at least one.

    Raises:
        UsageError: LF0135 the file cannot be read, or holds none.
    """
    from lockflight.core.verify.crypto.certificate import load_pem_certificates

    try:
        with path.open("rb") as stream:
            return load_pem_certificates(stream.read(MAX_ROOTS_BYTES))
    except OSError as error:
        problem = f"{path} cannot be read: {error.strerror}."
    except VerificationFailed as error:
        problem = f"{path}: {error.message}"
    raise UsageError("LF0135", problem, hint="--certificate-chain takes root certificates in PEM.")
