"""Every command as data: where it lives, what it does, which exit codes it can end with.

Only the invoked command's module is imported. A target `room:verb` names the functions `verb_arguments(parser)` and
`verb(args, run)` in `lockflight.cli.room`; nouns with their verbs are in `nouns`. Exit codes are declared here and each
has a test.
"""

from __future__ import annotations

from lockflight.cli.nouns import NOUNS

TYPE_CHECKING = False  # `typing` costs a fifth of the start
if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockflight.cli.nouns import Command

#: name -> (target, help, exit codes); a nested table for a noun.
COMMANDS: Mapping[str, Command | tuple[str, Mapping[str, Command]]] = {
    "init": ("release.init:init", "propose lockflight.toml for a folder by looking at it", (0, 2, 3, 4)),
    "check": ("gate.check:check", "run what is missing and ask the gate", (0, 2, 3, 4, 10, 11, 12)),
    "scan": ("release.scan:scan", "judge files at once: no manifest, no realm", (0, 2, 3, 4, 10, 11)),
    "convert": (
        "release.convert:convert",
        "write pickled weights as safetensors or skops",
        (0, 2, 3, 4, 10, 11, 12),
    ),
    "intake": (
        "release.intake:intake",
        "let something of others in, through the gate",
        (0, 2, 3, 4, 10, 11, 12),
    ),
    "record": (
        "release.record:record",
        "run a step; sign what it used and what it made",
        (0, 2, 3, 4, 10, 12),
    ),
    "sign": ("release.sign:sign", "pack a workspace and sign the package", (0, 2, 3, 4, 10, 12)),
    "verify": (
        "release.verify:verify",
        "check a package: signature, trust, log, every file",
        (0, 2, 3, 4, 12),
    ),
    "approve": ("gate.people:approve", "say yes to a release for an environment", (0, 2, 3, 4, 10, 12)),
    "deny": ("gate.people:deny", "say no to a release for an environment", (0, 2, 3, 4, 10, 12)),
    "review": ("gate.review:review", "the second person's word on a proposal", (0, 2, 3, 4, 10, 12)),
    "promote": (
        "registry.promote:promote",
        "move a verified package into an environment",
        (0, 2, 3, 4, 10, 11, 12),
    ),
    "status": ("gate.status:status", "what is where, and what waits for whom and why", (0, 2, 3, 4, 10, 12)),
    "rollback": (
        "registry.promote:rollback",
        "put back a release that the slot held before",
        (0, 2, 3, 4, 10, 12),
    ),
    "expose": (
        "registry.exposure:expose",
        "give a candidate more of the traffic, or all",
        (0, 2, 3, 4, 10, 11, 12),
    ),
    "hold": ("registry.exposure:hold", "keep a candidate back, at once", (0, 2, 3, 4, 10, 12)),
    "retire": ("registry.promote:retire", "empty a slot", (0, 2, 3, 4, 10, 12)),
    "break-glass": (
        "gate.breakglass:break_glass",
        "let a release in without approvals, in an emergency",
        (0, 2, 3, 4, 10, 12),
    ),
    "freeze": (
        "registry.freeze:freeze",
        "stop what moves in for a while, or let it go again",
        (0, 2, 3, 4, 10, 12),
    ),
    "revoke": (
        "registry.revoke:revoke",
        "take a release, assets, a key or a person back",
        (0, 2, 3, 4, 10, 12),
    ),
    "find": ("registry.find:find", "which releases contain something, and where these are", (0, 2, 3, 4, 12)),
    "recheck": (
        "registry.recheck:recheck",
        "judge again what is deployed, under today's policy",
        (0, 2, 3, 4, 10, 12),
    ),
    "demo": ("house.demo:demo", "from denial to a verified promotion, in a minute", (0, 2, 4)),
    "doctor": ("house.doctor:doctor", "what works here and how to mend what does not", (0, 2, 4)),
    "explain": ("house.explain:explain", "what a code means and what to do", (0, 2, 3)),
    "schema": ("house.explain:schema", "print a JSON Schema", (0, 2, 3)),
    **NOUNS,
}

#: Reading commands: they can answer as at an earlier time.
AS_OF = frozenset(
    {
        "check",
        "verify",
        "status",
        "review",
        "release show",
        "realm show",
        "realm environments",
        "identity list",
        "evidence list",
        "evidence show",
        "log show",
        "policy explain",
        "policy capsule",
        "policy dry-run",
        "waiver list",
        "find",
    }
)

EXIT_CODES = (
    (0, "ok, allowed"),
    (1, "crash: a bug"),
    (2, "usage"),
    (3, "nothing found"),
    (4, "the verb itself cannot work: home, realm, engine, network, permission"),
    (10, "denied"),
    (11, "evidence missing, stale or incomplete"),
    (12, "verification failed"),
    (130, "interrupted"),
)

EXAMPLES = (
    ("lockflight demo", "see it work, nothing leaves this machine"),
    ("lockflight scan model.pkl", "judge one file"),
    ("lockflight init .", "propose lockflight.toml"),
    ("lockflight check . --env staging", "what is missing, and would the gate allow it"),
    ("lockflight explain LF2101", "what a code means"),
)
