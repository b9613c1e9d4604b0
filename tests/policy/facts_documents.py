"""Facts documents without end, every one valid and each of its own kind: for tests that compare or replay decisions.

The same seed gives the same documents. About one in eight is fine for most rules; the others are spoiled in one to six
ways that a real log could hold, odd names and large numbers included.
"""

from __future__ import annotations

import copy
import random
from typing import TYPE_CHECKING

from lockflight.core.findings import Severity
from lockflight.core.gate.factshape import WAIVER_KINDS, WAIVER_SCOPES
from lockflight.core.state.waivers import STANDINGS
from lockflight.core.words import ENVIRONMENTS, Kind, Role, Tier
from tests.policy import factories as f

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 2**53 - 1

#: Names that engines, formats and people read differently; all may be names of assets or checks' words.
ODD_NAMES = (
    "gewicht-ß.safetensors",
    "MODEL.SAFETENSORS",
    "100%-d-%s-%v.bin",
    'quoted "name".txt',
    "back\\slash.txt",
    "emoji-🚢.md",
    "e\u0301-combining.csv",
    "İstanbul.csv",
    "tab\there.txt",
    "a" * 200,
    "line\u2028break.md",
    "<b>&amp;.html",
    "null",
    "true",
    "1.0",
)
RULES = tuple(f"LF41{number:02d}" for number in range(25))
VERSIONS = (
    "latest",
    "LATEST",
    "main",
    "2026-10-01",
    "v1.2.3",
    "",
    "Straße",
    "HEAD",
    "\u017ftable",
    "release-2026",
)
EXPIRIES = ("2026-12-01T00:00:00Z", "2026-10-31T13:00:00Z", "2026-10-31T12:59:59Z", "2030-01-01T00:00:00Z")
NUMBERS = (0, 1, 2, 3599, 604_800, 604_801, 2_592_000, 7_776_001, 10**12, MOST - 1, MOST)


def documents(count: int, seed: int = 0, codes: tuple[str, ...] = RULES) -> Iterator[dict]:
    """Valid facts v1 documents.

    Args:
        count: how many.
        seed: of the sequence; document `i` of a seed is always the same.
        codes: rules that waivers may name.
    """
    for number in range(count):
        yield document(random.Random(f"{seed}/{number}"), codes)


def document(rng: random.Random, codes: tuple[str, ...] = RULES) -> dict:
    """One valid facts v1 document."""
    facts = f.facts(
        rng.choice((*ENVIRONMENTS, "intake", "eu-production")),
        realm=rng.choice(("team", "team", "personal")),
        kind=rng.choice(list(Kind)).value,
        tier=rng.choice(list(Tier)).value,
        models=rng.choice((0, 1, 1, 2, 5)),
    )
    if rng.random() < 0.3:
        _more_assets(rng, facts)
    if rng.random() < 0.125:
        return facts
    for spoil in rng.sample(SPOILERS, rng.choice((1, 1, 2, 3, 4, 6))):
        spoil(rng, facts)
    if rng.random() < 0.4:
        facts["waivers"] += [_waiver(rng, facts, codes) for _ in range(rng.choice((1, 2, 4, 30)))]
    return facts


def _more_assets(rng: random.Random, facts: dict) -> None:
    release = facts["release"]
    for name in rng.sample(ODD_NAMES, rng.randint(1, 5)):
        release["assets"].append(
            {
                "name": name,
                "role": rng.choice(list(Role)).value,
                "digest": f.digest("asset", name),
                "size": rng.choice(NUMBERS),
                "provenance": rng.choice(("recorded", "intake", "unknown")),
            }
        )
    for check in f.CHECKS:
        subjects = f.subjects_of(check, release)
        facts["expected"][f"scan/{check}"] = subjects
        facts["evidence"][f"scan/{check}"] = [f.row(check, subject) for subject in subjects]


def _rows(rng: random.Random, facts: dict) -> list:
    return facts["evidence"][rng.choice(sorted(facts["evidence"]))]


def _row(rng: random.Random, facts: dict) -> dict:
    """A row to change; one that nothing reads where there is none."""
    rows = _rows(rng, facts)
    return (
        rng.choice(rows) if rows else f.row("code", {"grain": "asset", "name": "x", "subject": f.digest("x")})
    )


def _no_check(rng: random.Random, facts: dict) -> None:
    facts["evidence"].pop(rng.choice(sorted(facts["evidence"])))
    facts["evidence"].setdefault("scan/other", [])


def _no_rows(rng: random.Random, facts: dict) -> None:
    _rows(rng, facts).clear()


def _row_missing(rng: random.Random, facts: dict) -> None:
    rows = _rows(rng, facts)
    if rows:
        rows.pop(rng.randrange(len(rows)))


def _not_expected(rng: random.Random, facts: dict) -> None:
    facts["expected"].pop(rng.choice(sorted(facts["expected"])))


def _expected_more(rng: random.Random, facts: dict) -> None:
    name = rng.choice(ODD_NAMES)
    subject = {
        "grain": rng.choice(("asset", "view", "release")),
        "name": name,
        "subject": f.digest("more", name),
    }
    facts["expected"].setdefault(f"scan/{rng.choice(f.CHECKS)}", []).append(subject)


def _stale(rng: random.Random, facts: dict) -> None:
    age = rng.choice(NUMBERS)
    for row in _rows(rng, facts):
        row["age_s"] = age


def _incomplete(rng: random.Random, facts: dict) -> None:
    row = _row(rng, facts)
    row["status"] = "incomplete"
    row["reason"] = rng.choice(("killed", "over its time budget of 60 s", "", *ODD_NAMES))
    row["coverage_ppm"] = rng.choice((0, 1, 500_000, 999_999, 1_000_000))


def _covered_in_part(rng: random.Random, facts: dict) -> None:
    _row(rng, facts)["coverage_ppm"] = rng.choice(NUMBERS)


def _twice(rng: random.Random, facts: dict) -> None:
    rows = _rows(rng, facts)
    if rows:
        other = copy.deepcopy(rng.choice(rows))
        other["digest"] = f.digest("twice", other["digest"])
        other["signer"] = {"issuer": "realm", "subject": "ci", "roles": ["producer"]}
        rows.insert(rng.randrange(len(rows) + 1), other)


def _findings(rng: random.Random, facts: dict) -> None:
    row = _row(rng, facts)
    for _ in range(rng.choice((1, 1, 2, 7, 40))):
        severity = rng.choice(list(Severity)).value
        asset = rng.choice([a["name"] for a in facts["release"]["assets"]] + [""])
        code = f"LF2{rng.randint(0, 999):03d}"
        row["findings"].append(f.finding(severity, asset=asset, code=code))
        row["summary"][severity] = row["summary"].get(severity, 0) + 1


def _summary(rng: random.Random, facts: dict) -> None:
    row = _row(rng, facts)
    keys = ["safe", "review", "unknown", "malicious", "missing", "unpinned", "critical", "gaps", "demanded"]
    for key in rng.sample(keys, rng.randint(1, 4)):
        if rng.random() < 0.2:
            row["summary"].pop(key, None)
        else:
            row["summary"][key] = rng.choice((-1, *NUMBERS))


def _rejected(rng: random.Random, facts: dict) -> None:
    facts["rejected"] += [
        {
            "digest": f.digest("rejected", str(i)),
            "type": rng.choice(
                ("scan/v1", "https://lockflight.dev/attestation/scan/v1", "scan/models", *ODD_NAMES)
            ),
            "code": rng.choice(("LF7123", "LF7204", "LF4500")),
        }
        for i in range(rng.randint(1, 3))
    ]


def _references(rng: random.Random, facts: dict) -> None:
    for _ in range(rng.randint(1, 3)):
        reference = {
            "name": rng.choice(("scans", "model", *ODD_NAMES)),
            "role": rng.choice([r.value for r in Role]),
            "uri": rng.choice(("https://data.example/x", "hf:org/model", "s3://b/ü", "")),
            "pinned": rng.random() < 0.5,
        }
        if rng.random() < 0.8:
            reference["version"] = rng.choice(VERSIONS)
        if rng.random() < 0.3:
            reference["digest"] = f.digest(reference["uri"])
        facts["release"]["references"].append(reference)


def _depends(rng: random.Random, facts: dict) -> None:
    for i in range(rng.randint(1, 3)):
        digest = f.digest("dependency", str(i))
        facts["release"]["depends"].append(
            {"name": rng.choice(("guard", "encoder", *ODD_NAMES))}
            | rng.choice(({"digest": digest}, {"digest": ""}, {"environment": "production"}, {}))
        )
        if rng.random() < 0.5:
            facts["dependencies"].append(
                {"asset": "", "release": digest, "decision": rng.choice(("PASSED", "FAILED", "", "passed"))}
            )


def _revoked(rng: random.Random, facts: dict) -> None:
    release = facts["release"]
    digest = rng.choice([release["digest"], f.digest("somebody"), *(a["digest"] for a in release["assets"])])
    facts["state"]["revoked"].append(
        {"digest": digest, "scope": rng.choice(("release", "asset")), "reason": rng.choice(ODD_NAMES)}
    )


def _frozen(rng: random.Random, facts: dict) -> None:
    facts["state"]["frozen"] = True


def _version_taken(rng: random.Random, facts: dict) -> None:
    facts["state"]["version_owner"] = rng.choice((facts["release"]["digest"], f.digest("other"), ""))
    facts["release"]["version"] = rng.choice(("dev", "1.2.0", "1.2.0-ß", "0"))


def _development(rng: random.Random, facts: dict) -> None:
    facts["release"]["version"] = "dev"
    facts["environment"] = rng.choice(ENVIRONMENTS)


def _slots(rng: random.Random, facts: dict) -> None:
    facts["state"]["slots"] += [
        {
            "environment": environment,
            "slot": "main",
            "release": f.digest(environment),
            "exposure": rng.randint(0, 10_000),
        }
        for environment in rng.sample(ENVIRONMENTS, rng.randint(1, len(ENVIRONMENTS)))
    ]


def _unknown_provenance(rng: random.Random, facts: dict) -> None:
    for asset in facts["release"]["assets"]:
        if rng.random() < 0.6:
            asset["provenance"] = rng.choice(("recorded", "intake", "unknown"))


def _provenance(rng: random.Random, facts: dict) -> None:
    rows = facts["provenance"]
    if rng.random() < 0.2:
        rows.clear()
    for row in rows:
        row["origin"] = rng.choice(("record", "intake", "foreign"))
        row["builder_kind"] = rng.choice(("realm", "foreign"))
        row["complete"] = rng.random() < 0.7
        row["let_in"] = rng.random() < 0.5
        row["licence"] = rng.choice(("", "Apache-2.0", "unbekannt-ß"))
        row["authors"] = {
            "known": rng.choice(NUMBERS),
            "unknown": rng.choice(NUMBERS),
            "complete": rng.random() < 0.7,
        }
        row["materials"] += [
            {
                "uri": rng.choice(ODD_NAMES),
                "sha256": rng.choice(("", f.digest("m"))),
                "pinned": rng.random() < 0.6,
            }
            for _ in range(rng.randint(0, 3))
        ]
        if rng.random() < 0.4:
            row["products"] = row["products"][:1]


def _separation(rng: random.Random, facts: dict) -> None:
    facts["realm"]["separation"] = rng.choice(("none", "people", "degraded", "small-team", ""))
    facts["realm"]["kind"] = rng.choice(("team", "personal", "simulator", ""))


def _roles(rng: random.Random, facts: dict) -> None:
    for asset in facts["release"]["assets"]:
        if rng.random() < 0.5:
            asset["role"] = rng.choice(list(Role)).value


def _no_assets(rng: random.Random, facts: dict) -> None:
    facts["release"]["assets"].clear()


def _views(rng: random.Random, facts: dict) -> None:
    facts["release"]["views"] = {} if rng.random() < 0.5 else {"behaviour": "", "other": f.digest("v")}


def _more_keys(rng: random.Random, facts: dict) -> None:
    facts["later"] = {"nested": [1, None, {"a": [True]}]}
    _row(rng, facts)["later"] = "x"


SPOILERS = (
    _no_check,
    _no_rows,
    _row_missing,
    _not_expected,
    _expected_more,
    _stale,
    _incomplete,
    _covered_in_part,
    _twice,
    _findings,
    _summary,
    _rejected,
    _references,
    _depends,
    _revoked,
    _frozen,
    _version_taken,
    _development,
    _slots,
    _unknown_provenance,
    _provenance,
    _separation,
    _roles,
    _no_assets,
    _views,
    _more_keys,
)


def _waiver(rng: random.Random, facts: dict, codes: tuple[str, ...]) -> dict:
    """A waiver: two in three are in force for this release, the others are wrong in one or more ways."""
    release = facts["release"]
    checks = [name.removeprefix("scan/") for name in facts["expected"]]
    rule, term = rng.choice(codes), rng.choice(("", "", *checks, *(a["name"] for a in release["assets"])))
    digest = f.digest("waiver", rule, term, str(rng.random()))
    if rng.random() < 0.66:
        kind = rng.choice(WAIVER_KINDS)
        return f.waiver(rule if kind == "waiver" else rng.choice((rule, "*")), term, kind=kind, digest=digest)
    scope = rng.choice(WAIVER_SCOPES)
    digests = [release["digest"], f.digest("other"), *(a["digest"] for a in release["assets"])]
    return f.waiver(
        rng.choice((rule, rule, "*")),
        rng.choice((term, "*")),
        digest=digest,
        scope={
            "kind": scope,
            "digest": "" if scope == "project" else rng.choice(digests),
            "project": rng.choice((facts["project"], "other", "")),
            "environment": rng.choice((facts["environment"], "production", "")),
        },
        kind=rng.choice(WAIVER_KINDS),
        status=rng.choice(("active", "active", *STANDINGS)),
        expires=rng.choice(EXPIRIES),
        requester=rng.choice(("anna", "")),
        approver=rng.choice(("ben", "anna", "")),
        renewals=rng.choice(NUMBERS),
    )
