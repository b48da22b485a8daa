"""Deleting data, and only data that Shoal itself wrote.

A file that was changed since it was hashed is the user's by now, and so is what was put beside
ours into a folder of ours: both stay.  So a download that was finished once, and is under way
again, is not deleted like one that nobody saw.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from bus.errors import ERR_LIMIT, ShoalError
from peer.catalogue_rows import KeptDownload, Stats, Temporary
from peer.core.layout import Entry
from peer.core.records import DownloadRecord, KnownContent
from peer.descriptors import Folder, OpenFiles
from peer.files import ANY_FOLDER, FOLDER, UPDATE, FileOps, shown
from peer.manifest import FILE, TREE, parse
from peer.naming import names_beside, temporary_name
from peer.preparing import Disk, claim
from peer.shared import ABSENT, SharedFiles, record_at, record_of, same_file


def remove_temporary(disk: Disk, kept: KeptDownload, data: bool) -> str:
    """Delete the temporary files of a download, open or not.

    What was visible before (it was finished once) gets a name that can be seen again; of that, only with `data`, what
    the manifest names is deleted.

    Returns:
        One line if something of it stays, else nothing.

    Raises:
        ShoalError, OSError: it cannot be done.
    """
    files, record, temporary = disk.files, kept.record, kept.temporary
    try:
        folder = files.open(record.directory, ANY_FOLDER)
    except FileNotFoundError:
        return ""
    try:
        if temporary is not None and temporary.was_visible:
            path = _give_name(files, record, temporary, folder)
            return _remove_visible(disk, record, path, data) if path else ""
        inode = temporary.inode if temporary is not None else None
        busy = [name for name in _names(kept) if not _remove_hidden(files, name, folder, inode)]
    finally:
        files.close(folder)
    return f"{shown(record.directory)}/{busy[0]} stays: another peer writes to it" if busy else ""


def path_of(kept: KeptDownload) -> str:
    """Where a download's bytes lie, as far as is known; for messages."""
    return f"{kept.record.directory}/{kept.temporary.name}" if kept.temporary else kept.record.directory


def remove_content(files: FileOps, open_files: OpenFiles, source: SharedFiles, uploads: str) -> str:
    """Delete the files of a content that was downloaded or uploaded.

    Args:
        uploads: the folder of uploads, whose emptied folders go too.

    Returns:
        One line if something of it stays, else nothing.
    """
    content = source.content
    if not (content.downloaded or content.upload):
        return f"{shown(content.path)} is yours and stays: it was shared in place; delete it yourself"
    kept = _remove_file(files, source) if content.layout.kind == FILE else _remove_tree(files, open_files, source)
    if content.upload:
        _remove_empty_above(files, content.path, uploads)
    if kept:
        return f"{kept:,} items in {shown(content.path)} were changed or added since, and stay; delete them yourself"
    return ""


def remove_upload(files: FileOps, open_files: OpenFiles, upload: SharedFiles, uploads: str) -> None:
    """Delete what was uploaded a second time."""
    with contextlib.suppress(OSError, ShoalError):
        remove_content(files, open_files, upload, uploads)


def _names(kept: KeptDownload) -> list[str]:
    """What its temporary file or folder is, or would be, called."""
    if kept.temporary is not None:
        return [kept.temporary.name]
    title = kept.record.name or kept.record.id[:16]
    return [temporary_name(kind, title, kept.record.id) for kind in (FILE, TREE)]


def _give_name(files: FileOps, record: DownloadRecord, temporary: Temporary, folder: int) -> str:
    """Rename what is hidden to its final name, or to one like it; where it lies now, empty if it is gone."""

    def lies_at(name: str) -> os.stat_result | None:
        with contextlib.suppress(FileNotFoundError):
            status = files.look(name, folder)
            return status if status.st_ino == temporary.inode else None
        return None

    hidden = lies_at(temporary.name)
    if hidden is None:
        names = [os.path.basename(path) for path in (temporary.placing, record.path) if path]
        return next((f"{record.directory}/{name}" for name in names if lies_at(name)), "")
    wanted = os.path.basename(temporary.placing or record.path)
    for name in names_beside(wanted, stat.S_ISDIR(hidden.st_mode)):
        with contextlib.suppress(FileExistsError):
            files.rename(temporary.name, name, folder)
            files.sync_folder(folder)
            return f"{record.directory}/{name}"
    path = f"{record.directory}/{temporary.name}"
    raise ShoalError(ERR_LIMIT, f"{shown(path)} stays: too many items there are named {wanted}; rename it yourself")


def _remove_visible(disk: Disk, record: DownloadRecord, path: str, data: bool) -> str:
    if not data:
        return f"{shown(path)} stays, perhaps with files that are not complete; delete it yourself"
    layout = parse(disk.catalogue.manifest(record.id, record.id), record.id, checked=True).layout
    content = KnownContent(record.id, record.name, layout, path, False, True, 0.0)
    nothing_known = SharedFiles(content, Stats(b""), disk.files, disk.open_files)
    paths = [nothing_known.path_of(number) for number in range(len(layout.entries))]
    records = [_record_now(disk.files, *one) for one in zip(paths, layout.entries, strict=True)]
    source = SharedFiles(content, Stats(b"".join(records)), disk.files, disk.open_files)
    return remove_content(disk.files, disk.open_files, source, "")


def _record_now(files: FileOps, path: str, entry: Entry) -> bytes:
    """What a file of ours looks like; one that is longer than its entry is its user's."""
    try:
        status = files.look(path)
    except OSError:
        return ABSENT
    return record_of(status) if stat.S_ISREG(status.st_mode) and status.st_size <= entry.size else ABSENT


def _remove_hidden(files: FileOps, name: str, folder: int, inode: int | None) -> bool:
    """Delete a temporary file or folder, and one that is not the recorded only if nothing is in it.

    Returns:
        False if another peer has it: then it stays.
    """
    try:
        number = _open(files, name, folder)
    except FileNotFoundError:
        return True
    try:
        if not claim(files, number):
            return False
        status = files.status(number)
        if stat.S_ISDIR(status.st_mode):
            _remove_folder(files, name, folder, everything=status.st_ino == inode)
        elif status.st_ino == inode or (stat.S_ISREG(status.st_mode) and _is_hole(files, number, status.st_size)):
            files.remove(name, folder)
    finally:
        files.close(number)
    return True


def _open(files: FileOps, name: str, folder: int) -> int:
    try:
        return files.open(name, UPDATE, folder=folder)  # NFS locks no file that is only to be read
    except IsADirectoryError:
        return files.open(name, FOLDER, folder=folder)


def _remove_folder(files: FileOps, name: str, folder: int, *, everything: bool) -> None:
    if everything:
        files.remove_all(name, folder)
        return
    try:
        files.remove_folder(name, folder)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise


def _is_hole(files: FileOps, number: int, size: int) -> bool:
    return next(files.data_regions(number, size), None) is None


def _remove_file(files: FileOps, source: SharedFiles) -> int:
    try:
        if not same_file(record_at(source.stats, 0), files.look(source.content.path)):
            return 1
        files.remove(source.content.path)
    except FileNotFoundError:
        pass
    return 0


def _remove_tree(files: FileOps, open_files: OpenFiles, source: SharedFiles) -> int:
    """Remove what the manifest names, then the folders that are empty; how many items stay."""
    content: KnownContent = source.content
    top = Folder(files, open_files, source, content.path, lambda: files.open(content.path, FOLDER))
    try:
        kept = sum(not _remove_entry(top, source, number) for number in range(len(content.layout.entries)))
        for path in sorted(_folders(source), reverse=True):
            kept += not _remove_if_empty(top, path)
    except FileNotFoundError:
        return 0
    finally:
        open_files.drop(source)
    if not kept:
        try:
            files.remove_folder(content.path)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            kept = 1
    return kept


def _remove_entry(top: Folder, source: SharedFiles, number: int) -> bool:
    entry = source.layout.entries[number]
    record = record_at(source.stats, number)
    if entry.directory or record == ABSENT:
        return True
    try:
        if not same_file(record, top.look(entry.path)):
            return False
        top.remove(entry.path)
    except FileNotFoundError:
        pass
    except ShoalError:
        return False  # a link stands where a folder was
    return True


def _folders(source: SharedFiles) -> set[str]:
    folders: set[str] = set()
    for entry in source.layout.entries:
        path = entry.path if entry.directory else os.path.dirname(entry.path)
        while path and path not in folders:
            folders.add(path)
            path = os.path.dirname(path)
    return folders


def _remove_if_empty(top: Folder, path: str) -> bool:
    try:
        top.remove(path, folder=True)
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            return False
        raise
    except ShoalError:
        return False
    return True


def _remove_empty_above(files: FileOps, path: str, uploads: str) -> None:
    """Folders between an upload and the folder of uploads."""
    root = os.path.realpath(uploads)
    above = os.path.dirname(path)
    while above.startswith(root + "/"):
        try:
            files.remove_folder(above)
        except OSError:
            return
        above = os.path.dirname(above)
