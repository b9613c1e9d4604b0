"""Which names pickles may use: the shipped allow-list, what a policy adds to it, and what follows for the checks."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lockflight.core.canonical import dumps, loads_object
from lockflight.core.records import dataclass
from lockflight.core.shape import array, obj, text, texts
from lockflight.errors import EnvironmentProblem, InvalidInput, NotFound
from lockflight.formats.pickle.overlay import Overlay
from lockflight.infra.allowlist import MAX_OVERLAY, read_overlay, shipped_allow_list, shipped_documents
from lockflight.infra.files import Folder
from lockflight.policy.bundle import MANIFEST
from lockflight.scan.table import infos

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockflight.core.attest.check import CheckInfo
    from lockflight.core.canonical import JsonObject, JsonValue
    from lockflight.policy.bundle import Bundle

#: Where a bundle keeps them: `allow_list/data.json`.
KEY = "allow_list"


def added_by(bundle: Bundle) -> Overlay | None:
    """What a bundle adds to the allow-list; None where it says nothing about it.

    Raises:
        InvalidInput: LF2302 it does not read.
        EnvironmentProblem: LF2303 it does not know the list of this installation.
    """
    if KEY not in bundle.data:
        return None
    overlay = read_overlay(dumps(obj(bundle.data[KEY])))
    shipped = shipped_allow_list().digest
    if overlay.shipped and shipped not in overlay.shipped:
        raise EnvironmentProblem(
            "LF2303",
            f"The policy {bundle.name} was not made for the allow-list of this installation, sha256:{shipped}.",
            hint="Look at it with `lockflight allowlist show`; the policy names lists in allow_list/data.json.",
        )
    return overlay


def document(path: str) -> bytes:
    """The bytes of a file with additions, which reads.

    Raises:
        NotFound: LF0117 there is no such file.
        InvalidInput: LF2302 it does not read.
    """
    file = Path(path)
    if not file.is_file():
        raise NotFound("LF0117", f"{path} is not a file that is there.", hint="Name an allow_list/data.json.")
    real = file.resolve()
    with Folder(real.parent) as folder:
        source = folder.open(real.name)
        try:
            if source.size > MAX_OVERLAY:
                raise InvalidInput(
                    "LF2302",
                    f"{path} is larger than {MAX_OVERLAY} bytes, which no allow-list of a policy needs.",
                    hint="docs/how-to/extend-the-allow-list.md shows one.",
                )
            body = source.read_at(0, source.size)
        finally:
            source.close()
    read_overlay(body)
    return body


def tried(path: str) -> Overlay:
    """What a file would add, without the names whose end has come.

    Raises:
        NotFound, InvalidInput: as `document`.
    """
    return read_overlay(document(path)).at(int(time.time()))


def with_names(files: Mapping[str, bytes], names: bytes) -> dict[str, bytes]:
    """The files of a bundle that adds these names, by path; its version says so.

    Args:
        files: of a bundle, by path.
        names: the document.
    """
    manifest = loads_object(files[MANIFEST], what=MANIFEST)
    meta = dict(obj(manifest["metadata"]))
    meta["version"] = f"{text(meta['version']).partition('+')[0]}+{hashlib.sha256(names).hexdigest()[:8]}"
    roots = sorted({*texts(manifest["roots"]), KEY})
    body = json.dumps({**manifest, "roots": roots, "metadata": meta}, indent=2, ensure_ascii=False) + "\n"
    return {**files, MANIFEST: body.encode(), f"{KEY}/data.json": names}


def checks_under(bundle: Bundle, now: int) -> dict[str, CheckInfo]:
    """Every check by name, as it judges under a policy at a time (Unix seconds).

    A model that was judged under other names was judged by another version of the check: when a name is added, or
    comes to its end, what was said before counts no more, and the check runs again.

    Raises:
        InvalidInput, EnvironmentProblem: as `added_by`.
    """
    known: Mapping[str, CheckInfo] = {info.name: info for info in infos()}
    overlay = added_by(bundle)
    current = overlay.at(now) if overlay is not None else None
    if current is None or not current.added:
        return dict(known)
    told = known["models"].with_data(dumps(current.to_json()).decode(), current.digest)
    return {**known, told.name: told}


@dataclass(frozen=True, slots=True)
class Document:
    """One document of the shipped list.

    Attributes:
        library: what it is about.
        versions: of the library, from whose objects it was made.
        digest: SHA-256 of the document, 64 hex digits.
        names: how many names of pickles, or words of another format, it lists.
        format: `pickle`, or the format whose table it is.
    """

    library: str
    versions: tuple[str, ...]
    digest: str
    names: int
    format: str


@dataclass(frozen=True, slots=True)
class Listed:
    """How one name may be used.

    Attributes:
        name: module and name with a dot.
        use: class, callable or value.
        arguments: rule for its arguments; empty for none.
        library: whose document lists it; `policy` for what an overlay adds.
        reason: why it was added; empty for shipped names.
        until: Unix seconds until when; 0 for shipped names.
        asset: SHA-256 of the only file that it is for; empty for all.
    """

    name: str
    use: str
    arguments: str
    library: str
    reason: str = ""
    until: int = 0
    asset: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """The list as people look at it.

    Attributes:
        digest: of the shipped list, 64 hex digits; evidence of the check `models` holds it.
        documents: what it is made of.
        names: those that were asked for.
        overlay: digest of what is added; empty for nothing.
    """

    digest: str
    documents: tuple[Document, ...]
    names: tuple[Listed, ...]
    overlay: str = ""


def show(words: tuple[str, ...], overlay: Overlay | None = None) -> Shown:
    """The shipped list, and every name that equals one of the words, lies in that module, or is of that library.

    Args:
        words: names, modules or libraries; empty for none.
        overlay: what would be added; all of it is shown.

    Raises:
        NotFound: LF2304 a word stands for nothing that is listed.
    """
    documents = []
    rows: list[Listed] = []
    for library, body in shipped_documents().items():
        raw = loads_object(body, what="allow-list")
        names = [
            _listed(library, module, name, use)
            for module, uses in obj(raw.get("names", {})).items()
            for name, use in obj(uses).items()
        ]
        rows += names
        digest = hashlib.sha256(body).hexdigest()
        size = len(names) or _words(raw)
        kind = text(raw.get("format", "pickle"))
        documents.append(Document(library, tuple(texts(raw["versions"])), digest, size, kind))
    added = overlay.added if overlay is not None else ()
    rows += [
        Listed(a.label, a.entry.kind, a.entry.arguments, "policy", a.reason, a.until, a.asset) for a in added
    ]
    chosen = tuple(
        row
        for row in rows
        if row.library == "policy"
        or any(word in {row.name, row.library} or row.name.startswith(f"{word}.") for word in words)
    )
    for word in words:
        if not any(word in {row.name, row.library} or row.name.startswith(f"{word}.") for row in rows):
            raise NotFound(
                "LF2304",
                f"Nothing that the allow-list holds is called {word!r}, so no pickle may use it.",
                hint="lockflight allowlist show python numpy scikit-learn",
            )
    return Shown(
        shipped_allow_list().digest, tuple(documents), chosen, overlay.digest if overlay is not None else ""
    )


def _listed(library: str, module: str, name: str, use: JsonValue) -> Listed:
    if isinstance(use, str):
        return Listed(f"{module}.{name}", use, "", library)
    body = obj(use)
    return Listed(f"{module}.{name}", text(body["kind"]), text(body.get("arguments", "")), library)


def _words(raw: JsonObject) -> int:
    """How many operators, classes and functions a table of another format lists."""
    total = 0
    for key in ("ops", "classes", "functions"):
        value = raw.get(key, [])
        rows = [array(row) for row in value.values()] if isinstance(value, dict) else [array(value)]
        total += sum(map(len, rows))
    return total
