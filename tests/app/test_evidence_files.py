"""Evidence that another home exported: believed only as far as its keys are."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace

import pytest

from lockflight.app.realm.realm import Member, create_realm
from lockflight.app.registry.evidence import add, export, exportable, import_
from lockflight.core.attest.acts import Revocation, Scope
from lockflight.core.attest.check import CheckInfo, CheckResult, Grain, Status, Subject, Tool
from lockflight.core.attest.scanfact import scan_fact
from lockflight.core.attest.trust import Duty, RealmKind
from lockflight.errors import InvalidInput, LockflightError, UsageError, VerificationFailed
from lockflight.signing.keys import P256, generate
from lockflight.signing.oms import sign_statement

INFO = CheckInfo("models", "1", "models", Grain.ASSET)


def fact(digit="a"):
    subject = Subject(Grain.ASSET, "m.bin", digit * 64, ())
    result = CheckResult(Status.COMPLETE, Tool("t", "1"), summary={"safe": 1})
    return scan_fact(INFO, subject, result, "2026-01-31T12:00:00Z").statement()


@pytest.fixture
def source(tmp_path):
    """Another home with two results of checks."""
    realm = create_realm(tmp_path / "other", "source", RealmKind.PERSONAL, [Member("dora", ("author",))])
    producer = realm.signer(Duty.PRODUCER)
    realm.append([(fact("a"), producer), (fact("b"), producer)])
    return realm


@pytest.fixture
def exported(source):
    return b"".join(export(source.view, exportable(source.view)))


def line(statement, signer, key=None):
    envelope = sign_statement(statement, signer)
    body = {
        "schema": "https://lockflight.dev/schema/evidence-export/v1",
        "key": base64.b64encode((key or signer).public_der).decode(),
        "envelope": json.loads(envelope.encode()),
    }
    return json.dumps(body).encode() + b"\n"


def take(realm, data, **options):
    return import_(realm.home, realm.name, io.BytesIO(data), **options)


def refused(realm, data, **options):
    size = len(realm.state.records)
    with pytest.raises(LockflightError) as caught:
        take(realm, data, **options)
    realm._view = None
    assert len(realm.state.records) == size, "nothing may be taken"
    return caught.value.code


def test_a_stranger_is_refused_until_somebody_says_otherwise(realm, source, exported):
    keyid = source.signer(Duty.PRODUCER).keyid
    assert refused(realm, exported) == "LF4565"
    done = take(realm, exported, trust=[keyid[:16]])
    assert (len(done.recorded), done.known, done.trusted) == (2, 0, (keyid,))
    realm._view = None
    assert [r.effective for r in realm.state.records] == [True] * 6
    assert set(realm.state.scans) == {"a" * 64, "b" * 64}
    again = take(realm, exported)
    assert (again.recorded, again.known, again.trusted) == ((), 2, ())


def test_one_line_twice_is_recorded_once(realm, source, exported):
    first = exported.splitlines(keepends=True)[0]
    done = take(realm, first * 3, trust=[source.signer(Duty.PRODUCER).keyid])
    assert (len(done.recorded), done.known) == (1, 2)


@pytest.mark.parametrize("word", ["", "abcd", "f" * 64, "z" * 20])
def test_a_key_must_be_named_well_enough(realm, exported, word):
    with pytest.raises(UsageError) as caught:
        take(realm, exported, trust=[word])
    assert caught.value.code == "LF0119"


def test_a_key_of_another_duty_does_not_become_a_producer(realm):
    bob = next(a for a in realm.actors() if a.name == "bob")
    assert refused(realm, line(fact(), bob.signer), trust=[bob.signer.keyid]) == "LF4565"
    assert refused(realm, line(fact(), realm.signer(Duty.GATE))) == "LF4565"


def test_a_revoked_key_stays_out(realm, source, exported):
    keyid = source.signer(Duty.PRODUCER).keyid
    take(realm, exported.splitlines(keepends=True)[0], trust=[keyid])
    bob = next(a for a in realm.actors() if a.name == "bob")
    realm._view = None
    realm.append(
        [(Revocation(Scope.KEY, keyid, "it", "compromised", realm=realm.state.root).statement(), bob.signer)]
    )
    assert refused(realm, exported, trust=[keyid]) == "LF4565"


def test_only_evidence_is_taken(realm, source):
    producer = source.signer(Duty.PRODUCER)
    revocation = Revocation(Scope.RELEASE, "c" * 64, "it", "other").statement()
    assert refused(realm, line(revocation, producer), trust=[producer.keyid]) == "LF4564"


def test_a_signature_of_another_key_is_refused(realm, source):
    producer, other = source.signer(Duty.PRODUCER), generate(P256)
    assert refused(realm, line(fact(), other, key=producer), trust=[producer.keyid]) == "LF4563"


def test_a_result_that_does_not_read_is_refused(realm, source):
    producer = source.signer(Duty.PRODUCER)
    statement = fact()
    statement.predicate["more"] = 1
    assert refused(realm, line(statement, producer), trust=[producer.keyid]) == "LF4563"


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.pop("key"),
        lambda body: body.update(key="AAAA"),
        lambda body: body.update(schema="other"),
        lambda body: body.update(more=1),
        lambda body: body["envelope"].update(payload="!"),
        lambda body: body["envelope"].update(signatures=[]),
    ],
    ids=["no-key", "bad-key", "schema", "unknown-field", "payload", "unsigned"],
)
def test_a_line_of_another_form_is_refused(realm, exported, change):
    body = json.loads(exported.splitlines()[0])
    change(body)
    assert refused(realm, json.dumps(body).encode()) == "LF4562"


@pytest.mark.parametrize("data", [b"{\n", b"[]\n", b"\xff\n", b'{"a":1,"a":1}\n'])
def test_what_is_no_export_is_refused(realm, data):
    assert refused(realm, data) == "LF4562"


def test_a_good_line_before_a_bad_one_is_not_taken(realm, source, exported):
    keyid = source.signer(Duty.PRODUCER).keyid
    assert refused(realm, exported + b"{}\n", trust=[keyid]) == "LF4562"


@pytest.mark.parametrize("name", ["MAX_LINE_BYTES", "MAX_LINES", "MAX_EXPORT_BYTES"])
def test_an_export_has_a_budget(realm, exported, monkeypatch, name):
    monkeypatch.setattr(f"lockflight.app.registry.evidence.{name}", 1)
    assert refused(realm, exported) == "LF4562"


def test_blank_lines_and_nothing_at_all(realm):
    assert take(realm, b"\n\n").recorded == ()


def test_the_own_export_is_known(realm):
    producer = realm.signer(Duty.PRODUCER)
    realm.append([(fact(), producer)])
    data = b"".join(export(realm.view, exportable(realm.view)))
    assert take(realm, data).known == 1


def test_export_of_some_subjects(source):
    records = exportable(source.view, frozenset({"b" * 64}))
    assert [r.subject for r in records] == ["b" * 64]


def test_an_erased_envelope_is_not_exported_in_silence(source, monkeypatch):
    monkeypatch.setattr(type(source.view.reader), "envelope", lambda reader, digest: None)
    with pytest.raises(VerificationFailed) as caught:
        list(export(source.view, exportable(source.view)))
    assert caught.value.code == "LF7240"


def foreign(predicate_type):
    return json.dumps(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "x", "digest": {"sha256": "d" * 64}}],
            "predicateType": predicate_type,
            "predicate": {},
        }
    ).encode()


def test_add_signs_what_other_tools_say(realm):
    ((statement, receipt),) = add(
        realm.home, realm.name, [("s.json", foreign("https://example.com/report/v1"))]
    )
    realm._view = None
    record = realm.state.by_digest[receipt.envelope]
    assert (record.effective, record.key.duty, statement.subjects[0].name) == (True, Duty.PRODUCER, "x")


@pytest.mark.parametrize(
    "predicate_type",
    [
        "https://lockflight.dev/attestation/scan/v1",
        "https://lockflight.dev/attestation/anything/v9",
        "https://slsa.dev/verification_summary/v1",
        "https://model_signing/signature/v1.0",
    ],
)
def test_add_takes_no_claims_of_our_own(realm, predicate_type):
    with pytest.raises(InvalidInput) as caught:
        add(realm.home, realm.name, [("s.json", foreign(predicate_type))])
    assert caught.value.code == "LF4561"
    assert len(realm.state.records) == 3


def test_add_names_the_file_that_does_not_read(realm):
    with pytest.raises(VerificationFailed) as caught:
        add(realm.home, realm.name, [("good.json", foreign("https://example.com/a")), ("bad.json", b"{}")])
    assert caught.value.message.startswith("bad.json: ")
    assert len(realm.state.records) == 3


def provenance(build_type="https://code.example/workflow/v1", **fields):
    predicate = {
        "buildDefinition": {"buildType": build_type, "externalParameters": {}, **fields},
        "runDetails": {"builder": {"id": "https://code.example/runner"}},
    }
    body = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "bot.whl", "digest": {"sha256": "a" * 64}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": predicate,
    }
    return json.dumps(body).encode()


def test_provenance_of_others_is_taken_and_shown_as_theirs(realm):
    [(_, receipt)] = add(realm.home, realm.name, [("p.json", provenance())])
    realm._view = None
    [record] = realm.state.provenance["a" * 64]
    assert record.digest == receipt.envelope
    assert record.fact.origin.value == "foreign"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (provenance("https://lockflight.dev/build/record/v1"), "LF4561"),
        (provenance("https://lockflight.dev/build/intake/v1"), "LF4561"),
        (provenance("https://lockflight.dev/build/another/v1"), "LF4561"),
        (provenance(""), "LF1040"),
        (provenance(resolvedDependencies={}), "LF1040"),
        (provenance(internalParameters={"ratio": 0.5}), "LF1059"),
    ],
)
def test_only_the_process_that_ran_a_step_says_that_it_did(realm, body, code):
    size = len(realm.state.records)
    with pytest.raises(InvalidInput) as caught:
        add(realm.home, realm.name, [("p.json", body)])
    assert caught.value.code == code
    realm._view = None
    assert len(realm.state.records) == size


def test_provenance_that_does_not_read_is_not_imported(realm, source):
    statement = add(source.home, source.name, [("p.json", provenance())])[0][0]
    source._view = None
    whole = b"".join(export(source.view, exportable(source.view)))
    keyid = source.signer(Duty.PRODUCER).keyid
    assert len(take(realm, whole, trust=[keyid]).recorded) == 3
    odd = replace(statement, predicate={**statement.predicate, "buildDefinition": {}})
    assert refused(realm, line(odd, source.signer(Duty.PRODUCER))) == "LF4563"
