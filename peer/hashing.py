"""Hashing files that lie on the disk: for sharing and for verifying.

Several threads hash at once (BLAKE3 and the reads release the interpreter lock), each a batch of
chunks at a time, into one table of digests: 32 bytes for each chunk of the layout.  While a
transfer needs the processors they take turns and rest in between.  (A low priority would not do:
where the kernel shares the processors out by sessions, it counts only within the own process.)
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final, NamedTuple

from msgspec import Struct

from bus.errors import ERR_CHANGED, ERR_STATE, ShoalError
from peer.core.layout import Layout
from peer.descriptors import Descriptor
from peer.files import FileOps
from peer.manifest import DIGEST_SIZE, chunk_digest, new_chunk
from peer.mapping import Mapper

READ_BYTES: Final = 2**18
"""Read at a time: hashed from the cache of the core that read it (measured: 7% less time than with 1 MiB)."""
BATCH_BYTES: Final = 8 * 2**20
"""About so much is one thread's at a time."""
BATCH_FILES: Final = 64
"""Small files that are one thread's at a time, at most."""
INLINE_BYTES: Final = 4 * 2**20
"""Less than this is not worth starting threads for."""
YIELDED: Final = 9
"""While a transfer is busy one thread hashes, and waits for so many times as long as it took."""
LONGEST_WAIT: Final = 0.25
"""Seconds that it waits at most before it looks again."""
SMALL_CHUNK: Final = 64 * 1024
"""Average size of a chunk below which several threads are slower than one: they wait for the interpreter."""
MAP_FROM: Final = 512 * 2**20
"""Bytes of a content from which each thread gets a child that maps (peer/mapping.py): to start two costs 40 ms of
processor time, which they make good in about 340 MiB."""
MAP_RUN: Final = 2**20
"""A shorter run of chunks is read: to ask the child costs 0.1 ms."""
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

    def __init__(
        self, name: str, layout: Layout, report: Callable[[Hashing], None], known: Collection[int] = ()
    ) -> None:
        """`known`: entries that need no hashing."""
        self._name = name
        self._layout = layout
        self._files = sum(1 for entry in layout.entries if not entry.directory)
        self._report = report
        self._done = sum(1 for entry in layout.entries if not entry.directory and not entry.size) + len(known)
        self._bytes = sum(layout.entries[number].size for number in known)
        self._next = 0.0
        self._lock = threading.Lock()

    def hashed(self, runs: Iterable[Run]) -> None:
        """Runs were hashed."""
        hashed, files = 0, 0
        for entry, chunks in runs:
            size = self._layout.chunk_sizes[entry]
            rest = self._layout.entries[entry].size - (chunks.start - self._layout.starts[entry]) * size
            hashed += min(len(chunks) * size, rest)
            files += len(chunks) * size >= rest
        with self._lock:
            self._bytes += hashed
            self._done += files
            now = time.monotonic()
            if now >= self._next or self._bytes == self._layout.size:
                self._next = now + REPORT_SECONDS
                # Within the lock, so that reports come in order.
                self._report(Hashing(self._name, self._bytes, self._layout.size, self._done, self._files))


class Hasher:
    """Hashes runs of chunks with several threads.  One object may be used again and again."""

    def __init__(self, threads: int, files: FileOps, busy: Callable[[], bool] = lambda: False) -> None:
        """`busy` says whether a transfer runs that would lose by it."""
        self._threads = threads
        self._files = files
        self._busy = busy
        self._one = threading.Lock()
        self.stopping = False
        """Set when the process stops: whoever hashes gives up."""

    def hash(
        self,
        layout: Layout,
        spans: Iterable[range],
        use: Callable[[int], Descriptor],
        *,
        looked: Callable[[int, int], None] = lambda entry, number: None,
        missing: Callable[[int, OSError], None],
        hashed: Callable[[list[Run]], None] = lambda runs: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> bytearray:
        """Digests of chunks, each at its place in the table; zeros where there is none.

        Args:
            spans: chunks to hash, rising.
            use: opens an entry.
            looked: called with an entry and its open file after its bytes were read.
            missing: called when a file cannot be read or is too short; it may raise to end all.
            cancelled: asked between runs.

        Raises:
            ShoalError: ERR_STATE if it was cancelled; and what the callbacks raise.
        """
        digests = bytearray(layout.chunks * DIGEST_SIZE)
        batches = _batches(layout, spans)
        lock = threading.Lock()
        errors: list[BaseException] = []

        def hash_one(run: Run, buffer: memoryview, mapper: Mapper) -> None:
            try:
                with use(run.entry) as number:
                    if not _map_run(layout, run, number, mapper, digests):
                        self._hash_run(layout, run, number, buffer, digests)
                    looked(run.entry, number)
            except OSError as error:
                missing(run.entry, error)

        def work() -> None:
            buffer = memoryview(bytearray(min(READ_BYTES, layout.size)))
            try:
                with Mapper(wanted=not alone and layout.size >= MAP_FROM) as mapper:
                    while not errors:
                        with lock:
                            batch = next(batches, None)
                        if batch is None:
                            return
                        self._go_on(cancelled)
                        with self._turn():
                            for run in batch:
                                hash_one(run, buffer, mapper)
                        hashed(batch)
            except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
                errors.append(error)

        alone = layout.size < INLINE_BYTES or has_small_chunks(layout)
        _run_in_threads(work, 1 if alone else self._threads)
        if errors:
            raise errors[0]
        return digests

    def _go_on(self, cancelled: Callable[[], bool]) -> None:
        if self.stopping or cancelled():
            raise ShoalError(ERR_STATE, "hashing was cancelled")

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Around a batch: at once, or seldom and one at a time while a transfer is busy."""
        if not self._busy():
            yield
            return
        with self._one:
            began = time.monotonic()
            yield
            if not self.stopping:
                time.sleep(min(LONGEST_WAIT, YIELDED * (time.monotonic() - began)))

    def _hash_run(self, layout: Layout, run: Run, number: int, buffer: memoryview, digests: bytearray) -> None:
        entry, chunks = run
        size = layout.chunk_sizes[entry]
        offset = (chunks.start - layout.starts[entry]) * size
        length = min(len(chunks) * size, layout.entries[entry].size - offset)
        place = chunks.start * DIGEST_SIZE
        if size > READ_BYTES:
            for start in range(0, length, size):
                digest = self._digest_long(number, offset + start, min(size, length - start), buffer)
                digests[place : place + DIGEST_SIZE] = digest
                place += DIGEST_SIZE
            return
        # Chunk sizes are powers of two: a whole number of them is read at a time.
        for start in range(0, length, READ_BYTES):
            taken = min(READ_BYTES, length - start)
            self._fill(number, buffer[:taken], offset + start)
            for begin in range(0, taken, size):
                digests[place : place + DIGEST_SIZE] = chunk_digest(buffer[begin : min(begin + size, taken)])
                place += DIGEST_SIZE

    def _digest_long(self, number: int, offset: int, length: int, buffer: memoryview) -> bytes:
        hasher = new_chunk()
        for start in range(0, length, READ_BYTES):
            part = buffer[: min(READ_BYTES, length - start)]
            self._fill(number, part, offset + start)
            hasher.update(part)
        return hasher.digest()

    def _fill(self, number: int, view: memoryview, offset: int) -> None:
        if self._files.read_into(number, view, offset) != len(view):
            raise ShortFileError


def _map_run(layout: Layout, run: Run, number: int, mapper: Mapper, digests: bytearray) -> bool:
    """Have a run's digests made by the child; False if there is none, or not for this run."""
    size = layout.chunk_sizes[run.entry]
    offset = (run.chunks.start - layout.starts[run.entry]) * size
    length = min(len(run.chunks) * size, layout.entries[run.entry].size - offset)
    if length < MAP_RUN or (made := mapper.digests(number, offset, length, size)) is None:
        return False
    digests[run.chunks.start * DIGEST_SIZE : run.chunks.stop * DIGEST_SIZE] = made
    return True


def _run_in_threads(work: Callable[[], None], count: int) -> None:
    """Run `work` in this thread and in others beside it, `count` in all."""
    helpers = [threading.Thread(target=work, daemon=True) for _ in range(count - 1)]
    for helper in helpers:
        helper.start()
    work()
    for helper in helpers:
        helper.join()


class ShortFileError(OSError):
    """A file ended before the bytes that it had when its size was taken."""

    def __init__(self) -> None:
        super().__init__("it became shorter")


def changed_while_hashed(path: str, doing: str = "share") -> ShoalError:
    return ShoalError(ERR_CHANGED, f"{path} changed while it was hashed; {doing} it again when it is left alone")


def _batches(layout: Layout, spans: Iterable[range]) -> Iterator[list[Run]]:
    """The runs of chunks to hash, small ones together."""
    batch: list[Run] = []
    room = BATCH_BYTES
    for run in _runs(layout, spans):
        batch.append(run)
        room -= min(len(run.chunks) * layout.chunk_sizes[run.entry], layout.entries[run.entry].size)
        if room <= 0 or len(batch) == BATCH_FILES:
            yield batch
            batch, room = [], BATCH_BYTES
    if batch:
        yield batch


def _runs(layout: Layout, spans: Iterable[range]) -> Iterator[Run]:
    """Spans of chunks cut at the ends of entries, and into pieces of about BATCH_BYTES."""
    starts, last = layout.starts, len(layout.starts) - 1
    for span in spans:
        chunk = span.start
        while chunk < span.stop:
            entry = layout.entry_of(chunk)
            end = starts[entry + 1] if entry < last else layout.chunks
            end = min(end, span.stop, chunk + max(1, BATCH_BYTES // layout.chunk_sizes[entry]))
            yield Run(entry, range(chunk, end))
            chunk = end
