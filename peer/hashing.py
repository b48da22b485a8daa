"""Hashing files that lie on the disk: for sharing and for verifying.

Several threads hash at once (BLAKE3 and the reads release the interpreter lock), each a run of
chunks of one file at a time, into one table of digests: 32 bytes for each chunk of the layout.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from msgspec import Struct

from bus.errors import ERR_CHANGED, ERR_STATE, ShoalError
from peer.core.layout import Layout
from peer.descriptors import Descriptor
from peer.files import FileOps
from peer.manifest import DIGEST_SIZE, chunk_digest, new_chunk

READ_BYTES: Final = 2**20
"""Read at a time: what fits a core's cache is hashed from there."""
RUN_BYTES: Final = 8 * 2**20
"""About so much of a file is one thread's at a time."""
INLINE_BYTES: Final = 4 * 2**20
"""Less than this is not worth starting threads for."""
SMALL_CHUNK: Final = 64 * 1024
"""Average size of a chunk below which several threads are slower than one: they wait for the interpreter."""
REPORT_SECONDS: Final = 0.25


class Hashing(Struct, frozen=True):
    """How far hashing has come."""

    name: str
    bytes_done: int
    size: int
    files_done: int
    files: int


class Run(NamedTuple):
    """Neighbouring chunks of one entry."""

    entry: int
    chunks: range


def has_small_chunks(layout: Layout) -> bool:
    """Whether what is done for each chunk costs more than its bytes do."""
    return layout.size < layout.chunks * SMALL_CHUNK


class Progress:
    """Counts what is hashed, and reports it a few times a second and at the end.  Safe for several threads."""

    def __init__(self, name: str, layout: Layout, report: Callable[[Hashing], None]) -> None:
        self._name = name
        self._layout = layout
        self._files = sum(1 for entry in layout.entries if not entry.directory)
        self._empty = sum(1 for entry in layout.entries if not entry.directory and not entry.size)
        self._report = report
        self._bytes = 0
        self._done = self._empty
        self._next = 0.0
        self._lock = threading.Lock()

    def hashed(self, run: Run) -> None:
        """A run was hashed."""
        size = self._layout.chunk_sizes[run.entry]
        starts_at = (run.chunks.start - self._layout.starts[run.entry]) * size
        rest = self._layout.entries[run.entry].size - starts_at
        with self._lock:
            self._bytes += min(len(run.chunks) * size, rest)
            self._done += len(run.chunks) * size >= rest
            now = time.monotonic()
            if now >= self._next or self._bytes == self._layout.size:
                self._next = now + REPORT_SECONDS
                # Within the lock, so that reports come in order.
                self._report(Hashing(self._name, self._bytes, self._layout.size, self._done, self._files))


class Hasher:
    """Hashes runs of chunks with several threads.  One object may be used again and again."""

    def __init__(self, threads: int, files: FileOps) -> None:
        self._threads = threads
        self._files = files
        self.stopping = False
        """Set when the process stops: whoever hashes gives up."""

    def hash(
        self,
        layout: Layout,
        chunks: Iterable[int],
        use: Callable[[int], Descriptor],
        *,
        looked: Callable[[int, int], None] = lambda entry, number: None,
        missing: Callable[[int, OSError], None],
        hashed: Callable[[Run], None] = lambda run: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> bytearray:
        """Digests of chunks, each at its place in the table; zeros where there is none.

        Args:
            use: opens an entry.
            looked: called with an entry and its open file after its bytes were read.
            missing: called when a file cannot be read or is too short; it may raise to end all.
            cancelled: asked between runs.

        Raises:
            ShoalError: ERR_STATE if it was cancelled; and what the callbacks raise.
        """
        digests = bytearray(layout.chunks * DIGEST_SIZE)
        runs = _runs(layout, chunks)
        lock = threading.Lock()
        errors: list[BaseException] = []

        def work() -> None:
            buffer = memoryview(bytearray(READ_BYTES))
            try:
                while not errors:
                    with lock:
                        run = next(runs, None)
                    if run is None:
                        return
                    if self.stopping or cancelled():
                        raise ShoalError(ERR_STATE, "hashing was cancelled")
                    try:
                        with use(run.entry) as number:
                            self._hash_run(layout, run, number, buffer, digests)
                            looked(run.entry, number)
                    except OSError as error:
                        missing(run.entry, error)
                    hashed(run)
            except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
                errors.append(error)

        helpers = (
            [] if layout.size < INLINE_BYTES else [threading.Thread(target=work) for _ in range(self._threads - 1)]
        )
        for helper in helpers:
            helper.daemon = True
            helper.start()
        work()
        for helper in helpers:
            helper.join()
        if errors:
            raise errors[0]
        return digests

    def _hash_run(self, layout: Layout, run: Run, number: int, buffer: memoryview, digests: bytearray) -> None:
        size = layout.chunk_sizes[run.entry]
        end = layout.entries[run.entry].size
        offset = (run.chunks.start - layout.starts[run.entry]) * size
        for chunk in run.chunks:
            digest = self._digest(number, offset, min(size, end - offset), buffer)
            digests[chunk * DIGEST_SIZE : (chunk + 1) * DIGEST_SIZE] = digest
            offset += size

    def _digest(self, number: int, offset: int, length: int, buffer: memoryview) -> bytes:
        if length <= READ_BYTES:
            self._fill(number, buffer[:length], offset)
            return chunk_digest(buffer[:length])
        hasher = new_chunk()
        for start in range(0, length, READ_BYTES):
            part = buffer[: min(READ_BYTES, length - start)]
            self._fill(number, part, offset + start)
            hasher.update(part)
        return hasher.digest()

    def _fill(self, number: int, view: memoryview, offset: int) -> None:
        if self._files.read_into(number, view, offset) != len(view):
            raise ShortFileError


class ShortFileError(OSError):
    """A file ended before the bytes that it had when its size was taken."""

    def __init__(self) -> None:
        super().__init__("it became shorter")


def changed_while_hashed(path: str) -> ShoalError:
    return ShoalError(ERR_CHANGED, f"{path} changed while it was hashed; share it again when it is left alone")


def _runs(layout: Layout, chunks: Iterable[int]) -> Iterator[Run]:
    entry, begin, end = -1, 0, 0
    for chunk in chunks:
        if chunk == end and entry >= 0 and chunk < layout.starts[entry] + _longest(layout, entry, begin):
            end += 1
            continue
        if entry >= 0:
            yield Run(entry, range(begin, end))
        entry, begin, end = layout.entry_of(chunk), chunk, chunk + 1
    if entry >= 0:
        yield Run(entry, range(begin, end))


def _longest(layout: Layout, entry: int, begin: int) -> int:
    """Chunk number within its entry at which a run that begins at `begin` ends at the latest."""
    first = begin - layout.starts[entry]
    count = -(-layout.entries[entry].size // layout.chunk_sizes[entry])
    return min(count, first + max(1, RUN_BYTES // layout.chunk_sizes[entry]))
