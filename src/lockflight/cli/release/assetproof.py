"""`release prove` and `release proven`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.cli.common import demand_options, demands_of, time_json
from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, count

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.log.demands import Demands
    from lockflight.cli.style import Style
    from lockflight.deploy.trust import Trust


def prove_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `release prove`."""
    parser.add_argument("release", metavar="RELEASE", help="a package, or the start of a release's digest")
    parser.add_argument("asset", metavar="ASSET", help="name of a file or reference in it")
    parser.add_argument("--role", default="", metavar="ROLE", help="its role, where several have that name")
    parser.add_argument("--out", required=True, metavar="FILE", help="where to write the proof")


def prove(args: argparse.Namespace, run: Run) -> Reply:
    """Write the proof that an asset is in a release."""
    from lockflight.app.release.assetproof import write_asset_proof

    done = write_asset_proof(run.home, run.realm, args.release, args.asset, Path(args.out), role=args.role)
    result = {
        "asset": done.asset.to_json(),
        "release": {"digest": f"sha256:{done.release}", "name": done.name, "version": done.version},
        "index": done.index,
        "size": done.size,
        "hashes": done.hashes,
        "bytes": done.bytes,
        "file": args.out,
    }

    def human(style: Style) -> Iterable[str]:
        yield f"{style.yes} {clean(done.asset.name)} is in {clean(done.name)} {clean(done.version)}"
        yield f"  asset {done.index + 1} of {done.size}, {count(done.hashes, 'hash', 'hashes')} up to the root"
        yield f"  {done.bytes} bytes in {clean(args.out)}; nothing else of the release is in it"

    return Reply("release-prove/v1", result, human)


def proven_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `release proven`."""
    parser.add_argument("proof", metavar="PROOF", help="file from release prove")
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="what should be the asset; hashed and compared"
    )
    parser.add_argument(
        "--root", metavar="DIGEST", help="root digest of the realm, where this home does not hold it"
    )
    parser.add_argument("--snapshot", metavar="FILE", help="the realm's log, from realm snapshot")
    parser.add_argument(
        "--signer",
        default="",
        metavar="WHO",
        help="who must have registered it: pseudonym or key id; with --root alone it is that one's word",
    )
    demand_options(parser)


def proven(args: argparse.Namespace, run: Run) -> Reply:
    """Check such a proof, offline."""
    from lockflight.app.log.logexport import root_of
    from lockflight.app.release.assetproof import verify_asset_proof

    trust = _trust(args, run) if args.snapshot else None
    done = verify_asset_proof(
        run.home,
        run.realm,
        Path(args.proof),
        demands_of(args, run) if trust is None and not args.root else _named(args),
        root=root_of(args.root) if args.root and trust is None else "",
        trust=trust,
        signer=args.signer,
        file=Path(args.file) if args.file else None,
        as_of=run.as_of,
    )
    said, asset = done.proven.registration, done.proven.asset
    tree = said.tree
    result = {
        "asset": asset.to_json(),
        "release": {"digest": f"sha256:{said.release}", "name": said.name, "version": said.version},
        "tree": tree.to_json() if tree is not None else None,
        "realm": said.realm,
        "envelope": done.proven.envelope,
        "index": done.proven.index,
        "time": time_json(done.proven.time),
        "signer": done.signer,
        "standing": done.standing,
        "seen_at": time_json(done.seen_at),
        "witnesses": list(done.witnesses),
        "file": args.file if done.file else None,
    }

    def human(style: Style) -> Iterable[str]:
        yield f"{style.yes} {style.bold(clean(asset.name))} is in {clean(said.name)} {clean(said.version)}"
        yield f"  {asset.kind}, role {clean(asset.role)}, {asset.size} bytes, sha256:{asset.sha256}"
        yield f"  release sha256:{said.release}"
        yield f"  registered by {clean(done.signer)}, in the log by {time_json(done.proven.time)}"
        if done.file:
            yield f"  {clean(args.file)} is that asset"
        if done.standing == "effective":
            yield f"  the realm counts it, and nothing of it was revoked by {time_json(done.seen_at)}"
        else:
            yield (
                f"  {style.look} that is the word of {clean(done.signer)}: whether the realm let them register it, "
                "and whether it was revoked, is not known here"
            )
        if done.witnesses:
            yield f"  witnessed by {clean(', '.join(done.witnesses))}"

    return Reply("release-proven/v1", result, human)


def _named(args: argparse.Namespace) -> Demands:
    """What the command line itself demands: settings are about the logs of this home."""
    from lockflight.app.log.demands import demands

    return demands(args.witness_policy or "", args.max_age or "")


def _trust(args: argparse.Namespace, run: Run) -> Trust:
    from lockflight.app.log.logexport import pinned_root, root_of
    from lockflight.deploy.admission import MAX_AGE_S
    from lockflight.deploy.trust import Trust

    root = root_of(args.root) if args.root else pinned_root(run.home, run.realm)
    return Trust(root, args.snapshot, max_age_s=_named(args).max_age or MAX_AGE_S)
