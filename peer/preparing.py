"""Making or reopening a download's temporary files, and finding out what they hold.

    recorded                                    held: it was synced before it was recorded
    written since, same boot of the machine     hashed again; if right, written again and held
    written since, another boot                 not held: it may never have reached the disk
    under its final name, by its inode          all held, if it is all that is wanted by now: the process ended
                                                between rename and record; else what is recorded, and if it was
                                                reopened (peer/reopening.py): the hidden name comes back first

Right bytes are written again because a sync that failed before the restart may have left them in
memory only, with nothing to tell the next sync that they are not on the disk.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator
from typing import Final, NamedTuple

from msgspec.structs import replace

from bus.errors import ERR_CHANGED, ERR_DISK, ERR_LIMIT, ERR_STATE, ShoalError
from bus.names import safe_name
from bus.units import format_size
from peer.catalogue import Catalogue
from peer.catalogue_rows import KeptDownload, Temporary
from peer.chunkset import ChunkSet
from peer.core.interface import Prepared
from peer.core.layout import Layout
from peer.core.records import DownloadRecord
from peer.core.selection import wanted_entries
from peer.descriptors import Descriptor, OpenFiles
from peer.files import CREATE_NEW, FileOps, disk_full, link_in_the_way, shown
from peer.manifest import Manifest, chunk_digest
from peer.naming import NAMES_TRIED, names_beside, temporary_name
from peer.temporary import TemporaryFiles
from peer.wanting import manifests_of, missing_lists, wanted_by

_CLAIM_SECONDS: Final = 1.0
"""For a reader of ours to let go of what was open before."""


class Disk(NamedTuple):
    """What preparing needs of the machine and its settings."""

    catalogue: Catalogue
    files: FileOps
    open_files: OpenFiles
    boot: str
    """Names this boot of the machine."""
    min_free: int
    """Bytes that a download leaves free."""


def prepare(disk: Disk, record: DownloadRecord, parsed: Manifest | None = None) -> tuple[TemporaryFiles, Prepared]:
    """Open a download's temporary files.

    Args:
        parsed: its manifest, if that is at hand.

    Raises:
        ShoalError, OSError: they cannot be used.
    """
    manifest, lists = manifests_of(disk.catalogue, record.id, parsed)
    wanted = wanted_by(manifest.layout, record)
    kept = disk.catalogue.download(record.id) or KeptDownload(record, None, None)
    record = replace(record, directory=os.path.abspath(record.directory))
    _open_destination(disk, record, kept.temporary)
    title = safe_name(record.name or record.id[:16]).path
    name = kept.temporary.name if kept.temporary else _new_name(disk, record, manifest, title)
    download = TemporaryFiles(record, manifest, name, lists, disk.files, disk.open_files)
    download.wanted = ChunkSet(manifest.layout.chunks, wanted)
    try:
        placing = kept.temporary.placing if kept.temporary and was_placed(disk.files, kept.temporary) else ""
        path = placing or record.path or f"{record.directory}/{_free_name(download, disk.files, title)}"
        if not (placing and _take_placed(disk.files, download, placing, kept.bits)):
            _open_temporary(disk, download, replace(record, name=title, path=path), kept)
    except BaseException:
        download.close()
        raise
    download.record = replace(record, name=title, path=path)
    return download, Prepared(
        record.id, title, manifest.layout, path, download.held.mask, wanted, missing_lists(download)
    )


# --- where it goes ---------------------------------------------------------------------------


def _open_destination(disk: Disk, record: DownloadRecord, temporary: Temporary | None) -> None:
    """Make the folder if need be, but never in place of a disk that is not mounted now."""
    directory = record.directory
    standing, device = directory, _device(disk.files, directory)
    while device is None:
        standing = os.path.dirname(standing)
        device = _device(disk.files, standing)
    if temporary is not None and device != temporary.device and not _is_there(disk.files, record, temporary):
        raise ShoalError(
            ERR_DISK, f"{shown(directory)} is on another disk than before; mount the one that was there, then resume"
        )
    if standing != directory:
        disk.files.make_folders(directory)


def _device(files: FileOps, folder: str) -> int | None:
    """The device a folder lies on; None if there is no such folder."""
    try:
        return files.look(f"{folder}/.").st_dev
    except FileNotFoundError:
        return None


def _is_there(files: FileOps, record: DownloadRecord, temporary: Temporary) -> bool:
    """Whether what was recorded lies under one of its names: the disk is the right one, whatever its number is now."""
    names = (f"{record.directory}/{temporary.name}", temporary.placing, record.path)
    return any(_lies_at(files, name, temporary) for name in names)


def was_placed(files: FileOps, temporary: Temporary) -> bool:
    """Whether what was the temporary file lies under its final name."""
    return _lies_at(files, temporary.placing, temporary)


def _lies_at(files: FileOps, path: str, temporary: Temporary) -> bool:
    try:
        return bool(path) and files.look(path).st_ino == temporary.inode
    except FileNotFoundError:
        return False


def _take_placed(files: FileOps, download: TemporaryFiles, placing: str, bits: bytes | None) -> bool:
    """Take over what lies under its final name; False if that is not all that is wanted by now.

    Raises:
        ShoalError: somebody changed a file there, which must not be written over.
    """
    recorded = ChunkSet.unsealed(download.layout.chunks, bits or b"")
    if recorded is None:
        return False
    hidden, download.name = download.name, os.path.basename(placing)
    if not _is_whole(files, download, recorded) or download.wanted.mask & ~recorded.mask:
        download.name = hidden
        download.present.clear()
        return False
    download.placed = True
    download.held = ChunkSet(download.layout.chunks, download.wanted.mask)
    download.recorded = download.held.copy()
    return True


def _is_whole(files: FileOps, download: TemporaryFiles, recorded: ChunkSet) -> bool:
    """Whether each file and folder that is wanted is there."""
    whole, layout = True, download.layout
    for number in wanted_entries(layout, download.record):
        entry, path = layout.entries[number], download.where(number)
        try:
            found = files.look(path)
        except FileNotFoundError:
            whole = False
            continue
        complete = recorded.count(layout.chunks_of(number)) == len(layout.chunks_of(number))
        if not entry.directory and not (complete and stat.S_ISREG(found.st_mode) and found.st_size == entry.size):
            raise ShoalError(
                ERR_CHANGED,
                f"{shown(path)} is not the file that was fetched; move it away, then resume {download.name}",
            )
        download.present.add(number)
    return whole


def _free_name(download: TemporaryFiles, files: FileOps, title: str) -> str:
    """The name it will have if nobody takes it meanwhile."""
    with download.destination() as folder:
        for name in names_beside(title, not download.is_file):
            try:
                files.look(name, folder)
            except FileNotFoundError:
                return name
    raise ShoalError(
        ERR_LIMIT, f"{shown(download.directory)} holds {NAMES_TRIED:,} items named {title}; choose another"
    )


def _new_name(disk: Disk, record: DownloadRecord, manifest: Manifest, title: str) -> str:
    """Name of the temporary file or folder.  Two ids can be made to begin alike: then it has all digits."""
    name = temporary_name(manifest.layout.kind, title, record.id)
    if disk.catalogue.has_temporary(record.directory, name):
        return temporary_name(manifest.layout.kind, title, record.id, len(record.id))
    return name


def claim(files: FileOps, descriptor: int) -> bool:
    """Lock a temporary file or folder; False if another peer has it."""
    until = time.monotonic() + _CLAIM_SECONDS
    while not files.lock(descriptor):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


# --- what is there ---------------------------------------------------------------------------


def _open_temporary(disk: Disk, download: TemporaryFiles, record: DownloadRecord, kept: KeptDownload) -> None:
    known = kept.temporary
    if known is not None and record.path:
        _take_name_back(disk.files, known, record.path, download.destination())
    found = _find(disk.files, download)
    bits = None
    if found is not None and known is not None and _is_recorded(found, known, download):
        bits = ChunkSet.unsealed(download.layout.chunks, kept.bits or b"")
    if found is None:
        check_space(disk, download)
        _make(disk.files, download)
    with download.top() as top:
        # Other processes that download the same content into the same folder must not write over what is verified.
        if not claim(disk.files, top):
            raise ShoalError(
                ERR_STATE, f"{shown(download.path)} is being written to by another peer; choose another folder with -o"
            )
        status = disk.files.status(top)
        if download.is_file and status.st_size != download.layout.size:
            disk.files.truncate(top, download.layout.size)
    if bits is not None:
        download.recorded = bits
        download.held = bits.copy()
    if found is not None:
        _look_at_entries(disk.files, download)
    # Before anything is written: a file that is not the recorded one must never be believed.
    was_visible = found is not None and known is not None and bool(known.was_visible)
    temporary = Temporary(download.name, status.st_ino, status.st_dev, disk.boot, was_visible=was_visible)
    disk.catalogue.keep_temporary(record, temporary, download.recorded.sealed())
    if found is not None:
        if bits is None or known is None or known.boot == disk.boot:
            _hash_again(disk.files, download)
        check_space(disk, download)


def _take_name_back(files: FileOps, temporary: Temporary, path: str, folder: Descriptor) -> None:
    """A download that was finished, and is not any more, may still lie under its final name."""
    name = os.path.basename(path)
    with folder as number, contextlib.suppress(FileNotFoundError, FileExistsError):
        found = files.look(name, number)
        if found.st_ino == temporary.inode:
            files.rename(name, temporary.name, number)


def _is_recorded(found: os.stat_result, known: Temporary, download: TemporaryFiles) -> bool:
    """Whether it is the temporary file or folder that was recorded, and nobody cut it since."""
    whole = not download.is_file or found.st_size == download.layout.size
    return whole and found.st_ino == known.inode


def _find(files: FileOps, download: TemporaryFiles) -> os.stat_result | None:
    """The temporary file or folder, if there is one that is fit for use."""
    with download.destination() as folder:
        try:
            found = files.look(download.name, folder)
        except FileNotFoundError:
            return None
        if stat.S_ISLNK(found.st_mode):
            raise link_in_the_way(download.path)
        if not (stat.S_ISREG(found.st_mode) if download.is_file else stat.S_ISDIR(found.st_mode)):
            raise ShoalError(ERR_STATE, f"{shown(download.path)} is not what was expected there; move it away")
        if download.is_file and found.st_nlink > 1:
            files.remove(download.name, folder)  # a second name of somebody else's file: begin anew, and leave that be
            return None
    return found


def _make(files: FileOps, download: TemporaryFiles) -> None:
    with download.destination() as folder:
        if download.is_file:
            files.close(files.open(download.name, CREATE_NEW, folder=folder))
        else:
            files.make_folder(download.name, folder)


def _look_at_entries(files: FileOps, download: TemporaryFiles) -> None:
    """Which entries have files; what was recorded of one that vanished, or was cut, is not there any more."""
    if download.is_file:
        download.present.add(0)
        return
    gone: list[int] = []
    for number, entry in enumerate(download.layout.entries):
        if entry.directory:
            continue
        try:
            size = download.folder.look(entry.path).st_size
            download.present.add(number)
        except FileNotFoundError:
            size = -1
        if size < entry.size:
            gone += [chunk for chunk in download.layout.chunks_of(number) if chunk in download.recorded]
    download.unset(gone)


def _hash_again(files: FileOps, download: TemporaryFiles) -> None:
    """Look for chunks that were written and not recorded."""
    layout = download.layout
    for number, entry in enumerate(layout.entries):
        chunks = layout.chunks_of(number)
        if number not in download.present or download.recorded.count(chunks) == len(chunks):
            continue
        if not download.is_file and len(chunks) > 1 and entry.file_id not in download.lists:
            continue
        with download.use(number) as descriptor:
            for chunk in list(_written(files, descriptor, layout, number)):
                if chunk not in download.held:
                    _hash_chunk_again(files, download, number, chunk, descriptor)


def _written(files: FileOps, descriptor: int, layout: Layout, entry: int) -> Iterator[int]:
    """The chunks of an entry of which something was written."""
    size, first, following = layout.chunk_sizes[entry], layout.starts[entry], 0
    for start, end in files.data_regions(descriptor, layout.entries[entry].size):
        last = (end - 1) // size
        yield from range(first + max(following, start // size), first + last + 1)
        following = last + 1


def _hash_chunk_again(files: FileOps, download: TemporaryFiles, entry: int, chunk: int, descriptor: int) -> None:
    offset, length = download.layout.offset_of(chunk, entry), download.layout.length_of(chunk)
    data = files.read(descriptor, length, offset)
    if len(data) == length and download.is_right(chunk, entry, chunk_digest(data)):
        files.write(descriptor, memoryview(data), offset)
        download.add_held(chunk, entry, length)


# --- room ------------------------------------------------------------------------------------


def has_space(disk: Disk, record: DownloadRecord) -> bool:
    """Whether what is not recorded yet of a download fits on its disk.

    Raises:
        ShoalError, OSError: that cannot be told.
    """
    manifest, _ = manifests_of(disk.catalogue, record.id)
    layout = manifest.layout
    kept = disk.catalogue.download(record.id)
    recorded = ChunkSet.unsealed(layout.chunks, kept.bits or b"") if kept else None
    missing = layout.bytes_in(wanted_by(layout, record) & ~(recorded.mask if recorded else 0))
    return disk.files.free_space(record.directory) >= missing + disk.min_free


def check_space(disk: Disk, download: TemporaryFiles) -> None:
    """Raises ShoalError if what is still to come does not fit."""
    needed = download.bytes_missing()
    free = disk.files.free_space(download.directory)
    if needed and free < needed + disk.min_free:
        kept_free = f" less the {format_size(disk.min_free)} that transfer.min_free_disk leaves"
        raise disk_full(download.path, needed, format_size(free) + (kept_free if disk.min_free else ""))
