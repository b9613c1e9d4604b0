"""A release as an OCI image layout in the form of ModelPack.

One raw layer per asset, so that layer digests are the asset digests of the signed statement. Deterministic: the same
release gives the same bytes.

Formats: OCI image-spec 1.1 (image layout, manifest with artifactType), ModelPack model-spec v1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from lockflight.core.canonical import JsonObject, JsonValue, dumps, loads_object
from lockflight.core.release.release import MAX_ASSETS, Release
from lockflight.core.shape import array, hex64, natural, obj, text
from lockflight.core.source import ByteSource, BytesSource
from lockflight.core.text.names import check_names
from lockflight.core.words import Role
from lockflight.errors import LockflightError, VerificationFailed

LAYOUT_FILE = "oci-layout"
INDEX_FILE = "index.json"
BLOBS = "blobs/sha256/"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
ARTIFACT_TYPE = "application/vnd.cncf.model.manifest.v1+json"
CONFIG_TYPE = "application/vnd.cncf.model.config.v1+json"
FILEPATH = "org.cncf.model.filepath"
MAX_MANIFEST = 1024 * MAX_ASSETS

_LAYERS: dict[str, frozenset[Role]] = {
    "weight": frozenset({Role.MODEL_WEIGHTS, Role.ADAPTER, Role.EMBEDDING_MODEL}),
    "doc": frozenset({Role.MODEL_CARD, Role.LICENCE, Role.DOCUMENTATION}),
    "code": frozenset({Role.CODE, Role.BUILD_RECIPE, Role.DEPENDENCY_LOCK, Role.TOOL_SERVER, Role.OTHER}),
    "dataset": frozenset(
        {
            Role.DATASET,
            Role.DATASET_REFERENCE,
            Role.FEATURE_REFERENCE,
            Role.KNOWLEDGE_BASE,
            Role.RETRIEVAL_INDEX,
            Role.EVAL_SET,
        }
    ),
}


def layer_type(role: Role) -> str:
    """The media type of an asset's layer; whatever only configures the model is `weight.config`."""
    kind = next((kind for kind, roles in _LAYERS.items() if role in roles), "weight.config")
    return f"application/vnd.cncf.model.{kind}.v1.raw"


def layout_files(release: Release, sources: Mapping[str, ByteSource]) -> list[tuple[str, ByteSource, str]]:
    """Every file of the layout: path, bytes, and the SHA-256 that they must have."""
    config = dumps(
        {
            "descriptor": {"name": release.name, "version": release.version},
            "config": {},
            "modelfs": {"type": "layers", "diffIds": [f"sha256:{a.sha256}" for a in release.assets]},
        }
    )
    layers: list[JsonValue] = [
        {
            "mediaType": layer_type(a.role),
            "digest": f"sha256:{a.sha256}",
            "size": a.size,
            "annotations": {FILEPATH: a.name},
        }
        for a in release.assets
    ]
    manifest = dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "artifactType": ARTIFACT_TYPE,
            "config": _descriptor(CONFIG_TYPE, config),
            "layers": layers,
            "annotations": {"dev.lockflight.release": f"sha256:{release.digest}"},
        }
    )
    entry = _descriptor(MANIFEST_TYPE, manifest)
    entry["artifactType"] = ARTIFACT_TYPE
    entry["annotations"] = {"org.opencontainers.image.ref.name": release.version}
    index = dumps({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [entry]})
    layout = dumps({"imageLayoutVersion": "1.0.0"})
    files: dict[str, tuple[ByteSource, str]] = {}
    for path, body in ((LAYOUT_FILE, layout), (INDEX_FILE, index), ("", config), ("", manifest)):
        digest = hashlib.sha256(body).hexdigest()
        files[path or BLOBS + digest] = (BytesSource(body, path or BLOBS + digest), digest)
    for asset in release.assets:
        # Two assets of the same bytes are one blob.
        files.setdefault(BLOBS + asset.sha256, (sources[asset.name], asset.sha256))
    return [(path, source, digest) for path, (source, digest) in files.items()]


def read_layout(
    sources: Mapping[str, ByteSource], digests: Mapping[str, str]
) -> tuple[dict[str, str], frozenset[str]]:
    """What an OCI layout says that it holds.

    Args:
        sources: path in the layout to bytes.
        digests: path to the SHA-256 that those bytes have, 64 hex digits.

    Returns:
        Asset name to the path of its blob, and the paths of the layout's own files. Any other path is foreign.

    Raises:
        VerificationFailed: LF1106 it contradicts itself; LF7101 to LF7103 its JSON is not strict.
    """
    try:
        return _read(sources, digests)
    except (KeyError, TypeError, ValueError) as error:
        raise _broken(f"{error!s}") from error
    except VerificationFailed:
        raise
    except LockflightError as error:
        raise _broken(error.message) from error


def _read(
    sources: Mapping[str, ByteSource], digests: Mapping[str, str]
) -> tuple[dict[str, str], frozenset[str]]:
    def document(path: str, what: str) -> JsonObject:
        source = sources[path]
        if source.size > MAX_MANIFEST:
            raise ValueError(f"{what} is {source.size} bytes long")
        return loads_object(source.read_at(0, source.size), what=what, max_bytes=MAX_MANIFEST)

    def blob(descriptor: JsonObject) -> str:
        path = BLOBS + hex64(text(descriptor["digest"]).removeprefix("sha256:"))
        if path not in sources:
            raise ValueError(f"{path} is missing")
        if BLOBS + digests[path] != path or sources[path].size != natural(descriptor["size"]):
            raise ValueError(f"{path} is not what its digest and size say")
        return path

    document(LAYOUT_FILE, "oci-layout")
    manifests = array(document(INDEX_FILE, "index.json")["manifests"])
    if len(manifests) != 1:
        raise ValueError("index.json must name one manifest")
    manifest_path = blob(obj(manifests[0]))
    manifest = document(manifest_path, "OCI manifest")
    if manifest.get("artifactType") != ARTIFACT_TYPE:
        raise ValueError("the manifest is not that of a model (artifactType)")
    layers = [obj(layer) for layer in array(manifest["layers"])]
    if len(layers) > MAX_ASSETS:
        raise ValueError(f"more than {MAX_ASSETS} layers")
    names = [text(obj(layer["annotations"])[FILEPATH]) for layer in layers]
    check_names(names)
    paths = {name: blob(layer) for name, layer in zip(names, layers, strict=True)}
    own = {LAYOUT_FILE, INDEX_FILE, manifest_path, blob(obj(manifest["config"]))}
    return paths, frozenset(own)


def _descriptor(media_type: str, body: bytes) -> JsonObject:
    digest = hashlib.sha256(body).hexdigest()
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(body)}


def _broken(why: str) -> VerificationFailed:
    return VerificationFailed(
        "LF1106", f"The OCI layout contradicts itself: {why}.", hint="Fetch it again; do not use this one."
    )
