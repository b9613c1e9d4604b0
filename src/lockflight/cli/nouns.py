"""The commands that are a noun and a verb, as data; `table` says how to read them."""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` costs a fifth of the start
if TYPE_CHECKING:
    from collections.abc import Mapping

Command = tuple[str, str, tuple[int, ...]]

#: noun -> (help, verb -> (target, help, exit codes)).
NOUNS: Mapping[str, tuple[str, Mapping[str, Command]]] = {
    "release": (
        "describe a folder as a release",
        {
            "create": ("release.release:create", "describe a folder and print its digest", (0, 2, 3, 4)),
            "show": ("release.release:show", "assets, roles, views of a folder or package", (0, 2, 3, 4, 12)),
            "diff": ("release.releasediff:diff", "what differs between two releases", (0, 2, 3, 4, 12)),
            "prove": (
                "release.assetproof:prove",
                "write the proof that an asset is in a release",
                (0, 2, 3, 4, 12),
            ),
            "proven": ("release.assetproof:proven", "check such a proof, offline", (0, 2, 3, 4, 12)),
            "pack": ("release.release:pack", "write exactly the assets into a new folder", (0, 2, 3, 4)),
        },
    ),
    "dataset": (
        "tables of data: what identifies them, and which records are in them",
        {
            "show": (
                "release.dataset:show",
                "digests of a file, its rows in order, and as a set",
                (0, 2, 3, 4),
            ),
            "prove": (
                "release.dataset:prove",
                "write the proof that a record is in it, or not",
                (0, 2, 3, 4, 12),
            ),
            "proven": ("release.dataset:proven", "check such a proof, offline", (0, 2, 3, 4, 12)),
            "croissant": (
                "release.dataset:croissant",
                "check a Croissant and its files, or write one",
                (0, 2, 3, 4, 12),
            ),
        },
    ),
    "realm": (
        "logs with their roots of trust",
        {
            "init": ("house.realm:init", "make a team realm with local people", (0, 2, 4)),
            "backup": ("log.transfer:backup", "copy a realm, verified", (0, 2, 3, 4, 12)),
            "join": ("log.transfer:join", "take a realm over by its root digest", (0, 2, 3, 4, 12)),
            "snapshot": (
                "log.transfer:snapshot",
                "a realm's log in one file, for hosts that load packages",
                (0, 2, 3, 4, 12),
            ),
            "environments": (
                "registry.environments:environments",
                "the ladder with its quorums, or a proposal to change it",
                (0, 2, 3, 4, 10, 12),
            ),
            "show": ("house.realm:show", "root, keys, people and checkpoint of a realm", (0, 2, 3, 4, 12)),
        },
    ),
    "ca": (
        "the realm's own certificate authority and clock for signatures",
        {
            "init": (
                "identity.ca:init",
                "make the authorities of a realm, with keys of their own",
                (0, 2, 3, 4, 12),
            ),
            "issue": (
                "identity.ca:issue",
                "a key and a certificate for ten minutes, for other tools",
                (0, 2, 3, 4, 10, 12),
            ),
            "renew": (
                "identity.ca:renew",
                "new certificates for the authorities, beside the old",
                (0, 2, 3, 4, 12),
            ),
            "show": (
                "identity.ca:show",
                "the realm's certificates, and which keys are here",
                (0, 2, 3, 4, 12),
            ),
        },
    ),
    "trust": (
        "what verifiers of a realm's packages trust",
        {
            "show": ("house.trust:show", "keys and authorities of a realm or of a file", (0, 2, 3, 4, 12)),
            "export": ("house.trust:export", "write it for stock sigstore tools", (0, 2, 3, 4, 12)),
            "renew": ("house.trust:renew", "until when the realm's trust holds", (0, 2, 3, 4, 12)),
        },
    ),
    "key": (
        "keys of people and of the realm",
        {
            "new": ("identity.key:new", "make a key file and its public key", (0, 2, 4)),
            "show": ("identity.key:show", "keys with duty, holder and where they stand", (0, 2, 3, 4, 12)),
            "rotate": (
                "identity.key:rotate",
                "replace a person's key, or one of the realm's",
                (0, 2, 3, 4, 10, 12),
            ),
        },
    ),
    "identity": (
        "people and machines of a realm",
        {
            "add": (
                "identity.identity:add",
                "propose a new person or machine with a key",
                (0, 2, 3, 4, 10, 12),
            ),
            "grant": ("identity.identity:grant", "propose other roles for somebody", (0, 2, 3, 4, 10, 12)),
            "renew": (
                "identity.identity:renew",
                "propose a new key for a machine or person",
                (0, 2, 3, 4, 10, 12),
            ),
            "withdraw": ("identity.identity:withdraw", "propose that somebody leaves", (0, 2, 3, 4, 10, 12)),
            "revoke": (
                "registry.revoke:person",
                "take a person or machine back at once, with all their keys",
                (0, 2, 3, 4, 10, 12),
            ),
            "issuer": ("identity.issuer:issuer", "whose tokens speak for machines", (0, 2, 3, 4, 10, 12)),
            "totp": ("identity.totp:totp", "one-time codes as a second factor", (0, 2, 3, 4, 10, 12)),
            "list": (
                "identity.identitylist:list",
                "who there is, with roles, owners and expiry",
                (0, 2, 3, 4, 12),
            ),
        },
    ),
    "evidence": (
        "what is known, as signed statements",
        {
            "add": (
                "log.evidence:add",
                "record statements of other tools, signed by this home",
                (0, 2, 3, 4, 12),
            ),
            "list": ("log.evidence:list", "evidence in the log, ineffective entries too", (0, 2, 3, 4, 12)),
            "show": (
                "log.evidence:show",
                "one statement, with signer and place in the log",
                (0, 2, 3, 4, 12),
            ),
            "export": ("log.evidence:export", "write evidence to a file for another home", (0, 2, 3, 4, 12)),
            "import": (
                "log.evidence:import",
                "record evidence that another home exported",
                (0, 2, 3, 4, 10, 12),
            ),
        },
    ),
    "log": (
        "the append-only log",
        {
            "show": ("log.logs:show", "entries and the newest checkpoint", (0, 2, 3, 4, 12)),
            "verify": ("log.logverify:verify", "recompute everything and compare", (0, 2, 3, 4, 12)),
            "export": ("log.logexport:export", "write the log as files for any web server", (0, 2, 3, 4, 12)),
            "proof": ("log.logexport:proof", "write one entry with its proof to a file", (0, 2, 3, 4, 12)),
            "cosign": (
                "log.cosign:cosign",
                "ask witnesses to cosign the newest checkpoint",
                (0, 2, 3, 4, 12),
            ),
            "stamp": ("log.cosign:stamp", "sign a fresh checkpoint for a quiet log", (0, 2, 3, 4, 12)),
            "witness": ("log.witness:witness", "be a witness of the logs of others", (0, 2, 3, 4, 12)),
            "rebuild": ("log.logs:rebuild", "derive the indexes again and compare", (0, 2, 3, 4, 12)),
        },
    ),
    "policy": (
        "what the gate demands",
        {
            "adopt": (
                "policy.adopt:adopt",
                "propose that a policy judges from now on",
                (0, 2, 3, 4, 10, 12),
            ),
            "dry-run": ("policy.adopt:dry_run", "what a policy would have said so far", (0, 2, 3, 4, 12)),
            "replay": ("gate.replay:replay", "check a recorded decision and decide again", (0, 2, 3, 4, 12)),
            "capsule": (
                "gate.replay:capsule",
                "all that a decision was made from, in a file",
                (0, 2, 3, 4, 12),
            ),
            "show": ("policy.policy:show", "rules and required evidence of a policy", (0, 2, 3, 4, 12)),
            "test": ("policy.policy:test", "run the tests of a policy bundle", (0, 2, 3, 4, 10, 12)),
            "new": ("policy.policytools:new", "start a policy of your own", (0, 2, 4)),
            "lint": ("policy.policytools:lint", "why a policy may not judge, line by line", (0, 2, 3, 4, 10)),
            "mutate": ("policy.policytools:mutate", "which small wrongs its tests notice", (0, 2, 3, 4, 10)),
            "bundle": ("policy.policytools:pack", "write a policy as one file", (0, 2, 3, 4, 10, 12)),
            "diff": (
                "policy.policytools:diff",
                "what one policy demands and another does not",
                (0, 2, 3, 4, 12),
            ),
            "explain": ("gate.decision:explain", "why a recorded decision is what it is", (0, 2, 3, 4, 12)),
        },
    ),
    "waiver": (
        "failures that people put up with for a while",
        {
            "request": ("gate.waiver:request", "ask for one; a risk owner consents", (0, 2, 3, 4, 10, 12)),
            "list": ("gate.waiver:list", "every waiver with where it stands", (0, 2, 3, 4, 12)),
        },
    ),
    "allowlist": (
        "what pickles may use",
        {"show": ("policy.allowlist:show", "libraries, names and uses, with the digest", (0, 2, 3, 4))},
    ),
    "tools": (
        "foreign tools in pinned environments",
        {
            "list": ("house.tools:list", "tools, versions and whether they are installed", (0, 2, 4)),
            "install": ("house.tools:install", "install a tool from its hashed lock", (0, 2, 3, 4)),
        },
    ),
    "config": (
        "settings",
        {"show": ("house.config:show", "every setting, with --origin where it came from", (0, 2, 4))},
    ),
}
