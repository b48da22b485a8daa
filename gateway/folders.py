"""Looking into folders of the peer's machine, to choose what to share: those of `gateway.folders`, and below them.

Names, sizes and times are told, nothing is read.  Hidden names and symbolic links are left out, and none of them can be
gone through: each part of a path is opened below the one before it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bus.errors import ERR_NOT_FOUND, ERR_PATH, ERR_SYMLINK, ERR_UNREADABLE, ShoalError
from gateway.bodies import FolderEntry, FolderListing

MOST_ENTRIES: Final = 10_000
"""Of one folder; more of them are not looked at."""
_OPEN: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Folders:
    """The folders that may be looked into.  Those that are not there are passed over."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = list(dict.fromkeys(os.path.normpath(root) for root in roots))

    def look(self, path: str) -> FolderListing:
        """What is in a folder, folders first; of an empty path the folders to begin with.

        Raises:
            ShoalError: ERR_PATH if it is none of those that may be looked into, ERR_SYMLINK, ERR_NOT_FOUND,
                ERR_UNREADABLE.
        """
        if not path:
            there = [root for root in self._roots if os.path.isdir(root)]
            if len(there) != 1:
                return FolderListing("", None, [FolderEntry(root, root, "folder", 0, None) for root in there], False)
            path = there[0]
        root, parts = self._below(path)
        with _opened(root, parts) as folder:
            entries, more = _entries(folder, path)
        entries.sort(key=lambda entry: (entry.kind == "file", entry.name.casefold(), entry.name))
        first = "" if len(self._roots) > 1 else None
        return FolderListing(path, os.path.dirname(path) if parts else first, entries, more)

    def _below(self, path: str) -> tuple[str, list[str]]:
        """The folder of the configuration that a path lies in, and the names that lead from there to it."""
        if os.path.normpath(path) != path or "\0" in path:
            raise ShoalError(ERR_PATH, f"{path[:200]!r} is no absolute path in its shortest form")
        inside = [root for root in self._roots if path == root or path.startswith(f"{root.rstrip('/')}/")]
        if not inside:
            named = ", ".join(self._roots) or "none"
            raise ShoalError(
                ERR_PATH, f"{path[:200]!r} is in no folder that may be looked into ({named}): gateway.folders"
            )
        root = max(inside, key=len)
        parts = [part for part in path[len(root) :].split("/") if part]
        if any(part.startswith(".") for part in parts):
            raise ShoalError(ERR_PATH, f"{path[:200]!r} is hidden; share it by its path")
        return root, parts


@contextmanager
def _opened(root: str, parts: list[str]) -> Iterator[int]:
    """A descriptor of the folder; no part of the way below the root is a symbolic link."""
    where = root
    folder = -1
    try:
        folder = os.open(root, _OPEN)
        for part in parts:
            where = f"{where}/{part}"
            inner = os.open(part, _OPEN | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        yield folder
    except FileNotFoundError:
        raise ShoalError(ERR_NOT_FOUND, f"there is no folder {where[:200]!r}") from None
    except NotADirectoryError:  # also what a symbolic link is called here
        link = os.path.islink(where)
        code, what = (ERR_SYMLINK, "a symbolic link") if link else (ERR_PATH, "no folder")
        raise ShoalError(code, f"{where[:200]!r} is {what}") from None
    except OSError as error:
        raise ShoalError(ERR_UNREADABLE, f"{where[:200]!r} cannot be looked into: {error.strerror}") from None
    finally:
        if folder >= 0:
            os.close(folder)


def _entries(folder: int, path: str) -> tuple[list[FolderEntry], bool]:
    """Folders and plain files with names that can be told, and whether there are more than may be looked at."""
    found: list[FolderEntry] = []
    with os.scandir(folder) as entries:
        for number, entry in enumerate(entries):
            if number == MOST_ENTRIES:
                return found, True
            name = entry.name
            if name.startswith(".") or not _can_be_told(name):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue  # it went away
            if stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode):
                is_file = stat.S_ISREG(status.st_mode)
                size = status.st_size if is_file else 0
                where = f"{path.rstrip('/')}/{name}"
                found.append(FolderEntry(name, where, "file" if is_file else "folder", size, _moment(status.st_mtime)))
    return found, False


def _moment(seconds: float) -> datetime | None:
    """A time on the wall clock; None if it is in no year that can be written."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _can_be_told(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes that are no UTF-8
        return False
    return True
