from __future__ import annotations

import contextlib
import itertools
import json
import tomllib

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockflight.core.release import manifest as module
from lockflight.core.release.manifest import JUDGE_KEYS, LISTS, SECTIONS, is_judge_key, parse_manifest
from lockflight.core.release.release import Dependency, Reference
from lockflight.core.words import ENVIRONMENTS, REFERENCE_ROLES, Kind, Role, Tier
from lockflight.errors import InvalidInput

HEAD = '[release]\nname = "bot"\nkind = "agent"\ntier = "high"\n'
DIGEST = "sha256:" + "ab" * 32

FULL = f"""\
{HEAD}version = "1.2.0"

[[assets]]
role = "system-prompt"
files = ["prompts/*.md"]

[[assets]]
role = "code"
files = ["app/**", "run.py"]

[[exclude]]
files = ["*.log"]
reason = "left over"

[[references]]
role = "image-base"
name = "python"
uri = "docker.io/library/python:3.13"
digest = "{DIGEST}"

[[references]]
role = "hosted-model"
name = "acme/large"
uri = "acme:large"
version = "large-2026-01-31"
licence = "proprietary"
context = "answers customers"

[[depends]]
name = "embedder"
digest = "{DIGEST}"

[[depends]]
name = "kb"
environment = "staging"

[realm]
url = "https://realm.example"
name = "acme"
"""


@pytest.fixture(scope="module")
def schema(project_root):
    path = project_root / "src/lockflight/_data/schemas/lockflight-toml.json"
    return json.loads(path.read_text(encoding="utf-8"))


def refused(text):
    with pytest.raises(InvalidInput) as raised:
        parse_manifest(text, where="m.toml")
    return raised.value


def test_everything_that_can_be_said():
    manifest = parse_manifest(FULL)
    assert (manifest.name, manifest.version, manifest.kind, manifest.tier) == (
        "bot",
        "1.2.0",
        Kind.AGENT,
        Tier.HIGH,
    )
    assert [(r.role, [g.text for g in r.globs], r.line) for r in manifest.assets] == [
        (Role.SYSTEM_PROMPT, ["prompts/*.md"], 7),
        (Role.CODE, ["app/**", "run.py"], 11),
    ]
    assert [(r.reason, r.line) for r in manifest.excludes] == [("left over", 15)]
    assert manifest.references == (
        Reference(name="python", role=Role.IMAGE_BASE, uri="docker.io/library/python:3.13", digest=DIGEST),
        Reference(
            name="acme/large",
            role=Role.HOSTED_MODEL,
            uri="acme:large",
            version="large-2026-01-31",
            licence="proprietary",
            context="answers customers",
        ),
    )
    assert manifest.dependencies == (
        Dependency(name="embedder", digest=DIGEST),
        Dependency(name="kb", environment="staging"),
    )
    assert (manifest.realm.url, manifest.realm.name) == ("https://realm.example", "acme")
    assert manifest.notices == ()


def test_the_least_that_must_be_said():
    manifest = parse_manifest(HEAD.encode())
    assert manifest.version == "dev"
    assert manifest.assets == manifest.references == ()


NUMBERS = itertools.count()


def case(addition, code, line, says="", hint=""):
    return pytest.param(HEAD + addition, code, line, says, hint, id=f"{code}-{next(NUMBERS)}")


ASSET = '[[assets]]\nrole = "code"\n'
REFERENCE = '[[references]]\nrole = "dataset"\nname = "d"\nuri = "https://d.example"\n'


@pytest.mark.parametrize(
    ("text", "code", "line", "says", "hint"),
    [
        pytest.param("x =", "LF0151", 1, "not valid TOML", "", id="syntax"),
        pytest.param("a = " + "[" * 20, "LF0152", 1, "", "", id="depth"),
        case("[[assets]]\n" * 2001, "LF0152", 5, "2000"),
        case("[relaese]\nx = 1\n", "LF0153", 5, "no section 'relaese'", "release"),
        case('kidn = "agent"\n', "LF0153", 5, "[release] has no key 'kidn'", "kind"),
        case(ASSET + 'file = ["a"]\n', "LF0153", 7, "[[assets]] has no key 'file'", "files"),
        case(REFERENCE + 'license = "x"\n', "LF0153", 9, "license", "licence"),
        case("zzzzzz = 1\n", "LF0153", 5, "", "Known: kind, name, tier, version."),
        case("[assets]\nrole = 1\n", "LF0154", 5, "list of tables", "[[assets]]"),
        case("[[realm]]\n", "LF0154", 5, "must be a table", "[realm]"),
        case("version = 1\n", "LF0154", 5, "'version' must be text"),
        case(ASSET + 'files = "a"\n', "LF0154", 7, "list of patterns"),
        case(ASSET + "files = [\n1]\n", "LF0154", 7, "list of patterns"),
        case('[[exclude]]\nfiles = ["a"]\nreason = "a\\u0007b"\n', "LF0154", 7, "control"),
        case('[[exclude]]\nfiles = ["a"]\nreason = "' + "x" * 2001 + '"\n', "LF0154", 7, "2000"),
        pytest.param("", "LF0155", 1, "no [release]", "", id="empty"),
        pytest.param('[release]\nname = "a"\n', "LF0155", 1, "lacks kind, tier", "", id="no-kind"),
        case(ASSET, "LF0155", 5, "lacks files"),
        case(ASSET + "files = []\n", "LF0155", 7, "'files' is empty"),
        case('[[exclude]]\nfiles = ["a"]\n', "LF0155", 5, "lacks reason"),
        case('[[exclude]]\nfiles = ["a"]\nreason = "  "\n', "LF0155", 7, "'reason' is empty"),
        case('[[assets]]\nrole = "tokenzer"\nfiles = ["a"]\n', "LF0156", 6, "", "tokenizer"),
        case('[[assets]]\nrole = "release-manifest"\nfiles = ["a"]\n', "LF0156", 6),
        pytest.param(HEAD.replace("agent", "agnet"), "LF0157", 3, "", "agent", id="kind"),
        pytest.param(
            HEAD.replace("high", "zz"), "LF0158", 4, "", "One of: minimal, limited, high.", id="tier"
        ),
        pytest.param(HEAD.replace("bot", "Bot!"), "LF0159", 2, "", "", id="name"),
        pytest.param(HEAD.replace("bot", "bot\\n"), "LF0159", 2, "", "", id="name-newline"),
        case('version = "../1"\n', "LF0159", 5),
        case(
            '[[references]]\nrole = "dataset"\nname = " "\nuri = "x"\nversion = "2026-01-01"\n', "LF0159", 7
        ),
        case(ASSET + 'files = ["a",\n"b/"]\n', "LF0160", 8, "b/", "b/**"),
        case('[[exclude]]\nfiles = ["/etc"]\nreason = "x"\n', "LF0160", 6, "absolute"),
        case(REFERENCE, "LF0161", 5, "needs a digest or a dated version"),
        case(REFERENCE + f'digest = "{DIGEST}"\nversion = "2026-01-01"\n', "LF0161", 5, "exactly one"),
        case(REFERENCE + f'digest = "{DIGEST.upper()}"\n', "LF0161", 9, "digest"),
        case(REFERENCE + 'version = "latest"\n', "LF0161", 9, "latest", "2026-01-31"),
        case(REFERENCE + 'version = "2026-13-01"\n', "LF0161", 9),
        case(REFERENCE.replace("https://d", "https://me:secret@d"), "LF0161", 8, "password"),
        case(REFERENCE.replace("https://d", "https://d d"), "LF0161", 8, "uri"),
        case(REFERENCE.replace("dataset", "code"), "LF0161", 6, "files only"),
        case('[[depends]]\nname = "a"\n', "LF0162", 5),
        case(f'[[depends]]\nname = "a"\ndigest = "{DIGEST}"\nenvironment = "staging"\n', "LF0162", 5),
        case('[[depends]]\nname = "a"\ndigest = "sha256:1"\n', "LF0162", 7),
        case('[[depends]]\nname = "a"\nenvironment = "stagign"\n', "LF0162", 7, "", "staging"),
        case('[realm]\nurl = "http://x"\n', "LF0163", 6),
        case('[realm]\nurl = "https://a:b@x"\n', "LF0163", 6, "password"),
        case('[realm]\nname = "A B"\n', "LF0163", 6),
        case((REFERENCE + f'digest = "{DIGEST}"\n') * 2, "LF0164", 12, "first in line 5"),
        case('[[depends]]\nname = "a"\nenvironment = "staging"\n' * 2, "LF0164", 9, "first in line 5"),
    ],
)
def test_refusals_name_the_line_and_the_way_out(text, code, line, says, hint):
    error = refused(text)
    assert (error.code, error.details["line"]) == (code, line)
    assert error.message.startswith(f"m.toml:{line}: ")
    assert says in error.message
    assert hint in error.hint


def test_a_reference_name_may_return_under_another_role():
    other = REFERENCE.replace('"dataset"', '"knowledge-base"')
    version = 'version = "2026-01-01"\n'
    assert len(parse_manifest(HEAD + REFERENCE + version + other + version).references) == 2


@pytest.mark.parametrize(
    "version", ["2026-01-31", "20260131", "gpt-4o-2024-08-06", "claude-20241022-v2", "2026-01-31T10:00Z"]
)
def test_dated_versions(version):
    manifest = parse_manifest(HEAD + REFERENCE + f'version = "{version}"\n')
    assert manifest.references[0].version == version


@pytest.mark.parametrize("version", ["v1", "20261301", "120260131", "2026-01-3", "", "2026-01-31 x"])
def test_versions_without_a_day(version):
    assert refused(HEAD + REFERENCE + f'version = "{version}"\n').code == "LF0161"


def test_nothing_under_check_configures_its_own_judge():
    text = (
        HEAD
        + 'waivers = ["all"]\nchecks = []\n'
        + "[policies]\nmode = 'off'\n[policies.deep]\nrules = 1\n"
        + "[[gate]]\nallow = true\n[Trust]\nroots = ['x']\n"
        + ASSET
        + 'files = ["a"]\nskip = true\nseverity = "info"\n'
        + '[realm]\nurl = "https://x.example"\nroot = "sha256:00"\nroot-digest = "y"\n'
    )
    manifest = parse_manifest(text)
    assert manifest == parse_manifest(text) is not None
    assert [(n.code, n.line, n.message.split("'")[1]) for n in manifest.notices] == [
        ("LF1030", 5, "release.waivers"),
        ("LF1030", 6, "release.checks"),
        ("LF1030", 7, "policies"),
        ("LF1030", 11, "gate"),
        ("LF1030", 13, "Trust"),
        ("LF1030", 18, "assets.skip"),
        ("LF1030", 19, "assets.severity"),
        ("LF1030", 22, "realm.root"),
        ("LF1030", 23, "realm.root-digest"),
    ]
    plain = parse_manifest(HEAD + ASSET + 'files = ["a"]\n[realm]\nurl = "https://x.example"\n')
    assert (manifest.realm, manifest.kind) == (plain.realm, plain.kind)
    assert [r.globs for r in manifest.assets] == [r.globs for r in plain.assets]


def test_no_key_that_means_something_is_ignored():
    for known, _ in SECTIONS.values():
        assert not [key for key in known if is_judge_key(key)]
    assert not [section for section in SECTIONS if is_judge_key(section)]


# The schema is what editors and other programs read: it must say what the parser does.


def test_the_schema_knows_the_same_keys(schema):
    jsonschema.Draft202012Validator.check_schema(schema)
    assert set(schema["properties"]) == set(SECTIONS)
    for name, (known, required) in SECTIONS.items():
        section = schema["properties"][name]
        assert (section["type"] == "array") is (name in LISTS)
        table = section["items"] if name in LISTS else section
        assert set(table["properties"]) == known
        assert set(table.get("required", [])) == required
        assert table["additionalProperties"] is False
        assert list(table["patternProperties"]) == list(schema["patternProperties"])
    assert schema["additionalProperties"] is False


def test_the_schema_knows_the_same_words(schema):
    def enum(section, key):
        found = schema["properties"][section]
        return set(found.get("items", found)["properties"][key]["enum"])

    assert enum("release", "kind") == {k.value for k in Kind}
    assert enum("release", "tier") == {t.value for t in Tier}
    assert enum("assets", "role") == {r.value for r in Role} - {"release-manifest", "release-policy"}
    assert enum("references", "role") == {r.value for r in REFERENCE_ROLES}
    assert enum("depends", "environment") == set(ENVIRONMENTS)


def test_the_schema_ignores_the_same_keys(schema):
    [pattern] = schema["patternProperties"]
    words = pattern.removeprefix("^(?:").removesuffix(")$").replace("[-_]", "_").split("|")
    assert set(words) == JUDGE_KEYS
    assert len(words) == len(JUDGE_KEYS)


TEXTS = st.sampled_from(
    ["a", "bot", "A B", "", "1.0", "2026-01-31", "x 2026-01-31", DIGEST, "sha256:1", "https://x", "file:///x", "http://x",
     "agent", "dataset", "code", "image-base", "high", "minimal", "staging", "other", "  ", "é", "x" * 300,
     "../a", "a/../b", "/a", "a/", "a/./b", "a.tar.gz", ".p/q..r"]
)  # fmt: skip
GLOBS = st.lists(st.sampled_from(["a", "**/b", "c/*.md"]), max_size=2)
VALUES = st.one_of(TEXTS, GLOBS, st.just(1))
EXTRA = st.sampled_from(["policies", "waivers", "max-age", "root_digest"])


@st.composite
def tables(draw, section):
    known, _ = SECTIONS[section]
    good = {
        "role": "image-base" if section == "references" else "dataset",
        "name": "bot",
        "kind": "agent",
        "tier": "high",
        "files": ["a"],
        "reason": "r",
        "uri": "https://x",
        "url": "https://x",
        "digest": DIGEST,
        "version": "2026-01-31",
        "environment": "staging",
        "licence": "LicenseRef-l",
        **dict.fromkeys(("source", "purpose", "legal_basis", "consent", "limits"), "said"),
        "collected_from": "2026-01-01",
        "collected_until": "2026-01-31",
        "personal_data": "no",
        "context": "c",
        "bundle": "rules",
    }
    table = {key: good[key] for key in draw(st.sets(st.sampled_from(sorted(known))))}
    if draw(st.booleans()):
        table = {key: good[key] for key in known if key not in {"version", "environment"}}
    if draw(st.booleans()):
        table[draw(st.one_of(st.sampled_from(sorted(known)), EXTRA))] = draw(VALUES)
    return table


@st.composite
def documents(draw):
    document = {}
    for section in SECTIONS:
        if section == "release" or draw(st.integers(0, 2)) == 0:
            one = draw(tables(section))
            document[section] = [one] if section in LISTS else one
    if draw(st.integers(0, 4)) == 0:
        document[draw(st.one_of(EXTRA, st.sampled_from(sorted(SECTIONS))))] = draw(VALUES)
    return document


def to_toml(document):
    def value(item):
        if isinstance(item, dict):
            return "{" + ", ".join(f"{json.dumps(k)} = {value(v)}" for k, v in item.items()) + "}"
        if isinstance(item, list):
            return "[" + ", ".join(map(value, item)) + "]"
        return json.dumps(item)

    return "".join(f"{json.dumps(key)} = {value(item)}\n" for key, item in document.items())


@given(documents())
def test_the_schema_accepts_what_the_parser_accepts(schema, document):
    text = to_toml(document)
    assert tomllib.loads(text) == document
    valid = jsonschema.Draft202012Validator(schema).is_valid(document)
    try:
        parse_manifest(text)
    except InvalidInput:
        assert not valid
    else:
        assert valid


@given(st.data())
def test_mutated_manifests_are_read_or_refused(data):
    chars = list(FULL)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(chars) - 1))
        chars[at] = data.draw(
            st.sampled_from(["", '"', "[", "]", "=", "\n", ".", "x", "é", "\\", "*", "/", "\0", "{"])
        )
    with contextlib.suppress(InvalidInput):
        parse_manifest("".join(chars))


def test_wild_patterns_have_a_budget(monkeypatch):
    monkeypatch.setattr(module, "MAX_WILD", 2)
    assert parse_manifest(HEAD + ASSET + 'files = ["a/*", "b/*", "c"]\n')
    error = refused(HEAD + ASSET + 'files = ["a/*", "b/*"]\n' + ASSET + 'files = ["c/*"]\n')
    assert error.code == "LF0152"
