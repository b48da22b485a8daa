"""Open files, shared by all storage threads.

A descriptor that is closed while another thread reads would, once its number is used again, give
that thread another file's bytes.  So every use is counted, and a file is closed when it is no
longer wanted and nobody uses it.  Files that nobody uses stay open, the least recently used
being closed first beyond a limit.

`Folder` opens what lies below a folder of ours, part by part, so that no symbolic link on the
way is followed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from types import TracebackType
from typing import Final
from weakref import WeakSet

from bus.errors import ERR_PATH, ShoalError
from peer.files import FOLDER, FileOps, link_in_the_way, shown

LIMIT: Final = 128
"""Files kept open that nobody uses."""

Name = str | int
"""Within its owner: the number of an entry, or the path of a folder."""


class Descriptor:
    """A descriptor in use: a context manager that gives its number."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def __enter__(self) -> int:
        return self.number

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The use is over."""


class _Passing(Descriptor):
    """A descriptor for one use."""

    __slots__ = ("_files",)

    def __init__(self, files: FileOps, number: int) -> None:
        super().__init__(number)
        self._files = files

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):  # what was written is checked by sync, not by close
            self._files.close(self.number)


class _Shared(Descriptor):
    """A descriptor that counts its uses."""

    __slots__ = ("_cache", "dropped", "idle_since", "pinned", "users")

    def __init__(self, cache: OpenFiles, number: int, pinned: bool) -> None:
        super().__init__(number)
        self._cache = cache
        self.pinned = pinned
        self.users = 1
        self.idle_since = 0.0
        self.dropped = False

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cache.give_back(self)


class OpenFiles:
    """Descriptors by owner (any object) and name."""

    def __init__(self, files: FileOps, limit: int = LIMIT) -> None:
        self._files = files
        self._limit = limit
        self._open: OrderedDict[tuple[object, Name], _Shared] = OrderedDict()
        self._dropped: WeakSet[object] = WeakSet()
        self._lock = threading.Lock()

    def take(
        self, owner: object, name: Name, opener: Callable[[], int], *, pinned: bool = False, passing: bool = False
    ) -> Descriptor:
        """The open file of that name, opened first if it is not; use it in a `with`.

        Args:
            pinned: keep it open until `drop`, however many others there are.
            passing: open it for this use alone.
        """
        if passing:
            return _Passing(self._files, opener())
        key = (owner, name)
        with self._lock:
            known = self._open.get(key)
            if known is not None:
                known.users += 1
                self._open.move_to_end(key)
                return known
        number = opener()  # outside the lock: a slow disk holds up nobody else
        with self._lock:
            known = self._open.get(key)
            if known is not None:
                known.users += 1
                surplus = [number]
            elif owner in self._dropped:
                return _Passing(self._files, number)
            else:
                known = self._open[key] = _Shared(self, number, pinned)
                surplus = self._surplus()
        self._close(surplus)
        return known

    def give_back(self, descriptor: _Shared) -> None:
        """One use is over."""
        with self._lock:
            descriptor.users -= 1
            descriptor.idle_since = time.monotonic()
            finished = descriptor.dropped and not descriptor.users
        if finished:
            self._close([descriptor.number])

    def drop(self, owner: object) -> None:
        """Close everything of an owner, each file as soon as nobody uses it.  What it takes later is passing."""
        unused = []
        with self._lock:
            self._dropped.add(owner)
            for key in [key for key in self._open if key[0] is owner]:
                descriptor = self._open.pop(key)
                descriptor.dropped = True
                if not descriptor.users:
                    unused.append(descriptor.number)
        self._close(unused)

    def close_idle(self, seconds: float) -> None:
        """Close what nobody used for so long: a file that the user deletes gives its room free only then."""
        before = time.monotonic() - seconds
        with self._lock:
            idle = [key for key, one in self._open.items() if not (one.users or one.pinned) and one.idle_since < before]
            numbers = [self._open.pop(key).number for key in idle]
        self._close(numbers)

    def close(self) -> None:
        """Close everything."""
        for owner in {id(key[0]): key[0] for key in list(self._open)}.values():
            self.drop(owner)

    def _surplus(self) -> list[int]:
        """Take the least recently used out of the table; returns their numbers."""
        surplus: list[int] = []
        if len(self._open) <= self._limit:
            return surplus
        for key, descriptor in list(self._open.items()):
            if not descriptor.users and not descriptor.pinned:
                del self._open[key]
                surplus.append(descriptor.number)
                if len(self._open) <= self._limit:
                    break
        return surplus

    def _close(self, numbers: list[int]) -> None:
        for number in numbers:
            with contextlib.suppress(OSError):  # what was written is checked by sync, not by close
                self._files.close(number)


class Folder:
    """A folder of ours and what lies below it."""

    def __init__(self, files: FileOps, open_files: OpenFiles, owner: object, path: str, top: Callable[[], int]) -> None:
        """`path` is for messages; `top` opens the folder itself."""
        self._files = files
        self._open_files = open_files
        self._owner = owner
        self.path = path
        self._top = top

    def enter(self, folder: str = "", make: bool = False) -> Descriptor:
        """The descriptor of a folder below this one ("" is this one), made if it is missing and `make`."""
        if not folder:
            return self._open_files.take(self._owner, "", self._top, pinned=True)
        return self._open_files.take(self._owner, folder, lambda: self._open_folder(folder, make))

    def open(self, path: str, flags: int, mode: int = 0o644, make: bool = False) -> int:
        """Open a regular file below this folder; the folders on its way are made if `make`.

        Raises:
            ShoalError: ERR_SYMLINK if a link is in the way, ERR_PATH if something else is.
        """
        folder, _, name = path.rpartition("/")
        with self.enter(folder, make) as parent:
            try:
                number = self._files.open(name, flags, mode, parent)
            except OSError as error:
                raise self._explained(error, path, name, parent) from None
        kind = self._files.status(number)
        if not stat.S_ISREG(kind.st_mode) or kind.st_nlink > 1:
            # A second name would be the name of somebody else's file.
            self._files.close(number)
            raise ShoalError(ERR_PATH, f"{self._shown(path)} is not a file of its own; remove it")
        return number

    def make(self, folder: str, name: str, data: memoryview, mode: int, parent: int) -> None:
        """Make a file of these bytes in a folder below this one, which is open as `parent`; it has no other name.

        Raises:
            ShoalError: as `open`, if something is there.
        """
        try:
            self._files.make_file(name, data, mode, parent)
        except OSError as error:
            raise self._explained(error, f"{folder}/{name}".lstrip("/"), name, parent) from None

    def look(self, path: str) -> os.stat_result:
        """Status of a name below this folder.  Raises FileNotFoundError if it is missing."""
        folder, _, name = path.rpartition("/")
        with self.enter(folder) as parent:
            return self._files.look(name, parent)

    def remove(self, path: str, folder: bool = False) -> None:
        """Remove a file, or an empty folder, below this folder."""
        above, _, name = path.rpartition("/")
        with self.enter(above) as parent:
            (self._files.remove_folder if folder else self._files.remove)(name, parent)

    def _open_folder(self, folder: str, make: bool) -> int:
        above, _, name = folder.rpartition("/")
        with self.enter(above, make) as parent:
            try:
                return self._files.open(name, FOLDER, folder=parent)
            except FileNotFoundError:
                if not make:
                    raise
            except OSError as error:
                raise self._explained(error, folder, name, parent) from None
            try:
                with contextlib.suppress(FileExistsError):
                    self._files.make_folder(name, parent)
                return self._files.open(name, FOLDER, folder=parent)
            except OSError as error:
                raise self._explained(error, folder, name, parent) from None

    def _explained(self, error: OSError, path: str, name: str, parent: int) -> OSError | ShoalError:
        """What stands in the way, where the kernel only says that something does."""
        if error.errno not in (errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO, errno.EEXIST):
            return error
        with contextlib.suppress(OSError):
            if stat.S_ISLNK(self._files.look(name, parent).st_mode):
                return link_in_the_way(f"{self.path}/{path}")
        return ShoalError(ERR_PATH, f"{self._shown(path)} is not what was expected there; move it away")

    def _shown(self, path: str) -> str:
        return shown(f"{self.path}/{path}")
