"""Disks that fail: at the n-th operation, for good, by losing what was never synced, or under another number."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

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


class OtherDevice(FileOps):
    """A disk to which the machine gave another number than before, as it may at each boot or mount."""

    def look(self, name: str, folder: int | None = None) -> os.stat_result:
        return _renumbered(super().look(name, folder))

    def status(self, descriptor: int) -> os.stat_result:
        return _renumbered(super().status(descriptor))

    def look_at_all(self, names: Sequence[str], folder: int) -> list[os.stat_result]:
        return [_renumbered(found) for found in super().look_at_all(names, folder)]

    def read_file(self, path: str, view: memoryview, offset: int) -> tuple[os.stat_result, int]:
        found, done = super().read_file(path, view, offset)
        return _renumbered(found), done


def _renumbered(found: os.stat_result) -> os.stat_result:
    return os.stat_result((*found[:2], found.st_dev + 1, *found[3:10]), {"st_mtime_ns": found.st_mtime_ns})


class _Write(NamedTuple):
    """A write that did not reach the disk."""

    path: str
    offset: int
    old: bytes
    """What the disk still has there."""


class VolatileFiles(FailingFiles):
    """A disk whose power can be cut: what was not synced is then lost, torn, or there, as chance will have it.

    A sync that fails is the last that is heard of its writes: the kernel calls their pages clean,
    and no later sync brings them to the disk unless they are written again.
    """

    def __init__(self, fails: Callable[[str, int], int] = lambda name, count: 0) -> None:
        super().__init__(fails)
        self._unsynced: dict[tuple[int, int], list[_Write]] = {}
        self._given_up: dict[tuple[int, int], list[_Write]] = {}

    def write(self, descriptor: int, data: memoryview, offset: int) -> None:
        self.check("write")
        file = _identity(descriptor)
        old = os.pread(descriptor, len(data), offset)
        old += bytes(len(data) - len(old))
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        with self._lock:
            for lost in self._given_up.get(file, []):
                if lost.offset == offset and len(lost.old) == len(data):
                    old = lost.old
                    self._given_up[file].remove(lost)
                    break
            self._unsynced.setdefault(file, []).append(_Write(path, offset, old))
        FileOps.write(self, descriptor, data, offset)

    def sync(self, descriptor: int) -> None:
        with self._lock:
            writes = self._unsynced.pop(_identity(descriptor), [])
        try:
            self.check("sync")
        except OSError:
            self._given_up.setdefault(_identity(descriptor), []).extend(writes)
            raise

    def sync_file_system(self, descriptor: int) -> bool:
        with self._lock:
            unsynced, self._unsynced = self._unsynced, {}
        try:
            self.check("sync_file_system")
        except OSError:
            for file, writes in unsynced.items():
                self._given_up.setdefault(file, []).extend(writes)
            raise
        return True

    def cut_power(self, rng: random.Random) -> None:
        """Undo a random choice of the writes that were not synced, the newest first, some of them in part."""
        for kept in (self._unsynced, self._given_up):
            for writes in kept.values():
                for path, offset, old in reversed(writes):
                    lost = rng.choice((0, len(old), rng.randrange(len(old) + 1) // 512 * 512))
                    with contextlib.suppress(FileNotFoundError), open(path, "r+b") as file:
                        file.seek(offset)
                        file.write(old[:lost])
            kept.clear()


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino
