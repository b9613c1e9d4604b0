"""`trust show`, `trust export` and `trust renew`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.common import time_json
from lockflight.cli.passphrase import asker, root_arguments
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, short, table
from lockflight.core.times import rfc3339, unix
from lockflight.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.cli.style import Style


def show_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `trust show`."""
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="a TrustedRoot or ClientTrustConfig (default: the realm's)"
    )


def show(args: argparse.Namespace, run: Run) -> Reply:
    """Keys and authorities of a realm or of a file."""
    from lockflight.app.realm.trust import trust_of

    root = trust_of(run.home, run.realm, Path(args.file) if args.file is not None else None)
    rows = [_row("log", one.url, one.log_id.hex(), one.begins, one.ends) for one in root.logs]
    rows += [
        _row("certificate-log", one.url, one.log_id.hex(), one.begins, one.ends)
        for one in root.certificate_logs
    ]
    for issuer in root.issuers:
        top = issuer.certificates[0]
        rows.append(_row("certificates", top.subject, top.digest, issuer.begins, issuer.ends))
    for stamper in root.stampers:
        top = stamper.certificates[0]
        rows.append(_row("time", top.subject, top.digest, stamper.begins, stamper.ends))

    def human(style: Style) -> Iterable[str]:
        yield from table(
            [
                [f"{row['what']}", clean(str(row["name"])), short(str(row["id"])), f"until {row['ends']}"]
                for row in rows
            ]
        )

    return Reply("trust/v1", {"trusted": rows}, human)


def _row(what: str, name: str, digest: str, begins: int, ends: int) -> dict[str, object]:
    return {"what": what, "name": name, "id": digest, "begins": time_json(begins), "ends": time_json(ends)}


def export_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `trust export`."""
    parser.add_argument("--out", required=True, metavar="FILE", help="file to write; - for standard output")
    parser.add_argument(
        "--form",
        choices=("client-trust-config", "trusted-root"),
        default="client-trust-config",
        help="what to write: for `model_signing verify sigstore --trust_config`, or the trusted root alone",
    )


def export(args: argparse.Namespace, run: Run) -> Reply:
    """Write what verifiers trust, for stock sigstore tools."""
    from lockflight.app.realm.trust import trust_of
    from lockflight.store.files import replace_file

    root = trust_of(run.home, run.realm, None)
    document = root.to_config() if args.form == "client-trust-config" else root.to_json()
    issuer = root.issuers[0].url if root.issuers else ""
    text = json.dumps(document, indent=1) + "\n"
    result = {"form": args.form, "file": args.out, "issuer": issuer or None, "document": document}
    if args.out != "-":
        replace_file(Path(args.out), text.encode())

    def human(style: Style) -> Iterable[str]:
        if args.out == "-":
            yield text.rstrip("\n")
            return
        yield f"{style.yes} wrote {clean(args.out)}"
        if issuer:
            yield f"  issuer of its identities: {clean(issuer)}"
        if issuer and args.form == "client-trust-config":
            yield (
                f"  model_signing verify sigstore --trust_config {clean(args.out)} --identity URI "
                f"--identity_provider {clean(issuer)} --signature PACKAGE/model.sig PACKAGE"
            )

    return Reply("trust-export/v1", result, human)


def renew_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `trust renew`."""
    parser.add_argument(
        "--until",
        required=True,
        metavar="TIME",
        help="from when nothing new counts before the next renewal: 2027-01-31, 2027-01-31T12:00:00Z, or never",
    )
    root_arguments(parser)


def renew(args: argparse.Namespace, run: Run) -> Reply:
    """Say until when the realm's trust holds."""
    from lockflight.app.identity.renewal import prolong

    until = _until(args.until)
    done = prolong(run.home, run.realm, until, now=run.now, root_key=args.root_key, ask=asker(args))
    result = {
        "realm": run.realm,
        "before": done.before or None,
        "until": done.until or None,
        "index": done.index,
    }

    def human(style: Style) -> Iterable[str]:
        end = f"until {done.until}" if done.until else "without an end"
        yield f"{style.yes} the trust of the realm {style.bold(run.realm)} holds {end}, entry {done.index} in the log"
        if done.until:
            yield "  after that nothing new counts, before the root key renews it; what counted goes on to count"

    return Reply("trust-renewed/v1", result, human)


def _until(word: str) -> str:
    """RFC 3339 Z; empty for never."""
    if word == "never":
        return ""
    try:
        return rfc3339(unix(f"{word}T00:00:00Z" if len(word) == len("2027-01-31") else word))
    except ValueError as error:
        raise UsageError(
            "LF0105", f"--until: {error}.", hint="--until 2027-01-31, or --until never"
        ) from error
