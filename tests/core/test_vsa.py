"""Our decisions against the text of SLSA's Verification Summary Attestation v1.1: one test for each demand in it.

The demands are those of https://slsa.dev/spec/v1.1/verification_summary, in our own words.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from lockflight.core.attest import statement as st
from lockflight.core.gate.vsa import EXTENSION, StoredDecision, parse_vsa
from lockflight.core.times import unix
from tests.factories import VIOLATION, Ledger, release

URI = re.compile(r"[a-z][a-z0-9+.-]*:\S+")
RELEASE = release()


@pytest.fixture(params=[True, False], ids=["passed", "failed"])
def vsa(request: pytest.FixtureRequest) -> Any:
    ledger = Ledger()
    ledger.person("alice", "author")
    digest = ledger.decide(RELEASE, "staging", allow=request.param)
    record = ledger.state().by_digest[digest]
    stored = record.fact
    assert isinstance(stored, StoredDecision)
    named = replace(
        stored,
        attestations=("ab" * 32, "cd" * 32),
        assets=tuple((a.name, a.sha256) for a in RELEASE.assets),
    )
    return json.loads(named.statement().payload())


def test_it_is_an_in_toto_statement_of_the_right_type(vsa: Any) -> None:
    assert vsa["_type"] == "https://in-toto.io/Statement/v1"
    assert vsa["predicateType"] == "https://slsa.dev/verification_summary/v1"


def test_the_subject_is_what_was_verified(vsa: Any) -> None:
    assert vsa["subject"][0]["digest"]["sha256"] == RELEASE.digest
    assert {s["digest"]["sha256"] for s in vsa["subject"][1:]} == {a.sha256 for a in RELEASE.assets}


def test_the_verifier_has_an_id_that_is_a_uri(vsa: Any) -> None:
    assert URI.fullmatch(vsa["predicate"]["verifier"]["id"])


def test_versions_of_the_verifier_are_texts_by_name(vsa: Any) -> None:
    versions = vsa["predicate"]["verifier"]["version"]
    assert versions
    assert all(isinstance(k, str) and isinstance(v, str) for k, v in versions.items())


def test_the_time_is_rfc_3339_with_z(vsa: Any) -> None:
    assert unix(vsa["predicate"]["timeVerified"]) > 0


def test_the_resource_is_a_uri(vsa: Any) -> None:
    assert URI.fullmatch(vsa["predicate"]["resourceUri"])


def test_the_policy_is_named_by_uri_and_digest(vsa: Any) -> None:
    policy = vsa["predicate"]["policy"]
    assert URI.fullmatch(policy["uri"])
    assert re.fullmatch(r"[0-9a-f]{64}", policy["digest"]["sha256"])


def test_every_attestation_that_was_used_is_listed_with_its_digest(vsa: Any) -> None:
    inputs = vsa["predicate"]["inputAttestations"]
    assert {item["digest"]["sha256"] for item in inputs} == {"ab" * 32, "cd" * 32}
    assert all(URI.fullmatch(item["uri"]) for item in inputs)


def test_the_result_is_passed_or_failed(vsa: Any) -> None:
    assert vsa["predicate"]["verificationResult"] in {"PASSED", "FAILED"}


def test_levels_fit_the_result(vsa: Any) -> None:
    predicate = vsa["predicate"]
    failed = predicate["verificationResult"] == "FAILED"
    assert (predicate["verifiedLevels"] == ["FAILED"]) == failed
    assert predicate["verifiedLevels"]


def test_one_level_for_each_track_and_no_own_level_that_looks_like_slsas(vsa: Any) -> None:
    known = re.compile(r"SLSA_[A-Z]+_LEVEL_(UNEVALUATED|[0-9])")
    slsa = [level for level in vsa["predicate"]["verifiedLevels"] if level.startswith("SLSA_")]
    assert all(known.fullmatch(level) for level in slsa)
    tracks = [level.rsplit("_LEVEL_", 1)[0] for level in slsa]
    assert len(tracks) == len(set(tracks))


def test_the_slsa_version_is_one_of_the_specification(vsa: Any) -> None:
    assert vsa["predicate"]["slsaVersion"] in {"1.0", "1.1", "1.2"}


def test_extensions_have_names_that_are_uris(vsa: Any) -> None:
    standard = {
        "verifier",
        "timeVerified",
        "resourceUri",
        "policy",
        "inputAttestations",
        "verificationResult",
        "verifiedLevels",
        "dependencyLevels",
        "slsaVersion",
    }
    assert set(vsa["predicate"]) - standard == {EXTENSION}
    assert URI.fullmatch(EXTENSION)


def test_a_failed_decision_is_recorded_and_read_back() -> None:
    ledger = Ledger()
    ledger.person("alice", "author")
    digest = ledger.decide(RELEASE, "staging", allow=False)
    stored = ledger.state().by_digest[digest].fact
    assert isinstance(stored, StoredDecision)
    assert stored.violations == (VIOLATION,)
    assert parse_vsa(stored.statement()) == stored


#: Statements of others: other verifiers' summaries, and predicates of the in-toto attestation framework.
FOREIGN = {
    "a summary of another verifier": (
        "https://slsa.dev/verification_summary/v1",
        {
            "verifier": {"id": "https://example.com/publication_verifier"},
            "timeVerified": "1985-04-12T23:20:50.52Z",
            "resourceUri": "https://example.com/example-1.2.3.tar.gz",
            "policy": {"digest": {"sha256": "12" * 32}, "uri": "https://example.com/example_tarball.policy"},
            "inputAttestations": [
                {
                    "digest": {"sha256": "ab" * 32},
                    "uri": "https://example.com/provenances/example.intoto.jsonl",
                }
            ],
            "verificationResult": "PASSED",
            "verifiedLevels": ["SLSA_BUILD_LEVEL_3"],
            "dependencyLevels": {"SLSA_BUILD_LEVEL_3": 5, "SLSA_BUILD_LEVEL_2": 7, "SLSA_BUILD_LEVEL_1": 1},
            "slsaVersion": "1.0",
        },
    ),
    "a simple verification result": (
        "https://in-toto.io/attestation/svr/v0.2",
        {
            "verifier": {"id": "https://example.com/v"},
            "timeVerified": "2025-01-01T00:00:00Z",
            "properties": ["A"],
        },
    ),
    "a test result": (
        "https://in-toto.io/attestation/test-result/v0.1",
        {"result": "PASSED", "configuration": [{"name": "ci.yml", "digest": {"sha256": "cd" * 32}}]},
    ),
    "a vulnerability scan": (
        "https://in-toto.io/attestation/vulns/v0.2",
        {
            "scanner": {
                "uri": "pkg:github/example/scanner@1",
                "result": [{"id": "CVE-2025-1", "severity": []}],
            },
            "metadata": {"scanStartedOn": "2025-01-01T00:00:00Z", "scanFinishedOn": "2025-01-01T00:10:00Z"},
        },
    ),
}


@pytest.mark.parametrize(("kind", "predicate"), FOREIGN.values(), ids=FOREIGN)
def test_statements_of_others_are_read(kind: str, predicate: dict[str, Any]) -> None:
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "example", "digest": {"sha256": "ef" * 32, "sha512": "aa" * 64}}],
        "predicateType": kind,
        "predicate": predicate,
    }
    read = st.parse(json.dumps(statement).encode())
    assert read.predicate_type == kind
    assert read.predicate == predicate


def test_a_summary_of_another_verifier_is_never_taken_for_ours() -> None:
    kind, predicate = FOREIGN["a summary of another verifier"]
    statement = st.Statement(kind, (st.SubjectRef("x", "ab" * 32),), predicate)  # type: ignore[arg-type]
    with pytest.raises(KeyError):
        parse_vsa(statement)
