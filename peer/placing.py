"""Finishing a download: what is complete and synced appears under its name, or not at all.

    sync everything -> write the final name down -> rename, replacing nothing -> sync the folder
    -> one transaction makes the download a content

Whoever is killed in between finds, by the inode that was recorded first, that the rename was
done, and goes on from there.
"""

from __future__ import annotations

import contextlib
import os
import stat
from itertools import groupby

from msgspec.structs import replace

from bus.errors import ERR_CHANGED, ERR_LIMIT, ERR_STATE, ShoalError
from peer.catalogue_rows import Stats, Temporary
from peer.core.records import KnownContent
from peer.core.selection import upwards, wanted_entries
from peer.files import shown
from peer.manifest import TREE
from peer.naming import names_beside
from peer.preparing import Disk
from peer.shared import ABSENT, record_of
from peer.temporary import TemporaryFiles


def finish(disk: Disk, download: TemporaryFiles, now: float) -> tuple[KnownContent, Stats]:
    """Give a complete download its name.

    Raises:
        ShoalError, OSError: it cannot be done; the temporary files stay.
    """
    if download.bytes_missing():
        raise ShoalError(ERR_STATE, f"{shown(download.path)} is not complete yet; verify the download")
    if not download.placed:
        _make_empty(download)
        _remove_left_out(download)
    stats = Stats(_records(disk, download))
    if not download.placed:
        with download.syncing:
            if download.failure is not None:
                raise download.failure
            _sync_all(disk, download)
        _place(disk, download)
    with download.destination() as folder:
        disk.files.sync_folder(folder)
    record = download.record
    content = KnownContent(record.id, record.name, download.layout, download.path, False, True, now)
    disk.catalogue.finish(content, stats)
    return content, stats


def _chosen(download: TemporaryFiles) -> list[int]:
    return wanted_entries(download.layout, download.record)


def _remove_left_out(download: TemporaryFiles) -> None:
    """What came of files that were left out after all: under its name a file is complete, or not there."""
    if not download.record.left_out:
        return
    entries = download.layout.entries
    paths = [entries[number].path for number in sorted(download.present - set(_chosen(download)))]
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            download.folder.remove(path)
    folders = {one for path in paths for one in upwards(path.rpartition("/")[0])}
    for folder in sorted(folders, reverse=True):
        with contextlib.suppress(OSError):  # something else is in it
            download.folder.remove(folder, folder=True)


def _make_empty(download: TemporaryFiles) -> None:
    """What has no chunks was never asked for: empty files and empty folders."""
    if download.is_file:
        return
    for number in _chosen(download):
        entry = download.layout.entries[number]
        if entry.directory:
            with download.folder.enter(entry.path, make=True):
                pass
        elif not entry.size and number not in download.present:
            with download.use(number):
                pass


def _records(disk: Disk, download: TemporaryFiles) -> bytes:
    """What each file looks like; all of them are there, and of the right size."""
    if download.is_file:
        with download.top() as number:
            status = disk.files.status(number)
        _check_file(status, download, 0)
        return record_of(status)
    entries = download.layout.entries
    records = [ABSENT] * len(entries)
    files = [number for number in _chosen(download) if not entries[number].directory]
    places = [(number, entries[number].path.rpartition("/")) for number in files]
    for folder, together in groupby(places, key=lambda place: place[1][0]):
        group = list(together)
        try:
            with download.folder.enter(folder) as parent:
                found = disk.files.look_at_all([name for _, (_, _, name) in group], parent)
        except FileNotFoundError as error:
            gone = [number for number, (_, _, name) in group if name == error.filename]
            raise _vanished(download, (gone or [group[0][0]])[0]) from None
        for (number, _), status in zip(group, found, strict=True):
            _check_file(status, download, number)
            records[number] = record_of(status)
    return b"".join(records)


def _check_file(status: os.stat_result, download: TemporaryFiles, number: int) -> None:
    if not stat.S_ISREG(status.st_mode) or status.st_size != download.layout.entries[number].size:
        raise _vanished(download, number)


def _vanished(download: TemporaryFiles, number: int) -> ShoalError:
    where = shown(download.where(number))
    return ShoalError(ERR_CHANGED, f"{where} was removed or changed before the download was finished; resume it")


def _sync_all(disk: Disk, download: TemporaryFiles) -> None:
    """Every file and every folder."""
    files = disk.files
    with download.top() as top:
        if download.is_file:
            files.sync(top)
            return
        if files.sync_file_system(top):
            return
        folders = {""}
        for number in _chosen(download):
            entry = download.layout.entries[number]
            above = entry.path if entry.directory else entry.path.rpartition("/")[0]
            while above and above not in folders:
                folders.add(above)
                above = above.rpartition("/")[0]
            if not entry.directory:
                with download.use(number) as descriptor:
                    files.sync(descriptor)
        for path in sorted(folders):
            with download.folder.enter(path) as descriptor:
                files.sync_folder(descriptor)


def _place(disk: Disk, download: TemporaryFiles) -> None:
    """Rename to the wanted name, or to the next one that nobody has."""
    with download.top() as top:
        status = disk.files.status(top)
    wanted = os.path.basename(download.record.path) or download.record.name
    known = Temporary(download.name, status.st_ino, status.st_dev, disk.boot, was_visible=True)
    with download.destination() as folder:
        for name in names_beside(wanted, download.layout.kind == TREE):
            if _taken(disk, name, folder):
                continue
            placing = f"{download.directory}/{name}"
            disk.catalogue.keep_placing(download.content, replace(known, placing=placing))
            try:
                disk.files.rename(download.name, name, folder)
            except FileExistsError:
                continue  # somebody was quicker
            download.name = name
            download.placed = True
            return
    raise ShoalError(ERR_LIMIT, f"{shown(download.directory)} holds too many items named {wanted}; move some away")


def _taken(disk: Disk, name: str, folder: int) -> bool:
    try:
        disk.files.look(name, folder)
    except FileNotFoundError:
        return False
    return True
