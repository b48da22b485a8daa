"""Where a tracker or peer keeps what: one data directory each under the base directory.

    BASE/tracker       BASE/peers/NAME       both 0700

The ipc sockets lie in the data directory too, unless its path is too long for a socket's
address; then they lie in a short directory below /tmp that every process finds by itself.
Binding an ipc path that is in use steals it without a word, so the lock comes first.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Final

from bus.errors import ERR_ALREADY_RUNNING, ERR_PATH, ShoalError
from bus.names import safe_name

LONGEST_SOCKET_PATH: Final = 107
"""Bytes; sockaddr_un.sun_path is 108 with its final NUL (unix(7))."""
IDENTITY_FILE: Final = "identity.key"
SUPERVISOR_LOCK: Final = "supervisor.lock"
"""In a base directory; one `shoal up` for each."""
_LONGEST_NAME: Final = "control.ipc"
_RUNTIME_ROOT: Final = Path("/tmp")  # fixed, so that every process finds it


class Places:
    """What a tracker and a peer both have."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.absolute()
        self.identity_file = self.data_dir / IDENTITY_FILE
        self.lock_file = self.data_dir / "lock"
        longest = self.data_dir / _LONGEST_NAME
        self.socket_dir = self.data_dir
        if len(os.fsencode(longest)) > LONGEST_SOCKET_PATH:
            digest = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:16]
            self.socket_dir = _RUNTIME_ROOT / f"shoal-{os.getuid()}" / digest
        self.events = self._endpoint("events")
        self.wire = self._endpoint("wire")

    def prepare(self) -> None:
        """Make the directories, for the owner only.

        Raises:
            ShoalError: ERR_PATH if one cannot be made, is a link, or belongs to or is open to others.
        """
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self.socket_dir != self.data_dir:
                self.socket_dir.parent.mkdir(exist_ok=True, mode=0o700)
                _check_private(self.socket_dir.parent)
                self.socket_dir.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise ShoalError(ERR_PATH, f"directory {error.filename} cannot be made: {error.strerror}") from None
        self.check()

    def check(self) -> None:
        """Whether the directories, which must be there, are for the owner only; errors as in `prepare`."""
        _check_private(self.data_dir)
        _check_private(self.socket_dir)

    def _endpoint(self, name: str) -> str:
        return f"ipc://{self.socket_dir}/{name}.ipc"


class TrackerPlaces(Places):
    """Where the local tracker keeps its state."""

    def __init__(self, base_dir: Path | str) -> None:
        super().__init__(Path(base_dir) / "tracker")
        self.tracker_db = self.data_dir / "tracker.db"


class PeerPlaces(Places):
    """Where one peer keeps its state.

    Raises:
        ShoalError: ERR_PATH if the name is not fit for a folder.
    """

    def __init__(self, base_dir: Path | str, name: str, download_dir: Path | str = "") -> None:
        super().__init__(Path(base_dir) / "peers" / safe_name(name).path)
        self.name = name
        self.control = self._endpoint("control")
        self.token_file = self.data_dir / "gateway.token"
        self.download_dir = Path(download_dir).absolute() if download_dir else self.data_dir / "downloads"
        self.uploads_dir = self.data_dir / "uploads"
        self.catalogue_file = self.data_dir / "catalogue.db"
        self.reputation_file = self.data_dir / "reputation.db"

    def prepare(self) -> None:
        super().prepare()
        try:
            self.download_dir.mkdir(parents=True, exist_ok=True)
            self.uploads_dir.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise ShoalError(ERR_PATH, f"directory {error.filename} cannot be made: {error.strerror}") from None


class DirectoryLock:
    """Holds a data directory for one process; released when the process ends, however it ends.

    Raises:
        ShoalError: ERR_ALREADY_RUNNING if another process has it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            self._descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            raise ShoalError(ERR_PATH, f"lock file {path} cannot be opened: {error.strerror}") from None
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise ShoalError(
                ERR_ALREADY_RUNNING,
                f"{path.parent} is already running (pid {holder}); stop that process, or choose another --base-dir",
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the directory free.  The file stays: removing it would let two processes lock two files."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> DirectoryLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def holder_of(lock: Path) -> int:
    """Pid of the process that holds a data directory by its lock file; 0 if none does, or that cannot be told."""
    try:
        pid = int(lock.read_text())
        with os.scandir(f"/proc/{pid}/fd") as descriptors:
            held = any(os.readlink(one.path) == str(lock.resolve()) for one in descriptors)
    except (OSError, ValueError):
        return 0
    return pid if held else 0


def _check_private(path: Path) -> None:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode) or not stat.S_ISDIR(status.st_mode):
        raise ShoalError(ERR_PATH, f"{path} is no directory of its own (a link, perhaps); move it away")
    if status.st_uid != os.getuid():
        raise ShoalError(ERR_PATH, f"directory {path} belongs to user {status.st_uid}, not {os.getuid()}; move it away")
    if status.st_mode & 0o077:
        mode = stat.S_IMODE(status.st_mode)
        raise ShoalError(ERR_PATH, f"directory {path} is open to others (mode {mode:04o}); run: chmod 700 {path}")
