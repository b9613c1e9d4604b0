"""A release: name, version, kind, risk tier and ordered assets; its digest is its identity.

The statement is OpenSSF Model Signing v1.0 with `method=files` and SHA-256, so stock verifiers accept it. Roles,
sizes, media types, BLAKE3, digests of tensors and rows, and words about data live in `resources[].annotations`; name,
version, kind, tier and the descriptors of outside things in those of `lockflight.toml`, the first asset. The digest is
the SHA-256 of the canonical payload: no time, path, tool or signer is inside.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import field, replace
from typing import TYPE_CHECKING

from lockflight.core.canonical import JsonObject, JsonValue, dumps, loads_object
from lockflight.core.log.merkle import leaf_hash, root
from lockflight.core.records import dataclass
from lockflight.core.release.datacard import DATA_ROLES, TABLE_ROLES, DataCard, parse_card
from lockflight.core.release.ownpolicy import inside, own_digest, own_from_json, own_json
from lockflight.core.release.rows import RowIndex, parse_row_index
from lockflight.core.release.tensors import FILE_COST, MAX_TENSORS, TensorIndex, parse_index
from lockflight.core.shape import array, hex64, natural, obj, text
from lockflight.core.text.names import check_names
from lockflight.core.words import VIEWS, Kind, Role, Tier
from lockflight.errors import InvalidInput, VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Iterable

MANIFEST_NAME = "lockflight.toml"
SIGNATURE_NAME = "model.sig"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
OMS_PREDICATE = "https://model_signing/signature/v1.0"
#: Names and versions are one plain word each: they name slots, and two that look alike are alike.
NAME_PATTERN = r"^[a-z0-9](?:[a-z0-9._-]{0,126}[a-z0-9])?$"
VERSION_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$"
#: As many as fit the size budget of a statement (`canonical.MAX_BYTES`) with long names.
MAX_ASSETS = 20_000
#: Bytes of a statement that the rows of all its tables may take; with more, no table of it has an index.
MAX_ROWS_COST = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of a release.

    Attributes:
        name: POSIX path relative to the release's folder.
        role: what it is for.
        size: bytes.
        sha256: 64 lower-case hex digits.
        blake3: 64 lower-case hex digits.
        media_type: what its first bytes say that it is, such as `application/vnd.python.pickle`.
        tensors: digests of the parts of a safetensors file; None for other files, and where there are too many.
        rows: digests of the rows of a table in the role `dataset` or `eval-set`; None where they are not known.
        data: what the manifest says about data; None where it says nothing.
    """

    name: str
    role: Role
    size: int
    sha256: str
    blake3: str
    media_type: str = "application/octet-stream"
    tensors: TensorIndex | None = None
    rows: RowIndex | None = None
    data: DataCard | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """A descriptor of something outside the folder: image, dataset, hosted model.

    Exactly one of `digest` (`sha256:` + 64 hex) and `version` (a dated version) pins it.
    """

    name: str
    role: Role
    uri: str
    digest: str = ""
    version: str = ""
    licence: str = ""
    context: str = ""

    def to_json(self) -> JsonObject:
        """All fields that are set."""
        pairs = {
            "name": self.name,
            "role": self.role.value,
            "uri": self.uri,
            "digest": self.digest,
            "version": self.version,
            "licence": self.licence,
            "context": self.context,
        }
        return {key: value for key, value in pairs.items() if value}

    @property
    def sha256(self) -> str:
        """What views and facts count as its digest: the SHA-256 of the canonical descriptor."""
        return hashlib.sha256(dumps(self.to_json())).hexdigest()


@dataclass(frozen=True, slots=True)
class Dependency:
    """Another release that this one uses: pinned (`digest`) or following (`environment`)."""

    name: str
    digest: str = ""
    environment: str = ""

    def to_json(self) -> JsonObject:
        """All fields that are set."""
        pairs = {"name": self.name, "digest": self.digest, "environment": self.environment}
        return {key: value for key, value in pairs.items() if value}


@dataclass(frozen=True, slots=True)
class Release:
    """Everything that one signature covers. `assets[0]` is `lockflight.toml`; the rest is in code point order.

    `policy` is the place of the release's own policy among its assets, a folder or an archive; empty for none.
    """

    name: str
    version: str
    kind: Kind
    tier: Tier
    assets: tuple[Asset, ...]
    references: tuple[Reference, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    policy: str = ""
    _cache: dict[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    @property
    def payload(self) -> bytes:
        """Canonical OMS statement: the bytes that are signed."""
        if "payload" not in self._cache:
            self._cache["payload"] = dumps(self._statement())
        return self._cache["payload"]

    @property
    def digest(self) -> str:
        """SHA-256 of `payload`, 64 hex digits: the identity of the release."""
        return hashlib.sha256(self.payload).hexdigest()

    @property
    def oms_root(self) -> str:
        """SHA-256 over the raw asset digests in resource order: what OMS tools show. Never the identity."""
        return _oms_root(a.sha256 for a in _resource_order(self.assets))

    @property
    def contents(self) -> tuple[str, ...]:
        """Everything in it that can be revoked, as hex SHA-256: files, references, and what it is pinned to."""
        found = [a.sha256 for a in self.assets]
        for reference in self.references:
            found += [reference.sha256, reference.digest.removeprefix("sha256:")]
        found += [dependency.digest.removeprefix("sha256:") for dependency in self.dependencies]
        return tuple(dict.fromkeys(digest for digest in found if digest))

    def asset(self, name: str) -> Asset | None:
        """The asset of that name, or None."""
        return next((a for a in self.assets if a.name == name), None)

    @property
    def policy_assets(self) -> tuple[Asset, ...]:
        """The files of its own policy."""
        return tuple(a for a in self.assets if a.role is Role.RELEASE_POLICY)

    @property
    def policy_digest(self) -> str:
        """Digest of its own policy, 64 hex digits; empty where it has none."""
        return own_digest(self.policy, ((a.name, a.sha256) for a in self.assets)) if self.policy else ""

    def view(self, name: str) -> str:
        """Domain-separated Merkle root (64 hex) of one fixed view; names are those of `VIEWS`."""
        roles = VIEWS[name]
        rows = [(a.role.value, a.name, a.sha256) for a in self.assets if a.role in roles]
        rows += [(r.role.value, r.name, r.sha256) for r in self.references if r.role in roles]
        return view_root(name, rows)

    def views(self) -> dict[str, str]:
        """All fixed views, name to root."""
        return {name: self.view(name) for name in VIEWS}

    def _statement(self) -> JsonObject:
        return {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": self.name, "digest": {"sha256": self.oms_root}}],
            "predicateType": OMS_PREDICATE,
            "predicate": {
                "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": False},
                "resources": [self._resource(a) for a in _resource_order(self.assets)],
            },
        }

    def _resource(self, asset: Asset) -> JsonObject:
        annotations: JsonObject = {
            "role": asset.role.value,
            "size": asset.size,
            "mediaType": asset.media_type,
            "blake3": asset.blake3,
        }
        if asset.tensors is not None:
            annotations["tensors"] = asset.tensors.to_json()
        if asset.rows is not None:
            annotations["rows"] = asset.rows.to_json()
        if asset.data is not None:
            annotations["data"] = asset.data.to_json()
        if asset.name == MANIFEST_NAME:
            said: JsonObject = {
                "name": self.name,
                "version": self.version,
                "kind": self.kind.value,
                "tier": self.tier.value,
                "references": [r.to_json() for r in self.references],
                "dependencies": [d.to_json() for d in self.dependencies],
            }
            if self.policy:
                said["policy"] = own_json(self.policy, self.policy_digest)
            annotations["release"] = said
        return {
            "name": asset.name,
            "algorithm": "sha256",
            "digest": asset.sha256,
            "annotations": annotations,
        }


def view_root(view: str, rows: Iterable[tuple[str, str, str]]) -> str:
    """Merkle root over (role, name, sha256 hex) rows, sorted; the view's name separates the domains."""
    leaves = [
        leaf_hash(dumps(["lockflight-view/v1", view, role, name, digest]))
        for role, name, digest in sorted(rows)
    ]
    head = leaf_hash(dumps(["lockflight-view/v1", view, len(leaves)]))
    return root([head, *leaves]).hex()


def _resource_order(assets: Iterable[Asset]) -> list[Asset]:
    return sorted(assets, key=lambda a: a.name)


def _oms_root(digests: Iterable[str]) -> str:
    state = hashlib.sha256()
    for digest in digests:
        state.update(bytes.fromhex(digest))
    return state.hexdigest()


def make_release(
    *,
    name: str,
    version: str,
    kind: Kind,
    tier: Tier,
    assets: Iterable[Asset],
    references: Iterable[Reference] = (),
    dependencies: Iterable[Dependency] = (),
    policy: str = "",
) -> Release:
    """Order the assets, check their names and build the release.

    Raises:
        InvalidInput: LF1010 to LF1019 for names (see `core.names`), LF1020 without assets beside the manifest,
            LF1021 without the manifest, LF1022 its own policy has no files, or others have their role.
    """
    ordered = _indexed(sorted(assets, key=lambda a: (a.name != MANIFEST_NAME, a.name)))
    outside = tuple(sorted(references, key=lambda r: (r.role.value, r.name)))
    check_names([a.name for a in ordered])
    if len(ordered) > MAX_ASSETS:
        raise InvalidInput(
            "LF1019",
            f"The release {name!r} has {len(ordered)} assets; at most {MAX_ASSETS} are signed as one release.",
            hint="Pack many small files into one (Parquet, safetensors, an archive), or make several releases.",
        )
    if not ordered or ordered[0].name != MANIFEST_NAME:
        raise InvalidInput(
            "LF1021",
            f"The release {name!r} has no {MANIFEST_NAME}, its first asset.",
            hint="lockflight init DIR",
        )
    if len(ordered) == 1 and not outside:
        raise InvalidInput(
            "LF1020",
            f"The release {name!r} is empty: no file and no reference beside {MANIFEST_NAME}.",
            hint=f"Name files under [[assets]] in {MANIFEST_NAME}, or run lockflight init DIR.",
        )
    _check_policy(name, policy, ordered)
    return Release(
        name=name,
        version=version,
        kind=kind,
        tier=tier,
        assets=tuple(ordered),
        references=outside,
        dependencies=tuple(sorted(dependencies, key=lambda d: d.name)),
        policy=policy,
    )


def _check_policy(name: str, place: str, assets: Iterable[Asset]) -> None:
    """The files of the own policy are those at its place, all of them and no others."""
    there = {a.name for a in assets if place and inside(place, a.name)}
    marked = {a.name for a in assets if a.role is Role.RELEASE_POLICY}
    if there == marked and bool(there) == bool(place):
        return
    what = (
        f"has no file in {place!r}, where its own policy should be"
        if not there
        else f"holds {min(there ^ marked)!r}, of which it is not clear whether it belongs to its own policy"
    )
    raise InvalidInput(
        "LF1022",
        f"The release {name!r} {what}.",
        hint=f"lockflight policy new our-rules --out {place or 'policy'} makes a policy to start from.",
    )


def _indexed(assets: list[Asset]) -> list[Asset]:
    """The assets, without any index of tensors or rows where all of these would not fit into a statement."""
    if sum(a.rows.cost for a in assets if a.rows is not None) > MAX_ROWS_COST:
        assets = [a if a.rows is None else replace(a, rows=None) for a in assets]
    tensors = sum(len(a.tensors.digests) for a in assets if a.tensors is not None)
    if tensors <= max(0, MAX_TENSORS - FILE_COST * len(assets)):
        return assets
    return [a if a.tensors is None else replace(a, tensors=None) for a in assets]


def parse_release(payload: bytes) -> Release:
    """Read a release back from the verified payload of its statement, strictly.

    Raises:
        VerificationFailed: LF7101 to LF7103 (JSON), LF7110 not the statement of a release, LF7111 a name that a
            release may not hold, LF7112 resources out of order or repeated, LF7113 the bytes are not the
            canonical form of what they say.
    """
    body = loads_object(payload, what="release statement")
    try:
        release = _parse(body)
    except (KeyError, TypeError, ValueError, StopIteration) as error:
        raise VerificationFailed(
            "LF7110", f"The signed statement is not that of a Lockflight release: {error!s}."
        ) from error
    except InvalidInput as error:
        raise VerificationFailed("LF7111", error.message, hint=error.hint, details=error.details) from error
    if release.payload != payload:
        raise VerificationFailed(
            "LF7113",
            "The signed statement is not in canonical form or holds fields that a release does not have.",
        )
    return release


def _parse(body: JsonObject) -> Release:
    if body.get("predicateType") != OMS_PREDICATE:
        raise ValueError(f"predicateType is {body.get('predicateType')!r}")
    predicate = obj(body["predicate"])
    resources = [obj(r) for r in array(predicate["resources"])]
    if len(resources) > MAX_ASSETS:
        raise ValueError(f"more than {MAX_ASSETS} resources")
    names = [text(r["name"]) for r in resources]
    check_names(names)
    header: JsonObject = {}
    assets: list[Asset] = []
    for resource in resources:
        notes = obj(resource["annotations"])
        assets.append(
            Asset(
                name=text(resource["name"]),
                role=Role(text(notes["role"])),
                size=natural(notes["size"]),
                sha256=hex64(resource["digest"]),
                blake3=hex64(notes["blake3"]),
                media_type=text(notes["mediaType"]),
                tensors=parse_index(notes["tensors"]) if "tensors" in notes else None,
                rows=parse_row_index(notes["rows"]) if "rows" in notes else None,
                data=parse_card(notes["data"]) if "data" in notes else None,
            )
        )
        if (assets[-1].rows and assets[-1].role not in TABLE_ROLES) or (
            assets[-1].data and assets[-1].role not in DATA_ROLES
        ):
            raise ValueError(f"{assets[-1].name!a} has what only data have")
        if resource["name"] == MANIFEST_NAME:
            header = obj(notes["release"])
    if names != sorted(names):
        raise VerificationFailed(
            "LF7112", "The resources of the signed statement are not in code point order."
        )
    return make_release(
        name=_word(header["name"], NAME_PATTERN),
        version=_word(header["version"], VERSION_PATTERN),
        kind=Kind(text(header["kind"])),
        tier=Tier(text(header["tier"])),
        assets=assets,
        references=[_reference(obj(r)) for r in array(header["references"])],
        dependencies=[
            Dependency(**{k: text(v) for k, v in obj(d).items()}) for d in array(header["dependencies"])
        ],
        policy=own_from_json(header["policy"])[0] if "policy" in header else "",
    )


def _word(value: JsonValue, pattern: str) -> str:
    word = text(value)
    if not re.fullmatch(pattern, word):
        raise ValueError(f"{word[:80]!a} is no name or version of a release")
    return word


def _reference(raw: JsonObject) -> Reference:
    fields = {key: text(value) for key, value in raw.items()}
    return Reference(role=Role(fields.pop("role")), **fields)
