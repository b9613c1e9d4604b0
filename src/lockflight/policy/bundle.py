"""Policy bundles in OPA's layout: `.manifest`, `policy/**.rego`, `data.json`, read strictly.

    .manifest              {revision, roots, rego_version: 1, metadata{name, version, entrypoint, required_rules,
                           and engines{environment: any | dual-where-present | dual} if it says so}}
    policy/**.rego         modules; `*_test.rego` hold tests and never judge
    data.json, X/data.json data, mounted at `data` and `data.X`
    rule_meta/data.json    what the `# METADATA` comments say
    bite/base.json         facts that must be allowed; bite/CODE.json patches them so that the rule CODE must fail
    bite/CODE.WORD.json    more of the same for tests; where WORD starts with `calm`, the rule CODE must pass, and
                           where it starts with `waived`, a waiver must take its failure away

A fixture is a list of JSON Patch operations, or {"facts": operations, "says": what the rule's result must hold}.

The digest is SHA-256 over the sorted (path, SHA-256 of the file), so it does not depend on how a bundle travels.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from lockflight.core.canonical import dumps, loads_strict
from lockflight.core.gate.gate import PolicyRef
from lockflight.core.records import dataclass
from lockflight.core.release.ownpolicy import files_digest
from lockflight.core.shape import array, obj, text, texts
from lockflight.core.text.names import check_names
from lockflight.errors import EnvironmentProblem, LockflightError
from lockflight.infra.files import FileKind, Folder
from lockflight.policy.engines.mode import mode_for, parse_modes
from lockflight.policy.text.names import TEST_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from lockflight.core.canonical import JsonObject, JsonValue
    from lockflight.policy.engines.mode import Mode

#: The packs of this installation.
SHIPPED = Path(__file__).with_name("packs")
MANIFEST = ".manifest"
RULE_META = "rule_meta"
BITE = "bite/"
BASE = BITE + "base.json"

MAX_FILES = 512
MAX_FILE_BYTES = 1024 * 1024
MAX_BYTES = 8 * 1024 * 1024

_PATH = re.compile(r"data(\.[A-Za-z_][A-Za-z0-9_]*)+")
_BITE_NAME = re.compile(r"bite/[A-Za-z][A-Za-z0-9_-]{1,63}(\.[a-z0-9-]{1,40})?\.json")


@dataclass(frozen=True, slots=True)
class Bite:
    """Facts for one rule.

    Attributes:
        operations: JSON Patch on the bundle's facts that are fine.
        says: fields that a result of the rule must have; `waived` lists the waivers that must be used.
    """

    operations: tuple[JsonValue, ...]
    says: JsonObject


@dataclass(frozen=True, slots=True)
class Bundle:
    """A policy that may be asked, once it has bitten.

    Attributes:
        name, version: for people.
        digest: SHA-256 over all files, 64 hex digits.
        entrypoint: such as `data.lockflight.gate.decision`.
        required_rules: codes without whose result nothing is allowed.
        engines: environment to how many engines must judge there.
        roots: first names of the packages and data that it owns.
        modules: path to text of every module that judges.
        tests: the same of every module that tests.
        data: everything under `data`.
        base: facts that must be allowed.
        bites: fixture (`CODE` or `CODE.WORD`) to facts that differ from `base`.
        files: path to SHA-256.
        bodies: path to content.
    """

    name: str
    version: str
    digest: str
    entrypoint: str
    required_rules: frozenset[str]
    engines: Mapping[str, Mode]
    roots: tuple[str, ...]
    modules: Mapping[str, str] = field(repr=False)
    tests: Mapping[str, str] = field(repr=False)
    data: JsonObject = field(repr=False)
    base: JsonObject = field(repr=False)
    bites: Mapping[str, Bite] = field(repr=False)
    files: Mapping[str, str] = field(repr=False)
    bodies: Mapping[str, bytes] = field(repr=False)

    @property
    def ref(self) -> PolicyRef:
        """What `core.gate` knows of it."""
        waivable = frozenset(code for code, meta in self.rules.items() if obj(meta)["waivable"] is True)
        named = tuple((code, text(obj(meta)["rule"])) for code, meta in sorted(self.rules.items()))
        return PolicyRef(self.name, self.version, self.digest, self.required_rules, waivable, named)

    @property
    def rules(self) -> JsonObject:
        """Rule code to metadata."""
        return obj(self.data[RULE_META])

    def mode(self, environment: str) -> Mode:
        """How many engines must judge in an environment."""
        return mode_for(self.engines, environment)


def baseline(known: Collection[str] = ()) -> Bundle:
    """The pack that ships with Lockflight.

    Args:
        known: as in `read_bundle`.

    Raises:
        EnvironmentProblem: LF4005 to LF4007 the installation is damaged.
    """
    return _baseline(frozenset(known))


@cache
def _baseline(known: frozenset[str]) -> Bundle:
    return read_bundle(dict(resource_files(SHIPPED / "baseline")), known)


def resource_files(folder: Path, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    """Path and content of every file of the installation below a folder."""
    for item in folder.iterdir():
        if item.is_dir():
            yield from resource_files(item, f"{prefix}{item.name}/")
        else:
            yield prefix + item.name, item.read_bytes()


def read_folder(path: Path) -> Bundle:
    """A bundle from a folder; links in it are refused.

    Raises:
        EnvironmentProblem: LF4005 to LF4007 it is no bundle; LF5xxx it cannot be read.
        NotFound: there is no such folder.
    """
    return read_bundle(folder_files(path))


def folder_files(path: Path) -> dict[str, bytes]:
    """The files of a bundle that stands in a folder.

    Raises:
        EnvironmentProblem: LF4005 it holds links, or too much; LF5xxx it cannot be read.
        NotFound: there is no such folder.
    """
    files: dict[str, bytes] = {}
    with Folder(path) as folder:
        for entry in folder.listing(skip=False).entries:
            if entry.kind is not FileKind.FILE:
                _problem(f"{entry.name} is not a regular file")
            if len(files) >= MAX_FILES:
                _problem(f"it holds more than {MAX_FILES} files")
            source = folder.open(entry.name)
            try:
                if source.size > MAX_FILE_BYTES:
                    _problem(f"{entry.name} is {source.size} bytes long; at most {MAX_FILE_BYTES} are read")
                files[entry.name] = source.read_at(0, source.size)
                source.check()
            finally:
                source.close()
    return files


def bundle_digest(files: Mapping[str, str]) -> str:
    """SHA-256 (hex) of a bundle from the SHA-256 (hex) of each file by path."""
    return files_digest(files)


def read_bundle(files: Mapping[str, bytes], known: Collection[str] = ()) -> Bundle:
    """A bundle from its files by path.

    Args:
        files: path to content.
        known: digests of bundles that this version has read before, whose modules need no lint again.

    Raises:
        EnvironmentProblem: LF4005 layout, LF4006 lint, LF4007 rule metadata.
    """
    _check_files(files)
    manifest = _json_object(files, MANIFEST)
    try:
        roots, meta = _manifest(manifest)
        name, version, entrypoint = (text(meta[key]) for key in ("name", "version", "entrypoint"))
        required = frozenset(texts(meta["required_rules"]))
        engines = parse_modes(meta.get("engines", {}))
    except (KeyError, TypeError, ValueError) as error:
        _problem(f"its {MANIFEST} lacks or misspells something: {error!s}")
    if not name or not version or not _PATH.fullmatch(entrypoint):
        _problem(f"its {MANIFEST} names no name, version or entrypoint such as data.lockflight.gate.decision")
    sources = {path: _utf8(path, body) for path, body in files.items() if path.endswith(".rego")}
    judging = {path: source for path, source in sources.items() if not path.endswith(TEST_SUFFIX)}
    digests = {path: hashlib.sha256(body).hexdigest() for path, body in files.items()}
    digest = bundle_digest(digests)
    data = _data(files, roots)
    if digest not in known:
        _check_modules(name, sources, roots)
        _check_rules(judging, data, required)
    return Bundle(
        name=name,
        version=version,
        digest=digest,
        entrypoint=entrypoint,
        required_rules=required,
        engines=engines,
        roots=roots,
        modules=judging,
        tests={path: source for path, source in sources.items() if path.endswith(TEST_SUFFIX)},
        data=data,
        base=_json_object(files, BASE),
        bites=_Bites(files) if digest in known else _bites(files),
        files=digests,
        bodies=dict(files),
    )


def _check_modules(name: str, sources: Mapping[str, str], roots: tuple[str, ...]) -> None:
    from lockflight.policy.text.factpaths import (
        lint_facts,  # and a reader of Rego, which a known bundle needs not
    )
    from lockflight.policy.text.lint import lint

    issues = (*lint(sources, roots), *lint_facts(sources))
    if issues:
        more = f" (and {len(issues) - 1} more)" if len(issues) > 1 else ""
        raise EnvironmentProblem(
            "LF4006",
            f"The policy bundle {name} may not judge: {issues[0]}{more}.",
            hint="lockflight policy lint BUNDLE",
            details={"issues": [str(issue) for issue in issues[:100]]},
        )


def _check_files(files: Mapping[str, bytes]) -> None:
    if len(files) > MAX_FILES or sum(len(body) for body in files.values()) > MAX_BYTES:
        _problem(f"it holds more than {MAX_FILES} files or {MAX_BYTES} bytes")
    try:
        check_names(files)
    except LockflightError as error:
        _problem(error.message.rstrip("."))
    for path, body in files.items():
        if len(body) > MAX_FILE_BYTES:
            _problem(f"{path} is {len(body)} bytes long; at most {MAX_FILE_BYTES} are read")
        if (
            path == MANIFEST
            or _BITE_NAME.fullmatch(path)
            or path == "data.json"
            or path.endswith("/data.json")
        ):
            continue
        if not (path.startswith("policy/") and path.endswith(".rego")):
            _problem(f"{path} has no place in a bundle")
    if not any(path.endswith(".rego") for path in files):
        _problem("it has no policy/*.rego")


def _manifest(manifest: JsonObject) -> tuple[tuple[str, ...], JsonObject]:
    unknown = set(manifest).difference({"revision", "roots", "rego_version", "metadata"})
    if unknown:
        raise ValueError(f"unknown field {min(unknown)!r}")
    text(manifest["revision"])
    if manifest["rego_version"] != 1:
        raise ValueError("rego_version is not 1")
    meta = obj(manifest["metadata"])
    unknown = set(meta).difference({"name", "version", "entrypoint", "required_rules", "engines"})
    if unknown:
        raise ValueError(f"unknown field {min(unknown)!r}")
    return texts(manifest["roots"]), meta


def _data(files: Mapping[str, bytes], roots: tuple[str, ...]) -> JsonObject:
    data: JsonObject = {}
    for path in sorted(files):
        if path != "data.json" and not path.endswith("/data.json"):
            continue
        place = data
        for part in path.split("/")[:-1]:
            below = place.setdefault(part, {})
            if not isinstance(below, dict):
                _problem(f"{path} lies inside a value of another data.json")
            place = below
        for key, value in _json_object(files, path).items():
            if key in place:
                _problem(f"{path} repeats the key {key!r} of another data.json")
            place[key] = value
    outside = sorted(set(data).difference(roots))
    if outside:
        _problem(f"its data holds {outside[0]!r}, which is not one of its roots")
    return data


def _check_rules(judging: Mapping[str, str], data: JsonObject, required: frozenset[str]) -> None:
    from lockflight.policy.text.annotations import rule_metadata

    meta = rule_metadata(judging)
    if data.get(RULE_META) != meta:
        raise EnvironmentProblem(
            "LF4007",
            f"The file {RULE_META}/data.json does not say what the # METADATA comments of the modules say.",
            hint="lockflight policy lint BUNDLE",
            details={"expected": meta},
        )
    unknown = sorted(required.difference(meta))
    if unknown or not required:
        _problem(
            f"required_rules names {unknown[0]!r}, which no rule has"
            if unknown
            else "required_rules is empty"
        )


def _bites(files: Mapping[str, bytes]) -> dict[str, Bite]:
    bites: dict[str, Bite] = {}
    for path in sorted(files):
        if not path.startswith(BITE) or path == BASE:
            continue
        raw = _json(files, path)
        try:
            whole = raw if isinstance(raw, dict) else {"facts": raw, "says": {}}
            if set(whole) != {"facts", "says"}:
                raise ValueError("it has other fields than facts and says")
            bite = Bite(tuple(array(whole["facts"])), obj(whole["says"]))
        except (TypeError, ValueError):
            _problem(f"{path} is neither a list of JSON Patch operations nor {{facts, says}}")
        bites[path.removeprefix(BITE).removesuffix(".json")] = bite
    return bites


class _Bites(Mapping[str, Bite]):
    """Fixtures of a known bundle, read when they are first asked for: a proven one judges without them."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files
        self._read: dict[str, Bite] | None = None

    def _all(self) -> dict[str, Bite]:
        if self._read is None:
            self._read = _bites(self._files)
        return self._read

    def __getitem__(self, name: str) -> Bite:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


def _json(files: Mapping[str, bytes], path: str) -> JsonValue:
    if path not in files:
        _problem(f"it has no {path}")
    try:
        value = loads_strict(files[path], what=path, max_bytes=MAX_FILE_BYTES)
        dumps(value)
    except LockflightError as error:
        _problem(error.message.rstrip("."))
    except (TypeError, ValueError) as error:
        _problem(f"{path} holds what engines differ on: {error}")
    return value


def _json_object(files: Mapping[str, bytes], path: str) -> JsonObject:
    value = _json(files, path)
    if not isinstance(value, dict):
        _problem(f"{path} is not a JSON object")
    return value


def _utf8(path: str, body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        _problem(f"{path} is not UTF-8")


def _problem(what: str) -> NoReturn:
    raise EnvironmentProblem(
        "LF4005", f"This is not a policy bundle: {what}.", hint="lockflight policy lint BUNDLE"
    )
