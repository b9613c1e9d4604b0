"""The policy in force: what it demands, and whether a bundle passes its own tests."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from lockflight.app.policy.policies import bundle_in_force
from lockflight.app.realm.view import open_view
from lockflight.core.records import dataclass
from lockflight.core.release.manifest import parse_manifest
from lockflight.core.release.release import MANIFEST_NAME
from lockflight.core.shape import array, natural, obj, text
from lockflight.core.text.toml_lines import MAX_BYTES
from lockflight.core.words import ENVIRONMENTS
from lockflight.errors import NotFound
from lockflight.infra.files import Folder
from lockflight.policy.coverage import Covered, coverage
from lockflight.policy.engines.mode import Mode
from lockflight.policy.engines.pool import Engines
from lockflight.policy.gate import PolicyGate
from lockflight.policy.shipped import pack
from lockflight.policy.sources import read_path
from lockflight.policy.testing import run_tests

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from lockflight.app.realm.view import RealmView
    from lockflight.core.canonical import JsonValue
    from lockflight.policy.bundle import Bundle
    from lockflight.policy.testing import BundleTest


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a bundle.

    Attributes:
        code, name, title, severity: of the rule.
        effect: `deny` or `warn`.
        solution: what makes it pass.
        controls: ids of the controls that it serves.
        collections: names of the sets of rules that it is in.
        demanded: whether nothing is allowed without its result.
        waivable: whether a waiver may take its failure away.
    """

    code: str
    name: str
    title: str
    severity: str
    effect: str
    solution: str
    controls: tuple[str, ...]
    collections: tuple[str, ...]
    demanded: bool
    waivable: bool


@dataclass(frozen=True, slots=True)
class Demand:
    """One check that a bundle demands somewhere.

    Attributes:
        environment: where.
        kind, tier: of the releases that it is demanded of; `*` for every one.
        check: its name.
        max_age_s: how old its evidence may be, in seconds.
    """

    environment: str
    kind: str
    tier: str
    check: str
    max_age_s: int


def bundle_of(folder: Path | None, name: str | None = None) -> Bundle:
    """The bundle in a folder or archive, or a shipped pack: the baseline if nothing is named.

    Raises:
        NotFound: LF1009 there is nothing of that name, LF4024 no such pack.
        EnvironmentProblem: LF4005 to LF4007 it is no bundle.
    """
    return pack(name or "baseline") if folder is None else read_path(folder)


def in_force(home: Path, name: str, environment: str = "") -> tuple[RealmView, Bundle] | None:
    """A realm and the policy that judges there; None where the home has no such realm.

    Args:
        home: the home folder.
        name: the realm.
        environment: where; empty for what judges wherever nothing else was adopted.

    Raises:
        EnvironmentProblem, VerificationFailed: as `open_view` and `bundle_in_force`.
    """
    try:
        view = open_view(home, name)
    except NotFound:
        return None
    return view, bundle_in_force(view.folder, view.state, environment)


def own_policy(folder: Path) -> tuple[str, Bundle] | None:
    """The release in a workspace and the policy that it brings along; None where the folder is no workspace.

    Raises:
        NotFound: LF4024 the release brings none along.
        InvalidInput: LF0151 to LF0166 its manifest does not read.
        EnvironmentProblem, NotFound: as `bundle_of`.
    """
    manifest = folder / MANIFEST_NAME
    if not manifest.is_file():
        return None
    with Folder(folder) as opened, closing(opened.open(MANIFEST_NAME)) as source:
        said = parse_manifest(source.read_at(0, MAX_BYTES + 1))
    if not said.policy:
        raise NotFound(
            "LF4024",
            f"The release {said.name!r} brings no policy of its own along; the realm's alone judges it.",
            hint="lockflight policy show",
        )
    return f"{said.name} {said.version}", read_path(folder / said.policy)


def rules(bundle: Bundle) -> list[Rule]:
    """Every rule, in the order of the codes."""
    return [_rule(code, obj(meta), bundle) for code, meta in sorted(bundle.rules.items())]


def _rule(code: str, meta: Mapping[str, JsonValue], bundle: Bundle) -> Rule:
    return Rule(
        code=code,
        name=text(meta["rule"]),
        title=text(meta["title"]),
        severity=text(meta["severity"]),
        effect=text(meta["effect"]),
        solution=text(meta["solution"]),
        controls=tuple(text(control) for control in array(meta["controls"])),
        collections=tuple(text(name) for name in array(meta["collections"])),
        demanded=code in bundle.required_rules,
        waivable=meta["waivable"] is True,
    )


def demands(bundle: Bundle) -> list[Demand]:
    """What evidence is demanded, in the order of promotion."""
    table = obj(bundle.data.get("required", {}))
    ordered = [*(e for e in ENVIRONMENTS if e in table), *sorted(set(table) - set(ENVIRONMENTS))]
    return [demand for environment in ordered for demand in _demands(environment, table[environment])]


def _demands(environment: str, kinds: JsonValue) -> Iterator[Demand]:
    for kind, tiers in obj(kinds).items():
        for tier, items in obj(tiers).items():
            for item in array(items):
                entry = obj(item)
                yield Demand(environment, kind, tier, text(entry["check"]), natural(entry["max_age_s"]))


@dataclass(frozen=True, slots=True)
class Tested:
    """What the tests of a bundle said.

    Attributes:
        tests: every fixture and every Rego test.
        engines: names and versions of the engines that ran them; two where OPA is installed.
        coverage: lines of the judging modules that they reached; without `shared_modules`.
    """

    tests: tuple[BundleTest, ...]
    engines: tuple[tuple[str, str], ...]
    coverage: tuple[Covered, ...]


def test(bundle: Bundle) -> Tested:
    """Run the fixtures and the Rego tests of a bundle, on both engines where OPA is installed.

    Raises:
        EnvironmentProblem: LF4001 to LF4004 an engine or the policy does not load; LF4025 lines cannot be counted.
        PolicyDenied: LF4010 to LF4020 the bundle cannot judge its own fixtures.
    """
    engines = Engines()
    engine = engines.for_mode(Mode.DUAL_WHERE_PRESENT)
    try:
        done = run_tests(bundle, PolicyGate(bundle, engine), engine)
    finally:
        engines.close()
    names = tuple((identity["name"], identity["version"]) for identity in engine.identities)
    shared = shared_modules(bundle)
    return Tested(done, names, tuple(c for c in coverage(bundle) if c.path not in shared))


def shared_modules(bundle: Bundle) -> tuple[str, ...]:
    """Modules of somebody's own bundle that are the same as in the shipped packs, and tested there."""
    shipped = pack("baseline")
    if bundle.rules.keys() & shipped.rules.keys():
        return ()
    return tuple(path for path in sorted(bundle.modules) if shipped.files.get(path) == bundle.files[path])
