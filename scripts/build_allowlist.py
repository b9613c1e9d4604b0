"""Builds the allow-list from what pinned libraries really write into pickles.

    python scripts/build_allowlist.py record OUT.json      in an environment with the libraries
    python scripts/build_allowlist.py merge OUT.json ...   writes src/lockflight/_data/allowlist/*.json

`record` makes the objects that people save (every scikit-learn estimator fitted, with its options; arrays, frames,
sparse matrices, random states, containers), pickles each by every protocol and by joblib, and lets Lockflight's own
machine tell which globals occur and how they are used. Nothing is unpickled. `merge` joins recordings of several
versions. A class that is only built becomes `class`, a name that is only referred to becomes `value`; whatever a
stream calls must stand in `allowlist_review.py`, with its argument rule, or `merge` fails and names it.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import pickle
import sys
import warnings
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

import allowlist_helpers as helpers  # noqa: E402 - the path comes first
import allowlist_objects as objects  # noqa: E402 - as above
import allowlist_review as review  # noqa: E402 - as above

from lockflight.core.source import BytesSource  # noqa: E402 - as above
from lockflight.formats.pickle.allow import SCHEMA, AllowList, Entry  # noqa: E402 - as above
from lockflight.formats.pickle.streams import analyse  # noqa: E402 - as above

DATA = ROOT / "src" / "lockflight" / "_data" / "allowlist"


class Recorder:
    """Collects how globals are used."""

    def __init__(self) -> None:
        self.uses: dict[tuple[str, str], set[str]] = defaultdict(set)
        self.firsts: dict[str, set[str]] = defaultdict(set)
        self.objects = 0
        self.failed: list[str] = []

    def add(self, thing: object, what: str = "") -> None:
        """Pickle an object in every way and record what its streams do."""
        for protocol in range(6):
            try:
                self.stream(pickle.dumps(thing, protocol), what)
            except Exception as error:  # noqa: BLE001 - some objects refuse old protocols
                self.failed.append(f"{what or type(thing).__name__} protocol {protocol}: {error!r}"[:160])
        try:
            import joblib

            out = io.BytesIO()
            joblib.dump(thing, out)
        except Exception as error:  # noqa: BLE001 - as above
            self.failed.append(f"{what or type(thing).__name__} joblib: {error!r}"[:160])
        else:
            self.stream(out.getvalue(), what)
        self.schema(thing)
        self.objects += 1

    def schema(self, thing: object) -> None:
        """Record what skops names, where it is installed and can write the object."""
        try:
            import skops.io

            archive = zipfile.ZipFile(io.BytesIO(skops.io.dumps(thing)))
        except Exception:  # noqa: BLE001 - not installed, or not for this object
            return
        stack: list[Any] = [json.loads(archive.read("schema.json"))]
        while stack:
            node = stack.pop()
            if isinstance(node, dict):
                if "__loader__" in node and node["__loader__"] != "CachedNode":
                    self.uses[node["__module__"], node["__class__"]].add("value")
                stack.extend(node.values())
            elif isinstance(node, list):
                stack.extend(node)

    def stream(self, data: bytes, what: str) -> None:
        """Record one stream."""
        report = analyse(BytesSource(data), MOVED)
        if not report.complete:
            raise RuntimeError(
                f"{what}: {[i.message for i in report.issues if not i.rule.endswith('global')]}"
            )
        names = {f"{use.module}.{use.name}": use.resolved for use in report.globals}
        for resolved in names.values():
            self.uses[resolved].add("value")
        for call in report.calls:
            use = "build" if call.opcode.startswith("NEWOBJ") else "call"
            if call.callee in names:
                self.uses[names[call.callee]].add(use)
            if call.first in names and call.callee in names and _builds(names[call.callee]):
                self.uses[names[call.first]].add("build")
            if call.first in names:
                self.firsts[call.callee].add(".".join(names[call.first]))


def _builds(callee: tuple[str, str]) -> bool:
    label = ".".join(callee)
    return review.REVIEWED.get(label) in {"class-first", "reconstructor"} or "__pyx_unpickle_" in label


def moved() -> list[list[str]]:
    """CPython's own table of names that moved between Python 2 and 3."""
    import _compat_pickle as compat

    rows = [[*old, *new] for old, new in compat.NAME_MAPPING.items()]
    rows += [[old, "", new, ""] for old, new in compat.IMPORT_MAPPING.items()]
    return sorted(rows)


def _moved_list() -> AllowList:
    rows = moved()
    return AllowList(
        # So that the machine follows it to the method that a stream takes.
        {("builtins", "getattr"): Entry("callable", "attribute")},
        {(a, b): (c, d) for a, b, c, d in rows if b},
        {a: c for a, b, c, _ in rows if not b},
    )


MOVED = _moved_list()


def state_owners(recorder: Recorder) -> dict[str, str]:
    """By class that a stream builds or calls: the class that its `__setstate__` comes from."""
    owners: dict[str, str] = {}
    for (module, name), found in recorder.uses.items():
        if found == {"value"}:
            continue
        try:
            thing: Any = importlib.import_module(module)
            for part in name.split("."):
                thing = getattr(thing, part)
        except (ImportError, AttributeError):
            continue
        for base in getattr(thing, "__mro__", ()):
            if base is not object and "__setstate__" in vars(base):
                owners[f"{module}.{name}"] = f"{base.__module__}.{base.__qualname__}"
                break
    return owners


def record(out: Path, only: list[str]) -> int:
    """Pickle everything, or what some makers make, and write down what occurs."""
    warnings.simplefilter("ignore")
    recorder = Recorder()
    versions = {}
    for module, make in (
        ("", objects.standard),
        ("numpy", objects.numpy_things),
        ("scipy", objects.scipy_things),
        ("pandas", objects.pandas_things),
        ("sklearn", objects.sklearn_things),
        ("xgboost", objects.xgboost_things),
        ("lightgbm", objects.lightgbm_things),
        ("", helpers.standard_helpers),
        ("scipy", helpers.distributions),
        ("pandas", helpers.pandas_helpers),
        ("sklearn", helpers.sklearn_helpers),
    ):
        if only and make.__name__ not in only:
            continue
        if module:
            try:
                versions[review.LIBRARIES[module]] = __import__(module).__version__
            except ImportError:
                print(f"{module} is not installed here")
                continue
        make(recorder)
    for module in ("joblib", "pytz"):
        with contextlib.suppress(ImportError):
            versions[module] = importlib.import_module(module).__version__
    body = {
        "python": ".".join(map(str, sys.version_info[:2])),
        "versions": versions,
        "objects": recorder.objects,
        "uses": {f"{m} {n}": sorted(u) for (m, n), u in sorted(recorder.uses.items())},
        "firsts": {k: sorted(v) for k, v in sorted(recorder.firsts.items())},
        "states": state_owners(recorder),
        "failed": recorder.failed,
    }
    out.write_text(json.dumps(body, indent=1))
    print(f"{recorder.objects} objects, {len(recorder.uses)} globals, {len(recorder.failed)} failures")
    return 0


# -- joining ------------------------------------------------------------------------------------------------------


def merge(files: list[Path]) -> int:
    """Join recordings into one document per library; refuse what nobody reviewed."""
    uses: dict[str, set[str]] = defaultdict(set)
    versions: dict[str, set[str]] = defaultdict(set)
    owners: dict[str, str] = {}
    for file in files:
        body = json.loads(file.read_text())
        versions["python"].add(body["python"])
        for library, version in body["versions"].items():
            versions[library].add(version)
        for name, found in body["uses"].items():
            uses[name].update(found)
        owners |= body["states"]
    documents: dict[str, dict[str, dict[str, object]]] = defaultdict(lambda: defaultdict(dict))
    missing: list[str] = []
    for both, found in sorted(uses.items()):
        module, name = both.split(" ", 1)
        library = "python" if module in review.STDLIB else review.LIBRARIES.get(module.split(".")[0], "")
        label = f"{module}.{name}"
        if not library or label in review.REFUSED or "<locals>" in name:
            continue
        owner = owners.get(label, "sklearn.base.BaseEstimator")
        if owner in review.STATE_RULES:
            documents[library][module][name] = {"kind": "class", "state": review.STATE_RULES[owner]}
            continue
        if owner not in review.REVIEWED_STATES and owner.rsplit(".", 1)[0] not in review.REVIEWED_CLASSES:
            missing.append(f"{label}, for the __setstate__ of {owners[label]}")
            continue
        kind = _kind(module, name, found)
        if kind is None:
            missing.append(label)
        else:
            documents[library][module][name] = kind
    if missing:
        print("not reviewed:", *missing, sep="\n  ")
        return 1
    _torch(documents["torch"])
    for module, names in review.OLDER.items():
        for name, kind in names.items():
            documents[review.LIBRARIES[module.split(".")[0]]][module].setdefault(name, kind)
    for library, names in sorted(documents.items()):
        document: dict[str, object] = {
            "schema": SCHEMA,
            "library": library,
            "versions": sorted(versions.get(library, {"2.0", "2.13"})),
            "names": {module: dict(sorted(found.items())) for module, found in sorted(names.items())},
        }
        document |= _properties(library, names)
        if library == "python":
            document["moved"] = moved()
        text = json.dumps(document, indent=1, ensure_ascii=True) + "\n"
        (DATA / f"{library}.json").write_text(text)
        print(f"{library}: {sum(map(len, names.values()))} names")
    return 0


def _kind(module: str, name: str, found: set[str]) -> object:
    label = f"{module}.{name}"
    if "call" in found:
        prefix = review.REVIEWED_CLASSES.get(module)
        if label in review.REVIEWED:
            rule = review.REVIEWED[label]
            more = {"state": review.MAKER_STATES[label]} if label in review.MAKER_STATES else {}
            return {"kind": "callable", "arguments": rule, **more} if rule else "callable"
        if prefix is not None and name.startswith("__pyx_unpickle_"):
            return {"kind": "callable", "arguments": "class-first"}
        fits = prefix is not None and name.startswith(prefix)
        return {"kind": "callable", "arguments": "data"} if fits else None
    # A class that is only the argument of a reconstructor is recorded as a value: only classes can be built.
    return "class" if "build" in found else "value"


def _properties(library: str, names: dict[str, dict[str, object]]) -> dict[str, object]:
    """What is known of the names of one library beyond how they are used."""
    uses = {f"{module}.{name}": use for module, found in names.items() for name, use in found.items()}
    inert = sorted(
        label
        for label, use in uses.items()
        if label in review.INERT or (use == "value" and label.startswith("torch."))
    )
    answers = sorted(
        label
        for label, use in uses.items()
        if use != "value"
        and (label in review.ANSWERS or label.rpartition(".")[0] in review.ANSWERING or _drawn(use))
    )
    found: dict[str, object] = {"inert": inert, "answers": answers}
    if library == "scikit-learn":
        found["attributes"] = sorted(review.ATTRIBUTES)
    return {key: value for key, value in found.items() if value}


def _drawn(use: object) -> bool:
    """Whether it is a distribution: calling one freezes it."""
    return isinstance(use, dict) and use.get("state") == "distribution"


def _torch(names: dict[str, dict[str, object]]) -> None:
    for table, kind in (
        (review.TORCH_CALLABLES, {"kind": "callable", "arguments": "data"}),
        (review.TORCH_CLASSES, "class"),
        (review.TORCH_VALUES, "value"),
    ):
        for module, listed in table.items():
            for name in listed.split():
                names[module][name] = kind


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("verb", choices=["record", "merge"])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--only", nargs="*", default=[], metavar="MAKER", help="record what these make")
    chosen = parser.parse_args()
    sys.exit(record(chosen.files[0], chosen.only) if chosen.verb == "record" else merge(chosen.files))
