"""Looking at what is to be shared: a file, or a folder with everything in it.

A symbolic link to a regular file inside the folder is shared as that file.  Every other link,
what is neither file nor folder, and Shoal's own state with its private keys, is left out and named
in one line.  A name that no peer would accept is refused, never changed: the user renames it, or
shares less.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from typing import Final, NamedTuple

from bus.errors import ERR_LIMIT, ERR_NOT_FOUND, ERR_PATH, ERR_UNREADABLE, ShoalError
from bus.identity import SEED_SIZE
from bus.messages import Kind
from bus.names import refuse_bad_tree, safe_name
from bus.places import IDENTITY_FILE, SUPERVISOR_LOCK
from peer.catalogue_rows import Stats
from peer.core.layout import Entry, Layout
from peer.files import FileOps, shown
from peer.manifest import FILE, MAX_ENTRIES, TREE
from peer.shared import ABSENT, record_of

_OURS: Final = re.compile(r"\.(.*\.)?([0-9a-f]{16}|[0-9a-f]{64})\.shoal", re.DOTALL)
"""Temporary files of downloads."""


class Found(NamedTuple):
    """What is to be hashed."""

    path: str
    """Absolute, without symbolic links."""
    name: str
    layout: Layout
    """As it will be, but for the file ids."""
    stats: Stats
    skipped: tuple[str, ...]
    """One line for each thing that is left out."""


class _Item(NamedTuple):
    path: str
    size: int
    executable: bool
    directory: bool
    record: bytes
    link: str


def look(files: FileOps, path: str, name: str) -> Found:
    """Look at a file or folder that the user wants to share, under `name` or else its own.

    Raises:
        ShoalError: ERR_NOT_FOUND, ERR_UNREADABLE, ERR_PATH or ERR_LIMIT, and which file is the reason.
    """
    given = os.path.abspath(path)
    if not name and not os.path.basename(given):
        raise ShoalError(ERR_PATH, f"{shown(given)} has no name of its own; give one with --name")
    title = safe_name(name or os.path.basename(given)).path
    root = os.path.realpath(given)
    try:
        status = files.look(root)
    except FileNotFoundError:
        raise ShoalError(ERR_NOT_FOUND, f"{shown(given)} does not exist; check the path") from None
    except OSError as error:
        raise unreadable(given, error) from None
    if _is_state(root) or (_is_data_dir(os.path.dirname(root)) and not stat.S_ISDIR(status.st_mode)):
        raise ShoalError(ERR_PATH, f"{shown(given)} is Shoal's own state, private keys too; share what lies elsewhere")
    if stat.S_ISREG(status.st_mode):
        layout = _layout(FILE, [Entry("", status.st_size, False, "")])
        return Found(root, title, layout, Stats(record_of(status)), ())
    if not stat.S_ISDIR(status.st_mode):
        raise ShoalError(ERR_PATH, f"{shown(given)} is neither a file nor a folder; share one of these")
    return _look_into(files, root, title)


def unreadable(path: str, error: OSError) -> ShoalError:
    """A file that is to be shared cannot be read."""
    if isinstance(error, FileNotFoundError):
        return ShoalError(ERR_UNREADABLE, f"{shown(path)} vanished while it was looked at; share it again")
    reason = (error.strerror or str(error)).lower()
    return ShoalError(ERR_UNREADABLE, f"{shown(path)} cannot be read: {reason}; make it readable or move it away")


def _look_into(files: FileOps, root: str, title: str) -> Found:
    skipped: list[str] = []
    items = []
    for item in _walk(files, root, skipped):
        items.append(item)
        if len(items) > MAX_ENTRIES:
            raise ShoalError(
                ERR_LIMIT, f"{shown(root)} has more than {MAX_ENTRIES:,} files, which is the limit; share parts of it"
            )
    refuse_bad_tree([item.path for item in items])
    items.sort()  # code points sort as their UTF-8 bytes do
    layout = _layout(TREE, [Entry(item.path, item.size, item.executable, "", item.directory) for item in items])
    records = b"".join(item.record for item in items)
    links = {number: item.link for number, item in enumerate(items) if item.link}
    return Found(root, title, layout, Stats(records, links), tuple(skipped))


def _layout(kind: Kind, entries: list[Entry]) -> Layout:
    try:
        return Layout(kind, entries)
    except ValueError as error:
        raise ShoalError(ERR_LIMIT, f"{error}; share parts of it") from None


def _walk(files: FileOps, root: str, skipped: list[str]) -> Iterator[_Item]:
    """Every file and every empty folder below `root`; lines about what is left out go to `skipped`."""
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            listed = files.list_folder(f"{root}/{folder}")
        except OSError as error:
            raise unreadable(f"{root}/{folder}", error) from None
        if folder and not listed:
            yield _Item(folder, 0, False, True, ABSENT, "")
        something = False
        for entry in listed:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if _is_folder(entry):
                folders.append(path)
                something = True
            elif (item := _look_at(files, root, path, entry, skipped)) is not None:
                yield item
                something = True
        if folder and listed and not something:
            yield _Item(folder, 0, False, True, ABSENT, "")  # all that is in it is left out


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False) and not _OURS.fullmatch(entry.name) and not _is_state(entry.path)


def _is_state(folder: str) -> bool:
    """Whether a folder is a data directory, or a base directory with all of them.

    Of whatever configuration: the secrets of another base directory, or of a copy, are secrets too.
    """
    return _is_data_dir(folder) or os.path.lexists(f"{folder}/{SUPERVISOR_LOCK}")


def _is_data_dir(folder: str) -> bool:
    try:
        return os.lstat(f"{folder}/{IDENTITY_FILE}").st_size == SEED_SIZE
    except OSError:
        return False


def _look_at(files: FileOps, root: str, path: str, entry: os.DirEntry[str], skipped: list[str]) -> _Item | None:
    """What to share of one name that is no folder; None if it is left out."""
    try:
        if _OURS.fullmatch(entry.name):
            found: _Item | str = "a download in progress"
        elif entry.is_dir(follow_symlinks=False):
            found = "Shoal's own state"
        elif entry.is_symlink():
            found = _behind_link(files, root, path)
        else:
            found = _item(path, entry.stat(follow_symlinks=False)) or "neither a file nor a folder"
    except OSError as error:
        raise unreadable(f"{root}/{path}", error) from None
    if isinstance(found, _Item):
        return found
    skipped.append(f"{shown(path)}: {found}, left out")
    return None


def _behind_link(files: FileOps, root: str, path: str) -> _Item | str:
    """The file of the tree that a symbolic link leads to, or why it is not shared."""
    real = os.path.realpath(f"{root}/{path}")
    if not os.path.exists(real):
        return "a symbolic link to nothing"
    inside = root.rstrip("/") + "/"
    if real != root and not real.startswith(inside):
        return "a symbolic link to a place outside"
    if _is_data_dir(os.path.dirname(real)):
        return "a symbolic link to Shoal's own state"
    return _item(path, files.look(real), real.removeprefix(inside)) or "a symbolic link to what is not a file"


def _item(path: str, status: os.stat_result, link: str = "") -> _Item | None:
    """None if it is not a regular file."""
    if not stat.S_ISREG(status.st_mode):
        return None
    return _Item(path, status.st_size, bool(status.st_mode & stat.S_IXUSR), False, record_of(status), link)
