"""What a limit's receiving side does with messages: two threads check and write them, a third syncs behind them.

Nothing of Shoal's own is used but its settings, so that a slow part cannot slow its own measure.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Final, Generic, TypeVar

from blake3 import blake3

from bus.errors import ERR_INTEGRITY, ShoalError
from bus.settings import TransferSettings

MESSAGE: Final = 2**20
"""Bytes of one message, and of what one digest covers; `transfer.data_message_max` is the same."""
WORKERS: Final = 2
DIGEST: Final = 32
"""Bytes."""
POLICY: Final = TransferSettings()
"""Shoal's defaults: the window, and how often written bytes are forced to the disk."""
IN_FLIGHT: Final = POLICY.window // MESSAGE
"""Messages that a sender may be ahead of what is written: Shoal's window."""

M = TypeVar("M")
"""What holds a message's bytes."""


def digests_of(source: Path) -> bytes:
    """The digests of a file's messages, one behind the other."""
    with source.open("rb") as file:
        return b"".join(blake3(part).digest() for part in iter(lambda: file.read(MESSAGE), b""))


class Writers(Generic[M]):
    """Check messages and write them where they belong; in the background, force them to the disk.

    Args:
        destination: the file; it has its name once it is finished.
        digests: of all its messages.
        view_of: the bytes of a message.
        on_written: told of each message that is written, in a worker's thread.
    """

    def __init__(
        self, destination: Path, digests: bytes, view_of: Callable[[M], memoryview], on_written: Callable[[M], object]
    ) -> None:
        self._destination = destination
        self._partial = destination.with_name(f"{destination.name}.partial")
        self._descriptor = os.open(self._partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._digests = digests
        self._view_of = view_of
        self._on_written = on_written
        self._jobs: SimpleQueue[tuple[int, M] | None] = SimpleQueue()
        self._unsynced = 0
        self._due = threading.Event()
        self._closing = False
        self.error = ""
        """What went wrong, in one line, else empty."""
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(WORKERS)]
        self._syncing = threading.Thread(target=self._sync, daemon=True)
        for thread in (*self._threads, self._syncing):
            thread.start()

    def write(self, number: int, message: M) -> None:
        """Hand a message over."""
        self._jobs.put((number, message))

    def finish(self) -> None:
        """Wait until all is written and durable, and give the file its name.

        Raises:
            ShoalError: ERR_INTEGRITY, a message did not match its digest.
        """
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()
        self._closing = True
        self._due.set()
        self._syncing.join()
        if self.error:
            raise ShoalError(ERR_INTEGRITY, self.error)
        os.fdatasync(self._descriptor)
        os.close(self._descriptor)
        self._partial.rename(self._destination)
        folder = os.open(self._destination.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def _run(self) -> None:
        for number, message in iter(self._jobs.get, None):
            view = self._view_of(message)
            if blake3(view).digest() != self._digests[number * DIGEST : (number + 1) * DIGEST]:
                self.error = f"message {number} does not match its digest"
            os.pwrite(self._descriptor, view, number * MESSAGE)
            self._unsynced += len(view)  # now and then an addition is lost between the two threads: it is a hint
            if self._unsynced >= POLICY.sync_bytes:
                self._due.set()
            self._on_written(message)

    def _sync(self) -> None:
        while not self._closing:
            self._due.wait(POLICY.sync_interval)
            self._due.clear()
            if self._unsynced:
                self._unsynced = 0
                os.fdatasync(self._descriptor)
