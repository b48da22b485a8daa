"""The configuration file, held for one change and replaced in one step.

Several gateways share one file.  Whoever has its folder locked may change it; the lock goes with the process that holds
it.  The new content is written beside the file, forced to the disk and renamed over it, so that a crash at any moment
leaves the old file or the new one.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final

from bus.errors import ERR_DISK_FULL, ERR_PATH, ERR_STATE, ShoalError
from bus.strict_yaml import MAX_BYTES

NEW_MODE: Final = 0o600
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class ConfigFile:
    """Held from `with` on; a link in its place is followed, as reading does.

    Raises:
        ShoalError: ERR_STATE while somebody else changes it; ERR_PATH if it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._real = Path(os.path.realpath(path))
        self._partial = f".{self._real.name}.new"
        self.content = b""
        """What is in it; nothing if it is not there."""
        self._found: os.stat_result | None = None

    def __enter__(self) -> ConfigFile:
        try:
            self._folder = os.open(self._real.parent, _FOLDER)
        except OSError as error:
            raise self._refusal(error) from None
        try:
            self._lock()
            self._read()
        except BlockingIOError:
            os.close(self._folder)
            raise ShoalError(ERR_STATE, f"{self.path} is being changed by another page; try again") from None
        except OSError as error:
            os.close(self._folder)
            raise self._refusal(error) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._folder)

    def replace(self, content: bytes) -> None:
        """Write `content` in its place, with the same mode; nothing is written if it is there already.

        Raises:
            ShoalError: ERR_STATE if it was changed since it was read, by who knows no lock; ERR_DISK_FULL, ERR_PATH.
        """
        if content == self.content and self._found is not None:
            return
        try:
            self._write(content)
            self._check_unchanged()
            os.rename(self._partial, self._real.name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            os.fsync(self._folder)
        except OSError as error:
            self._remove_partial()
            raise self._refusal(error) from None
        except ShoalError:
            self._remove_partial()
            raise

    def _lock(self) -> None:
        try:
            fcntl.flock(self._folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # File systems without locks of folders, NFS among them; a change at the same time is still noticed.
            if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF):
                raise

    def _read(self) -> None:
        try:
            descriptor = os.open(self._real.name, _READ, dir_fd=self._folder)
        except FileNotFoundError:
            return
        with open(descriptor, "rb") as file:
            self._found = os.fstat(file.fileno())
            self.content = file.read(MAX_BYTES + 1)

    def _write(self, content: bytes) -> None:
        self._remove_partial()  # of a crash
        descriptor = os.open(self._partial, _WRITE, NEW_MODE, dir_fd=self._folder)
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if self._found is not None:
                os.fchmod(file.fileno(), stat.S_IMODE(self._found.st_mode))
            os.fsync(file.fileno())

    def _check_unchanged(self) -> None:
        now = None
        with suppress(FileNotFoundError):
            now = os.stat(self._real.name, dir_fd=self._folder, follow_symlinks=False)
        if _mark_of(now) != _mark_of(self._found):
            raise ShoalError(ERR_STATE, f"{self.path} was changed at the same time by another program; look again")

    def _remove_partial(self) -> None:
        with suppress(OSError):
            os.unlink(self._partial, dir_fd=self._folder)

    def _refusal(self, error: OSError) -> ShoalError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return ShoalError(ERR_DISK_FULL, f"the disk has no room for {self.path}; free some, then try again")
        reason = (error.strerror or str(error)).lower()
        return ShoalError(ERR_PATH, f"{self.path} cannot be changed: {reason}; change the line there by hand")


def _mark_of(found: os.stat_result | None) -> tuple[int, int, int] | None:
    return (found.st_ino, found.st_size, found.st_mtime_ns) if found else None
