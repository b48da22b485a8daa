"""Verifying and writing chunks as they arrive.

The parts of one chunk always go to the same worker, in the order in which they came: so a chunk
has one writer, and its digest is computed over exactly the bytes that were written, as they
pass.  Chunk bytes are never copied here: slices of the received frame go to the hash and to the
file.

A content of small files has one worker, so that a message of many files is one job.  (What is
done for a small file is mostly done by the interpreter, which runs one thread at a time: two
workers took 0.66 s for 10,000 files of 4 KiB where one took 0.37 s.)
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from blake3 import blake3

from bus.errors import ERR_FAILURE, ShoalError
from peer.core.interface import CoreEvent, Part, Store, Stored, StoreFailed
from peer.core.layout import MIN_CHUNK_SIZE
from peer.hashing import has_small_chunks
from peer.manifest import SmallFiles, chunk_digest, new_chunk
from peer.temporary import SmallFile, TemporaryFiles
from peer.workers import Workers

log = logging.getLogger(__name__)

NEIGHBOURS: Final = 4 * 2**20
"""About so many bytes that follow one another go to one worker, so that a message of some chunks is mostly one job."""


Placed = tuple[int, int, int, int]
"""A part and where it is: (chunk, offset, length, place in the payload)."""


class Pending:
    """A chunk of which some parts have come."""

    __slots__ = ("hasher", "received")

    def __init__(self) -> None:
        self.hasher: blake3 = new_chunk()
        self.received = 0


class _Job:
    """One Store, whose parts may be with several workers."""

    __slots__ = ("download", "error", "held", "number", "open", "rejected", "view")

    def __init__(self, number: int, download: TemporaryFiles, view: memoryview, workers: int) -> None:
        self.number = number
        self.download = download
        self.view = view
        self.open = workers
        self.held: list[int] = []
        self.rejected: list[int] = []
        self.error: ShoalError | None = None


class _Writer:
    """What one worker knows."""

    def __init__(self) -> None:
        self.thread = Workers("store")
        self.pending: dict[TemporaryFiles, dict[int, Pending]] = {}
        self.small_files = SmallFiles()

    def forget(self, download: TemporaryFiles, *chunks: int) -> None:
        """Drop what was collected of these chunks."""
        if begun := self.pending.get(download):
            for chunk in chunks:
                begun.pop(chunk, None)


class WritePool:
    """The workers that verify and write."""

    def __init__(
        self,
        count: int,
        post: Callable[[CoreEvent], None],
        touched: Callable[[TemporaryFiles], None],
    ) -> None:
        """`touched` is told of a download that has chunks to sync."""
        self._post = post
        self._touched = touched
        self._lock = threading.Lock()
        self._writers = [_Writer() for _ in range(count)]

    def store(self, effect: Store, download: TemporaryFiles) -> None:
        """Verify and write; answered by Stored or StoreFailed."""
        view = memoryview(effect.payload)  # type: ignore[arg-type]
        shares = self._share_out(effect.parts, download)
        job = _Job(effect.job, download, view, max(1, len(shares)))
        if not shares:
            self._done(job)
        for number, parts in shares.items():
            self._submit(self._writers[number], job, parts)

    def forget(self, chunks: tuple[int, ...], download: TemporaryFiles) -> None:
        """Drop what was collected of these chunks."""
        for writer in self._writers:
            writer.thread.submit(lambda writer=writer: writer.forget(download, *chunks))  # type: ignore[misc]

    def flush(self) -> None:
        """Wait until everything that was given so far is written."""
        passed = threading.Semaphore(0)
        for writer in self._writers:
            writer.thread.submit(passed.release)
        for _ in self._writers:
            passed.acquire()

    def drop(self, download: TemporaryFiles) -> None:
        """Forget all about a download."""
        for writer in self._writers:
            writer.thread.submit(lambda writer=writer: writer.pending.pop(download, None))  # type: ignore[misc]

    def close(self) -> None:
        """Take no more; what was given is still written."""
        for writer in self._writers:
            writer.thread.close()

    def join(self, deadline: float) -> bool:
        """Wait for the workers to end, until `deadline` (monotonic); False if one did not."""
        ended = [writer.thread.join(deadline) for writer in self._writers]
        return all(ended)

    # -- sharing out --

    def _share_out(self, parts: tuple[Part, ...], download: TemporaryFiles) -> dict[int, list[Placed]]:
        """Worker -> its parts, without those that are to be passed over."""
        layout, count = download.layout, len(self._writers)
        placed: list[Placed] = []
        place = 0
        for chunk, offset, length in parts:
            if 0 <= chunk < layout.chunks:
                placed.append((chunk, offset, length, place))
            place += length
        if has_small_chunks(layout):
            return {int(download.content[:8], 16) % count: placed} if placed else {}
        together = max(1, NEIGHBOURS * layout.chunks // max(1, layout.size))
        shares: dict[int, list[Placed]] = {}
        for part in placed:
            shares.setdefault(part[0] // together % count, []).append(part)
        return shares

    def _submit(self, writer: _Writer, job: _Job, parts: list[Placed]) -> None:
        writer.thread.submit(lambda: self._work(writer, job, parts))

    # -- in a worker --

    def _work(self, writer: _Writer, job: _Job, parts: list[Placed]) -> None:
        download = job.download
        try:
            if download.failure is not None:
                raise download.failure
            if download.is_file or not has_small_chunks(download.layout):
                self._take_all(writer, job, parts)
            else:
                self._take_small(writer, job, parts)
        except ShoalError as error:
            job.error = error
        except Exception:  # a bug: said in the log, and the download stops as for any other failure
            log.exception("a write failed")
            job.error = ShoalError(ERR_FAILURE, f"internal error with {download.path}; the log has the details")
        if job.error is not None:
            download.fail(job.error)
            writer.pending.pop(download, None)
        self._done(job)

    def _take_all(self, writer: _Writer, job: _Job, parts: list[Placed]) -> None:
        for chunk, offset, length, place in parts:
            right = self._take(writer, job.download, chunk, offset, job.view[place : place + length])
            if right is not None:
                (job.held if right else job.rejected).append(chunk)

    def _take_small(self, writer: _Writer, job: _Job, parts: list[Placed]) -> None:
        """Files of one chunk that came whole are written folder by folder; the rest as ever."""
        download, view, entries = job.download, job.view, job.download.layout.entries
        begun = writer.pending.get(download, {})
        small: list[SmallFile] = []
        rest: list[Placed] = []
        for part, number in zip(parts, job.download.layout.entries_of([part[0] for part in parts]), strict=True):
            chunk, offset, length, place = part
            entry = entries[number]
            if offset or length != entry.size or length > MIN_CHUNK_SIZE:
                rest.append(part)
                continue
            if chunk in download.held:
                continue
            data = view[place : place + length]
            if writer.small_files.right(entry, data):
                small.append((chunk, number, data))
            else:
                job.rejected.append(chunk)
            if begun:
                begun.pop(chunk, None)
        download.write_small(small)
        job.held += [chunk for chunk, _, _ in small]
        self._take_all(writer, job, rest)

    def _done(self, job: _Job) -> None:
        """One worker's share is done; the last one answers."""
        with self._lock:
            job.open -= 1
            if job.open > 0:
                return
        job.view.release()
        download = job.download
        if job.error is not None:
            self._post(StoreFailed(download.content, job.number, job.error.code, job.error.message))
            return
        if job.held:
            self._touched(download)
        self._post(Stored(job.number, tuple(job.held), tuple(job.rejected)))

    def _take(
        self, writer: _Writer, download: TemporaryFiles, chunk: int, offset: int, data: memoryview
    ) -> bool | None:
        """Write a part; whether the chunk it completes is right, or None if it completes none."""
        layout = download.layout
        if chunk >= layout.chunks or chunk in download.held:
            return None
        entry = layout.entry_of(chunk)
        start = layout.offset_of(chunk, entry)
        size = min(layout.chunk_sizes[entry], layout.entries[entry].size - start)
        pending = writer.pending.setdefault(download, {})
        if offset == 0 and len(data) == size:
            pending.pop(chunk, None)
            digest = chunk_digest(data)
        else:
            begun = pending.get(chunk)
            if offset == 0:
                begun = pending[chunk] = Pending()
            if begun is None or begun.received != offset or offset + len(data) > size:
                return None
            begun.hasher.update(data)
            begun.received += len(data)
            if begun.received < size:
                download.write(entry, data, start + offset)
                return None
            del pending[chunk]
            digest = begun.hasher.digest()
        if not download.is_right(chunk, entry, digest):
            return False
        download.write(entry, data, start + offset)
        download.add_held(chunk, entry, size)
        return True
