"""Files that hold pickles: one stream, joblib's arrays in between, torch before 1.6, and what lies behind STOP."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lockflight.core.findings import Verdict
from lockflight.core.records import dataclass
from lockflight.formats.pickle.records import Budget, Call, Pin, Use, calls_of, uses_of
from lockflight.formats.pickle.vm import Machine, Outcome
from lockflight.formats.report import Issue, Issues, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lockflight.core.source import ByteSource
    from lockflight.formats.pickle.allow import AllowList
    from lockflight.formats.pickle.values import Global

TORCH_MAGIC = 0x1950A86A20F9469CFC6C
#: Streams behind the first STOP that are looked into.
_MAX_TRAILING = 64
_PADDING = 64 * 1024
_BLANK = 64

#: Bytes of an element of torch's storages.
STORAGE_WIDTHS = {
    "UntypedStorage": 1, "ByteStorage": 1, "CharStorage": 1, "BoolStorage": 1, "ShortStorage": 2, "HalfStorage": 2,
    "BFloat16Storage": 2, "IntStorage": 4, "FloatStorage": 4, "LongStorage": 8, "DoubleStorage": 8,
    "ComplexFloatStorage": 8, "ComplexDoubleStorage": 16, "QInt8Storage": 1, "QUInt8Storage": 1, "QInt32Storage": 4,
    "QUInt4x2Storage": 1, "QUInt2x4Storage": 1,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PickleReport:
    """What a file of pickles would do.

    Attributes:
        complete: every byte of the file was followed to its end.
        over_budget: a budget, and not the file, ended the analysis.
        issues: what is wrong with it; none for a file whose every import and call is listed.
        opcodes: how many were run.
        judged: bytes that were followed.
        found, edges, computed: imports and calls as the machine keeps them.
        pins: torch's storages by key.
        persistent_ids: how many objects the stream takes from the loader.
        ext_codes: extension codes that it imports.
    """

    complete: bool
    over_budget: bool
    issues: tuple[Issue, ...]
    opcodes: int
    judged: int
    found: Mapping[tuple[str, str, bool], tuple[Global, int]]
    edges: Mapping[tuple[str, Global, Global | None], None]
    computed: Iterable[str]
    pins: tuple[Pin, ...]
    persistent_ids: int
    ext_codes: frozenset[int]

    @property
    def globals(self) -> tuple[Use, ...]:
        """Every import, in order."""
        return tuple(use for _, use in uses_of(self.found, self.edges).values())

    @property
    def calls(self) -> tuple[Call, ...]:
        """Every kind of call."""
        return calls_of(self.edges, computed=self.computed)


#: What counts of a stream that another loader would see: it takes names that are listed, and does harm with them.
#: That it calls what is none, or takes one name for another, honest files of joblib show too: their arrays of objects
#: have a memo of their own.
_ASIDE = frozenset({"pickle:arguments", "pickle:state", "pickle:dtype", "pickle:attribute"})
#: In a joblib file with an array of objects, `pickle.load` reads the array's own stream as part of the outer one, and
#: its references to "numpy" as whatever stands there. No library has anything of this name that does harm.
_NUMPY_WORDS = frozenset({"dtype"})


@dataclass(frozen=True, slots=True)
class Aside:
    """What would happen if a file that is something else were unpickled.

    Attributes:
        stops: it runs to a STOP.
        names: what it would import and what is not listed.
        over: which budget ended the analysis; empty for none.
    """

    stops: bool
    names: tuple[str, ...]
    over: str


class Streams:
    """The pickles of one file: the first one is run at once, what follows it when the report is asked for."""

    def __init__(
        self,
        source: ByteSource,
        allow: AllowList,
        budget: Budget | None = None,
        *,
        torch: bool = False,
        joblib: bool | None = None,
    ) -> None:
        """Run the first stream.

        Args:
            source: the file or archive member, from its first opcode.
            allow: what it may do.
            budget: shared between the files of one asset; a new one by default.
            torch: it is part of a torch archive, so it may refer to that archive's storages.
            joblib: joblib may load it; by default where it is no part of a torch archive.
        """
        self.source = source
        self.allow = allow
        self.budget = budget or Budget()
        self.torch = torch
        self.joblib = not torch if joblib is None else joblib
        self.issues = Issues()
        self.opcodes = 0
        self.found: dict[tuple[str, str, bool], tuple[Global, int]] = {}
        self.edges: dict[tuple[str, Global, Global | None], None] = {}
        self.computed: dict[str, None] = {}
        self.pins: dict[str, Pin] = {}
        self.persistent_ids = 0
        self.ext_codes: set[int] = set()
        self.over_budget = False
        self.first_array = -1
        self.first = self.run(0)

    def run(self, start: int, *, torch: bool | None = None, joblib: bool | None = None) -> Outcome:
        """Run one stream and keep what it says."""
        machine, outcome = _ran(
            self.source,
            self.allow,
            self.budget,
            start,
            torch=self.torch if torch is None else torch,
            joblib=self.joblib if joblib is None else joblib,
        )
        self._take(machine, outcome)
        if self.first_array < 0:
            self.first_array = machine.first_array
        self._over(outcome)
        if outcome.problem and not outcome.budget:
            message = f"The stream cannot be followed to its end: {outcome.problem}."
            self.issues.add(Issue("pickle:broken", Verdict.UNKNOWN, message, outcome.end))
        return outcome

    def run_aside(self, start: int) -> None:
        """Run what another loader would see; it may break at any time, and what it would do before that counts."""
        machine, outcome = _ran(self.source, self.allow, Budget(), start, torch=False, joblib=False)
        self.opcodes += outcome.opcodes
        self._over(outcome)
        for key, (one, offset) in machine.found.items():
            if one.entry is None and _plausible(one.module) and one.name not in _NUMPY_WORDS:
                self.found.setdefault(key, (one, offset))
        self.issues.extend(one for one in machine.issues.frozen() if one.rule in _ASIDE)

    def _over(self, outcome: Outcome) -> None:
        if outcome.budget:
            self.over_budget = True
            message = f"The stream cannot be followed to its end: {outcome.problem}."
            self.issues.add(Issue("pickle:budget", Verdict.UNKNOWN, message, outcome.end))

    def _take(self, machine: Machine, outcome: Outcome) -> None:
        self.opcodes += outcome.opcodes
        self.issues.extend(machine.issues.frozen())
        for key, first in machine.found.items():
            self.found.setdefault(key, first)
        self.edges |= machine.edges
        self.computed |= machine.computed
        self.pins |= machine.pins
        self.persistent_ids += machine.persistent_ids
        self.ext_codes |= machine.ext_codes

    def report(self, judged: int, *, complete: bool) -> PickleReport:
        """The report, with an issue for each import that is not listed."""
        unlisted = {key: first for key, first in self.found.items() if first[0].entry is None}
        if unlisted:
            for _, use in uses_of(unlisted, self.edges).values():
                self.issues.add(_unlisted(use))
        return PickleReport(
            complete=complete,
            over_budget=self.over_budget,
            issues=self.issues.frozen(),
            opcodes=self.opcodes,
            judged=min(judged, self.source.size),
            found=self.found,
            edges=self.edges,
            computed=tuple(self.computed),
            pins=tuple(self.pins.values()),
            persistent_ids=self.persistent_ids,
            ext_codes=frozenset(self.ext_codes),
        )


def _ran(
    source: ByteSource, allow: AllowList, budget: Budget, start: int, *, torch: bool, joblib: bool
) -> tuple[Machine, Outcome]:
    """Run a stream, and once more with an eye on attributes where they could matter."""
    left = budget.opcodes, budget.depth
    machine = Machine(source, allow, budget, torch=torch, joblib=joblib)
    outcome = machine.run(start)
    if machine.doubtful:
        budget.opcodes, budget.depth = left
        machine = Machine(source, allow, budget, torch=torch, joblib=joblib, careful=True)
        outcome = machine.run(start)
    return machine, outcome


def _unlisted(use: Use) -> Issue:
    label = ".".join(use.resolved)
    verb = "calls" if use.called else "imports"
    rule = "pickle:dotted-global" if "." in use.name else "pickle:global"
    message = f"The stream {verb} {shown(label)[1:-1]}, which is not on the allow-list."
    return Issue(rule, Verdict.MALICIOUS, message, use.offset, subject=shown(label, 200)[1:-1])


#: A name with letters of other scripts, written out: which characters are letters depends on the version of Python.
_FOREIGN: Final = re.compile(
    "[A-Za-z_\u00c0-\u02af\u0370-\u052f\u05d0-\u05ea\u0621-\u064a\u0905-\u0939\u3041-\u30fa\u4e00-\u9fff\uac00-\ud7a3]"
    "[A-Za-z0-9_\u00c0-\u02af\u0370-\u052f\u05d0-\u05ea\u0621-\u064a\u0905-\u0939\u3041-\u30fa\u4e00-\u9fff\uac00-\ud7a3]*"
)


def _plausible(module: str) -> bool:
    if module.isascii():
        return all(part.isidentifier() for part in module.split("."))
    return _FOREIGN.fullmatch(module) is not None


def analyse(
    source: ByteSource, allow: AllowList, *, budget: Budget | None = None, torch: bool = False
) -> PickleReport:
    """Find out what unpickling a file would import, call and build; arguments as for `Streams`."""
    return finish(Streams(source, allow, budget, torch=torch))


def finish(file: Streams) -> PickleReport:
    """What unpickling a file would do, to its end."""
    if file.first_array >= 0:
        # `pickle.load` knows nothing of joblib's arrays and takes their bytes for opcodes.
        file.run_aside(0)
    end, complete = file.first.end, file.first.stopped
    if complete and file.first.value == -1 - TORCH_MAGIC:
        end, complete = _torch_legacy(file, end)
    elif complete and end < file.source.size:
        _trailing(file, end)
        end = file.source.size
    return file.report(end, complete=complete)


def imports_aside(source: ByteSource, allow: AllowList, budget: Budget) -> Aside:
    """What would happen if a file that is something else were unpickled."""
    return aside_of(Streams(source, allow, budget))


def aside_of(file: Streams) -> Aside:
    """The same for a file whose first stream ran already."""
    if file.first_array >= 0:
        file.run_aside(0)
    names = [
        ".".join(one.resolved)
        for one, _ in file.found.values()
        if one.entry is None and _plausible(one.module)
    ]
    return Aside(
        file.first.stopped,
        tuple(shown(name, 200)[1:-1] for name in names),
        file.first.problem if file.first.budget else "",
    )


def _torch_legacy(file: Streams, end: int) -> tuple[int, bool]:
    """Torch before 1.6: magic number, protocol, system, object, keys of storages; then the storages themselves."""
    for i in range(4):
        outcome = file.run(end, torch=i == 2, joblib=False)
        end = outcome.end
        if not outcome.stopped:
            return end, False
    size = 0
    for pin in file.pins.values():
        # Each storage is its number of elements, then the elements.
        size += 8 + pin.numel * STORAGE_WIDTHS.get(pin.storage, 0)
    rest = file.source.size - end
    if rest > size:
        _trailing(file, end + size)
    elif rest < size:
        message = "The storages that the stream refers to are longer than the file."
        file.issues.add(Issue("pickle:broken", Verdict.UNKNOWN, message, end))
        return file.source.size, False
    return file.source.size, True


def _trailing(file: Streams, end: int) -> None:
    """Bytes behind STOP: refused, and followed as far as they are pickles, to say what they would do."""
    rest = file.source.size - end
    message = f"There are {rest} bytes behind the end of the stream, where a loader may go on reading."
    # Line feeds are no opcodes: an editor's mark, not a stream.
    blank = rest <= _BLANK and not file.source.read_at(end, rest).strip()
    file.issues.add(Issue("pickle:trailing", Verdict.REVIEW if blank else Verdict.MALICIOUS, message, end))
    for _ in range(_MAX_TRAILING):
        padding = file.source.read_at(end, _PADDING)
        stripped = padding.lstrip(b"\0\n\r \t")
        if not stripped:
            return
        start = end + len(padding) - len(stripped)
        machine = Machine(file.source, file.allow, file.budget)
        outcome = machine.run(start)
        file.opcodes += outcome.opcodes
        for key, first in machine.found.items():
            file.found.setdefault(key, first)
        if not outcome.stopped or outcome.end <= end:
            return
        end = outcome.end
