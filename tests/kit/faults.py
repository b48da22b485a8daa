"""Disks that fail: at the n-th operation, for good, or by losing what was never synced."""

from __future__ import annotations

import errno
import os
import random
import threading
from collections.abc import Callable
from typing import Any

from peer.files import FileOps

OPERATIONS = tuple(
    name for name, value in vars(FileOps).items() if callable(value) and not name.startswith("_") and name != "close"
)
"""Every file operation but close, whose failures nobody can do anything about."""


class FailingFiles(FileOps):
    """Every operation fails for which `fails(name, count of all operations so far)` gives an error number."""

    def __init__(self, fails: Callable[[str, int], int]) -> None:
        self.fails = fails
        self.count = 0
        self.failed: list[str] = []
        self._lock = threading.Lock()

    def check(self, name: str) -> None:
        with self._lock:
            self.count += 1
            number = self.fails(name, self.count)
            if number:
                self.failed.append(name)
        if number:
            raise OSError(number, os.strerror(number), "a fault was planted here")


def _checked(name: str) -> Callable[..., Any]:
    original = getattr(FileOps, name)

    def operation(self: FailingFiles, *args: Any, **kwargs: Any) -> Any:
        self.check(name)
        return original(self, *args, **kwargs)

    return operation


for _name in OPERATIONS:
    setattr(FailingFiles, _name, _checked(_name))


def fail_at(number: int, error: int = errno.EIO) -> FailingFiles:
    """The n-th operation fails, and no other."""
    return FailingFiles(lambda name, count: error if count == number else 0)


def fail_always(*names: str, error: int = errno.EIO) -> FailingFiles:
    """These operations fail."""
    return FailingFiles(lambda name, count: error if name in names else 0)


class VolatileFiles(FailingFiles):
    """A disk whose power can be cut: what was not synced is then lost, torn, or there, as chance will have it."""

    def __init__(self, fails: Callable[[str, int], int] = lambda name, count: 0) -> None:
        super().__init__(fails)
        self._unsynced: dict[tuple[int, int], list[tuple[str, int, bytes]]] = {}

    def write(self, descriptor: int, data: memoryview, offset: int) -> None:
        self.check("write")
        status = os.fstat(descriptor)
        old = os.pread(descriptor, len(data), offset)
        old += bytes(len(data) - len(old))
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        with self._lock:
            self._unsynced.setdefault((status.st_dev, status.st_ino), []).append((path, offset, old))
        FileOps.write(self, descriptor, data, offset)

    def sync(self, descriptor: int) -> None:
        self.check("sync")
        status = os.fstat(descriptor)
        with self._lock:
            self._unsynced.pop((status.st_dev, status.st_ino), None)

    def sync_file_system(self, descriptor: int) -> bool:
        self.check("sync_file_system")
        with self._lock:
            self._unsynced.clear()
        return True

    def cut_power(self, rng: random.Random) -> None:
        """Undo a random choice of the writes that were not synced, the newest first, some of them in part."""
        writes = [write for of_one_file in self._unsynced.values() for write in reversed(of_one_file)]
        self._unsynced.clear()
        for path, offset, old in writes:
            lost = rng.choice((0, len(old), rng.randrange(len(old) + 1) // 512 * 512))
            try:
                descriptor = os.open(path, os.O_WRONLY)
            except FileNotFoundError:
                continue
            os.pwrite(descriptor, old[:lost], offset)
            os.close(descriptor)
