"""A download's files until it is finished, and which of its chunks they hold.

    a file     <directory>/.<name, up to 200 bytes>.<first 16 digits of the id>.shoal
    a tree     <directory>/.<first 16 digits of the id>.shoal/ with the final relative paths inside

    written -> held (its digest is right) -> synced -> recorded

A held chunk is served at once, and nothing is ever written over it.  Only a synced chunk is
recorded, so that what the catalogue vouches for is on the disk.  When the disk fails, what was
not recorded is no longer held: after a failed sync the kernel may call a page clean that never
reached the disk, so it is neither believed nor synced a second time, but hashed and written again.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import groupby
from typing import Final, NamedTuple

from msgspec.structs import replace

from bus.errors import ERR_DISK, ERR_STATE, ERR_UNREADABLE, ShoalError
from peer.chunkset import ChunkSet
from peer.core.layout import Entry
from peer.core.records import DownloadRecord
from peer.core.selection import left_out_chunks
from peer.descriptors import Descriptor, Folder, OpenFiles
from peer.files import ANY_FOLDER, CREATE_NEW, FOLDER, READ, UPDATE, FileOps, error_of, shown
from peer.manifest import DIGEST_SIZE, FILE, Manifest, chunk_is_right

SYNC_ONE_BY_ONE: Final = 16
"""Files in a batch beyond which the whole file system is synced at once instead."""
_DESTINATION: Final = ".."


class Batch(NamedTuple):
    """Chunks held since the last sync, and the entries they belong to."""

    chunks: list[int]
    entries: list[int]


SmallFile = tuple[int, int, memoryview]
"""The only chunk of a file in a tree: (chunk, entry, bytes)."""


class TemporaryFiles:
    """Where one download's bytes go."""

    def __init__(
        self,
        record: DownloadRecord,
        manifest: Manifest,
        name: str,
        lists: dict[str, bytes],
        files: FileOps,
        open_files: OpenFiles,
    ) -> None:
        """`name`: of the file or folder in the record's directory; `lists`: digests by file id."""
        self.content = record.id
        self.record = record
        self.priorities = record.file_priorities
        """As the core told last."""
        self.layout = manifest.layout
        self.name = name
        self.directory = record.directory
        self.wanted = ChunkSet(self.layout.chunks)
        self.lists = lists
        self.present: set[int] = set()
        """Entries whose files there are; workers add to it at the same time."""
        self.held = ChunkSet(self.layout.chunks)
        self.recorded = ChunkSet(self.layout.chunks)
        self.failure: ShoalError | None = None
        self.placed = False
        """True once it lies under its final name."""
        self.unsynced_bytes = 0
        self._digests = manifest.digests
        self._by_id: dict[str, Entry] | None = None
        self._files = files
        self._open_files = open_files
        self._folder = Folder(files, open_files, self, self.path, self._open_top)
        self._batch: list[int] = []
        self._dirty: set[int] = set()
        self._lock = threading.Lock()
        self.syncing = threading.Lock()
        """Held by whoever syncs and records."""

    @property
    def path(self) -> str:
        """Absolute path of the file or folder that holds the bytes now."""
        return f"{self.directory}/{self.name}"

    @property
    def is_file(self) -> bool:
        return self.layout.kind == FILE

    def where(self, entry: int) -> str:
        """Absolute path of an entry."""
        return self.path if self.is_file else f"{self.path}/{self.layout.entries[entry].path}"

    def follow(self, record: DownloadRecord) -> None:
        """Take over what the core told of a running download: priorities, and what is left out."""
        self.priorities = record.file_priorities
        if record.left_out != self.record.left_out:
            self.record = replace(self.record, left_out=record.left_out)
            left_out = left_out_chunks(self.layout, record.left_out)
            self.wanted = ChunkSet(self.layout.chunks, self.wanted.mask & ~left_out)

    # -- files --

    def destination(self) -> Descriptor:
        """The open folder that the download goes to."""
        return self._open_files.take(
            self, _DESTINATION, lambda: self._files.open(self.directory, ANY_FOLDER), pinned=True
        )

    def top(self) -> Descriptor:
        """The open temporary file or folder."""
        return self.use(0) if self.is_file else self._folder.enter()

    @property
    def folder(self) -> Folder:
        """Of a tree."""
        return self._folder

    def use(self, entry: int) -> Descriptor:
        """An entry's open file, made if it is missing."""
        if self.is_file:
            return self._open_files.take(self, 0, self._open_top, pinned=True)
        if self._small(entry):
            return self._open_files.take(self, entry, lambda: self._open_or_make(entry), passing=True)
        return self._open_files.take(self, entry, lambda: self._open_or_make_alone(entry))

    def close(self) -> None:
        """Close what is open."""
        self._open_files.drop(self)

    def _small(self, entry: int) -> bool:
        return self.layout.entries[entry].size <= self.layout.chunk_sizes[entry]

    def _open_top(self) -> int:
        with self.destination() as parent:
            return self._files.open(self.name, UPDATE if self.is_file else FOLDER, folder=parent)

    def _open_or_make_alone(self, entry: int) -> int:
        # Two workers may come at once for a file of several chunks; a file of one has one worker.
        with self._lock:
            return self._open_or_make(entry)

    def _open_or_make(self, entry: int) -> int:
        """Make the file only if there was none: one that vanished held bytes that a new one would not have."""
        described: Entry = self.layout.entries[entry]
        small = self._small(entry)
        if entry in self.present:
            number = self._folder.open(described.path, UPDATE)
            found = self._files.status(number).st_size
        else:
            number = self._folder.open(described.path, CREATE_NEW, _mode_of(described), make=True)
            self.present.add(entry)
            found = 0
        if found > described.size or (found < described.size and not small):
            self._files.truncate(number, described.size)
        return number

    # -- bytes --

    def write(self, entry: int, data: memoryview, offset: int) -> None:
        """Write bytes of a chunk that is not held.  Raises ShoalError if the disk refuses them."""
        try:
            with self.use(entry) as number:
                self._files.write(number, data, offset)
        except OSError as error:
            raise error_of(error, self.where(entry), self._files, self.bytes_missing()) from None

    def write_small(self, files: Sequence[SmallFile]) -> None:
        """Write files of one chunk each, whole; they are held as soon as all are written.  Raises as `write` does."""
        entries = self.layout.entries
        placed = [(entries[file[1]].path.rpartition("/"), file) for file in files]
        for folder, together in groupby(placed, key=lambda one: one[0][0]):
            group = list(together)
            entry = group[0][1][1]
            try:
                with self._folder.enter(folder, make=True) as parent:
                    for (_, _, name), (_, entry, data) in group:
                        if entry in self.present:
                            self.write(entry, data, 0)
                            continue
                        self.present.add(entry)
                        self._folder.make(folder, name, data, _mode_of(entries[entry]), parent)
            except OSError as error:
                raise error_of(error, self.where(entry), self._files, self.bytes_missing()) from None
            self._add_all_held([file for _, file in group])

    def read(self, entry: int, offset: int, length: int) -> bytes:
        """Bytes of a held chunk; raises ShoalError if they are not there."""
        try:
            with self._use_for_reading(entry) as number:
                data = self._files.read(number, length, offset)
        except OSError as error:
            raise self._unreadable(entry, error.strerror or str(error)) from None
        if len(data) != length:
            raise self._unreadable(entry, "it was cut short")
        return data

    def read_into(self, entry: int, view: memoryview, offset: int) -> None:
        """Fill `view` with bytes of held chunks; raises as `read` does."""
        try:
            with self._use_for_reading(entry) as number:
                done = self._files.read_into(number, view, offset)
        except OSError as error:
            raise self._unreadable(entry, error.strerror or str(error)) from None
        if done != len(view):
            raise self._unreadable(entry, "it was cut short")

    def _use_for_reading(self, entry: int) -> Descriptor:
        if self.is_file or not self._small(entry):
            return self.use(entry)
        path = self.layout.entries[entry].path
        return self._open_files.take(self, entry, lambda: self._folder.open(path, READ), passing=True)

    def _unreadable(self, entry: int, reason: str) -> ShoalError:
        return ShoalError(ERR_UNREADABLE, f"{shown(self.where(entry))} cannot be read: {reason}; verify the download")

    # -- chunks --

    def described(self, file: str) -> Entry | None:
        """The entry whose digest list has that id, if it has one."""
        if self._by_id is None:
            layout = self.layout
            self._by_id = {
                e.file_id: e for e, size in zip(layout.entries, layout.chunk_sizes, strict=True) if e.size > size
            }
        return self._by_id.get(file)

    def is_right(self, chunk: int, entry: int, digest: bytes) -> bool:
        """Whether a chunk's digest is the one its manifest gives."""
        if self.is_file:
            return digest == self._digests[chunk * DIGEST_SIZE : (chunk + 1) * DIGEST_SIZE]
        described = self.layout.entries[entry]
        if self._small(entry):
            return chunk_is_right(described, digest, None)
        listed = self.lists.get(described.file_id)
        if listed is None:
            raise ShoalError(ERR_STATE, f"chunk {chunk} of {self.content[:16]} came before its digest list; verify it")
        at = (chunk - self.layout.starts[entry]) * DIGEST_SIZE
        return digest == listed[at : at + DIGEST_SIZE]

    def bytes_missing(self) -> int:
        """Bytes of the wanted chunks that are not held."""
        return self.layout.bytes_in(self.wanted.mask & ~self.held.mask)

    def check_held(self, chunks: Sequence[int]) -> None:
        """Raises ShoalError if one of these chunks is not held."""
        for chunk in chunks:
            if chunk not in self.held:
                raise ShoalError(
                    ERR_UNREADABLE, f"chunk {chunk} of {self.content[:16]} is not held; verify the download"
                )

    def add_held(self, chunk: int, entry: int, length: int) -> None:
        """A chunk was written and its digest is right."""
        with self._lock:
            if self.failure is None:
                self.held.add(chunk)
                self._batch.append(chunk)
                self._dirty.add(entry)
                self.unsynced_bytes += length

    def _add_all_held(self, files: Sequence[SmallFile]) -> None:
        with self._lock:
            if self.failure is None:
                chunks = [chunk for chunk, _, _ in files]
                self.held.add_all(chunks)
                self._batch += chunks
                self._dirty.update([entry for _, entry, _ in files])
                self.unsynced_bytes += sum([len(data) for _, _, data in files])

    def take_batch(self) -> Batch:
        """Take over what is to be synced and recorded."""
        with self._lock:
            batch = Batch(self._batch, sorted(self._dirty))
            self._batch, self._dirty, self.unsynced_bytes = [], set(), 0
        return batch

    def set_recorded(self, chunks: list[int]) -> bytes:
        """Note that chunks are synced; returns all such, as to be recorded."""
        with self._lock:
            self.recorded.add_all(chunks)
            return self.recorded.sealed()

    def unset(self, chunks: list[int]) -> bytes:
        """Chunks turned out wrong on the disk: neither held nor recorded; returns what is still recorded."""
        with self._lock:
            self.held.remove_all(chunks)
            self.recorded.remove_all(chunks)
            return self.recorded.sealed()

    def fail(self, error: ShoalError) -> None:
        """The disk failed: what is not recorded is no longer held, and no more is taken."""
        with self._lock:
            if self.failure is None:
                self.failure = error
                self.held = self.recorded.copy()
                self._batch, self._dirty, self.unsynced_bytes = [], set(), 0

    # -- disk --

    def sync(self, entries: list[int]) -> None:
        """Force entries to the disk.

        Raises:
            ShoalError: ERR_DISK if the files were removed.
            OSError: the disk failed.
        """
        with self.top() as top:
            if not self._files.status(top).st_nlink:
                raise ShoalError(ERR_DISK, f"{shown(self.path)} was removed while it was written to; resume to go on")
            if self.is_file:
                self._files.sync(top)
                return
            if len(entries) > SYNC_ONE_BY_ONE and self._files.sync_file_system(top):
                return
        for entry in entries:
            with self.use(entry) as number:
                self._files.sync(number)


def _mode_of(entry: Entry) -> int:
    return 0o755 if entry.executable else 0o644
