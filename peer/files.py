"""What the storage asks of the operating system: every file operation, in one replaceable object.

Tests replace it to make the n-th operation fail, and to see which operations came in which order.
Names are opened relative to the descriptor of their folder and never through a symbolic link, so
whoever plants a link in a download finds it refused and not followed.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from typing import Final

from bus.errors import ERR_DISK, ERR_DISK_FULL, ERR_SYMLINK, ShoalError
from bus.units import format_size

READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Open for reading.  Non-blocking, so that a named pipe put in a file's place does not hang a worker."""
UPDATE: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
CREATE: Final = UPDATE | os.O_CREAT
CREATE_NEW: Final = CREATE | os.O_EXCL
FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
ANY_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
"""A folder that the user named: the links on the way to it are the user's."""

_RENAME_NOREPLACE: Final = 1

_libc = ctypes.CDLL(None, use_errno=True)
_renameat2 = getattr(_libc, "renameat2", None)
_syncfs = getattr(_libc, "syncfs", None)


class FileOps:
    """The operating system's file operations.  All raise OSError."""

    def open(self, name: str, flags: int, mode: int = 0o644, folder: int | None = None) -> int:
        """Open `name`, relative to the folder with that descriptor."""
        return os.open(name, flags, mode, dir_fd=folder)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def read(self, descriptor: int, length: int, offset: int) -> bytes:
        """Up to `length` bytes; fewer only at the end of the file."""
        data = os.pread(descriptor, length, offset)
        while 0 < len(data) < length:
            more = os.pread(descriptor, length - len(data), offset + len(data))
            if not more:
                break
            data += more
        return data

    def read_into(self, descriptor: int, view: memoryview, offset: int) -> int:
        """Fill `view` from the file; returns the bytes read, fewer only at its end."""
        done = os.preadv(descriptor, (view,), offset)
        while 0 < done < len(view):
            more = os.preadv(descriptor, (view[done:],), offset + done)
            if not more:
                break
            done += more
        return done

    def write(self, descriptor: int, data: memoryview, offset: int) -> None:
        """Write all of `data`."""
        done = os.pwrite(descriptor, data, offset)
        while done < len(data):
            done += os.pwrite(descriptor, data[done:], offset + done)

    def make_file(self, name: str, data: memoryview, mode: int, folder: int) -> None:
        """Make a small file that is not there yet, with this in it; when that fails, a part of it may be left."""
        descriptor = os.open(name, CREATE_NEW, mode, dir_fd=folder)
        try:
            self.write(descriptor, data, 0)
        finally:
            os.close(descriptor)

    def read_file(self, path: str, view: memoryview, offset: int) -> tuple[os.stat_result, int]:
        """Open a small file for one `read_into`: its status before that, and the bytes read."""
        descriptor = os.open(path, READ)
        try:
            return os.fstat(descriptor), self.read_into(descriptor, view, offset)
        finally:
            os.close(descriptor)

    def truncate(self, descriptor: int, size: int) -> None:
        os.ftruncate(descriptor, size)

    def status(self, descriptor: int) -> os.stat_result:
        return os.fstat(descriptor)

    def look(self, name: str, folder: int | None = None) -> os.stat_result:
        """Status of a name; of a symbolic link, that of the link."""
        return os.stat(name, dir_fd=folder, follow_symlinks=False)

    def look_at_all(self, names: Sequence[str], folder: int) -> list[os.stat_result]:
        """`look`, at many names in one folder."""
        return [os.stat(name, dir_fd=folder, follow_symlinks=False) for name in names]

    def list_folder(self, path: str) -> list[os.DirEntry[str]]:
        with os.scandir(path) as listing:
            return list(listing)

    def make_folder(self, name: str, folder: int | None = None) -> None:
        os.mkdir(name, 0o755, dir_fd=folder)

    def make_folders(self, path: str) -> None:
        """Make a folder that the user named, and those above it."""
        os.makedirs(path, exist_ok=True)

    def remove(self, name: str, folder: int | None = None) -> None:
        os.unlink(name, dir_fd=folder)

    def remove_folder(self, name: str, folder: int | None = None) -> None:
        """Remove an empty folder."""
        os.rmdir(name, dir_fd=folder)

    def remove_all(self, name: str, folder: int) -> None:
        """Remove a folder and all in it; links in it are removed, not followed."""
        shutil.rmtree(name, dir_fd=folder)

    def rename(self, name: str, new: str, folder: int) -> None:
        """Rename within a folder; FileExistsError if the new name is taken by anything at all."""
        if _renameat2 is not None:
            if _renameat2(folder, os.fsencode(name), folder, os.fsencode(new), _RENAME_NOREPLACE) == 0:
                return
            number = ctypes.get_errno()
            if number not in (errno.EINVAL, errno.ENOSYS):  # some file systems cannot do it in one step
                raise OSError(number, os.strerror(number), new)
        _rename_in_two_steps(name, new, folder)

    def sync(self, descriptor: int) -> None:
        """Force a file's bytes, and what is needed to find them again, to the disk."""
        os.fdatasync(descriptor)

    def sync_folder(self, descriptor: int) -> None:
        """Force a folder's names to the disk."""
        os.fsync(descriptor)

    def sync_file_system(self, descriptor: int) -> bool:
        """Force everything on the file system of this descriptor to the disk; False if that cannot be asked for."""
        if _syncfs is None:
            return False
        if _syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return True

    def lock(self, descriptor: int) -> bool:
        """Claim an open file or folder until it is closed; False if another open file has it.

        Always true on file systems that have no locks.
        """
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
                raise
        return True

    def data_regions(self, descriptor: int, size: int) -> Iterator[tuple[int, int]]:
        """(start, end) of the parts of a sparse file that were written."""
        place = 0
        while place < size:
            try:
                place = os.lseek(descriptor, place, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:  # nothing but holes from here on
                    return
                if error.errno != errno.EINVAL:  # a file system that cannot tell: take all for written
                    raise
                yield place, size
                return
            end = os.lseek(descriptor, place, os.SEEK_HOLE)
            yield place, min(end, size)
            place = end

    def free_space(self, path: str) -> int:
        """Bytes that this user may still write to the file system of `path`."""
        status = os.statvfs(path)
        return status.f_bavail * status.f_frsize


def _rename_in_two_steps(name: str, new: str, folder: int) -> None:
    """Claim the new name without replacing anything, then move; for file systems without RENAME_NOREPLACE."""
    if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        os.mkdir(new, dir_fd=folder)
        os.rename(name, new, src_dir_fd=folder, dst_dir_fd=folder)  # may replace an empty folder: the one just made
    else:
        os.link(name, new, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        os.unlink(name, dir_fd=folder)


def error_of(error: OSError, path: str, files: FileOps | None = None, needed: int = 0) -> ShoalError:
    """What a user is told when the disk refuses.

    Args:
        path: where it happened.
        needed: bytes still to be written there, 0 if unknown.
    """
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = "too little"
        if files is not None:
            with contextlib.suppress(OSError):
                free = format_size(files.free_space(os.path.dirname(path)))
        return disk_full(path, needed, free)
    if error.errno == errno.ELOOP:
        return link_in_the_way(path)
    reason = (error.strerror or str(error)).lower()
    if error.errno == errno.ENOENT:
        reason = "it, or its folder, vanished"
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        reason += "; make it writable or choose another folder"
    return ShoalError(ERR_DISK, f"{shown(path)} cannot be used: {reason}")


def disk_full(path: str, needed: int, free: str) -> ShoalError:
    needs = f"needs {format_size(needed)}" if needed else "needs more room"
    return ShoalError(ERR_DISK_FULL, f"disk full: {shown(path)} {needs}, {free} is free there; free some, then resume")


def link_in_the_way(path: str) -> ShoalError:
    return ShoalError(ERR_SYMLINK, f"{shown(path)} is a symbolic link or behind one, and is not followed; remove it")


def shown(path: str) -> str:
    """A path for a line of text: as it is, or quoted if it has characters that could deceive a terminal."""
    return path if path.isprintable() else ascii(path)
