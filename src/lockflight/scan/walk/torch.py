"""The archives of torch: checkpoints, programs of TorchScript, programs of torch.export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lockflight.core.findings import Verdict
from lockflight.formats import media
from lockflight.formats.pickle.streams import STORAGE_WIDTHS, PickleReport
from lockflight.formats.plaintext import check_text
from lockflight.formats.report import shown
from lockflight.formats.sniff import sniff
from lockflight.formats.torch.export import check_program, read_payloads
from lockflight.formats.torch.script import MAX_CODE, Script, TorchTables, foreign_class
from lockflight.scan.walk.single import inside

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockflight.core.source import ByteSource
    from lockflight.formats.archive.zip import Archive, Member
    from lockflight.formats.pickle.allow import AllowList
    from lockflight.formats.report import Issue

_SMALL = 4096
_PICKLES = frozenset({"data.pkl", "constants.pkl"})
#: What a program of TorchScript is unpickled from, beside these: the inputs that it was traced with, and line numbers.
_SCRIPT_PICKLES = _PICKLES | {"traced_inputs.pkl", "mobile_debug_handles.pkl", "bytecode.pkl"}
_NOTES = frozenset(
    {
        "version",
        ".data/version",
        "byteorder",
        ".format_version",
        ".storage_alignment",
        ".data/serialization_id",
    }
)
_EXPORT_NOTES = _NOTES | {"archive_format", "archive_version"}


class _Walker(Protocol):
    """What an archive asks of the walk through the file; `assets` says what each means."""

    allow: AllowList
    unjudged: int

    def add(
        self, rule: str, verdict: Verdict, message: str, member: str, *, offset: int = ..., subject: str = ...
    ) -> None: ...
    def take(self, issues: Iterable[Issue], member: str) -> bool: ...
    def parsed(self, issues: Iterable[Issue], source: ByteSource, member: str) -> None: ...
    def run_pickle(
        self, source: ByteSource, member: str, *, torch: bool, script: bool = ...
    ) -> PickleReport: ...
    def members(self, source: ByteSource, member: str) -> list[tuple[Archive, Member]]: ...
    def opened(self, archive: Archive, found: Member, member: str) -> ByteSource | None: ...
    def inner(self, archive: Archive, found: Member, member: str, depth: int) -> ByteSource | None: ...


class TorchArchive:
    """One archive, judged as what its members make it."""

    def __init__(self, walker: _Walker, source: ByteSource, member: str, depth: int) -> None:
        self.walker = walker
        self.source = source
        self.member = member
        self.depth = depth
        self.members = walker.members(source, member)
        self.root = ""
        self.judged: set[str] = set()

    # -- checkpoints and TorchScript --

    def checkpoint(self) -> None:
        """What torch.save writes."""
        self._roots("data.pkl")
        self._pickles(_PICKLES, script=False)
        for archive, found in self.members:
            if found.name not in self.judged:
                self._other(archive, found)

    def script(self) -> None:
        """What torch.jit.save writes."""
        self._roots("data.pkl")
        self._pickles(_SCRIPT_PICKLES, script=True)
        tables = self._tables()
        code = Script(tables)
        for archive, found in self.members:
            inner = found.name.removeprefix(self.root)
            if found.name in self.judged:
                continue
            if inner.startswith("code/") and inner.endswith((".py", ".debug_pkl")):
                self._code(archive, found, code)
            elif inner.startswith("extra/"):
                self._extra(archive, found)
            else:
                self._other(archive, found)
        for name, issues in code.judge():
            if not self.walker.take(issues, name):
                self.walker.unjudged += 1

    def _roots(self, mark: str) -> None:
        roots = {found.name[: -len(mark)] for _, found in self.members if base_name(found) == mark}
        if len(roots) != 1:
            message = f"The archive has more than one {mark}; readers take different ones."
            self.walker.add("torch:roots", Verdict.MALICIOUS, message, self.member)
        self.root = min(roots, default="")

    def _pickles(self, names: frozenset[str], *, script: bool) -> None:
        """Judge the pickles of the archive, and the storages that they refer to by their lengths."""
        sizes = {found.name: found.size for _, found in self.members}
        for archive, found in self.members:
            base = base_name(found)
            if base not in names:
                continue
            self.judged.add(found.name)
            if base == "bytecode.pkl":
                message = "The archive is a program for torch's small interpreter, which this version does not judge."
                self.walker.add("torch:script", Verdict.UNKNOWN, message, inside(self.member, found))
                self.walker.unjudged += found.packed
            content = self.walker.opened(archive, found, self.member)
            if content is None:
                continue
            report = self.walker.run_pickle(content, inside(self.member, found), torch=True, script=script)
            if script:
                self._classes(report, found)
            for pin in report.pins:
                name = f"{self.root}{base.removesuffix('.pkl')}/{pin.key}"
                self.judged.add(name)
                # Of the inputs of a trace torch keeps the shapes only.
                unkept = base == "traced_inputs.pkl" and sizes.get(name) == 0
                if not unkept and sizes.get(name) != pin.numel * STORAGE_WIDTHS.get(pin.storage, 0):
                    message = (
                        f"The storage {shown(name)} is missing or has not the length that the pickle says."
                    )
                    self.walker.add(
                        "torch:storage", Verdict.UNKNOWN, message, self.member, subject=shown(name, 200)
                    )

    def _classes(self, report: PickleReport, found: Member) -> None:
        """Classes that C++ registered: their own code reads the state that the pickle gives them."""
        tables = self._tables()
        for use in report.globals:
            issue = foreign_class(f"{use.module}.{use.name}", tables)
            if issue is not None and not self.walker.take([issue], inside(self.member, found)):
                self.walker.unjudged += 1

    def _code(self, archive: Archive, found: Member, code: Script) -> None:
        content = self.walker.opened(archive, found, self.member)
        if content is None:
            return
        where = inside(self.member, found)
        if found.name.endswith(".debug_pkl"):
            # Where in its source each part of the code came from.
            self.walker.run_pickle(content, where, torch=True, script=True)
        else:
            self.walker.parsed(code.add(content.read_at(0, MAX_CODE + 1), where), content, where)

    def _extra(self, archive: Archive, found: Member) -> None:
        """Files that the program's author added; only who asks for one gets it."""
        self.walker.inner(archive, found, self.member, self.depth)

    def _other(self, archive: Archive, found: Member) -> None:
        inner = found.name.removeprefix(self.root)
        if inner in _NOTES and found.size <= _SMALL:
            self._note(archive, found)
            return
        message = "The member is not one that torch writes, and nothing in the archive refers to it."
        self.walker.add("torch:member", Verdict.REVIEW, message, inside(self.member, found))
        content = self.walker.opened(archive, found, self.member)
        if content is not None and not (inner.startswith("data/") and sniff(content) == media.OCTETS):
            self.walker.inner(archive, found, self.member, self.depth)

    def _note(self, archive: Archive, found: Member) -> None:
        content = self.walker.opened(archive, found, self.member)
        if content is not None:
            self.walker.parsed(check_text(content), content, inside(self.member, found))

    def _tables(self) -> TorchTables:
        return TorchTables(self.walker.allow.tables["torchscript"])

    # -- torch.export --

    def program(self) -> None:
        """What torch.export.save writes: now, and before torch 2.8."""
        bases = {base_name(found) for _, found in self.members}
        mark = "archive_format" if "archive_format" in bases else "serialized_exported_program.json"
        self._roots(mark)
        tensors = self._payloads()
        for archive, found in self.members:
            inner = found.name.removeprefix(self.root)
            if inner in _EXPORT_NOTES and found.size <= _SMALL:
                self._note(archive, found)
            elif inner.startswith("models/") or inner == "serialized_exported_program.json":
                self._graph(archive, found)
            elif inner in tensors:
                # Bytes that become a tensor; what refers to them says so.
                self.walker.opened(archive, found, self.member)
            elif _is_saved(inner) or inner.startswith("extra/"):
                self._saved(archive, found, inner)
            elif not inner.endswith("_config.json") or not inner.startswith("data/"):
                self._foreign(archive, found, inner)

    def _payloads(self) -> frozenset[str]:
        """Members that are bytes of tensors; configurations that name them are judged here."""
        raw: set[str] = set()
        for archive, found in self.members:
            inner = found.name.removeprefix(self.root)
            folder = inner[: inner.rfind("/") + 1]
            if folder not in {"data/weights/", "data/constants/"} or not inner.endswith("_config.json"):
                continue
            content = self.walker.opened(archive, found, self.member)
            if content is not None:
                payloads, issues = read_payloads(content)
                self.walker.parsed(issues, content, inside(self.member, found))
                # Other names mean pickles to the loader, whatever the configuration says.
                plain = [one.name for one in payloads if not one.pickled and not one.name.endswith(".pt")]
                raw |= {folder + name for name in plain if name.startswith(("weight_", "tensor_"))}
        return frozenset(raw)

    def _graph(self, archive: Archive, found: Member) -> None:
        content = self.walker.opened(archive, found, self.member)
        if content is not None:
            issues = check_program(content, self._tables())
            self.walker.parsed(issues, content, inside(self.member, found))

    def _saved(self, archive: Archive, found: Member, inner: str) -> None:
        """A file of torch.save, which the loader unpickles without asking for weights only."""
        content = self.walker.opened(archive, found, self.member)
        if content is None:
            return
        kind = sniff(content)
        if (
            not inner.startswith("extra/")
            and found.size
            and kind not in {media.TORCH_ZIP, media.TORCH_LEGACY}
        ):
            message = "The member should be a file of torch.save and is something else."
            self.walker.add("torch:member", Verdict.UNKNOWN, message, inside(self.member, found))
        self.walker.inner(archive, found, self.member, self.depth)

    def _foreign(self, archive: Archive, found: Member, inner: str) -> None:
        compiled = inner.startswith("data/aotinductor/")
        message = (
            "The member belongs to a compiled program: native code, which is not judged."
            if compiled
            else "The member is not one that torch.export writes, or holds an object of a library."
        )
        rule = "torch:compiled" if compiled else "torch:member"
        verdict = Verdict.UNKNOWN if compiled or inner.startswith("data/") else Verdict.REVIEW
        self.walker.add(rule, verdict, message, inside(self.member, found))
        self.walker.inner(archive, found, self.member, self.depth)


def _is_saved(inner: str) -> bool:
    """Members that the loader hands to torch.load: sample inputs, pickled weights, and the parts of old archives."""
    folder, _, base = inner.rpartition("/")
    if inner in {
        "serialized_state_dict.pt",
        "serialized_constants.pt",
        "serialized_example_inputs.pt",
        "serialized_state_dict.json",
        "serialized_constants.json",
    }:
        return True
    if folder == "data/sample_inputs":
        return base.endswith(".pt")
    return folder in {"data/weights", "data/constants"} and (
        base.endswith(".pt") or base.startswith(("weight_", "tensor_"))
    )


def base_name(found: Member) -> str:
    """The last part of a member's name."""
    return found.name.rsplit("/", 1)[-1]
