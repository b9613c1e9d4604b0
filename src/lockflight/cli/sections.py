"""Commands in the groups in which `--help` shows them."""

from __future__ import annotations

#: Group of the everyday verbs and of the nouns, as `--help` shows them: title, names.
SECTIONS = (
    (
        "Everyday",
        (
            "init",
            "check",
            "scan",
            "convert",
            "intake",
            "record",
            "sign",
            "verify",
            "approve",
            "promote",
            "status",
            "find",
        ),
    ),
    (
        "People and incidents",
        (
            "deny",
            "review",
            "expose",
            "hold",
            "rollback",
            "retire",
            "recheck",
            "freeze",
            "revoke",
            "break-glass",
        ),
    ),
    (
        "Things",
        (
            "release",
            "dataset",
            "realm",
            "identity",
            "key",
            "ca",
            "trust",
            "evidence",
            "log",
            "policy",
            "waiver",
            "allowlist",
            "tools",
        ),
    ),
    ("Help", ("demo", "doctor", "explain", "schema", "config")),
)
