"""Facts as the gate reads them: a release that is fine, and ways to spoil it. For every test that needs facts."""

from __future__ import annotations

import copy
import hashlib

SCHEMA = "https://lockflight.dev/schema/facts/v1"
CHECKS = ("models", "secrets", "completeness", "code", "documents", "text-integrity", "bandit")


def digest(*names):
    """A digest that is made up, but always the same for the same names."""
    return hashlib.sha256("\0".join(names).encode()).hexdigest()


def finding(severity="high", *, asset="app.py", code="LF2301"):
    return {
        "code": code,
        "rule": "code:made-up",
        "severity": severity,
        "confidence": "high",
        "asset": asset,
        "location": {"line": 3},
        "message": "Made up.",
        "fix": "",
        "ids": [],
        "fingerprint": digest(severity, asset)[:32],
    }


def row(check, subject, **changes):
    """Complete, fresh and clean evidence of a check about one expected subject."""
    summary = {"critical": 0, "high": 0, "medium": 0, "low": 0, "info": 0}
    if check == "models":
        summary |= {"safe": 1, "review": 0, "unknown": 0, "malicious": 0}
    if check == "completeness":
        summary |= {"demanded": 3, "missing": 0, "unpinned": 0, "references": 1, "dependencies": 0}
    return {
        "digest": digest("evidence", check, subject["subject"]),
        "grain": subject["grain"],
        "subject": subject["subject"],
        "name": subject["name"],
        "signer": {"issuer": "realm", "subject": "realm", "roles": ["producer"]},
        "logged_at": "2026-10-31T12:00:00Z",
        "age_s": 3600,
        "status": "complete",
        "reason": "",
        "tool": {"name": f"lockflight-{check}", "version": "1", "digest": ""},
        "databases": [],
        "coverage_ppm": 1_000_000,
        "summary": summary,
        "findings": [],
        **changes,
    }


def provenance(assets):
    """A recorded step that made all of these assets, with every input pinned."""
    return {
        "digest": digest("provenance"),
        "origin": "record",
        "step": "train",
        "builder": "https://lockflight.dev/builder/realm",
        "builder_kind": "realm",
        "ci_claimed": {},
        "signer": "realm",
        "products": sorted(a["digest"] for a in assets),
        "materials": [{"uri": "data.csv", "sha256": digest("data"), "pinned": True}],
        "complete": True,
        "authors": {"known": 1, "unknown": 0, "complete": True},
        "licence": "",
        "let_in": False,
    }


def facts(environment="staging", *, realm="team", kind="classifier", tier="limited", models=1):
    """Facts of a release that every rule of the baseline lets pass."""
    assets = [
        {"name": "lockflight.toml", "role": "release-manifest", "digest": digest("toml"), "size": 300},
        *(
            {
                "name": f"model-{i}.safetensors",
                "role": "model-weights",
                "digest": digest("model", str(i)),
                "size": 9000,
            }
            for i in range(models)
        ),
        {"name": "app.py", "role": "code", "digest": digest("app"), "size": 1200},
    ]
    for asset in assets:
        asset["provenance"] = "recorded"
    release = {
        "digest": digest("release"),
        "name": "tumour-classifier",
        "version": "1.2.0",
        "kind": kind,
        "tier": tier,
        "assets": assets,
        "references": [
            {
                "name": "scans",
                "role": "dataset-reference",
                "uri": "https://data.example/scans",
                "version": "2026-10-01",
                "pinned": True,
            }
        ],
        "depends": [],
        "views": {"behaviour": digest("behaviour"), "software": digest("software"), "data": digest("data")},
    }
    expected = {f"scan/{check}": subjects_of(check, release) for check in CHECKS}
    return {
        "schema": SCHEMA,
        "now": "2026-10-31T13:00:00Z",
        "realm": {
            "root": digest("realm"),
            "checkpoint": f"42:{digest('checkpoint')}",
            "kind": realm,
            "name": "clinic",
            "separation": "none" if realm == "personal" else "people",
        },
        "project": release["name"],
        "environment": environment,
        "release": release,
        "expected": expected,
        "evidence": {f"scan/{c}": [row(c, s) for s in expected[f"scan/{c}"]] for c in CHECKS},
        "rejected": [],
        "provenance": [provenance(assets)],
        "dependencies": [],
        "waivers": [],
        "state": {"slots": [], "revoked": [], "frozen": False, "version_owner": ""},
    }


def waiver(rule, term, *, scope=None, **changes):
    """A waiver in force; `scope` changes a scope that is this release alone."""
    return {
        "digest": digest("waiver", rule, term),
        "rule": rule,
        "term": term,
        "scope": {
            "kind": "release",
            "digest": digest("release"),
            "project": "",
            "environment": "",
            **(scope or {}),
        },
        "kind": "waiver",
        "status": "active",
        "expires": "2026-12-01T00:00:00Z",
        "requester": "anna",
        "approver": "ben",
        "renewals": 0,
        **changes,
    }


def subjects_of(check, release):
    """What a check must judge: assets for most, the whole release for completeness."""
    if check == "completeness":
        return [{"grain": "release", "name": release["name"], "subject": release["digest"]}]
    roles = {"models": {"model-weights"}, "code": {"code"}, "bandit": {"code"}, "documents": set()}
    wanted = roles.get(check, {"code", "release-manifest"})
    return [
        {"grain": "asset", "name": a["name"], "subject": a["digest"]}
        for a in release["assets"]
        if a["role"] in wanted
    ]


def spoiled(document, *path, value):
    """A copy with one value replaced."""
    result = copy.deepcopy(document)
    place = result
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return result
