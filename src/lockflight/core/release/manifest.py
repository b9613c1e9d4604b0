"""`lockflight.toml`: what a release is made of, said by its author and judged by others.

    [release]            name, version (default "dev"), kind, tier
    [[assets]]           role, files = [patterns]; of data also licence, source and more (`core.datacard`)
    [[exclude]]          files = [patterns], reason
    [[references]]       role, name, uri, digest = "sha256:…" or a dated version; licence, context
    [[depends]]          name, digest = "sha256:…" (pinned) or environment = "staging" (following)
    [policy]             bundle: a folder or .tar.gz of the release whose rules must hold beside the realm's
    [realm]              url, name: a hint, believed only if the root digest comes from elsewhere

A policy of its own can only make a release harder to let in (`core.gate`). Nothing under check configures its own
judge: keys that try to name policies, trust, waivers or thresholds change nothing and become notices (LF1030). Any
other unknown key is an error, so a typing error never drops a rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import field

from lockflight.core.records import dataclass
from lockflight.core.release.datacard import CARD_KEYS, DATA_ROLES, CardError, DataCard, make_card
from lockflight.core.release.ownpolicy import ARCHIVE, is_place
from lockflight.core.release.release import (
    MANIFEST_NAME,
    NAME_PATTERN,
    VERSION_PATTERN,
    Dependency,
    Reference,
)
from lockflight.core.text.globs import Glob, parse_glob
from lockflight.core.text.suggest import did_you_mean
from lockflight.core.text.toml_lines import Path, Toml, over_budget, read_toml
from lockflight.core.words import ENVIRONMENTS, OWN_ROLES, REFERENCE_ROLES, Kind, Role, Tier
from lockflight.errors import InvalidInput

MAX_RULES = 2_000
#: Patterns that must be tried one by one against every name.
MAX_WILD = 1_000
MAX_TEXT = 2_000

REFERENCE_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._/:@+-]{0,254}$"
DIGEST_PATTERN = r"^sha256:[0-9a-f]{64}$"
#: A version that names a day: providers move undated names to new models without a word.
DATED_PATTERN = (
    r"^(?:[!-~]{0,100}[!-/:-~])?"
    r"20[0-9]{2}-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12][0-9]|3[01])"
    r"(?:[!-/:-~][!-~]{0,100})?$"
)
URI_PATTERN = r"^[!-~]{1,2048}$"
REALM_URL_PATTERN = r"^(?:https|file):[!-~]{1,2040}$"
_PASSWORD = re.compile(r"^[a-z0-9+.-]+://[^/@]*:[^/@]*@", re.IGNORECASE)

#: Section -> its keys, and those that it cannot do without. `[[…]]` sections are lists of tables.
SECTIONS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "release": (frozenset({"name", "version", "kind", "tier"}), frozenset({"name", "kind", "tier"})),
    "assets": (frozenset({"role", "files", *CARD_KEYS}), frozenset({"role", "files"})),
    "exclude": (frozenset({"files", "reason"}), frozenset({"files", "reason"})),
    "references": (
        frozenset({"role", "name", "uri", "digest", "version", "licence", "context"}),
        frozenset({"role", "name", "uri"}),
    ),
    "depends": (frozenset({"name", "digest", "environment"}), frozenset({"name"})),
    "policy": (frozenset({"bundle"}), frozenset({"bundle"})),
    "realm": (frozenset({"url", "name"}), frozenset()),
}
LISTS = frozenset({"assets", "exclude", "references", "depends"})

#: Keys, at any level, by which a repository would configure its own judge (`-` and `_` alike, case ignored).
JUDGE_KEYS = frozenset(
    """
    policies trust trusted gate gates rule rulesets rules waiver waivers waive severity
    severities threshold thresholds check checks scan scans scanner scanners root roots root_digest
    key keys pin pins log witness witnesses grant grants quorum approval approvals approver
    approvers identity identities admin admins plugin plugins ignore ignores skip disable disabled
    enable enabled allow allowed allowlist exempt exemption exemptions baseline safe signature
    signatures signer signers sign separation freshness max_age offline require required evidence
    """.split()  # noqa: SIM905 - a list of fifty strings reads worse
)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that the author should know and that changes nothing.

    Attributes:
        code: key of `lockflight explain`.
        message: what was ignored and why.
        line: its line in the manifest.
    """

    code: str
    message: str
    line: int


@dataclass(frozen=True, slots=True)
class AssetRule:
    """One `[[assets]]` table: these files have this role, and, where they are data, this is said about them."""

    role: Role
    globs: tuple[Glob, ...]
    line: int
    data: DataCard | None = None


@dataclass(frozen=True, slots=True)
class ExcludeRule:
    """One `[[exclude]]` table: these files are not part of the release."""

    globs: tuple[Glob, ...]
    reason: str
    line: int


@dataclass(frozen=True, slots=True)
class RealmHint:
    """The realm that the repository would like to be judged in; never believed by itself."""

    url: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `lockflight.toml` says; `policy` is the place of the release's own policy, empty for none."""

    name: str
    version: str
    kind: Kind
    tier: Tier
    assets: tuple[AssetRule, ...] = ()
    excludes: tuple[ExcludeRule, ...] = ()
    references: tuple[Reference, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    realm: RealmHint = field(default_factory=RealmHint)
    policy: str = ""
    notices: tuple[Notice, ...] = ()


def is_judge_key(key: str) -> bool:
    """Whether a key would configure the judge, and is therefore ignored."""
    return key.casefold().replace("-", "_") in JUDGE_KEYS


def parse_manifest(data: bytes | str, *, where: str = MANIFEST_NAME) -> Manifest:
    """Read a manifest.

    Args:
        data: the TOML text (UTF-8).
        where: how messages name the file.

    Raises:
        InvalidInput: LF0151 not TOML, LF0152 over budget, LF0153 unknown key, LF0154 wrong type, LF0155
            missing or empty, LF0156 role, LF0157 kind, LF0158 tier, LF0159 name or version, LF0160 pattern,
            LF0161 reference, LF0162 dependency, LF0163 realm, LF0164 a name twice, LF0166 the own policy's place,
            LF0175 what is said about data.
    """
    return _Reader(read_toml(data, where=where), where).manifest()


class _Reader:
    def __init__(self, toml: Toml, where: str) -> None:
        self.toml = toml
        self.where = where
        self.notices: list[Notice] = []
        self.wild = 0
        self.seen: dict[tuple[str, str], int] = {}

    def manifest(self) -> Manifest:
        top = self._known((), self.toml.data, frozenset(SECTIONS))
        if "release" not in top:
            raise self._error(
                "LF0155", (), "there is no [release] section", "Add [release] with name, kind and tier."
            )
        head = self._table(("release",), top["release"])
        name = self._matching(
            head, "name", NAME_PATTERN, "LF0159", "lower-case letters, digits, dot, dash and underscore"
        )
        version = "dev"
        if "version" in head.values:
            version = self._matching(
                head, "version", VERSION_PATTERN, "LF0159", "letters, digits and . _ + -"
            )
        kind = self._word(head, "kind", [k.value for k in Kind], "LF0157")
        tier = self._word(head, "tier", [t.value for t in Tier], "LF0158")
        assets = tuple(self._asset(t) for t in self._tables("assets", top))
        own = self._own(top)
        excludes = tuple(self._exclude(t) for t in self._tables("exclude", top))
        references = tuple(self._reference(t) for t in self._tables("references", top))
        dependencies = tuple(self._dependency(t) for t in self._tables("depends", top))
        return Manifest(
            name=name,
            version=version,
            kind=Kind(kind),
            tier=Tier(tier),
            assets=assets if own is None else (*assets, own[1]),
            excludes=excludes,
            references=references,
            dependencies=dependencies,
            realm=self._realm(top),
            policy="" if own is None else own[0],
            notices=tuple(sorted(self.notices, key=lambda n: (n.line, n.message))),
        )

    # One method per section.

    def _asset(self, table: _Table) -> AssetRule:
        role = self._role(table)
        return AssetRule(role, self._globs(table), self.toml.line(table.path), self._card(table, role))

    def _card(self, table: _Table, role: Role) -> DataCard | None:
        said = {key: self._text(table, key) for key in CARD_KEYS if key in table.values}
        if not said:
            return None
        if role not in DATA_ROLES:
            allowed = ", ".join(sorted(r.value for r in DATA_ROLES))
            first = next(iter(said))
            raise self._error(
                "LF0175",
                (*table.path, first),
                f"{first!r} is said about data, and the role here is {role.value!r}",
                f"Roles of data: {allowed}.",
            )
        try:
            card = make_card(said)
        except CardError as error:
            raise self._error("LF0175", (*table.path, error.key), error.why, error.hint) from None
        if card.licence and not card.licence_known:
            line = self.toml.line((*table.path, "licence"))
            message = f"{self.where}:{line}: the licence {card.licence[:120]!a} is not known to SPDX."
            self.notices.append(Notice("LF1032", message, line))
        return card

    def _exclude(self, table: _Table) -> ExcludeRule:
        return ExcludeRule(self._globs(table), self._text(table, "reason"), self.toml.line(table.path))

    def _reference(self, table: _Table) -> Reference:
        role = self._role(table)
        if role not in REFERENCE_ROLES:
            allowed = ", ".join(sorted(r.value for r in REFERENCE_ROLES))
            raise self._error(
                "LF0161",
                (*table.path, "role"),
                f"the role {role.value!r} is for files only",
                f"References have one of: {allowed}.",
            )
        name = self._matching(
            table, "name", REFERENCE_NAME_PATTERN, "LF0159", "letters, digits and . _ / : @ + -"
        )
        uri = self._matching(table, "uri", URI_PATTERN, "LF0161", "printable characters without spaces")
        self._no_password(table, "uri", uri, "LF0161")
        if ("digest" in table.values) == ("version" in table.values):
            raise self._error(
                "LF0161",
                table.path,
                f"the reference {name!r} needs a digest or a dated version, exactly one of them",
                'Add digest = "sha256:…" (best) or version = "2026-01-31".',
            )
        digest = version = ""
        if "digest" in table.values:
            digest = self._matching(
                table, "digest", DIGEST_PATTERN, "LF0161", '"sha256:" and 64 lower-case hex digits'
            )
        else:
            version = self._matching(
                table, "version", DATED_PATTERN, "LF0161", "a version that holds a date such as 2026-01-31"
            )
        licence = self._text(table, "licence") if "licence" in table.values else ""
        context = self._text(table, "context") if "context" in table.values else ""
        self._once(table, "name", f"reference {role.value}", name)
        return Reference(
            name=name, role=role, uri=uri, digest=digest, version=version, licence=licence, context=context
        )

    def _dependency(self, table: _Table) -> Dependency:
        name = self._matching(table, "name", NAME_PATTERN, "LF0159", "the name of a release")
        if ("digest" in table.values) == ("environment" in table.values):
            raise self._error(
                "LF0162",
                table.path,
                f"the dependency {name!r} needs a digest (pinned) or an environment (following), not both",
                'Add digest = "sha256:…" or environment = "production".',
            )
        self._once(table, "name", "dependency", name)
        if "digest" in table.values:
            digest = self._matching(
                table, "digest", DIGEST_PATTERN, "LF0162", '"sha256:" and 64 lower-case hex digits'
            )
            return Dependency(name=name, digest=digest)
        return Dependency(name=name, environment=self._word(table, "environment", ENVIRONMENTS, "LF0162"))

    def _own(self, top: dict[str, object]) -> tuple[str, AssetRule] | None:
        """The place of the own policy, and the rule that makes its files assets."""
        if "policy" not in top:
            return None
        table = self._table(("policy",), top["policy"])
        place = self._string(table, "bundle")
        if not is_place(place):
            raise self._error(
                "LF0166",
                ("policy", "bundle"),
                f"bundle = {place[:120]!a} is not usable",
                f'Name a folder or {ARCHIVE} of the workspace: bundle = "policy".',
            )
        pattern = parse_glob(place if place.endswith(ARCHIVE) else f"{place}/**")
        return place, AssetRule(Role.RELEASE_POLICY, (pattern,), self.toml.line(table.path))

    def _realm(self, top: dict[str, object]) -> RealmHint:
        if "realm" not in top:
            return RealmHint()
        table = self._table(("realm",), top["realm"])
        url = name = ""
        if "url" in table.values:
            url = self._matching(table, "url", REALM_URL_PATTERN, "LF0163", "an https: or file: address")
            self._no_password(table, "url", url, "LF0163")
        if "name" in table.values:
            name = self._matching(table, "name", NAME_PATTERN, "LF0163", "the name of a realm")
        return RealmHint(url=url, name=name)

    # Shapes.

    def _known(self, path: Path, raw: dict[str, object], known: frozenset[str]) -> dict[str, object]:
        result: dict[str, object] = {}
        for key, value in raw.items():
            if key in known:
                result[key] = value
            elif is_judge_key(key):
                place = ".".join([*(str(p) for p in path if isinstance(p, str)), key])
                self.notices.append(
                    Notice(
                        "LF1030",
                        f"{self.where}:{self.toml.line((*path, key))}: {place!r} changes nothing: "
                        "policy and trust come from the realm, never from what is checked.",
                        self.toml.line((*path, key)),
                    )
                )
            else:
                owner = f"{_form(str(path[0]))} has no key" if path else "there is no section"
                raise self._error(
                    "LF0153",
                    (*path, key),
                    f"{owner} {key[:80]!a}",
                    did_you_mean(key[:80], known, otherwise=f"Known: {', '.join(sorted(known))}."),
                )
        return result

    def _table(self, path: Path, value: object) -> _Table:
        section = str(path[0])
        if not isinstance(value, dict):
            raise self._error("LF0154", path, f"{section!r} must be a table", f"Write {_form(section)}.")
        known, required = SECTIONS[section]
        values = self._known(path, value, known)
        missing = sorted(required - values.keys())
        if missing:
            raise self._error(
                "LF0155", path, f"{section!r} lacks {', '.join(missing)}", f"Add {missing[0]} = …"
            )
        return _Table(path, values)

    def _tables(self, section: str, top: dict[str, object]) -> list[_Table]:
        value = top.get(section, [])
        if not isinstance(value, list):
            raise self._error(
                "LF0154",
                (section,),
                f"{section!r} is a list of tables",
                f"Write [[{section}]], with two brackets.",
            )
        if len(value) > MAX_RULES:
            raise over_budget(
                self.where, self.toml.line((section,)), f"holds more than {MAX_RULES} [[{section}]] tables"
            )
        return [self._table((section, i), item) for i, item in enumerate(value)]

    # Values.

    def _string(self, table: _Table, key: str) -> str:
        value = table.values.get(key)
        if not isinstance(value, str):
            raise self._error("LF0154", (*table.path, key), f"{key!r} must be text", f'Write {key} = "…".')
        return value

    def _text(self, table: _Table, key: str) -> str:
        value = self._string(table, key).strip()
        if not value:
            raise self._error("LF0155", (*table.path, key), f"{key!r} is empty", "Say it in one sentence.")
        if len(value) > MAX_TEXT or any(
            (ord(c) < 0x20 and c not in "\n\t") or 0x7F <= ord(c) < 0xA0 for c in value
        ):
            raise self._error(
                "LF0154",
                (*table.path, key),
                f"{key!r} is longer than {MAX_TEXT} characters or holds control characters",
                "",
            )
        return value

    def _matching(self, table: _Table, key: str, pattern: str, code: str, form: str) -> str:
        value = self._string(table, key)
        if not re.fullmatch(pattern, value):
            raise self._error(
                code, (*table.path, key), f"{key} = {value[:120]!a} is not usable", f"Expected: {form}."
            )
        return value

    def _word(self, table: _Table, key: str, words: Iterable[str], code: str) -> str:
        value, words = self._string(table, key), list(words)
        if value not in words:
            raise self._error(
                code,
                (*table.path, key),
                f"there is no {key} {value[:80]!a}",
                did_you_mean(value[:80], words, otherwise=f"One of: {', '.join(words)}."),
            )
        return value

    def _role(self, table: _Table) -> Role:
        # Files get these roles by what they are, never by a rule.
        words = [r.value for r in Role if r not in OWN_ROLES]
        return Role(self._word(table, "role", words, "LF0156"))

    def _globs(self, table: _Table) -> tuple[Glob, ...]:
        files = table.values["files"]
        patterns = [f for f in files if isinstance(f, str)] if isinstance(files, list) else []
        if not isinstance(files, list) or len(patterns) != len(files):
            raise self._error(
                "LF0154",
                (*table.path, "files"),
                "'files' must be a list of patterns",
                'Write files = ["prompts/*.md"].',
            )
        if not patterns:
            raise self._error(
                "LF0155", (*table.path, "files"), "'files' is empty", "Name a file or remove the rule."
            )
        globs = []
        for i, pattern in enumerate(patterns):
            try:
                globs.append(parse_glob(pattern))
                self.wild += not globs[-1].literal
            except InvalidInput as error:
                raise self._error(
                    "LF0160", (*table.path, "files", i), error.message.rstrip("."), error.hint
                ) from None
        if self.wild > MAX_WILD:
            line = self.toml.line((*table.path, "files"))
            raise over_budget(self.where, line, f"has more than {MAX_WILD} patterns with wildcards")
        return tuple(globs)

    def _once(self, table: _Table, key: str, what: str, value: str) -> None:
        if (what, value) in self.seen:
            first = self.seen[what, value]
            raise self._error(
                "LF0164",
                (*table.path, key),
                f"the {what} {value!r} is there twice, first in line {first}",
                "Remove one.",
            )
        self.seen[what, value] = self.toml.line(table.path)

    def _no_password(self, table: _Table, key: str, value: str, code: str) -> None:
        if _PASSWORD.match(value):
            raise self._error(
                code,
                (*table.path, key),
                f"the {key} holds a password",
                "Releases are published: remove it and change it.",
            )

    def _error(self, code: str, path: Path, what: str, hint: str) -> InvalidInput:
        line = self.toml.line(path)
        return InvalidInput(
            code, f"{self.where}:{line}: {what}.", hint=hint, details={"file": self.where, "line": line}
        )


@dataclass(frozen=True, slots=True)
class _Table:
    path: Path
    values: dict[str, object]


def _form(section: str) -> str:
    return f"[[{section}]]" if section in LISTS else f"[{section}]"
