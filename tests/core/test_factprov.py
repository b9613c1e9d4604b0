"""What facts and admission believe about how assets came to be."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lockflight.core.attest import statement as st
from lockflight.core.attest.acts import Scope
from lockflight.core.attest.provenance import Authors, Material
from lockflight.core.attest.trust import Duty
from lockflight.core.facts import factprov as f
from lockflight.core.facts.facts import build_facts
from lockflight.core.gate.factshape import check_facts
from tests.core.test_provenance import BUILD, INTAKE, SMALLEST
from tests.factories import INFO, NOW, Ledger, release

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from lockflight.core.canonical import JsonObject

RELEASE = release()
WEIGHTS = next(a.sha256 for a in RELEASE.assets if a.name == "model.safetensors")
PROMPT = next(a.sha256 for a in RELEASE.assets if a.name == "prompts/system.md")
DATA = "dd" * 32


def built(
    ledger: Ledger,
    *products: str,
    signer: str = "producer",
    people: Sequence[str] = (),
    materials: Sequence[str] = (),
    step: str = "train",
) -> str:
    """A recorded step."""
    one = replace(
        BUILD,
        step=step,
        products=tuple(st.SubjectRef(d[:8], d) for d in products),
        materials=tuple(Material(d[:8], digests=(("sha256", d),), read=True) for d in materials),
        run=replace(BUILD.run, authors=Authors(tuple(people), 0, complete=True)),
    )
    return ledger.add(one.statement(), signer)


def foreign(ledger: Ledger, digest: str) -> str:
    return ledger.add(
        st.Statement(st.PROVENANCE, (st.SubjectRef("x", digest),), SMALLEST["predicate"]),  # type: ignore[arg-type]
        "producer",
    )


def facts(ledger: Ledger) -> JsonObject:
    found = build_facts(
        release=RELEASE,
        environment="staging",
        state=ledger.state(),
        checkpoint="1:" + "aa" * 32,
        infos=(INFO,),
        now=NOW + 1000,
    )
    check_facts(found)
    return found


def labels(ledger: Ledger) -> dict[str, str]:
    assets = facts(ledger)["release"]["assets"]  # type: ignore[index,call-overload]
    return {a["digest"]: a["provenance"] for a in assets}  # type: ignore[union-attr,index,call-overload,misc]


def test_without_a_record_everything_is_unknown() -> None:
    ledger = Ledger()
    assert set(labels(ledger).values()) == {"unknown"}
    assert facts(ledger)["provenance"] == []


def test_what_a_step_made_is_recorded_and_nothing_else() -> None:
    ledger = Ledger()
    digest = built(ledger, WEIGHTS, DATA, materials=[PROMPT])
    assert labels(ledger)[WEIGHTS] == "recorded"
    assert labels(ledger)[PROMPT] == "unknown"
    [row] = facts(ledger)["provenance"]  # type: ignore[misc]
    assert row["digest"] == digest  # type: ignore[index,call-overload]
    assert row["products"] == [WEIGHTS]  # type: ignore[index,call-overload]
    assert row["complete"] is True  # type: ignore[index,call-overload]
    assert row["materials"] == [{"uri": PROMPT[:8], "sha256": PROMPT, "pinned": True}]  # type: ignore[index,call-overload]


def test_the_newest_record_of_a_step_is_named() -> None:
    ledger = Ledger()
    built(ledger, WEIGHTS, materials=[PROMPT])
    newest = built(ledger, WEIGHTS, materials=[DATA])
    other = built(ledger, WEIGHTS, step="quantise")
    assert [r["digest"] for r in facts(ledger)["provenance"]] == [newest, other]  # type: ignore[index,union-attr,call-overload]


def test_what_others_claim_is_shown_and_not_believed() -> None:
    ledger = Ledger()
    foreign(ledger, WEIGHTS)
    assert labels(ledger)[WEIGHTS] == "unknown"
    [row] = facts(ledger)["provenance"]  # type: ignore[misc]
    assert (row["origin"], row["builder_kind"], row["complete"]) == ("foreign", "foreign", False)  # type: ignore[index,call-overload]


def test_a_record_by_another_duty_or_a_stranger_does_not_count() -> None:
    ledger = Ledger()
    ledger.person("alice", "author")
    built(ledger, WEIGHTS, signer="gate")
    built(ledger, WEIGHTS, signer="alice")
    assert labels(ledger)[WEIGHTS] == "unknown"


def test_a_record_that_does_not_read_has_no_effect() -> None:
    ledger = Ledger()
    statement = replace(BUILD, products=(st.SubjectRef("x", WEIGHTS),)).statement()
    digest = ledger.add(replace(statement, predicate={**statement.predicate, "novel": 1}), "producer")
    assert ledger.state().by_digest[digest].code == "LF7242"
    assert labels(ledger)[WEIGHTS] == "unknown"


def test_a_key_that_was_revoked_since_does_not_count() -> None:
    ledger = Ledger()
    ledger.person("ci", duty=Duty.PRODUCER)
    ledger.person("bob", "realm-admin")
    built(ledger, WEIGHTS, signer="ci", people=["p-carol"])
    assert labels(ledger)[WEIGHTS] == "recorded"
    from lockflight.core.verify.crypto.keys import load_der

    ledger.revoke(load_der(ledger.keys["ci"].public_der).keyid, "bob", scope=Scope.KEY)
    assert labels(ledger)[WEIGHTS] == "unknown"
    assert facts(ledger)["provenance"] == []
    assert f.authors_of(ledger.state(), [WEIGHTS]) == {"p-carol", "p-ci"}


def test_an_intake_counts_only_with_the_gates_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """A producer that names no decision, another environment's, a denied one, or one about other bytes."""
    for environment, allow, named in (
        ("staging", True, True),
        ("intake", False, True),
        ("intake", True, False),
        ("intake", True, True),
    ):
        ledger = Ledger()
        decision = decided(ledger, environment, allow=allow, assets=[WEIGHTS] if named else [DATA])
        taken = replace(INTAKE, products=(st.SubjectRef("w", WEIGHTS),), decision=decision)
        ledger.add(taken.statement(), "producer")
        good = (environment, allow, named) == ("intake", True, True)
        assert labels(ledger)[WEIGHTS] == ("intake" if good else "unknown"), (environment, allow, named)
        [row] = facts(ledger)["provenance"]  # type: ignore[misc]
        assert row["let_in"] is good  # type: ignore[index,call-overload]
    ledger = Ledger()
    ledger.add(
        replace(INTAKE, products=(st.SubjectRef("w", WEIGHTS),), decision=DATA).statement(), "producer"
    )
    assert labels(ledger)[WEIGHTS] == "unknown"


def decided(ledger: Ledger, environment: str, *, allow: bool, assets: Sequence[str]) -> str:
    from lockflight.core.gate.vsa import StoredDecision, parse_vsa

    digest = ledger.decide(RELEASE, environment, allow=allow)
    stored = ledger.state().by_digest[digest]
    assert stored.statement is not None
    decision: StoredDecision = parse_vsa(stored.statement)
    return ledger.add(replace(decision, assets=tuple((d[:8], d) for d in assets)).statement(), "gate")


def test_authors_are_those_of_the_steps_behind_the_assets() -> None:
    ledger = Ledger()
    built(ledger, DATA, people=["p-dan"])
    built(ledger, WEIGHTS, people=["p-wen"], materials=[DATA])
    built(ledger, "ee" * 32, people=["p-else"], materials=[WEIGHTS])
    state = ledger.state()
    assert f.authors_of(state, RELEASE.contents) == {"p-wen", "p-dan"}
    assert f.authors_of(state, [DATA]) == {"p-dan"}
    assert f.authors_of(state, []) == frozenset()


def test_authors_of_a_circle_end() -> None:
    ledger = Ledger()
    built(ledger, DATA, people=["p-a"], materials=[WEIGHTS])
    built(ledger, WEIGHTS, people=["p-b"], materials=[DATA])
    assert f.authors_of(ledger.state(), [WEIGHTS]) == {"p-a", "p-b"}


def test_who_took_something_in_is_an_author_of_exactly_that() -> None:
    ledger = Ledger()
    taken = replace(
        INTAKE,
        products=(st.SubjectRef("w", DATA),),
        run=replace(INTAKE.run, authors=Authors(("p-ina",), 0, complete=True)),
    )
    ledger.add(taken.statement(), "producer")
    built(ledger, WEIGHTS, materials=[DATA], people=["p-wen"])
    assert f.authors_of(ledger.state(), [DATA]) == {"p-ina"}
    assert f.authors_of(ledger.state(), [WEIGHTS]) == {"p-wen"}


def test_more_materials_than_facts_name_are_not_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger()
    built(ledger, WEIGHTS, materials=[PROMPT, DATA])
    monkeypatch.setattr(f, "MAX_MATERIALS", 1)
    [row] = facts(ledger)["provenance"]  # type: ignore[misc]
    assert row["complete"] is False  # type: ignore[index,call-overload]
    assert len(row["materials"]) == 1  # type: ignore[index,call-overload,arg-type]
