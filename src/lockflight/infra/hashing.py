"""SHA-256 and BLAKE3 of files in one pass over their bytes.

Bytes are read once into a buffer that is used again (256 KiB stay in the second-level cache, so the second
digest reads no memory); files up to 64 KiB take one read. Threads work on different files: both libraries let
go of the interpreter while they compute.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from blake3 import blake3

from lockflight.infra.files import FdSource, FileSource, Folder, ReopenedSource, changed, descriptor_budget
from lockflight.infra.progress import SILENT, Progress

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

BUFFER = 256 * 1024
SMALL = 64 * 1024
MAX_WORKERS = 8
#: How often a thread reports, in bytes.
_REPORT = 16 * 1024 * 1024

T = TypeVar("T")


class Digests(NamedTuple):
    """Both digests of one file, 64 lower-case hex digits each."""

    sha256: str
    blake3: str


class Tap(Protocol):
    """Takes the bytes of a file while they pass by to be hashed."""

    def update(self, part: bytes | memoryview) -> None:
        """The next bytes; a view is overwritten afterwards."""
        ...


class HashedFile(NamedTuple, Generic[T]):
    """One file after its only full read.

    Attributes:
        source: its bytes, still those that were hashed.
        digests: both digests.
        seen: what the caller's `look` said about it.
        tap: what the caller let take part in the read.
    """

    source: FileSource
    digests: Digests
    seen: T
    tap: Tap | None = None


class Memory(Protocol, Generic[T]):
    """What was found out about files before; see `store.hashcache` for when that can hold."""

    def recall(self, source: FdSource) -> HashedFile[T] | None:
        """What is known of an open file; None where it must be read."""
        ...

    def settle(self, source: FdSource) -> bool:
        """Before a file is read: whether what is found may be kept."""
        ...

    def keep(self, file: HashedFile[T]) -> None:
        """Keep what was found."""
        ...


_local = threading.local()


def _buffer() -> memoryview:
    view: memoryview | None = getattr(_local, "view", None)
    if view is None:
        view = _local.view = memoryview(bytearray(BUFFER))
    return view


def hash_source(source: FdSource, progress: Progress = SILENT, tap: Tap | None = None) -> Digests:
    """Both digests of an open file, which must not change meanwhile.

    The identity of a source is that of before its first read, so its `check`, after the last read of all, covers
    this one too. A small file takes one read and is left to that check.

    Raises:
        InvalidInput: LF1003 the file changed while it was read.
        EnvironmentProblem: LF1008 it cannot be read.
    """
    size = source.size
    if size <= SMALL:
        # One byte more than there was shows a file that grew.
        data = os.pread(source.fileno(), size + 1, 0)
        if len(data) != size:
            raise changed(source.name)
        if progress is not SILENT:
            progress.advance(size)
        if tap is not None:
            tap.update(data)
        return Digests(sha256(data).hexdigest(), blake3(data).hexdigest())
    sha, blake = sha256(), blake3()
    for part in _parts(source, progress):
        sha.update(part)
        blake.update(part)
        if tap is not None:
            tap.update(part)
    source.check()
    return Digests(sha.hexdigest(), blake.hexdigest())


def sha256_source(source: FdSource) -> str:
    """SHA-256 alone, for whoever needs no more."""
    state = sha256()
    for part in _parts(source, SILENT):
        state.update(part)
    source.check()
    return state.hexdigest()


def blake3_source(source: FdSource) -> str:
    """BLAKE3 alone, for whoever needs no more."""
    state = blake3()
    for part in _parts(source, SILENT):
        state.update(part)
    source.check()
    return state.hexdigest()


def _parts(source: FdSource, progress: Progress) -> Iterator[memoryview]:
    """The file's bytes, as views of one buffer that the next step overwrites."""
    view, fd, offset, told = _buffer(), source.fileno(), 0, 0
    while True:
        n = os.preadv(fd, [view], offset)
        if not n:
            break
        offset += n
        yield view[:n]
        if offset - told >= _REPORT:
            progress.advance(offset - told)
            told = offset
    progress.advance(offset - told)
    if offset != source.size:
        raise changed(source.name)


def hash_files(
    folder: Folder,
    names: Sequence[str],
    look: Callable[[FdSource], T],
    *,
    tap: Callable[[FdSource], Tap | None] = lambda _: None,
    progress: Progress = SILENT,
    workers: int = 0,
    hold: int = 0,
    memory: Memory[T] | None = None,
) -> list[HashedFile[T]]:
    """Open, hash and look at files, in their given order.

    Args:
        folder: where they are.
        names: their names in it.
        look: called once per file, after hashing, perhaps in a thread.
        tap: called before; what it returns takes the bytes that are hashed.
        progress: told about bytes.
        workers: threads for files above 64 KiB; 0 for one per processor.
        hold: how many descriptors may stay open; 0 to ask the system. Above that, files are opened again for
            each later read, with their identity compared.
        memory: asked about files above 64 KiB before these are read; smaller ones are always read.

    Raises:
        InvalidInput: LF1001 to LF1003, see `Folder.open` and `hash_source`.
        EnvironmentProblem: LF1008 a file cannot be read.
    """
    hold = hold or descriptor_budget()
    workers = workers or min(MAX_WORKERS, os.cpu_count() or 1)
    all_fit = len(names) <= hold
    hashed: list[HashedFile[T] | None] = [None] * len(names)
    window: deque[tuple[int, Future[HashedFile[T]]]] = deque()
    opened: list[FdSource] = []
    held = 0
    progress.begin("hashing", 0 if progress is SILENT else sum(folder.size(name) for name in names))
    pool: ThreadPoolExecutor | None = None

    work = _Work(folder, look, tap, progress, memory)

    try:
        for i, name in enumerate(names):
            source = folder.open(name)
            opened.append(source)
            small = source.size <= SMALL
            if small and all_fit:
                part = tap(source)
                hashed[i] = HashedFile(source, hash_source(source, progress, part), look(source), part)
                continue
            # When not all can stay open, the large ones do: parsers come back to those.
            if small:
                hashed[i] = work.read(source, keep=False)
                continue
            keep = held < hold
            held += keep
            hashed[i] = work.known(source, keep=keep)
            if hashed[i] is not None:
                continue
            if pool is None:
                # Loaded only for large files: it costs a tenth of a whole offline verification.
                from concurrent.futures import ThreadPoolExecutor

                pool = ThreadPoolExecutor(workers, "hash")
            window.append((i, pool.submit(work.read, source, keep=keep)))
            if len(window) > 4 * workers:
                at, future = window.popleft()
                hashed[at] = future.result()
        while window:
            at, future = window.popleft()
            hashed[at] = future.result()
    except BaseException:
        if pool is not None:
            pool.shutdown(cancel_futures=True)
        for source in opened:
            source.close()
        raise
    finally:
        if pool is not None:
            pool.shutdown()
        progress.end()
    return [h for h in hashed if h is not None]


class _Work(Generic[T]):
    """What is done with each file."""

    def __init__(
        self,
        folder: Folder,
        look: Callable[[FdSource], T],
        tap: Callable[[FdSource], Tap | None],
        progress: Progress,
        memory: Memory[T] | None,
    ) -> None:
        self._folder = folder
        self._look = look
        self._tap = tap
        self._progress = progress
        self._memory = memory

    def read(self, source: FdSource, *, keep: bool) -> HashedFile[T]:
        """Hash and look at it; without `keep` its descriptor is given back."""
        memory = self._memory if source.size > SMALL else None
        settled = memory is not None and memory.settle(source)
        part = self._tap(source)
        digests = hash_source(source, self._progress, part)
        file = HashedFile(source, digests, self._look(source), part)
        if memory is not None and settled:
            memory.keep(file)
        return file if keep else self._given_back(file)

    def known(self, source: FdSource, *, keep: bool) -> HashedFile[T] | None:
        """What the memory knows of it."""
        file = self._memory.recall(source) if self._memory is not None else None
        if file is None:
            return None
        self._progress.advance(source.size)
        return file if keep else self._given_back(file)

    def _given_back(self, file: HashedFile[T]) -> HashedFile[T]:
        """The same file without its descriptor: opened again for each later read."""
        source = file.source
        source.close()
        return file._replace(source=ReopenedSource(self._folder, source.name, source.identity))
