"""`ca init`, `issue`, `renew` and `show`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.common import certificate_json, time_json
from lockflight.cli.identity.token import token_of, token_option
from lockflight.cli.passphrase import asker, new_passphrase, passphrase_arguments, root_arguments
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, short, table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.identity.authority import Founded
    from lockflight.cli.style import Style
    from lockflight.core.verify.crypto.certificate import Certificate


def init_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `ca init`."""
    root_arguments(parser)
    parser.add_argument(
        "--roots-out",
        metavar="DIR",
        help="write the two root keys there instead of the home, to keep them offline",
    )
    passphrase_arguments(parser, "these two keys", "out-", new=True)


def _founded(done: Founded, realm: str) -> dict[str, object]:
    return {
        "realm": realm,
        "issuing": certificate_json(done.issuing),
        "root": certificate_json(done.root),
        "stamper": certificate_json(done.stamper),
        "index": done.index,
        "roots": [str(path) for path in done.roots],
    }


def init(args: argparse.Namespace, run: Run) -> Reply:
    """Make the authorities of a realm."""
    from lockflight.app.identity.authority import found

    out = Path(args.roots_out) if args.roots_out is not None else None
    done = found(
        run.home,
        run.realm,
        root_key=args.root_key,
        ask=asker(args),
        passphrase=new_passphrase(args, "out-") if out is not None else None,
        out=out,
    )

    def human(style: Style) -> Iterable[str]:
        yield f"{style.yes} the realm {style.bold(run.realm)} issues certificates and time stamps of its own"
        yield from _rows(style, [("issues", done.issuing), ("root", done.root), ("time", done.stamper)])
        yield f"  named by the trust statement, entry {done.index} in the log"
        for path in done.roots:
            which = "ca renew" if path.name.startswith("ca-") else "ca renew --time"
            yield f"  root key {clean(str(path))}: take it off this machine; only {which} needs it"
        yield "Releases are signed under certificates of ten minutes from now on: lockflight sign DIR --out PACKAGE"
        yield "For stock verifiers: lockflight trust export --out trust.json"

    return Reply("ca-init/v1", _founded(done, run.realm), human)


def renew_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `ca renew`."""
    root_arguments(parser)
    parser.add_argument(
        "--roots", metavar="DIR", help="folder with the root keys, where they are kept outside of the home"
    )
    parser.add_argument(
        "--time",
        action="store_true",
        help="the time-stamp authority too, whose certificate lives five years (needs tsa-root.pem)",
    )


def renew(args: argparse.Namespace, run: Run) -> Reply:
    """Give the authority a new key and certificate; the old ones stay valid until they end."""
    from lockflight.app.identity.renewal import renew as again

    roots = Path(args.roots) if args.roots is not None else None
    done = again(run.home, run.realm, root_key=args.root_key, ask=asker(args), roots=roots, time=args.time)

    def human(style: Style) -> Iterable[str]:
        what = "new certificates to issue and to say the time" if args.time else "a new issuing certificate"
        yield f"{style.yes} the realm {style.bold(run.realm)} has {what}"
        rows = [("issues", done.issuing), ("root", done.root)]
        yield from _rows(style, [*rows, ("time", done.stamper)] if args.time else rows)
        yield f"  named by the trust statement, entry {done.index} in the log; older certificates stay valid"

    return Reply("ca-init/v1", _founded(done, run.realm), human)


def _rows(style: Style, named: list[tuple[str, Certificate]]) -> Iterable[str]:
    rows = [
        [f"  {what}", clean(one.subject), f"sha256:{short(one.digest)}", f"until {time_json(one.ends)}"]
        for what, one in named
    ]
    yield from table(rows)


def issue_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `ca issue`."""
    parser.add_argument(
        "--out", required=True, metavar="DIR", help="new folder for key.pem, certificate.pem, chain.pem"
    )
    token_option(parser)


def issue(args: argparse.Namespace, run: Run) -> Reply:
    """A key and a certificate for ten minutes, for tools that want files."""
    from lockflight.app.identity.authority import issue_to, short_lived
    from lockflight.app.identity.tokens import issue_to_bearer

    token, out = token_of(args, run), Path(args.out)
    if token:
        lent, folder = issue_to_bearer(run.home, run.realm, out, token, actor=run.actor)
    else:
        lent, folder = issue_to(run.home, run.realm, out, lambda realm: short_lived(realm, run.actor))
    result = {
        "realm": run.realm,
        "folder": str(folder),
        "principal": lent.principal,
        "identity": lent.identity,
        "issuer": lent.issuer,
        "certificate": certificate_json(lent.certificate),
    }

    def human(style: Style) -> Iterable[str]:
        yield f"{style.yes} a certificate for {clean(lent.name)}, until {time_json(lent.certificate.ends)}"
        yield f"  identity {clean(lent.identity)}"
        yield f"  issuer   {clean(lent.issuer)}"
        yield f"  in {clean(str(folder))}: key.pem, certificate.pem, chain.pem; delete key.pem when it has signed"

    return Reply("ca-issue/v1", result, human)


def show_arguments(parser: argparse.ArgumentParser) -> None:
    """`ca show` has no options of its own."""


def show(args: argparse.Namespace, run: Run) -> Reply:
    """The realm's certificates, and which keys are here."""
    from lockflight.app.identity.authority import look

    found = look(run.home, run.realm)
    result = {
        "realm": run.realm,
        "issuer": found.issuer,
        "certificates": [
            {"what": one.what, "here": one.here, **certificate_json(one.certificate)}
            for one in found.certificates
        ],
        "separation": found.separation,
    }

    def human(style: Style) -> Iterable[str]:
        if not found.certificates:
            yield f"The realm {run.realm} has no certificate authority; people sign with their own keys."
            yield "Give it one: lockflight ca init"
            return
        rows = [
            [
                f"  {one.what}",
                clean(one.certificate.subject),
                f"until {time_json(one.certificate.ends)}",
                "key here" if one.here else "key elsewhere",
            ]
            for one in found.certificates
        ]
        yield f"issuer {clean(found.issuer)}"
        yield from table(rows)
        yield f"  {found.separation}"

    return Reply("ca/v1", result, human)
