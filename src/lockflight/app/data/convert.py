"""`lockflight convert`: pickled weights become safetensors, pickled models of scikit-learn become skops.

Weights are not loaded: what the pickle says of its tensors is read, and their numbers are copied. A model of
scikit-learn has to be loaded to be written again, so that happens under the allow-list, in a child without network,
environment and keys, which the kernel lets write to nothing but the new file, and start nothing. The source is judged
before, the result after; what is not `safe` is not converted.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from lockflight.app.data import tensorfile, weights
from lockflight.app.files.scan import FileReport, scan
from lockflight.core.canonical import loads_object
from lockflight.core.findings import Verdict
from lockflight.core.records import dataclass
from lockflight.core.shape import text, texts
from lockflight.core.text.names import readable_name
from lockflight.errors import (
    ConflictError,
    EnvironmentProblem,
    EvidenceMissing,
    InvalidInput,
    PolicyDenied,
    UsageError,
    VerificationFailed,
)
from lockflight.formats import media
from lockflight.formats.archive.inflate import MAX_OUTPUT, compression_of, inflate
from lockflight.formats.archive.zip import member_names
from lockflight.formats.tensors.npy import MAGIC as NPY_MAGIC
from lockflight.formats.torch.file import is_archive, is_legacy, read_checkpoint
from lockflight.infra._seal import SECCOMP, layers
from lockflight.infra.allowlist import shipped_allow_list
from lockflight.infra.files import Folder, changed
from lockflight.infra.hashing import hash_source
from lockflight.infra.proc import MIB, Limits
from lockflight.infra.proc import run as run_child
from lockflight.infra.progress import SILENT
from lockflight.infra.records import read_records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockflight.core.source import ByteSource
    from lockflight.infra.files import FdSource
    from lockflight.infra.progress import Progress

#: What a checkpoint may grow to when tensors that share memory are written apart.
_GROWTH: Final = 16
_ROOM: Final = 64 * MIB
#: Budgets of the child that loads a model of scikit-learn.
LIMITS: Final = Limits(cpu_s=300, memory_bytes=4096 * MIB, wall_s=600.0, file_bytes=4096 * MIB)
_TARGET: Final = "lockflight.deploy.rewriting:to_skops"
_SKOPS_SOURCES: Final = frozenset({media.PICKLE, *media.COMPRESSED_PICKLES.values()})

_SOURCES: Final = _SKOPS_SOURCES | {media.TORCH_ZIP, media.TORCH_LEGACY, media.NPY, media.NPZ}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a manifest that names the source: its number from 1, as it is, and as it could be."""

    number: int
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Converted:
    """What a conversion did.

    Attributes:
        source, result: the two files as `scan` judges them.
        form: `safetensors` or `skops`.
        tensors: how many were written; 0 for skops.
        key: under which key of the file they lay; empty for its top.
        tied: names of tensors that shared memory and are written once each, in groups.
        reordered: how many were put in order.
        left: what the source holds and the result does not, by its name there.
        model: class of the model; empty for safetensors.
        compared: questions that both models answered alike; `state` where none could be asked and both are made of
            the same values; nothing for safetensors, and for models that the caller takes uncompared.
        manifest: the manifest that names the source; empty for none.
        lines: its lines to change.
        confined: filters of the kernel that closed the child that loaded the model; none where nothing was loaded.
    """

    source: FileReport
    result: FileReport
    form: str
    tensors: int = 0
    key: str = ""
    tied: tuple[tuple[str, ...], ...] = ()
    reordered: int = 0
    left: tuple[str, ...] = ()
    model: str = ""
    compared: tuple[str, ...] = ()
    manifest: str = ""
    lines: tuple[Line, ...] = ()
    confined: tuple[str, ...] = ()


def convert(
    source: str,
    target: str,
    *,
    key: str = "",
    force: bool = False,
    uncompared: bool = False,
    unconfined: bool = False,
    workers: int = 0,
    progress: Progress = SILENT,
) -> Converted:
    """Convert a file.

    Args:
        source: a checkpoint of torch, an NPZ or NPY file, a pickle or joblib file.
        target: the new file; its suffix says the form, `.safetensors` or `.skops`.
        key: where in the source the weights lie, such as `model`; empty for the usual places.
        force: replace a target that exists.
        uncompared: write a model even if nothing could be asked of it.
        unconfined: load a model where the kernel has no filters that keep a child from writing and from the network.
        workers: check processes; 0 for one per processor.
        progress: told about the copying.

    Raises:
        UsageError: LF0220 the target's suffix is neither, or it is the source.
        NotFound: LF0117 the source is not there, LF0222 there is no such key.
        InvalidInput: LF0221 there is nothing that can be converted.
        ConflictError: LF0223 the target exists.
        EnvironmentProblem: LF0225 the target cannot be written, LF0226 the child ended, LF0229 it cannot be
            confined here, LF7531 skops is missing.
        PolicyDenied: LF0210 the source is not safe, LF7534, LF7532 it holds what no list has.
        EvidenceMissing: LF0211 the source was not analysed, LF0228 the models could not be compared.
        VerificationFailed: LF0224 the result is not the same model, LF0227 or is not safe.
    """
    place = Path(target)
    if place.suffix not in {".safetensors", ".skops"} or (key and place.suffix == ".skops"):
        raise UsageError(
            "LF0220",
            f"{target!r} does not say what to convert to.",
            hint="Name it .safetensors for weights, or .skops for a model of scikit-learn (without --key).",
        )
    if not force and os.path.lexists(place):
        raise ConflictError("LF0223", f"{target!r} exists already.", hint="Choose another name, or --force.")
    before = scan([source], checks=("models",), workers=workers).files[0]
    _refuse(before)
    if before.media_type not in _SOURCES:
        raise _nothing(before.name, f"it is neither a pickle nor NumPy arrays but {before.title}")
    real = Path(source).resolve()
    if os.path.lexists(place) and place.resolve() == real:
        raise UsageError("LF0220", "Source and target are the same file.", hint="Choose another name.")
    with Folder(real.parent) as folder, contextlib.closing(folder.open(real.name)) as opened:
        if hash_source(opened).sha256 != before.sha256:
            raise changed(source)
        with _draft(place, force=force) as draft:
            if place.suffix == ".skops":
                made = _to_skops(opened, before, draft, uncompared=uncompared, unconfined=unconfined)
            else:
                made = _to_safetensors(opened, key, draft, progress)
            opened.check()
            after = _checked(draft, source, workers)
    manifest, lines = _manifest(real, place)
    return Converted(
        source=before,
        result=_named(after, target),
        manifest=manifest,
        lines=lines,
        form=made.form,
        tensors=made.tensors,
        key=made.key,
        tied=made.tied,
        reordered=made.reordered,
        left=made.left,
        model=made.model,
        compared=made.compared,
        confined=made.confined,
    )


@dataclass(frozen=True, slots=True)
class _Made:
    form: str
    tensors: int = 0
    key: str = ""
    tied: tuple[tuple[str, ...], ...] = ()
    reordered: int = 0
    left: tuple[str, ...] = ()
    model: str = ""
    compared: tuple[str, ...] = ()
    confined: tuple[str, ...] = ()


def _refuse(file: FileReport) -> None:
    """Only what is safe is converted."""
    if file.verdict is None:
        raise EvidenceMissing(
            "LF0211",
            f"{file.name} was not analysed ({file.reason}), so it is not converted.",
            hint="lockflight scan",
        )
    if file.verdict is not Verdict.SAFE:
        first = file.findings[0] if file.findings else None
        raise PolicyDenied(
            "LF0210",
            f"{file.name} is {file.verdict.value}, so it is not converted"
            + (f": {first.message}" if first else "."),
            hint=first.fix if first else f"lockflight scan {file.name}",
        )


def _checked(draft: BinaryIO, source: str, workers: int) -> FileReport:
    draft.flush()
    os.fsync(draft.fileno())
    after = scan([draft.name], checks=("models",), workers=workers).files[0]
    if after.verdict is not Verdict.SAFE:
        why = f": {after.findings[0].message}" if after.findings else "."
        raise VerificationFailed(
            "LF0227",
            f"What {source!r} was converted to is not safe, so it was not kept{why}",
            hint="Please report this, with the file's kind.",
        )
    return after


def _named(file: FileReport, name: str) -> FileReport:
    return replace(file, name=readable_name(name))


# -- weights --


def _to_safetensors(source: FdSource, key: str, out: BinaryIO, progress: Progress) -> _Made:
    chosen = _weights(source, key)
    total = sum(weight.data.size for weight in chosen.weights.values())
    if total > source.size * _GROWTH + _ROOM:
        raise InvalidInput(
            "LF0221",
            f"{source.name!r} cannot be converted: written apart, its tensors would take {total} bytes.",
            hint="Save it again without tensors that are expanded from one element.",
        )
    groups = tensorfile.tied(chosen.weights)
    metadata = (
        {"format": "pt"} if any(weight.place for weight in chosen.weights.values()) else {"format": "np"}
    )
    if groups:
        metadata["tied"] = json.dumps(groups, separators=(",", ":"))
    try:
        tensorfile.write(out, chosen.weights, metadata, progress)
    except EOFError:
        raise changed(source.name) from None
    return _Made(
        "safetensors",
        len(chosen.weights),
        chosen.key,
        groups,
        sum(not weight.data.in_order for weight in chosen.weights.values()),
        chosen.left,
    )


def _weights(source: ByteSource, key: str) -> weights.Chosen:
    """The weights of a file, by what it is."""
    packed = compression_of(source.read_at(0, 16))
    if packed:
        opened = inflate(source, packed, max_output=MAX_OUTPUT, name=source.name)
        if opened.problem or opened.trailing:
            raise _nothing(source.name, "its compressed data cannot be read to its end")
        source = opened.source
    if source.read_at(0, 6) == NPY_MAGIC:
        return weights.choose({"array": source}, key, source.name, weights.npy)
    if is_archive(source) and all(name.endswith(".npy") for name in member_names(source)):
        return weights.choose(weights.npz(source), key, source.name, weights.npy)
    return _pickled(source, key)


def _pickled(source: ByteSource, key: str) -> weights.Chosen:
    found = read_checkpoint(source, shipped_allow_list())
    if found.issues:
        raise PolicyDenied(
            "LF0210",
            f"{source.name} is not converted: {found.issues[0].message}",
            hint=f"lockflight scan {source.name}",
        )
    if any(use.name in {"NumpyArrayWrapper", "NDArrayWrapper"} for use in found.report.globals):
        raise _nothing(source.name, "joblib wrote it, with arrays between the parts of a pickle")
    if is_archive(source) or is_legacy(source):
        torch = weights.Torch(found, source)
        root = torch.root()
        torch.locate(root)
        return weights.choose(root, key, source.name, torch.weight)
    root = read_records(source.read_at(0, source.size), source.name)
    return weights.choose(root, key, source.name, weights.array)


def _nothing(name: str, why: str) -> InvalidInput:
    return InvalidInput(
        "LF0221",
        f"{name!r} cannot be converted: {why}.",
        hint="A model of scikit-learn is converted to .skops.",
    )


# -- models of scikit-learn --


def _to_skops(
    source: FdSource, before: FileReport, out: BinaryIO, *, uncompared: bool, unconfined: bool
) -> _Made:
    if before.media_type not in _SKOPS_SOURCES:
        raise _nothing(
            source.name, f"it is no pickle ({before.title}), and skops holds models of scikit-learn"
        )
    filters = layers()
    if SECCOMP not in filters and not unconfined:
        raise EnvironmentProblem(
            "LF0229",
            f"The child that would load {source.name!r} cannot be kept from writing files and from the network here.",
            hint="Convert it on Linux (x86-64 or arm64), or in a container of its own with --accept-unconfined.",
        )
    request = json.dumps({"name": source.name, "uncompared": uncompared}).encode()
    outcome = run_child(_TARGET, request, limits=LIMITS, fds=(source.fileno(), out.fileno()), sealed=filters)
    if outcome.result is not None:
        answer = loads_object(outcome.result, what="conversion")
        return _Made(
            "skops", model=text(answer["type"]), compared=texts(answer["compared"]), confined=filters
        )
    error = outcome.error
    kinds = {
        "LF7531": EnvironmentProblem,
        "LF0224": VerificationFailed,
        "LF0221": InvalidInput,
        "LF0228": EvidenceMissing,
    }
    if error is not None and error.code in {*kinds, "LF7534", "LF7532"}:
        raise kinds.get(error.code, PolicyDenied)(error.code, error.message, hint=error.hint)
    detail = outcome.detail or (error.type if error is not None else "no answer")
    raise EnvironmentProblem(
        "LF0226",
        f"The child that converts {source.name!r} ended: {detail}.",
        hint="Is the version of scikit-learn that wrote the model installed? pip install skops scikit-learn",
        details={"log": outcome.log[-2000:]},
    )


# -- the new file --


@contextlib.contextmanager
def _draft(place: Path, *, force: bool) -> Iterator[BinaryIO]:
    """A file beside the target, which becomes the target when all went well, whole or not at all."""
    draft = place.with_name(f".{place.stem[:100]}.{secrets.token_hex(8)}{place.suffix}")
    try:
        with draft.open("xb+") as out:
            try:
                yield out
                if force:
                    draft.replace(place)
                else:
                    _publish(draft, place)
            finally:
                draft.unlink(missing_ok=True)
    except FileExistsError:
        raise ConflictError(
            "LF0223", f"{str(place)!r} exists already.", hint="Choose another name, or --force."
        ) from None
    except OSError as error:
        raise EnvironmentProblem(
            "LF0225",
            f"{str(place)!r} cannot be written: {error.strerror or type(error).__name__}.",
            hint=f"ls -ld {place.parent}",
        ) from error


def _publish(draft: Path, place: Path) -> None:
    # A hard link fails if the name is taken; a rename would replace what is there.
    try:
        os.link(draft, place)
    except OSError as error:
        if error.errno not in {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS} or os.path.lexists(place):
            raise
        draft.rename(place)


# -- the release that the source is part of --


def _manifest(source: Path, target: Path) -> tuple[str, tuple[Line, ...]]:
    """Lines of the nearest manifest that name the source by its path."""
    for folder in source.parents:
        path = folder / "lockflight.toml"
        if not path.is_file() or path.stat().st_size > _ROOM:
            continue
        name = source.relative_to(folder).as_posix()
        new = target.resolve()
        other = new.relative_to(folder).as_posix() if new.is_relative_to(folder) else new.name
        found = []
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if f'"{name}"' in line or f"'{name}'" in line:
                found.append(Line(number, line.strip(), line.replace(name, other).strip()))
        return str(path), tuple(found)
    return "", ()
