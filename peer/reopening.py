"""A finished download that turned out damaged becomes one that is under way again.

    the right chunks are synced -> one transaction makes the content a download that holds them
    -> its file gets its temporary name back, when the download is prepared

Whoever is killed in between finds, by the inode that was recorded, the file under its final name.
Only what Shoal put there is taken back: a file that somebody put in the place of ours stays, and
so does everything when nothing lies there any more.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable

from msgspec.structs import replace

from bus.errors import ERR_CHANGED, ShoalError
from peer.catalogue_rows import Temporary
from peer.chunkset import ChunkSet
from peer.core.bitmap import chunks_in
from peer.core.records import DownloadRecord
from peer.files import FOLDER, READ, FileOps, shown
from peer.manifest import FILE
from peer.naming import temporary_name
from peer.preparing import Disk
from peer.shared import SharedFiles, record_at, same_inode


def reopen(disk: Disk, source: SharedFiles, held: int) -> DownloadRecord:
    """Keep a downloaded content as a download that holds these chunks (bitmask); returns its record.

    Raises:
        ShoalError, OSError: it cannot be mended in place; nothing was changed.
    """
    content, layout = source.content, source.layout
    kept = disk.catalogue.download(content.id)
    if kept is None or kept.record.directory != os.path.dirname(content.path):
        raise ShoalError(
            ERR_CHANGED, f"it is not known how {shown(content.path)} came here; remove it and get it again"
        )
    _check_ours(disk.files, source, layout.all_chunks & ~held)
    number = disk.files.open(content.path, READ if layout.kind == FILE else FOLDER)
    try:
        status = disk.files.status(number)
        bits = ChunkSet(layout.chunks, held if _synced(disk.files, number, layout.kind == FILE) else 0)
    finally:
        disk.files.close(number)
    name = temporary_name(layout.kind, content.name, content.id, len(content.id))
    record = replace(kept.record, path=content.path, paused=content.paused, finished=0.0)
    temporary = Temporary(name, status.st_ino, status.st_dev, disk.boot, was_visible=True)
    disk.catalogue.reopen(record, temporary, bits.sealed())
    return record


def _check_ours(files: FileOps, source: SharedFiles, wrong: int) -> None:
    """Raises ShoalError if what is to be written is a file that somebody put in the place of ours.

    That is what is wrong, and empty files: they are not fetched, but made.
    """
    entries = source.layout.entries
    empty = [number for number, entry in enumerate(entries) if not entry.size and not entry.directory]
    for number in _entries(source, chunks_in(wrong)) + empty:
        path = source.path_of(number)
        try:
            status = files.look(path)
        except FileNotFoundError:
            continue
        record = record_at(source.stats, number)
        like_ours = same_inode(record, status) if entries[number].size else not status.st_size
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1 or not like_ours:
            raise ShoalError(ERR_CHANGED, f"{shown(path)} is another file than the one that was fetched; move it away")


def _entries(source: SharedFiles, chunks: Iterable[int]) -> list[int]:
    return list(dict.fromkeys(source.layout.entry_of(chunk) for chunk in chunks))


def _synced(files: FileOps, number: int, is_file: bool) -> bool:
    """Force what is right to the disk; False if that cannot be asked for: it is then hashed again and written."""
    if not is_file:
        return files.sync_file_system(number)
    files.sync(number)
    return True
