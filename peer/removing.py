"""Deleting data, and only data that Shoal itself wrote.

A file that was changed since it was hashed is the user's by now, and so is what was put beside
ours into a folder of ours: both stay.
"""

from __future__ import annotations

import contextlib
import errno
import os

from bus.errors import ShoalError
from peer.catalogue_rows import KeptDownload
from peer.core.records import KnownContent
from peer.descriptors import Folder, OpenFiles
from peer.files import ANY_FOLDER, FOLDER, FileOps, shown
from peer.manifest import FILE, TREE
from peer.naming import temporary_name
from peer.preparing import was_placed
from peer.shared import ABSENT, SharedFiles, record_at, record_of


def remove_temporary(files: FileOps, kept: KeptDownload, data: bool) -> None:
    """Delete the temporary files of a download, open or not; with `data`, also what has its final name already."""
    record = kept.record
    if kept.temporary is not None:
        names = [kept.temporary.name]
        if data and was_placed(files, kept.temporary):
            names.append(os.path.basename(kept.temporary.placing))
    else:
        title = record.name or record.id[:16]
        names = [temporary_name(FILE, title, record.id), temporary_name(TREE, title, record.id)]
    try:
        folder = files.open(record.directory, ANY_FOLDER)
    except FileNotFoundError:
        return
    try:
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                _remove_any(files, name, folder)
    finally:
        files.close(folder)


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


def _remove_any(files: FileOps, name: str, folder: int) -> None:
    try:
        files.remove(name, folder)
    except OSError as error:
        if error.errno not in (errno.EISDIR, errno.EPERM):  # EPERM: what POSIX says for a folder
            raise
        files.remove_all(name, folder)


def _remove_file(files: FileOps, source: SharedFiles) -> int:
    try:
        if record_of(files.look(source.content.path)) != record_at(source.stats, 0):
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
        if record_of(top.look(entry.path)) != record:
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
