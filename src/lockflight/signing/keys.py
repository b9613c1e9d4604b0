"""Key files: PEM PKCS#8 of mode 0600, made whole or not at all, and the signer over them."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from lockflight.core.verify.crypto.keys import ED25519, P256, P384, P521, PublicKey, ecdsa, load_der
from lockflight.errors import ConflictError, EnvironmentProblem, InvalidInput, NotFound, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.x509 import Certificate, CertificateBuilder

MAX_KEY_FILE_BYTES = 16 * 1024
PUBLIC_SUFFIX = ".pub"

PrivateKey: TypeAlias = "ec.EllipticCurvePrivateKey | Ed25519PrivateKey"

_CURVES: Final[dict[str, Callable[[], ec.EllipticCurve]]] = {
    P256: ec.SECP256R1,
    P384: ec.SECP384R1,
    P521: ec.SECP521R1,
}
_HASHES: Final[dict[str, Callable[[], hashes.SHA256 | hashes.SHA384 | hashes.SHA512]]] = {
    P256: hashes.SHA256,
    P384: hashes.SHA384,
    P521: hashes.SHA512,
}
ALGORITHMS: Final = (P256, P384, P521, ED25519)


class FileSigner:
    """A signer over a private key in memory; implements `core.ports.Signer`."""

    __slots__ = ("_key", "public_key")

    def __init__(self, key: PrivateKey) -> None:
        self._key = key
        der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.public_key: PublicKey = load_der(der)

    def __repr__(self) -> str:
        return f"FileSigner({self.public_key.algorithm}, {self.keyid[:16]})"

    def __reduce__(self) -> str | tuple[object, ...]:
        """Refuse to travel: only the process that loaded a key signs with it."""
        raise TypeError("a signer cannot be pickled: private keys stay in the process that loaded them")

    @property
    def public_der(self) -> bytes:
        """SubjectPublicKeyInfo, DER."""
        return self.public_key.der

    @property
    def keyid(self) -> str:
        """Hex SHA-256 of `public_der`."""
        return self.public_key.keyid

    def sign(self, message: bytes) -> bytes:
        """Raw signature: DER for ECDSA with the curve's SHA-2 and the lower s, 64 bytes for Ed25519."""
        if isinstance(self._key, Ed25519PrivateKey):
            return self._key.sign(message)
        return self.public_key.lower(self._key.sign(message, ecdsa(_HASHES[self.public_key.algorithm]())))

    def certify(self, builder: CertificateBuilder) -> Certificate:
        """The certificate that this key issues."""
        if isinstance(self._key, Ed25519PrivateKey):
            return builder.sign(self._key, None)
        return builder.sign(self._key, _HASHES[self.public_key.algorithm]())

    def private_pem(self, passphrase: bytes | None = None) -> bytes:
        """PKCS#8 PEM, encrypted if a passphrase is given."""
        protection: KeySerializationEncryption = (
            BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        )
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)


def generate(algorithm: str = P256) -> FileSigner:
    """A new key; `algorithm` is one of `ALGORITHMS`. Stock OMS verifiers read the ECDSA ones only.

    Raises:
        UsageError: LF7010 another algorithm.
    """
    if algorithm == ED25519:
        return FileSigner(Ed25519PrivateKey.generate())
    curve = _CURVES.get(algorithm)
    if curve is None:
        raise UsageError(
            "LF7010",
            f"Keys of the kind {algorithm!r} are not used here.",
            hint=f"Choose one of {', '.join(ALGORITHMS)}.",
        )
    return FileSigner(ec.generate_private_key(curve()))


def save(signer: FileSigner, path: Path, *, passphrase: bytes | None = None) -> Path:
    """Write a key file (0600) and, beside it, the public key (`.pub`, 0644); never over an existing file.

    The private key appears under its name only when all of it is on disk. The public key is written first, so
    that a key file never lacks it.

    Returns:
        The path of the public key.

    Raises:
        ConflictError: LF7007 one of the files exists.
        EnvironmentProblem: LF7008 the folder cannot be written.
    """
    public = path.with_name(path.name + PUBLIC_SUFFIX)
    for target in (path, public):
        if os.path.lexists(target):
            raise _exists(target)
    _create(public, signer.public_key.pem.encode(), 0o644)
    try:
        _create(path, signer.private_pem(passphrase), 0o600)
    except BaseException:
        public.unlink(missing_ok=True)
        raise
    return public


def load(path: Path, passphrase: bytes | None = None) -> FileSigner:
    """Read a key file that only its owner can read.

    Raises:
        NotFound: LF7009 there is no such file.
        EnvironmentProblem: LF7006 others can read or replace the file, LF7008 it cannot be read.
        InvalidInput: LF7004 not a private key in PEM, LF7010 of a kind that is not used here.
        UsageError: LF7005 the passphrase is missing, wrong, or given for a key that has none.
    """
    data = _read_private(path)
    try:
        key = load_pem_private_key(data, passphrase)
    except TypeError:
        # cryptography's way to say that the passphrase is missing, or that the key needs none.
        need = (
            "is protected by a passphrase, and none was given"
            if passphrase is None
            else "has no passphrase, but one was given"
        )
        hint = (
            "Set LOCKFLIGHT_PASSPHRASE, use --passphrase-env or --passphrase-fd, or type it on a terminal."
            if passphrase is None
            else "Leave the passphrase out."
        )
        raise UsageError("LF7005", f"The key file {str(path)!r} {need}.", hint=hint) from None
    except (ValueError, UnsupportedAlgorithm):
        if passphrase is not None and b"ENCRYPTED" in data:
            raise UsageError(
                "LF7005",
                f"The passphrase does not open the key file {str(path)!r}.",
                hint="Give its own passphrase.",
            ) from None
        raise InvalidInput(
            "LF7004",
            f"The file {str(path)!r} holds no private key in PEM (PKCS#8).",
            hint=f"openssl pkey -in {path} -out NEW_FILE",
        ) from None
    if isinstance(key, Ed25519PrivateKey) or (
        isinstance(key, ec.EllipticCurvePrivateKey)
        and key.curve.name in {"secp256r1", "secp384r1", "secp521r1"}
    ):
        return FileSigner(key)
    raise InvalidInput(
        "LF7010",
        f"The key in {str(path)!r} is of a kind that is not used here.",
        hint=f"Make a key of one of these kinds: {', '.join(ALGORITHMS)}.",
    )


def is_encrypted(path: Path) -> bool:
    """Whether a passphrase opens the key file; refuses what `load` would refuse before it asks for one.

    Raises:
        NotFound, InvalidInput, EnvironmentProblem: LF7004, LF7006, LF7008, LF7009 as `load`.
    """
    return b"ENCRYPTED" in _read_private(path)


def _read_private(path: Path) -> bytes:
    try:
        # Without O_NONBLOCK, opening a pipe of that name would wait for ever.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise NotFound("LF7009", f"There is no key file {str(path)!r}.", hint="Check the path.") from None
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_KEY_FILE_BYTES:
            raise InvalidInput(
                "LF7004", f"{str(path)!r} is not a key file: not a regular file of a few kilobytes."
            )
        if status.st_mode & 0o077:
            raise EnvironmentProblem(
                "LF7006",
                f"The key file {str(path)!r} can be used by others (mode "
                f"{stat.S_IMODE(status.st_mode):04o}), so "
                "its signatures prove nothing.",
                hint=f"chmod 600 {path}   # and replace the key if others share this machine",
            )
        if status.st_uid not in {os.geteuid(), 0}:
            raise EnvironmentProblem(
                "LF7006",
                f"The key file {str(path)!r} belongs to another user, who can replace it.",
                hint=f"chown {os.geteuid()} {path}",
            )
        return os.read(handle, MAX_KEY_FILE_BYTES)
    except OSError as error:
        raise _unreadable(path, error) from error
    finally:
        os.close(handle)


def _unreadable(path: Path, error: OSError) -> EnvironmentProblem:
    return EnvironmentProblem(
        "LF7008", f"The key file {str(path)!r} cannot be read: {error.strerror}.", hint=f"ls -l {path}"
    )


def _create(path: Path, data: bytes, mode: int) -> None:
    """Make a file that did not exist, whole and durable."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        try:
            os.fchmod(handle, mode)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(handle)
            _publish(draft, path)
        finally:
            draft.unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        raise EnvironmentProblem(
            "LF7008",
            f"The file {str(path)!r} cannot be written: {error.strerror}.",
            hint=f"ls -ld {path.parent}",
        ) from error


def _publish(draft: Path, path: Path) -> None:
    # A hard link fails if the name is taken; a rename would replace what is there.
    try:
        os.link(draft, path)
    except OSError as error:
        if error.errno not in {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS}:
            raise
        with contextlib.suppress(FileNotFoundError):
            path.lstat()
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        draft.rename(path)


def _exists(path: Path) -> ConflictError:
    return ConflictError(
        "LF7007",
        f"{str(path)!r} exists already; a key is never replaced in place.",
        hint="Choose another name.",
    )
