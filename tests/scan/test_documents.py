from __future__ import annotations

from lockflight.core.attest.check import PPM, Grain, Status, subjects
from lockflight.core.words import Role
from lockflight.scan.documents import DocumentsCheck
from tests.scan.subjects import asset, judge, release
from tests.scan.test__secret_engine import OPENAI


def test_secrets_and_hidden_characters_are_found():
    result = judge(
        DocumentsCheck(),
        {
            "README.md": (Role.DOCUMENTATION, f"# Use\n\nexport OPENAI_API_KEY={OPENAI}\n".encode()),
            "CARD.md": (Role.MODEL_CARD, "Safe\u202e.\nzero\u200bwidth".encode()),
            "logo.png": (Role.DOCUMENTATION, b"\x89PNG\0"),
        },
    )
    assert {(f.asset, f.code, f.severity.value) for f in result.findings} == {
        ("README.md", "LF2500", "high"),
        ("CARD.md", "LF2530", "high"),
        ("CARD.md", "LF2530", "low"),
    }
    assert result.status is Status.COMPLETE
    assert (result.coverage_ppm, result.summary["texts"], result.summary["skipped"]) == (PPM, 2, 1)


def test_escapes_in_documentation_are_only_words():
    result = judge(DocumentsCheck(), {"a.json": (Role.DOCUMENTATION, b'"\\u202e"')})
    assert result.findings == ()


def test_settings_in_a_card_that_lead_out_of_the_folder():
    front = b"---\nconfigs:\n- data_files: %s\n---\n# data\n"
    result = judge(
        DocumentsCheck(),
        {
            "data/README.md": (Role.MODEL_CARD, front % b"../../secret.txt"),
            "README.md": (Role.MODEL_CARD, front % b"data/train.csv"),
            "other.md": (Role.DOCUMENTATION, front % b"../x"),
        },
    )
    assert [(f.asset, f.code, f.severity.value) for f in result.findings] == [
        ("data/README.md", "LF2237", "high")
    ]


def test_it_reads_what_no_view_holds_and_the_manifest():
    assets = [asset("README.md", b"x", Role.DOCUMENTATION), asset("a.py", b"x", Role.CODE)]
    (subject,) = subjects(DocumentsCheck.info, release(assets=assets))
    assert subject.grain is Grain.RELEASE
    assert [a.name for a in subject.assets] == ["lockflight.toml", "README.md"]
