"""The files of a content that this peer offers whole, where the user keeps them.

Anybody may change a shared file at any moment.  Before each read its size, modification time and
inode are compared with those it had when it was hashed; a file that differs is not the one that
was hashed, and none of its bytes are served.  The device's number is recorded and not compared:
network, layered and USB disks may get another one at each boot or mount.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator, Sequence
from typing import Final

from bus.errors import ERR_CHANGED, ERR_UNREADABLE, ShoalError
from peer.catalogue_rows import Stats
from peer.core.layout import Layout
from peer.core.records import KnownContent
from peer.descriptors import Descriptor, OpenFiles
from peer.files import READ, FileOps, shown
from peer.manifest import TREE

_RECORD: Final = struct.Struct("<qQQQ")
_SPAN: Final = 2**64
"""Nanoseconds, 584 years: of times that far apart a record is the same."""
RECORD_SIZE: Final = _RECORD.size
ABSENT: Final = bytes(RECORD_SIZE)
"""Record of a directory, and of a file that was not fetched."""
_DEVICE_AT: Final = RECORD_SIZE - 8
_GONE: Final = (FileNotFoundError, NotADirectoryError)


def record_of(status: os.stat_result) -> bytes:
    """What tells whether a file is still the one that was hashed."""
    return _RECORD.pack(status.st_size, status.st_mtime_ns % _SPAN, status.st_ino, status.st_dev)


def record_at(stats: Stats, entry: int) -> bytes:
    """The record of one entry."""
    return stats.records[entry * RECORD_SIZE : (entry + 1) * RECORD_SIZE]


def mtime_of(record: bytes) -> int:
    """The modification time in a record, nanoseconds; one after 2262 seems to be before 1970."""
    time = int(_RECORD.unpack(record)[1])
    return time - _SPAN if time >= _SPAN // 2 else time


def same_inode(record: bytes, status: os.stat_result) -> bool:
    """Whether a file is still the one of a record, whatever is in it now."""
    return bool(_RECORD.unpack(record)[2] == status.st_ino)


def same_file(record: bytes, status: os.stat_result) -> bool:
    """Whether a file still looks as it did when it was recorded."""
    return record_of(status)[:_DEVICE_AT] == record[:_DEVICE_AT]


class SharedFiles:
    """A content's files on disk, for reading."""

    def __init__(self, content: KnownContent, stats: Stats, files: FileOps, open_files: OpenFiles) -> None:
        self.content = content
        self.stats = stats
        self.layout: Layout = content.layout
        self.cancelled = False
        """Set when the content is removed: whoever hashes it stops."""
        self.damaged = bool(stats.wrong)
        """A file was found not to be the one that was hashed."""
        self._files = files
        self._open_files = open_files

    def path_of(self, entry: int) -> str:
        """Absolute path of an entry's bytes."""
        if self.layout.kind != TREE:
            return self.content.path
        return f"{self.content.path}/{self.stats.links.get(entry) or self.layout.entries[entry].path}"

    def changed(self) -> Iterator[tuple[int, ShoalError]]:
        """The files that do not look like those that were hashed, and what is wrong with each; none is opened.

        Empty ones are passed over: there is nothing of them to serve.
        """
        for number, entry in enumerate(self.layout.entries):
            record = record_at(self.stats, number)
            if not entry.size or record == ABSENT:
                continue
            if self.cancelled:
                return
            try:
                same = same_file(record, self._files.look(self.path_of(number)))
            except OSError as error:
                yield number, self._failure(error, number)
            else:
                if not same or number in self.stats.wrong:
                    yield number, self._changed(number)

    def read(self, entry: int, offset: int, length: int) -> bytes:
        """Bytes of one file.

        Raises:
            ShoalError: ERR_CHANGED if it is not the file that was hashed, ERR_UNREADABLE.
        """
        try:
            with self.use(entry) as number:
                data = self._files.read(number, length, offset)
        except OSError as error:
            raise self._failure(error, entry) from None
        if len(data) != length:
            raise self._changed(entry)
        return data

    def read_into(self, entry: int, view: memoryview, offset: int) -> None:
        """Fill `view` with bytes of one file; raises as `read` does."""
        try:
            if self._small(entry):
                done = self._read_small(entry, view, offset)
            else:
                with self.use(entry) as number:
                    done = self._files.read_into(number, view, offset)
        except OSError as error:
            raise self._failure(error, entry) from None
        if done != len(view):
            raise self._changed(entry)

    def _read_small(self, entry: int, view: memoryview, offset: int) -> int:
        status, done = self._files.read_file(self.path_of(entry), view, offset)
        if not same_file(record_at(self.stats, entry), status):
            raise self._changed(entry)
        return done

    def check_held(self, chunks: Sequence[int]) -> None:
        """All chunks of what is offered whole are held."""

    def use(self, entry: int) -> Descriptor:
        """The open file of an entry, if it is still the one that was hashed."""
        small = self._small(entry)
        # By its path, not its descriptor: a file that was replaced lives on in a descriptor.
        if not small and not same_file(record_at(self.stats, entry), self._files.look(self.path_of(entry))):
            raise self._changed(entry)
        return self._open_files.take(self, entry, lambda: self._open(entry), passing=small)

    def close(self) -> None:
        """Close what is open."""
        self._open_files.drop(self)

    def _small(self, entry: int) -> bool:
        """A file of one chunk in a tree: read once per downloader, and not worth keeping open."""
        return self.layout.kind == TREE and self.layout.entries[entry].size <= self.layout.chunk_sizes[entry]

    def _open(self, entry: int) -> int:
        number = self._files.open(self.path_of(entry), READ)
        if not same_file(record_at(self.stats, entry), self._files.status(number)):
            self._files.close(number)
            raise self._changed(entry)
        return number

    def _changed(self, entry: int) -> ShoalError:
        self.damaged = True
        return ShoalError(
            ERR_CHANGED, f"{shown(self.path_of(entry))} is not the file that was hashed; verify it, or share it again"
        )

    def _failure(self, error: OSError, entry: int) -> ShoalError:
        if error.errno == errno.ELOOP:
            return self._changed(entry)  # a symbolic link stands where the file was
        if isinstance(error, _GONE):
            self.damaged = True
            return ShoalError(ERR_CHANGED, f"{shown(self.path_of(entry))} is gone; put it back, or share it again")
        reason = (error.strerror or str(error)).lower()
        return ShoalError(ERR_UNREADABLE, f"{shown(self.path_of(entry))} cannot be read: {reason}; check the disk")
