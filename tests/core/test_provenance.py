"""SLSA provenance v1: ours read back strictly, that of others tolerantly, and nothing without a budget."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lockflight.core.attest import provenance as p
from lockflight.core.attest import statement as st
from lockflight.core.attest.provenance import Authors, Build, Intake, Material, Origin, Provenance, Run
from lockflight.errors import LockflightError

A, B, C = "aa" * 32, "bb" * 32, "cc" * 32

RUN = Run(
    builder="https://lockflight.dev/builder/realm.invalid/acme",
    versions=(("lockflight", "1"),),
    invocation="urn:lockflight:run:1",
    started="2026-10-31T12:00:00Z",
    finished="2026-10-31T12:05:00Z",
    authors=Authors(("p-alice",), 2, complete=True),
    ci=(("provider", "github"), ("repository_id", "42")),
)
BUILD = Build(
    step="train",
    command=("python", "train.py"),
    parameters=(("epochs", "3"),),
    products=(st.SubjectRef("model.skops", A),),
    materials=(
        Material("data/train.csv", digests=(("sha256", B),), read=True),
        Material("source", "git+https://git.example/bot", (("gitCommit", "c0ffee"),)),
    ),
    run=RUN,
    hardware={"cpus": 8, "machine": "x86_64"},
)
INTAKE = Intake(
    uri="https://models.example/base",
    kind="base-model",
    licence="Apache-2.0",
    context="trained on public text",
    products=(st.SubjectRef("model.safetensors", A),),
    decision=C,
    run=RUN,
)

#: What the service of a code host says: many fields, no names of ours, digests of other algorithms.
HOSTED = {
    "_type": st.STATEMENT_TYPE,
    "subject": [{"name": "dist/bot.whl", "digest": {"sha256": A, "sha512": "ab" * 64}}],
    "predicateType": "https://slsa.dev/provenance/v1",
    "predicate": {
        "buildDefinition": {
            "buildType": "https://code.example/buildtypes/workflow/v1",
            "externalParameters": {
                "workflow": {"ref": "refs/heads/main", "repository": "https://code.example/acme/bot"},
                "ratio": 0.5,
            },
            "internalParameters": {"code": {"event_name": "push", "repository_id": "1"}},
            "resolvedDependencies": [
                {
                    "uri": "git+https://code.example/acme/bot@refs/heads/main",
                    "digest": {"gitCommit": "0" * 40},
                },
                {"name": "base", "digest": {"sha256": B}, "mediaType": "x/y", "content": "AA=="},
                {"uri": "pkg:pypi/torch@2.9"},
            ],
        },
        "runDetails": {
            "builder": {"id": "https://code.example/runner", "builderDependencies": []},
            "metadata": {
                "invocationId": "https://code.example/acme/bot/actions/runs/7",
                "startedOn": "2026-10-31T12:00:00.5+02:00",
            },
            "byproducts": [{"name": "log", "digest": {"sha1": "1" * 40}}],
        },
        "https://code.example/extra": True,
    },
}
#: The least that the specification demands.
SMALLEST = {
    "_type": st.STATEMENT_TYPE,
    "subject": [{"digest": {"sha256": A}}],
    "predicateType": "https://slsa.dev/provenance/v1",
    "predicate": {
        "buildDefinition": {"buildType": "https://example.com/make", "externalParameters": {}},
        "runDetails": {"builder": {"id": "https://example.com/host"}},
    },
}


def read(document: object) -> Provenance:
    return p.parse_provenance(st.parse(json.dumps(document).encode()))


def document(own: Build | Intake) -> Any:
    return json.loads(own.statement().payload())


def test_a_record_comes_back_as_it_was() -> None:
    found = read(document(BUILD))
    assert found.build == BUILD
    assert (found.origin, found.step, found.complete) == (Origin.RECORD, "train", True)
    assert found.authors == RUN.authors
    assert found.materials == BUILD.materials
    assert found.materials[0].sha256 == B
    assert [m.label for m in found.materials] == ["data/train.csv", "source"]


def test_an_intake_comes_back_as_it_was() -> None:
    for one in (INTAKE, replace(INTAKE, signer=B)):
        found = read(document(one))
        assert found.intake == one
        assert (found.origin, found.complete) == (Origin.INTAKE, False)


def test_ours_has_every_field_that_slsa_demands() -> None:
    for own in (BUILD, INTAKE):
        predicate = own.statement().predicate
        definition, details = predicate["buildDefinition"], predicate["runDetails"]
        assert isinstance(definition, dict)
        assert isinstance(details, dict)
        assert str(definition["buildType"]).startswith("https://lockflight.dev/build/")
        assert isinstance(definition["externalParameters"], dict)
        assert isinstance(details["builder"], dict)
        assert details["builder"]["id"] == RUN.builder
        for item in definition["resolvedDependencies"]:  # type: ignore[union-attr]
            assert item["name"] if "name" in item else item["uri"]  # type: ignore[index,operator]


def test_provenance_of_others_parses_as_far_as_a_lineage_needs_it() -> None:
    found = read(HOSTED)
    assert found.origin is Origin.FOREIGN
    assert found.builder == "https://code.example/runner"
    assert [m.sha256 for m in found.materials] == ["", B, ""]
    assert found.materials[0].digests == (("gitCommit", "0" * 40),)
    assert not any(m.read for m in found.materials)
    assert found.authors == Authors()
    least = read(SMALLEST)
    assert (least.materials, least.step, least.complete, least.run) == ((), "", False, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"dirty": True},
        {"exit_code": 1},
        {"materials": ()},
        {"materials": (Material("x", "https://data.example/x"),)},
    ],
)
def test_a_record_with_an_open_end_is_not_complete(changes: dict[str, Any]) -> None:
    assert not read(document(replace(BUILD, **changes))).complete


def spoiled(own: Build | Intake, path: tuple[str | int, ...], value: object) -> object:
    whole = place = document(own)
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return whole


DEFINITION, DETAILS = ("predicate", "buildDefinition"), ("predicate", "runDetails")
EXTENSION = ("predicate", p.EXTENSION)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((*DEFINITION, "novel"), 1),
        ((*DEFINITION, "externalParameters", "novel"), 1),
        ((*DEFINITION, "externalParameters", "step"), ""),
        ((*DEFINITION, "externalParameters", "command"), "python"),
        ((*DEFINITION, "externalParameters", "parameters"), {"epochs": 3}),
        ((*DEFINITION, "resolvedDependencies", 0, "novel"), "x"),
        ((*DEFINITION, "resolvedDependencies", 0, "digest"), {"SHA 256": B}),
        ((*DETAILS, "builder", "id"), ""),
        ((*DETAILS, "metadata", "finishedOn"), "2026-10-31T11:00:00Z"),
        ((*DETAILS, "metadata", "startedOn"), "yesterday"),
        ((*DETAILS, "byproducts"), [{}]),
        ((*EXTENSION, "exitCode"), -1),
        ((*EXTENSION, "exitCode"), True),
        ((*EXTENSION, "authors", "principals"), [1]),
        ((*EXTENSION, "authors", "complete"), 1),
        ((*EXTENSION, "source", "dirty"), "no"),
        ((*EXTENSION, "hardware"), {"name": "x" * 5000}),
        ((*EXTENSION, "novel"), {}),
        (("predicate", "novel"), {}),
    ],
)
def test_a_record_with_other_fields_is_refused(path: tuple[str | int, ...], value: object) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        read(spoiled(BUILD, path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((*EXTENSION, "decision"), "none"),
        ((*EXTENSION, "signer"), "me"),
        ((*DEFINITION, "externalParameters", "uri"), ""),
        ((*DEFINITION, "resolvedDependencies"), []),
    ],
)
def test_an_intake_with_other_fields_is_refused(path: tuple[str | int, ...], value: object) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        read(spoiled(INTAKE, path, value))


@pytest.mark.parametrize(
    "path",
    [
        ("buildDefinition",),
        ("runDetails",),
        ("buildDefinition", "buildType"),
        ("runDetails", "builder"),
        ("runDetails", "builder", "id"),
    ],
)
@pytest.mark.parametrize("value", [None, [], "", {}, 1])
def test_what_slsa_demands_must_be_there(path: tuple[str, ...], value: object) -> None:
    whole = copy.deepcopy(SMALLEST)
    place: Any = whole["predicate"]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises((KeyError, TypeError, ValueError)):
        read(whole)


def test_budgets_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(p, "MAX_SUBJECTS", 1)
    read(SMALLEST)
    with pytest.raises(ValueError, match="subjects"):
        read({**SMALLEST, "subject": SMALLEST["subject"] * 2})  # type: ignore[operator]
    monkeypatch.setattr(p, "MAX_MATERIALS", 2)
    with pytest.raises(ValueError, match="more than 2"):
        read(HOSTED)
    for one in (
        replace(BUILD, step="x" * 9000),
        replace(BUILD, command=("x",) * 1001),
        replace(BUILD, parameters=tuple((str(i), "") for i in range(1001))),
    ):
        with pytest.raises(ValueError, match="more than"):
            read(document(one))
    many = {str(i).join("ab"): "x" for i in range(1001)}
    with pytest.raises(ValueError, match="digest"):
        read(spoiled(BUILD, (*DEFINITION, "resolvedDependencies", 0, "digest"), many))


@pytest.mark.parametrize(
    ("build_type", "own"),
    [
        (p.RECORD, True),
        (p.INTAKE, True),
        ("https://lockflight.dev/build/next/v9", True),
        ("https://x.example", False),
    ],
)
def test_our_own_build_types_are_known(build_type: str, own: bool) -> None:
    whole = copy.deepcopy(SMALLEST)
    whole["predicate"]["buildDefinition"]["buildType"] = build_type  # type: ignore[index]
    assert p.own_build(st.parse(json.dumps(whole).encode())) is own


def test_a_predicate_without_a_definition_is_nobodys() -> None:
    assert not p.own_build(st.Statement(st.PROVENANCE, (st.SubjectRef("x", A),), {}))


WORDS = some.text(max_size=20)
JSON = some.recursive(
    some.none() | some.booleans() | some.integers(-5, 5) | WORDS,
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


@given(whole=some.sampled_from([HOSTED, SMALLEST, document(BUILD), document(INTAKE)]), data=some.data())
def test_any_damage_is_refused_in_the_same_way_or_harmless(
    whole: dict[str, Any], data: some.DataObject
) -> None:
    whole = copy.deepcopy(whole)
    place: Any = whole["predicate"]
    for _ in range(data.draw(some.integers(0, 4))):
        below = [
            k
            for k in (place if isinstance(place, dict) else range(len(place)))
            if isinstance(place[k], dict | list)
        ]
        if not below:
            break
        place = place[data.draw(some.sampled_from(below))]
    if isinstance(place, dict):
        place[data.draw(some.sampled_from([*place, "novel"]))] = data.draw(JSON)
    elif place:
        place[data.draw(some.integers(0, len(place) - 1))] = data.draw(JSON)
    try:
        found = read(whole)
    except (KeyError, TypeError, ValueError, LockflightError):
        return
    own = found.build or found.intake
    assert own is None or read(json.loads(own.statement().payload())) == found


@given(
    step=some.text(min_size=1, max_size=50),
    command=some.lists(WORDS, max_size=5),
    parameters=some.dictionaries(WORDS, WORDS, max_size=5),
    names=some.lists(WORDS, min_size=1, max_size=5),
    dirty=some.booleans(),
)
def test_whatever_is_recorded_comes_back(
    step: str, command: list[str], parameters: dict[str, str], names: list[str], dirty: bool
) -> None:
    one = replace(
        BUILD,
        step=step,
        command=tuple(command),
        parameters=tuple(sorted(parameters.items())),
        products=tuple(st.SubjectRef(name, A) for name in names),
        materials=tuple(Material(name, digests=(("sha256", B),), read=True) for name in names),
        dirty=dirty,
    )
    assert read(document(one)).build == one
