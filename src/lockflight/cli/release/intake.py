"""`intake`: let a model, dataset or tool server of others in, through the gate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.arguments import choice
from lockflight.cli.common import release_json
from lockflight.cli.lines.maker import asked_of, maker_arguments
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, count, short
from lockflight.core.words import Kind

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.gate.intake import TakenIn
    from lockflight.cli.style import Style
    from lockflight.core.attest.provenance import Intake
    from lockflight.core.attest.signedby import MakerSignature

#: How many files are named for people.
NAMED = 10


def intake_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `intake`."""
    parser.add_argument("what", metavar="PATH|URI", help="a file or folder that is here, or its file: URI")
    parser.add_argument(
        "--kind",
        type=choice("LF0106", "kind", [kind.value for kind in Kind]),
        metavar="KIND",
        help="base-model, dataset, tool-server … (default: guessed)",
    )
    parser.add_argument(
        "--from", dest="origin", default="", metavar="URI", help="where it was downloaded from"
    )
    parser.add_argument("--licence", default="", metavar="SPDX", help="its licence, such as Apache-2.0")
    parser.add_argument(
        "--context", default="", metavar="TEXT", help="how the data was collected or the model trained"
    )
    maker_arguments(parser, key="public key (PEM) of its maker: the signature must verify")


def intake(args: argparse.Namespace, run: Run) -> Reply:
    """Describe, verify, check, judge for the environment `intake`, record."""
    from lockflight.app.gate.intake import Offer, take_in
    from lockflight.app.realm.clock import now

    offer = Offer(
        what=args.what,
        kind=Kind(args.kind) if args.kind else None,
        origin=args.origin,
        licence=args.licence,
        context=args.context,
        signature=Path(args.signature) if args.signature else None,
        maker=asked_of(args),
    )
    done = take_in(run.home, run.realm, offer, actor=run.actor, clock=now, progress=run.progress())
    return Reply("intake/v1", _result(done), lambda style: _lines(done, style))


def _lines(done: TakenIn, style: Style) -> Iterable[str]:
    taken = done.intake
    licence = f", {clean(taken.licence)}" if taken.licence else ""
    yield (
        f"{style.yes} took in {style.bold(clean(taken.uri))} ({taken.kind}{licence}): "
        f"{count(len(taken.products), 'file')}, entry {done.receipt.index} of {done.realm}"
    )
    for product in taken.products[:NAMED]:
        yield f"  {clean(product.name)}  {short(product.sha256)}"
    if len(taken.products) > NAMED:
        yield f"  and {len(taken.products) - NAMED} more"
    yield from _maker(taken, style)
    if not taken.licence:
        yield f"{style.look} no licence is recorded; --licence SPDX says which"


def _maker(taken: Intake, style: Style) -> Iterable[str]:
    signature = taken.signature
    if not taken.signer:
        yield f"{style.look} nobody's signature was checked; --key FILE checks that of its maker"
        return
    if signature is None:
        yield f"{style.yes} its maker's signature verifies, key {short(taken.signer)}"
        return
    by = {
        "key": f"key {short(taken.signer)}",
        "certificate": f"certificate {short(signature.certificate)}",
        "identity": f"signed by {clean(signature.identity)}, proven by {clean(signature.issuer)}",
    }[signature.method]
    yield f"{style.yes} its maker's signature verifies, {by}"
    if signature.mode == "compat":
        yield f"{style.look} in compat mode: {', '.join(signature.relaxations) or 'nothing had to be relaxed'}"


def _result(done: TakenIn) -> dict[str, object]:
    taken = done.intake
    return {
        "realm": done.realm,
        "release": release_json(done.release),
        "uri": taken.uri,
        "kind": taken.kind,
        "licence": taken.licence,
        "context": taken.context,
        "signer": taken.signer,
        "signature": _signature(taken.signature),
        "products": [{"name": p.name, "sha256": p.sha256} for p in taken.products],
        "decision": taken.decision,
        "envelope": done.receipt.envelope,
        "index": done.receipt.index,
        "ran": len(done.ran),
    }


def _signature(signature: MakerSignature | None) -> dict[str, object] | None:
    if signature is None:
        return None
    return {
        "mode": signature.mode,
        "method": signature.method,
        "identity": signature.identity or None,
        "issuer": signature.issuer or None,
        "certificate": signature.certificate or None,
        "signed_at": signature.signed_at or None,
        "relaxations": list(signature.relaxations),
    }
