"""`lockflight convert`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.cli.reply import Reply, Run
from lockflight.cli.style import clean, count, short, table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from lockflight.app.data.convert import Converted
    from lockflight.app.files.scan import FileReport
    from lockflight.cli.style import Style

_MOST = 8


def convert_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `convert`."""
    parser.add_argument("source", metavar="SRC", help="a checkpoint, NPZ, NPY, pickle or joblib file")
    parser.add_argument("target", metavar="DEST", help="the new file: NAME.safetensors or NAME.skops")
    parser.add_argument(
        "--key", default="", metavar="NAME", help="where in the file the weights lie, such as model"
    )
    parser.add_argument("--force", action="store_true", help="replace DEST if it exists")
    parser.add_argument(
        "--accept-uncompared",
        action="store_true",
        help="write a model even if nothing could be asked of it and its copy",
    )
    parser.add_argument(
        "--accept-unconfined",
        action="store_true",
        help="load a model although this system has no seccomp to keep the child from files and sockets",
    )


def convert(args: argparse.Namespace, run: Run) -> Reply:
    """Turn pickled weights into safetensors, and pickled models of scikit-learn into skops."""
    from lockflight.app.data.convert import convert as change

    done = change(
        args.source,
        args.target,
        key=args.key,
        force=args.force,
        uncompared=args.accept_uncompared,
        unconfined=args.accept_unconfined,
        progress=run.progress(),
    )
    return Reply("convert/v1", _result(done), lambda style: _lines(done, style))


def _kept(confined: tuple[str, ...], style: Style) -> str:
    """What the kernel kept the child from."""
    if "seccomp" not in confined:
        return style.warn("  not kept from files, as you accepted: this system has no seccomp")
    read = (
        "read only Python and its libraries"
        if "landlock" in confined
        else "read what you can (no Landlock here)"
    )
    return f"  it could write to the new file only, start nothing, and {read}"


def _file(file: FileReport) -> dict[str, object]:
    return {
        "name": file.name,
        "size": file.size,
        "sha256": file.sha256,
        "media_type": file.media_type,
        "verdict": file.verdict.value if file.verdict is not None else None,
    }


def _result(done: Converted) -> dict[str, object]:
    return {
        "source": _file(done.source),
        "result": _file(done.result),
        "form": done.form,
        "tensors": done.tensors,
        "key": done.key or None,
        "tied": [list(names) for names in done.tied],
        "reordered": done.reordered,
        "left": list(done.left),
        "model": done.model or None,
        "compared": list(done.compared),
        "confined": list(done.confined),
        "manifest": done.manifest or None,
        "lines": [{"line": line.number, "old": line.old, "new": line.new} for line in done.lines],
    }


def _lines(done: Converted, style: Style) -> Iterable[str]:
    rows = [
        [
            word,
            clean(file.name),
            f"{file.size:,} bytes".replace(",", " "),
            short(file.sha256),
            file.title,
            "safe",
        ]
        for word, file in (("before", done.source), ("after", done.result))
    ]
    yield from table(rows)
    yield ""
    if done.form == "safetensors":
        under = f" under {clean(done.key)}" if done.key else ""
        yield style.good(f"{count(done.tensors, 'tensor')}{under}, copied without loading anything")
    else:
        yield style.good(f"{clean(done.model)}, loaded under the allow-list in a child without network")
        yield _kept(done.confined, style)
        asked = ", ".join(done.compared)
        if done.compared == ("state",):
            yield "  no question could be made up for the model; both are made of the same values"
        elif asked:
            yield f"  both models answer alike on the same random rows: {asked}"
        else:
            yield style.warn("  not compared, as you accepted: no question could be made up for the model")
    if done.reordered:
        yield f"  {count(done.reordered, 'tensor was', 'tensors were')} not in order in memory; in the file they are"
    for names in done.tied[:_MOST]:
        yield f"  one memory before, written each: {', '.join(clean(name) for name in names[:_MOST])}"
    if done.left:
        more = f" and {len(done.left) - _MOST} more" if len(done.left) > _MOST else ""
        yield style.warn(f"  left out: {', '.join(clean(name) for name in done.left[:_MOST])}{more}")
    if done.manifest:
        yield ""
        yield f"in {clean(done.manifest)}:"
        for line in done.lines:
            yield f"  line {line.number}  - {clean(line.old)}"
            yield f"  {' ' * len(f'line {line.number}')}  + {clean(line.new)}"
        if not done.lines:
            yield "  no line names the old file by its path; give the new one its role"
