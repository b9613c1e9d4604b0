"""Options and words about the signatures of others, shared by `verify` and `intake`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.common import time_json
from lockflight.cli.style import clean, count, short

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.release.foreign import Asked, Model
    from lockflight.cli.style import Style

#: How many files are named for people.
NAMED = 5


def maker_arguments(parser: argparse.ArgumentParser, *, key: str) -> None:
    """Options that say who must have signed; `key` is the help of `--key`."""
    parser.add_argument("--key", metavar="FILE", help=key)
    parser.add_argument(
        "--certificate-chain",
        metavar="FILE",
        help="trusted root certificates (PEM): a certificate for code signing under one of them must have signed",
    )
    parser.add_argument(
        "--identity", default="", metavar="NAME", help="this e-mail address or URI must have signed, keyless"
    )
    parser.add_argument("--issuer", default="", metavar="URL", help="who proved that identity")
    parser.add_argument(
        "--trust-root",
        metavar="FILE",
        help="whose certificates, logs and time stamps count: a TrustedRoot or ClientTrustConfig "
        "(default: the realm's)",
    )
    parser.add_argument(
        "--signature", metavar="FILE", help="the maker's signature, where it is not model.sig in the folder"
    )
    parser.add_argument(
        "--compat",
        action="store_true",
        help="also take what the specification permits or older tools wrote, and name each such thing",
    )


def asked_of(args: argparse.Namespace) -> Asked:
    """The options as the application takes them."""
    from lockflight.app.release.foreign import Asked

    def path(word: str | None) -> Path | None:
        return Path(word) if word is not None else None

    return Asked(
        key=path(args.key),
        roots=path(args.certificate_chain),
        identity=args.identity,
        issuer=args.issuer,
        trust_root=path(args.trust_root),
        compat=args.compat,
    )


def named(args: argparse.Namespace) -> list[str]:
    """Which of the options about makers were given."""
    words = {
        "--key": args.key,
        "--certificate-chain": args.certificate_chain,
        "--identity": args.identity,
        "--issuer": args.issuer,
        "--trust-root": args.trust_root,
        "--signature": args.signature,
        "--compat": args.compat,
    }
    return [word for word, value in words.items() if value]


def model_json(model: Model) -> dict[str, object]:
    """The signature of a model of others, as results show it."""
    manifest = model.manifest
    maker = manifest.maker
    return {
        "mode": manifest.mode.value,
        "method": maker.method,
        "name": manifest.name,
        "payload": manifest.payload_digest,
        "keyid": maker.key.keyid,
        "certificate": maker.certificate or None,
        "subject": maker.subject or None,
        "identity": maker.identity or None,
        "issuer": maker.issuer or None,
        "signed_at": time_json(maker.times_ms[0] // 1000) if maker.times_ms else None,
        "time_trusted": bool(maker.times_ms),
        "logged": maker.logged,
        "hash_type": manifest.hash_type,
        "relaxations": [
            {"name": one.name, "message": one.message, "files": list(one.names)} for one in model.relaxations
        ],
    }


def model_lines(model: Model, name: str, style: Style) -> Iterable[str]:
    """What a person wants to know of it."""
    manifest = model.manifest
    maker = manifest.maker
    by = {
        "key": f"with the key {short(maker.key.keyid)}",
        "certificate": f"under the certificate {short(maker.certificate)}",
        "identity": f"as signed by {clean(maker.identity)}",
    }[maker.method]
    compat = f" {style.bold('in compat mode')}" if model.relaxations else ""
    yield f"{style.yes} verified {clean(name)} {by}{compat}"
    rest = f"{count(len(model.left_out), 'file')} not signed" if model.left_out else "nothing extra"
    yield f"  {count(len(manifest.resources), 'file')}, each exactly as signed; {rest}"
    if maker.subject:
        yield f"  held by {clean(maker.subject)}"
    if maker.issuer:
        yield f"  proven by {clean(maker.issuer)}"
    if maker.times_ms:
        yield f"  signed by {time_json(maker.times_ms[0] // 1000)} at the latest, as a trusted authority has proven"
    for one in model.relaxations:
        yield f"  {style.look} {one.name}: {one.message}{_files(one.names)}"
    if maker.method == "key":
        yield f"  {style.look} no realm was asked: who holds this key, and whether it was revoked, is not known here"
    elif maker.method == "certificate":
        yield f"  {style.look} no realm was asked: anybody with a certificate under these roots could have signed it"


def _files(names: tuple[str, ...]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f": {', '.join(clean(name) for name in names[:NAMED])}{more}"
