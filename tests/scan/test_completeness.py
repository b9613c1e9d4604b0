from __future__ import annotations

import pytest

from lockflight.core.attest.check import Grain, Status, Subject, subjects
from lockflight.core.release.release import Dependency, Reference
from lockflight.core.words import Kind, Role, Tier
from lockflight.errors import InternalError
from lockflight.scan.completeness import _DATED, CompletenessCheck, demands
from tests.scan.subjects import Context, asset, release

PINNED = "sha256:" + "a" * 64


def judge(release):
    (subject,) = subjects(CompletenessCheck.info, release)
    return CompletenessCheck().run(subject, Context({}))


def roles(*names):
    return [asset(f"{name.value}.dat", b"x", name) for name in names]


def missing(result):
    return {f.salt for f in result.findings if f.code == "LF2540"}


def whole(kind, tier):
    return roles(*{demand.roles[0] for demand in demands(kind, tier)})


@pytest.mark.parametrize("tier", list(Tier))
@pytest.mark.parametrize("kind", list(Kind))
def test_what_holds_everything_is_complete_and_each_missing_role_is_named(kind, tier):
    assets = whole(kind, tier)
    result = judge(release(kind, tier, assets))
    assert result.findings == ()
    assert result.status is Status.COMPLETE
    assert result.summary["missing"] == 0
    assert result.summary["demanded"] == len(demands(kind, tier)) >= 1
    for left_out in assets:
        rest = [a for a in assets if a is not left_out] or roles(Role.OTHER)
        found = judge(release(kind, tier, rest))
        assert any(left_out.role.value in names.split(" or ") for names in missing(found))


@pytest.mark.parametrize("kind", list(Kind))
def test_a_higher_tier_never_demands_less(kind):
    low, middle, high = (set(demands(kind, tier)) for tier in (Tier.MINIMAL, Tier.LIMITED, Tier.HIGH))
    assert low <= middle
    assert low <= high


def test_an_application_demands_what_decides_its_answers():
    assert missing(judge(release(Kind.RAG_APP, Tier.MINIMAL, roles(Role.OTHER)))) == {
        "model-weights or hosted-model",
        "system-prompt or prompt-template",
        "serving-config",
        "code or container-image",
        "dependency-lock or container-image",
        "tokenizer or hosted-model",
        "embedding-model",
        "retrieval-index or knowledge-base",
    }


def test_an_adapter_alone_is_no_model():
    lora = roles(Role.ADAPTER)
    assert missing(judge(release(Kind.MODEL, Tier.MINIMAL, lora))) == {"model-weights or hosted-model"}
    based = release(Kind.MODEL, Tier.MINIMAL, lora, dependencies=[Dependency("base", PINNED)])
    assert missing(judge(based)) == set()


def test_gguf_brings_its_tokenizer():
    gguf = [asset("m.gguf", b"GGUF", Role.MODEL_WEIGHTS, "application/vnd.gguf")]
    assert "tokenizer or hosted-model" not in missing(judge(release(Kind.LLM_APP, Tier.MINIMAL, gguf)))
    plain = [asset("m.bin", b"x", Role.MODEL_WEIGHTS)]
    assert "tokenizer or hosted-model" in missing(judge(release(Kind.LLM_APP, Tier.MINIMAL, plain)))


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"features": [{"name": "a", "dtype": "int64"}], "source": {"uri": "s3://x", "digest": "%s"}}', ""),
        (b'{"features": [{"name": "a"}], "source": {"uri": "s3://x", "digest": "%s"}}', "'dtype' is missing"),
        (b'{"features": [{"name": "a", "dtype": "int64"}]}', "'source' is missing"),
        (b"{", "not JSON"),
    ],
)
def test_a_feature_reference_says_its_schema_and_its_digest(body, problem):
    body = body.replace(b"%s", PINNED.encode())
    one = release(
        Kind.MODEL,
        Tier.MINIMAL,
        [*whole(Kind.MODEL, Tier.MINIMAL), asset("f.json", body, Role.FEATURE_REFERENCE)],
    )
    (subject,) = subjects(CompletenessCheck.info, one)
    result = CompletenessCheck().run(subject, Context({"f.json": body}))
    found = [f for f in result.findings if f.code == "LF2546"]
    assert len(found) == result.summary["missing"] == bool(problem)
    assert all(problem in f.message for f in found)


def test_a_reference_to_features_needs_a_file_that_says_which():
    body = b'{"features": [{"name": "a", "dtype": "int64"}], "source": {"uri": "s3://x", "digest": "%s"}}'
    body = body.replace(b"%s", PINNED.encode())
    outside = Reference(
        "trips", Role.FEATURE_REFERENCE, "s3://x", digest=PINNED, licence="CC0-1.0", context="2026"
    )
    for files, bad in (([], True), ([asset("f.json", body, Role.FEATURE_REFERENCE)], False)):
        one = release(
            Kind.MODEL, Tier.MINIMAL, [*whole(Kind.MODEL, Tier.MINIMAL), *files], references=[outside]
        )
        (subject,) = subjects(CompletenessCheck.info, one)
        result = CompletenessCheck().run(subject, Context({"f.json": body}))
        assert [f.asset for f in result.findings if f.code == "LF2546"] == ["trips"] * bad


def test_an_empty_file_meets_no_demand():
    empty = asset("m.safetensors", b"", Role.MODEL_WEIGHTS)
    assert missing(judge(release(Kind.MODEL, Tier.MINIMAL, [empty])))


def test_a_reference_or_a_dependency_meets_a_demand():
    hosted = Reference(
        "gpt", Role.HOSTED_MODEL, "https://x.example", version="2024-08-06", licence="proprietary"
    )
    assert judge(release(references=[hosted])).findings == ()
    assert (
        missing(judge(release(assets=roles(Role.OTHER), dependencies=[Dependency("base", PINNED)]))) == set()
    )
    # What is the application's own, no other release can bring.
    app = judge(
        release(Kind.LLM_APP, Tier.MINIMAL, roles(Role.OTHER), dependencies=[Dependency("base", PINNED)])
    )
    assert "system-prompt or prompt-template" in missing(app)
    assert "model-weights or hosted-model" not in missing(app)


@pytest.mark.parametrize(
    ("digest", "version", "pinned"),
    [
        (PINNED, "", True),
        ("", "2024-08-06", True),
        ("", "claude-sonnet-4-5-20250929", True),
        ("", "latest", False),
        ("", "1.2.3", False),
        ("", "2024-13-40", False),
        ("", "12024-08-061", False),
        ("", "", False),
        ("sha256:abc", "", False),
        ("md5:" + "a" * 32, "", False),
    ],
)
def test_references_are_pinned_by_digest_or_date(digest, version, pinned):
    reference = Reference("m", Role.HOSTED_MODEL, "https://x.example", digest, version, licence="MIT")
    result = judge(release(references=[reference]))
    assert (result.summary["unpinned"] == 0) is pinned
    assert {f.code for f in result.findings} == (set() if pinned else {"LF2542"})


@pytest.mark.parametrize(("tier", "severity"), [(Tier.MINIMAL, "low"), (Tier.HIGH, "medium")])
def test_references_to_data_name_licence_and_origin(tier, severity):
    reference = Reference("d", Role.DATASET_REFERENCE, "https://x.example", PINNED)
    assets = whole(Kind.CLASSIFIER, tier)
    found = judge(release(Kind.CLASSIFIER, tier, assets, [reference])).findings
    assert {(f.code, f.severity.value, f.asset) for f in found} == {
        ("LF2543", severity, "d"),
        ("LF2544", severity, "d"),
    }
    told = Reference(
        "d", Role.DATASET_REFERENCE, "https://x.example", PINNED, licence="CC0-1.0", context="Lab, 2024."
    )
    assert judge(release(Kind.CLASSIFIER, tier, assets, [told])).findings == ()


@pytest.mark.parametrize(
    ("name", "role", "media_type", "severity"),
    [
        ("modeling_x.py", Role.DOCUMENTATION, "text/x-python", "high"),
        ("x.so", Role.MODEL_WEIGHTS, "application/x-elf", "high"),
        ("renamed.txt", Role.DATASET, "text/x-python", "high"),
        ("how-to.ipynb", Role.DOCUMENTATION, "application/x-ipynb+json", "medium"),
        ("a.py", Role.CODE, "text/x-python", None),
        ("a.py", Role.OTHER, "text/x-python", None),
        ("README.md", Role.DOCUMENTATION, "text/markdown", None),
    ],
)
def test_code_under_another_role_is_seen(name, role, media_type, severity):
    found = judge(release(assets=[*roles(Role.MODEL_WEIGHTS), asset(name, b"x", role, media_type)])).findings
    assert [(f.code, f.severity.value) for f in found] == ([("LF2545", severity)] if severity else [])


@pytest.mark.parametrize(
    ("folder", "data", "message"),
    [
        ("", ("elsewhere.onnx.data", bytes(16)), ""),
        ("models/", ("models/elsewhere.onnx.data", bytes(16)), ""),
        ("models/", ("elsewhere.onnx.data", bytes(16)), "is no asset"),
        ("", ("elsewhere.onnx.data", bytes(15)), "has 15 bytes, and 16 are needed"),
    ],
)
def test_tensors_beside_a_model_are_in_the_release(project_root, folder, data, message):
    content = (project_root / "tests" / "vectors" / "models" / "elsewhere.onnx").read_bytes()
    assets = [
        asset(f"{folder}elsewhere.onnx", content, Role.MODEL_WEIGHTS, "application/vnd.onnx"),
        asset(*data, Role.MODEL_WEIGHTS),
    ]
    whole_release = release(assets=assets)
    subject = Subject(Grain.RELEASE, "x", "0" * 64, whole_release.assets, whole_release)
    result = CompletenessCheck().run(subject, Context({assets[0].name: content}))
    found = [f for f in result.findings if f.code == "LF2547"]
    assert result.summary["missing"] == len(found) == bool(message)
    assert all(message in f.message for f in found)


def test_a_date_is_a_date():
    assert _DATED.search("20240806")
    assert not _DATED.search("2024-0806")


def test_a_subject_without_a_release_is_a_bug():
    with pytest.raises(InternalError) as caught:
        CompletenessCheck().run(Subject(Grain.RELEASE, "x", "0" * 64, ()), Context({}))
    assert caught.value.code == "LF2548"
