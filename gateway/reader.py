"""The bytes of one file of a content, from where the peer keeps it, as far as they are verified.

The peer says where the file lies and how much may be read from an offset on; of a running download it also fetches
first what is asked for here.  The file is opened without following a symbolic link at or below the content's own place,
and read only while it looks like the file that was hashed.

    Locate ──▶ Located(root, inside, ready, modified) ──▶ open ──▶ `ready` bytes ──▶ Locate again
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from typing import Final

from bus.errors import ERR_CHANGED, ERR_NOT_FOUND, ERR_STATE, ERR_TIMEOUT, ERR_UNREADABLE, ShoalError
from bus.messages import Locate, Located
from gateway.items import Items
from gateway.view import rows

BLOCK: Final = 256 * 1024
"""Bytes read at a time."""
PATIENCE: Final = 60.0
"""Seconds that a reader waits for bytes which are not there yet."""
LOOK_EVERY: Final = 0.5
"""Seconds at most between two looks whether they are."""
MISSES: Final = 20
"""Times that a download's file may be missing: while it is renamed, one look finds neither name."""
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe must not block the open


class Reader:
    """Reads one file; used by one thread at a time.

    Args:
        content: full id.
        file: its number in the list of files.
        patience: seconds to wait for bytes that are not there yet.
    """

    def __init__(self, items: Items, content: str, file: int, patience: float = PATIENCE) -> None:
        self._items = items
        self._content = content
        self._file = file
        self._patience = patience
        self._place = ("", "")
        self._descriptor = -1
        self._misses = 0

    def blocks(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from `start` to `stop`, waiting for those that are not there yet.

        Raises:
            ShoalError: ERR_CHANGED, ERR_UNREADABLE, ERR_TIMEOUT, ERR_STATE if the download stopped; what the peer
                refused with.
        """
        try:
            while start < stop:
                located = self.wait(start)
                end = min(stop, start + located.ready)
                if not self._open(located):
                    continue
                while start < end:
                    data = self._read(located, start, min(BLOCK, end - start))
                    start += len(data)
                    yield data
        finally:
            self.close()

    def wait(self, offset: int) -> Located:
        """Wait until there is a byte to read at `offset`; raises as `blocks`."""
        deadline = time.monotonic() + self._patience
        while True:
            exists = True
            try:
                located = self._items.ask(Locate(0, self._content, self._file, offset=offset), Located)
            except ShoalError as error:
                if error.code != ERR_NOT_FOUND:  # of a download whose files are not open yet
                    raise
                exists = False
            else:
                if located.ready:
                    return located
            self._wait_for_more(deadline, exists)

    def close(self) -> None:
        """Close the file, if it is open."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _wait_for_more(self, deadline: float, exists: bool) -> None:
        """`exists`: the peer knows the content, whose row may come a moment later."""
        row = self._items.live.row(rows.DOWNLOADS, self._content, rows.DownloadRow)
        if row is None and not exists:
            raise ShoalError(ERR_NOT_FOUND, f"{self._content} is not among this peer's contents any more")
        if row is not None and row.state in ("paused", "error"):
            raise ShoalError(ERR_STATE, f"{row.name} is not complete and its state is {row.state}; resume it")
        if time.monotonic() >= deadline:
            name = row.name if row is not None else self._content
            raise ShoalError(
                ERR_TIMEOUT, f"the bytes asked for of {name} did not come in {self._patience:.0f} s; try again"
            )
        seen = _moves(row)
        self._items.live.wait_for(lambda view: _moves(view.row(rows.DOWNLOADS, self._content)) != seen, LOOK_EVERY)

    # -- the file --

    def _open(self, located: Located) -> bool:
        """Open the file unless it is open; False if a download's is being renamed, so that it is asked for again."""
        if self._descriptor >= 0 and self._place == (located.root, located.inside):
            return True
        self.close()
        self._place = (located.root, located.inside)
        try:
            self._descriptor = open_below(located.root, located.inside)
        except FileNotFoundError:
            self._misses += 1
            if not located.modified and self._misses < MISSES:
                self._items.live.wait_for(lambda _: False, LOOK_EVERY / 10)
                return False
            raise _changed(located) from None
        except OSError as error:
            raise ShoalError(ERR_UNREADABLE, f"{_shown(located)} cannot be read: {error.strerror}") from None
        return True

    def _read(self, located: Located, offset: int, length: int) -> bytes:
        try:
            status = os.fstat(self._descriptor)
            data = os.pread(self._descriptor, length, offset)
        except OSError as error:
            raise ShoalError(ERR_UNREADABLE, f"{_shown(located)} cannot be read: {error.strerror}") from None
        if not data or not _is_the_same(status, located):
            raise _changed(located)
        return data


def _moves(row: rows.Row | None) -> tuple[str, int] | None:
    """What changes of a download when there is more to read, or nothing to wait for any more."""
    return (row.state, row.bytes_done) if isinstance(row, rows.DownloadRow) else None


def open_below(root: str, inside: str) -> int:
    """Open a file below a folder, or with "" the file `root` itself, following no link at or below `root`.

    Raises:
        OSError: it is not there, or a link or something else is in the way.
    """
    if not inside:
        return os.open(root, _FILE)
    *folders, name = inside.split("/")
    parent = os.open(root, _FOLDER)
    try:
        for folder in folders:
            below = os.open(folder, _FOLDER, dir_fd=parent)
            os.close(parent)
            parent = below
        return os.open(name, _FILE, dir_fd=parent)
    finally:
        os.close(parent)


def _is_the_same(status: os.stat_result, located: Located) -> bool:
    """Whether an open file still looks like the one that was hashed, or that is being downloaded."""
    if not stat.S_ISREG(status.st_mode):
        return False
    if not located.modified:
        return True
    return (status.st_size, status.st_mtime_ns) == (located.size, located.modified)


def _changed(located: Located) -> ShoalError:
    return ShoalError(ERR_CHANGED, f"{_shown(located)} is not the file that was hashed; verify it, or share it again")


def _shown(located: Located) -> str:
    return repr(f"{located.root}/{located.inside}" if located.inside else located.root)
